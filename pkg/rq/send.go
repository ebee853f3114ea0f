package rq

import (
	"context"
	"fmt"
)

// SendShutdown tells a worker to leave when its job has ended, as RQ's
// send_shutdown_command does. It returns how many listened: 0 when nobody of
// that name is there, or while it reconnects; the command is not kept.
func (c *Client) SendShutdown(ctx context.Context, worker string) (listening int, err error) {
	return c.send(ctx, worker, CommandShutdown)
}

// SendKillHorse tells a worker to end the job it runs at once, as RQ's
// send_kill_horse_command does: it is retried or has failed then. A worker
// without a job ignores it. It returns how many listened, as SendShutdown.
func (c *Client) SendKillHorse(ctx context.Context, worker string) (listening int, err error) {
	return c.send(ctx, worker, CommandKillHorse)
}

func (c *Client) send(ctx context.Context, worker, command string) (listening int, err error) {
	n, err := c.rdb.Publish(ctx, keyPubSub(worker), `{"command": "`+command+`"}`).Result()
	if err != nil {
		return 0, fmt.Errorf("sending %s to worker %s: %w", command, worker, err)
	}
	return int(n), nil
}
