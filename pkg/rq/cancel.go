package rq

import "context"

// Cancel moves a created, queued, scheduled, deferred or started job to
// canceled. A started one loses its execution at once, and its worker is sent
// RQ's stop-job. *StateError when the job is final, ErrNoJob when there is
// none.
func (c *Client) Cancel(ctx context.Context, id string) (*Job, error) { return nil, errNotBuilt }
