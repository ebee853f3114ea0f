package rq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// RequeueOptions of Requeue.
type RequeueOptions struct {
	AtFront    bool
	Conditions []Condition
	Effects    []Effect
}

// Requeue puts a failed, stopped or canceled job back on its queue and returns
// it as it was before, else *StateError; ErrNoJob when there is none.
// retries_left is set to the queue's default when the job had retries.
func (c *Client) Requeue(ctx context.Context, id string, o RequeueOptions) (*Job, error) {
	token := newHexID()
	for range attempts {
		j, err := c.Job(ctx, id)
		if err != nil {
			return nil, err
		}
		if !j.Status.Final() || j.Status == StatusFinished {
			return j, &StateError{ID: id, Status: j.Status, Op: "requeue"}
		}
		if err := checkQueue(j.Queue); err != nil {
			return j, fmt.Errorf("requeueing job %s: %w", id, err)
		}
		tr := Transition{Job: j, From: j.Status, To: StatusQueued, Reason: ReasonRequeued, At: c.o.Clock()}
		t, err := c.requeueTape(token, tr, o)
		if err != nil {
			return nil, fmt.Errorf("requeueing job %s: %w", id, err)
		}
		r, err := c.run(ctx, requeueCall(j, t))
		if err != nil {
			return nil, fmt.Errorf("requeueing job %s: %w", id, err)
		}
		switch err := requeued(id, r); {
		case err == nil:
			c.o.Observer.Transition(tr)
			return j, nil
		case errors.Is(err, ErrNoJob):
			return nil, err
		case !errors.Is(err, errChanged):
			return j, err
		}
	}
	return nil, fmt.Errorf("requeueing job %s: %w", id, errKeepsChanging)
}

// errChanged says that a job is no longer as it was read.
var errChanged = errors.New("the job has changed")

func requeueCall(j *Job, t *tape) call {
	return call{scriptRequeue, []string{keyJob(j.ID), keyQueue(j.Queue), keyFailed(j.Queue), keyCanceled(j.Queue)}, t}
}

// requeued reads what the script answered about one job.
func requeued(id string, r reply) error {
	switch r.at(0).text() {
	case "ok":
		return nil
	case "none":
		return fmt.Errorf("job %s: %w", id, ErrNoJob)
	case "condition":
		return r.condition()
	case "type":
		return fmt.Errorf("requeueing job %s: %w", id, &KeyError{r.at(1).text()})
	}
	return errChanged
}

func (c *Client) requeueTape(token string, tr Transition, o RequeueOptions) (*tape, error) {
	extra := c.o.Effects(tr)
	effects := slices.Concat(extra.Effects, o.Effects)
	if err := checkWrites(effects, o.Conditions); err != nil {
		return nil, err
	}
	// RQ blanks the legacy exc_info field by writing the empty text packed.
	blank, err := deflate("")
	if err != nil {
		return nil, err
	}
	j, retries := tr.Job, ""
	if d := c.o.Queues[j.Queue].Retry; j.RetriesLeft != nil && d != nil {
		retries = strconv.Itoa(d.Max)
	}
	t := c.tape().str(token, j.ID, j.storedStatus(), j.Queue).flag(o.AtFront).str(retries, string(blank))
	return t.labels(extra.Labels).conditions(o.Conditions).effects(effects), nil
}
