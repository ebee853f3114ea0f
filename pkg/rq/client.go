package rq

import (
	"cmp"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// Options configure a Client. The zero value works.
type Options struct {
	// Clock is the time of this process, for created_at and durations. Scores
	// and leases go by the server's TIME. Default time.Now.
	Clock func() time.Time
	// Effects gives the writes that accompany a transition. Default none.
	Effects EffectsFunc
	// EventsMaxLen is about how many entries the events stream keeps. Default
	// 10000.
	EventsMaxLen int64
	// Idempotent says whether a function may simply run again after its worker
	// died. Default: none may.
	Idempotent func(fn string) bool
	// Lease is how long an execution may go without a heartbeat. Default 12 s.
	Lease time.Duration
	// Log gets what is repaired or dropped. Default nothing.
	Log zerolog.Logger
	// Namespace is the prefix of all keys that are not RQ's. Default "docsvc:".
	Namespace string
	// Observer is told of every transition. Default none.
	Observer Observer
	// Queues are the defaults that Enqueue applies where a Spec leaves a
	// setting out.
	Queues map[string]QueueDefaults
	// RecoveryLimit is after how many deaths of its worker a job is failed
	// instead of run again. Default 5.
	RecoveryLimit int
}

// QueueDefaults are a queue's settings for jobs that bring none. Zero means
// RQ's own default.
type QueueDefaults struct {
	Timeout    time.Duration
	ResultTTL  time.Duration
	FailureTTL time.Duration
	Retry      *Retry
}

// Client makes every transition of the queue. It is safe for concurrent use.
type Client struct {
	rdb       redis.UniversalClient
	o         Options
	token     string // names this process in locks and worker slots
	scheduler scheduler
	slots     slots
	waits     waits
	strays    strays
	sweeps    sweeps
	// recovering is how far RecoverExpired has come in queues of others.
	recovering atomic.Uint32
	fixedTime  func() time.Time // the time scripts go by, for tests; nil: the server's
}

// New returns a Client on rdb. It does not touch the network.
func New(rdb redis.UniversalClient, o Options) *Client {
	o.Namespace = cmp.Or(o.Namespace, "docsvc:")
	o.Lease = cmp.Or(o.Lease, 12*time.Second)
	o.RecoveryLimit = cmp.Or(o.RecoveryLimit, 5)
	o.EventsMaxLen = cmp.Or(o.EventsMaxLen, 10000)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Effects == nil {
		o.Effects = func(Transition) Extra { return Extra{} }
	}
	if o.Idempotent == nil {
		o.Idempotent = func(string) bool { return false }
	}
	c := &Client{rdb: rdb, o: o, token: newHexID()}
	c.scheduler.name, c.scheduler.created = newHexID(), o.Clock()
	c.waits.limit, c.waits.poll = 5*time.Second, time.Second
	return c
}

// Redis returns the connection that the client uses.
func (c *Client) Redis() redis.UniversalClient { return c.rdb }

// Lease returns how long an execution may go without a heartbeat. Heartbeat
// and RecoverExpired must be called at least three times as often.
func (c *Client) Lease() time.Duration { return c.o.Lease }

// Namespace returns the prefix of all keys that are not RQ's.
func (c *Client) Namespace() string { return c.o.Namespace }
