package rtf

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// pieceSize is how much of a paragraph, cell or table is held before it is handed over, in bytes.
	pieceSize = 1 << 20
	// maxLabel bounds the number of a list item, in bytes.
	maxLabel = 200
	// maxMargins bounds how many different headers and footers are told from one another.
	maxMargins = 1000
)

// story is a text from its first paragraph to its last: the body, a note, a
// header.
type story struct {
	kind      block.Kind // "" for the body
	put       func(block.Block) error
	number    string // of a note
	commenter string
	lines     []string // of a story beside the body
	size      int      // of lines, in bytes

	text      strings.Builder // of the open paragraph
	label     string
	continues bool // some of the paragraph is handed over

	cell      []string // paragraphs of the open cell
	row       []string
	rows      [][]string
	tableSize int
	header    bool // the row repeats on every page
	headerRow bool // of the table that is open
	tableGoes bool // some of the table is handed over
}

// paragraphKind is what the properties at a paragraph's end make of it.
type paragraphKind struct {
	heading int // from 1; 0 for none
	quote   bool
	level   int
}

// paragraph reads the properties of the paragraph that ends here.
func (d *document) paragraph() paragraphKind {
	k := paragraphKind{level: d.state.level}
	st, ok := d.styles[d.state.style]
	switch {
	case d.state.outline >= 0 && d.state.outline < noOutline:
		k.heading = d.state.outline + 1
	case ok && st.heading > 0:
		k.heading = st.heading
	case ok && st.outline >= 0 && st.outline < noOutline:
		k.heading = st.outline + 1
	case ok:
		k.quote = st.quote
	}
	k.heading = min(k.heading, 6)
	return k
}

func (d *document) top() *story { return d.stories[len(d.stories)-1] }

// beginStory opens a text beside the one that is open.
func (d *document) beginStory(kind block.Kind) error {
	if err := d.flush(); err != nil {
		return err
	}
	s := &story{kind: kind}
	s.put = func(b block.Block) error {
		s.collect(b)
		return nil
	}
	if kind == block.Footnote {
		d.notes[kind]++
		s.number = strconv.Itoa(d.notes[kind])
		if d.state.dest == toStory && !d.state.hidden && !d.state.deleted {
			d.top().text.WriteString("[^" + s.number + "]")
		}
	}
	if kind == block.Comment {
		s.commenter, d.top().commenter = d.top().commenter, ""
	}
	d.stories = append(d.stories, s)
	d.state.dest, d.state.story = toStory, true
	d.state.inTable, d.state.hidden, d.state.outline, d.state.style = false, false, noOutline, 0
	return nil
}

// collect keeps a block of a story beside the body as text.
func (s *story) collect(b block.Block) {
	t := b.Text
	if b.Label != "" {
		t = b.Label + " " + t
	}
	for _, r := range b.Rows {
		t += strings.Join(r, "\t") + "\n"
	}
	if t = strings.TrimSuffix(t, "\n"); s.size+len(t) <= pieceSize {
		s.lines = append(s.lines, t)
		s.size += len(t) + 1
	}
}

// endStory reports a story beside the body.
func (d *document) endStory() error {
	s := d.top()
	err := s.end()
	d.stories = d.stories[:len(d.stories)-1]
	text := strings.TrimSpace(strings.Join(s.lines, "\n"))
	if err != nil || text == "" {
		return err
	}
	b := block.Block{Kind: s.kind, Text: text, Label: s.number}
	switch s.kind {
	case block.Comment:
		b.Label = s.commenter
	case block.Header, block.Footer: // sections mostly repeat those before them
		key := string(s.kind) + text
		if d.seen[key] {
			return nil
		}
		if len(d.seen) < maxMargins {
			d.seen[key] = true
		}
	}
	d.asides++
	return d.sink.Aside(b)
}

