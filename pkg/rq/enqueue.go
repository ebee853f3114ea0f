package rq

import (
	"context"
	"errors"
	"time"
)

// Unique says what an enqueue does when a job of its id exists.
type Unique int

// The rules for an id that exists.
const (
	UniqueNo     Unique = iota // RQ's behaviour: the hash is overwritten and pushed again
	UniqueActive               // queued, scheduled, deferred or started: ErrActive and the job
	UniqueAny                  // any hash blocks, as RQ's unique=True: ErrActive and the job
)

// Retry is how often and after which delays a failed job runs again. With
// fewer intervals than retries the first is repeated (rq/job.py,
// get_retry_interval); none means at once.
type Retry struct {
	Max       int
	Intervals []time.Duration // whole seconds
	AtFront   bool
}

// Spec is what an enqueuer asks for.
type Spec struct {
	ID     string // empty: a new UUIDv4; else letters, digits, "_" and "-" only
	Queue  string
	Func   string // dotted path
	Args   []any
	Kwargs map[string]any

	Description string // empty: the call as RQ writes it
	Meta        map[string]any

	Timeout    time.Duration  // 0: the queue's default; < 0: none
	ResultTTL  *time.Duration // nil: the queue's default; < 0: for ever; 0: not kept
	FailureTTL *time.Duration // likewise
	TTL        *time.Duration // nil: none; how long the job may wait
	Retry      *Retry         // nil: the queue's default

	AtFront    bool
	At         time.Time // when set and in the future: scheduled, not queued
	Unique     Unique
	Serializer Serializer

	Effects    []Effect
	Conditions []Condition
}

var errNotBuilt = errors.New("not built")

// Enqueue puts one job on its queue. It is safe to repeat after a lost reply
// inside the client; two calls are two enqueues.
func (c *Client) Enqueue(ctx context.Context, s Spec) (*Job, error) { return nil, errNotBuilt }

// EnqueueMany enqueues in order, one round trip per 500 jobs. A job refused by
// its Unique rule or conditions has a nil entry and its error joined into err;
// the others are enqueued.
func (c *Client) EnqueueMany(ctx context.Context, specs []Spec) ([]*Job, error) {
	return nil, errNotBuilt
}
