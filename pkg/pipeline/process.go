package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// execution is one run of one document.
type execution struct {
	p        *Pipeline
	task     *worker.Task
	doc      *document.Document
	manifest *document.Manifest
	progress *reporter
	began    time.Time
	attempt  int    // which one this is
	wrote    bool   // artifacts were begun: something may have to be removed
	password string // of the file; empty for none
}

// process is the handler.
func (p *Pipeline) process(ctx context.Context, t *worker.Task) (worker.Result, error) {
	if err := checkArguments(t.Job); err != nil {
		return worker.Result{}, err
	}
	var doc *document.Document
	err := waitForRedis(ctx, func() (err error) {
		doc, err = p.c.Documents.Begin(ctx, t.Job)
		return err
	})
	if err != nil {
		return worker.Result{}, classify(ctx, err)
	}
	if doc.Status == document.Completed || doc.Status == document.Duplicate {
		t.Log.Info().Msg("the document was processed before: answering the same again")
		return worker.Result{Value: valueOf(doc)}, nil
	}
	e := &execution{p: p, task: t, doc: doc, began: p.c.Clock(), attempt: doc.Attempts + 1}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	e.progress = newReporter(e, cancel)
	if err := e.progress.begin(ctx); err != nil {
		return worker.Result{}, classify(ctx, err)
	}
	res, err := e.run(ctx)
	e.progress.end()
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, rq.ErrLateFinish) {
			err = cause
		}
		return worker.Result{Settled: e.settled}, classify(ctx, err)
	}
	return res, nil
}

// checkArguments is strict, so that a producer's mistake shows in the job.
func checkArguments(j *rq.Job) error {
	if j.Func == document.ObjectFunc {
		if _, err := document.ObjectArguments(j); err != nil {
			return permanent(CodeBadArguments, "%w", err)
		}
		return nil
	}
	_, ok := document.IDFromJob(j)
	_, named := j.Kwargs["document_id"]
	switch {
	case ok && len(j.Args) == 1 && len(j.Kwargs) == 0, ok && len(j.Args) == 0 && len(j.Kwargs) == 1 && named:
		return nil
	}
	return permanent(CodeBadArguments, "%s takes one argument, document_id, the id of a document as text; it was called as %s",
		document.ProcessFunc, j.Description)
}

// run does the work up to the result that is to be committed.
func (e *execution) run(ctx context.Context) (worker.Result, error) {
	e.manifest = e.p.c.Documents.NewManifest(e.doc, e.task.Execution.ID)
	e.manifest.StartedAt, e.manifest.Attempts = e.began, e.attempt
	file, done, err := e.fetch(ctx)
	if errors.Is(err, objstore.ErrNotFound) {
		if res, known, err := e.stored(ctx); known || err != nil {
			return res, err
		}
		if lost := e.p.c.Documents.CheckBucket(ctx); lost != nil {
			return worker.Result{}, lost
		}
	}
	if err != nil {
		return worker.Result{}, e.unreadable(err)
	}
	defer done()
	if holder := e.seen(ctx, e.manifest.SHA256, ""); holder != "" {
		e.progress.set(document.Progress{Status: document.CheckingDuplicates, Percent: 90, Step: "these bytes were processed before"})
		res, ok, err := e.duplicate(ctx, holder)
		if ok || err != nil {
			return res, err
		}
	}
	extracted, err := e.extract(ctx, file)
	if err != nil {
		return worker.Result{}, err
	}
	thumbnail := e.thumbnail(ctx, file, extracted.Format)
	attachments, warnings, release, err := e.unpack(ctx, file, extracted.Format)
	defer release()
	if err != nil {
		return worker.Result{}, err
	}
	extracted.Warnings = append(extracted.Warnings, warnings...)
	done() // the file isn't needed any more
	rendered := extract.Render(extracted)
	if strings.TrimSpace(rendered.Text) == "" {
		return worker.Result{}, extract.NoText()
	}
	e.describe(extracted, rendered)
	e.progress.set(document.Progress{Status: document.CheckingDuplicates, Percent: 65, Step: "looking for the same text"})
	if holder := e.seen(ctx, "", e.manifest.TextSHA256); holder != "" {
		res, ok, err := e.duplicate(ctx, holder)
		if ok || err != nil {
			return res, err
		}
	}
	chunks, err := e.chunk(ctx, rendered)
	if err != nil {
		return worker.Result{}, err
	}
	if err := e.takeIn(ctx, attachments); err != nil {
		return worker.Result{}, err
	}
	if err := e.store(ctx, rendered, chunks, thumbnail); err != nil {
		return worker.Result{}, err
	}
	return e.complete(), nil
}

