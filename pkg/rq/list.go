package rq

import "context"

// List pages through a registry of a queue. cursor "" begins; next "" ends.
// The payload is decoded where data is at most 64 KiB, else Job.Func is "".
// Queued jobs come in queue order, the others newest first. Ids whose hash is
// gone are given as a Job with an ID and no Status.
func (c *Client) List(ctx context.Context, queue string, reg Registry, cursor string, limit int) (jobs []*Job, next string, err error) {
	return nil, "", errNotBuilt
}
