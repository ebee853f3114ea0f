// Package markdown turns Markdown files into blocks: CommonMark's block
// structure with tables, front matter and footnotes. Inline marks stay in the
// text, which is Markdown again in the end; only headings, which also serve as
// names, lose theirs. It reads line by line without looking back, so that time
// is in proportion to size.
package markdown

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/html"
	"github.com/docsvc/docsvc/pkg/extract/textline"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// pieceSize is how much of a paragraph or code block is held before it is handed on, in bytes.
	pieceSize = 256 << 10
	// maxHTML is how much of an HTML block is held before it is read, in bytes.
	maxHTML = 1 << 20
	// maxFrontMatter bounds the lines of metadata at the start.
	maxFrontMatter = 500
	// tableFlush is how many rows of a table are held.
	tableFlush = 1000
)

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	r, err := textline.Open(ctx, f, size, o.Charset, sink)
	if err != nil {
		return err
	}
	p := &parser{ctx: ctx, sink: sink}
	if err := p.read(r); err != nil {
		return err
	}
	if !p.any {
		return block.Errorf(block.CodeNoText, "This file has no text.")
	}
	return r.Finish()
}

// parser holds the block that is open: at most one, but for the lists around it.
type parser struct {
	ctx  context.Context
	sink block.Sink
	any  bool

	kind      block.Kind // of the open block, "" for none
	text      strings.Builder
	label     string // of an open list item, code's language, a footnote's mark
	continues bool   // some of the open block is handed on already
	quoted    bool   // the lines before stood in a quote
	blank     bool   // the line before was blank

	lists []list

	fence       string // what the closing fence begins with, "" outside of fenced code
	fenceIndent int
	rows        [][]string // of the open table
	columns     int
	htmlEnd     string // what ends the open HTML block, "" for a blank line
}

// openHTML is the kind of an open block that is read as HTML at its end.
const openHTML block.Kind = "html"

func (p *parser) read(r *textline.Reader) error {
	lines, err := p.frontMatter(r)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err := p.line(l); err != nil {
			return err
		}
	}
	midLine := false
	for {
		raw, whole, err := r.Next()
		if err == io.EOF {
			return p.flush()
		}
		if err != nil {
			return err
		}
		line := string(raw)
		if !midLine {
			if err := p.line(line); err != nil {
				return err
			}
			line = line[len(strings.TrimRight(line, " \t")):]
		}
		// Further pieces of an overlong line are text and nothing else.
		if midLine || !whole {
			if err := p.more(line); err != nil {
				return err
			}
		}
		midLine = !whole
	}
}

// line takes in one line.
func (p *parser) line(line string) error {
	line = strings.TrimRight(line, " \t")
	if p.fence != "" {
		return p.fenced(line)
	}
	if p.kind == openHTML {
		return p.htmlLine(line)
	}
	line, quoted := unquote(line)
	if quoted != p.quoted && (quoted || line == "" || p.kind == "" || startsBlock(line)) {
		if err := p.flush(); err != nil {
			return err
		}
		p.lists = nil
		p.quoted = quoted
	}
	indent, text := measure(line)
	if text == "" {
		p.blank = true
		if p.kind == block.Code { // indented code goes on if more of it follows
			return p.add("")
		}
		return p.flush()
	}
	if p.kind == block.Table {
		if done, err := p.tableRow(text); done || err != nil {
			return err
		}
	}
	blank := p.blank
	p.blank = false
	return p.structure(line, text, indent, blank)
}

// structure finds out what a line begins or goes on with.
func (p *parser) structure(line, text string, indent int, blank bool) error {
	it := p.item(text, indent)
	if it != nil && len(p.lists) == 0 && indent >= 4 {
		it = nil
	}
	if it == nil && (blank || p.kind == "") {
		for len(p.lists) > 0 && indent < p.inside() {
			p.lists = p.lists[:len(p.lists)-1]
		}
	}
	code := it == nil && indent >= p.inside()+4
	switch {
	case code && (p.kind == "" || p.kind == block.Code):
		p.kind = block.Code
		return p.add(cut(line, p.inside()+4))
	case p.kind == block.Code:
		if err := p.flush(); err != nil {
			return err
		}
	}
	if done, err := p.leaf(text, indent); done || err != nil {
		return err
	}
	if it != nil {
		return p.beginItem(it)
	}
	if done, err := p.special(text); done || err != nil {
		return err
	}
	if p.kind == "" {
		p.kind = block.Paragraph
	}
	return p.add(text)
}

