package extract

import (
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Rendered is a document as one Markdown text, with where each block stands
// in it.
type Rendered struct {
	// Text is UTF-8 Markdown: the body, then asides grouped by kind, each group under a marker
	// line such as <!-- footnotes -->. What stands in the document is not escaped but where it
	// would end a table cell or pass for such a marker: the text is for reading and searching, and
	// Spans say what is what.
	Text string
	// Spans cover every byte that isn't white space, in order, without overlap.
	Spans []Span
	// BodyEnd is the byte offset at which the body ends and asides begin; len(Text) without asides.
	BodyEnd int
}

// Span is the place of one block in Rendered.Text. Start and End are byte
// offsets; the slice includes the block's Markdown marks.
type Span struct {
	Start, End int
	Kind       block.Kind // Marker for the line above a group of asides
	Level      int        // heading 1..6
	Page       int        // from 1; 0 when the format has no pages
	Title      string     // heading: its text without marks
	// Header is the header row of a table as it stands in Text, without the delimiter row below it;
	// empty when the table has none.
	Header string
	// Rows are a table's lines below the header: places where it may be divided.
	Rows []Range
	// Aside is set for what stands after BodyEnd.
	Aside bool
}

// Marker is the kind of a span that is the marker line above a group of asides.
const Marker block.Kind = "marker"

// Range is a half-open range of byte offsets into Rendered.Text.
type Range struct{ Start, End int }

// maxIndent bounds the nesting of lists that is shown.
const maxIndent = 8

// asideGroups are the kinds of asides in the order in which they follow the
// body, with what their marker says.
func asideGroups() []struct {
	kind block.Kind
	name string
} {
	return []struct {
		kind block.Kind
		name string
	}{
		{block.Footnote, "footnotes"},
		{block.Endnote, "endnotes"},
		{block.TextBox, "text boxes"},
		{block.Note, "notes"},
		{block.Comment, "comments"},
		{block.Annotation, "annotations"},
		{block.FormField, "form fields"},
		{block.Header, "headers"},
		{block.Footer, "footers"},
		{block.Deletion, "deletions"},
		{block.Link, "links"},
		{block.Attachment, "attachments"},
	}
}

// Render writes d as Markdown. It is deterministic.
func Render(d *Document) Rendered {
	r := &renderer{}
	for i := 0; i < len(d.Blocks); i = r.body(d.Blocks, i) {
	}
	end := r.b.Len()
	r.asides(d.Asides)
	text := r.b.String()
	if end > 0 && r.b.Len() > end {
		end += len("\n\n")
	}
	return Rendered{Text: text, Spans: r.spans, BodyEnd: end}
}

// NoText is the error of a document that was read and has no text at all.
func NoText() *Error {
	return block.Errorf(block.CodeNoText, "No text was found in this file. Scanned pages and pictures are not read.")
}

type renderer struct {
	b     strings.Builder
	spans []Span
	prev  block.Kind
}

// body writes the block at i with those that continue it, and returns the
// index after them.
func (r *renderer) body(blocks []Block, i int) int {
	text, next := joined(blocks, i)
	if blocks[i].Kind == block.Table {
		r.table(blocks[i:next])
		return next
	}
	b := blocks[i]
	b.Text = strings.Trim(block.Clean(text), "\n")
	if strings.TrimSpace(b.Text) == "" {
		return next
	}
	r.block(b)
	return next
}

// joined is the text of the block at i with the pieces that continue it, and
// the index after them.
func joined(blocks []block.Block, i int) (text string, next int) {
	next = i + 1
	for next < len(blocks) && blocks[next].Continues && blocks[next].Kind == blocks[i].Kind {
		next++
	}
	if next == i+1 {
		return blocks[i].Text, next
	}
	var all strings.Builder
	for _, part := range blocks[i:next] {
		all.WriteString(part.Text)
	}
	return all.String(), next
}

// begin separates a block from the one before and notes where it starts.
func (r *renderer) begin(kind block.Kind) int {
	switch {
	case r.b.Len() == 0:
	case kind == block.ListItem && r.prev == block.ListItem:
		r.b.WriteByte('\n')
	default:
		r.b.WriteString("\n\n")
	}
	r.prev = kind
	return r.b.Len()
}

func (r *renderer) end(s Span) {
	s.End = r.b.Len()
	r.spans = append(r.spans, s)
}

func (r *renderer) block(b Block) {
	s := Span{Start: r.begin(b.Kind), Kind: b.Kind, Page: b.Page}
	switch b.Kind {
	case block.Heading:
		s.Level = min(max(b.Level, 1), 6)
		s.Title = oneLine(block.Clean(b.Label) + " " + b.Text)
		r.b.WriteString(strings.Repeat("#", s.Level) + " " + s.Title)
	case block.ListItem:
		indent := strings.Repeat("  ", min(max(b.Level, 0), maxIndent))
		mark := oneLine(block.Clean(b.Label))
		if mark == "" {
			mark = "-"
		}
		r.lines(b.Text, indent+mark+" ", indent+strings.Repeat(" ", utf8.RuneCountInString(mark)+1))
	case block.Quote:
		r.lines(b.Text, "> ", "> ")
	case block.Code:
		fence := fenceFor(b.Text)
		r.b.WriteString(fence + strings.ReplaceAll(oneLine(block.Clean(b.Label)), "`", "") + "\n" + b.Text + "\n" + fence)
	default:
		r.b.WriteString(unmark(b.Text))
	}
	r.end(s)
}

// lines writes text with first before its first line and rest before the
// others.
func (r *renderer) lines(text, first, rest string) {
	r.b.WriteString(first)
	for i := 0; ; {
		n := strings.IndexByte(text[i:], '\n')
		if n < 0 {
			r.b.WriteString(text[i:])
			return
		}
		r.b.WriteString(text[i : i+n+1])
		i += n + 1
		if text[i] == '\n' { // text doesn't end in a line feed
			r.b.WriteString(strings.TrimRight(rest, " "))
		} else {
			r.b.WriteString(rest)
		}
	}
}

// unmark keeps a line of the document from passing for a marker of asides.
func unmark(text string) string {
	if !strings.Contains(text, "<!-- ") {
		return text
	}
	for _, g := range asideGroups() {
		m := marker(g.name)
		text = strings.ReplaceAll(text, m, `\`+m)
	}
	return text
}

func marker(group string) string { return "<!-- " + group + " -->" }

// fenceFor is a fence longer than any run of backquotes in code.
func fenceFor(code string) string {
	longest, run := 2, 0
	for i := range len(code) {
		if code[i] != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return strings.Repeat("`", longest+1)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// asides writes what stands apart from the body, grouped by kind.
func (r *renderer) asides(asides []Block) {
	for _, g := range asideGroups() {
		first := true
		for i, next := 0, 0; i < len(asides); i = next {
			b := asides[i]
			b.Text, next = joined(asides, i)
			text := strings.TrimSpace(block.Clean(b.Text))
			if b.Kind != g.kind || text == "" {
				continue
			}
			if first {
				s := Span{Start: r.begin(Marker), Kind: Marker, Aside: true}
				r.b.WriteString(marker(g.name))
				r.end(s)
				first = false
			}
			s := Span{Start: r.begin(b.Kind), Kind: b.Kind, Page: b.Page, Aside: true}
			r.b.WriteString(asideLabel(b) + unmark(text))
			r.end(s)
		}
	}
}

// asideLabel is what comes before the text of an aside: the mark of a note,
// the author of a comment, the name of a form field.
func asideLabel(b Block) string {
	label := oneLine(block.Clean(b.Label))
	switch {
	case label == "":
		return ""
	case b.Kind == block.Footnote || b.Kind == block.Endnote:
		return "[^" + label + "]: "
	}
	return label + ": "
}
