package worker

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Handler runs the jobs of one function.
type Handler struct {
	// Func is the function's name as it stands in a job, "docsvc.cleanup".
	Func string
	// Idempotent says that a job whose worker died can be run again from its
	// beginning without spending one of its retries. The rq.Client must be
	// told the same (rq.Options.Idempotent): recovery happens there.
	Idempotent bool
	// Run does the work. Its context ends with a cause: ErrTimeout,
	// ErrLeaseLost, ErrStopped, ErrHorseKilled or ErrKilled. Any error but a
	// *Failure counts as transient. A panic fails the job.
	Run func(ctx context.Context, t *Task) (Result, error)
	// Fields names what else each log line of a job shall carry, such as the
	// document's id. May be nil. It must bear any arguments.
	Fields func(*rq.Job) map[string]string
}

// Task is one execution of one job.
type Task struct {
	Job       *rq.Job
	Execution rq.Execution
	// Log carries the job's id, execution and function, and the handler's Fields.
	Log   zerolog.Logger
	Queue *rq.Client
}

// Result is what a handler that succeeded hands back. Effects and Conditions
// are applied in the same script as the finish.
type Result struct {
	// Value becomes the job's return value: plain values only (see rq/pickle).
	Value any
	// Retry asks for another run instead, as a Python function does that returns
	// a Retry; nil: none. After Max such runs the job fails. Value is not kept,
	// no callback is called, and the job's own retries are not spent.
	Retry      *rq.Retry
	Effects    []rq.Effect
	Conditions []rq.Condition
	// OnConflict is asked for another Result when a condition of this one does
	// not hold. Nil: the job fails as transient. An error counts as if the
	// handler had returned it.
	OnConflict func(context.Context, *rq.ConditionError) (Result, error)
	// Settled is called once after Redis has answered the finish: accepted or
	// refused because the execution had been fenced. It is not called when the
	// worker had to give up waiting for Redis. A refusal after a lost
	// acknowledgement may be an acceptance: before deleting anything, look.
	// Its context is not the handler's; it ends after SettledTimeout.
	Settled func(ctx context.Context, accepted bool)
}

// SettledTimeout bounds Result.Settled.
const SettledTimeout = time.Minute

// Class says how an error of a handler is treated.
type Class int

// The classes.
const (
	// Transient errors are retried as the job's own retries say.
	Transient Class = iota
	// Permanent errors fail the job at once: another run would end the same.
	Permanent
	// Resource errors (time, memory, a crash) fail the job at once: they are
	// not retried blindly.
	Resource
	// Waiting errors mean that something every job needs is away (storage,
	// Redis, disk space). The job is tried again after Config.WaitDelay for as
	// long as that lasts, without spending one of its retries.
	Waiting
)

func (c Class) String() string {
	switch c {
	case Permanent:
		return "permanent"
	case Resource:
		return "resource"
	case Waiting:
		return "waiting"
	default:
		return "transient"
	}
}

// Failure is how a handler says how to treat its error.
type Failure struct {
	Class Class
	// Code is stable and machine-readable, such as "hash_mismatch".
	Code string
	// Err says what happened, in a sentence a person understands.
	Err error
}

func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the error that says what happened.
func (f *Failure) Unwrap() error { return f.Err }

// Causes with which a handler's context ends.
var (
	// ErrTimeout: the job ran longer than its timeout. It fails, code "timeout".
	ErrTimeout = errors.New("the job ran longer than its timeout")
	// ErrLeaseLost: the execution is fenced (the job was canceled, deleted, or
	// taken over by another worker). Whatever the handler returns is dropped.
	ErrLeaseLost = errors.New("the job's execution isn't this worker's any more")
	// ErrStopped: somebody sent RQ's stop-job command. The job becomes stopped.
	ErrStopped = errors.New("the job was stopped by a command")
	// ErrHorseKilled: somebody sent RQ's kill-horse command. The attempt fails.
	ErrHorseKilled = errors.New("the job was killed by a command")
	// ErrKilled: the worker is being shut down cold. The job goes back to the
	// head of its queue.
	ErrKilled = errors.New("the worker is being shut down at once")
)

// ErrAbandoned is what a failure callback is told of a job whose worker died
// (RQ's AbandonedJobError).
var ErrAbandoned = errors.New("the worker that ran the job is gone")

// Codes of failures that the worker itself finds.
const (
	CodeTimeout         = "timeout"
	CodePanic           = "panic"
	CodeUnknownFunction = "unknown_function"
	CodeBadPayload      = "bad_payload"
	CodeKilled          = "killed"
	CodeConflict        = "conflict"
	CodeBadResult       = "bad_result"
	CodeError           = "error" // a handler's error without a code of its own
)
