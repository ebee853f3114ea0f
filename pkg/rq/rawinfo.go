package rq

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// RawInfo answers the lines that rq info --raw prints (rq/cli/helpers.py,
// show_both) for those queues, or for all of rq:queues: one per queue, then one
// per worker that listens to one of them. RQ's come in no order, these in the
// order given and by name. It only reads, where rq info cleans first.
func (c *Client) RawInfo(ctx context.Context, queues []string) ([]string, error) {
	var err error
	if len(queues) == 0 {
		if queues, err = c.QueueNames(ctx); err != nil {
			return nil, err
		}
	}
	info, err := c.QueueInfo(ctx, queues)
	if err != nil {
		return nil, err
	}
	workers, err := c.Workers(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for _, q := range info {
		lines = append(lines, fmt.Sprintf("queue %s %d, %d executing, %d finished, %d failed", q.Name, q.Length, q.Started, q.Finished, q.Failed))
	}
	for _, w := range workers {
		// Without any queue RQ lists all workers.
		if len(queues) == 0 || slices.ContainsFunc(w.Queues, func(q string) bool { return slices.Contains(queues, q) }) {
			lines = append(lines, w.rawLine())
		}
	}
	return lines, nil
}

func (w WorkerInfo) rawLine() string {
	pid := "None"
	if w.PID != 0 {
		pid = strconv.Itoa(w.PID)
	}
	return fmt.Sprintf("worker %s (%s %s %s) %s %s. jobs: %d finished, %d failed", w.Name, cmp.Or(w.Hostname, "None"), cmp.Or(w.IPAddress, "None"), pid,
		cmp.Or(string(w.State), "?"), strings.Join(w.Queues, ", "), w.Successful, w.Failed)
}
