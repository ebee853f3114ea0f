package cmd

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/docsvc/docsvc/pkg/filewalk"
	"github.com/docsvc/docsvc/pkg/ingest"
)

// listedEach is how many files of one kind are listed before the rest is only
// counted. What failed is always listed.
const listedEach = 20

// ingestResults collects what became of the files. A table needs only those
// that aren't plainly done.
type ingestResults struct {
	all      bool
	progress *progress
	report   ingest.Report

	files []*ingest.Result
	more  map[string]int // by kind: how many more there were
	kinds map[string]int
}

// Found, Listed, Moved and Ended make it an ingest.Watcher.
func (s *ingestResults) Found(ingest.Candidate) { s.progress.add() }

// Listed is told when there are no more files.
func (s *ingestResults) Listed() { s.progress.all() }

// Moved is told how far a file is.
func (s *ingestResults) Moved(p ingest.Progress) { s.progress.move(p) }

// Ended is told what became of a file.
func (s *ingestResults) Ended(r *ingest.Result) {
	s.progress.end(r)
	switch {
	case s.all, r.Outcome == ingest.Failed, r.Bad():
		s.files = append(s.files, r)
		return
	case r.Outcome == ingest.Completed && !r.Partial && len(r.Warnings) == 0, r.Outcome == ingest.Present, r.Outcome == ingest.Queued:
		return
	}
	if s.kinds == nil {
		s.kinds, s.more = map[string]int{}, map[string]int{}
	}
	kind := string(r.Outcome)
	if r.Kind != "" {
		kind = "skipped: " + r.Kind
	}
	if s.kinds[kind]++; s.kinds[kind] > listedEach {
		s.more[kind]++
		return
	}
	s.files = append(s.files, r)
}

// ingestAnswer is what -o json and yaml print, whatever happened.
type ingestAnswer struct {
	Files       []*ingest.Result `json:"files"`
	Summary     ingest.Counts    `json:"summary"`
	Interrupted bool             `json:"interrupted"`
	Error       string           `json:"error,omitempty"`
}

// printIngest prints the result and makes the exit status. err kept the run
// from beginning.
func (a *app) printIngest(f *ingestFlags, s *ingestResults, err error, interrupted bool) error {
	slices.SortStableFunc(s.files, func(x, y *ingest.Result) int { return strings.Compare(x.Path, y.Path) })
	answer := ingestAnswer{Files: s.files, Summary: s.report.Counts, Interrupted: interrupted}
	if answer.Files == nil {
		answer.Files = []*ingest.Result{}
	}
	if err != nil {
		answer.Error = err.Error()
	}
	if err == nil || f.output.format != "table" {
		table := func(w io.Writer) error { return s.table(w, terminalWidth(a.stdout)) }
		if printErr := f.output.print(a.stdout, answer, table); printErr != nil {
			return fmt.Errorf("printing the result: %w", printErr)
		}
	}
	switch {
	case interrupted:
		next := "run the same command again, and only what is missing is done"
		if f.allowDuplicate {
			next = duplicatesAgain
		}
		fmt.Fprintln(a.stderr, "docsvc: interrupted; "+next)
		return &silentError{status: exitInterrupted}
	case err != nil:
		return err
	case s.report.Bad > 0:
		return s.failed(f.allowDuplicate)
	}
	return nil
}

// duplicatesAgain is what to know before a run with --allow-duplicate is
// repeated.
const duplicatesAgain = "with --allow-duplicate the same command makes new documents of all files, also of those that are done; without it, of what is missing"

// failed says how many failed, and what can be done about all of them.
func (s *ingestResults) failed(allowDuplicate bool) error {
	err := fmt.Errorf("%d of %d files could not be taken in", s.report.Bad, s.report.Files)
	if s.report.Files == 1 {
		err = fmt.Errorf("the file could not be taken in")
	}
	hint := "the same command again does only what is missing; --retry also processes failed documents again"
	if allowDuplicate {
		hint = duplicatesAgain
	}
	if s.report.Failed == 0 {
		return err
	}
	return &hintError{error: err, hint: hint}
}

// table lists the files, in at most width columns when that is not 0.
func (s *ingestResults) table(w io.Writer, width int) error {
	var rows [][]string
	for _, r := range s.files {
		rows = append(rows, []string{filewalk.Printable(r.Path), string(r.Outcome), dash(cmp.Or(r.DocumentID, r.DuplicateOf)), why(r)})
	}
	if len(rows) > 0 {
		rows = narrowed(rows, width)
		if err := table(w, []string{"FILE", "OUTCOME", "DOCUMENT", "WHY"}, rows); err != nil {
			return err
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.more)) {
		if _, err := fmt.Fprintf(w, "and %d more %s (-o json lists all)\n", s.more[kind], kind); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	lines := []string{summary(s.report)}
	if by := s.report.SkippedBy; len(by) > 0 {
		lines = append(lines, "skipped: "+breakdown(by)+"; docsvc reads "+ingest.Endings())
	}
	if by := s.report.FailedBy; len(by) > 0 {
		lines = append(lines, "failed: "+breakdown(by))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// narrowed fits rows into a terminal: long names lose their beginning, and the
// reason goes on in lines below. Where that doesn't do either, and with a width
// of 0, rows stay as they are.
func narrowed(rows [][]string, width int) [][]string {
	const outcome, document, reason = 11, 36, 30 // columns that these need
	name := 4
	for _, row := range rows {
		name = max(name, runewidth.StringWidth(row[0]))
	}
	name = min(name, width-outcome-document-reason-6)
	if name < 10 {
		return rows
	}
	var out [][]string
	for _, row := range rows {
		lines := wrapped(row[3], width-name-outcome-document-6)
		out = append(out, []string{strings.TrimRight(column(row[0], name), " "), row[1], row[2], lines[0]})
		for _, line := range lines[1:] {
			out = append(out, []string{"", "", "", line})
		}
	}
	return out
}

// wrapped breaks a text between words; a word that is too long stays whole.
func wrapped(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case runewidth.StringWidth(*last)+1+runewidth.StringWidth(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// why is the last column: the reason, or what is to be known of a document
// that was read.
func why(r *ingest.Result) string {
	switch {
	case r.Reason != "":
		return r.Reason
	case len(r.Warnings) > 0:
		return strings.Join(r.Warnings, "; ")
	case r.Partial:
		return "some pages are missing"
	default:
		return "-"
	}
}

// summary is the counts in a sentence.
func summary(r ingest.Report) string {
	if r.Files == 0 {
		return "no files"
	}
	parts := []string{}
	for _, c := range []struct {
		n    int
		what string
	}{
		{r.Completed, "completed"}, {r.Present, "already there"}, {r.Duplicate, "duplicate"}, {r.Queued, "queued"},
		{r.Skipped, "skipped"}, {r.Failed, "failed"}, {r.Interrupted, "interrupted"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	text := fmt.Sprintf("%d file%s: %s; ", r.Files, plural(r.Files), strings.Join(parts, ", "))
	if r.Uploaded == 0 {
		return text + fmt.Sprintf("nothing uploaded, %.1f s", r.Seconds)
	}
	return text + fmt.Sprintf("%s uploaded in %.1f s (%s/s)", ingest.Bytes(r.Uploaded), r.Seconds,
		ingest.Bytes(int64(float64(r.Uploaded)/max(r.Seconds, 0.001))))
}
