package rq

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Suspend sets RQ's flag (rq/suspension.py): no worker, docsvc's or Python's,
// starts another job; those that run go on. It stands for d, rounded up to
// whole seconds, or until Resume when d <= 0.
func (c *Client) Suspend(ctx context.Context, d time.Duration) error {
	ttl := max(0, time.Duration(wholeSeconds(d))*time.Second)
	if err := c.rdb.Set(ctx, keySuspended, "1", ttl).Err(); err != nil {
		return fmt.Errorf("suspending workers: %w", err)
	}
	return nil
}

// Resume takes RQ's flag away and tells whether it stood.
func (c *Client) Resume(ctx context.Context) (stood bool, err error) {
	n, err := c.rdb.Del(ctx, keySuspended).Result()
	if err != nil {
		return false, fmt.Errorf("resuming workers: %w", err)
	}
	return n > 0, nil
}

// Suspension tells whether workers are suspended, and for how long still; 0
// is until Resume.
func (c *Client) Suspension(ctx context.Context) (suspended bool, left time.Duration, err error) {
	var exists *redis.IntCmd
	var ttl *redis.DurationCmd
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		exists, ttl = p.Exists(ctx, keySuspended), p.PTTL(ctx, keySuspended)
		return nil
	})
	if err != nil {
		return false, 0, fmt.Errorf("looking whether workers are suspended: %w", err)
	}
	return exists.Val() > 0, max(ttl.Val(), 0), nil
}
