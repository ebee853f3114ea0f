package rq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

func (c *Client) explainQueued(ctx context.Context, x *Explanation, h history) error {
	if x.Queue == "" {
		x.say(CauseLost, "Its hash says queued, but names no queue: nobody takes it. See: docsvc queue fsck")
		return nil
	}
	position, found, err := c.placeInQueue(ctx, x)
	if err != nil {
		return err
	}
	if !found {
		return c.explainUnqueued(ctx, x)
	}
	x.Position = &position
	if err := c.listeners(ctx, x); err != nil {
		return err
	}
	where := fmt.Sprintf("It waits in queue %s since %s, %s", x.Queue, x.at(x.job.EnqueuedAt), before(position))
	if x.LastEvent != nil && x.LastEvent.Reason == ReasonDrained && x.LastEvent.Worker != "" {
		where += fmt.Sprintf("; worker %s gave it back at %s", x.LastEvent.Worker, x.at(x.LastEvent.At))
	}
	if x.Recovered > 0 {
		where += "; " + x.deaths()
	}
	suspended, left, err := c.Suspension(ctx)
	if err != nil {
		return err
	}
	switch {
	case suspended:
		until := "until docsvc queue resume"
		if left > 0 {
			x.SuspendedUntil = momentOf(x.now.Add(left))
			until = "until " + x.at(*x.SuspendedUntil)
		}
		x.say(CauseSuspended, "%s; all workers are suspended %s", where, until)
	case len(x.Workers) == 0:
		x.say(CauseNoWorker, "%s; no live worker listens to that queue: docsvc worker --queues %s", where, x.Queue)
	default:
		x.say(CauseWaiting, "%s; %s", where, x.turn(position, h))
	}
	return nil
}

// placeInQueue answers how many jobs stand before it, and notes how long the
// queue is.
func (c *Client) placeInQueue(ctx context.Context, x *Explanation) (position int, found bool, err error) {
	length, err := c.rdb.LLen(ctx, keyQueue(x.Queue)).Result()
	if passType(err) != nil {
		return 0, false, err
	}
	x.Length = new(int(length))
	position, found = c.Position(ctx, x.job)
	if found || length <= 2*positionDepth {
		return position, found, nil
	}
	// Somewhere in the middle, or nowhere: a walk through it all tells.
	at, err := c.rdb.LPos(ctx, keyQueue(x.Queue), x.JobID, redis.LPosArgs{}).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return 0, false, err
	}
	return int(at), err == nil, nil
}

func before(position int) string {
	switch position {
	case 0:
		return "as the next one"
	case 1:
		return "with 1 job before it"
	}
	return fmt.Sprintf("with %d jobs before it", position)
}

// turn says when the queue's workers will come to it, by how many jobs they
// started lately: n starts in a time are n give or take twice its root, so the
// estimate is as wide as what was seen is little.
func (x *Explanation) turn(position int, h history) string {
	on := fmt.Sprintf("%d live workers listen to it, %d of them busy", len(x.Workers), x.Busy)
	if len(x.Workers) == 1 {
		on = "worker " + x.Workers[0] + " listens to it"
		if x.Busy == 1 {
			on += " and is busy"
		}
	}
	if x.others {
		on += " (what workers of RQ start is not measured)"
	}
	if len(h.starts) < 2 {
		return on + ", and too few jobs were started lately to say when"
	}
	took := x.now.Sub(h.starts[len(h.starts)-1]).Seconds()
	n := float64(len(h.starts))
	x.Rate = &ExplainRate{Started: len(h.starts), Seconds: took, PerMinute: n / max(took, 0.001) * 60}
	ahead := float64(position + 1)
	wide := 2 * math.Sqrt(n)
	x.StartsIn = &ExplainSpan{Earliest: ahead * took / (n + wide), Latest: ahead * took / max(n-wide, 0.5)}
	return fmt.Sprintf("%s; they started %d jobs in the last %s (%.1f a minute), so that its turn should be in %s to %s", on, len(h.starts),
		span(seconds(took)), x.Rate.PerMinute, span(seconds(x.StartsIn.Earliest)), span(seconds(x.StartsIn.Latest)))
}

func (c *Client) explainUnqueued(ctx context.Context, x *Explanation) error {
	err := c.rdb.LPos(ctx, keyIntermediate(x.Queue), x.JobID, redis.LPosArgs{}).Err()
	switch {
	case err == nil:
		x.say(CauseTaken, "A worker of RQ has taken it from queue %s and not started it yet; if it never does, cleaning puts it back after a minute", x.Queue)
		return nil
	case !errors.Is(err, redis.Nil) && !isWrongType(err):
		return err
	}
	ours := x.job.Func != "" && c.o.Idempotent(x.job.Func)
	if until := ownRunUntil(x.job.EnqueuedAt, x.job.Timeout); x.now.Before(until) && !ours {
		x.say(CauseLost, "Its hash says queued since %s, but it is not in queue %s: its producer runs it itself (RQ's is_async=False), or nobody will take it. If it still says so at %s, see: docsvc queue fsck --fix (before then, with --no-own-runs when no producer does so)",
			x.at(x.job.EnqueuedAt), x.Queue, x.at(until))
		return nil
	}
	x.say(CauseLost, "Its hash says queued since %s, but it is not in queue %s: nobody will take it. See: docsvc queue fsck --fix", x.at(x.job.EnqueuedAt), x.Queue)
	return nil
}

