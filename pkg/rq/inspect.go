package rq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// QueueInfo counts a queue. Canceled counts rq:canceled.
type QueueInfo struct {
	Name      string
	Length    int
	Failed    int
	Started   int
	Finished  int
	Deferred  int
	Scheduled int
	Canceled  int
	Workers   int           // live workers that listen to it
	OldestAge time.Duration // of the oldest of the first ten jobs, 0 when empty
}

// Job reads one job; ErrNoJob when there is none.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) {
	jobs, err := c.Jobs(ctx, []string{id})
	if err != nil {
		return nil, err
	}
	if jobs[0] == nil {
		return nil, fmt.Errorf("job %s: %w", id, ErrNoJob)
	}
	return jobs[0], nil
}

// Jobs reads several jobs in one round trip; the entry of a missing one is nil.
func (c *Client) Jobs(ctx context.Context, ids []string) ([]*Job, error) {
	return c.jobsUpTo(ctx, ids, loadLimit)
}

// jobsUpTo reads jobs without their fields over limit bytes.
func (c *Client) jobsUpTo(ctx context.Context, ids []string, limit int64) ([]*Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = keyJob(id)
	}
	r, err := c.run(ctx, call{scriptRead, keys, c.tape().num(limit).list(ids)})
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	jobs := make([]*Job, len(ids))
	for i, id := range ids {
		if flat := r.at(i).at(0).texts(); len(flat) > 0 {
			jobs[i] = decodeJob(id, flat, r.at(i).at(1).texts())
		}
	}
	return jobs, nil
}

// positionDepth is how far into a queue Position looks from either end.
const positionDepth = 10000

// Position returns a queued job's place in its queue, 0 being next. It looks
// at the first and last 10,000 entries.
func (c *Client) Position(ctx context.Context, j *Job) (int, bool) {
	if j == nil || j.Queue == "" {
		return 0, false
	}
	for _, rank := range []int64{1, -1} {
		n, err := c.rdb.LPos(ctx, keyQueue(j.Queue), j.ID, redis.LPosArgs{Rank: rank, MaxLen: positionDepth}).Result()
		if err == nil {
			return int(n), true
		}
	}
	return 0, false
}

// QueueInfo counts queues in one round trip. It only reads; entries that RQ's
// tools would clean away before counting are not counted.
func (c *Client) QueueInfo(ctx context.Context, names []string) ([]QueueInfo, error) {
	if len(names) == 0 {
		return nil, nil
	}
	var keys []string
	for _, q := range names {
		for _, reg := range Registries() {
			key, _ := keyRegistry(q, reg)
			keys = append(keys, key)
		}
	}
	r, err := c.run(ctx, call{scriptInspect, keys, c.tape().list(names)})
	if err != nil {
		return nil, fmt.Errorf("counting queues: %w", err)
	}
	out := make([]QueueInfo, len(names))
	for i, q := range names {
		x := r.at(i)
		out[i] = QueueInfo{
			Name: q, Length: x.at(0).int(), Failed: x.at(1).int(), Started: x.at(2).int(), Finished: x.at(3).int(),
			Deferred: x.at(4).int(), Scheduled: x.at(5).int(), Canceled: x.at(6).int(), Workers: x.at(7).int(),
		}
		for _, s := range x.at(8).texts() {
			if t, ok := parseStamp(s); ok {
				out[i].OldestAge = max(out[i].OldestAge, c.o.Clock().Sub(t))
			}
		}
	}
	return out, nil
}

// serverTime is what the server's clock shows, by which scores go.
func (c *Client) serverTime(ctx context.Context) (time.Time, error) {
	if c.fixedTime != nil {
		return c.fixedTime(), nil
	}
	return c.rdb.Time(ctx).Result()
}

// QueueNames returns the names in rq:queues, sorted.
func (c *Client) QueueNames(ctx context.Context) ([]string, error) {
	members, err := c.rdb.SMembers(ctx, keyQueues).Result()
	if err != nil {
		return nil, fmt.Errorf("listing queues: %w", named(err, keyQueues))
	}
	var names []string
	for _, m := range members {
		if q, ok := strings.CutPrefix(m, prefixQueue); ok && q != "" {
			names = append(names, q)
		}
	}
	slices.Sort(names)
	return names, nil
}
