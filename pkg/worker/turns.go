package worker

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// turnEvery is how often the dispatcher comes round at least when there is
// nothing to do.
const turnEvery = 5 * time.Second

// turns are when the two loops that everything hangs on last came round. A
// call that Redis does not answer ends within callTimeout and counts as a
// turn: an outage is waited for, and restarting the worker would help nobody.
type turns struct {
	dispatcher, heartbeat atomic.Int64 // unix ms
}

func (t *turns) turn(loop *atomic.Int64) { loop.Store(time.Now().UnixMilli()) }

// Stuck names the loop of a running worker that has not come round for so
// long; "" when none. Redis may be away for any time without one being stuck.
func (w *Worker) Stuck(limit time.Duration) string {
	for name, loop := range map[string]*atomic.Int64{"dispatcher": &w.turns.dispatcher, "heartbeat": &w.turns.heartbeat} {
		if at := loop.Load(); at != 0 && time.Since(time.UnixMilli(at)) > limit {
			return name
		}
	}
	return ""
}

// Status says in a line what the worker is doing.
func (w *Worker) Status() string {
	busy := len(w.busyJobs())
	w.mu.Lock()
	slots, shunned := len(w.slots), len(w.shunned)
	w.mu.Unlock()
	text := fmt.Sprintf("%d of %d slots busy, queues %s", busy, slots, strings.Join(w.c.Queues, ", "))
	if shunned > 0 {
		text += fmt.Sprintf(" (%d of them left to others)", shunned)
	}
	if w.stopped.Err() != nil {
		text = fmt.Sprintf("stopping: %d jobs in hand", busy)
	}
	if waits := w.outages.waits(); len(waits) > 0 {
		text = "waiting for Redis (" + strings.Join(waits[:min(len(waits), 3)], ", ") + "); " + text
	}
	return text
}

// warnOfQueues says which queues nobody knows: a name that is misspelt waits
// for ever without a word otherwise.
func (w *Worker) warnOfQueues(names []string) {
	for _, q := range w.c.Queues {
		if slices.Contains(w.c.KnownQueues, q) || slices.Contains(names, q) {
			continue
		}
		w.c.Log.Warn().Str("queue", q).Strs("configured", w.c.KnownQueues).Strs("in_redis", names[:min(len(names), 20)]).
			Msg("this queue isn't in the configuration and nobody ever put a job into it: waiting for the first one; if that is a slip of the pen, start the worker with the right name")
	}
}
