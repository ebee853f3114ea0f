package worker

import (
	"context"
	"errors"
	"fmt"

	"github.com/docsvc/docsvc/pkg/rq"
)

// maxConflicts bounds how often OnConflict is asked for one job.
const maxConflicts = 10

// maxRejected bounds how often an outcome is sent that Redis refuses with an
// error other than being unavailable (a script error, an unencodable value).
const maxRejected = 5

// settle reports how an execution ended, until Redis has accepted or fenced it.
func (w *Worker) settle(base context.Context, r *run, res Result, err error) {
	defer r.settled.Store(true)
	succeeded := false
	for conflicts := 0; ; conflicts++ {
		out, drop := w.judge(r, res, err)
		if !drop && out.Kind == rq.OutcomeFinish && !succeeded {
			succeeded = true
			failed := w.callBack(base, r, r.claimed.Job.OnSuccess, Ending{Status: rq.StatusFinished, Result: res.Value})
			if failed != nil {
				res, err = Result{Settled: res.Settled}, failed
				out, drop = w.judge(r, res, err)
			}
		}
		if drop {
			r.task.Log.Warn().AnErr("handler_error", err).Msg("the job was taken from this worker: its result is dropped")
			w.drop(base, r, out)
			w.after(base, r, res, false)
			return
		}
		w.callBackFailed(base, r, &out, err)
		fin, sent := w.finish(base, r, out)
		if !sent {
			return
		}
		var unstored *unstoredError
		if errors.As(fin.Err, &unstored) {
			res, err = Result{Settled: res.Settled}, &Failure{Class: Permanent, Code: CodeBadResult, Err: unstored}
			continue
		}
		var conflict *rq.ConditionError
		if !errors.As(fin.Err, &conflict) {
			w.report(r, out, fin)
			w.after(base, r, res, fin.Err == nil && (out.Kind == rq.OutcomeFinish || out.Kind == rq.OutcomeReturned))
			if fin.Err == nil {
				w.announce(base, r, out, fin)
			}
			return
		}
		res, err = w.resolve(r, res, conflict, conflicts)
	}
}

// drop reports an execution all the same that was taken from this worker:
// Redis refuses it, and counts that. Had nobody taken it after all, its job
// would go back to the head of its queue.
func (w *Worker) drop(base context.Context, r *run, out rq.Outcome) {
	r.settled.Store(true)
	out.Kind = rq.OutcomeReturnHead
	fin, sent := w.finish(base, r, out)
	if sent && !errors.Is(fin.Err, rq.ErrLateFinish) {
		w.report(r, out, fin)
	}
}

// resolve asks for another result when a condition did not hold.
func (w *Worker) resolve(r *run, res Result, conflict *rq.ConditionError, conflicts int) (Result, error) {
	ask, settled := res.OnConflict, res.Settled
	if ask == nil || conflicts >= maxConflicts {
		return Result{Settled: settled}, &Failure{Class: Transient, Code: CodeConflict,
			Err: fmt.Errorf("the result could not be committed: %w", conflict)}
	}
	next, err := guard(r.task.Log, func() (Result, error) { return ask(r.ctx, conflict) })
	if err != nil && next.Settled == nil {
		next.Settled = settled
	}
	return next, err
}

// judge turns what a handler returned into an outcome. drop means that there
// is nobody to report to.
func (w *Worker) judge(r *run, res Result, err error) (out rq.Outcome, drop bool) {
	out = rq.Outcome{Execution: r.claimed.Execution, Job: r.claimed.Job}
	if err == nil {
		out.Kind, out.Result, out.Effects, out.Conditions = rq.OutcomeFinish, res.Value, res.Effects, res.Conditions
		if res.Retry != nil {
			out.Kind, out.Result, out.Retry = rq.OutcomeReturned, nil, res.Retry
		}
		return out, false
	}
	out.Error = err.Error()
	var called *callbackError
	switch cause := context.Cause(r.ctx); {
	case errors.Is(err, errNotOurs):
		out.Kind = rq.OutcomeReturnHead
	case errors.Is(err, rq.ErrLateFinish):
		return out, true // a progress write was refused
	case cause == nil:
		out.Kind, out.ErrorCode = classify(err)
	case errors.Is(cause, ErrLeaseLost):
		return out, true
	case errors.Is(cause, ErrKilled):
		out.Kind, out.Error = rq.OutcomeReturnHead, cause.Error()
	case errors.Is(cause, ErrStopped):
		// RQ's own text (rq/worker/base.py), which its users look for.
		out.Kind, out.Error = rq.OutcomeStop, "Job stopped by user, work-horse terminated."
	case errors.Is(cause, ErrHorseKilled):
		out.Kind, out.ErrorCode, out.Error = rq.OutcomeRetry, CodeKilled, cause.Error()
	case errors.Is(cause, ErrTimeout) && !errors.As(err, &called):
		out.Kind, out.ErrorCode = rq.OutcomeFail, CodeTimeout
		out.Error = fmt.Sprintf("the job ran longer than its timeout of %s and was ended", r.claimed.Job.Timeout)
	default:
		out.Kind, out.ErrorCode = classify(err)
	}
	if out.Kind == rq.OutcomeRetryFree {
		out.Delay = &w.c.WaitDelay
	}
	return out, false
}