// take is the text of the paragraph that ends, tidied.
func (s *story) take() string {
	text := block.Clean(strings.ToValidUTF8(s.text.String(), "\ufffd"))
	s.text.Reset()
	if !strings.ContainsAny(text, "\n") {
		return strings.TrimSpace(text)
	}
	lines := strings.Split(text, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// relieve hands over a part of a paragraph that has grown long.
func (s *story) relieve() error {
	if s.text.Len() < pieceSize {
		return nil
	}
	if err := s.endTable(); err != nil {
		return err
	}
	text := block.Clean(strings.ToValidUTF8(s.text.String(), "\ufffd"))
	s.text.Reset()
	if text == "" {
		return nil
	}
	b := block.Block{Kind: block.Paragraph, Text: text, Continues: s.continues}
	s.continues = true
	return s.put(b)
}

// endParagraph ends a paragraph outside of tables.
func (s *story) endParagraph(k paragraphKind) error {
	if s.continues {
		return s.endPiece()
	}
	text, label, numbered := s.take(), shownLabel(s.label), s.label != ""
	s.label = ""
	if err := s.endTable(); err != nil || text == "" {
		return err
	}
	b := block.Block{Kind: block.Paragraph, Text: text}
	switch {
	case k.heading > 0:
		b.Kind, b.Level, b.Label = block.Heading, k.heading, label
	case numbered:
		b.Kind, b.Level, b.Label = block.ListItem, k.level, label
	case k.quote:
		b.Kind = block.Quote
	}
	return s.put(b)
}

// endPiece ends a paragraph of which some is handed over.
func (s *story) endPiece() error {
	s.continues, s.label = false, ""
	text := block.Clean(strings.ToValidUTF8(s.text.String(), "\ufffd"))
	s.text.Reset()
	if text == "" {
		return nil
	}
	return s.put(block.Block{Kind: block.Paragraph, Text: text, Continues: true})
}

// shownLabel is the number of a list item, "" for a bullet.
func shownLabel(s string) string {
	s = strings.Join(strings.Fields(block.Clean(strings.ToValidUTF8(s, ""))), " ")
	if s == "o" || !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return ""
	}
	return s
}

func (s *story) inRow() bool    { return len(s.row) > 0 }
func (s *story) cellOpen() bool { return len(s.cell) > 0 }

// endLine ends a paragraph within a cell.
func (s *story) endLine() error {
	if s.continues {
		return s.endPiece()
	}
	text := s.take()
	if label := shownLabel(s.label); label != "" {
		text = label + " " + text
	}
	s.label = ""
	if text != "" {
		s.cell = append(s.cell, text)
		s.tableSize += len(text) + 16
	}
	if s.tableSize >= 2*pieceSize { // a row that doesn't end
		return s.endTable()
	}
	return nil
}

func (s *story) endCell() error {
	if err := s.endLine(); err != nil {
		return err
	}
	if len(s.row) >= maxCells {
		return nil // the text goes to the last cell there may be
	}
	s.row = append(s.row, strings.Join(s.cell, "\n"))
	s.cell = s.cell[:0]
	s.tableSize += 16
	return nil
}

// maxCells bounds the cells of a row; Word allows 63.
const maxCells = 1024

func (s *story) endRow() error {
	if err := s.endLine(); err != nil {
		return err
	}
	if s.cellOpen() {
		s.row = append(s.row, strings.Join(s.cell, "\n"))
		s.cell = s.cell[:0]
	}
	if len(s.row) == 0 {
		return nil
	}
	if len(s.rows) == 0 && !s.tableGoes {
		s.headerRow = s.header
	}
	s.rows = append(s.rows, s.row)
	s.row = nil
	if s.tableSize < pieceSize {
		return nil
	}
	return s.emitTable(true)
}

// endTable ends the table that is open, if any, with what its last row has.
func (s *story) endTable() error {
	if s.cellOpen() || s.inRow() {
		if s.cellOpen() {
			s.row = append(s.row, strings.Join(s.cell, "\n"))
		}
		s.rows = append(s.rows, s.row)
		s.cell, s.row = nil, nil
	}
	return s.emitTable(false)
}

// emitTable hands over the rows that are held; more tells that others follow.
func (s *story) emitTable(more bool) error {
	rows, continues := s.rows, s.tableGoes
	s.rows, s.tableSize, s.tableGoes = nil, 0, more
	header := s.headerRow && !continues
	if !more {
		s.headerRow = false
	}
	if len(rows) == 0 {
		return nil
	}
	cells, filled := 0, false
	for _, r := range rows {
		cells = max(cells, len(r))
		for _, c := range r {
			filled = filled || c != ""
		}
	}
	switch {
	case !filled:
		return nil
	case cells > 1 || continues || more:
		return s.put(block.Block{Kind: block.Table, Rows: rows, HeaderRow: header, Continues: continues})
	}
	for _, r := range rows { // a frame around paragraphs
		for _, text := range strings.Split(r[0], "\n") {
			if text == "" {
				continue
			}
			if err := s.put(block.Block{Kind: block.Paragraph, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
}

// end closes the story.
func (s *story) end() error {
	if err := s.endParagraph(paragraphKind{}); err != nil {
		return err
	}
	return s.endTable()
}
