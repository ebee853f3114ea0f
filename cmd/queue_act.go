package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

// jobChange is what a command did to one job, as -o json shows it.
type jobChange struct {
	ID     string `json:"id"`
	Status string `json:"status,omitempty"` // now; empty when it failed or the job is gone
	Queue  string `json:"queue,omitempty"`
	Worker string `json:"worker,omitempty"`
	Error  string `json:"error,omitempty"`

	line string // what the table form says
}

// eachJob acts on each job and goes on after an error, so that one bad id
// doesn't hold up the rest. In a table each is told as soon as it is done.
func (a *app) eachJob(out *output, ids []string, act func(id string) (jobChange, error)) error {
	if err := out.check(); err != nil {
		return err
	}
	var errs []error
	changes := make([]jobChange, 0, len(ids))
	for _, id := range ids {
		change, err := act(id)
		change.ID = id
		if err != nil {
			change.Error = err.Error()
			errs = append(errs, err)
		} else if out.format == "table" {
			if _, err := fmt.Fprintln(a.stdout, change.line); err != nil {
				return err
			}
		}
		changes = append(changes, change)
	}
	if out.format != "table" {
		errs = append(errs, out.print(a.stdout, changes, nil))
	}
	return errors.Join(errs...)
}

func (a *app) queueRetryCommand() *cobra.Command {
	var out output
	var front, failed bool
	c := &cobra.Command{
		Use: "retry ID... | --all-failed [QUEUE...]", Short: "Put failed, stopped or canceled jobs back on their queue",
		Long: "Puts jobs back on their queue, by id. With --all-failed every failed job of the queues given, or of\n" +
			"the configured ones; jobs that somebody stopped are left, name them to retry them.",
		Args: cobra.ArbitraryArgs,
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			if failed {
				return a.retryAllFailed(ctx, s, &out, args, front)
			}
			if len(args) == 0 {
				return &usageError{message: "docsvc queue retry takes at least 1 argument, not 0", hint: "usage: docsvc queue retry ID... | --all-failed [QUEUE...]"}
			}
			return a.eachJob(&out, args, func(id string) (jobChange, error) {
				job, err := s.queue.Requeue(ctx, id, rq.RequeueOptions{AtFront: front})
				if err != nil {
					return jobChange{}, s.jobError(id, err)
				}
				return jobChange{Status: string(rq.StatusQueued), Queue: job.Queue, line: id + " queued on " + job.Queue}, nil
			})
		}),
	}
	c.Flags().BoolVar(&front, "at-front", false, "before the jobs that are already waiting")
	c.Flags().BoolVar(&failed, "all-failed", false, "every failed job of the queues given, or of all configured ones")
	out.add(c)
	return c
}

// queueRetried is what --all-failed did with one queue.
type queueRetried struct {
	Queue    string `json:"queue"`
	Requeued int    `json:"requeued"`
	Stopped  int    `json:"stopped"` // left
	Gone     int    `json:"gone"`    // entries whose job is gone or elsewhere
	Refused  int    `json:"refused"`
}

func (a *app) retryAllFailed(ctx context.Context, s *services, out *output, queues []string, front bool) error {
	if err := out.check(); err != nil {
		return err
	}
	if len(queues) == 0 {
		queues = s.config.QueueNames()
	} else if _, err := s.queueNames(ctx, queues); err != nil {
		return err
	}
	var errs []error
	done := make([]queueRetried, 0, len(queues))
	for _, q := range queues {
		all, err := s.queue.RequeueFailed(ctx, q, rq.RequeueOptions{AtFront: front}, a.progress(func(all rq.RequeuedAll) string {
			return fmt.Sprintf("%s: %d queued again", q, all.Requeued)
		}))
		done = append(done, queueRetried{q, all.Requeued, all.Stopped, all.Gone, all.Refused})
		errs = append(errs, all.Errors...)
		if more := all.Refused - len(all.Errors); more > 0 {
			errs = append(errs, fmt.Errorf("and %d more jobs of %s", more, q))
		}
		if err != nil {
			errs = append(errs, s.redisError(err))
			break
		}
	}
	errs = append(errs, out.print(a.stdout, done, func(w io.Writer) error {
		for _, d := range done {
			line := fmt.Sprintf("%s: %d queued again", d.Queue, d.Requeued)
			for _, left := range []struct {
				n    int
				what string
			}{{d.Stopped, "stopped"}, {d.Gone, "without a failed job"}, {d.Refused, "refused"}} {
				if left.n > 0 {
					line += fmt.Sprintf(", %d left: %s", left.n, left.what)
				}
			}
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		return nil
	}))
	return errors.Join(errs...)
}

// progress tells a terminal every five seconds how far a long command is.
func (a *app) progress(say func(rq.RequeuedAll) string) func(rq.RequeuedAll) {
	if !terminal(a.stderr) {
		return nil
	}
	next := time.Now().Add(5 * time.Second)
	return func(all rq.RequeuedAll) {
		if time.Now().After(next) {
			fmt.Fprintln(a.stderr, say(all))
			next = time.Now().Add(5 * time.Second)
		}
	}
}

func (a *app) queueCancelCommand() *cobra.Command {
	var out output
	var o rq.CancelOptions
	c := &cobra.Command{
		Use: "cancel ID...", Short: "Cancel jobs that wait or run", Args: argsBetween(1, -1),
		Long: "Cancels jobs. A running one is ended at once and what it would still write is refused;\n" +
			"on a Python worker RQ's stop-job command is sent as well.",
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			return a.eachJob(&out, args, func(id string) (jobChange, error) {
				job, err := s.queue.CancelWith(ctx, id, o)
				if err != nil {
					return jobChange{}, s.jobError(id, err)
				}
				return jobChange{Status: string(rq.StatusCanceled), Queue: job.Queue, line: id + " canceled"}, nil
			})
		}),
	}
	c.Flags().BoolVar(&o.EnqueueDependents, "enqueue-dependents", false, "enqueue the jobs that wait for it, as if it had finished")
	out.add(c)
	return c
}

