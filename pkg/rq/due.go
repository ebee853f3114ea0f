package rq

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// dueBatch is how many jobs of a queue one script moves.
const dueBatch = 100

// scheduler is this client as RQ's schedulers see it.
type scheduler struct {
	name    string
	created time.Time
}

// MoveDue puts scheduled jobs whose time has come onto their queues, on those
// queues whose rq:scheduler-lock this client owns or can get. now zero means
// the server's time. next is the smallest time that is still ahead, zero when
// nothing is scheduled on the queues that this client serves. Call it at least
// every Lease/3: after a lease without it another of docsvc's schedulers takes
// its locks over, and after 61 s any other.
func (c *Client) MoveDue(ctx context.Context, queues []string, now time.Time) (moved int, next time.Time, err error) {
	upto := ""
	if !now.IsZero() {
		upto = strconv.FormatInt(now.Unix(), 10)
	}
	pending := queues
	for len(pending) > 0 {
		calls := make([]call, len(pending))
		for i, q := range pending {
			calls[i] = c.dueCall(q, upto, queues)
		}
		replies, err := c.runAll(ctx, calls)
		if err != nil {
			return moved, next, fmt.Errorf("moving due jobs: %w", err)
		}
		var more []string
		for i, r := range replies {
			moved += r.at(1).int()
			if t := r.at(2).second(); !t.IsZero() && (next.IsZero() || t.Before(next)) {
				next = t
			}
			if r.at(3).int() == 1 && r.at(1).int() > 0 {
				more = append(more, pending[i])
			}
		}
		pending = more
	}
	return moved, next, nil
}

func (c *Client) dueCall(q, upto string, queues []string) call {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	s := c.scheduler
	fields := []string{
		"name", s.name, "hostname", host, "pid", strconv.Itoa(os.Getpid()),
		"queues", strings.Join(queues, ","), "created_at", stamp(s.created),
	}
	t := c.tape().str(q, s.name, upto).num(dueBatch).list(fields)
	return call{scriptDue, []string{keySchedulerLock(q), keyScheduled(q), keyQueue(q), keyScheduler(s.name), c.keySchedulers()}, t}
}

// ReleaseScheduler gives up this client's scheduler locks and its
// rq:scheduler hash, so that another scheduler need not wait for them.
func (c *Client) ReleaseScheduler(ctx context.Context, queues []string) error {
	keys := make([]string, len(queues))
	for i, q := range queues {
		keys[i] = keySchedulerLock(q)
	}
	if _, err := c.run(ctx, call{scriptUnlock, keys, c.tape().str(c.scheduler.name)}); err != nil {
		return fmt.Errorf("releasing scheduler locks: %w", err)
	}
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, keyScheduler(c.scheduler.name))
		p.ZRem(ctx, c.keySchedulers(), c.scheduler.name)
		return nil
	})
	if err != nil {
		return fmt.Errorf("deleting the scheduler's hash: %w", err)
	}
	return nil
}
