package rq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
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

	// Keywords are Kwargs in an order of their own, in their place when set.
	Keywords pickle.Dict
	// ArgsList writes Args as a list, as rq's command line does, not a tuple.
	ArgsList bool

	Description string // empty: the call as RQ writes it
	Meta        map[string]any

	Timeout    time.Duration  // 0: the queue's default; < 0: none
	ResultTTL  *time.Duration // nil: the queue's default; < 0: for ever; 0: not kept
	FailureTTL *time.Duration // likewise
	TTL        *time.Duration // nil: none; how long the job may wait
	Retry      *Retry         // nil: the queue's default

	AtFront    bool
	At         time.Time // when set and in the future: scheduled, not queued
	DependsOn  []string  // jobs to wait for: deferred while one exists that has not finished
	Unique     Unique
	Serializer Serializer

	Effects    []Effect
	Conditions []Condition
}

// batch is how many jobs one enqueue script takes.
const batch = 500

// Enqueue puts one job on its queue. It is safe to repeat after a lost reply
// inside the client; two calls are two enqueues. With ErrActive the job that
// exists is returned too. To the EffectsFunc a job that is deferred is queued.
func (c *Client) Enqueue(ctx context.Context, s Spec) (*Job, error) {
	jobs, errs, err := c.enqueue(ctx, []Spec{s})
	if err != nil {
		return nil, err
	}
	return jobs[0], errs[0]
}

// EnqueueMany enqueues in order, one round trip per 500 jobs. A job refused by
// its Unique rule, its conditions or the type of a key has a nil entry and its
// error joined into err; the others are enqueued. A spec that is wrong in itself
// refuses its whole round trip; jobs of earlier ones are enqueued then, as after
// a transport error.
func (c *Client) EnqueueMany(ctx context.Context, specs []Spec) ([]*Job, error) {
	all := make([]*Job, 0, len(specs))
	var refused []error
	for len(specs) > 0 {
		n := min(len(specs), batch)
		jobs, errs, err := c.enqueue(ctx, specs[:n])
		if err != nil {
			return all, errors.Join(append(refused, err)...)
		}
		for i, e := range errs {
			if e != nil {
				jobs[i] = nil
				refused = append(refused, e)
			}
		}
		all, specs = append(all, jobs...), specs[n:]
	}
	return all, errors.Join(refused...)
}

func (c *Client) enqueue(ctx context.Context, specs []Spec) ([]*Job, []error, error) {
	now := c.o.Clock()
	jobs, transitions := make([]*Job, len(specs)), make([]Transition, len(specs))
	keys, t := []string{keyQueues}, c.tape().str(newHexID()).num(int64(len(specs)))
	for i, s := range specs {
		s = c.withDefaults(s)
		j, fields, err := newJob(s, now)
		if err != nil {
			return nil, nil, fmt.Errorf("enqueueing %s: %w", s.Func, err)
		}
		reason, when := ReasonEnqueued, ""
		if j.Status == StatusScheduled {
			reason, when = ReasonScheduled, strconv.FormatInt(s.At.Unix(), 10)
		}
		tr := Transition{Job: j, To: j.Status, Reason: reason, At: now}
		if when != "" {
			tr.NextAttempt = s.At
		}
		extra := c.o.Effects(tr)
		effects := slices.Concat(extra.Effects, s.Effects)
		if err := checkWrites(effects, s.Conditions); err != nil {
			return nil, nil, fmt.Errorf("enqueueing %s: %w", s.Func, err)
		}
		ttl := ""
		if j.TTL != nil {
			ttl = ttlSeconds(*j.TTL)
		}
		keys = append(keys, keyJob(j.ID), keyQueue(j.Queue))
		t.str(j.ID, j.Queue, s.Unique.text(), when).flag(s.AtFront).str(ttl).list(s.DependsOn).list(fields).str(reason)
		t.labels(extra.Labels).conditions(s.Conditions).effects(effects)
		jobs[i], transitions[i] = j, tr
	}
	r, err := c.run(ctx, call{scriptEnqueue, keys, t})
	if err != nil {
		return nil, nil, fmt.Errorf("enqueueing: %w", err)
	}
	errs := make([]error, len(specs))
	for i := range specs {
		jobs[i], errs[i] = enqueued(jobs[i], r.at(i))
		if errs[i] == nil {
			transitions[i].To = jobs[i].Status
			c.o.Observer.Transition(transitions[i])
		}
	}
	return jobs, errs, nil
}

// enqueued reads what the script answered about one job.
func enqueued(j *Job, r reply) (*Job, error) {
	switch r.at(0).text() {
	case "ok":
		if Status(r.at(1).text()) == StatusDeferred {
			j.Status, j.EnqueuedAt = StatusDeferred, time.Time{}
		}
		return j, nil
	case "active":
		return decodeJob(j.ID, r.at(1).texts(), r.at(2).texts()), fmt.Errorf("job %s: %w", j.ID, ErrActive)
	case "condition":
		return nil, r.condition()
	case "type":
		return nil, fmt.Errorf("enqueueing job %s: %w", j.ID, &KeyError{r.at(1).text()})
	}
	return nil, errReply("enqueueing", r)
}

