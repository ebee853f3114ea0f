package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/httpapi"
	"github.com/docsvc/docsvc/pkg/rq"
)

func (a *app) queueJobCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "job ID", Short: "Show one job, docsvc's or any other RQ job", Args: argsBetween(1, 1),
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			view, err := httpapi.JobView(ctx, s.queue, args[0])
			if err != nil {
				return s.jobError(args[0], err)
			}
			return out.print(a.stdout, view, func(w io.Writer) error { return printJob(w, view) })
		}),
	}
	out.add(c)
	return c
}

func (a *app) queueListCommand() *cobra.Command {
	var out output
	var registry, cursor string
	var limit int
	var names []string
	for _, r := range rq.Registries() {
		names = append(names, string(r))
	}
	c := &cobra.Command{
		Use: "list QUEUE", Short: "List the jobs of a queue, by state", Args: argsBetween(1, 1),
		Long: "Lists jobs of one state, a page at a time: queued ones in the order they will run, others newest first.",
		RunE: a.withServices(func(ctx context.Context, s *services, args []string) error {
			if !slices.Contains(names, registry) {
				return &usageError{message: fmt.Sprintf("--registry %s is not one of %s", registry, strings.Join(names, ", "))}
			}
			if limit < 1 || limit > 1000 {
				return &usageError{message: fmt.Sprintf("--limit %d is not 1 to 1000", limit)}
			}
			if n, err := strconv.Atoi(cursor); cursor != "" && (err != nil || n < 0) {
				return &usageError{message: fmt.Sprintf("--cursor %s is not one that was given", cursor), hint: "without --cursor the list begins at its start"}
			}
			if _, err := s.queueNames(ctx, args); err != nil {
				return err
			}
			jobs, next, err := s.queue.List(ctx, args[0], rq.Registry(registry), cursor, limit)
			if err != nil {
				return s.redisError(err)
			}
			page, err := httpapi.JobPage(ctx, s.queue, jobs, next)
			if err != nil {
				return s.redisError(err)
			}
			return out.print(a.stdout, page, func(w io.Writer) error {
				if err := printJobs(w, page); err != nil {
					return err
				}
				if next != "" {
					fmt.Fprintf(a.stderr, "more: docsvc queue list %s --registry %s --cursor %s\n", args[0], registry, next)
				}
				return nil
			})
		}),
	}
	c.Flags().StringVar(&registry, "registry", "queued", strings.Join(names, ", "))
	c.Flags().IntVar(&limit, "limit", 50, "jobs on a page, 1 to 1000")
	c.Flags().StringVar(&cursor, "cursor", "", "where the next page begins, as printed by the one before")
	_ = c.RegisterFlagCompletionFunc("registry", cobra.FixedCompletions(names, cobra.ShellCompDirectiveNoFileComp))
	c.ValidArgsFunction = a.completeQueues
	out.add(c)
	return c
}

// jobError names the job and, for a state that doesn't allow the operation,
// says what would.
func (s *services) jobError(id string, err error) error {
	var state *rq.StateError
	switch {
	case errors.Is(err, rq.ErrNoJob):
		return &hintError{error: fmt.Errorf("job %s: %w", id, rq.ErrNoJob), hint: "it may have been kept for its time and be gone; a document's job_id is in its status"}
	case errors.As(err, &state):
		return &hintError{error: fmt.Errorf("job %s is %s and can't be %s", id, state.Status, past(state.Op)), hint: nextStep(id, state)}
	default:
		return s.redisError(fmt.Errorf("job %s: %w", id, err))
	}
}

func past(op string) string {
	switch op {
	case "requeue":
		return "retried"
	case "stop":
		return "stopped"
	default:
		return "canceled"
	}
}

func nextStep(id string, e *rq.StateError) string {
	switch {
	case e.Op == "requeue" && !e.Status.Final():
		return "it will run by itself; see: docsvc queue job " + id
	case e.Op == "requeue":
		return "only failed, stopped and canceled jobs can be retried"
	case e.Op == "stop" && !e.Status.Final():
		return "it is not running; to take it out of its queue: docsvc queue cancel " + id
	default:
		return "it has ended; see: docsvc queue job " + id
	}
}

func printJobs(w io.Writer, page *httpapi.JobList) error {
	var rows [][]string
	for _, j := range page.Jobs {
		rows = append(rows, []string{j.ID, j.Status, dash(j.FuncName), when(j.EnqueuedAt), when(j.EndedAt), dash(text(j.Error))})
	}
	return table(w, []string{"JOB", "STATUS", "FUNCTION", "ENQUEUED", "ENDED", "ERROR"}, rows)
}

func printJob(w io.Writer, j *httpapi.Job) error {
	position := ""
	if j.Position != nil {
		position = strconv.Itoa(*j.Position)
	}
	var rows [][]string
	for _, f := range [][2]string{
		{"job", j.ID}, {"status", j.Status}, {"queue", j.Origin}, {"position", position}, {"call", j.Description},
		{"created", when(j.CreatedAt)}, {"enqueued", when(j.EnqueuedAt)}, {"started", when(j.StartedAt)}, {"ended", when(j.EndedAt)},
		{"worker", text(j.WorkerName)},
	} {
		rows = append(rows, []string{f[0], dash(f[1])})
	}
	field := "error" // of Python it is a traceback
	for line := range strings.SplitSeq(dash(strings.TrimSpace(text(j.ExcInfo))), "\n") {
		rows, field = append(rows, []string{field, line}), ""
	}
	return table(w, []string{"FIELD", "VALUE"}, rows)
}

// text is what an optional text holds.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
