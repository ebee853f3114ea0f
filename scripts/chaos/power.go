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
	losses []call
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
	// putOff is for how long Redis holds a write back while a sync is slow: an
	// acknowledgement may be older by that than what the file lacks.
	putOff = 2 * time.Second
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
	if !p.on || at.IsZero() || len(p.losses) > 0 && p.losses[len(p.losses)-1].to.Equal(at) {
		return
	}
	var keep grown
	for _, g := range p.sizes {
		if g.at.Before(at.Add(-lost)) {
			keep = g
		}
	}
	info, err := os.Stat(p.file)
	if err != nil || keep.size == 0 || keep.size >= info.Size() {
		return
	}
	if os.Truncate(p.file, keep.size) == nil {
		// On a busy machine the file was last looked at earlier than meant.
		p.losses, p.bytes = append(p.losses, call{keep.at, at}), p.bytes+info.Size()-keep.size
		p.sizes = nil
	}
}

// longest is the longest time whose writes were cut off.
func (p *power) longest() (d time.Duration) {
	for _, l := range p.losses {
		d = max(d, l.to.Sub(l.from))
	}
	return d
}

// unsure says whether what a call did may be lost: whether it was done in the
// moments before a failure, for all that asking and answer tell.
func (p *power) unsure(c call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.losses {
		if c.to.After(l.from.Add(-putOff)) && c.from.Before(l.to) {
			return true
		}
	}
	return false
}
