package rq

import "context"

// ClaimRequest asks for at most one job per worker name.
type ClaimRequest struct {
	Worker []string // one name per free slot
	Queues []string // in order of priority
}

// Claimed is a job that the caller now holds.
type Claimed struct {
	Job          *Job
	Execution    Execution
	DataTooLarge bool // data over 16 MiB was not loaded; Job.Func is ""
}

// Claim takes up to len(r.Worker) jobs; on return their status is started.
// None are given while RQ's suspension flag is set.
func (c *Client) Claim(ctx context.Context, r ClaimRequest) ([]Claimed, error) {
	return nil, errNotBuilt
}