// classify says how an error that the handler chose itself is treated.
func classify(err error) (rq.OutcomeKind, string) {
	var panicked *panicError
	if errors.As(err, &panicked) {
		return rq.OutcomeFail, CodePanic
	}
	var f *Failure
	var called *callbackError
	switch {
	case !errors.As(err, &f) && errors.As(err, &called):
		return rq.OutcomeRetry, CodeCallback
	case f == nil:
		return rq.OutcomeRetry, CodeError
	case f.Class == Transient:
		return rq.OutcomeRetry, f.Code
	case f.Class == Waiting:
		return rq.OutcomeRetryFree, f.Code
	default:
		return rq.OutcomeFail, f.Code
	}
}

// unstoredError says that a result was refused for good; nothing was written.
type unstoredError struct{ err error }

func (u *unstoredError) Error() string {
	return fmt.Sprintf("the job's result could not be stored: %v", u.err)
}
func (u *unstoredError) Unwrap() error { return u.err }

// finish sends an outcome until Redis has answered it, or has refused a result
// so often that it is an *unstoredError. sent is false when the worker gave up:
// it was killed while Redis was away, or Redis refuses every form of the
// outcome. The lease brings the job back then.
func (w *Worker) finish(base context.Context, r *run, out rq.Outcome) (fin rq.Finished, sent bool) {
	waiting := "finishing job " + r.claimed.Execution.JobID
	defer func() {
		if sent {
			w.outages.up(waiting)
		} else {
			w.outages.gone(waiting)
		}
	}()
	ctx, cancel := w.untilGivenUp(base)
	defer cancel()
	rejected := 0
	for try := 0; ; try++ {
		var fins []rq.Finished
		err := w.call(ctx, func(ctx context.Context) (err error) {
			fins, err = w.q.Finish(ctx, []rq.Outcome{out})
			return err
		})
		switch {
		case err == nil && len(fins) == 1:
			return fins[0], true
		case err == nil:
			err = fmt.Errorf("%d answers to one outcome", len(fins))
		}
		if ctx.Err() == nil && rq.IsUnavailable(err) {
			w.outages.down(waiting, err)
		} else if rejected++; rejected == maxRejected && (out.Kind == rq.OutcomeFinish || out.Kind == rq.OutcomeReturned) {
			r.task.Log.Error().Err(err).Msg("the result cannot be stored: failing the job instead")
			return rq.Finished{Err: &unstoredError{err}}, true
		}
		if rejected == maxRejected || !pause(ctx, try) {
			r.task.Log.Error().Err(err).Msg("giving up reporting the job's end: its lease brings it back")
			return rq.Finished{}, false
		}
	}
}

// untilGivenUp returns a context that ends GiveUp after a cold stop.
func (w *Worker) untilGivenUp(base context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(base)
	stop := context.AfterFunc(w.killed, func() {
		if sleep(ctx, w.c.GiveUp) {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
}

// report logs how a job ended.
func (w *Worker) report(r *run, out rq.Outcome, fin rq.Finished) {
	log, took := r.task.Log, w.c.Clock().Sub(r.began)
	switch {
	case errors.Is(fin.Err, rq.ErrLateFinish):
		log.Warn().Dur("ms", took).Msg("late: the execution was fenced (canceled or taken over); its result is dropped")
	case fin.Err != nil:
		log.Error().Err(fin.Err).Msg("finishing the job")
	case out.Kind == rq.OutcomeFinish:
		log.Info().Dur("ms", took).Msg("job finished")
	case out.Kind == rq.OutcomeReturnHead:
		log.Info().Dur("ms", took).Str("why", out.Error).Msg("job went back to the head of its queue")
	case fin.Status == rq.StatusFailed:
		log.Error().Dur("ms", took).Str("code", out.ErrorCode).Str("error", out.Error).Msg("job failed")
	case out.Kind == rq.OutcomeReturned && fin.Status != rq.StatusFailed:
		log.Info().Dur("ms", took).Str("status", string(fin.Status)).Msg("job asks for another run")
	default:
		e := log.Warn().Dur("ms", took).Str("code", out.ErrorCode).Str("error", out.Error).Str("status", string(fin.Status))
		if !fin.NextAttempt.IsZero() {
			e = e.Time("next_attempt_at", fin.NextAttempt)
		}
		e.Msg("job not finished")
	}
}

// after tells the handler's result that it was accepted or refused.
func (w *Worker) after(base context.Context, r *run, res Result, accepted bool) {
	r.settled.Store(true)
	if res.Settled == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.task.Log.WithContext(base), SettledTimeout)
	defer cancel()
	defer context.AfterFunc(w.killed, func() {
		if sleep(ctx, w.c.GiveUp) {
			cancel()
		}
	})()
	_, _ = guard(r.task.Log, func() (Result, error) { res.Settled(ctx, accepted); return Result{}, nil })
}
