package rq

import "context"

// Recovered is one execution that RecoverExpired took from a dead worker.
type Recovered struct {
	JobID     string
	Func      string
	Execution string
	Queue     string
	Worker    string
	Status    Status // what the job is now
	Reason    string // ReasonRecovered, ReasonAbandoned or ReasonLimit
	Deaths    int    // how often its worker died so far
}

// RecoverExpired takes back the jobs whose execution lost its lease. Call it
// at least every Lease/3: a longer silence of all callers looks like an outage
// of Redis, after which one whole lease is waited for before anything is taken.
func (c *Client) RecoverExpired(ctx context.Context, queues []string) ([]Recovered, error) {
	return nil, errNotBuilt
}
