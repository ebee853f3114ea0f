package extract

import "github.com/docsvc/docsvc/pkg/extract/block"

// Rendered is a document as one Markdown text, with where each block stands
// in it.
type Rendered struct {
	// Text is UTF-8 Markdown: the body, then asides grouped by kind, each group under a marker
	// line such as <!-- footnotes -->.
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
	Kind       block.Kind
	Level      int    // heading 1..6
	Page       int    // from 1; 0 when the format has no pages
	Title      string // heading: its text without marks
	// Header is the header row of a table as it stands in Text, without the delimiter row below it;
	// empty when the table has none.
	Header string
	// Rows are a table's lines below the header: places where it may be divided.
	Rows []Range
	// Aside is set for what stands after BodyEnd.
	Aside bool
}

// Range is a half-open range of byte offsets into Rendered.Text.
type Range struct{ Start, End int }

// Render writes d as Markdown. It is deterministic.
func Render(d *Document) Rendered {
	return Rendered{}
}