// extract reads the file in a child process.
func (e *execution) extract(ctx context.Context, file *os.File) (*extract.Document, error) {
	err := waitForRedis(ctx, func() (err error) {
		e.password, err = e.p.c.Documents.Password(ctx, e.doc.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	e.progress.set(document.Progress{Status: document.Extracting, Percent: 10, Step: "reading the file"})
	req := extract.Request{File: file, Name: e.doc.Filename, DeclaredType: e.doc.ContentType, Password: e.password}
	doc, err := e.p.c.Pool.Extract(ctx, req, func(p extract.Progress) {
		e.progress.set(pagesRead(p))
	})
	var coded *extract.Error
	switch {
	case err == nil:
		return doc, nil
	case ctx.Err() != nil, errors.As(err, &coded):
		return nil, err
	default:
		return nil, transient(CodeExtractor, "The file could not be given to a parser process: %w", err)
	}
}

// thumbnail draws the first page. A document is not less complete without it.
func (e *execution) thumbnail(ctx context.Context, file *os.File, format string) []byte {
	if e.p.c.Thumbnails == nil {
		return nil
	}
	req := extract.Request{File: file, Name: e.doc.Filename, DeclaredType: e.doc.ContentType, Password: e.password}
	picture, err := e.p.c.Thumbnails.Thumbnail(ctx, req, format)
	if err != nil && ctx.Err() == nil {
		e.task.Log.Info().Err(err).Msg("the document has no thumbnail: its first page could not be drawn")
	}
	return picture
}

// pagesRead gives extraction the percents from 10 to 60.
func pagesRead(p extract.Progress) document.Progress {
	out := document.Progress{Status: document.Extracting, Percent: 10, Step: "reading the file", Page: p.Page, Pages: p.Pages}
	if p.Pages > 0 {
		out.Percent += 50 * min(p.Page, p.Pages) / p.Pages
		out.Step = fmt.Sprintf("read %d of %d", p.Page, p.Pages)
		if p.Stage == extract.StageRecognising {
			out.Step = fmt.Sprintf("read %d of %d, recognising text in pictures", p.Page, p.Pages)
		}
	}
	return out
}

// chunk divides the text, by the document's own sizes where it brings them.
func (e *execution) chunk(ctx context.Context, r extract.Rendered) ([]chunk.Chunk, error) {
	e.progress.set(document.Progress{Status: document.Chunking, Percent: 70, Step: "dividing the text"})
	o := e.p.c.Chunk
	if e.doc.ChunkTokens != nil {
		o.MaxTokens = *e.doc.ChunkTokens
	}
	if e.doc.ChunkOverlap != nil {
		o.Overlap = *e.doc.ChunkOverlap
	}
	chunks, err := chunk.Split(r, e.doc.ID, o)
	if err != nil {
		return nil, permanent(CodeChunking, "The text could not be divided into chunks: %w", err)
	}
	e.manifest.Chunks, e.manifest.ChunkTokens, e.manifest.ChunkOverlap = len(chunks), o.MaxTokens, o.Overlap
	return chunks, ctx.Err()
}

// describe puts what extraction found into the manifest.
func (e *execution) describe(d *extract.Document, r extract.Rendered) {
	m := e.manifest
	m.Format, m.MIME, m.Extractor = d.Format, d.MIME, d.Version
	m.Metadata = document.Metadata{Title: d.Meta.Title, Author: d.Meta.Author, Language: d.Meta.Language,
		Created: d.Meta.Created, Modified: d.Meta.Modified, PageLabels: d.Meta.PageLabels}
	m.Pages, m.Words = d.Meta.Pages, d.Meta.Words
	m.TextBytes, m.BodyEnd = int64(len(r.Text)), int64(r.BodyEnd)
	m.Partial, m.Warnings = d.Partial, d.Warnings
	m.FailedPages, m.PageErrors = nil, nil
	for _, p := range d.PageErrors {
		m.FailedPages = append(m.FailedPages, p.Page)
		m.PageErrors = append(m.PageErrors, document.PageError{Page: p.Page, Error: p.Message})
	}
	if countsAsText(d) {
		m.TextSHA256 = textHash(r.Text)
	}
}

// waitForRedis repeats f while Redis cannot serve and ctx lasts.
func waitForRedis(ctx context.Context, f func() error) error {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := f()
		if err == nil || !unavailable(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// unavailable reports whether err means Redis alone: storage has retries of
// its own and then costs one of the job's.
func unavailable(err error) bool { return rq.IsUnavailable(err) }
