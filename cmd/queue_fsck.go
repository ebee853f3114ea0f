package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/rq"
)

type fsckFlags struct {
	fix, noOwn    bool
	undo, restore string
	queues        []string
	age           time.Duration
	rate          int
	out           output
}

func (a *app) queueFsckCommand() *cobra.Command {
	var f fsckFlags
	c := &cobra.Command{
		Use: "fsck [--fix]", Short: "Look whether the queue's keys agree, and repair what does not", Args: noArgs,
		Long: `Compares what lists and registries name with what the jobs themselves say, in both directions: entries
without a job, jobs that nothing holds, executions, leases and workers left behind, forgotten dependents
and results, wrong types, scores and hashes. It is safe beside running workers and producers: a finding
counts only when it was seen twice, --age apart, with nothing about it changed meanwhile. What RQ's and
docsvc's own cleaning does within minutes is no finding.

--fix repairs what can be repaired without guessing. Before each repair it writes to the undo file how to
undo it; a script then looks at the finding again and changes it in one step. --restore FILE undoes the
repairs where the keys are still as the repair left them, and names the others.

Exit status: 0 nothing (left) to find, 4 findings remain.`,
		Example: "  docsvc queue fsck\n  docsvc queue fsck --fix --age 60s\n  docsvc queue fsck --restore docsvc-fsck-20261123-120000.jsonl\n",
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if f.restore != "" {
				return a.fsckRestore(ctx, s, f)
			}
			return a.fsck(ctx, s, f)
		}),
	}
	c.Flags().BoolVar(&f.fix, "fix", false, "repair what can be repaired")
	c.Flags().StringVar(&f.undo, "undo", "", "with --fix: where to write how to undo it, a new file (default: docsvc-fsck-TIME.jsonl)")
	c.Flags().StringVar(&f.restore, "restore", "", "undo the repairs that this undo file tells of")
	c.Flags().StringArrayVar(&f.queues, "queue", nil, "look only at this queue; may be repeated (default: all that Redis has)")
	c.Flags().DurationVar(&f.age, "age", 5*time.Second, "how long a finding must stand unchanged; 60s also repairs what a worker of RQ might just have taken")
	c.Flags().IntVar(&f.rate, "rate", 10000, "commands a second that Redis is asked, at most")
	c.Flags().BoolVar(&f.noOwn, "no-own-runs", false, "no producer runs its jobs itself (RQ's is_async=False): a queued job in no queue is lost, not a day later")
	_ = c.RegisterFlagCompletionFunc("queue", a.completeQueues)
	f.out.add(c)
	return c
}

func (f *fsckFlags) check() error {
	switch {
	case f.restore != "" && (f.fix || f.undo != "" || len(f.queues) > 0):
		return &usageError{message: "--restore goes with no other flag but -o"}
	case f.undo != "" && !f.fix:
		return &usageError{message: "--undo goes with --fix", hint: "to undo repairs: docsvc queue fsck --restore FILE"}
	case f.age < 0 || f.age > time.Hour:
		return &usageError{message: fmt.Sprintf("--age %s is not 0s to 1h", f.age)}
	case f.rate < 100:
		return &usageError{message: fmt.Sprintf("--rate %d is less than 100", f.rate)}
	}
	return f.out.check()
}

