package xls

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// maxNotes bounds the comments and text boxes of a sheet, which are held.
const maxNotes = 100_000

// sheet is one being read.
type sheet struct {
	w     *workbook
	n     int
	name  string
	named bool // its name was given to the sink
	given int  // blocks and asides given to the sink

	table  grid.Table
	row    int // of the cells held, -1 before the first one
	cells  []grid.Cell
	await  bool           // the last cell is a formula whose text comes
	object int            // number of the drawn object read last
	notes  map[int]string // texts in drawings, by the number of the object
	chart  []string       // texts of the chart being read
}

// put gives a block to the sink, the sheet's name before the first one.
func (s *sheet) put(b block.Block) error {
	if !s.named && s.name != "" {
		s.named = true
		s.w.given++
		if err := s.w.sink.Block(block.Block{Kind: block.Heading, Level: 1, Page: s.n, Text: s.name}); err != nil {
			return err
		}
	}
	b.Page = s.n
	s.given++
	s.w.given++
	return s.w.sink.Block(b)
}

func (s *sheet) aside(b block.Block) error {
	b.Page = s.n
	if b.Text != "" {
		s.given++
	}
	return s.w.aside(b)
}

// read reads the sheet that begins at a place of the stream; whole tells
// whether it was read to its end.
func (s *sheet) read(at int) (whole bool, err error) {
	r := &records{w: s.w, at: at}
	rec, ok, err := r.next()
	if err != nil || !ok || rec.id != recBOF {
		return false, err
	}
	open := []int{rec.data.U16(2)} // kinds of what has begun and not ended
	for len(open) > 0 {
		rec, ok, err := r.next()
		if err != nil {
			return false, err
		}
		if !ok {
			break
		}
		inChart := open[len(open)-1] == bofChart
		switch {
		case rec.id == recBOF:
			open = append(open, rec.data.U16(2))
		case rec.id == recEOF:
			open = open[:len(open)-1]
			if inChart {
				err = s.endChart()
			}
		case inChart:
			s.ofChart(rec)
		case len(open) == 1:
			err = s.record(rec)
		}
		if err != nil {
			return false, err
		}
	}
	if err := s.endRow(); err != nil {
		return false, err
	}
	if err := s.table.End(); err != nil {
		return false, err
	}
	return len(open) == 0, s.boxes()
}

// record reads one of a sheet of cells.
func (s *sheet) record(rec record) error {
	d := rec.data
	if rec.id == recString {
		if s.await && len(s.cells) > 0 {
			c := &s.cells[len(s.cells)-1]
			c.Text, c.IsText = cellText(s.w.texts(d, rec.more...).long()), true
		}
		s.await = false
		return nil
	}
	switch rec.id {
	case recLabelSST:
		text := ""
		if i := d.U32(6); i < len(s.w.strings) {
			text = s.w.strings[i]
		}
		return s.cell(d, text, true)
	case recLabel, recRString:
		return s.cell(d, cellText(s.w.texts(d.Part(6, len(d)), rec.more...).long()), true)
	case recNumber:
		return s.cell(d, s.number(math.Float64frombits(d.U64(6)), d.U16(4)), false)
	case recRK:
		return s.cell(d, s.number(rk(d.U32(6)), d.U16(4)), false)
	case recMulRK:
		for i := 0; 6*i+12 <= len(d); i++ {
			c := grid.Cell{Column: d.U16(2) + i, Text: s.number(rk(d.U32(6*i+6)), d.U16(6*i+4))}
			if err := s.place(d.U16(0), c); err != nil {
				return err
			}
		}
	case recBoolErr:
		return s.cell(d, constant(d.U8(6), d.U8(7) != 0), false)
	case recFormula, recFormula4, 0x0206:
		return s.formula(d)
	case recObj:
		s.object = -1
		if d.U16(0) == 0x15 { // FtCmo, which comes first
			s.object = d.U16(6)
		}
	case recTxO:
		s.drawn(rec)
	case recNote:
		return s.note(rec)
	}
	return nil
}

// cell takes a cell whose record begins with row and column.
func (s *sheet) cell(d ole.Bytes, text string, isText bool) error {
	return s.place(d.U16(0), grid.Cell{Column: d.U16(2), Text: text, IsText: isText})
}

