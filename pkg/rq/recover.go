package rq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Recovered is one execution that was taken from a dead worker.
type Recovered struct {
	JobID     string
	Func      string
	Execution string
	Queue     string
	Worker    string
	Status    Status    // what the job is now
	Reason    string    // ReasonRecovered, ReasonAbandoned, ReasonLimit or ReasonStray
	Deaths    int       // how often its worker died so far, 0 when not counted
	Job       *Job      // as it was while it ran; nil of a stray whose attempt was not spent
	Error     string    // why it failed, empty when it is to run again
	At        time.Time // when it was taken, by Options.Clock
}

// recoverBatch is how many executions of a queue one call looks at.
const recoverBatch = 100

// modes of lua/expired.lua and lua/recover.lua
const (
	byLease = "lease" // docsvc's executions
	byWIP   = "wip"   // the others
)

// recoverOthers is in how many queues besides its own a worker looks at one
// call; it looks through all of them in turn.
const recoverOthers = 200

// RecoverExpired takes back the jobs whose execution lost its lease: all of
// these queues, and of any other queue those that may simply run again, so
// that a job is not started for ever because the last worker of its queue is
// gone. Call it at least every Lease/3: a longer silence of all callers looks
// like an outage of Redis, after which one whole lease is waited for before
// anything is taken.
func (c *Client) RecoverExpired(ctx context.Context, queues []string) ([]Recovered, error) {
	others, err := c.otherQueues(ctx, queues)
	if err != nil {
		return nil, fmt.Errorf("looking for expired leases: %w", err)
	}
	all := slices.Concat(queues, others)
	keys := make([]string, len(all))
	for i, q := range all {
		keys[i] = c.keyLease(q)
	}
	t := c.tape().str(byLease).num(recoverBatch).list(all)
	r, err := c.run(ctx, call{scriptExpired, keys, t})
	if err != nil {
		return nil, fmt.Errorf("looking for expired leases: %w", err)
	}
	found := slices.DeleteFunc(expiredFrom(r), func(x expired) bool {
		return slices.Contains(others, x.queue) && (x.job.Func == "" || !c.o.Idempotent(x.job.Func))
	})
	return c.recover(ctx, byLease, found)
}

// otherQueues are the next of all queues but these.
func (c *Client) otherQueues(ctx context.Context, but []string) ([]string, error) {
	names, err := c.QueueNames(ctx)
	if err != nil {
		return nil, passType(err)
	}
	names = slices.DeleteFunc(names, func(q string) bool { return slices.Contains(but, q) })
	if len(names) <= recoverOthers {
		return names, nil
	}
	at := int(c.recovering.Add(recoverOthers)) % len(names)
	return slices.Concat(names[at:], names[:at])[:recoverOthers], nil
}

// expired is an execution that may have to be taken from its worker.
type expired struct {
	job       *Job
	queue     string
	member    string // of the lease or rq:wip zset, usually job:execution
	execution string
	deaths    int
}

func expiredFrom(r reply) []expired {
	var out []expired
	for _, x := range r.at(1).list() {
		out = append(out, expired{
			queue: x.at(0).text(), member: x.at(1).text(),
			job:       decodeJob(x.at(2).text(), x.at(5).texts(), x.at(6).texts()),
			execution: x.at(3).text(), deaths: x.at(4).int(),
		})
	}
	return out
}