func (a *app) fsck(ctx context.Context, s *services, f fsckFlags) error {
	if len(f.queues) > 0 {
		if _, err := s.queueNames(ctx, f.queues); err != nil {
			return err
		}
	}
	o := rq.FsckOptions{Age: max(f.age, time.Millisecond), Fix: f.fix, NoOwnRuns: f.noOwn, Queues: f.queues, Rate: f.rate}
	if terminal(a.stderr) {
		o.Progress = func(r rq.FsckReport) {
			fmt.Fprintf(a.stderr, "looked at %d jobs and %d entries, %d suspected\n", r.Jobs, r.Entries, r.Suspected)
		}
	}
	undo, err := f.createUndo()
	if err != nil {
		return err
	}
	if undo != nil {
		o.Undo = undo
	}
	report, err := s.queue.Fsck(ctx, o)
	if undo != nil {
		err = errors.Join(err, a.closeUndo(undo))
	}
	if err != nil && ctx.Err() == nil && len(report.Findings) == 0 {
		return s.redisError(err)
	}
	if printErr := f.out.print(a.stdout, report, func(w io.Writer) error { return printFsck(w, report) }); printErr != nil {
		return printErr
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(a.stderr, "docsvc: interrupted: what is shown as fixed is; the rest is not")
		return &silentError{status: exitInterrupted}
	case err != nil:
		return s.redisError(err)
	case report.Remaining > 0 || report.Truncated:
		return &silentError{status: exitUnhealthy}
	}
	return nil
}

// createUndo makes the undo file, which must be new: an older one is somebody's
// only way back.
func (f *fsckFlags) createUndo() (*os.File, error) {
	if !f.fix {
		return nil, nil
	}
	name := f.undo
	if name == "" {
		name = "docsvc-fsck-" + time.Now().UTC().Format("20060102-150405") + ".jsonl"
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, &hintError{error: fmt.Errorf("the undo file: %w", err), hint: "name a new file with --undo; nothing was repaired"}
	}
	return file, nil
}

// closeUndo removes an undo file of no repairs, and names any other.
func (a *app) closeUndo(file *os.File) error {
	info, err := file.Stat()
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("the undo file: %w", err)
	}
	if info.Size() == 0 {
		return os.Remove(file.Name())
	}
	fmt.Fprintf(a.stderr, "to undo the repairs: docsvc queue fsck --restore %s\n", file.Name())
	return nil
}

func (a *app) fsckRestore(ctx context.Context, s *services, f fsckFlags) error {
	file, err := os.Open(f.restore)
	if err != nil {
		return fmt.Errorf("the undo file: %w", err)
	}
	defer func() { _ = file.Close() }()
	done, err := s.queue.FsckRestore(ctx, file)
	if err != nil && done.Restored == 0 {
		return s.redisError(err)
	}
	printErr := f.out.print(a.stdout, done, func(w io.Writer) error {
		for _, line := range done.Skipped {
			if _, err := fmt.Fprintln(w, "left as it is: "+printable(line)); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(w, "%d repairs undone, %d left as they are\n", done.Restored, len(done.Skipped))
		return err
	})
	if err == nil && printErr == nil && len(done.Skipped) > 0 {
		return &silentError{status: exitFailed}
	}
	return errors.Join(s.redisError(err), printErr)
}

func printFsck(w io.Writer, r rq.FsckReport) error {
	var b strings.Builder
	for _, x := range r.Findings {
		fmt.Fprintf(&b, "%s  %s", x.Kind, printable(x.Key))
		if x.JobID != "" {
			fmt.Fprintf(&b, "  job %s", printable(x.JobID))
		}
		fmt.Fprintf(&b, "\n  %s\n", printable(x.Problem))
		switch {
		case x.State == rq.FsckFixed:
			fmt.Fprintf(&b, "  fixed: %s\n", x.Fix)
		case x.State == rq.FsckOther:
			b.WriteString("  not repaired: it has changed meanwhile\n")
		case x.Left == "":
			fmt.Fprintf(&b, "  --fix would: %s\n", x.Fix)
		default:
			fmt.Fprintf(&b, "  left: %s\n", x.Left)
		}
	}
	looked := fmt.Sprintf("%d jobs and %d entries looked at in %.1f s", r.Jobs, r.Entries, r.Seconds)
	switch {
	case len(r.Findings) == 0:
		fmt.Fprintf(&b, "nothing found: %s\n", looked)
	default:
		fmt.Fprintf(&b, "\n%d found, %d fixed, %d remaining: %s\n", len(r.Findings), r.Fixed, r.Remaining, looked)
	}
	if r.Truncated {
		fmt.Fprintf(&b, "there are more than are shown: repair these and run it again\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