func (c *Client) explainScheduled(ctx context.Context, x *Explanation) error {
	score, err := c.rdb.ZScore(ctx, keyScheduled(x.Queue), x.JobID).Result()
	if errors.Is(err, redis.Nil) || isWrongType(err) {
		x.say(CauseLost, "Its hash says scheduled, but it is in no registry of queue %s: nobody will enqueue it. See: docsvc queue fsck --fix", x.Queue)
		return nil
	}
	if err != nil {
		return err
	}
	if score < 0 || score > latestScore {
		x.say(CauseLost, "It is scheduled for no time that will ever come (score %s in the registry of queue %s). See: docsvc queue fsck", plain(score), x.Queue)
		return nil
	}
	due := time.Unix(int64(score), 0).UTC()
	x.ScheduledFor = &due
	if err := c.listeners(ctx, x); err != nil {
		return err
	}
	who, err := c.schedulerText(ctx, x)
	if err != nil {
		return err
	}
	if len(x.Workers) == 0 && x.Scheduler != "" {
		who += ", but no live worker listens to it"
	}
	again := ""
	if e := x.LastEvent; e != nil && (e.Reason == ReasonRetry || e.Reason == ReasonRetryFree || e.Reason == ReasonAbandoned) {
		if again, err = c.lastError(ctx, x); err != nil {
			return err
		}
		again = ", to be tried again" + again
	}
	cause, verb := CauseScheduled, "is scheduled for"
	if due.Before(x.now.Add(-5 * time.Second)) {
		cause, verb = CauseOverdue, "was due at"
	}
	x.say(cause, "It %s %s%s; %s", verb, x.at(due), again, who)
	return nil
}

// schedulerText says who holds the scheduler lock of its queue.
func (c *Client) schedulerText(ctx context.Context, x *Explanation) (string, error) {
	owner, err := c.rdb.Get(ctx, keySchedulerLock(x.Queue)).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return "", err
	}
	if x.Scheduler = owner; owner == "" {
		return "no scheduler holds the lock of queue " + x.Queue + ", so that nobody will enqueue it: start a docsvc worker on it, or rq worker --with-scheduler", nil
	}
	f, err := c.rdb.HMGet(ctx, keyScheduler(owner), "hostname", "pid").Result()
	if passType(err) != nil {
		return "", err
	}
	who := "scheduler " + owner
	if len(f) == 2 && f[0] != nil && f[1] != nil {
		who += fmt.Sprintf(" (host %v, pid %v)", f[0], f[1])
	}
	return who + " looks after queue " + x.Queue, nil
}

func (c *Client) explainDeferred(ctx context.Context, x *Explanation) error {
	ids, err := c.rdb.SMembers(ctx, keyDependencies(x.JobID)).Result()
	if passType(err) != nil {
		return err
	}
	var named []string
	if json.Unmarshal([]byte(x.job.Extra["dependency_ids"]), &named) == nil {
		ids = append(ids, named...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	parents, err := c.jobsUpTo(ctx, ids[:min(len(ids), 1000)], 0)
	if err != nil {
		return err
	}
	tolerant := x.job.Extra["allow_dependency_failures"] == "1"
	var open, blocking []string
	for i, p := range parents {
		one := ExplainParent{ID: ids[i]}
		if p != nil {
			one.Status = p.Status
		}
		x.WaitsFor = append(x.WaitsFor, one)
		switch {
		case p == nil || p.Status == StatusFinished || tolerant && p.Status == StatusFailed:
		case p.Status.Final():
			blocking = append(blocking, fmt.Sprintf("%s, which is %s", ids[i], p.Status))
		default:
			open = append(open, fmt.Sprintf("%s, which is %s", ids[i], p.Status))
		}
	}
	switch {
	case len(blocking) > 0:
		x.say(CauseBlocked, "It waits for job %s: it never runs unless that is run again (docsvc queue retry %s)", few(blocking), strings.SplitN(blocking[0], ",", 2)[0])
	case len(open) > 0:
		x.say(CauseDeferred, "It waits for job %s", few(open))
	default:
		x.say(CauseLost, "It is deferred, though all that it waits for (%d) is done or gone; maintenance releases it within ten minutes where a docsvc worker serves queue %s, docsvc queue fsck --fix at once",
			len(ids), x.Queue)
	}
	return nil
}

// few writes the first of a list and how many more there are.
func few(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s, and for %d more", list[0], len(list)-1)
}

// listeners are the live workers on the queue.
func (c *Client) listeners(ctx context.Context, x *Explanation) error {
	workers, err := c.Workers(ctx)
	if passType(err) != nil {
		return err
	}
	for _, k := range workers {
		if k.Alive && slices.Contains(k.Queues, x.Queue) {
			x.Workers = append(x.Workers, k.Name)
			x.others = x.others || !k.Docsvc
			if k.State == WorkerBusy {
				x.Busy++
			}
		}
	}
	return nil
}
