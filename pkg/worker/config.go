package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// UnknownPolicy says what happens to a job whose function has no handler here.
type UnknownPolicy string

// The policies.
const (
	// UnknownStop fails such a job on a queue of the configuration. From any
	// other queue the worker stops claiming instead, and says why: the job is
	// somebody else's.
	UnknownStop UnknownPolicy = "stop"
	// UnknownFail fails such a job on every queue. Its payload stays, so that
	// a requeue gives it back whole.
	UnknownFail UnknownPolicy = "fail"
)

// Loop is something that runs again and again while the worker lives.
type Loop struct {
	Name  string
	Every time.Duration
	// Run is called at start and then Every after it last returned. Its errors
	// are logged; nothing ends because of them.
	Run func(context.Context) error
}

// Config says what a Worker works on. Queue and Queues are needed.
type Config struct {
	// Burst ends Run when the queues are empty and no job is in hand.
	Burst bool
	// Callbacks by the names that jobs give them. A job that names another one
	// is treated like one whose function is unknown.
	Callbacks map[string]Callback
	// CancelGrace is how long a handler whose context ended may go on before
	// its job is settled without it. Default 30 s.
	CancelGrace time.Duration
	// Clock is the time of day; default time.Now.
	Clock func() time.Time
	// Concurrency is the number of slots; default 1.
	Concurrency int
	// GiveUp is how long a worker that was killed goes on handing its jobs
	// back while Redis is away. Their leases bring them back otherwise.
	// Default 10 s.
	GiveUp time.Duration
	// Grace is how long jobs in hand may go on after Stop; what is still running
	// then goes back to the head of its queue, as after Kill. 0: without end.
	Grace time.Duration
	// Handlers by function name; no name twice.
	Handlers []Handler
	// Heartbeat is the time between two heartbeats; default 4 s, a third of
	// the lease.
	Heartbeat time.Duration
	// KnownQueues are the queues of the configuration; Unknown reads them.
	KnownQueues []string
	Log         zerolog.Logger
	// Loops besides the worker's own (recovery, scheduled jobs, maintenance).
	Loops []Loop
	// Maintenance is the time between two cleanups of the registries; default
	// 10 min as RQ's.
	Maintenance time.Duration
	// MaxIdle ends Run when there was nothing to do for so long; 0: never.
	// While workers are suspended the time stands still.
	MaxIdle time.Duration
	// MaxJobs ends Run after so many jobs of all slots together, tries again
	// included; 0: any number.
	MaxJobs int
	// MoveEvery is the longest time between two looks for scheduled jobs that
	// are due; default 1 s as RQ's scheduler.
	MoveEvery time.Duration
	// Name is the RQ worker name, or its stem with more than one slot; default
	// "host.pid".
	Name  string
	Queue *rq.Client
	// Queues to claim from, the most urgent first.
	Queues []string
	// RecoverEvery is the time between two looks for expired leases; default 2 s,
	// so that a dead worker's job waits for its lease of 12 s and 2 s more.
	RecoverEvery time.Duration
	// Strategy says which of the queues comes next; default StrategyDefault.
	Strategy Strategy
	// Unknown defaults to UnknownStop.
	Unknown UnknownPolicy
	// Usage gives the resident memory (bytes) and the cores in use of this
	// process and its children, for the heartbeat. May be nil.
	Usage func() (rss int64, cpu float64)
	// Version is shown as the worker's; default that of the build.
	Version string
	// Webhooks has the requests made that jobs ask for (RQ's webhooks).
	Webhooks bool
	// WaitDelay is after how long a job whose failure is of class Waiting is
	// tried again; default 10 s.
	WaitDelay time.Duration
}

// withDefaults checks c and fills in what was left out.
func (c Config) withDefaults() (Config, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.CancelGrace = cmp.Or(c.CancelGrace, 30*time.Second)
	c.Concurrency = cmp.Or(c.Concurrency, 1)
	c.GiveUp = cmp.Or(c.GiveUp, 10*time.Second)
	c.Heartbeat = cmp.Or(c.Heartbeat, 4*time.Second)
	c.Maintenance = cmp.Or(c.Maintenance, 10*time.Minute)
	c.Name = cmp.Or(c.Name, fmt.Sprintf("%s.%d", hostname(), os.Getpid()))
	c.MoveEvery = cmp.Or(c.MoveEvery, time.Second)
	c.RecoverEvery = cmp.Or(c.RecoverEvery, 2*time.Second)
	c.Strategy = cmp.Or(c.Strategy, StrategyDefault)
	c.Unknown = cmp.Or(c.Unknown, UnknownStop)
	c.WaitDelay = cmp.Or(c.WaitDelay, 10*time.Second)
	c.Version = cmp.Or(c.Version, buildVersion())
	switch {
	case c.Queue == nil:
		return c, errors.New("a worker needs a queue client")
	case len(c.Queues) == 0:
		return c, errors.New("a worker needs at least one queue to work on")
	case c.Concurrency < 1:
		return c, fmt.Errorf("concurrency must be at least 1, not %d", c.Concurrency)
	case c.Unknown != UnknownFail && c.Unknown != UnknownStop:
		return c, fmt.Errorf("unknown policy %q: it is %q or %q", c.Unknown, UnknownFail, UnknownStop)
	}
	if err := c.checkLimits(); err != nil {
		return c, err
	}
	seen := make([]string, 0, len(c.Handlers))
	for _, h := range c.Handlers {
		if h.Func == "" || h.Run == nil {
			return c, errors.New("a handler needs a function name and something to run")
		}
		if slices.Contains(seen, h.Func) {
			return c, fmt.Errorf("two handlers for %s", h.Func)
		}
		seen = append(seen, h.Func)
	}
	for _, l := range c.Loops {
		if l.Run == nil || l.Every <= 0 {
			return c, fmt.Errorf("loop %q needs something to run and a time between runs", l.Name)
		}
	}
	return c, nil
}

// slotNames are the RQ worker names of a worker with n slots.
func slotNames(name string, n int) []string {
	if n == 1 {
		return []string{name}
	}
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s.%d", name, i+1)
	}
	return names
}