// recover takes executions one script each, all in one round trip.
func (c *Client) recover(ctx context.Context, mode string, found []expired) ([]Recovered, error) {
	calls, taken, trs := []call{}, make([]Recovered, len(found)), make([]Transition, len(found))
	for i, x := range found {
		if errors.Is(x.job.PayloadErr, ErrDataTooLarge) { // for the overview: read it alone
			if whole, err := c.Job(ctx, x.job.ID); err == nil {
				x.job = whole
			}
		}
		e, counted := c.rule(x)
		e.transition.At = c.o.Clock()
		if e.delay > 0 {
			e.transition.NextAttempt = e.transition.At.Add(e.delay)
		}
		extra := c.o.Effects(e.transition)
		entry, err := abandonedEntry(x, e)
		if err == nil {
			err = checkWrites(extra.Effects, nil)
		}
		if err != nil {
			return nil, fmt.Errorf("recovering job %s: %w", x.job.ID, err)
		}
		t := c.tape().str(mode, x.member, x.job.ID, x.execution, x.queue, strconv.Itoa(x.deaths), e.action)
		t.num(int64(e.delay / time.Second)).list(e.fields).list(entry).flag(counted).str(e.transition.Reason)
		t.labels(withCode(extra.Labels, e.transition.ErrorCode)).effects(extra.Effects)
		calls = append(calls, call{scriptRecover, []string{keyJob(x.job.ID), keyWIP(x.queue), c.keyLease(x.queue)}, t})
		taken[i] = Recovered{
			JobID: x.job.ID, Func: x.job.Func, Execution: x.execution, Queue: x.queue, Worker: x.job.WorkerName,
			Reason: e.transition.Reason, Job: x.job, Error: e.transition.Error, At: e.transition.At,
		}
		if counted {
			taken[i].Deaths = x.deaths + 1
		}
		trs[i] = e.transition
	}
	if len(calls) == 0 {
		return nil, nil
	}
	replies, err := c.runAll(ctx, calls)
	if err != nil {
		return nil, fmt.Errorf("recovering: %w", err)
	}
	var out []Recovered
	for i, r := range replies {
		if r.at(0).text() != "ok" {
			continue // renewed, taken by another recoverer, or gone
		}
		taken[i].Status, trs[i].NextAttempt = Status(r.at(1).text()), r.at(2).second()
		out = append(out, taken[i])
		c.o.Observer.Transition(trs[i])
	}
	return out, nil
}

// rule decides what becomes of a job whose worker died, and whether the death
// is counted. Functions that may simply run again go to the head of the queue,
// up to the limit; all others follow RQ (rq/registry.py, StartedJobRegistry.
// cleanup): a retry if one is left, else failed.
func (c *Client) rule(x expired) (ending, bool) {
	e := ending{transition: Transition{
		Job: x.job, Execution: x.execution, Worker: x.job.WorkerName, From: StatusStarted,
	}}
	tr := &e.transition
	switch {
	case x.job.Func != "" && c.o.Idempotent(x.job.Func):
		if n := x.deaths + 1; n >= c.o.RecoveryLimit {
			e.end("failed", StatusFailed, ReasonLimit)
			tr.ErrorCode = "worker_died"
			tr.Error = fmt.Sprintf("The worker died %d times while it ran this job; it is not tried again by itself. "+
				"Last worker: %s. Requeue it once the cause is found.", n, x.job.WorkerName)
		} else {
			e.end("head", StatusQueued, ReasonRecovered)
		}
		return e, true
	case x.job.RetriesLeft != nil && *x.job.RetriesLeft > 0:
		e.spend(Outcome{Job: x.job})
		tr.Reason = ReasonAbandoned
	default:
		e.end("failed", StatusFailed, ReasonAbandoned)
		tr.ErrorCode = "worker_died"
		tr.Error = "Moved to FailedJobRegistry, due to AbandonedJobError, at " +
			c.o.Clock().UTC().Format("2006-01-02 15:04:05.000000-07:00")
	}
	return e, false
}

// abandonedEntry is the result entry of a job failed for its dead worker.
// RQ's own has no worker and no execution; ours, at the limit, names both.
func abandonedEntry(x expired, e ending) ([]string, error) {
	if e.action != "failed" {
		return nil, nil
	}
	entry, err := failedEntry(e.transition.Error)
	if err != nil || e.transition.Reason == ReasonAbandoned {
		return append(entry, "worker_name", ""), err
	}
	entry = append(entry, "worker_name", x.job.WorkerName, "execution_id", x.execution)
	if !x.job.StartedAt.IsZero() {
		entry = append(entry, "execution_started_at", floatStamp(x.job.StartedAt))
	}
	return entry, nil
}
