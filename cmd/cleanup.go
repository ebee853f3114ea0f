package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/cleanup"
)

type cleanupFlags struct {
	olderThan    time.Duration
	dryRun       bool
	now, wait    bool
	includeDocs  bool
	verbose      bool
	output       output
	olderThanSet bool
}

// cleanupKinds are the subcommands, with the crontab spelling of each.
var cleanupKinds = []struct {
	name, flag string
	task       cleanup.Type
	short      string
}{
	{"s3", "s3-cleanup", cleanup.S3, "Remove uploads that no document needs any more"},
	{"orphaned", "orphaned-files", cleanup.Orphaned, "Remove objects without a document, report documents without objects"},
	{"expired", "expired-uploads", cleanup.Expired, "Fail documents whose upload never came, remove what came too late"},
	{"daily", "daily", cleanup.Daily, "All of it: expired, s3, orphaned"},
}

func (a *app) cleanupCommand() *cobra.Command {
	var f cleanupFlags
	spelled := make([]bool, len(cleanupKinds))
	c := &cobra.Command{
		Use: "cleanup", Short: "Remove what nothing needs any more",
		Long: `Puts a cleanup job on cleanup_tasks, or runs it here with --now. For cron:

  docsvc cleanup --daily            docsvc cleanup --s3-cleanup
  docsvc cleanup --orphaned-files   docsvc cleanup --expired-uploads

Run without a terminal it prints nothing when all is well, but with --wait.`,
		Args: noSuchCommand,
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		f.olderThanSet = c.Flags().Changed("older-than")
		var chosen []cleanup.Type
		for i, on := range spelled {
			if on {
				chosen = append(chosen, cleanupKinds[i].task)
			}
		}
		if len(chosen) != 1 {
			_ = c.Help()
			return &usageError{message: "docsvc cleanup needs one task", hint: "e.g. docsvc cleanup daily"}
		}
		return a.withServices(func(ctx context.Context, s *services, _ []string) error {
			return a.runCleanup(ctx, s, chosen[0], f)
		})(c, args)
	}
	for i, k := range cleanupKinds {
		c.Flags().BoolVar(&spelled[i], k.flag, false, "the same as: docsvc cleanup "+k.name)
	}
	addCleanupFlags(c, &f)
	for _, k := range cleanupKinds {
		c.AddCommand(a.cleanupKindCommand(k.name, k.short, k.task))
	}
	return c
}

func (a *app) cleanupKindCommand(name, short string, task cleanup.Type) *cobra.Command {
	var f cleanupFlags
	c := &cobra.Command{Use: name, Short: short, Args: noArgs}
	c.RunE = func(c *cobra.Command, args []string) error {
		f.olderThanSet = c.Flags().Changed("older-than")
		return a.withServices(func(ctx context.Context, s *services, _ []string) error {
			return a.runCleanup(ctx, s, task, f)
		})(c, args)
	}
	addCleanupFlags(c, &f)
	return c
}

func addCleanupFlags(c *cobra.Command, f *cleanupFlags) {
	c.Flags().DurationVar(&f.olderThan, "older-than", 0, "only what is at least as old, in whole hours (default cleanup.older_than)")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "report only, change nothing")
	c.Flags().BoolVar(&f.now, "now", false, "run it here instead of putting it on the queue")
	c.Flags().BoolVar(&f.wait, "wait", false, "wait for the queued job and print its report")
	c.Flags().BoolVar(&f.includeDocs, "include-documents", false, "orphaned, daily: also delete complete documents without a record")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print the report even when all is well and no terminal is there")
	f.output.add(c)
}

func (a *app) runCleanup(ctx context.Context, s *services, kind cleanup.Type, f cleanupFlags) error {
	if !f.olderThanSet {
		f.olderThan = s.config.Cleanup.OlderThan
	}
	if f.olderThan < time.Hour || f.olderThan%time.Hour != 0 {
		return &usageError{message: fmt.Sprintf("--older-than %s is not a whole number of hours of at least 1h", f.olderThan)}
	}
	task := cleanup.Task{Type: kind, OlderThan: f.olderThan, DryRun: f.dryRun, IncludeDocuments: f.includeDocs}
	if f.now {
		report, err := s.cleaner.Run(ctx, task)
		if err != nil {
			return s.redisError(err)
		}
		return a.printReport(f, report)
	}
	queued, err := s.cleaner.Enqueue(ctx, task)
	if err != nil {
		return s.redisError(err)
	}
	if queued.NoWorker {
		fmt.Fprintf(a.stderr, "docsvc: job %s waits: no worker serves %s; start one with docsvc worker --queues %s, or use --now\n",
			queued.JobID, queued.Queue, queued.Queue)
	}
	if !f.wait {
		if f.verbose || terminal(a.stdout) || f.output.format != "table" {
			return f.output.print(a.stdout, queued, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "job %s (%s) is on %s\n", queued.JobID, kind, queued.Queue)
				return err
			})
		}
		return nil
	}
	report, err := s.cleaner.Wait(ctx, queued.JobID)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return fmt.Errorf("stopped waiting; job %s goes on: docsvc queue job %s", queued.JobID, queued.JobID)
		}
		return s.redisError(err)
	}
	return a.printReport(f, report)
}
