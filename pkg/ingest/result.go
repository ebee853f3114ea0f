package ingest

import (
	"cmp"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/filewalk"
)

// Outcome is what became of a file.
type Outcome string

// The outcomes.
const (
	Completed   Outcome = "completed"   // processed now
	Present     Outcome = "present"     // processed by an earlier run
	Duplicate   Outcome = "duplicate"   // of another document, or of another file of this run
	Queued      Outcome = "queued"      // handed over; not waited for
	Skipped     Outcome = "skipped"     // not a document; Reason says why
	Failed      Outcome = "failed"      // Reason says why
	Interrupted Outcome = "interrupted" // the run ended first
)

// Result is what became of one file.
type Result struct {
	Path        string   `json:"path"`
	Outcome     Outcome  `json:"outcome"`
	DocumentID  string   `json:"document_id,omitempty"`
	JobID       string   `json:"job_id,omitempty"`
	DuplicateOf string   `json:"duplicate_of,omitempty"` // a document
	SameAs      string   `json:"same_as,omitempty"`      // a file of this run with the same bytes
	Reason      string   `json:"reason,omitempty"`       // why it was skipped, failed or interrupted
	ErrorCode   string   `json:"error_code,omitempty"`
	SHA256      string   `json:"sha256,omitempty"`
	Size        int64    `json:"size"`           // bytes
	Uploaded    int64    `json:"uploaded_bytes"` // that were sent by this run
	Partial     bool     `json:"partial,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Seconds     float64  `json:"seconds"` // from its first byte read to its end

	// Named is set for what stood on the command line itself, Kind groups what
	// was skipped for the same reason.
	Named bool   `json:"-"`
	Kind  string `json:"-"`
}

// Bad reports whether the run as a whole failed because of this file: also
// when a file that was asked for by its name could not be taken in.
func (r *Result) Bad() bool { return r.Outcome == Failed || r.Outcome == Skipped && r.Named }

// Counts is how many files came to which end.
type Counts struct {
	Files       int     `json:"files"`
	Completed   int     `json:"completed"`
	Present     int     `json:"present"`
	Duplicate   int     `json:"duplicate"`
	Queued      int     `json:"queued"`
	Skipped     int     `json:"skipped"`
	Failed      int     `json:"failed"`
	Interrupted int     `json:"interrupted"`
	Bytes       int64   `json:"bytes"`          // of the files that are documents now
	Uploaded    int64   `json:"uploaded_bytes"` // sent by this run
	Seconds     float64 `json:"seconds"`
	// SkippedBy counts the skipped files by kind (".csv files"), FailedBy the
	// failed ones by error code ("corrupt").
	SkippedBy map[string]int `json:"skipped_by,omitempty"`
	FailedBy  map[string]int `json:"failed_by,omitempty"`

	// Bad counts the results that are Bad.
	Bad int `json:"-"`
}

func (c *Counts) add(r *Result) {
	c.Files++
	c.Uploaded += r.Uploaded
	switch r.Outcome {
	case Completed:
		c.Completed++
	case Present:
		c.Present++
	case Duplicate:
		c.Duplicate++
	case Queued:
		c.Queued++
	case Skipped:
		c.Skipped++
		count(&c.SkippedBy, r.Kind)
	case Failed:
		c.Failed++
		count(&c.FailedBy, r.ErrorCode)
	case Interrupted:
		c.Interrupted++
	}
	if r.Outcome != Skipped && r.Outcome != Failed && r.Outcome != Interrupted {
		c.Bytes += r.Size
	}
	if r.Bad() {
		c.Bad++
	}
}

// count counts one more of a kind; most runs have none, so the map is made then.
func count(by *map[string]int, kind string) {
	if *by == nil {
		*by = map[string]int{}
	}
	(*by)[cmp.Or(kind, "other")]++
}

// seconds has milliseconds at most.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// shown is a path as it can be printed and put into JSON: as it is, unless
// that is impossible.
func shown(path string) string {
	if utf8.ValidString(path) {
		return path
	}
	return filewalk.Printable(path)
}

// explain says why a call failed and what to do.
func explain(err error) (reason, code string) {
	var p *client.Problem
	var unreachable *client.UnreachableError
	var refused *client.StorageError
	switch {
	case errors.As(err, &unreachable):
		return err.Error() + "; run the same command again when it is back", "unreachable"
	case errors.As(err, &refused):
		return err.Error() + "; run the same command again, or check the server's storage settings", "upload_refused"
	case errors.As(err, &p):
		return err.Error(), p.Code
	}
	return err.Error(), ""
}

// fileError is something wrong with the file itself.
type fileError struct {
	code, text string
}

func (e *fileError) Error() string { return e.text }

func changed() error {
	return &fileError{"file_changed", "the file changed while it was being read; run the same command again when nothing writes to it"}
}

func unreadable(err error) error {
	return &fileError{"unreadable", fmt.Sprintf("it can't be read: %v", err)}
}
