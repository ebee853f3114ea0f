package rq

import "context"

// Wait blocks until one of the queues may have work, ctx ends (its error) or
// about 5 s passed (nil). It returns at once while one has entries, except
// when workers are suspended.
func (c *Client) Wait(ctx context.Context, queues []string) error { return errNotBuilt }
