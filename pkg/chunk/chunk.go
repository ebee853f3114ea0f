// Package chunk divides a rendered document into pieces for search and
// retrieval. Every piece is a slice of the stored text; together they cover
// all of it but white space.
//
// A chunk never reaches over a heading: what is in it stands under one path of
// headings. Within that, it ends at the end of a paragraph where the next one
// would not fit but fits into a chunk of its own, else at the end of a
// sentence, else of a line, a word, a character. A table is divided between
// rows only, as long as a row fits. A chunk that goes on with a section begins
// with the last sentences of the one before.
package chunk

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bounds and defaults of Options.
const (
	DefaultMaxTokens = 500
	DefaultOverlap   = 50
	// MinTokens is the least MaxTokens may be: room for any one character.
	MinTokens = 16
)

// Options say how large chunks are. A MaxTokens of zero means the defaults of
// both.
type Options struct {
	MaxTokens int // most tokens (cl100k_base) of one chunk
	Overlap   int // most tokens repeated from the end of the chunk before, in whole sentences
}

// Chunk is text[StartByte:EndByte] of the stored text.
type Chunk struct {
	ID        string `json:"id"` // UUID; the same for the same document, place and content
	Index     int    `json:"index"`
	Text      string `json:"text"`
	StartByte int    `json:"start_byte"`
	EndByte   int    `json:"end_byte"`
	StartChar int    `json:"start_char"` // in Unicode code points
	EndChar   int    `json:"end_char"`
	PageFirst int    `json:"page_first,omitempty"` // 0 when the format has no pages
	PageLast  int    `json:"page_last,omitempty"`
	// Headings is the path of headings that the chunk stands under, outermost first, with those it
	// begins with itself.
	Headings []string `json:"headings,omitempty"`
	// TableHeader is the header row of the table that the chunk goes on with. It is not part of
	// Text: there it only stands in the chunk with the table's beginning. Header rows of more than
	// 4 KiB are left out.
	TableHeader string `json:"table_header,omitempty"`
	Tokens      int    `json:"tokens"`
	// Kind is the kind of the chunk's blocks apart from headings, "mixed" when they differ.
	Kind string `json:"kind"`
}

const (
	// mixed is the kind of chunks with blocks of several kinds.
	mixed = "mixed"
	// maxTitle bounds a heading in Chunk.Headings, in bytes: it is repeated in every chunk.
	maxTitle = 300
	// maxHeader bounds Chunk.TableHeader, in bytes, for the same reason.
	maxHeader = 4 << 10
)

// idSpace is the UUID namespace of chunk ids.
var idSpace = uuid.MustParse("6ba1c0de-59f2-4b0e-8d4b-0d5c5c1e8f10")

// Split divides r. The id of each chunk derives from docID, the chunk's place
// and its text. The error says which option is out of range.
func Split(r extract.Rendered, docID string, o Options) ([]Chunk, error) {
	if o.MaxTokens == 0 {
		o = Options{DefaultMaxTokens, DefaultOverlap}
	}
	if o.MaxTokens < MinTokens {
		return nil, fmt.Errorf("chunks of at most %d tokens are too small, the least is %d", o.MaxTokens, MinTokens)
	}
	if o.Overlap < 0 || o.Overlap*2 > o.MaxTokens {
		return nil, fmt.Errorf("an overlap of %d tokens is out of range, the most is half a chunk (%d)", o.Overlap, o.MaxTokens/2)
	}
	tokens, err := newCounter()
	if err != nil {
		return nil, err
	}
	s := &splitter{r: r, o: o, docID: docID, tokens: tokens}
	for first := 0; first < len(r.Spans); {
		next := s.sectionEnd(first)
		s.section(first, next)
		first = next
	}
	return s.chunks, nil
}

