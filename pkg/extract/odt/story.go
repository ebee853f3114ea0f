package odt

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// story reads a run of paragraphs, lists and tables: the body, a note, a
// header, a table cell. Nesting is bounded by the XML reader, so it may recurse.
type story struct {
	d    *document
	x    *ooxml.Reader
	emit func(block.Block) error
	open *list // innermost, nil outside of lists
}

func (d *document) story(x *ooxml.Reader, emit func(block.Block) error) *story {
	return &story{d: d, x: x, emit: emit}
}

// flat reads the children of the element started last as one text.
func (s *story) flat() (string, error) {
	var lines []string
	s.emit = func(b block.Block) error {
		lines = append(lines, flat(b))
		return nil
	}
	err := s.blocks()
	return strings.Join(lines, "\n"), err
}

// flat is a block as lines of text, for places that only hold text.
func flat(b block.Block) string {
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

// blocks reads the children of the element that was started last.
func (s *story) blocks() error { return s.x.Children(s.block) }

func (s *story) block(t ooxml.Token) error {
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
		return s.blocks()
	case "text:index-body", "text:index-title", "text:table-of-content", "text:illustration-index", "text:table-index", "text:object-index",
		"text:user-index", "text:alphabetical-index", "text:bibliography", "text:numbered-paragraph", "draw:page":
		return s.blocks()
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
func (s *story) paragraph(t ooxml.Token) error {
	heading, name := t.Name == "text:h", t.Attr("text:style-name")
	outline := count(t.Attr("text:outline-level"), 1, maxLevels)
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
func (s *story) itemLabel(b *block.Block, style string) {
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
func (s *story) deletions() error {
	return s.x.Children(func(ooxml.Token) error { // text:changed-region
		return s.x.Children(func(t ooxml.Token) error {
			if t.Name != "text:deletion" {
				return nil
			}
			text, err := s.d.story(s.x, nil).flat()
			if err != nil {
				return err
			}
			return s.d.aside(block.Block{Kind: block.Deletion, Text: text})
		})
	})
}