func (a *app) queueStopCommand() *cobra.Command {
	var out output
	var wait time.Duration
	c := &cobra.Command{
		Use: "stop ID...", Short: "Have running jobs ended by their worker, without a retry", Args: argsBetween(1, -1),
		Long: "Sends RQ's stop-job command to the worker of each job and waits until it has obeyed: the job is then\n" +
			"stopped, stands among the failed ones of its queue and is not retried by itself. Works on docsvc's and\n" +
			"Python's workers. A worker that is dead can't obey: docsvc queue cancel takes the job from it.",
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			if wait < 0 {
				return &usageError{message: fmt.Sprintf("--wait %s is negative", wait)}
			}
			return a.eachJob(&out, args, func(id string) (jobChange, error) {
				job, listening, err := s.queue.Stop(ctx, id, wait)
				if err != nil {
					return jobChange{}, s.jobError(id, err)
				}
				return stopped(job, listening, wait)
			})
		}),
	}
	wait = 10 * time.Second
	c.Flags().Var((*waitFlag)(&wait), "wait", "how long to wait for the worker; 0 only sends the command")
	out.add(c)
	return c
}

// stopped says what became of a job that was to be stopped.
func stopped(j *rq.Job, listening int, wait time.Duration) (jobChange, error) {
	change := jobChange{Status: string(j.Status), Queue: j.Queue, Worker: j.WorkerName}
	switch {
	case j.Status == rq.StatusStopped:
		change.line = j.ID + " stopped"
	case j.Status != rq.StatusStarted:
		return change, &hintError{error: fmt.Errorf("job %s is now %s, not stopped", j.ID, j.Status), hint: "it ended before the command arrived; see: docsvc queue job " + j.ID}
	case listening == 0:
		return change, &hintError{
			error: fmt.Errorf("job %s: nobody listens to commands for its worker %s", j.ID, j.WorkerName),
			hint:  "a dead worker's job is taken over by itself; to take it away at once: docsvc queue cancel " + j.ID,
		}
	case wait == 0:
		change.line = j.ID + " stop sent to " + j.WorkerName
	default:
		return change, &hintError{error: fmt.Errorf("job %s: its worker %s was told to stop it %s ago, and it still runs", j.ID, j.WorkerName, wait),
			hint: "wait longer with --wait, or take it away: docsvc queue cancel " + j.ID}
	}
	return change, nil
}

func (a *app) queueDeleteCommand() *cobra.Command {
	var out output
	var dependents bool
	c := &cobra.Command{
		Use: "delete ID...", Short: "Delete jobs in any state", Args: argsBetween(1, -1),
		Long: "Deletes jobs, with their place in queue and registries; results stay until they expire, as with RQ.\n" +
			"The document of a job that waits or runs becomes canceled; one that has ended stays as it is.\n" +
			"A running job is taken from its worker. A Python worker writes it again at its end: stop it first.",
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			return a.eachJob(&out, args, func(id string) (jobChange, error) {
				job, err := s.queue.Delete(ctx, id, dependents)
				if err != nil {
					return jobChange{}, s.jobError(id, err)
				}
				return jobChange{Queue: job.Queue, line: fmt.Sprintf("%s deleted, it was %s", id, job.Status)}, nil
			})
		}),
	}
	c.Flags().BoolVar(&dependents, "delete-dependents", false, "also the jobs that wait for it")
	out.add(c)
	return c
}
