package rq

import (
	"context"
	"fmt"
)

// emptyPage is how many entries one script of Empty removes.
const emptyPage = 200

// Emptied counts what Empty took out of a queue.
type Emptied struct {
	Removed int // jobs
	Dropped int // entries without a waiting job
}

// Empty removes the entries that a queue has now and deletes their jobs, as
// RQ's Queue.empty does, but in pages, so that Redis goes on answering. Jobs
// that are claimed meanwhile are left to their workers. To the EffectsFunc it
// is a transition of each job to canceled, reason ReasonEmptied. After an
// error what was counted is done.
func (c *Client) Empty(ctx context.Context, queue string) (Emptied, error) {
	var e Emptied
	key := keyQueue(queue)
	total, err := c.rdb.LLen(ctx, key).Result()
	if err != nil {
		return e, fmt.Errorf("emptying %s: %w", queue, named(err, key))
	}
	for idle := 0; int64(e.Removed+e.Dropped) < total; {
		if idle++; idle > attempts {
			return e, fmt.Errorf("emptying %s: its jobs keep changing", queue)
		}
		left := total - int64(e.Removed+e.Dropped)
		ids, err := c.rdb.LRange(ctx, key, 0, min(emptyPage, left)-1).Result()
		if err != nil {
			return e, fmt.Errorf("emptying %s: %w", queue, err)
		}
		if len(ids) == 0 {
			break
		}
		removed, dropped, err := c.emptyPage(ctx, queue, ids)
		if err != nil {
			return e, fmt.Errorf("emptying %s: %w", queue, err)
		}
		e.Removed, e.Dropped = e.Removed+removed, e.Dropped+dropped
		if removed+dropped > 0 {
			idle = 0
		}
	}
	return e, nil
}

func (c *Client) emptyPage(ctx context.Context, queue string, ids []string) (removed, dropped int, err error) {
	jobs, err := c.jobsUpTo(ctx, ids, headLimit)
	if err != nil {
		return 0, 0, err
	}
	trs := make([]Transition, len(ids))
	t := c.tape().str(newHexID(), queue).num(int64(len(ids)))
	for i, j := range jobs {
		var extra Extra
		status := ""
		if j != nil {
			if trs[i], extra, err = c.removal(j, ReasonEmptied); err != nil {
				return 0, 0, fmt.Errorf("job %s: %w", j.ID, err)
			}
			status = j.storedStatus()
		}
		t.str(ids[i], status).labels(extra.Labels).effects(extra.Effects)
	}
	r, err := c.run(ctx, call{scriptEmpty, []string{keyQueue(queue)}, t})
	if err != nil {
		return 0, 0, err
	}
	for i, answer := range r.texts() {
		switch answer {
		case "removed":
			removed++
			c.o.Observer.Transition(trs[i])
		case "dropped":
			dropped++
		}
	}
	return removed, dropped, nil
}
