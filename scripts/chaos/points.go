package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// points are the failpoints that processes of each role have passed so far.
type points struct {
	dir string
	off bool // choose none

	mu   sync.Mutex
	hits map[string]map[string]int // role -> name -> how often it was acted on
}

func newPoints(dir string, off bool) *points {
	return &points{dir: dir, off: off, hits: map[string]map[string]int{roleWorker: {}, roleServe: {}}}
}

func (p *points) file(role string) string { return filepath.Join(p.dir, role+".points") }

// read brings what is known of a role up to date.
func (p *points) read(role string) map[string]int {
	hits := map[string]int{}
	b, err := os.ReadFile(p.file(role))
	if err == nil {
		for line := range strings.Lines(string(b)) {
			kind, name, _ := strings.Cut(strings.TrimSpace(line), " ")
			if name == "" {
				continue
			}
			hits[name] += 0
			if kind == "hit" {
				hits[name]++
			}
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[role] = hits
	return hits
}

// choose draws a failpoint for a new process of a role, mostly one that was
// never acted on; "" for none. One in four stops the process instead.
func (p *points) choose(d *draw, role string) string {
	if p.off || d.intn(10) == 0 {
		return ""
	}
	hits := p.read(role)
	if len(hits) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(hits))
	fewest := slices.Min(slices.Collect(maps.Values(hits)))
	if d.intn(5) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return hits[name] > fewest })
	}
	action := "kill"
	if d.intn(4) == 0 {
		action = "stop"
	}
	turn := 1
	if d.intn(4) == 0 {
		turn += d.intn(5)
	}
	return fmt.Sprintf("%s@%s#%d", action, names[d.intn(len(names))], turn)
}

// summary counts the failpoints known and hit, and names those never hit.
func (p *points) summary() (known, hit int, never []string) {
	for _, role := range []string{roleServe, roleWorker} {
		hits := p.read(role)
		for _, name := range slices.Sorted(maps.Keys(hits)) {
			known++
			if hits[name] > 0 {
				hit++
			} else {
				never = append(never, role+":"+name)
			}
		}
	}
	return known, hit, never
}
