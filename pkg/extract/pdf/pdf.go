// Package pdf reads PDF files with PDFium compiled to WebAssembly.
//
// PDFium gives the characters of a page in reading order, with a line break
// wherever it sees one. What is made of that here:
//
//   - words that a hyphen divides at the end of a line are put together again;
//     lines become paragraphs by their distances, indents and lengths
//     (layout.go); headings are found by the document's outline, else by size
//     and weight (heading.go);
//   - lines that recur at the same place of neighbouring pages are headers and
//     footers and go to the asides (furniture.go), as do the values of form fields and the
//     texts of annotations (annotation.go);
//   - spacing accents, as TeX sets them, are put on their letters (glyphs.go).
//
// # What an operator should know
//
// PDFium runs without checking for cancellation inside a call, which makes it
// three times as fast: a call can't be interrupted, and holds up the garbage collector.
// So a Reader belongs in a process that can be killed. It sees no
// file but the one it reads: the sandbox has an empty file system.
//
// Compiling PDFium takes about 2 seconds and 400 MB. Compile does that once and keeps the
// result below a directory that is this user's own (package code), from where it loads in
// under 100 ms. Without Options.CacheDir every Reader compiles for itself.
package pdf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// Reader reads one PDF after another. PDFium is loaded for the first and kept.
type Reader struct {
	mu     sync.Mutex
	engine *engine
}

// NewReader makes a Reader. It takes nothing until the first document.
func NewReader() *Reader { return &Reader{} }

// Warm loads PDFium.
func (r *Reader) Warm(_ context.Context, o block.Options) error {
	_, err := r.load(o)
	return err
}

// Close gives back what PDFium takes. The Reader can be used again.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.engine == nil {
		return nil
	}
	err := r.engine.close()
	r.engine = nil
	return err
}

func (r *Reader) load(o block.Options) (*engine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.engine != nil {
		return r.engine, nil
	}
	e, err := newEngine(o)
	if err != nil {
		return nil, fmt.Errorf("loading PDFium: %w", err)
	}
	r.engine = e
	return e, nil
}

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func (r *Reader) Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	if size > math.MaxUint32 {
		return block.Errorf(block.CodeTooLarge, "This PDF is larger than 4 GiB, the most that can be read. Split it into smaller documents.")
	}
	e, err := r.load(o)
	if err != nil {
		return err
	}
	d := &document{engine: e, file: f, size: size, password: o.Password, ratio: cmp.Or(max(o.MaxRatio, 0), maxRatio)}
	defer d.close()
	if err := d.openWithin(ctx); err != nil {
		return err
	}
	if o.MaxPages > 0 && d.pages > o.MaxPages {
		return block.Errorf(block.CodeTooLarge, "This PDF has %d pages, more than the %d that are taken from one document. Split it into smaller documents.", d.pages, o.MaxPages)
	}
	if orders, ok := sink.(block.Orders); ok {
		begins, _ := sink.(block.PageBeginner)
		return d.serve(ctx, o.Pages, orders, begins)
	}
	if err := sink.Meta(d.metadata()); err != nil {
		return err
	}
	return d.read(ctx, o.Pages, sink)
}

// read goes through the pages: one goroutine has PDFium read them, this one
// makes blocks of them. A page that fails is reported and left out.
func (d *document) read(ctx context.Context, part block.PageRange, sink block.Sink) error {
	begins, _ := sink.(block.PageBeginner)
	noter, _ := sink.(block.PictureNoter)
	pictures := 0
	helper, err := d.help(part, sink)
	if err != nil {
		return err
	}
	if part.From > 1 {
		sink = onward{Sink: sink, from: part.From}
	}
	a := newAssembler(sink, d.outline())
	attachments := d.attachments()
	ctx, cancel := context.WithCancel(ctx)
	pages := d.pages
	results, ended := make(chan result, 2), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(results)
		p := &producer{document: d, part: part, begins: begins, results: results, helper: helper}
		p.run(ctx)
	}()
	defer func() { cancel(); <-ended }() // the instance is not closed before

	failed, exhausted := 0, false
	for r := range results {
		err := r.fatal
		switch {
		case err != nil:
		case r.page != nil:
			if err = a.add(r.page); err == nil && r.page.picture && noter != nil && r.n >= part.From {
				pictures++
				err = noter.IsPicture(r.n)
			}
		case r.skipped:
		default:
			failed++
			exhausted = exhausted || r.exhausted
			err = sink.PageError(r.n, r.failure)
		}
		if err == nil {
			err = sink.PageDone(r.n, pages)
		}
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := finish(a, sink, attachments); err != nil {
		return err
	}
	if part.From > 1 || pictures > 0 {
		return nil // there was text before, or will be
	}
	if exhausted && !a.anything {
		return d.needsMemory()
	}
	return verdict(a, pages, failed)
}

