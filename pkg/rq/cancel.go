package rq

import (
	"context"
	"errors"
	"fmt"
)

// attempts is how often a transition whose effects depend on the job is tried
// when the job keeps changing between reading it and the script.
const attempts = 10

var errKeepsChanging = errors.New("the job keeps changing")

// CancelOptions are what RQ's cancel may do besides.
type CancelOptions struct {
	// EnqueueDependents enqueues the jobs that wait for it, as if it had
	// finished. Those that wait for others, too, go on waiting for them.
	EnqueueDependents bool
	// RemoveFromDependencies lets the jobs it waits for forget it. Without it
	// they find that it is canceled.
	RemoveFromDependencies bool
}

// Cancel moves a created, queued, scheduled, deferred or started job to
// canceled and returns it as it was before. A started one loses its execution
// at once, and its worker is sent RQ's stop-job. *StateError when the job is
// final, ErrNoJob when there is none.
func (c *Client) Cancel(ctx context.Context, id string) (*Job, error) {
	return c.CancelWith(ctx, id, CancelOptions{})
}

// CancelWith is Cancel with options, in the same step.
func (c *Client) CancelWith(ctx context.Context, id string, o CancelOptions) (*Job, error) {
	token := newHexID()
	for range attempts {
		j, err := c.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		if j.Status.Final() {
			return j, &StateError{ID: id, Status: j.Status, Op: "cancel"}
		}
		tr := Transition{Job: j, From: j.Status, To: StatusCanceled, Reason: ReasonCanceled, At: c.o.Clock()}
		if j.Status == StatusStarted {
			tr.Worker = j.WorkerName
		}
		extra := c.o.Effects(tr)
		if err := checkWrites(extra.Effects, nil); err != nil {
			return nil, fmt.Errorf("canceling job %s: %w", id, err)
		}
		t := c.tape().str(token, id, j.storedStatus(), j.Queue).flag(o.EnqueueDependents).flag(o.RemoveFromDependencies).labels(extra.Labels).effects(extra.Effects)
		keys := []string{keyJob(id), keyQueue(j.Queue), keyCanceled(j.Queue)}
		r, err := c.run(ctx, call{scriptCancel, keys, t})
		if err != nil {
			return nil, fmt.Errorf("canceling job %s: %w", id, err)
		}
		switch r.at(0).text() {
		case "ok":
			c.o.Observer.Transition(tr)
			return j, nil
		case "none":
			return nil, fmt.Errorf("job %s: %w", id, ErrNoJob)
		}
	}
	return nil, fmt.Errorf("canceling job %s: %w", id, errKeepsChanging)
}

// storedStatus is the status field's own text, "" where the hash has none.
func (j *Job) storedStatus() string {
	if j.noStatus {
		return ""
	}
	return string(j.Status)
}
