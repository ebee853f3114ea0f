package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// enqueuedJob is the answer of enqueue.
type enqueuedJob struct {
	ID          string `json:"id"`
	Status      string `json:"status"` // queued, scheduled or deferred
	Queue       string `json:"queue"`
	Description string `json:"description"`
}

func (a *app) queueEnqueueCommand() *cobra.Command {
	var out output
	var line rq.CommandLine
	var retries int
	var quiet bool
	c := &cobra.Command{
		Use: "enqueue FUNCTION [ARGUMENT...]", Short: "Enqueue a job of any function, as rq enqueue does", Args: argsBetween(1, -1),
		Long: `Enqueues a job as rq enqueue does, with the same options and forms of arguments:

  text     a text                   key=text     the same by keyword
  :json    a JSON value             key:=json
  %python  a Python literal         key%=python

A value that begins with @ names the file that holds it. Arguments that begin
with - come after --. What is not given is the queue's default (queues in the
configuration), else RQ's. Lengths of time are seconds, or a number with d, h, m
or s; -1 is for ever.`,
		Example: `  docsvc queue enqueue tasks.add 1 :2 key%='(3, 4)'
  docsvc queue enqueue docsvc.cleanup daily dry_run:=true --queue cleanup_tasks`,
	}
	c.RunE = a.withServices(func(ctx context.Context, s *services, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		line.Func, line.Args = args[0], args[1:]
		if c.Flags().Changed("retry-max") {
			line.RetryMax = &retries
		} else if len(line.RetryIntervals) > 0 {
			return &usageError{message: "--retry-interval goes with --retry-max"}
		}
		spec, call, err := line.Spec(time.Now())
		if err != nil {
			return &usageError{message: err.Error(), hint: "see: docsvc queue enqueue --help"}
		}
		job, err := s.queue.Enqueue(ctx, spec)
		switch {
		case errors.Is(err, rq.ErrActive):
			return &hintError{error: fmt.Errorf("job %s exists and is %s", line.JobID, job.Status), hint: "see: docsvc queue job " + line.JobID}
		case err != nil:
			return s.redisError(err)
		}
		if !quiet {
			a.sayUnserved(ctx, s, job.Queue, spec.Func)
		}
		view := enqueuedJob{ID: job.ID, Status: string(job.Status), Queue: job.Queue, Description: job.Description}
		return out.print(a.stdout, view, func(w io.Writer) error {
			if quiet {
				return nil
			}
			_, err := fmt.Fprintf(w, "Enqueued %s with job-id '%s'.\n", printable(call), job.ID)
			return err
		})
	})
	enqueueFlags(c.Flags(), &line, &retries)
	c.Flags().BoolVar(&quiet, "quiet", false, "print errors only")
	_ = c.RegisterFlagCompletionFunc("queue", a.completeQueues)
	_ = c.RegisterFlagCompletionFunc("serializer", cobra.FixedCompletions([]string{"pickle", "json"}, cobra.ShellCompDirectiveNoFileComp))
	out.add(c)
	return c
}

// enqueueFlags are the options of rq enqueue, and --unique.
func enqueueFlags(f *pflag.FlagSet, line *rq.CommandLine, retries *int) {
	f.StringVarP(&line.Queue, "queue", "q", "default", "name of the queue")
	f.StringVar(&line.Timeout, "timeout", "", "how long a run may take")
	f.StringVar(&line.ResultTTL, "result-ttl", "", "how long a finished job and its result are kept")
	f.StringVar(&line.TTL, "ttl", "", "how long the job may wait before it is dropped")
	f.StringVar(&line.FailureTTL, "failure-ttl", "", "how long a failed job is kept")
	f.StringVar(&line.Description, "description", "", "instead of the call in words")
	f.StringArrayVar(&line.DependsOn, "depends-on", nil, "id of a job that must finish first; may be given several times")
	f.StringVar(&line.JobID, "job-id", "", "id of the job (default: a new UUID); one that exists is overwritten")
	f.BoolVar(&line.Unique, "unique", false, "refuse a --job-id that exists")
	f.BoolVar(&line.AtFront, "at-front", false, "before the jobs that are already waiting")
	f.IntVar(retries, "retry-max", 0, "how often to try again after a failure")
	f.IntSliceVar(&line.RetryIntervals, "retry-interval", nil, "seconds before a retry; several for one after the other")
	f.StringVar(&line.ScheduleIn, "schedule-in", "", "enqueue after that time, such as 10s, 5m, 2d")
	f.StringVar(&line.ScheduleAt, "schedule-at", "", "enqueue at that local time, such as 2026-05-27T21:45:00")
	f.StringVarP(&line.Serializer, "serializer", "S", "pickle", "pickle or json, as the queue's workers expect it")
}

// sayUnserved says on stderr that nobody works on a queue, and which worker
// would know the function.
func (a *app) sayUnserved(ctx context.Context, s *services, queue, function string) {
	info, err := s.queue.QueueInfo(ctx, []string{queue})
	if err != nil || len(info) != 1 || info[0].Workers != 0 {
		return
	}
	start := fmt.Sprintf("docsvc's own don't know %s; start one that does, e.g. rq worker %s", function, queue)
	if function == document.ProcessFunc || function == document.ObjectFunc || function == cleanup.Func {
		start = "start one: docsvc worker --queues " + queue
	}
	fmt.Fprintf(a.stderr, "docsvc: no worker listens to %s yet; %s\n", printable(queue), printable(start))
}
