package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// interval is how often processes are looked at. The kernel keeps the most
// that a process held, so only what a process took in its last moments is missed.
const interval = 3 * time.Millisecond

// watch notes the most memory that a process below this one held. Where there
// is no /proc it is 0.
type watch struct {
	mu   sync.Mutex
	most int64
	stop chan struct{}
	done chan struct{}
}

func newWatch() *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(interval)
		defer tick.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-tick.C:
				w.look()
			}
		}
	}()
	return w
}

func (w *watch) close() {
	close(w.stop)
	<-w.done
}

// reset returns the most that was seen, and begins anew.
func (w *watch) reset() int64 {
	w.look()
	w.mu.Lock()
	defer w.mu.Unlock()
	most := w.most
	w.most = 0
	return most
}

func (w *watch) look() {
	most := mostBelow(os.Getpid(), 0)
	w.mu.Lock()
	w.most = max(w.most, most)
	w.mu.Unlock()
}

// mostBelow is the most memory that one of the descendants of a process has
// held since its program was started.
func mostBelow(pid, depth int) int64 {
	var most int64
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, list := range lists {
		children, _ := os.ReadFile(list) // the thread may be gone
		for _, field := range bytes.Fields(children) {
			child, err := strconv.Atoi(string(field))
			if err != nil || depth > 8 {
				continue
			}
			most = max(most, highWater(child), mostBelow(child, depth+1))
		}
	}
	return most
}

// highWater is the most memory that a process has held, in bytes.
func highWater(pid int) int64 {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, line, found := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(line)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
