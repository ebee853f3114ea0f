package rq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

func (c *Client) explainStarted(ctx context.Context, x *Explanation) error {
	x.StartedAt = momentOf(x.job.StartedAt)
	x.Worker, x.EndedAt = x.job.WorkerName, nil
	x.LastHeartbeat = momentOf(x.job.LastHeartbeat)
	if x.job.Timeout > 0 {
		x.Timeout = new(x.job.Timeout.Seconds())
	}
	if err := c.holder(ctx, x); err != nil {
		return err
	}
	since := fmt.Sprintf("on %s since %s", workerText(x.Worker), x.at(x.job.StartedAt))
	if x.Execution == "" {
		x.say(CauseLost, "Its hash says started %s, but no execution holds it: nobody works on it. See: docsvc queue fsck --fix", since)
		return nil
	}
	last := "never gave a sign of life"
	if x.LastHeartbeat != nil {
		last = "last sign of life " + x.at(*x.LastHeartbeat)
	}
	if x.Recovered > 0 {
		last += "; " + x.deaths()
	}
	switch {
	case x.LeaseUntil != nil && x.LeaseUntil.Before(x.now):
		x.say(CauseWorkerGone, "It was started %s, whose lease on it ended at %s; %s; another docsvc worker on queue %s takes it over within seconds, when there is one", since, x.at(*x.LeaseUntil), last, x.Queue)
	case x.LeaseUntil == nil && x.HeldUntil.Before(x.now):
		x.say(CauseWorkerGone, "It was started %s, which should have renewed it by %s; %s; cleaning takes it over within minutes where a worker serves queue %s", since, x.at(*x.HeldUntil), last, x.Queue)
	default:
		limit := ""
		if x.Timeout != nil && x.StartedAt != nil {
			limit = "; its time limit ends at " + x.at(x.StartedAt.Add(x.job.Timeout))
		}
		lease := ""
		if x.LeaseUntil != nil {
			lease = ", lease until " + x.at(*x.LeaseUntil)
		}
		x.say(CauseRunning, "It is running %s; %s%s%s", since, last, lease, limit)
	}
	return nil
}

// holder looks which execution holds the job.
func (c *Client) holder(ctx context.Context, x *Explanation) error {
	list, err := c.rdb.ZRevRange(ctx, keyExecutions(x.JobID), 0, 99).Result()
	if passType(err) != nil {
		return err
	}
	for _, e := range list {
		member := x.JobID + ":" + e
		score, err := c.rdb.ZScore(ctx, keyWIP(x.Queue), member).Result()
		if errors.Is(err, redis.Nil) || isWrongType(err) {
			continue
		}
		if err != nil {
			return err
		}
		x.Execution, x.HeldUntil = e, new(time.Unix(int64(score), 0).UTC())
		return c.execution(ctx, x, e, member)
	}
	return nil
}

// execution reads what is known of the execution that holds the job.
func (c *Client) execution(ctx context.Context, x *Explanation, e, member string) error {
	f, err := c.rdb.HMGet(ctx, keyExecution(x.JobID, e), "last_heartbeat", "worker_name").Result()
	if passType(err) != nil {
		return err
	}
	if len(f) == 2 {
		if s, ok := f[0].(string); ok {
			if t := parseFloatStamp(s); !t.IsZero() {
				x.LastHeartbeat = &t
			}
		}
		if s, ok := f[1].(string); ok {
			x.Worker = cmp.Or(s, x.Worker)
		}
	}
	lease, err := c.rdb.ZScore(ctx, c.keyLease(x.Queue), member).Result()
	if err == nil {
		x.LeaseUntil = momentOf(time.UnixMilli(int64(lease)))
		return nil
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return passType(err)
}

func workerText(name string) string {
	if name == "" {
		return "an unknown worker"
	}
	return "worker " + name
}

func (x *Explanation) deaths() string {
	if x.Recovered == 1 {
		return "its worker died once while it ran"
	}
	return fmt.Sprintf("its worker died %d times while it ran", x.Recovered)
}
