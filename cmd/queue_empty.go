package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// queueEmptied is what empty did with one queue.
type queueEmptied struct {
	Queue   string `json:"queue"`
	Removed int    `json:"removed"` // jobs
	Dropped int    `json:"dropped"` // entries without a waiting job
}

func (a *app) queueEmptyCommand() *cobra.Command {
	var out output
	var yes bool
	c := &cobra.Command{
		Use: "empty QUEUE...", Short: "Delete the jobs that wait in a queue", Args: argsBetween(1, -1),
		Long: "Deletes the jobs that wait in a queue now, as rq empty does. Scheduled, deferred and running jobs stay.\n" +
			"Documents whose job it was become canceled; processing them again makes a new job.\n" +
			"Asks first; where nobody can be asked it needs --yes.",
	}
	c.RunE = a.withServices(func(ctx context.Context, s *services, args []string) error {
		if err := out.check(); err != nil {
			return err
		}
		if _, err := s.queueNames(ctx, args); err != nil {
			return err
		}
		if err := a.confirmEmpty(ctx, c, s, args, yes); err != nil {
			return err
		}
		done := make([]queueEmptied, 0, len(args))
		var failed error
		for _, q := range args {
			e, err := s.queue.Empty(ctx, q)
			done = append(done, queueEmptied{q, e.Removed, e.Dropped})
			if err != nil {
				failed = s.redisError(err)
				break
			}
		}
		return errors.Join(failed, out.print(a.stdout, done, func(w io.Writer) error {
			for _, d := range done {
				line := fmt.Sprintf("%d job%s removed from %s", d.Removed, plural(d.Removed), d.Queue)
				if d.Dropped > 0 {
					line += fmt.Sprintf(", and %d entries without a waiting job", d.Dropped)
				}
				if _, err := fmt.Fprintln(w, line); err != nil {
					return err
				}
			}
			return nil
		}))
	})
	c.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	c.ValidArgsFunction = a.completeQueues
	out.add(c)
	return c
}

// confirmEmpty asks on a terminal, unless there is nothing to remove.
func (a *app) confirmEmpty(ctx context.Context, c *cobra.Command, s *services, queues []string, yes bool) error {
	info, err := s.queue.QueueInfo(ctx, queues)
	if err != nil {
		return s.redisError(err)
	}
	jobs := 0
	for _, q := range info {
		jobs += q.Length
	}
	if yes || jobs == 0 {
		return nil
	}
	what := fmt.Sprintf("%d waiting job%s of %s", jobs, plural(jobs), strings.Join(queues, ", "))
	if !terminal(c.InOrStdin()) {
		return &usageError{message: "this would delete " + what, hint: "say so with --yes"}
	}
	return a.confirm(ctx, c.InOrStdin(), "Delete "+what+"?")
}
