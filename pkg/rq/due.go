package rq

import (
	"context"
	"time"
)

// MoveDue puts scheduled jobs whose time has come onto their queues, on those
// queues whose rq:scheduler-lock this client owns or can get. now zero means
// the server's time. next is the smallest time that is still ahead, zero when
// nothing is scheduled.
func (c *Client) MoveDue(ctx context.Context, queues []string, now time.Time) (moved int, next time.Time, err error) {
	return 0, time.Time{}, errNotBuilt
}

// ReleaseScheduler gives up this client's scheduler locks and its
// rq:scheduler hash, so that another scheduler need not wait for them.
func (c *Client) ReleaseScheduler(ctx context.Context, queues []string) error { return errNotBuilt }
