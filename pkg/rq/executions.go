package rq

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Executions returns the executions of a job that run, the one to expire first
// at the front (rq/executions.py, get_executions); none when it does not run.
// It only reads: those whose time has passed or whose hash is gone are left
// out. Workers of RQ before 2.11 do not say their name.
func (c *Client) Executions(ctx context.Context, id string) ([]Execution, error) {
	fail := func(err error) ([]Execution, error) {
		return nil, fmt.Errorf("reading the executions of job %s: %w", id, named(err, keyExecutions(id)))
	}
	now, err := c.serverTime(ctx)
	if err != nil {
		return fail(err)
	}
	after := "(" + strconv.FormatInt(now.Unix(), 10)
	ids, err := c.rdb.ZRangeByScore(ctx, keyExecutions(id), &redis.ZRangeBy{Min: after, Max: "+inf"}).Result()
	if err != nil {
		return fail(err)
	}
	hashes := make([]*redis.SliceCmd, len(ids))
	var origin *redis.StringCmd
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		origin = p.HGet(ctx, keyJob(id), "origin")
		for i, e := range ids {
			hashes[i] = p.HMGet(ctx, keyExecution(id, e), "created_at", "last_heartbeat", "worker_name")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return fail(err)
	}
	var out []Execution
	for i, h := range hashes {
		values := h.Val()
		text := func(n int) string { s, _ := values[n].(string); return s }
		if len(values) < 3 || text(0) == "" {
			continue
		}
		out = append(out, Execution{ID: ids[i], JobID: id, Queue: origin.Val(), Worker: text(2),
			StartedAt: parseFloatStamp(text(0)), LastHeartbeat: parseFloatStamp(text(1))})
	}
	return out, nil
}
