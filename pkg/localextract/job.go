package localextract

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/filewalk"
)

// Codes of files that did not get as far as a parser, or whose text could not
// be kept; the others are those of package extract/block.
const (
	CodeChanged     = "changed"
	CodeDiskFull    = "disk_full"
	CodeExtractor   = "extractor_unavailable"
	CodeNameTaken   = "name_taken"
	CodeNotAFile    = "not_a_file"
	CodeNotFound    = "not_found"
	CodeUnreadable  = "unreadable"
	CodeWriteFailed = "write_failed"
)

// job is one file.
type job struct {
	c       Config
	outcome *Outcome
	place   place
	picture bool // without text that could be read: a photograph, maybe
}

// do fills in the outcome.
func (j *job) do(ctx context.Context) {
	e := j.outcome.Entry
	switch {
	case e.Err != nil:
		j.unreadable(e.Err)
	case e.Skip != "":
		j.refuse(CodeNotAFile, "It is "+e.Skip+".")
	case j.place.taken:
		j.fail(CodeNameTaken, fmt.Sprintf("Its text would be written to %s, where another file's is. Extract it in a run of its own, to another directory.", j.place.name))
	default:
		doc, err := j.extract(ctx)
		if err != nil {
			j.failed(err)
			return
		}
		j.finish(doc)
	}
}

// extract reads the file in a parser process.
func (j *job) extract(ctx context.Context) (*extract.Document, error) {
	path := j.outcome.Entry.Path
	f, before, err := filewalk.Open(path)
	if err != nil {
		return nil, &openError{err}
	}
	defer func() { _ = f.Close() }()
	if before.Size() == 0 {
		return nil, block.Errorf(block.CodeEmpty, "This file is empty.")
	}
	base := filepath.Base(path)
	doc, err := j.c.Pool.Extract(ctx, extract.Request{File: f, Name: base, Password: j.c.Password}, nil)
	if after, statErr := f.Stat(); statErr == nil && (after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())) {
		return nil, block.Errorf(CodeChanged, "This file was changed while it was read. Extract it again when it is complete.")
	}
	var coded *extract.Error
	if errors.As(err, &coded) && (coded.Code == block.CodeNeedsOCR || coded.Code == block.CodeNoText) {
		found, detectErr := extract.Detect(f, before.Size(), base, "")
		j.picture = detectErr == nil && found.Format == detect.Image
	}
	return doc, err
}

// openError is a file that can't be opened.
type openError struct{ error }

func (j *job) failed(err error) {
	var coded *extract.Error
	var open *openError
	switch {
	case errors.As(err, &open):
		j.unreadable(open.error)
	case errors.As(err, &coded) && (coded.Code == block.CodeUnsupported || coded.Code == block.CodeEmpty || j.picture):
		j.refuse(coded.Code, coded.Message)
	case errors.As(err, &coded):
		j.fail(coded.Code, coded.Message)
	default:
		j.fail(CodeExtractor, fmt.Sprintf("The file could not be given to a parser process: %v.", err))
	}
}

func (j *job) unreadable(err error) {
	if errors.Is(err, fs.ErrNotExist) {
		j.fail(CodeNotFound, "There is no such file.")
		return
	}
	j.fail(CodeUnreadable, fmt.Sprintf("It can't be read: %v.", err))
}

func (j *job) fail(code, reason string) { j.outcome.Code, j.outcome.Reason = code, reason }

// refuse fails a file that was named. One that only lay in a directory is
// passed over: nobody said that it is a document.
func (j *job) refuse(code, reason string) {
	if j.outcome.Entry.Named {
		j.fail(code, reason)
		return
	}
	j.outcome.Code, j.outcome.Skipped = code, reason
}

// finish puts the document into the form asked for, and that where it goes.
func (j *job) finish(doc *extract.Document) {
	rendered := extract.Render(doc)
	if strings.TrimSpace(rendered.Text) == "" {
		j.failed(extract.NoText())
		return
	}
	body, err := j.c.Form.body(j.outcome.Entry.Path, doc, rendered)
	if err != nil {
		j.fail(CodeWriteFailed, fmt.Sprintf("Its text can't be written as %s: %v.", j.c.Form, err))
		return
	}
	for _, p := range doc.PageErrors {
		j.outcome.Notes = append(j.outcome.Notes, fmt.Sprintf("page %d is missing: %s", p.Page, p.Message))
	}
	j.outcome.Notes = append(j.outcome.Notes, doc.Warnings...)
	if j.c.Tree == nil {
		j.outcome.Body = body
		return
	}
	switch err := j.c.Tree.write(j.place.name, body); {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		j.fail(CodeDiskFull, fmt.Sprintf("Its text was not written: %v. Free some space and extract it again.", err))
	case err != nil:
		j.fail(CodeWriteFailed, fmt.Sprintf("Its text was not written: %v.", err))
	default:
		j.outcome.Written = j.c.Tree.path(j.place.name)
	}
}
