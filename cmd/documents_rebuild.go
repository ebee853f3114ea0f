package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/document"
)

func (a *app) documentsRebuildCommand() *cobra.Command {
	var o document.RebuildOptions
	var out output
	c := &cobra.Command{
		Use: "rebuild", Short: "Make lost records again from the bucket",
		Long: `Goes through the bucket and makes the records in Redis that are missing, with
their places in lists and their claims on bytes and text; records that are there
stay as they are, but where the bucket has a completed document of which the
record knows nothing. For a Redis that was lost, or put back from an older backup.
With --id it brings one archived document back, with --archived all of them.

It talks to Redis and storage itself, and may run beside serve and workers. It can
be ended at any time: the same command goes on.`,
		Args: noArgs,
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			return a.runRebuild(ctx, s, o, &out)
		}),
	}
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "report only, change nothing")
	c.Flags().StringVar(&o.ID, "id", "", "only this document, also when it is archived")
	c.Flags().BoolVar(&o.Archived, "archived", false, "bring archived documents back, too")
	out.add(c)
	return c
}

// runRebuild prints what was done also when it was ended before its end.
func (a *app) runRebuild(ctx context.Context, s *services, o document.RebuildOptions, out *output) error {
	if o.ID != "" && !documentID.MatchString(o.ID) {
		return &usageError{message: fmt.Sprintf("%q is not the id of a document", o.ID), hint: "e.g. --id 01890a5d-ac96-774b-bcce-b302099a8057"}
	}
	o.Progress = func(r document.RebuildReport) {
		fmt.Fprintf(a.stderr, "docsvc: %d documents seen, %d rebuilt, %d had their record\n", r.Seen, r.Rebuilt, r.Present)
	}
	report, err := s.documents.Rebuild(ctx, o)
	var refused *document.Error
	if errors.As(err, &refused) && refused.Kind != document.Unavailable {
		return err
	}
	if err == nil || report.Seen > 0 {
		if printed := out.print(a.stdout, report, func(w io.Writer) error { return writeRebuilt(w, report) }); printed != nil {
			return printed
		}
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(a.stderr, "docsvc: interrupted; the same command goes on")
		return &silentError{status: exitInterrupted}
	case err != nil:
		if refused != nil {
			err = refused.Err
		}
		return &hintError{error: fmt.Errorf("ended after %d documents: %w", report.Seen, err), hint: "what was done stays; the same command goes on"}
	case report.Failed > 0:
		return &silentError{status: exitFailed}
	}
	return nil
}

func writeRebuilt(w io.Writer, r document.RebuildReport) error {
	row := []string{count(r.Seen), count(r.Rebuilt), count(r.Present), count(r.Archived), count(r.Deleted), count(r.Incomplete), count(r.Failed)}
	if err := table(w, []string{"SEEN", "REBUILT", "PRESENT", "ARCHIVED", "DELETED", "INCOMPLETE", "FAILED"}, [][]string{row}); err != nil {
		return err
	}
	var notes []string
	if r.DryRun {
		notes = append(notes, "dry run: nothing was changed")
	}
	if r.RecordLost > 0 {
		notes = append(notes, fmt.Sprintf("of %d rebuilt ones only the upload was there: they are failed, code record_lost, and can be processed", r.RecordLost))
	}
	for _, p := range r.Problems {
		notes = append(notes, p.DocumentID+"  "+printable(p.Reason))
	}
	if more := r.Failed + r.Incomplete - int64(len(r.Problems)); more > 0 {
		notes = append(notes, fmt.Sprintf("and %d more", more))
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}
