package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// power makes a power failure of a kill of Redis: what a real one may lose is
// cut off the append-only file before Redis starts again. A SIGKILL alone loses
// nothing, since the kernel has what was written.
type power struct {
	on   bool
	file string

	mu     sync.Mutex
	sizes  []grown
	losses []time.Time
	bytes  int64 // cut off altogether
}

// grown is the size of the append-only file at a time.
type grown struct {
	at   time.Time
	size int64
}

const (
	// lost is the time whose writes are cut off: appendfsync everysec syncs
	// once a second.
	lost = time.Second
	// promised is for how long before a failure an acknowledgement may be
	// lost: Redis puts a write off for two seconds more while a sync is slow.
	promised = 3 * time.Second
)

func newPower(dir string, on bool) *power {
	return &power{on: on, file: filepath.Join(dir, "appendonlydir", "appendonly.aof.1.incr.aof")}
}

// watch notes how the file grows until ctx ends.
func (p *power) watch(ctx context.Context) {
	for p.on && ctx.Err() == nil {
		if info, err := os.Stat(p.file); err == nil {
			p.mu.Lock()
			p.sizes = append(p.sizes, grown{time.Now(), info.Size()})
			p.mu.Unlock()
		}
		sleep(ctx, 10*time.Millisecond)
	}
}

// lose cuts the file as the last death of Redis is to leave it.
func (p *power) lose(dead []death) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var at time.Time
	for _, d := range dead {
		if d.role == roleRedis && d.cause == "kill" {
			at = d.at
		}
	}
	if !p.on || at.IsZero() || len(p.losses) > 0 && p.losses[len(p.losses)-1].Equal(at) {
		return
	}
	keep := int64(0)
	for _, g := range p.sizes {
		if g.at.Before(at.Add(-lost)) {
			keep = g.size
		}
	}
	info, err := os.Stat(p.file)
	if err != nil || keep == 0 || keep >= info.Size() {
		return
	}
	if os.Truncate(p.file, keep) == nil {
		p.losses, p.bytes = append(p.losses, at), p.bytes+info.Size()-keep
		p.sizes = nil
	}
}

// unsure says whether what a call did may be lost: whether it was done in the
// moments before a failure, for all that asking and answer tell.
func (p *power) unsure(c call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.losses {
		if c.to.After(t.Add(-promised)) && c.from.Before(t) {
			return true
		}
	}
	return false
}