// splitter holds what one Split needs.
type splitter struct {
	r      extract.Rendered
	o      Options
	docID  string
	tokens *counter

	path   []heading         // of the section in work
	paths  map[int][]heading // of each of its headings, by span
	atoms  []atom            // of the section in work
	end    int               // byte offset up to which atoms were made
	chunks []Chunk

	// A byte offset whose character offset is known, for counting on from there.
	byteAt, charAt int
}

type heading struct {
	level int
	title string
}

// opens reports whether a span begins a section: a heading, or the marker of
// asides.
func opens(s extract.Span) bool { return s.Kind == block.Heading || s.Kind == extract.Marker }

// sectionEnd is the span after the section that begins with span first: its
// headings, and what follows up to the next one.
func (s *splitter) sectionEnd(first int) int {
	i := first
	s.paths = map[int][]heading{}
	for i < len(s.r.Spans) && opens(s.r.Spans[i]) && s.r.Spans[i].Aside == s.r.Spans[first].Aside {
		s.enter(s.r.Spans[i])
		s.paths[i] = s.path
		i++
	}
	for i < len(s.r.Spans) && !opens(s.r.Spans[i]) {
		i++
	}
	return i
}

// enter puts a heading into the path.
func (s *splitter) enter(h extract.Span) {
	if h.Kind == extract.Marker {
		s.path = nil
		return
	}
	n := len(s.path)
	for n > 0 && s.path[n-1].level >= h.Level {
		n--
	}
	title := h.Title
	if len(title) > maxTitle {
		cut := maxTitle
		for !utf8.RuneStart(title[cut]) {
			cut--
		}
		title = title[:cut] + "…"
	}
	s.path = append(s.path[:n:n], heading{h.Level, title})
}

// add makes a chunk of the atoms from first up to last, not included.
func (s *splitter) add(first, last, tokens int) {
	start, end := s.atoms[first].start, s.atoms[last-1].end
	text := s.r.Text[start:end]
	c := Chunk{
		Index: len(s.chunks), Text: text, StartByte: start, EndByte: end, StartChar: s.chars(start), Tokens: tokens,
	}
	c.EndChar = c.StartChar + utf8.RuneCountInString(text)
	path := s.path
	if span := s.atoms[last-1].span; opens(s.r.Spans[span]) { // headings too long for a chunk together
		path = s.paths[span]
	}
	for _, h := range path {
		c.Headings = append(c.Headings, h.title)
	}
	s.describe(&c, first, last)
	c.ID = uuid.NewSHA1(idSpace, []byte(s.docID+"\x00"+strconv.Itoa(start)+"\x00"+strconv.Itoa(end)+"\x00"+text)).String()
	s.chunks = append(s.chunks, c)
}

// describe notes pages, kind and table header.
func (s *splitter) describe(c *Chunk, first, last int) {
	for i := s.atoms[first].span; i <= s.atoms[last-1].span; i++ {
		span := s.r.Spans[i]
		if span.Page > 0 {
			if c.PageFirst == 0 {
				c.PageFirst, c.PageLast = span.Page, span.Page
			}
			c.PageFirst, c.PageLast = min(c.PageFirst, span.Page), max(c.PageLast, span.Page)
		}
		switch kind := string(span.Kind); {
		case opens(span):
		case c.Kind == "":
			c.Kind = kind
		case c.Kind != kind:
			c.Kind = mixed
		}
	}
	if c.Kind == "" {
		c.Kind = string(block.Heading)
	}
	a := s.atoms[first]
	if span := s.r.Spans[a.span]; span.Kind == block.Table && a.start > span.Start && len(span.Header) <= maxHeader {
		c.TableHeader = span.Header
	}
}

// chars is the character offset of a byte offset. Offsets asked for come
// mostly in order, and then it only counts what is between them.
func (s *splitter) chars(at int) int {
	if at < s.byteAt {
		s.charAt -= utf8.RuneCountInString(s.r.Text[at:s.byteAt])
	} else {
		s.charAt += utf8.RuneCountInString(s.r.Text[s.byteAt:at])
	}
	s.byteAt = at
	return s.charAt
}
