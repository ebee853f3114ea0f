package rq

import (
	"context"
	"fmt"
	"slices"
)

var scriptApply = compile("apply")

// Apply makes effects without a transition of a job, in one script: all of
// those whose guard holds, or none with a *ConditionError. Labels that are not
// empty become one entry of the events stream, in which reason, from and to
// may be given. It is safe to repeat after a lost reply inside the client.
func (c *Client) Apply(ctx context.Context, conditions []Condition, effects []Effect, labels map[string]string) error {
	if err := checkWrites(effects, conditions); err != nil {
		return fmt.Errorf("applying effects: %w", err)
	}
	var keys []string
	for _, e := range effects {
		if !slices.Contains(keys, e.Key) {
			keys = append(keys, e.Key)
		}
	}
	t := c.tape().str(newHexID()).labels(labels).conditions(conditions).effects(effects)
	r, err := c.run(ctx, call{scriptApply, keys, t})
	switch {
	case err != nil:
		return fmt.Errorf("applying effects: %w", err)
	case r.at(0).text() == "ok":
		return nil
	case r.at(0).text() == "condition":
		return r.condition()
	}
	return errReply("applying effects", r)
}

// JobKey returns the key of a job's hash, for guards.
func JobKey(id string) string { return keyJob(id) }

// QueueKey returns the key of a queue's list, for guards.
func QueueKey(queue string) string { return keyQueue(queue) }

// IntermediateKey returns the key of the list in which RQ's workers hold what
// they are about to start, for guards.
func IntermediateKey(queue string) string { return keyIntermediate(queue) }
