package worker

import (
	"context"

	"github.com/docsvc/docsvc/pkg/rq"
)

// beat refreshes all names and leases until ctx ends, and cancels the handlers
// of executions that were lost. While Redis is away it tries more often, so
// that leases are renewed before anybody recovers them.
func (w *Worker) beat(ctx context.Context) {
	for try := 0; ; {
		err := w.beatOnce(ctx)
		w.turns.turn(&w.turns.heartbeat)
		switch {
		case ctx.Err() != nil:
			w.outages.gone("heartbeat")
			return
		case err == nil:
			try = 0
			w.outages.up("heartbeat")
			if !sleep(ctx, w.c.Heartbeat) {
				return
			}
			continue
		case rq.IsUnavailable(err):
			w.outages.down("heartbeat", err)
		default:
			w.c.Log.Error().Err(err).Msg("heartbeat")
		}
		if !pause(ctx, try) {
			w.outages.gone("heartbeat")
			return
		}
		try++
	}
}

func (w *Worker) beatOnce(ctx context.Context) error {
	runs := w.running()
	beats := make([]rq.Beat, len(runs))
	now := w.c.Clock()
	for i, r := range runs {
		beats[i] = rq.Beat{Execution: r.claimed.Execution, Timeout: r.claimed.Job.Timeout, Working: now.Sub(r.began)}
	}
	var lost []rq.Execution
	err := w.call(ctx, func(ctx context.Context) (err error) {
		lost, err = w.q.Heartbeat(ctx, w.signs(), beats)
		return err
	})
	for _, e := range lost {
		w.lose(e)
	}
	return err
}

// lose ends the handler of an execution that is no longer this worker's.
func (w *Worker) lose(e rq.Execution) {
	for _, r := range w.running() {
		if r.claimed.Execution.ID == e.ID {
			r.cancel(ErrLeaseLost)
			r.settled.Store(true) // nothing is left to keep alive
		}
	}
}

// signs are the signs of life of all names that this worker still has.
func (w *Worker) signs() []rq.WorkerBeat {
	var rss int64
	var cpu float64
	if w.c.Usage != nil {
		rss, cpu = w.c.Usage()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	beats := make([]rq.WorkerBeat, 0, len(w.slots))
	for _, s := range w.slots {
		if !s.gone {
			beats = append(beats, rq.WorkerBeat{Name: s.name, RSS: rss, CPU: cpu})
		}
	}
	return beats
}

// cancelRuns ends the contexts of the chosen executions with cause and says
// how many there were.
func (w *Worker) cancelRuns(cause error, chosen func(*run) bool) int {
	n := 0
	for _, r := range w.running() {
		if chosen(r) {
			r.cancel(cause)
			n++
		}
	}
	return n
}
