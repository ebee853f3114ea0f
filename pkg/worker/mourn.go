package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Bounds of what is done for jobs of dead workers, beside the worker's own.
const (
	mournersAtOnce   = 4
	mournersAtMost   = 1000 // waiting included
	mournersLeftOut  = "too many jobs of dead workers at once: callback and webhooks of this one are left out"
	mournersShutDown = "the worker is being shut down at once: callback and webhooks of this job are left out"
)

// mourners call back and send webhooks for jobs of dead workers.
type mourners struct {
	free    chan struct{} // holds one for each at work
	waiting atomic.Int32
	done    sync.WaitGroup // of all; nobody is added once the loops have ended
}

// mourn calls the failure callbacks of jobs that were taken from dead workers,
// where that was a failed attempt, and makes the requests of those that failed
// for good, beside the loop that found them. Of several workers only the one
// that took a job does so, after it did: each death is told at most once, and
// not at all when that worker dies in its turn, or when Redis' answer to it was
// lost. (RQ calls back before it writes, so that two cleaners both do; its
// version 2.12 sends no webhook then, 3.0 does.) A job that went back to its
// queue without an attempt being counted has not failed.
func (w *Worker) mourn(taken []rq.Recovered) {
	for _, x := range taken {
		if x.Reason == rq.ReasonRecovered || x.Job == nil || x.Job.OnFailure == nil && len(x.Job.Webhooks) == 0 {
			continue
		}
		log := w.c.Log.With().Str("job", x.JobID).Str("execution", x.Execution).Str("queue", x.Queue).Logger()
		if w.mourners.waiting.Add(1) > mournersAtMost {
			w.mourners.waiting.Add(-1)
			log.Error().Msg(mournersLeftOut)
			continue
		}
		w.mourners.done.Go(func() {
			defer w.mourners.waiting.Add(-1)
			select {
			case w.mourners.free <- struct{}{}:
				defer func() { <-w.mourners.free }()
			case <-w.killed.Done():
			}
			if w.killed.Err() != nil {
				log.Warn().Msg(mournersShutDown)
				return
			}
			w.tellOf(log, x)
		})
	}
}

// tellOf calls back and sends webhooks for one job. Errors are logged.
func (w *Worker) tellOf(log zerolog.Logger, x rq.Recovered) {
	base := context.Background()
	if k := x.Job.OnFailure; k != nil && w.c.Callbacks[k.Func] == nil {
		log.Warn().Str("callback", k.Func).Msg("the job of a dead worker names a failure callback that this worker doesn't know: it is not called")
	}
	r := &run{ctx: base, claimed: rq.Claimed{Job: x.Job}, task: &Task{Job: x.Job, Log: log, Queue: w.c.Queue}}
	_ = w.callBack(base, r, x.Job.OnFailure, Ending{Status: rq.StatusFailed, Err: fmt.Errorf("%w: %s", ErrAbandoned, x.Worker)})
	if x.Status == rq.StatusFailed {
		w.post(base, log, announced{job: x.Job, status: rq.StatusFailed, ended: x.At, err: x.Error})
	}
}
