package worker

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// startLoops runs the worker's own loops and the configured ones until ctx
// ends; done counts them. A burst worker looks for expired leases and due jobs
// once before it claims, as RQ does.
func (w *Worker) startLoops(ctx context.Context, done *sync.WaitGroup) {
	if w.c.Burst {
		w.once(ctx, "recovery", w.recoverExpired)
		w.once(ctx, "scheduled jobs", func(ctx context.Context) error { _, err := w.moveDue(ctx); return err })
	}
	loops := append([]Loop{
		{Name: "recovery", Every: w.c.RecoverEvery, Run: w.recoverExpired},
		{Name: "maintenance", Every: w.c.Maintenance, Run: w.maintain},
		{Name: "jobs that nothing holds", Every: straysEvery, Run: w.seekStrays},
	}, w.c.Loops...)
	for _, l := range loops {
		done.Go(func() { w.loop(ctx, l) })
	}
	done.Go(func() { w.mover(ctx) })
}

// loop runs l again and again. After a failure it comes back sooner than
// Every when that is long.
func (w *Worker) loop(ctx context.Context, l Loop) {
	for try := 0; ; {
		next := l.Every
		if err := w.once(ctx, l.Name, l.Run); err != nil {
			next = min(l.Every, 100*time.Millisecond<<min(try, 7))
			try++
		} else {
			try = 0
		}
		if !sleep(ctx, next) {
			w.outages.gone(l.Name)
			return
		}
	}
}

// once runs f and logs its error: an outage once while it lasts, anything else
// each time.
func (w *Worker) once(ctx context.Context, name string, f func(context.Context) error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
			w.c.Log.Error().Str("loop", name).Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).Msg("loop panicked")
		}
	}()
	err = f(ctx)
	switch {
	case err == nil:
		w.outages.up(name)
	case ctx.Err() != nil:
	case rq.IsUnavailable(err):
		w.outages.down(name, err)
	default:
		w.c.Log.Warn().Err(err).Str("loop", name).Msg("loop failed, it is tried again")
	}
	return err
}

// recoverExpired takes back the jobs of workers whose lease ran out.
func (w *Worker) recoverExpired(ctx context.Context) error {
	var taken []rq.Recovered
	err := w.call(ctx, func(ctx context.Context) (err error) {
		taken, err = w.q.RecoverExpired(ctx, w.c.Queues)
		return err
	})
	w.logRecovered(taken)
	w.mourn(taken)
	if len(taken) > 0 {
		w.signal()
	}
	return err
}

func (w *Worker) logRecovered(taken []rq.Recovered) {
	for _, r := range taken {
		w.c.Log.Warn().Str("job", r.JobID).Str("func", r.Func).Str("dead_worker", r.Worker).Str("execution", r.Execution).
			Str("queue", r.Queue).Str("status", string(r.Status)).Str("reason", r.Reason).Int("deaths", r.Deaths).
			Msg("took a job back from a worker that is gone")
	}
}

// straysEvery is how often SeekStrays wants to be called.
const straysEvery = 5 * time.Second

// seekStrays puts jobs back that nothing holds. It bounds its time itself.
func (w *Worker) seekStrays(ctx context.Context) error {
	s, err := w.q.SeekStrays(ctx, w.c.Queues)
	for _, r := range s.Mended {
		w.c.Log.Warn().Str("job", r.JobID).Str("func", r.Func).Str("queue", r.Queue).Str("worker", r.Worker).Str("status", string(r.Status)).
			Msg("a job stood in no queue and nobody ran it: its worker died while it took the job, or somebody deleted keys")
	}
	w.mourn(s.Mended)
	if len(s.Mended) > 0 {
		w.signal()
	}
	return err
}

// maintain does RQ's registry cleanup.
func (w *Worker) maintain(ctx context.Context) error {
	// Registries can be long: this may take more than one exchange.
	ctx, cancel := context.WithTimeout(ctx, 10*callTimeout)
	defer cancel()
	m, err := w.q.Maintenance(ctx, w.c.Queues)
	w.logRecovered(m.Abandoned)
	w.mourn(m.Abandoned)
	if n := m.Workers + m.Intermediate + m.Dangling + m.Released; n > 0 {
		w.c.Log.Info().Int("dead_workers", m.Workers).Int("intermediate", m.Intermediate).Int("dangling", m.Dangling).
			Int("released", m.Released).Msg("maintenance")
	}
	return err
}

// mover puts scheduled jobs onto their queues when their time has come.
func (w *Worker) mover(ctx context.Context) {
	for try := 0; ; {
		var next time.Time
		err := w.once(ctx, "scheduled jobs", func(ctx context.Context) (err error) {
			next, err = w.moveDue(ctx)
			return err
		})
		ok := false
		if err != nil {
			ok = pause(ctx, try)
			try++
		} else {
			try = 0
			ok = sleep(ctx, w.untilDue(next))
		}
		if !ok {
			w.outages.gone("scheduled jobs")
			return
		}
	}
}

func (w *Worker) moveDue(ctx context.Context) (next time.Time, err error) {
	err = w.call(ctx, func(ctx context.Context) (err error) {
		_, next, err = w.q.MoveDue(ctx, w.c.Queues, time.Time{})
		return err
	})
	return next, err
}

// untilDue is how long the mover may sleep: until the next job is due, but no
// longer than MoveEvery, for a job with an earlier time may come any moment.
func (w *Worker) untilDue(next time.Time) time.Duration {
	if next.IsZero() {
		return w.c.MoveEvery
	}
	return min(max(next.Sub(w.c.Clock()), 10*time.Millisecond), w.c.MoveEvery)
}
