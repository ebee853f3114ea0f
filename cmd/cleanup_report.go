package cmd

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/config"
)

// printReport prints for a terminal or when asked; from cron only what needs
// somebody.
func (a *app) printReport(f cleanupFlags, report cleanup.Report) error {
	if f.output.format == "table" && !f.verbose && !f.dryRun && !f.wait && !terminal(a.stdout) && !report.NeedsAttention() {
		return nil
	}
	return f.output.print(a.stdout, report, func(w io.Writer) error { return writeReport(w, report) })
}

func writeReport(w io.Writer, r cleanup.Report) error {
	parts := r.Tasks
	if len(parts) == 0 {
		parts = []cleanup.Report{r}
	}
	var rows [][]string
	for _, p := range parts {
		rows = append(rows, []string{string(p.TaskType), count(p.Seen), count(p.Deleted), count(p.Kept), count(p.Failed),
			config.Size(p.Bytes).String(), count(p.Expired)})
	}
	if err := table(w, []string{"TASK", "SEEN", "DELETED", "KEPT", "FAILED", "BYTES", "EXPIRED"}, rows); err != nil {
		return err
	}
	var notes []string
	if r.DryRun {
		notes = append(notes, "dry run: nothing was deleted or changed")
	}
	if r.RebuildableCount > 0 {
		notes = append(notes, fmt.Sprintf("%d complete documents have no record (kept; make it again with docsvc documents rebuild; --include-documents deletes them): %s", r.RebuildableCount, some(r.Rebuildable, r.RebuildableCount)))
	}
	if r.MissingCount > 0 {
		notes = append(notes, fmt.Sprintf("%d completed documents have lost objects: %s", r.MissingCount, some(r.Missing, r.MissingCount)))
	}
	for _, n := range notes {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

// some lists ids, and says when there are more.
func some(ids []string, all int64) string {
	s := strings.Join(ids, " ")
	if int64(len(ids)) < all {
		s += " ..."
	}
	return s
}