func (u Unique) text() string {
	switch u {
	case UniqueActive:
		return "active"
	case UniqueAny:
		return "any"
	}
	return ""
}

// withDefaults fills in what the spec leaves to its queue, and then to RQ.
func (c *Client) withDefaults(s Spec) Spec {
	d := c.o.Queues[s.Queue]
	s.Timeout = cmp.Or(s.Timeout, d.Timeout, DefaultTimeout)
	if s.ResultTTL == nil && d.ResultTTL != 0 {
		s.ResultTTL = &d.ResultTTL
	}
	if s.FailureTTL == nil && d.FailureTTL != 0 {
		s.FailureTTL = &d.FailureTTL
	}
	if s.Retry == nil {
		s.Retry = d.Retry
	}
	if s.ID == "" {
		s.ID = newJobID()
	}
	if m, ok := s.Keywords.StringMap(); ok && s.Keywords != nil {
		s.Kwargs = m
	}
	if s.Description == "" {
		s.Description = callString(s.Func, s.Args, s.Kwargs)
	}
	return s
}

func (s Spec) check() error {
	if err := checkJobID(s.ID); err != nil {
		return err
	}
	if err := checkQueue(s.Queue); err != nil {
		return err
	}
	if s.Func == "" {
		return errors.New("no function named")
	}
	if s.TTL != nil && *s.TTL <= 0 {
		return fmt.Errorf("ttl %s: must be positive", *s.TTL)
	}
	for _, id := range s.DependsOn {
		if err := checkJobID(id); err != nil {
			return fmt.Errorf("depends on: %w", err)
		}
		if id == s.ID {
			return fmt.Errorf("job %s can't depend on itself", id)
		}
	}
	if _, ok := s.Keywords.StringMap(); !ok {
		return errors.New("a keyword argument is not named by text")
	}
	if s.Unique != UniqueNo && len(s.DependsOn) > 0 {
		return errors.New("a unique job can't depend on others")
	}
	if s.Retry != nil {
		for _, d := range s.Retry.Intervals {
			if d < 0 {
				return fmt.Errorf("retry interval %s: must not be negative", d)
			}
		}
	}
	return nil
}

// call is the payload.
func (s Spec) call() pickle.Tuple {
	args, kwargs := any(pickle.Tuple(s.Args)), any(s.Kwargs)
	if s.ArgsList {
		args = slices.Concat([]any{}, s.Args)
	}
	if s.Keywords != nil {
		kwargs = s.Keywords
	}
	return pickle.Tuple{s.Func, nil, args, kwargs}
}

// newJob builds the job and its hash fields, in the order in which RQ saves
// them (rq/job.py, to_dict); status and enqueued_at are written by the script.
func newJob(s Spec, now time.Time) (*Job, []string, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	data, err := encodeCall(s.Serializer, s.call())
	if err != nil {
		return nil, nil, err
	}
	f := []string{
		"created_at", stamp(now), "data", string(data),
		"success_callback_name", "", "failure_callback_name", "", "stopped_callback_name", "",
		"started_at", "", "ended_at", "", "last_heartbeat", "", "worker_name", "", "group_id", "",
	}
	if r := s.Retry; r != nil && r.Max > 0 {
		intervals := r.Intervals
		if len(intervals) == 0 {
			intervals = []time.Duration{0}
		}
		f = append(f, "retries_left", strconv.Itoa(r.Max), "retry_intervals", pythonIntList(intervals))
		if r.AtFront {
			f = append(f, "enqueue_at_front_on_retry", "1")
		}
	}
	f = append(f, "origin", s.Queue, "description", s.Description, "timeout", ttlSeconds(s.Timeout))
	if s.ResultTTL != nil {
		f = append(f, "result_ttl", ttlSeconds(*s.ResultTTL))
	}
	if s.FailureTTL != nil {
		f = append(f, "failure_ttl", ttlSeconds(*s.FailureTTL))
	}
	if len(s.DependsOn) > 0 {
		ids, err := pyjson.Encode(s.DependsOn)
		if err != nil {
			return nil, nil, err
		}
		f = append(f, "dependency_id", s.DependsOn[0], "dependency_ids", string(ids))
	}
	if len(s.Meta) > 0 {
		meta, err := encodeValue(s.Serializer, s.Meta)
		if err != nil {
			return nil, nil, fmt.Errorf("encoding meta: %w", err)
		}
		f = append(f, "meta", string(meta))
	}
	if s.TTL != nil {
		f = append(f, "ttl", ttlSeconds(*s.TTL))
	}
	state := []string{"status", string(StatusQueued), "enqueued_at", stamp(now)}
	if s.At.After(now) {
		state = []string{"status", string(StatusScheduled)}
		if s.AtFront {
			f = append(f, "enqueue_at_front", "1")
		}
	}
	// Read it as everybody else will, so that effects see the same values.
	return decodeJob(s.ID, append(slices.Clone(f), state...), nil), f, nil
}
