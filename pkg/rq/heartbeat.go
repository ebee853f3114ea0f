package rq

import (
	"context"
	"time"
)

// Beat is one running execution's sign of life.
type Beat struct {
	Execution Execution
	Timeout   time.Duration // the job's, <= 0 for none
	Working   time.Duration // since it was claimed
}

// WorkerBeat is one worker slot's sign of life.
type WorkerBeat struct {
	Name string
	RSS  int64   // bytes of resident memory of its process and children
	CPU  float64 // cores in use, 1.0 is one core
}

// Heartbeat refreshes the keys of all slots and executions of a process in one
// round trip. It returns the executions that no longer hold their job: stop
// working on them.
func (c *Client) Heartbeat(ctx context.Context, workers []WorkerBeat, beats []Beat) (lost []Execution, err error) {
	return nil, errNotBuilt
}
