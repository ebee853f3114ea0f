// Package odf reads what OpenDocument files of all kinds are made of: the
// container with its parts (Package), and paragraphs, lists and tables with the
// styles that they go by (Text, Story). It streams: of the parts only styles are
// held, and of the text one paragraph or table row at a time.
package odf

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Text is what paragraphs anywhere in a document share: styles, numbers that
// have been counted, and where to put what stands apart.
type Text struct {
	aside func(block.Block) error

	styles  map[string]style // by family and name
	lists   map[string]listStyle
	outline listStyle // numbers of headings
	heads   counters
	running map[string]*counters // of lists, by style and by id
	notes   int                  // notes so far, for those that have no mark
}

// NewText makes a Text that hands notes, comments, text boxes and deletions to
// aside.
func NewText(aside func(block.Block) error) *Text {
	return &Text{aside: aside, styles: map[string]style{}, lists: map[string]listStyle{}, running: map[string]*counters{}}
}

// Aside hands on what stands apart from the body, when it has text.
func (d *Text) Aside(b block.Block) error {
	if b.Text == "" {
		return nil
	}
	return d.aside(b)
}

// Story reads a run of paragraphs, lists and tables: the body, a note, a
// header, a table cell. Nesting is bounded by the XML reader, so it may recurse.
type Story struct {
	d    *Text
	x    *ooxml.Reader
	emit func(block.Block) error
	open *list // innermost, nil outside of lists
}

// Story reads from x; emit takes its blocks.
func (d *Text) Story(x *ooxml.Reader, emit func(block.Block) error) *Story {
	return &Story{d: d, x: x, emit: emit}
}

// Flat reads the children of the element started last as one text.
func (s *Story) Flat() (string, error) {
	var lines []string
	s.emit = func(b block.Block) error {
		lines = append(lines, Flat(b))
		return nil
	}
	err := s.Blocks()
	return strings.Join(lines, "\n"), err
}

// Flat is a block as lines of text, for places that only hold text.
func Flat(b block.Block) string {
	if b.Kind == block.Table {
		rows := make([]string, 0, len(b.Rows))
		for _, r := range b.Rows {
			rows = append(rows, strings.Join(r, " | "))
		}
		return strings.Join(rows, "\n")
	}
	if b.Label != "" {
		return b.Label + " " + b.Text
	}
	return b.Text
}

// Blocks reads the children of the element that was started last.
func (s *Story) Blocks() error { return s.x.Children(s.Block) }

// Block reads the element t, which was started last.
func (s *Story) Block(t ooxml.Token) error {
	switch t.Name {
	case "text:p", "text:h":
		return s.paragraph(t)
	case "text:list":
		return s.list(t)
	case "table:table":
		return s.table()
	case "text:section":
		if t.Attr("text:display") == "none" {
			return nil
		}
		return s.Blocks()
	case "text:index-body", "text:index-title", "text:table-of-content", "text:illustration-index", "text:table-index", "text:object-index",
		"text:user-index", "text:alphabetical-index", "text:bibliography", "text:numbered-paragraph":
		return s.Blocks()
	case "text:tracked-changes":
		return s.deletions()
	case "office:annotation":
		return s.annotation()
	}
	if strings.HasPrefix(t.Name, "draw:") {
		return s.shape(t)
	}
	return nil
}

// paragraph reads a text:p or text:h.
func (s *Story) paragraph(t ooxml.Token) error {
	heading, name := t.Name == "text:h", t.Attr("text:style-name")
	outline := Count(t.Attr("text:outline-level"), 1, maxLevels)
	bare := t.Attr("text:is-list-header") == "true"
	kind, hidden := s.d.look(name)
	p := &paragraph{hidden: hidden}
	readErr := s.inline(p)
	text := block.Tidy(p.text.String())
	if kind == block.Code {
		text = strings.Trim(block.Clean(p.text.String()), "\n")
		if strings.TrimSpace(text) == "" {
			text = ""
		}
	}
	b := block.Block{Kind: kind, Text: text}
	if b.Kind == block.Heading {
		b.Level = 1
	}
	if heading {
		b.Kind, b.Level = block.Heading, min(outline, 6)
	}
	switch {
	case s.open != nil && s.open.item != nil:
		s.itemLabel(&b, name)
	case heading && !bare && text != "" && s.d.outline[outline-1].format != "":
		s.d.heads.next(s.d.outline, outline-1, 0)
		b.Label = s.d.heads.label(s.d.outline, outline-1)
	}
	if text != "" {
		if err := s.emit(b); err != nil {
			return err
		}
	}
	for _, b := range p.after {
		if err := s.emit(b); err != nil {
			return err
		}
	}
	return readErr
}

// itemLabel makes a paragraph the list item that it begins, if any. Later
// paragraphs of an item are paragraphs.
func (s *Story) itemLabel(b *block.Block, style string) {
	l := s.open
	if l.item.labeled || l.item.header {
		return
	}
	l.item.labeled = true
	name := l.style
	if own := s.d.listOf(style); own != "" && name == "" {
		name = own
	}
	levels := s.d.lists[name]
	if _, known := s.d.lists[name]; !known && b.Kind == block.Heading {
		levels = s.d.outline
	}
	l.counters.next(levels, l.depth, l.item.start)
	b.Label = l.counters.label(levels, l.depth)
	if b.Kind != block.Heading {
		b.Kind, b.Level = block.ListItem, l.depth
	}
}

// deletions reads what tracked changes removed.
func (s *Story) deletions() error {
	return s.x.Children(func(ooxml.Token) error { // text:changed-region
		return s.x.Children(func(t ooxml.Token) error {
			if t.Name != "text:deletion" {
				return nil
			}
			text, err := s.d.Story(s.x, nil).Flat()
			if err != nil {
				return err
			}
			return s.d.Aside(block.Block{Kind: block.Deletion, Text: text})
		})
	})
}
