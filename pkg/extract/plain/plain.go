// Package plain turns text files of any charset into paragraphs. Lines stay
// as they are; form feeds are page breaks.
package plain

import (
	"bytes"
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/textline"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// pieceSize is how much of a paragraph is held before it is handed on, in bytes.
const pieceSize = 256 << 10

// Parse reads f and reports its paragraphs, which blank lines separate, to
// sink. It is a block.Parser. Pages are counted only in files with form feeds.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	r, err := textline.Open(ctx, f, size, o.Charset, sink)
	if err != nil {
		return err
	}
	p := &parser{sink: sink, maxPages: o.MaxPages}
	paged, err := r.HasFormFeed()
	if err != nil {
		return err
	}
	if paged {
		p.page = 1
	}
	for {
		line, whole, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = p.line(line, whole)
		}
		if err != nil {
			return err
		}
	}
	if err := p.flush(); err != nil {
		return err
	}
	if !p.any {
		return block.Errorf(block.CodeNoText, "This file has no text, only blanks.")
	}
	if p.last > 0 {
		if err := sink.Meta(block.Metadata{Pages: p.last}); err != nil {
			return err
		}
	}
	return r.Finish()
}

type parser struct {
	sink     block.Sink
	maxPages int
	page     int // 0 when the file has no form feeds
	last     int // the last page with text; a form feed at the end begins none

	text      bytes.Buffer
	midLine   bool // the last line goes on
	continues bool // some of the paragraph is handed on already
	any       bool
}

// line takes in a line or a piece of one.
func (p *parser) line(line []byte, whole bool) error {
	for p.page > 0 {
		before, after, broken := bytes.Cut(line, []byte("\f"))
		if !broken {
			break
		}
		if err := p.part(before, true); err != nil {
			return err
		}
		if err := p.flush(); err != nil {
			return err
		}
		if p.page++; p.maxPages > 0 && p.page > p.maxPages {
			return block.Errorf(block.CodeTooLarge, "This file has more than %d pages, the most that are taken from one document. Split it into smaller documents.", p.maxPages)
		}
		line = after
		if len(line) == 0 && whole {
			return nil
		}
	}
	return p.part(line, whole)
}

func (p *parser) part(line []byte, whole bool) error {
	line = unstyled(line)
	if whole {
		line = bytes.TrimRight(line, " \t")
	}
	if whole && !p.midLine && len(bytes.TrimSpace(line)) == 0 {
		return p.flush()
	}
	p.text.Write(line)
	p.midLine = !whole
	if whole {
		p.text.WriteByte('\n')
	}
	if p.text.Len() < pieceSize {
		return nil
	}
	return p.emit(p.text.String())
}

// flush ends the paragraph.
func (p *parser) flush() error {
	p.midLine = false
	text := strings.TrimRight(p.text.String(), "\n")
	if strings.TrimSpace(text) == "" {
		p.text.Reset()
		p.continues = false
		return nil
	}
	err := p.emit(text)
	p.continues = false
	return err
}

func (p *parser) emit(text string) error {
	p.text.Reset()
	text = block.Clean(text)
	if text == "" {
		return nil
	}
	b := block.Block{Kind: block.Paragraph, Text: text, Page: p.page, Continues: p.continues}
	p.continues = true
	if strings.TrimSpace(text) != "" {
		p.any, p.last = true, p.page
	}
	return p.sink.Block(b)
}

// ansi are the sequences that terminals are steered with, as in logs.
var ansi = regexp.MustCompile(`\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\)|[()][A-Z0-9])`)

// unstyled removes terminal colours, and the overstriking that made printers
// print bold: a character, a backspace, the character again.
func unstyled(line []byte) []byte {
	if bytes.IndexByte(line, 0x1b) >= 0 {
		line = ansi.ReplaceAll(line, nil)
	}
	if bytes.IndexByte(line, '\b') < 0 {
		return line
	}
	out := make([]byte, 0, len(line))
	for _, c := range line {
		if c != '\b' {
			out = append(out, c)
			continue
		}
		if _, n := utf8.DecodeLastRune(out); n > 0 {
			out = out[:len(out)-n]
		}
	}
	return out
}
