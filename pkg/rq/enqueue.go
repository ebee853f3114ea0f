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
)

// Unique says what an enqueue does when a job of its id exists.
type Unique int

// The rules for an id that exists.
const (
	UniqueNo     Unique = iota // RQ's behaviour: the hash is overwritten and pushed again
	UniqueActive               // queued, scheduled, deferred or started: ErrActive and the job
	UniqueAny                  // any hash blocks, as RQ's unique=True: ErrActive and the job
)

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
	Repeat     *Repeat        // nil: once

	AtFront    bool
	At         time.Time // when set and in the future: scheduled, not queued
	Group      string    // group to become a member of; empty: none
	Unique     Unique
	Serializer Serializer

	// DependsOn are jobs to wait for: deferred while one exists that has not
	// finished. With AllowFailure one that fails later on will do, too; with
	// DependentAtFront the job goes to the front of its queue then.
	DependsOn        []string
	AllowFailure     bool
	DependentAtFront bool

	// What the worker is to do when the job has ended.
	OnSuccess, OnFailure, OnStopped *Callback
	Webhooks                        []Webhook

	Effects    []Effect
	Conditions []Condition
}

// One enqueue script takes at most so many jobs, and so many bytes unless one
// job alone has more: Redis holds all of a script's arguments in memory, at
// most 1 GiB by its own settings, and answers nobody else while it runs.
const (
	batch      = 500
	batchBytes = 8 << 20
)

// Enqueue puts one job on its queue. It is safe to repeat after a lost reply
// inside the client; two calls are two enqueues. With ErrActive the job that
// exists is returned too. To the EffectsFunc a job that is deferred is queued.
func (c *Client) Enqueue(ctx context.Context, s Spec) (*Job, error) {
	d, err := c.draft(s, c.o.Clock())
	if err != nil {
		return nil, err
	}
	jobs, errs, err := c.enqueue(ctx, []draft{d})
	if err != nil {
		return nil, err
	}
	return jobs[0], errs[0]
}

// EnqueueMany enqueues in order, one round trip per 500 jobs or 8 MiB; a larger
// job goes alone. A job refused by its Unique rule, its conditions or the type
// of a key has a nil entry and its error joined into err; the others are
// enqueued. A spec that is wrong in itself refuses its whole round trip; jobs of
// earlier ones are enqueued then, as after a transport error.
func (c *Client) EnqueueMany(ctx context.Context, specs []Spec) ([]*Job, error) {
	all := make([]*Job, 0, len(specs))
	var refused []error
	var next []draft
	bytes, now := 0, c.o.Clock()
	flush := func() error {
		if len(next) == 0 {
			return nil
		}
		jobs, errs, err := c.enqueue(ctx, next)
		if err != nil {
			return err
		}
		for i, e := range errs {
			if e != nil {
				jobs[i] = nil
				refused = append(refused, e)
			}
		}
		all, next, bytes, now = append(all, jobs...), nil, 0, c.o.Clock()
		return nil
	}
	for _, s := range specs {
		d, err := c.draft(s, now)
		if err == nil && (len(next) == batch || bytes+d.bytes > batchBytes) {
			err = flush()
		}
		if err != nil {
			return all, errors.Join(append(refused, err)...)
		}
		next, bytes = append(next, d), bytes+d.bytes
	}
	err := flush()
	return all, errors.Join(append(refused, err)...)
}

// draft is one job as the script takes it.
type draft struct {
	job        *Job
	transition Transition
	tape       tape
	bytes      int
}

func (c *Client) draft(s Spec, now time.Time) (draft, error) {
	s = c.withDefaults(s)
	j, fields, err := newJob(s, now)
	if err != nil {
		return draft{}, fmt.Errorf("enqueueing %s: %w", s.Func, err)
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
	effects := slices.Concat(s.groupEffects(), extra.Effects, s.Effects)
	if err := checkWrites(effects, s.Conditions); err != nil {
		return draft{}, fmt.Errorf("enqueueing %s: %w", s.Func, err)
	}
	ttl := ""
	if j.TTL != nil {
		ttl = ttlSeconds(*j.TTL)
	}
	d := draft{job: j, transition: tr}
	d.tape.str(j.ID, j.Queue, s.Unique.text(), when).flag(s.AtFront).str(ttl).list(s.DependsOn).list(fields).str(reason)
	d.tape.labels(extra.Labels).conditions(s.Conditions).effects(effects)
	for _, arg := range d.tape.args {
		text, _ := arg.(string) // there is nothing else on a tape
		d.bytes += len(text)
	}
	return d, nil
}

// enqueue runs the script once.
func (c *Client) enqueue(ctx context.Context, drafts []draft) ([]*Job, []error, error) {
	keys, t := []string{keyQueues}, c.tape().str(newHexID()).num(int64(len(drafts)))
	for _, d := range drafts {
		keys = append(keys, keyJob(d.job.ID), keyQueue(d.job.Queue))
		t.args = append(t.args, d.tape.args...)
	}
	r, err := c.run(ctx, call{scriptEnqueue, keys, t})
	if err != nil {
		return nil, nil, fmt.Errorf("enqueueing: %w", err)
	}
	jobs, errs := make([]*Job, len(drafts)), make([]error, len(drafts))
	for i, d := range drafts {
		jobs[i], errs[i] = enqueued(d.job, r.at(i))
		if errs[i] == nil {
			d.transition.To = jobs[i].Status
			c.o.Observer.Transition(d.transition)
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
	if err := s.checkDependencies(); err != nil {
		return err
	}
	if _, ok := s.Keywords.StringMap(); !ok {
		return errors.New("a keyword argument is not named by text")
	}
	if s.Retry != nil {
		if err := checkIntervals("retry", s.Retry.Intervals); err != nil {
			return err
		}
	}
	if err := s.Repeat.check(); err != nil {
		return err
	}
	if err := checkGroup(s.Group); err != nil {
		return err
	}
	return s.checkCallbacks()
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

// newJob builds the job and its hash fields (rq/job.py, to_dict); status and
// enqueued_at are written by the script.
func newJob(s Spec, now time.Time) (*Job, []string, error) {
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	data, err := encodeCall(s.Serializer, s.call())
	if err != nil {
		return nil, nil, err
	}
	webhooks, err := s.webhookFields()
	if err != nil {
		return nil, nil, err
	}
	f := slices.Concat([]string{
		"created_at", stamp(now), "data", string(data),
		"started_at", "", "ended_at", "", "last_heartbeat", "", "worker_name", "", "group_id", s.Group,
		"origin", s.Queue, "description", s.Description, "timeout", ttlSeconds(s.Timeout),
	}, s.callbackFields(), s.Retry.fields(), s.Repeat.fields(), webhooks)
	if s.ResultTTL != nil {
		f = append(f, "result_ttl", ttlSeconds(*s.ResultTTL))
	}
	if s.FailureTTL != nil {
		f = append(f, "failure_ttl", ttlSeconds(*s.FailureTTL))
	}
	depends, err := s.dependencyFields()
	if err != nil {
		return nil, nil, err
	}
	f = append(f, depends...)
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
			f = append(f, "enqueue_at_front", "1") // the later of two fields of a name counts
		}
	}
	// Read it as everybody else will, so that effects see the same values.
	return decodeJob(s.ID, append(slices.Clone(f), state...), nil), f, nil
}
