package rq

import (
	"context"
	"time"
)

// OutcomeKind says how an execution ended.
type OutcomeKind int

// The ways an execution ends.
const (
	OutcomeFinish     OutcomeKind = iota // to finished, with a result
	OutcomeFail                          // to failed, whatever retries are left
	OutcomeRetry                         // spends one of retries_left, or fails when there are none
	OutcomeRetryFree                     // back to the queue (after Delay) without spending a retry
	OutcomeReturnHead                    // drain: back to the head of the queue
	OutcomeStop                          // to stopped, as after RQ's stop-job
)

// Outcome is what an execution reports at its end.
type Outcome struct {
	Execution  Execution
	Job        *Job
	Kind       OutcomeKind
	Result     any    // for OutcomeFinish, in the job's serializer
	Error      string // the text that RQ shows as exc_string
	ErrorCode  string
	Delay      *time.Duration // overrides the job's retry interval
	Effects    []Effect
	Conditions []Condition
}

// Finished is what became of an Outcome.
type Finished struct {
	Err         error // nil, ErrLateFinish or a *ConditionError
	Status      Status
	NextAttempt time.Time // zero unless the job is scheduled to run again
}

// Finish ends executions. The slice answers outcomes one by one; error is only
// for transport, and then the whole call is safe to repeat.
func (c *Client) Finish(ctx context.Context, outs []Outcome) ([]Finished, error) {
	return nil, errNotBuilt
}

// Progress applies effects while the execution holds its job, else
// ErrLateFinish. An entry with the labels goes into the events stream when
// labels is not nil.
func (c *Client) Progress(ctx context.Context, e Execution, effects []Effect, labels map[string]string) error {
	return errNotBuilt
}
