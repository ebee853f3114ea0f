package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"golang.org/x/text/unicode/norm"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// minWordsOfPages is how many words a PDF or DOCX needs before another file
// with the same text counts as its duplicate. Both hold pictures that text
// says nothing of: two scans with the same stamp are not the same document,
// and a duplicate's upload is removed.
const minWordsOfPages = 50

// countsAsText reports whether the text alone says that two files are the same.
func countsAsText(d *extract.Document) bool {
	switch d.Format {
	case "text", "markdown", "html":
		return !d.Partial
	default:
		return !d.Partial && d.Meta.Words >= minWordsOfPages
	}
}

// textHash is the sha256, in hex, of text in NFKC with every run of white
// space as one space: line ends, wrapping and ligatures make no difference.
func textHash(text string) string {
	h := sha256.New()
	var buf []byte
	for word := range strings.FieldsSeq(text) {
		buf = append(norm.NFKC.AppendString(buf[:0], word), ' ')
		h.Write(buf)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// seen returns the document that holds one of the hashes, "" when none does or
// when it cannot be told now: the finish script decides anyhow.
func (e *execution) seen(ctx context.Context, bytesHash, textHash string) string {
	if e.doc.AllowDuplicate || bytesHash == "" && textHash == "" {
		return ""
	}
	holder, err := e.p.c.Documents.ClaimHolder(ctx, e.doc, bytesHash, textHash)
	if err != nil || holder == e.doc.ID {
		return ""
	}
	return holder
}

// isMissing reports whether err says that there is no such document.
func isMissing(err error) bool {
	var e *document.Error
	return errors.As(err, &e) && e.Kind == document.NotFound
}

// duplicate gives the result of a document that is the same as holder. ok is
// false when holder is gone, or only a part of it was read: its claims are
// dropped then.
func (e *execution) duplicate(ctx context.Context, holder string) (res worker.Result, ok bool, err error) {
	var of *document.Document
	err = waitForRedis(ctx, func() (err error) {
		of, err = e.p.c.Documents.Record(ctx, holder)
		return err
	})
	if isMissing(err) || err == nil && (of.Status != document.Completed || of.Partial) {
		return worker.Result{}, false, waitForRedis(ctx, func() error {
			_, err := e.p.c.Documents.ReleaseStaleClaim(ctx, e.doc, holder, e.manifest.SHA256, e.manifest.TextSHA256)
			return err
		})
	}
	if err != nil {
		return worker.Result{}, false, err
	}
	if err := e.keepDifferent(ctx, of); err != nil {
		return worker.Result{}, false, err
	}
	e.borrow(of)
	e.manifest.Seconds = e.seconds()
	effects, conditions := e.p.c.Documents.Duplicate(e.doc, holder, e.manifest)
	return worker.Result{
		Value:   value(e.doc.ID, document.Duplicate, holder, of.Pages, of.TotalChunks, of.Words, e.manifest.Seconds),
		Effects: effects, Conditions: conditions, OnConflict: e.again, Settled: e.settled,
	}, true, nil
}

// keepDifferent keeps the original of a duplicate, where originals are kept and
// that of the document it is the same as is another, or not ours.
func (e *execution) keepDifferent(ctx context.Context, of *document.Document) error {
	e.manifest.OriginalKey = ""
	if !e.p.c.Documents.KeepOriginal() || e.doc.SourceKey != "" || of.SHA256 == e.manifest.SHA256 && of.OriginalKey != "" {
		return nil
	}
	return e.keepOriginal(ctx)
}

// borrow fills the manifest of a duplicate from the document whose text and
// chunks will be answered for it.
func (e *execution) borrow(of *document.Document) {
	m := e.manifest
	m.Chunks = of.TotalChunks
	if m.Format != "" {
		return // it was extracted itself
	}
	m.Format, m.MIME, m.Extractor = of.Format, of.MIME, of.Extractor
	m.Metadata = document.Metadata{Title: of.TextTitle, Author: of.Author, Language: of.Language}
	m.Pages, m.Words, m.TextBytes, m.TextSHA256 = of.Pages, of.Words, of.TextBytes, of.TextSHA256
	m.Partial, m.FailedPages, m.Warnings = of.Partial, of.FailedPages, of.Warnings
}

// again runs when a duplicate could not be committed: the document it is the
// same as was deleted at that moment, or the record changed.
func (e *execution) again(ctx context.Context, _ *rq.ConditionError) (worker.Result, error) {
	if res, done, err := e.recheck(ctx); done {
		return res, err
	}
	res, err := e.run(ctx)
	if err != nil {
		return worker.Result{Settled: e.settled}, classify(ctx, err)
	}
	return res, nil
}

// complete gives the result of a document that is new.
func (e *execution) complete() worker.Result {
	effects, conditions := e.p.c.Documents.Complete(e.doc, e.manifest)
	return worker.Result{
		Value:   value(e.doc.ID, document.Completed, "", e.manifest.Pages, e.manifest.Chunks, e.manifest.Words, e.manifest.Seconds),
		Effects: effects, Conditions: conditions, Settled: e.settled,
		OnConflict: e.lost,
	}
}

// lost runs when the commit was refused: another document of the same content
// was first, or the record changed.
func (e *execution) lost(ctx context.Context, c *rq.ConditionError) (worker.Result, error) {
	if kind, holder := e.p.c.Documents.ConflictOf(e.doc, c); kind == document.ClaimTaken {
		res, ok, err := e.duplicate(ctx, holder)
		switch {
		case err != nil:
			return worker.Result{Settled: e.settled}, classify(ctx, err)
		case ok:
			return res, nil
		}
		return e.complete(), nil // the holder is gone and its claim dropped
	}
	if res, done, err := e.recheck(ctx); done {
		return res, err
	}
	return worker.Result{Settled: e.settled}, transient(worker.CodeConflict, "The document's record changed while it was processed: %w", c)
}

// recheck looks at the record again after a refused commit. done means that
// there is nothing left to process.
func (e *execution) recheck(ctx context.Context) (res worker.Result, done bool, err error) {
	var doc *document.Document
	err = waitForRedis(ctx, func() (err error) {
		doc, err = e.p.c.Documents.Begin(ctx, e.task.Job)
		return err
	})
	if err != nil {
		return worker.Result{Settled: e.settled}, true, classify(ctx, err)
	}
	if doc.Status == document.Completed || doc.Status == document.Duplicate {
		return worker.Result{Value: valueOf(doc), Settled: e.settled}, true, nil
	}
	e.doc = doc
	return worker.Result{}, false, nil
}

// value is the job's result, as the package comment documents it.
func value(id string, status document.State, of string, pages, chunks, words int, seconds float64) map[string]any {
	v := map[string]any{"document_id": id, "status": string(status),
		"pages": pages, "chunks": chunks, "words": words, "seconds": seconds}
	if of != "" {
		v["duplicate_of"] = of
	}
	return v
}

// valueOf is the result of a document that was processed before.
func valueOf(d *document.Document) map[string]any {
	return value(d.ID, d.Status, d.DuplicateOf, d.Pages, d.TotalChunks, d.Words, d.ProcessingTime.Seconds())
}