// leaf takes in lines that are a block of their own or begin one without
// regard to lists: headings, rules, fences, tables.
func (p *parser) leaf(text string, indent int) (done bool, err error) {
	if level, heading := atx(text); level > 0 {
		return true, p.heading(level, heading)
	}
	if f := fenceOf(text); f != "" {
		return true, p.openFence(f, text, indent)
	}
	if p.kind == block.Paragraph && !p.continues && isSetext(text) {
		level := 1
		if text[0] == '-' {
			level = 2
		}
		title := p.text.String()
		p.text.Reset()
		p.kind = ""
		return true, p.heading(level, title)
	}
	if isRule(text) {
		return true, p.flush()
	}
	if p.delimits(text) {
		return true, p.beginTable(text)
	}
	return false, nil
}

// special begins HTML blocks and footnotes.
func (p *parser) special(text string) (done bool, err error) {
	if startsHTML(text, p.kind != "") {
		if err := p.flush(); err != nil {
			return true, err
		}
		p.kind, p.htmlEnd = openHTML, htmlEnd(text)
		return true, p.htmlLine(text)
	}
	if label, rest, ok := footnote(text); ok {
		if err := p.flush(); err != nil {
			return true, err
		}
		p.kind, p.label = block.Footnote, label
		return true, p.add(rest)
	}
	return false, nil
}

// add appends a line to the open block.
func (p *parser) add(text string) error {
	if p.text.Len() > 0 {
		p.text.WriteByte('\n')
	}
	return p.more(text)
}

// more appends text to the open block and hands on what is too much to hold.
func (p *parser) more(text string) error {
	if p.kind == "" {
		p.kind = block.Paragraph
	}
	p.text.WriteString(text)
	if p.text.Len() < pieceSize || p.kind == openHTML || p.kind == block.Table {
		return nil
	}
	return p.emit(p.text.String() + "\n")
}

// flush ends the open block.
func (p *parser) flush() error {
	kind := p.kind
	text := p.text.String()
	defer func() { p.kind, p.label, p.continues = "", "", false }()
	switch {
	case kind == "":
		return nil
	case kind == block.Table:
		return p.endTable()
	case kind == openHTML:
		p.text.Reset()
		return html.Fragment(p.ctx, []byte(text), p.put)
	case p.continues:
		return p.emit(strings.TrimRight(text, "\n"))
	case kind == block.Code:
		text = strings.Trim(text, "\n")
	default:
		text = strings.TrimSpace(uncommented(text))
	}
	return p.emit(text)
}

// emit hands on what is held of the open block.
func (p *parser) emit(text string) error {
	p.text.Reset()
	text = block.Clean(text)
	if text == "" {
		return nil
	}
	b := block.Block{Kind: p.kind, Text: text, Label: block.Clean(p.label), Continues: p.continues}
	switch {
	case p.kind == block.Footnote:
		p.any, p.continues = true, true
		return p.sink.Aside(b)
	case p.kind == block.ListItem:
		b.Level = max(0, len(p.lists)-1)
	case p.kind == block.Paragraph && p.quoted:
		b.Kind = block.Quote
	}
	p.continues = true
	return p.put(b)
}

func (p *parser) put(b block.Block) error {
	p.any = true
	return p.sink.Block(b)
}

func (p *parser) heading(level int, text string) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.lists = nil
	text = strings.Join(strings.Fields(block.Clean(plainInline(text))), " ")
	if text == "" {
		return nil
	}
	return p.put(block.Block{Kind: block.Heading, Level: level, Text: text})
}

// openFence begins a fenced code block.
func (p *parser) openFence(fence, text string, indent int) error {
	if err := p.flush(); err != nil {
		return err
	}
	p.fence, p.fenceIndent = fence, indent
	p.kind = block.Code
	info := strings.Fields(text[len(fence):])
	p.label = ""
	if len(info) > 0 {
		p.label = strings.Trim(info[0], "{}.")
	}
	return nil
}

// fenced takes in a line of fenced code.
func (p *parser) fenced(line string) error {
	if p.quoted {
		line, _ = unquote(line)
	}
	indent, text := measure(line)
	if indent < p.fenceIndent+4 && strings.HasPrefix(text, p.fence) && strings.Trim(text, p.fence[:1]) == "" {
		p.fence = ""
		return p.flush()
	}
	return p.add(cut(line, p.fenceIndent))
}

// htmlLine takes in a line of an HTML block.
func (p *parser) htmlLine(line string) error {
	if p.htmlEnd == "" && strings.TrimSpace(line) == "" {
		p.blank = true
		return p.flush()
	}
	p.text.WriteString(line + "\n")
	ended := p.htmlEnd != "" && strings.Contains(strings.ToLower(line), p.htmlEnd)
	if ended || p.text.Len() > maxHTML {
		return p.flush()
	}
	return nil
}
