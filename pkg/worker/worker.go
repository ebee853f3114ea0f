package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// queue is what a Worker needs of an rq.Client. It is an interface so that
// tests can lose acknowledgements and leases on purpose.
type queue interface {
	Claim(context.Context, rq.ClaimRequest) ([]rq.Claimed, error)
	Commands(context.Context, []string) (<-chan rq.Command, error)
	Finish(context.Context, []rq.Outcome) ([]rq.Finished, error)
	Heartbeat(context.Context, []rq.WorkerBeat, []rq.Beat) ([]rq.Execution, error)
	Maintenance(context.Context, []string) (rq.Maintained, error)
	MoveDue(context.Context, []string, time.Time) (int, time.Time, error)
	RecoverExpired(context.Context, []string) ([]rq.Recovered, error)
	RegisterWorkers(context.Context, []rq.WorkerBirth) error
	QueueNames(context.Context) ([]string, error)
	ReleaseScheduler(context.Context, []string) error
	SeekStrays(context.Context, []string) (rq.Strays, error)
	SetWorkerState(context.Context, rq.WorkerState, []string) error
	Suspended(context.Context) (bool, error)
	UnregisterWorkers(context.Context, []string) error
	Wait(context.Context, []string) error
	WorkerShutdownRequested(context.Context, []string) error
}

// Worker runs jobs in its slots. Make one with New; it runs once.
type Worker struct {
	c        Config
	q        queue
	handlers map[string]Handler
	known    string // names of all handlers, for messages
	outages  *outages
	turns    turns
	births   []rq.WorkerBirth
	stopped  context.Context // ends at warm stop
	stop     context.CancelFunc
	killed   context.Context // ends at cold stop
	kill     context.CancelFunc
	done     chan struct{} // closed when Run returns
	wake     chan struct{} // a slot, a queue or the state changed: look again
	order    []string      // of the queues, for the next claim; the dispatcher's
	mourners mourners

	mu        sync.Mutex
	ran       bool
	slots     []*slot
	shunned   map[string]string // queue -> why nothing is claimed from it any more
	idleSince time.Time         // while no slot is busy
}

// New checks c. It does not touch the network.
func New(c Config) (*Worker, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return newWorker(c, c.Queue), nil
}

func newWorker(c Config, q queue) *Worker {
	w := &Worker{
		c: c, q: q,
		handlers: make(map[string]Handler, len(c.Handlers)),
		done:     make(chan struct{}),
		wake:     make(chan struct{}, 1),
		order:    slices.Clone(c.Queues),
		mourners: mourners{free: make(chan struct{}, mournersAtOnce)},
		shunned:  map[string]string{},
	}
	w.c.Log = c.Log.With().Str("worker", c.Name).Logger()
	w.outages = newOutages(w.c.Log, c.Clock)
	w.stopped, w.stop = context.WithCancel(context.Background())
	w.killed, w.kill = context.WithCancel(context.Background())
	names := make([]string, 0, len(c.Handlers))
	for _, h := range c.Handlers {
		w.handlers[h.Func] = h
		names = append(names, h.Func)
	}
	w.known = strings.Join(names, ", ")
	for _, name := range slotNames(c.Name, c.Concurrency) {
		w.slots = append(w.slots, &slot{name: name})
		w.births = append(w.births, birth(name, c))
	}
	return w
}

// Stop begins a warm shutdown: nothing new is claimed, jobs in hand are
// finished, then Run returns. It returns at once and may be called again.
func (w *Worker) Stop() { w.stop() }

// Kill begins a cold shutdown: the handlers' contexts end with ErrKilled and
// their jobs go back to the head of their queue. It returns at once and may be
// called again, before or after Stop.
func (w *Worker) Kill() {
	w.stop()
	w.kill()
}

// Done is closed when Run has returned.
func (w *Worker) Done() <-chan struct{} { return w.done }

// Run works until ctx ends or Stop was called and the jobs in hand are done,
// until the queues are drained in burst mode, until it has run MaxJobs or been
// idle for MaxIdle, or until every slot was shut down by command. While Redis is away it waits. An error means that it could
// not begin (a *rq.NameTakenError), that handlers ignored their end, or that a
// burst worker left a queue to others.
func (w *Worker) Run(ctx context.Context) error {
	w.mu.Lock()
	if w.ran {
		w.mu.Unlock()
		return errors.New("this worker has run already")
	}
	w.ran = true
	w.mu.Unlock()
	defer close(w.done)

	defer context.AfterFunc(ctx, w.stop)()
	defer w.Kill() // frees both contexts on every way out
	base := context.WithoutCancel(ctx)
	if err := w.register(w.stopped); err != nil {
		if w.stopped.Err() != nil {
			return nil // told to stop before Redis was there
		}
		return err
	}
	w.c.Log.Info().Strs("queues", w.c.Queues).Int("slots", len(w.slots)).Str("functions", w.known).Msg("worker started")
	w.lookAtQueues(base)

	live, end := context.WithCancel(base)
	var background sync.WaitGroup
	background.Go(func() { w.beat(live) })
	background.Go(func() { w.obey(live) })
	w.startLoops(live, &background)

	w.dispatch(w.stopped, base)
	w.announceStop(live)
	stuck := w.drain()
	end()
	background.Wait()
	w.mourners.done.Wait()
	w.leave(base)
	if err := w.undrained(); err != nil {
		return err
	}
	if len(stuck) > 0 {
		return fmt.Errorf("handlers of %s did not end when their context did", strings.Join(stuck, ", "))
	}
	return nil
}

