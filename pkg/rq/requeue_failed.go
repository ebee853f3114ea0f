package rq

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// failedPage is how many entries of rq:failed one round of RequeueFailed reads.
const failedPage = 100

// failedErrors is how many errors RequeueFailed keeps.
const failedErrors = 10

// RequeuedAll counts what RequeueFailed did with the entries of rq:failed.
type RequeuedAll struct {
	Requeued int
	Stopped  int     // left: somebody stopped them
	Gone     int     // left: entries without a job, or whose job is elsewhere by now
	Refused  int     // left: could not be requeued
	Errors   []error // why, of the first ten
}

// RequeueFailed requeues all failed jobs of a queue, a page at a time. Entries
// that RQ would clean away first, having expired, are passed by, and so are
// jobs that somebody stopped (RQ requeues those, too) and those that fail
// again while this works: it looks at no more entries than there are at its
// beginning. progress, when given, is called after each page. After an error
// what was counted is done; call it again for the rest.
func (c *Client) RequeueFailed(ctx context.Context, queue string, o RequeueOptions, progress func(RequeuedAll)) (RequeuedAll, error) {
	var all RequeuedAll
	key := keyFailed(queue)
	now, err := c.serverTime(ctx)
	if err != nil {
		return all, fmt.Errorf("requeueing failed jobs of %s: %w", queue, err)
	}
	second := strconv.FormatInt(now.Unix(), 10)
	for _, span := range []redis.ZRangeBy{{Min: "-inf", Max: "(0"}, {Min: "(" + second, Max: "+inf"}} {
		total, err := c.rdb.ZCount(ctx, key, span.Min, span.Max).Result()
		if err != nil {
			return all, fmt.Errorf("counting failed jobs of %s: %w", queue, named(err, key))
		}
		// Requeued ones leave the registry, so that the others are what the
		// next page has to skip.
		for seen := int64(0); seen < total; {
			span.Count = min(failedPage, total-seen)
			ids, err := c.rdb.ZRangeByScore(ctx, key, &span).Result()
			if err != nil {
				return all, fmt.Errorf("listing failed jobs of %s: %w", queue, err)
			}
			if len(ids) == 0 {
				break
			}
			seen += int64(len(ids))
			left, err := c.requeuePage(ctx, queue, ids, now.UnixMicro(), o, &all)
			if err != nil {
				return all, fmt.Errorf("requeueing failed jobs of %s: %w", queue, err)
			}
			span.Offset += left
			if progress != nil {
				progress(all)
			}
		}
	}
	return all, nil
}

// requeuePage requeues those of ids that failed before the unix microsecond
// and answers how many entries stay. An error is one of Redis itself.
func (c *Client) requeuePage(ctx context.Context, queue string, ids []string, before int64, o RequeueOptions, all *RequeuedAll) (left int64, err error) {
	jobs, err := c.jobsUpTo(ctx, ids, headLimit)
	if err != nil {
		return 0, err
	}
	var try []*Job
	for _, j := range jobs {
		switch {
		case j != nil && j.Queue == queue && j.Status == StatusStopped:
			all.Stopped++
		case j == nil || j.Queue != queue || j.Status != StatusFailed:
			all.Gone++
		case j.EndedAt.UnixMicro() >= before && !j.EndedAt.IsZero():
			// failed again since
		default:
			try = append(try, j)
		}
	}
	left = int64(len(ids) - len(try))
	for i, err := range c.requeueRead(ctx, try, o) {
		switch {
		case err == nil:
			all.Requeued++
			continue
		case errors.Is(err, ErrNoJob) || errors.As(err, new(*StateError)):
			all.Gone++
		case IsUnavailable(err) || ctx.Err() != nil:
			return left, err
		default:
			all.Refused++
			if len(all.Errors) < failedErrors {
				all.Errors = append(all.Errors, fmt.Errorf("job %s: %w", try[i].ID, err))
			}
		}
		left++
	}
	return left, nil
}

// requeueRead requeues jobs as they were read, in one round trip; one that
// changed meanwhile is read again by Requeue. The answers are one by one.
func (c *Client) requeueRead(ctx context.Context, jobs []*Job, o RequeueOptions) []error {
	errs := make([]error, len(jobs))
	var calls []call
	var of []int
	trs := make([]Transition, len(jobs))
	for i, j := range jobs {
		trs[i] = Transition{Job: j, From: j.Status, To: StatusQueued, Reason: ReasonRequeued, At: c.o.Clock()}
		if errs[i] = checkQueue(j.Queue); errs[i] != nil {
			continue
		}
		t, err := c.requeueTape(newHexID(), trs[i], o)
		if errs[i] = err; err == nil {
			calls, of = append(calls, requeueCall(j, t)), append(of, i)
		}
	}
	if len(calls) == 0 {
		return errs
	}
	replies, err := c.runAll(ctx, calls)
	for k, i := range of {
		if err != nil {
			errs[i] = err
			continue
		}
		if errs[i] = requeued(jobs[i].ID, replies[k]); errors.Is(errs[i], errChanged) {
			_, errs[i] = c.Requeue(ctx, jobs[i].ID, o)
		} else if errs[i] == nil {
			c.o.Observer.Transition(trs[i])
		}
	}
	return errs
}
