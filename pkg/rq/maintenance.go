package rq

import "context"

// Maintained counts what Maintenance did.
type Maintained struct {
	Finished     int // expired entries removed from rq:finished
	Failed       int // expired entries removed from rq:failed
	Canceled     int // entries of rq:canceled whose hash is gone
	Workers      int // dead worker names removed
	Intermediate int // ids pushed back from an intermediate list
	Dangling     int // ids in an intermediate list without a job
	Released     int // deferred jobs whose dependencies are met
	Abandoned    []Recovered
}

// Maintenance does RQ's registry cleanup of each queue whose
// rq:clean_registries lock it gets, every 600 s in RQ.
func (c *Client) Maintenance(ctx context.Context, queues []string) (Maintained, error) {
	return Maintained{}, errNotBuilt
}
