package worker

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Strategy says from which queue the next job comes.
type Strategy string

// The strategies, as RQ names them (rq worker --dequeue-strategy). The slots of
// a worker share one order of queues.
const (
	// StrategyDefault takes from a queue only when those before it are empty.
	StrategyDefault Strategy = "default"
	// StrategyRoundRobin goes on behind the queue that the last job came from.
	StrategyRoundRobin Strategy = "round_robin"
	// StrategyRandom shuffles the queues after each job.
	StrategyRandom Strategy = "random"
)

// Strategies are all of them.
func Strategies() []Strategy { return []Strategy{StrategyDefault, StrategyRoundRobin, StrategyRandom} }

func (c Config) checkLimits() error {
	switch {
	case c.MaxJobs < 0:
		return fmt.Errorf("the most jobs must be at least 1, or 0 for any number, not %d", c.MaxJobs)
	case c.MaxIdle < 0:
		return fmt.Errorf("the longest idle time must not be negative: %s", c.MaxIdle)
	case !slices.Contains(Strategies(), c.Strategy):
		return fmt.Errorf("dequeue strategy %q: it is %s, %s or %s", c.Strategy, StrategyDefault, StrategyRoundRobin, StrategyRandom)
	}
	return nil
}

// reorder arranges the queues after a job came from one (rq/worker/base.py,
// reorder_queues). Only the dispatcher calls it.
func (w *Worker) reorder(from string) {
	switch i := slices.Index(w.order, from); {
	case w.c.Strategy == StrategyRoundRobin && i >= 0:
		w.order = slices.Concat(w.order[i+1:], w.order[:i+1])
	case w.c.Strategy == StrategyRandom:
		rand.Shuffle(len(w.order), func(i, j int) { w.order[i], w.order[j] = w.order[j], w.order[i] })
	}
}

// asking limits the slots that a claim is made for. With an order that changes
// after each job they are asked for one by one.
func (w *Worker) asking(free []*slot, taken int) []*slot {
	if w.c.MaxJobs > 0 {
		free = free[:min(len(free), max(w.c.MaxJobs-taken, 0))]
	}
	if w.c.Strategy != StrategyDefault {
		free = free[:min(len(free), 1)]
	}
	return free
}

// allTaken says whether a worker that is to end after some jobs has them.
func (w *Worker) allTaken(taken int) bool {
	if w.c.MaxJobs == 0 || taken < w.c.MaxJobs {
		return false
	}
	w.c.Log.Info().Int("jobs", taken).Msg("stopping: as many jobs as it was to run")
	return true
}

// awake notes that there was something to do.
func (w *Worker) awake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idleSince = w.c.Clock()
}

// idleFor is how long every slot has been free.
func (w *Worker) idleFor() time.Duration {
	if busy, _ := w.working(); busy {
		return 0
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.c.Clock().Sub(w.idleSince)
}

// idledOut says whether the worker has had nothing to do for too long. Burst
// workers end anyway.
func (w *Worker) idledOut() bool {
	if w.c.MaxIdle == 0 || w.c.Burst || w.idleFor() < w.c.MaxIdle {
		return false
	}
	w.c.Log.Info().Dur("idle_ms", w.c.MaxIdle).Msg("stopping: idle for as long as it may be")
	return true
}

// whileIdle ends with ctx, or when the worker has been idle for too long.
func (w *Worker) whileIdle(ctx context.Context) (context.Context, context.CancelFunc) {
	if w.c.MaxIdle == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, max(w.c.MaxIdle-w.idleFor(), time.Millisecond))
}
