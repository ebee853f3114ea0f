package extract

import (
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ocr"
)

// Text recognition is the second half of an extraction. The child that parsed
// the document has named the pages that are pictures; now a child draws them, one
// after the other, and a tesseract reads each while the child draws the next.
// Neither needs a file: images go from the child over the channel, and from here
// into tesseract's standard input.

// StageRecognising is Progress.Stage while text is recognised in pictures.
const StageRecognising = "recognising"

const (
	// recognitionDPI is the resolution that tesseract's data was made for.
	recognitionDPI = 300
	// drawnPixels bounds a page that is drawn; larger ones are drawn with a lower resolution.
	drawnPixels = 36_000_000
	// maxTable bounds what tesseract answers for one page, in bytes: a dense page has 500 KiB.
	maxTable = 16 << 20
	// poorConfidence is below what text is full of mistakes, of 100.
	poorConfidence = 65
	// maxUnusable is how many pages in a row may fail before the rest is not tried.
	maxUnusable = 5
)

// recognition is that of one document.
type recognition struct {
	*extraction
	engine    *ocr.Engine
	languages []string

	left    []int // pages to be recognised
	texts   map[int]*ocr.Text
	missing map[int]*Error // why there is no text of a page
	unused  int            // pages in a row that tesseract failed on
	done    int
}

// recognise reads the pages that are pictures and puts their text where it
// belongs. Its error is why the document has no text at all, or ctx's cause.
func (e *extraction) recognise(ctx context.Context) error {
	slices.Sort(e.kept.pictures)
	pages := slices.Compact(e.kept.pictures)
	if len(pages) == 0 {
		return nil
	}
	engine, languages, absent, err := e.p.engine(ctx)
	var none *noEngineError
	switch {
	case errors.As(err, &none):
		return e.unrecognised(pages, none.why)
	case err != nil:
		return err
	}
	if len(absent) > 0 {
		e.kept.warn(fmt.Sprintf("text was recognised without the languages %s, which the worker's tesseract has no data for (%s)",
			strings.Join(absent, ", "), Packages(absent)))
	}
	r := &recognition{extraction: e, engine: engine, languages: languages, left: slices.Clone(pages),
		texts: map[int]*ocr.Text{}, missing: map[int]*Error{}, done: e.kept.doc.Meta.Pages - len(pages)}
	if err := r.run(ctx); err != nil {
		return err
	}
	return r.finish(pages)
}

// unrecognised is what becomes of pictures that nobody can read.
func (e *extraction) unrecognised(pages []int, why string) error {
	switch {
	case e.kept.hasText():
		for _, n := range pages {
			e.failed = append(e.failed, PageError{Page: n, Message: "This page is a picture: its text could only be recognised (OCR). " + why})
		}
		e.kept.warn(fmt.Sprintf("%s%s without characters, which text recognition (OCR) has to read: page %s. %s",
			block.TextIncomplete, countOf(len(pages), "page is a picture", "pages are pictures"), pageList(pages), why))
		return nil
	case e.kept.doc.Format == "image":
		return block.Errorf(block.CodeNeedsOCR, "This is an image, and its text has to be recognised (OCR). %s", why)
	default:
		return block.Errorf(block.CodeNeedsOCR, "This document has no characters, only pictures of them on %s: it is probably scanned, and its text has to be recognised (OCR). %s",
			countOf(len(pages), "page", "pages"), why)
	}
}

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// pageList names pages, the first of many.
func pageList(pages []int) string {
	const most = 10
	var list []string
	for i, n := range pages {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(pages)-most))
			break
		}
		list = append(list, fmt.Sprint(n))
	}
	return strings.Join(list, ", ")
}

// errOutOfTime is the cause of the context of a document whose pages are too many.
var errOutOfTime = errors.New("out of time")

// run has all pages drawn and read, with as many children as parsing may use.
func (r *recognition) run(ctx context.Context) error {
	limited, cancel := context.WithTimeoutCause(ctx, r.p.o.OCR.Timeout, errOutOfTime)
	defer cancel()
	for dead := 0; len(r.left) > 0; {
		easel := &easel{most: drawnPixels, failed: r.undrawn,
			page: func(m imageMessage, data []byte) error { return r.read(limited, m, data) }}
		if r.kept.doc.Format == "image" {
			easel.most = int64(r.p.o.MaxPixels)
		}
		painting := block.Painting{Pages: slices.Clone(r.left), DPI: recognitionDPI, MaxPixels: int(easel.most)}
		err := r.p.paint(limited, r.request, r.kept.doc.Format, painting, easel)
		var coded *Error
		var died *deathError
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case limited.Err() != nil:
			r.giveUp(block.Errorf(block.CodeTimeout, "Recognising the text of this document took longer than %s, and this page's turn did not come (extract.ocr_timeout). Split it into smaller documents.", r.p.o.OCR.Timeout))
			return nil
		case err == nil:
			r.giveUp(block.Errorf(block.CodeCrash, "This page was not drawn."))
			return nil
		case errors.As(err, &died):
			err = block.Errorf(block.CodeCrash, "Drawing this page ended its reader (%s).", died.exit)
		}
		if !errors.As(err, &coded) {
			return err
		}
		if dead++; dead >= maxDead || easel.begun == 0 || !slices.Contains(r.left, easel.begun) {
			r.giveUp(coded)
			return nil
		}
		r.fail(easel.begun, coded)
	}
	return nil
}

