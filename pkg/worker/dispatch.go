package worker

import (
	"context"
	"slices"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// dispatch claims jobs for free slots until ctx ends, the queues are drained
// in burst mode, a limit is reached, or every slot was retired. Jobs run on base.
func (w *Worker) dispatch(ctx, base context.Context) {
	w.awake()
	for try, taken := 0, 0; ctx.Err() == nil && !w.allTaken(taken); {
		w.turns.turn(&w.turns.dispatcher)
		w.dismissRetired(base)
		free := w.asking(w.free(), taken)
		if _, open := w.working(); !open {
			return
		}
		queues := w.queues()
		if len(free) == 0 || len(queues) == 0 {
			if w.burstOver(len(queues) == 0) || w.idledOut() {
				return
			}
			w.awaitWake(ctx)
			continue
		}
		claimed, err := w.claim(base, names(free), queues)
		if err == nil && len(claimed) == 0 {
			if w.c.Burst {
				if w.burstOver(true) {
					return
				}
				w.awaitWake(ctx) // a job in hand may yet put another on the queue
				continue
			}
			var out bool
			if out, err = w.idle(ctx, queues); out {
				return
			}
		}
		if err == nil {
			try = 0
			w.outages.up("claiming jobs")
			taken += len(claimed)
			for _, c := range claimed {
				w.reorder(c.Execution.Queue)
				w.launch(base, c)
			}
			continue
		}
		w.trouble(err)
		pause(ctx, try)
		try++
	}
	w.outages.gone("claiming jobs")
}

// claim takes jobs for the named slots. A stop doesn't interrupt it: a claim
// whose answer nobody reads would hold its jobs until their lease ran out.
func (w *Worker) claim(base context.Context, slots, queues []string) (claimed []rq.Claimed, err error) {
	err = w.call(base, func(ctx context.Context) error {
		claimed, err = w.q.Claim(ctx, rq.ClaimRequest{Worker: slots, Queues: queues})
		return err
	})
	return claimed, err
}

// idle blocks until there may be work. It shows the free slots as idle or
// suspended first. out is true, without waiting, when there was nothing to do
// for MaxIdle.
func (w *Worker) idle(ctx context.Context, queues []string) (out bool, err error) {
	var suspended bool
	err = w.call(ctx, func(ctx context.Context) (err error) {
		suspended, err = w.q.Suspended(ctx)
		return err
	})
	if err == nil {
		w.outages.up("claiming jobs")
		state := rq.WorkerIdle
		if suspended {
			state = rq.WorkerSuspended
			w.awake()
		}
		if w.idledOut() {
			return true, nil
		}
		w.show(ctx, state)
		waiting, cancel := w.whileIdle(ctx)
		defer cancel()
		if err = w.q.Wait(waiting, queues); waiting.Err() != nil {
			return false, nil
		}
	}
	if ctx.Err() != nil {
		return false, nil
	}
	return false, err
}

// show writes the state of free slots where it is another.
func (w *Worker) show(ctx context.Context, state rq.WorkerState) {
	var stale []string
	w.mu.Lock()
	for _, s := range w.slots {
		if s.run == nil && !s.gone && s.state != state {
			stale = append(stale, s.name)
		}
	}
	w.mu.Unlock()
	if len(stale) == 0 {
		return
	}
	if err := w.call(ctx, func(ctx context.Context) error { return w.q.SetWorkerState(ctx, state, stale) }); err != nil {
		w.c.Log.Debug().Err(err).Msg("showing the worker's state")
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.slots {
		if s.run == nil && slices.Contains(stale, s.name) {
			s.state = state
		}
	}
}

// trouble notes why claiming failed.
func (w *Worker) trouble(err error) {
	if rq.IsUnavailable(err) {
		w.outages.down("claiming jobs", err)
		return
	}
	w.c.Log.Error().Err(err).Msg("claiming jobs")
}

// awaitWake blocks until a slot, a queue or a state changed, ctx ended, the
// worker has been idle for too long, or turnEvery has passed.
func (w *Worker) awaitWake(ctx context.Context) {
	ctx, cancel := w.whileIdle(ctx)
	defer cancel()
	turn := time.NewTimer(turnEvery)
	defer turn.Stop()
	select {
	case <-ctx.Done():
	case <-w.wake:
	case <-turn.C:
	}
}

// burstOver says whether a burst worker that finds nothing to claim is done.
func (w *Worker) burstOver(nothing bool) bool {
	busy, _ := w.working()
	return w.c.Burst && nothing && !busy
}

// queues are those to claim from now.
func (w *Worker) queues() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.shunned) == 0 {
		return slices.Clone(w.order)
	}
	return slices.DeleteFunc(slices.Clone(w.order), func(q string) bool { return w.shunned[q] != "" })
}

// dismissRetired takes the names of slots that were shut down out of Redis.
func (w *Worker) dismissRetired(ctx context.Context) {
	out := w.retiredFree()
	if len(out) == 0 {
		return
	}
	if err := w.call(ctx, func(ctx context.Context) error { return w.q.UnregisterWorkers(ctx, names(out)) }); err != nil {
		w.c.Log.Warn().Err(err).Strs("slots", names(out)).Msg("leaving: these names stay until they expire")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range out {
		s.gone = true
	}
}
