package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Ending is what a callback is told of its job's run.
type Ending struct {
	Status rq.Status // finished, failed or stopped
	Result any       // when finished: what the handler returned
	Err    error     // when failed: why; the job may yet be tried again
}

// Callback is called after a job's function, before the job's end is written,
// by the name that the job gives it (RQ's on_success, on_failure, on_stopped).
// Its context ends with ErrTimeout after the time that the job grants it.
//
// An error of a success callback fails the run; then the failure callback is
// called too. An error of a failure callback takes the place of the run's
// error. One of a stopped callback is only logged. A worker that dies between
// a callback and the end of the job runs the job, and calls back, again.
type Callback func(ctx context.Context, job *rq.Job, e Ending) error

// CodeCallback is the code of a run that failed in its success callback.
const CodeCallback = "callback"

// callbackError is the error of a callback.
type callbackError struct {
	name string
	err  error
}

func (c *callbackError) Error() string { return fmt.Sprintf("callback %s failed: %v", c.name, c.err) }
func (c *callbackError) Unwrap() error { return c.err }

// unknownCallback names the first callback of j that this worker does not
// know, "" when it knows all.
func (w *Worker) unknownCallback(j *rq.Job) string {
	named := []*rq.Callback{j.OnSuccess, j.OnFailure, j.OnStopped}
	i := slices.IndexFunc(named, func(k *rq.Callback) bool { return k != nil && w.c.Callbacks[k.Func] == nil })
	if i < 0 {
		return ""
	}
	return named[i].Func
}

// callBack calls k, if the job names it and this worker knows it, and waits
// for it as for a handler.
func (w *Worker) callBack(base context.Context, r *run, k *rq.Callback, e Ending) error {
	if k == nil || w.c.Callbacks[k.Func] == nil {
		return nil
	}
	ctx, cancel := context.WithCancelCause(r.task.Log.WithContext(base))
	defer cancel(nil)
	defer context.AfterFunc(w.killed, func() { cancel(ErrKilled) })()
	if r.ctx.Err() == nil { // stopped or taken away from now on
		defer context.AfterFunc(r.ctx, func() { cancel(context.Cause(r.ctx)) })()
	}
	defer time.AfterFunc(k.Timeout, func() { cancel(ErrTimeout) }).Stop()
	r.task.Log.Debug().Str("callback", k.Func).Str("status", string(e.Status)).Msg("calling back")
	_, err := w.await(ctx, r, func() (Result, error) { return Result{}, w.c.Callbacks[k.Func](ctx, r.claimed.Job, e) })
	if err == nil {
		return nil
	}
	if errors.Is(context.Cause(ctx), ErrTimeout) {
		err = fmt.Errorf("it ran longer than its timeout of %s", k.Timeout)
	}
	r.task.Log.Error().Err(err).Str("callback", k.Func).Msg("callback failed")
	return &callbackError{k.Func, err}
}

// callBackFailed calls the failure or stopped callback for an outcome that is
// about to be written, as RQ does: after each failed attempt, but not when the
// work horse was killed, nor when the attempt does not count.
func (w *Worker) callBackFailed(base context.Context, r *run, out *rq.Outcome, err error) {
	j := r.claimed.Job
	switch out.Kind {
	case rq.OutcomeStop:
		_ = w.callBack(base, r, j.OnStopped, Ending{Status: rq.StatusStopped, Err: err}) // logged
	case rq.OutcomeFail, rq.OutcomeRetry:
		if out.ErrorCode == CodeKilled {
			return
		}
		if failed := w.callBack(base, r, j.OnFailure, Ending{Status: rq.StatusFailed, Err: err}); failed != nil {
			out.Error = fmt.Sprintf("%v (the job itself: %s)", failed, out.Error)
		}
	}
}