func (s *sheet) place(row int, c grid.Cell) error {
	s.await = false
	if row != s.row {
		if err := s.endRow(); err != nil {
			return err
		}
		gap := s.row >= 0 && row != s.row+1
		if gap {
			if err := s.table.Row(nil, false); err != nil {
				return err
			}
		}
		s.row = row
	}
	if c.Column < grid.MaxColumns && len(s.cells) < grid.MaxColumns {
		s.cells = append(s.cells, c)
	}
	return nil
}

// endRow hands on the cells of the row that was read.
func (s *sheet) endRow() error {
	filled := slices.DeleteFunc(s.cells, func(c grid.Cell) bool { return c.Text == "" })
	s.cells = nil
	if len(filled) == 0 {
		return nil
	}
	return s.table.Row(filled, false)
}

func (s *sheet) number(v float64, style int) string {
	var f grid.Format
	if style < len(s.w.formats) {
		f = s.w.formats[style]
	}
	return block.Tidy(f.Value(v, s.w.since04))
}

// rk is a number in four bytes: 30 bits of one, and how to read them.
func rk(n int) float64 {
	v := math.Float64frombits(uint64(n&^3) << 32)
	if n&2 != 0 {
		v = float64(int32(uint32(n)) >> 2)
	}
	if n&1 != 0 {
		v /= 100
	}
	return v
}

// constant is a truth value or an error.
func constant(v int, isError bool) string {
	if !isError {
		if v != 0 {
			return "TRUE"
		}
		return "FALSE"
	}
	switch v {
	case 0x00:
		return "#NULL!"
	case 0x07:
		return "#DIV/0!"
	case 0x0f:
		return "#VALUE!"
	case 0x17:
		return "#REF!"
	case 0x1d:
		return "#NAME?"
	case 0x24:
		return "#NUM!"
	}
	return "#N/A"
}

// formula takes the result that a formula had.
func (s *sheet) formula(d ole.Bytes) error {
	if d.U16(12) != 0xffff {
		return s.cell(d, s.number(math.Float64frombits(d.U64(6)), d.U16(4)), false)
	}
	switch d.U8(6) {
	case 0: // a text, in a record after this one
		err := s.cell(d, "", true)
		s.await = true
		return err
	case 1:
		return s.cell(d, constant(d.U8(8), false), false)
	case 2:
		return s.cell(d, constant(d.U8(8), true), false)
	}
	return nil
}

// drawn takes the text of a drawn object: a box, or a comment.
func (s *sheet) drawn(rec record) {
	n := rec.data.U16(10)
	if n == 0 || len(rec.more) == 0 || len(s.notes) >= maxNotes || s.w.narrow {
		return
	}
	t := s.w.texts(nil, rec.more...)
	t.ended() // on to the record with the text
	s.notes[s.object] = strings.TrimLeft(s.notes[s.object]+"\n"+cellText(t.chars(n, t.u8()&1 != 0)), "\n")
}

// note reads a comment: its text is in a drawn object, or with Excel 5 here.
func (s *sheet) note(rec record) error {
	d := rec.data
	if s.w.narrow {
		t := s.w.texts(d.Part(4, len(d)), rec.more...)
		return s.aside(block.Block{Kind: block.Comment, Text: cellText(t.long())})
	}
	id := d.U16(6)
	text := s.notes[id]
	delete(s.notes, id)
	author := oneLine(s.w.texts(d.Part(8, len(d))).long())
	if said, ok := strings.CutPrefix(text, author+":"); ok && author != "" {
		text = strings.TrimSpace(said)
	}
	return s.aside(block.Block{Kind: block.Comment, Label: author, Text: text})
}

// boxes hands on the texts in drawings that are no comments.
func (s *sheet) boxes() error {
	for _, id := range slices.Sorted(maps.Keys(s.notes)) {
		if err := s.aside(block.Block{Kind: block.TextBox, Text: s.notes[id]}); err != nil {
			return err
		}
	}
	return nil
}

// ofChart takes titles and labels; the numbers of charts are in the cells.
func (s *sheet) ofChart(rec record) {
	if rec.id != recSeriesText || len(s.chart) >= 1000 {
		return
	}
	if text := cellText(s.w.texts(rec.data.Part(2, len(rec.data)), rec.more...).short()); text != "" {
		s.chart = append(s.chart, text)
	}
}

func (s *sheet) endChart() error {
	text := strings.Join(s.chart, "\n")
	s.chart = nil
	return s.aside(block.Block{Kind: block.TextBox, Text: text})
}
