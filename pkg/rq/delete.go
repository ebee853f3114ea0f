package rq

import (
	"context"
	"errors"
	"fmt"
)

// Delete deletes a job as RQ's Job.delete does and returns it as it was; its
// results stay. With dependents the jobs that wait for it are deleted first,
// though not those that wait for them in turn. A running job loses its
// execution and its worker is sent RQ's stop-job; a Python worker then writes
// the job again, as stopped. ErrNoJob when there is none.
//
// To the EffectsFunc the deletion of a job that is not final is a transition
// to canceled, reason ReasonDeleted: it will not run. That of a final one
// changes nothing else and is no transition.
func (c *Client) Delete(ctx context.Context, id string, dependents bool) (*Job, error) {
	if dependents {
		children, err := c.rdb.SMembers(ctx, keyDependents(id)).Result()
		if err != nil {
			return nil, fmt.Errorf("deleting job %s: listing its dependents: %w", id, err)
		}
		for _, child := range children {
			if _, err := c.Delete(ctx, child, false); err != nil && !errors.Is(err, ErrNoJob) {
				return nil, fmt.Errorf("deleting what waits for job %s: %w", id, err)
			}
		}
	}
	token := newHexID()
	for range attempts {
		j, err := c.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		tr, extra, err := c.removal(j, ReasonDeleted)
		if err != nil {
			return nil, fmt.Errorf("deleting job %s: %w", id, err)
		}
		t := c.tape().str(token, id, j.storedStatus(), j.Queue, string(tr.To)).labels(extra.Labels).effects(extra.Effects)
		r, err := c.run(ctx, call{scriptDelete, []string{keyJob(id), keyQueue(j.Queue)}, t})
		if err != nil {
			return nil, fmt.Errorf("deleting job %s: %w", id, err)
		}
		switch r.at(0).text() {
		case "ok":
			if tr.To != "" {
				c.o.Observer.Transition(tr)
			}
			return j, nil
		case "none":
			return nil, fmt.Errorf("job %s: %w", id, ErrNoJob)
		}
	}
	return nil, fmt.Errorf("deleting job %s: %w", id, errKeepsChanging)
}

// removal is what else a job's deletion means: To is empty when it had ended.
func (c *Client) removal(j *Job, reason string) (Transition, Extra, error) {
	tr := Transition{Job: j, From: j.Status, Reason: reason, At: c.o.Clock()}
	if j.Status.Final() {
		return tr, Extra{}, nil
	}
	tr.To = StatusCanceled
	if j.Status == StatusStarted {
		tr.Worker = j.WorkerName
	}
	extra := c.o.Effects(tr)
	return tr, extra, checkWrites(extra.Effects, nil)
}