// lookAtQueues warns of queues that seem to be misspelt.
func (w *Worker) lookAtQueues(ctx context.Context) {
	var names []string
	err := w.call(ctx, func(ctx context.Context) (err error) {
		names, err = w.q.QueueNames(ctx)
		return err
	})
	if err != nil {
		w.c.Log.Debug().Err(err).Msg("looking at the names of queues")
		return
	}
	w.warnOfQueues(names)
}

// register takes the names of all slots, waiting for Redis if need be.
func (w *Worker) register(ctx context.Context) error {
	for try := 0; ; try++ {
		w.turns.turn(&w.turns.dispatcher)
		err := w.call(ctx, func(ctx context.Context) error { return w.q.RegisterWorkers(ctx, w.births) })
		if err == nil {
			w.outages.up("registering")
			return nil
		}
		if w.dying(err) && try < dyingTries && pause(ctx, 0) {
			continue
		}
		if !rq.IsUnavailable(err) {
			return fmt.Errorf("registering worker %s: %w", w.c.Name, err)
		}
		w.outages.down("registering", err)
		if !pause(ctx, try) {
			w.outages.gone("registering")
			return ctx.Err()
		}
	}
}

// dyingTries are about two seconds.
const dyingTries = 36

// dying reports whether the name is held by a process of this host: it may
// have been killed this moment and still be on its way out.
func (w *Worker) dying(err error) bool {
	var taken *rq.NameTakenError
	return errors.As(err, &taken) && taken.Host == w.births[0].Host
}

// announceStop shows on busy slots that a shutdown was asked for.
func (w *Worker) announceStop(ctx context.Context) {
	busy := w.busyNames()
	if len(busy) == 0 {
		return
	}
	w.c.Log.Info().Int("jobs", len(busy)).Msg("stopping: finishing the jobs in hand")
	if err := w.call(ctx, func(ctx context.Context) error { return w.q.WorkerShutdownRequested(ctx, busy) }); err != nil {
		w.c.Log.Debug().Err(err).Msg("noting the shutdown request")
	}
}

// drain waits until every slot is free and returns the jobs whose handlers
// were killed and did not end. What is still running after Grace is given back.
func (w *Worker) drain() []string {
	killed := w.killed.Done()
	var late, over <-chan time.Time
	if w.c.Grace > 0 {
		t := time.NewTimer(w.c.Grace)
		defer t.Stop()
		over = t.C
	}
	turn := time.NewTicker(turnEvery)
	defer turn.Stop()
	for {
		w.turns.turn(&w.turns.dispatcher)
		busy := w.busyJobs()
		if len(busy) == 0 {
			return nil
		}
		select {
		case <-w.wake:
		case <-turn.C:
		case <-over:
			w.c.Log.Warn().Dur("grace_ms", w.c.Grace).Strs("jobs", busy).
				Msg("stopping: these jobs run for longer than a stop may take; they go back to the head of their queue and count as no death")
			w.Kill()
		case <-killed:
			killed = nil
			t := time.NewTimer(w.c.CancelGrace + w.c.GiveUp)
			defer t.Stop()
			late = t.C
		case <-late:
			return w.busyJobs()
		}
	}
}

// undrained says why a burst worker left jobs on its queues.
func (w *Worker) undrained() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.c.Burst {
		return nil
	}
	for queue, why := range w.shunned {
		return fmt.Errorf("queue %s is not drained: %s", queue, why)
	}
	return nil
}

// leave takes the names out of Redis, so that nobody waits for them.
func (w *Worker) leave(ctx context.Context) {
	var names []string
	w.mu.Lock()
	for _, s := range w.slots {
		if !s.gone {
			names = append(names, s.name)
		}
	}
	w.mu.Unlock()
	err := w.call(ctx, func(ctx context.Context) error {
		return errors.Join(w.q.ReleaseScheduler(ctx, w.c.Queues), w.q.UnregisterWorkers(ctx, names))
	})
	if err != nil {
		w.c.Log.Warn().Err(err).Msg("leaving: the worker's names stay until they expire")
		return
	}
	w.c.Log.Info().Msg("worker stopped")
}

// callTimeout bounds one exchange with Redis.
const callTimeout = 10 * time.Second

// call gives f a context that ends after callTimeout.
func (w *Worker) call(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return f(ctx)
}

// signal lets the dispatcher look again.
func (w *Worker) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}
