// Package epub turns e-books (EPUB 2 and 3) into blocks. What the package
// document lists in its spine is read in that order, each document a page, with
// the rules of package html. The table of contents that a book has for reading
// programs is left out, but tells titles from paragraphs; what the spine has beside the reading order stands
// apart from the body.
package epub

import (
	"context"
	"errors"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// maxPages bounds the documents of a book when the options don't say.
const maxPages = 20_000

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	a, err := archive.Open(f, size, archive.LimitsOf(o))
	if err != nil {
		return err
	}
	b := &book{ctx: ctx, a: a, sink: sink}
	if err := b.open(); err != nil {
		return err
	}
	limit := maxPages
	if o.MaxPages > 0 {
		limit = o.MaxPages
	}
	if len(b.spine) > limit {
		return block.Errorf(block.CodeTooLarge, "This book has %d documents, more than the %d that are taken from one. Split it into smaller books.", len(b.spine), limit)
	}
	if err := b.contents(); err != nil {
		return err
	}
	b.meta.Pages = len(b.spine)
	if err := sink.Meta(b.meta); err != nil {
		return err
	}
	begin := func(int) error { return nil }
	if s, ok := sink.(block.PageBeginner); ok {
		begin = s.PageBegins
	}
	for i, item := range b.spine {
		n := i + 1
		if n < o.Pages.From || o.Pages.Skips(n) {
			continue
		}
		if err := begin(n); err != nil {
			return err
		}
		if err := b.page(n, item); err != nil {
			return err
		}
		if err := sink.PageDone(n, len(b.spine)); err != nil {
			return err
		}
	}
	return b.verdict(o)
}

// verdict is the error of a book that gave no text.
func (b *book) verdict(o block.Options) error {
	switch {
	case b.blocks > 0 || b.failed > 0 && b.failed < len(b.spine) || o.Pages.From > 1 || len(o.Pages.Skip) > 0:
		return nil
	case b.failed > 0:
		return block.Errorf(block.CodeCorrupt, "This book is damaged: none of its documents can be read. Get it again from where it came from.")
	case b.images > 0:
		return block.Errorf(block.CodeNeedsOCR, "This book has no text, only %d pictures. Send it as a PDF with text.", b.images)
	}
	return block.Errorf(block.CodeNoText, "This book has no text.")
}

// book is one file being parsed.
type book struct {
	ctx  context.Context
	a    *archive.Archive
	sink block.Sink

	meta   block.Metadata
	items  map[string]item // of the manifest, by id
	spine  []item
	titles map[string]entry // of documents, by part
	images int              // in the manifest
	blocks int              // given to the sink
	failed int              // pages that could not be read
}

// item is a document of the book.
type item struct {
	part      string // name in the archive
	mediaType string
	nav       bool // the table of contents
	apart     bool // not of the reading order
}

// tolerate keeps to itself what is wrong with one part of a book, and tells
// whether something was.
func tolerate(err error) (bad bool, message string, fatal error) {
	var e *block.Error
	switch {
	case err == nil:
		return false, "", nil
	case errors.Is(err, archive.ErrNoPart):
		return true, "it is missing", nil
	case errors.As(err, &e) && e.Code == block.CodeCorrupt:
		return true, e.Message, nil
	}
	return true, "", err
}
