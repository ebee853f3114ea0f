package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// launch starts one claimed job in its slot.
func (w *Worker) launch(base context.Context, c rq.Claimed) {
	r := &run{claimed: c, began: w.c.Clock()}
	r.handler = w.handlers[c.Job.Func]
	r.task = &Task{Job: c.Job, Execution: c.Execution, Log: w.jobLog(c, r.handler), Queue: w.c.Queue}
	r.ctx, r.cancel = context.WithCancelCause(r.task.Log.WithContext(base))
	if !w.occupy(r) {
		r.cancel(nil)
		r.task.Log.Error().Str("slot", c.Execution.Worker).Msg("claimed for a slot that isn't free: its lease brings the job back")
		return
	}
	go w.execute(base, r)
}

// execute runs one job to its end and frees the slot. launch owns it through
// drain, which waits for the slot.
func (w *Worker) execute(base context.Context, r *run) {
	defer w.release(r)
	defer r.cancel(nil)
	begin := r.task.Log.Info().Str("slot", r.slot.name)
	if left := r.claimed.Job.RetriesLeft; left != nil {
		begin = begin.Int("retries_left", *left)
	}
	begin.Msg("job started")
	// A cold stop reaches the handler, also one that came before it began.
	defer context.AfterFunc(w.killed, func() { r.cancel(ErrKilled) })()
	res, err := w.attend(r)
	w.settle(base, r, res, err)
	r.loose.Wait()
}

// returned is what a handler gave back.
type returned struct {
	res Result
	err error
}

// errIgnored stands for the result of a handler that goes on after its
// context ended.
var errIgnored = errors.New("the handler did not end when its context did")

// attend calls the handler, for as long as the job's timeout allows.
func (w *Worker) attend(r *run) (Result, error) {
	if err := w.refuse(r); err != nil {
		return Result{}, err
	}
	if t := r.claimed.Job.Timeout; t > 0 {
		defer time.AfterFunc(t, func() { r.cancel(ErrTimeout) }).Stop()
	}
	return w.await(r.ctx, r, func() (Result, error) { return r.handler.Run(r.ctx, r.task) })
}

// await calls f and waits for it, after the end of ctx for CancelGrace only.
func (w *Worker) await(ctx context.Context, r *run, f func() (Result, error)) (Result, error) {
	done := make(chan returned, 1)
	r.loose.Go(func() {
		res, err := guard(r.task.Log, f)
		done <- returned{res, err}
	})
	select {
	case v := <-done:
		return v.res, v.err
	case <-ctx.Done():
	}
	grace := time.NewTimer(w.c.CancelGrace)
	defer grace.Stop()
	select {
	case v := <-done:
		return v.res, v.err
	case <-grace.C:
		r.task.Log.Error().AnErr("cause", context.Cause(ctx)).
			Msg("the handler ignores its end: its job is settled without it, its slot stays taken")
		return Result{}, errIgnored
	}
}

// panicError is a panic of a handler as an error.
type panicError struct{ value any }

func (p *panicError) Error() string {
	return fmt.Sprintf("the handler panicked: %v; this is a defect of docsvc, the worker's log has the stack", p.value)
}

// guard turns a panic of f into an error and puts its stack into the log.
func guard(log zerolog.Logger, f func() (Result, error)) (res Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			log.Error().Str("panic", fmt.Sprint(v)).Bytes("stack", debug.Stack()).Msg("handler panicked")
			res, err = Result{}, &panicError{v}
		}
	}()
	return f()
}

// jobLog gives each line about a job the job's id and what its handler adds.
func (w *Worker) jobLog(c rq.Claimed, h Handler) zerolog.Logger {
	l := w.c.Log.With().Str("job", c.Execution.JobID).Str("execution", c.Execution.ID).Str("queue", c.Execution.Queue)
	if c.Job.Func != "" {
		l = l.Str("func", c.Job.Func)
	}
	if h.Fields != nil {
		for k, v := range h.Fields(c.Job) {
			l = l.Str(k, v)
		}
	}
	return l.Logger()
}
