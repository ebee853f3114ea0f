package cmd

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

// suspension is the answer of suspend and resume.
type suspension struct {
	Suspended bool       `json:"suspended"`
	Until     *time.Time `json:"until"` // null: until resume
}

// write says in a line that workers are suspended, nothing when they aren't.
func (s suspension) write(w io.Writer) error {
	if !s.Suspended {
		return nil
	}
	until := ""
	if s.Until != nil {
		until = " until " + when(s.Until)
	}
	_, err := fmt.Fprintf(w, "workers are suspended%s and start no jobs; end it with: docsvc queue resume\n", until)
	return err
}

func (s *services) suspension(ctx context.Context) (suspension, error) {
	on, left, err := s.queue.Suspension(ctx)
	if err != nil {
		return suspension{}, s.redisError(err)
	}
	state := suspension{Suspended: on}
	if on && left > 0 {
		state.Until = new(time.Now().Add(left).UTC().Truncate(time.Second))
	}
	return state, nil
}

func (a *app) queueSuspendCommand() *cobra.Command {
	var out output
	var duration string
	c := &cobra.Command{
		Use: "suspend", Short: "Keep all workers from starting jobs", Args: noArgs,
		Long: "Sets RQ's flag: no worker on this Redis, docsvc's or Python's, starts another job; those that run\n" +
			"go on, and producers go on enqueueing. It stands until docsvc queue resume, or for --duration.",
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			var d time.Duration
			if duration != "" {
				var err error
				if d, err = rq.ParseSeconds(duration); err != nil || d < time.Second {
					return &usageError{message: fmt.Sprintf("--duration %q is no length of time of at least a second", duration), hint: "e.g. --duration 90, --duration 10m"}
				}
			}
			if err := s.queue.Suspend(ctx, d); err != nil {
				return s.redisError(err)
			}
			return a.printSuspension(ctx, s, &out)
		}),
	}
	c.Flags().StringVar(&duration, "duration", "", "for how long, such as 90 (seconds) or 10m (default: until resume)")
	out.add(c)
	return c
}

func (a *app) queueResumeCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "resume", Short: "Let suspended workers start jobs again", Args: noArgs,
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			if err := out.check(); err != nil {
				return err
			}
			stood, err := s.queue.Resume(ctx)
			if err != nil {
				return s.redisError(err)
			}
			return out.print(a.stdout, suspension{}, func(w io.Writer) error {
				line := "workers start jobs again"
				if !stood {
					line = "workers were not suspended"
				}
				_, err := fmt.Fprintln(w, line)
				return err
			})
		}),
	}
	out.add(c)
	return c
}

// printSuspension tells whether workers are suspended.
func (a *app) printSuspension(ctx context.Context, s *services, out *output) error {
	state, err := s.suspension(ctx)
	if err != nil {
		return err
	}
	return out.print(a.stdout, state, func(w io.Writer) error { return state.write(w) })
}
