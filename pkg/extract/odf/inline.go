package odf

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// paragraph is one being read.
type paragraph struct {
	text   strings.Builder
	hidden bool
	after  []block.Block // tables within it
}

func (p *paragraph) write(s string) {
	if !p.hidden {
		p.text.WriteString(s)
	}
}

// inline reads the text of the element started last. Elements that aren't
// known hold text like any other: fields, marks, links.
func (s *Story) inline(p *paragraph) error {
	depth := s.x.Depth()
	for {
		t, err := s.x.Next()
		switch {
		case err != nil:
			return err
		case t.Kind == ooxml.Text:
			p.write(lineEnds.Replace(string(t.Text)))
		case t.Kind == ooxml.End:
			if s.x.Depth() < depth {
				return nil
			}
		default:
			if err := s.inlineChild(p, t); err != nil {
				return err
			}
		}
	}
}

// lineEnds are blanks in XML.
var lineEnds = strings.NewReplacer("\n", " ", "\r", " ", "\t", " ")

// inlineChild reads an element within a paragraph, to its end or, where the
// text in it is of the paragraph, as far as its start.
func (s *Story) inlineChild(p *paragraph, t ooxml.Token) error {
	switch t.Name {
	case "text:s":
		p.write(strings.Repeat(" ", Count(t.Attr("text:c"), 1, 1000)))
	case "text:tab":
		p.write("\t")
	case "text:line-break":
		p.write("\n")
	case "text:span":
		if s.d.Hidden("text", t.Attr("text:style-name")) {
			return s.skip()
		}
	case "text:note":
		return s.note(p, t)
	case "text:ruby":
		return s.ruby(p)
	case "text:p", "text:h": // not allowed here, but found
		p.write("\n")
	case "table:table":
		return s.collect(p, s.table)
	case "text:list":
		open := t
		return s.collect(p, func() error { return s.list(open) })
	case "office:annotation":
		return s.annotation()
	case "text:tracked-changes":
		return s.deletions()
	case "text:script", "text:hidden-text", "text:hidden-paragraph", "text:label", "office:event-listeners", "svg:title", "svg:desc", "?:title", "?:desc":
		return s.skip()
	}
	if strings.HasPrefix(t.Name, "draw:") && t.Name != "draw:a" {
		return s.shape(t)
	}
	return nil
}

// skip leaves out the element started last.
func (s *Story) skip() error { return s.x.Children(func(ooxml.Token) error { return nil }) }

// collect keeps what read emits to come after the paragraph.
func (s *Story) collect(p *paragraph, read func() error) error {
	emit := s.emit
	defer func() { s.emit = emit }()
	s.emit = func(b block.Block) error {
		p.after = append(p.after, b)
		return nil
	}
	return read()
}

// note reads a footnote or endnote: its mark stays in the text.
func (s *Story) note(p *paragraph, t ooxml.Token) error {
	b := block.Block{Kind: block.Footnote}
	if t.Attr("text:note-class") == "endnote" {
		b.Kind = block.Endnote
	}
	s.d.notes++
	err := s.x.Children(func(t ooxml.Token) error {
		var err error
		switch t.Name {
		case "text:note-citation":
			mark := &paragraph{}
			err = s.inline(mark)
			b.Label = OneLine(mark.text.String())
		case "text:note-body":
			b.Text, err = s.d.Story(s.x, nil).Flat()
		}
		return err
	})
	if b.Label == "" {
		b.Label = strconv.Itoa(s.d.notes)
	}
	if b.Text != "" {
		p.write("[^" + b.Label + "]")
	}
	if err != nil {
		return err
	}
	return s.d.Aside(b)
}

// annotation reads a comment.
func (s *Story) annotation() error {
	b := block.Block{Kind: block.Comment}
	var lines []string
	inner := s.d.Story(s.x, func(b block.Block) error {
		lines = append(lines, Flat(b))
		return nil
	})
	err := s.x.Children(func(t ooxml.Token) error {
		if t.Name == "dc:creator" {
			name, err := s.x.Content(4096)
			b.Label = OneLine(name)
			return err
		}
		return inner.Block(t)
	})
	if err != nil {
		return err
	}
	b.Text = strings.Join(lines, "\n")
	return s.d.Aside(b)
}

// ruby reads a reading aid: the base text, then the reading in parentheses.
func (s *Story) ruby(p *paragraph) error {
	aid := &paragraph{}
	err := s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "text:ruby-base":
			return s.inline(p)
		case "text:ruby-text":
			return s.inline(aid)
		}
		return nil
	})
	if text := OneLine(aid.text.String()); text != "" {
		p.write("(" + text + ")")
	}
	return err
}

// shape reads the text of a frame or drawn shape as an aside.
func (s *Story) shape(_ ooxml.Token) error {
	var lines []string
	inner := s.d.Story(s.x, func(b block.Block) error {
		lines = append(lines, Flat(b))
		return nil
	})
	if err := inner.Blocks(); err != nil {
		return err
	}
	return s.d.Aside(block.Block{Kind: block.TextBox, Text: strings.Join(lines, "\n")})
}
