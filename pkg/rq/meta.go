package rq

import (
	"context"
	"errors"
	"fmt"
)

// SaveMeta replaces a job's meta and nothing else of it (rq/job.py,
// save_meta), in the serializer of its payload. The job may be in any state;
// ErrNoJob when there is none, which is not brought to life by it.
func (c *Client) SaveMeta(ctx context.Context, id string, meta map[string]any) error {
	j, err := c.Job(ctx, id)
	if err != nil {
		return err
	}
	if meta == nil {
		meta = map[string]any{}
	}
	text, err := encodeValue(j.Serializer, meta)
	if err != nil {
		return fmt.Errorf("saving the meta of job %s: %w", id, err)
	}
	key := keyJob(id)
	err = c.Apply(ctx, []Condition{{Guard: Guard{Key: key}}}, []Effect{HSet(key, "meta", string(text))}, nil)
	var gone *ConditionError
	if errors.As(err, &gone) {
		return fmt.Errorf("job %s: %w", id, ErrNoJob)
	}
	if err != nil {
		return fmt.Errorf("saving the meta of job %s: %w", id, err)
	}
	return nil
}