// finish hands out what the assembler still holds, then the attachments.
func finish(a *assembler, sink block.Sink, attachments []block.Block) error {
	if err := a.finish(); err != nil {
		return err
	}
	for _, b := range attachments {
		if err := sink.Aside(b); err != nil {
			return err
		}
	}
	return nil
}

// onward leaves out what is of pages before from. They are read only to see
// what recurs on the pages after them.
type onward struct {
	block.Sink
	from int
}

func (o onward) Block(b block.Block) error {
	if b.Page < o.from {
		return nil
	}
	return o.Sink.Block(b)
}

func (o onward) Aside(b block.Block) error {
	if b.Page > 0 && b.Page < o.from {
		return nil
	}
	return o.Sink.Aside(b)
}

func (o onward) PageError(page int, text string) error {
	if page < o.from {
		return nil
	}
	return o.Sink.PageError(page, text)
}

// help asks for another process where there are pages enough to share.
func (d *document) help(part block.PageRange, sink block.Sink) (block.Helper, error) {
	helped, ok := sink.(block.Helped)
	if !ok || d.pages-part.From < leastShared {
		return nil, nil
	}
	return helped.Help()
}

// result is what became of one page: read, skipped, failed, or the end of everything.
type result struct {
	n         int
	skipped   bool
	trapped   bool // it broke PDFium down
	exhausted bool // it needs more memory than there is
	page      *page
	failure   string // a sentence
	fatal     error
}

// maxTraps bounds how often PDFium is started anew for one document.
const maxTraps = 10

func (d *document) produceOne(ctx context.Context, n int, part block.PageRange, begins block.PageBeginner) result {
	r := result{n: n, skipped: part.Skips(n)}
	if r.skipped {
		return r
	}
	if begins != nil {
		if r.fatal = begins.PageBegins(n); r.fatal != nil {
			return r
		}
	}
	var err error
	r.page, err = d.page(n)
	if d.memory.refused {
		var wider bool
		if wider, r.fatal = d.widen(ctx); r.fatal != nil {
			return r
		}
		if wider {
			r.page, err = d.page(n)
		}
	}
	var trap *trapError
	switch {
	case d.memory.refused:
		r.page, r.failure, r.trapped, r.exhausted = nil, "This page could not be read: it needs too much memory.", true, true
		r.fatal = d.reopen(ctx)
	case err == nil:
	case errors.As(err, &trap):
		r.page, r.failure, r.trapped = nil, "This page could not be read: its content is damaged or needs too much memory.", true
		r.fatal = d.reopen(ctx)
	default:
		r.page, r.failure = nil, "This page could not be read: the file is damaged there."
	}
	return r
}

// trapped is the error of a document that broke PDFium down too often.
func (d *document) trapped(r result) error {
	if r.exhausted {
		return d.needsMemory()
	}
	return block.Errorf(block.CodeCrash, "Reading this PDF failed on many pages, the last of them page %d. The file may be damaged: open it in the program it was made with and save it again.", r.n)
}

// verdict is the error for a PDF that gave nothing.
func verdict(a *assembler, pages, failed int) error {
	switch {
	case a.anything:
		return nil
	case failed == pages:
		return block.Errorf(block.CodeCorrupt, "No page of this PDF could be read. The file is damaged: open it in the program it was made with and save it again.")
	case a.unmapped > 0:
		return block.Errorf(block.CodeNeedsOCR, "The fonts of this PDF don't say which characters its glyphs stand for, so its text can only be recognised (OCR). Or export it again with text that can be copied.")
	case a.pictures:
		return block.Errorf(block.CodeNeedsOCR, "This PDF has %s and no characters, only pictures of them: its text can only be recognised (OCR).", pagesText(pages))
	case a.drawn:
		return block.Errorf(block.CodeNoText, "This PDF has %s with some lines on them, and no text. Check whether it is the right file.", pagesText(pages))
	default:
		return block.Errorf(block.CodeNoText, "This PDF has %s and nothing on any. Check whether it is the right file.", pagesText(pages))
	}
}

func pagesText(n int) string {
	if n == 1 {
		return "1 page"
	}
	return fmt.Sprintf("%d pages", n)
}
