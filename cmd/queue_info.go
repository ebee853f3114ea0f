package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

// watchEvery is how often info looks again when --watch names no interval.
const watchEvery = "2s"

// clearScreen moves a terminal's cursor home and erases what was there.
const clearScreen = "\x1b[H\x1b[2J"

func (a *app) queueInfoCommand() *cobra.Command {
	var out output
	var watch string
	c := &cobra.Command{
		Use: "info [QUEUE...]", Short: "Count the jobs of each queue and list the workers",
		Long: "Counts jobs by state, the age of the job at the head, and the workers. It only reads.\n" +
			"Without arguments: the configured queues and every other one that Redis knows.\n" +
			"-o raw prints the very lines of rq info --raw, of the queues in Redis.",
		Args: cobra.ArbitraryArgs,
	}
	c.RunE = a.withServices(func(ctx context.Context, s *services, args []string) error {
		if out.format != "raw" {
			if err := out.check(); err != nil {
				return err
			}
		}
		if !c.Flags().Changed("watch") {
			return a.info(ctx, a.stdout, s, &out, args)
		}
		every, args, err := s.watchInterval(ctx, watch, args)
		if err != nil {
			return err
		}
		return a.watchInfo(ctx, s, &out, args, every)
	})
	c.Flags().StringVarP(&watch, "watch", "i", "", "look again every 2s, or as often as --watch=INTERVAL says, until Ctrl-C")
	c.Flags().Lookup("watch").NoOptDefVal = watchEvery
	c.ValidArgsFunction = a.completeQueues
	out.add(c)
	c.Flags().Lookup("output").Usage = "table, json, yaml or raw"
	return c
}

// watchInterval reads --watch. Its value may also stand as a word of its own,
// which cobra takes for the first argument.
func (s *services) watchInterval(ctx context.Context, given string, args []string) (time.Duration, []string, error) {
	if given == watchEvery && len(args) > 0 {
		if _, err := rq.ParseSeconds(args[0]); err == nil {
			names, err := s.queueNames(ctx, nil)
			if err != nil {
				return 0, nil, err
			}
			if !slices.Contains(names, args[0]) {
				given, args = args[0], args[1:]
			}
		}
	}
	every, err := rq.ParseSeconds(given)
	if err != nil || every < 100*time.Millisecond {
		return 0, nil, &usageError{message: fmt.Sprintf("--watch %s is not at least 100ms", given), hint: "e.g. --watch, --watch=5s"}
	}
	return every, args, nil
}

// watchInfo prints again and again, on a terminal in the same place.
func (a *app) watchInfo(ctx context.Context, s *services, out *output, args []string, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var page strings.Builder
		if terminal(a.stdout) {
			page.WriteString(clearScreen)
		}
		if err := a.info(ctx, &page, s, out, args); err != nil {
			if ctx.Err() != nil {
				return nil // Ctrl-C in the middle of it
			}
			return err
		}
		if out.format == "table" {
			fmt.Fprintf(&page, "\n%s, every %s until Ctrl-C\n", time.Now().Format(time.RFC3339), every)
		}
		if _, err := io.WriteString(a.stdout, page.String()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *app) info(ctx context.Context, w io.Writer, s *services, out *output, args []string) error {
	names, err := s.queueNames(ctx, args)
	if err != nil {
		return err
	}
	if out.format == "raw" {
		lines, err := s.queue.RawInfo(ctx, args)
		if err != nil {
			return s.redisError(err)
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(w, printable(line)); err != nil {
				return err
			}
		}
		return nil
	}
	info, err := s.queue.QueueInfo(ctx, names)
	if err != nil {
		return s.redisError(err)
	}
	workers, err := s.queue.Workers(ctx)
	if err != nil {
		return s.redisError(err)
	}
	state, err := s.suspension(ctx)
	if err != nil {
		return err
	}
	counts := make([]queueCounts, 0, len(info))
	for _, q := range info {
		counts = append(counts, queueCounts{q.Name, q.Length, q.Failed, q.Started, q.Finished, q.Deferred,
			q.Scheduled, q.Canceled, q.Workers, int(q.OldestAge.Seconds())})
	}
	return out.print(w, counts, func(w io.Writer) error {
		return errors.Join(printQueues(w, info, workers), state.write(w))
	})
}
