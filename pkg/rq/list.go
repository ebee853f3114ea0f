package rq

import (
	"context"
	"fmt"
	"strconv"
)

// maxPage is how many jobs List gives at once.
const maxPage = 1000

// List pages through a registry of a queue. cursor "" begins; next "" ends.
// The payload is decoded where data is at most 64 KiB, else Job.Func is "" and
// PayloadErr is ErrDataTooLarge. Queued and scheduled jobs come soonest first,
// the others newest first. Ids whose hash is gone are given as a Job with an ID
// and no Status. Entries that move between two pages may be seen twice or not.
func (c *Client) List(ctx context.Context, queue string, reg Registry, cursor string, limit int) (jobs []*Job, next string, err error) {
	key, ok := keyRegistry(queue, reg)
	if !ok {
		return nil, "", fmt.Errorf("no such registry: %q", reg)
	}
	from := 0
	if cursor != "" {
		if from, err = strconv.Atoi(cursor); err != nil || from < 0 {
			return nil, "", fmt.Errorf("cursor %q: not one that was given", cursor)
		}
	}
	limit = min(max(limit, 1), maxPage)
	command := "ZREVRANGE"
	switch reg {
	case RegistryQueued:
		command = "LRANGE"
	case RegistryScheduled:
		command = "ZRANGE"
	}
	t := c.tape().str(command).num(int64(from)).num(int64(from + limit - 1))
	r, err := c.run(ctx, call{scriptList, []string{key}, t.flag(reg == RegistryStarted).num(headLimit)})
	if err != nil {
		return nil, "", fmt.Errorf("listing %s jobs of %s: %w", reg, queue, err)
	}
	for _, x := range r.at(1).list() {
		id, flat := x.at(0).text(), x.at(1).texts()
		j := &Job{ID: id, PayloadErr: ErrNoJob}
		if len(flat) > 0 {
			j = decodeJob(id, flat, x.at(2).texts())
		}
		jobs = append(jobs, j)
	}
	if r.at(0).int() == limit {
		next = strconv.Itoa(from + limit)
	}
	return jobs, next, nil
}
