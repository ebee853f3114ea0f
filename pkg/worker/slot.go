package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// slot is one RQ worker name and what runs under it. Worker.mu guards it.
type slot struct {
	name    string
	state   rq.WorkerState // as last written, busy while run is set
	run     *run           // nil while free
	retired bool           // shut down by command: takes nothing more
	gone    bool           // its name was taken out of Redis
}

// run is one execution in a slot.
type run struct {
	slot    *slot
	claimed rq.Claimed
	task    *Task
	handler Handler
	began   time.Time
	ctx     context.Context
	cancel  context.CancelCauseFunc
	// loose are the handler and the callbacks, also those that ignore their end.
	loose sync.WaitGroup
	// settled is set when the outcome was acknowledged or given up: nothing is
	// left to keep alive.
	settled atomic.Bool
}

// free returns the slots that can take a job.
func (w *Worker) free() []*slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var free []*slot
	for _, s := range w.slots {
		if s.run == nil && !s.retired {
			free = append(free, s)
		}
	}
	return free
}

// working says whether any slot is busy, and whether any could ever be again.
func (w *Worker) working() (busy, open bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.slots {
		busy = busy || s.run != nil
		open = open || !s.retired
	}
	return busy, open
}

func (w *Worker) busyNames() []string { return w.eachBusy(func(s *slot) string { return s.name }) }
func (w *Worker) busyJobs() []string {
	return w.eachBusy(func(s *slot) string { return "job " + s.run.claimed.Execution.JobID })
}

func (w *Worker) eachBusy(f func(*slot) string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.slots {
		if s.run != nil {
			out = append(out, f(s))
		}
	}
	return out
}

// running returns the executions that must be kept alive.
func (w *Worker) running() []*run {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*run
	for _, s := range w.slots {
		if s.run != nil && !s.run.settled.Load() {
			out = append(out, s.run)
		}
	}
	return out
}

// occupy puts r into its slot, by the name that the claim was made for.
func (w *Worker) occupy(r *run) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(w.slots, func(s *slot) bool { return s.name == r.claimed.Execution.Worker })
	if i < 0 || w.slots[i].run != nil {
		return false
	}
	r.slot = w.slots[i]
	r.slot.run, r.slot.state = r, rq.WorkerBusy
	return true
}

// release frees the slot of r.
func (w *Worker) release(r *run) {
	w.mu.Lock()
	r.slot.run, r.slot.state = nil, rq.WorkerIdle
	w.idleSince = w.c.Clock()
	w.mu.Unlock()
	w.signal()
}

// retire takes a slot out of service once its job is done.
func (w *Worker) retire(name string) {
	w.mu.Lock()
	for _, s := range w.slots {
		if s.name == name {
			s.retired = true
		}
	}
	w.mu.Unlock()
	w.signal()
}

// retiredFree returns the retired slots whose names can leave now.
func (w *Worker) retiredFree() []*slot {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []*slot
	for _, s := range w.slots {
		if s.retired && !s.gone && s.run == nil {
			out = append(out, s)
		}
	}
	return out
}

func names(slots []*slot) []string {
	out := make([]string, len(slots))
	for i, s := range slots {
		out[i] = s.name
	}
	return out
}
