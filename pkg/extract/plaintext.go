package extract

import (
	"regexp"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/detect"
	"github.com/docsvc/docsvc/pkg/extract/markdown"
)

// noteMark is how a text refers to a note of its own, see asideLabel.
var noteMark = regexp.MustCompile(`\[\^([^\[\]\s]+)\]`)

// PlainText writes d as text without Markdown marks, for what takes no
// Markdown: blocks apart by an empty line, the items of a list one below the
// other, a row of a table on one line with tabs between its cells, and after
// the body the asides, each group below its name in brackets. Render has the
// same words in the same order, and after them links and attachments. It is deterministic.
func PlainText(d *Document) string {
	p := &plainWriter{inline: func(s string) string { return s }}
	switch d.Format {
	case detect.Markdown:
		p.inline = markdown.Plain
	case detect.DOCX, detect.RTF, detect.DOC:
		p.inline = func(s string) string { return noteMark.ReplaceAllString(s, "[$1]") }
	}
	for i, next := 0, 0; i < len(d.Blocks); i = next {
		b := d.Blocks[i]
		b.Text, next = joined(d.Blocks, i)
		p.block(b, d.Blocks[i:next])
	}
	p.asides(d.Asides)
	return p.b.String()
}

// plainWriter puts a plain text together.
type plainWriter struct {
	b    strings.Builder
	prev block.Kind
	// inline takes the marks off text that brought some from its file.
	inline func(string) string
}

// put writes text apart from what stands before it.
func (p *plainWriter) put(kind block.Kind, text string) {
	switch {
	case p.b.Len() == 0:
	case kind == block.ListItem && p.prev == block.ListItem:
		p.b.WriteByte('\n')
	default:
		p.b.WriteString("\n\n")
	}
	p.prev = kind
	p.b.WriteString(text)
}

// block writes a block; parts are the blocks it was joined of.
func (p *plainWriter) block(b Block, parts []Block) {
	if b.Kind == block.Table {
		p.table(parts)
		return
	}
	text := strings.Trim(block.Clean(b.Text), "\n")
	if b.Kind != block.Code {
		text = p.inline(text)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	label := oneLine(block.Clean(b.Label))
	switch b.Kind {
	case block.Heading:
		text = oneLine(label + " " + text)
	case block.ListItem:
		indent := strings.Repeat("  ", min(max(b.Level, 0), maxIndent))
		if label != "" {
			text = label + " " + text
		}
		text = indent + strings.ReplaceAll(text, "\n", "\n"+indent)
	}
	p.put(b.Kind, text)
}

// table writes the rows of a table and of those that continue it.
func (p *plainWriter) table(parts []Block) {
	var rows []string
	for _, part := range parts {
		for _, row := range part.Rows {
			cells := make([]string, len(row))
			for i, c := range row {
				cells[i] = oneLine(p.inline(block.Clean(c)))
			}
			rows = append(rows, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
		}
	}
	if text := strings.Join(rows, "\n"); strings.TrimSpace(text) != "" {
		p.put(block.Table, text)
	}
}

// asides writes what stands apart from the body in the order of Render.
func (p *plainWriter) asides(asides []Block) {
	for _, g := range asideGroups() {
		if g.kind == block.Link || g.kind == block.Attachment {
			continue // no words of the document
		}
		first := true
		for i, next := 0, 0; i < len(asides); i = next {
			b := asides[i]
			b.Text, next = joined(asides, i)
			text := strings.TrimSpace(p.inline(block.Clean(b.Text)))
			if b.Kind != g.kind || text == "" {
				continue
			}
			if first {
				p.put(Marker, "["+g.name+"]")
				first = false
			}
			p.put(b.Kind, plainLabel(b)+text)
		}
	}
}

// plainLabel is what comes before the text of an aside: as in the body, a
// note's mark stands in brackets.
func plainLabel(b Block) string {
	label := oneLine(block.Clean(b.Label))
	switch {
	case label == "":
		return ""
	case b.Kind == block.Footnote || b.Kind == block.Endnote:
		return "[" + label + "] "
	}
	return label + ": "
}
