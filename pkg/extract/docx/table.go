package docx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxColumns bounds what one cell may claim to span.
	maxColumns = 256
	// flushBytes is how much of a table is held before it is handed on.
	flushBytes = 256 << 10
	// wideRow is how much a row may hold to be one of a table.
	wideRow = 256 << 10
)

// table is one being read.
type table struct {
	s         *story
	rows      [][]string
	bytes     int
	count     int      // rows seen
	first     bool     // its style shows the first row as a header
	header    bool     // the first row is marked as one
	continued bool     // some rows were handed on already
	above     []string // the text of the cell that reaches down, by column
	repeated  block.Spans
	// only holds the blocks of a first row's only cell: a table of one cell is a frame around
	// text, not a table.
	only []block.Block
}

// table reads a w:tbl.
func (s *story) table() error {
	t := &table{s: s}
	if err := t.children(); err != nil {
		return err
	}
	if t.count == 1 && t.only != nil {
		for _, b := range t.only {
			if err := s.emit(b); err != nil {
				return err
			}
		}
		return nil
	}
	return t.flush()
}

func (t *table) children() error {
	return t.s.x.Children(func(tok ooxml.Token) error {
		switch tok.Name {
		case "w:tblPr":
			return t.s.x.Children(func(tok ooxml.Token) error {
				if tok.Name == "w:tblLook" {
					t.first = firstRow(tok)
				}
				return nil
			})
		case "w:tr":
			return t.row()
		case "w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo":
			return t.children()
		case "mc:AlternateContent":
			return t.s.alternate(t.children)
		}
		return nil
	})
}

// firstRow reads w:tblLook, in its old form a bit mask.
func firstRow(t ooxml.Token) bool {
	if v, ok := t.Lookup("w:firstRow"); ok {
		return v == "1" || v == "true" || v == "on"
	}
	mask, err := strconv.ParseUint(t.Attr("w:val"), 16, 32)
	return err == nil && mask&0x20 != 0
}

// row is one being read.
type row struct {
	cells []cell
	empty int // columns before the first cell
}

// cell is a w:tc.
type cell struct {
	blocks []block.Block
	span   int  // its columns
	merged bool // goes on with the cell above
}

func (t *table) row() error {
	r := &row{}
	if err := t.rowChildren(r); err != nil {
		return err
	}
	t.count++
	if t.count == 1 && len(r.cells) == 1 {
		t.only = r.cells[0].blocks
	} else {
		t.only = nil
	}
	texts, size := t.texts(r)
	if size > wideRow {
		return t.tooWide(r)
	}
	t.rows = append(t.rows, texts)
	t.bytes += size
	if t.count > 1 && t.bytes > flushBytes {
		return t.flush()
	}
	return nil
}

// texts are the places of a row and what they take up, in bytes. A cell over
// several rows, and a header over several columns, stands in each of them when
// it is short; what other cells span beyond their first place stays empty.
func (t *table) texts(r *row) (texts []string, size int) {
	header := t.count == 1 && (t.header || t.first)
	texts = make([]string, r.empty, r.empty+len(r.cells))
	for _, c := range r.cells {
		text, at := cellText(c.blocks), len(texts)
		for len(t.above) < at+c.span {
			t.above = append(t.above, "")
		}
		if c.merged && text == "" {
			text = t.repeated.Again(t.above[at])
		} else {
			t.repeated.Own(text)
			t.above[at] = text
		}
		texts = append(texts, text)
		size += len(text) + 16*c.span
		for range c.span - 1 {
			across := ""
			if header && len(r.cells) > 1 {
				across = t.repeated.Again(text)
			}
			t.above[len(texts)] = across
			texts = append(texts, across)
			size += len(across)
		}
	}
	return texts, size + 16*r.empty
}

// tooWide emits a row with so much in it that it is none: as what its cells
// hold. The rows after it are a table of their own.
func (t *table) tooWide(r *row) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.continued, t.only, t.first, t.header = false, nil, false, false
	for _, c := range r.cells {
		for _, b := range c.blocks {
			if err := t.s.emit(b); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *table) rowChildren(r *row) error {
	return t.s.x.Children(func(tok ooxml.Token) error {
		switch tok.Name {
		case "w:trPr":
			return t.s.x.Children(func(tok ooxml.Token) error {
				switch tok.Name {
				case "w:tblHeader":
					t.header = t.header || t.count == 0 && on(tok)
				case "w:gridBefore":
					r.empty = span(tok)
				}
				return nil
			})
		case "w:tc":
			return t.cell(r)
		case "w:sdt", "w:sdtContent", "w:customXml", "w:ins", "w:moveTo":
			return t.rowChildren(r)
		case "mc:AlternateContent":
			return t.s.alternate(func() error { return t.rowChildren(r) })
		}
		return nil
	})
}

// span is the number of columns that an element speaks of.
func span(t ooxml.Token) int {
	n, err := strconv.Atoi(t.Attr("w:val"))
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxColumns)
}

// cell reads a w:tc. Of vertically merged cells the later ones are empty in
// the file, too.
func (t *table) cell(r *row) error {
	c := cell{span: 1}
	inner := t.s.d.story(t.s.x, func(b block.Block) error {
		c.blocks = append(c.blocks, b)
		return nil
	})
	err := t.s.x.Children(func(tok ooxml.Token) error {
		if tok.Name == "w:tcPr" {
			return t.s.x.Children(func(tok ooxml.Token) error {
				switch tok.Name {
				case "w:gridSpan":
					c.span = span(tok)
				case "w:vMerge":
					c.merged = tok.Attr("w:val") != "restart"
				}
				return nil
			})
		}
		return inner.blockChild(tok)
	})
	r.cells = append(r.cells, c)
	return err
}

// cellText is what a cell holds as one text, a line for each paragraph; the
// cells of a table within it are separated by blanks.
func cellText(blocks []block.Block) string {
	lines := make([]string, 0, len(blocks))
	for _, b := range blocks {
		if b.Kind == block.Table {
			for _, r := range b.Rows {
				lines = append(lines, strings.Join(strings.Fields(strings.Join(r, " ")), " "))
			}
			continue
		}
		lines = append(lines, flat(b))
	}
	return strings.Join(lines, "\n")
}

// flush hands on the rows held.
func (t *table) flush() error {
	filled := t.continued
	for _, r := range t.rows {
		for _, c := range r {
			filled = filled || c != ""
		}
	}
	if !filled || len(t.rows) == 0 {
		t.rows = nil
		return nil
	}
	b := block.Block{Kind: block.Table, Rows: t.rows, Continues: t.continued}
	b.HeaderRow = !t.continued && (t.header || t.first && t.count > 1)
	t.rows, t.bytes, t.continued = nil, 0, true
	return t.s.emit(b)
}
