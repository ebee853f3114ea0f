// Package blocktest runs format parsers in tests and collects what they
// report.
package blocktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Document is what a parser reported.
type Document struct {
	Meta       block.Metadata
	Blocks     []block.Block
	Asides     []block.Block
	Warnings   []string
	PageErrors []string
	Done       int // PageDone calls
}

// Sink collects a Document. Err, when set, is returned by every call from the
// FailAfter-th on.
type Sink struct {
	Document
	FailAfter int
	Err       error
	calls     int
	size      int
}

// maxText bounds what a Sink collects, in bytes, as every reader of a parser
// does: some files have more text than there is memory.
const maxText = 64 << 20

func (s *Sink) take(b block.Block) error {
	s.size += len(b.Text)
	for _, cell := range flatten(b.Rows) {
		s.size += len(cell)
	}
	if s.size > maxText {
		return block.Errorf(block.CodeTooLarge, "The text of this document is larger than %d bytes.", maxText)
	}
	return nil
}

func (s *Sink) call() error {
	s.calls++
	if s.Err != nil && s.calls > s.FailAfter {
		return s.Err
	}
	return nil
}

// Meta implements block.Sink.
func (s *Sink) Meta(m block.Metadata) error { s.Document.Meta = m; return s.call() }

// Block implements block.Sink.
func (s *Sink) Block(b block.Block) error {
	if err := s.take(b); err != nil {
		return err
	}
	s.Blocks = append(s.Blocks, b)
	return s.call()
}

// Aside implements block.Sink.
func (s *Sink) Aside(b block.Block) error {
	if err := s.take(b); err != nil {
		return err
	}
	s.Asides = append(s.Asides, b)
	return s.call()
}

// PageDone implements block.Sink.
func (s *Sink) PageDone(int, int) error { s.Done++; return s.call() }

// Warn implements block.Sink.
func (s *Sink) Warn(text string) error { s.Warnings = append(s.Warnings, text); return s.call() }

// PageError implements block.Sink.
func (s *Sink) PageError(page int, text string) error {
	s.PageErrors = append(s.PageErrors, fmt.Sprintf("%d: %s", page, text))
	return s.call()
}

// File writes raw to a temporary file and opens it.
func File(t testing.TB, raw []byte) *os.File {
	t.Helper()
	name := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// Try parses raw.
func Try(t testing.TB, p block.Parser, raw []byte, o block.Options) (Document, error) {
	t.Helper()
	var s Sink
	f := File(t, raw)
	err := p(context.Background(), f, int64(len(raw)), o, &s)
	return s.Document, err
}

// Parse parses raw and fails the test when that fails.
func Parse(t testing.TB, p block.Parser, raw []byte, o block.Options) Document {
	t.Helper()
	d, err := Try(t, p, raw, o)
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	return d
}

// Code is the code of a *block.Error, "" for any other error.
func Code(err error) string {
	var e *block.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Outline writes blocks one per line, short enough to compare with: kind and
// level, label in parentheses, text; rows of tables in brackets.
func Outline(blocks []block.Block) string {
	var b strings.Builder
	for _, x := range blocks {
		b.WriteString(string(x.Kind))
		if x.Level > 0 {
			fmt.Fprintf(&b, " %d", x.Level)
		}
		if x.Page > 0 {
			fmt.Fprintf(&b, " p%d", x.Page)
		}
		if x.Label != "" {
			fmt.Fprintf(&b, " (%s)", x.Label)
		}
		if x.HeaderRow {
			b.WriteString(" with header")
		}
		if x.Continues {
			b.WriteString(" ...")
		}
		b.WriteString(":")
		if x.Text != "" {
			b.WriteString(" " + strings.ReplaceAll(x.Text, "\n", "⏎"))
		}
		for _, r := range x.Rows {
			b.WriteString(" [" + strings.ReplaceAll(strings.Join(r, "|"), "\n", "⏎") + "]")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// Check fails the test when what a parser gave or returned breaks the
// contract of package block.
func Check(t testing.TB, d Document, err error) {
	t.Helper()
	if err != nil && Code(err) == "" {
		t.Fatalf("error of another type: %T %v", err, err)
	}
	for _, b := range append(append([]block.Block{}, d.Blocks...), d.Asides...) {
		texts := append([]string{b.Text, b.Label}, flatten(b.Rows)...)
		for _, s := range texts {
			if !utf8.ValidString(s) || block.Clean(s) != s {
				t.Fatalf("%s: unclean text %q", b.Kind, s)
			}
		}
		if b.Kind == block.Heading && (b.Level < 1 || b.Level > 6) {
			t.Fatalf("heading of level %d", b.Level)
		}
		if b.Kind != block.Table && b.Text == "" {
			t.Fatalf("%s without text", b.Kind)
		}
	}
}

func flatten(rows [][]string) []string {
	var all []string
	for _, r := range rows {
		all = append(all, r...)
	}
	return all
}