// giveUp has the pages that are left fail.
func (r *recognition) giveUp(why *Error) {
	for _, n := range slices.Clone(r.left) {
		r.fail(n, why)
	}
}

func (r *recognition) fail(n int, why *Error) {
	r.missing[n] = why
	r.leave(n)
}

// leave takes a page off the list.
func (r *recognition) leave(n int) {
	r.left = slices.DeleteFunc(r.left, func(p int) bool { return p == n })
	if r.done++; r.progress != nil {
		r.progress(Progress{Page: r.done, Pages: r.kept.doc.Meta.Pages, Stage: StageRecognising})
	}
}

// undrawn takes a page that the child could not draw.
func (r *recognition) undrawn(failed PageError) {
	if slices.Contains(r.left, failed.Page) {
		r.fail(failed.Page, &Error{Code: block.CodeCorrupt, Message: failed.Message})
	}
}

// read has tesseract read one page. Whatever it makes of it, the next page has its turn.
func (r *recognition) read(ctx context.Context, m imageMessage, data []byte) error {
	if !slices.Contains(r.left, m.Page) || int64(m.Width)*int64(m.Height) != int64(len(data)) {
		return fmt.Errorf("%w: an image of page %d, %d x %d pixels in %d bytes", errFrame, m.Page, m.Width, m.Height, len(data))
	}
	if r.unused >= maxUnusable {
		r.fail(m.Page, block.Errorf(block.CodeCrash, "This page was not tried: text recognition failed on the %d before it.", r.unused))
		return nil
	}
	picture := &bitmap{page: m.Page, dpi: plausible(m.DPI),
		gray: image.Gray{Pix: data, Stride: m.Width, Rect: image.Rect(0, 0, m.Width, m.Height)}}
	text, err := r.p.readPicture(ctx, r.engine, r.languages, picture)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrClosed):
		return err
	case err != nil:
		r.unused++
		r.fail(m.Page, r.p.coded(err))
		return nil
	}
	r.unused = 0
	for _, b := range text.Blocks {
		r.kept.size += blockCost + int64(len(b.Text))
	}
	if r.kept.size > r.kept.max {
		return tooMuchText(r.kept.max)
	}
	r.texts[m.Page] = text
	r.leave(m.Page)
	return nil
}

// plausible is a resolution that an image claims, or 0 where it can't be the
// one that text on it was scanned with: then it is estimated.
func plausible(dpi int) int {
	if dpi < 100 || dpi > 1200 {
		return 0
	}
	return dpi
}

// readPicture starts a tesseract for one picture.
func (p *Pool) readPicture(ctx context.Context, e *ocr.Engine, languages []string, picture *bitmap) (*ocr.Text, error) {
	answer, err := p.run(ctx, p.tesseract(e, picture, ocr.Arguments(languages, picture.dpi), p.o.OCR.PageTimeout, maxTable))
	if err != nil {
		return nil, err
	}
	return ocr.ReadTSV(answer)
}

// finish puts the texts between those of the other pages, and says what is missing.
func (r *recognition) finish(pages []int) error {
	var poor []int
	total, weight := 0.0, 0
	for _, n := range pages {
		text := r.texts[n]
		if why := r.missing[n]; why != nil {
			r.failed = append(r.failed, PageError{Page: n, Message: why.Message})
		}
		if text == nil || len(text.Blocks) == 0 {
			continue
		}
		for i := range text.Blocks {
			text.Blocks[i].Page = n
			weight += len(text.Blocks[i].Text)
			total += text.Confidence * float64(len(text.Blocks[i].Text))
		}
		if text.Confidence < poorConfidence {
			poor = append(poor, n)
		}
		r.kept.insert(text.Blocks)
	}
	r.kept.doc.Version += " " + r.engine.Stamp(r.languages)
	if weight > 0 {
		r.kept.warn(fmt.Sprintf("the text of %s was recognised in pictures, with a confidence of %.0f %%", countOf(len(r.texts), "page", "pages"), total/float64(weight)))
	}
	if len(poor) > 0 {
		r.kept.warn(fmt.Sprintf("low confidence: much of what was recognised on page %s may be wrong. A better scan (300 dpi, straight, sharp) or the right languages (extract.ocr_languages) help", pageList(poor)))
	}
	if r.kept.hasText() {
		return nil
	}
	for _, n := range pages {
		if why := r.missing[n]; why != nil {
			return block.Errorf(why.Code, "This document has no characters, only pictures of them, and recognising them (OCR) failed. %s", why.Message)
		}
	}
	return block.Errorf(block.CodeNoText, "No text was recognised on %s, which %s. If there is some, send a better scan (300 dpi, straight, sharp), or set the right languages (extract.ocr_languages).",
		countOf(len(pages), "picture", "pictures"), map[bool]string{true: "is all there is", false: "are all there is"}[len(pages) == 1])
}

// insert puts the blocks of a page before those of the pages after it.
func (c *collector) insert(blocks []Block) {
	page := blocks[0].Page
	at := len(c.doc.Blocks)
	for at > 0 && c.doc.Blocks[at-1].Page > page {
		at--
	}
	c.doc.Blocks = slices.Insert(c.doc.Blocks, at, blocks...)
}
