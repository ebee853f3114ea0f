package rq

import "context"

// RequeueOptions of Requeue.
type RequeueOptions struct {
	AtFront    bool
	Conditions []Condition
	Effects    []Effect
}

// Requeue puts a failed, stopped or canceled job back on its queue, else
// *StateError; ErrNoJob when there is none. retries_left is set to the queue's
// default when the job had retries.
func (c *Client) Requeue(ctx context.Context, id string, o RequeueOptions) (*Job, error) {
	return nil, errNotBuilt
}
