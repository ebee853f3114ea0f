package docx

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// story reads a run of paragraphs and tables: the body, a note, a header, a
// table cell. Nesting is bounded by the XML reader, so it may recurse.
type story struct {
	d    *document
	x    *ooxml.Reader
	emit func(block.Block) error

	fields []field // open complex fields, outermost first
}

func (d *document) story(x *ooxml.Reader, emit func(block.Block) error) *story {
	return &story{d: d, x: x, emit: emit}
}

// blocks reads the children of the element that was started last.
func (s *story) blocks() error {
	return s.x.Children(s.blockChild)
}

func (s *story) blockChild(t ooxml.Token) error {
	switch t.Name {
	case "w:p":
		return s.paragraph(t)
	case "w:tbl":
		return s.table()
	case "w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo", "w:smartTag":
		return s.blocks()
	case "mc:AlternateContent":
		return s.alternate(s.blocks)
	case "w:altChunk":
		return s.altChunk(t.Attr("r:id"))
	case "m:oMathPara", "m:oMath":
		p := &paragraph{look: look{kind: block.Paragraph}}
		if err := s.math(p); err != nil {
			return err
		}
		return s.finish(p)
	}
	return nil
}

// alternate reads one of several renderings of the same thing: the first
// choice, or what is there for old programs if there is no choice.
func (s *story) alternate(read func() error) error {
	done := false
	return s.x.Children(func(t ooxml.Token) error {
		if done || t.Name != "mc:Choice" && t.Name != "mc:Fallback" {
			return nil
		}
		done = true
		return read()
	})
}

// paragraph is one being read.
type paragraph struct {
	text     strings.Builder
	deleted  strings.Builder // removed by tracked changes
	removing bool            // what is read now is removed
	math     bool            // an equation was written last
	style    string
	look     look
	list     listRef // said by the paragraph itself
	outline  int     // likewise, 0 when not said
	after    []block.Block
}

func (s *story) paragraph(_ ooxml.Token) error {
	p := &paragraph{look: s.d.styles.look("")}
	open := len(s.fields)
	if err := s.inline(p); err != nil {
		return err
	}
	// A field that doesn't get past its instruction within the paragraph is damaged; it must not
	// swallow the rest of the document.
	for len(s.fields) > open && !s.fields[len(s.fields)-1].result {
		s.fields = s.fields[:len(s.fields)-1]
	}
	return s.finish(p)
}

// inline reads what stands in a paragraph, a hyperlink, or another wrapper of
// runs.
func (s *story) inline(p *paragraph) error {
	return s.x.Children(func(t ooxml.Token) error { return s.inlineChild(p, t) })
}

func (s *story) inlineChild(p *paragraph, t ooxml.Token) error {
	switch t.Name {
	case "w:pPr":
		return s.properties(p)
	case "w:r", "m:r":
		return s.run(p)
	case "w:hyperlink", "w:ins", "w:moveTo", "w:smartTag", "w:sdt", "w:sdtContent", "w:fldSimple", "w:customXml", "w:dir", "w:bdo", "w:rubyBase":
		return s.inline(p)
	case "w:del":
		return s.removed(p)
	case "m:oMath", "m:oMathPara":
		return s.math(p)
	case "mc:AlternateContent":
		return s.alternate(func() error { return s.inline(p) })
	case "w:tbl": // not allowed here, but found
		return s.apartFrom(p, s.table)
	case "w:p":
		p.breakLine()
		return s.inline(p)
	}
	return s.runChild(p, t)
}

// apartFrom collects what read emits to come after the paragraph.
func (s *story) apartFrom(p *paragraph, read func() error) error {
	emit := s.emit
	defer func() { s.emit = emit }()
	s.emit = func(b block.Block) error {
		p.after = append(p.after, b)
		return nil
	}
	return read()
}

// removed reads a tracked deletion: out of the body, kept as an aside.
func (s *story) removed(p *paragraph) error {
	was := p.removing
	if !was && p.deleted.Len() > 0 {
		p.deleted.WriteByte(' ')
	}
	p.removing = true
	err := s.inline(p)
	p.removing = was
	return err
}

// write adds text to where it goes.
func (p *paragraph) write(text string) {
	p.math = false
	if p.removing {
		p.deleted.WriteString(text)
		return
	}
	p.text.WriteString(text)
}

func (s *story) properties(p *paragraph) error {
	err := s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:pStyle":
			p.style = t.Attr("w:val")
		case "w:numPr":
			return p.list.read(s.x)
		case "w:outlineLvl":
			p.outline = outline(t.Attr("w:val"))
		}
		return nil
	})
	p.look = s.d.styles.look(p.style)
	p.list.inherit(p.look.list)
	switch {
	case p.outline > 0:
		p.look.kind, p.look.level = block.Heading, min(p.outline, 6)
	case p.outline == bodyText && p.look.kind == block.Heading:
		p.look.kind, p.look.level = block.Paragraph, 0
	}
	return err
}

// breakLine begins a new line unless the paragraph is at the start of one.
func (p *paragraph) breakLine() {
	if p.text.Len() > 0 {
		p.write("\n")
	}
}

// finish emits the paragraph and what was found inside it but stands apart.
func (s *story) finish(p *paragraph) error {
	text := tidy(p.text.String(), p.look.kind == block.Code)
	label, depth, listed := "", 0, false
	if p.list.id != "" && p.list.id != "0" && text != "" { // Word numbers empty paragraphs, too, but doesn't print them without a mark
		label, depth, listed = s.d.lists.item(p.list, p.style)
	}
	if text != "" {
		b := block.Block{Kind: p.look.kind, Level: p.look.level, Text: text}
		switch {
		case b.Kind == block.Heading:
			b.Label = label
		case listed:
			b.Kind, b.Level, b.Label = block.ListItem, depth, label
		}
		if err := s.emit(b); err != nil {
			return err
		}
	}
	for _, b := range p.after {
		if err := s.emit(b); err != nil {
			return err
		}
	}
	if gone := tidy(p.deleted.String(), false); gone != "" {
		return s.d.aside(block.Block{Kind: block.Deletion, Text: gone})
	}
	return nil
}

// tidy cleans the text of a paragraph: blanks at line ends and empty lines go,
// blanks within stay one, unless it is code.
func tidy(s string, code bool) string {
	if code {
		return strings.Trim(block.Clean(s), "\n")
	}
	return block.Tidy(s)
}
