// Package html turns HTML pages of any charset into blocks. It walks over the
// tokens of the page once, without building a tree and without recursion, so
// that depth and size cost nothing but time in proportion.
package html

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/net/html"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
)

// Version changes whenever the output for some file changes.
const Version = "2"

const (
	// maxToken bounds one text, tag or script, in bytes of UTF-8: pages saved as one file hold
	// pictures of megabytes as attributes.
	maxToken = 32 << 20
	// checkEvery is how many tokens pass between two looks at the context.
	checkEvery = 1024
	// prescan is how much of a page is searched for its declaration of a charset.
	prescan = 4096
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	return parse(ctx, f, size, o, sink, maxToken)
}

func parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink, maxToken int) error {
	head := make([]byte, min(size, prescan))
	if n, err := f.ReadAt(head, 0); err != nil && err != io.EOF {
		return err
	} else {
		head = head[:n]
	}
	enc, err := charset.Find(f, size, o.Charset, declaredCharset(head))
	if err != nil {
		return err
	}
	if enc.Invalid > 0 {
		if err := sink.Warn("some characters of the page are damaged"); err != nil {
			return err
		}
	}
	in := &counter{r: io.NewSectionReader(f, 0, size)}
	progress := block.NewProgress(sink, size)
	w := newWalker(ctx, enc.Reader(in), sink.Block, maxToken)
	w.aside = sink.Aside
	w.tick = func() error { return progress.At(in.n) }
	err = w.walk()
	if errors.Is(err, html.ErrBufferExceeded) {
		err = w.tooLong(sink)
	}
	if err != nil {
		return err
	}
	if w.skipping != "" && w.skipped > 0 {
		if err := sink.Warn(block.TextIncomplete + "the page has an element <" + w.skipping + "> that never ends; what comes after it was not read"); err != nil {
			return err
		}
	}
	if w.emitted == 0 {
		return block.Errorf(block.CodeNoText, "This page has no text.")
	}
	if err := sink.Meta(w.meta.metadata()); err != nil {
		return err
	}
	return progress.Finish()
}

// Fragment reads a piece of HTML that stands within another document.
func Fragment(ctx context.Context, raw []byte, emit func(block.Block) error) error {
	enc := charset.FindBytes(raw, declaredCharset(raw[:min(len(raw), prescan)]))
	w := newWalker(ctx, enc.Reader(bytes.NewReader(raw)), emit, len(raw)+1)
	return w.walk()
}

// tooLong ends a page with a token that is too long: with what came before
// it, if anything did.
func (w *walker) tooLong(sink block.Sink) error {
	if err := w.finish(); err != nil {
		return err
	}
	if w.emitted == 0 {
		return block.Errorf(block.CodeTooLarge, "This page was refused: it holds a single text, tag or script of more than %d bytes.", w.maxToken)
	}
	return sink.Warn(block.TextIncomplete + fmt.Sprintf("the page holds a single text, tag or script of more than %d bytes; what comes after it was not read", w.maxToken))
}

// counter counts what is read of a file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}
