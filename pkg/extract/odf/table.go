package odf

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxColumns bounds what one cell may claim to span or to be repeated.
	maxColumns = 256
	// maxRepeats bounds how often a row may claim to be repeated.
	maxRepeats = 100
	// flushBytes is how much of a table is held before it is handed on.
	flushBytes = 256 << 10
	// wideRow is how much a row may hold to be one of a table, in bytes.
	wideRow = 256 << 10
)

// table is one being read.
type table struct {
	s         *Story
	rows      [][]string
	bytes     int
	count     int  // rows seen
	header    bool // the first row is marked as one
	continued bool // some rows were handed on already
	// only holds the blocks of a first row's only cell: a table of one cell is a frame around
	// text, not a table.
	only []block.Block
}

// table reads a table:table.
func (s *Story) table() error {
	t := &table{s: s}
	if err := t.children(false); err != nil {
		if flushed := t.flush(); flushed != nil {
			return flushed
		}
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

func (t *table) children(header bool) error {
	return t.s.x.Children(func(tok ooxml.Token) error {
		switch tok.Name {
		case "table:table-header-rows":
			return t.children(true)
		case "table:table-rows", "table:table-row-group":
			return t.children(header)
		case "table:table-row":
			t.header = t.header || header && t.count == 0
			return t.row(Count(tok.Attr("table:number-rows-repeated"), 1, maxRepeats))
		}
		return nil
	})
}

func (t *table) row(repeats int) error {
	var texts []string
	var cells [][]block.Block
	size := 0
	err := t.s.x.Children(func(tok ooxml.Token) error {
		if tok.Name != "table:table-cell" && tok.Name != "table:covered-table-cell" {
			return nil
		}
		times := Count(tok.Attr("table:number-columns-repeated"), 1, maxColumns)
		covered := tok.Name == "table:covered-table-cell"
		var blocks []block.Block
		inner := t.s.d.Story(t.s.x, func(b block.Block) error {
			blocks = append(blocks, b)
			return nil
		})
		err := inner.Blocks()
		text := cellText(blocks)
		if !covered || text != "" {
			cells = append(cells, blocks)
		}
		for range times {
			texts = append(texts, text)
			if size += 16 + len(text); size > wideRow {
				break
			}
		}
		return err
	})
	t.count++
	t.only = nil
	if t.count == 1 && len(cells) == 1 && len(texts) == 1 {
		t.only = cells[0]
	}
	if size > wideRow {
		if failed := t.tooWide(cells); failed != nil {
			return failed
		}
		return err
	}
	if len(texts) == 0 {
		return err
	}
	if strings.Join(texts, "") == "" {
		repeats = 1
	}
	for range repeats {
		t.rows = append(t.rows, texts)
		if t.bytes += size; t.bytes > flushBytes && len(t.rows) > 1 {
			if failed := t.flush(); failed != nil {
				return failed
			}
		}
	}
	return err
}

// tooWide emits a row with so much in it that it is none: as what its cells
// hold. The rows after it are a table of their own.
func (t *table) tooWide(cells [][]block.Block) error {
	if err := t.flush(); err != nil {
		return err
	}
	t.continued, t.only, t.header = false, nil, false
	for _, c := range cells {
		for _, b := range c {
			if err := t.s.emit(b); err != nil {
				return err
			}
		}
	}
	return nil
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
		lines = append(lines, Flat(b))
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
	b.HeaderRow = !t.continued && t.header && t.count > 1
	t.rows, t.bytes, t.continued = nil, 0, true
	return t.s.emit(b)
}
