// Package grid is what spreadsheets of all kinds have in common: the filled
// cells of their rows become tables that empty rows part (Table), and numbers
// are written by their format (Format).
package grid

import (
	"slices"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// MaxColumns is what a sheet has at most in any program that is known.
	MaxColumns = 16384
	// flushBytes is how much of a table is held before it is handed on.
	flushBytes = 256 << 10
	// wideRow is how much a row may hold to be one of a table, in bytes.
	wideRow = 256 << 10
)

// Cell is one that isn't empty.
type Cell struct {
	Column int // from 0
	Text   string
	IsText bool // not a number, date or truth value
}

// Table gathers rows that stand together, and hands them on with Put.
type Table struct {
	Put func(block.Block) error

	rows  [][]Cell
	bytes int
	blank bool // an empty row came after rows
	// Of a table that some rows were handed on of already: its columns in the sheet, in order.
	columns []int
}

// Row takes the filled cells of the next row, none for an empty one; gap says
// that rows before it are left out of the file for being empty. The cells are
// kept. A row with so much in it that it is none of a table ends the one before
// it, and each of its cells is a paragraph.
func (t *Table) Row(cells []Cell, gap bool) error {
	if len(cells) == 0 {
		t.blank = true
		return nil
	}
	size := 0
	for _, c := range cells {
		size += len(c.Text) + 16
	}
	if size > wideRow {
		return t.wide(cells)
	}
	slices.SortStableFunc(cells, func(a, b Cell) int { return a.Column - b.Column })
	if (t.blank || gap) && !t.goesOn(cells) {
		if err := t.End(); err != nil {
			return err
		}
	}
	t.blank = false
	t.rows = append(t.rows, cells)
	if t.bytes += size; t.bytes > flushBytes && len(t.rows) > 1 {
		return t.flush()
	}
	return nil
}

func (t *Table) wide(cells []Cell) error {
	if err := t.End(); err != nil {
		return err
	}
	for _, c := range cells {
		if err := t.Put(block.Block{Kind: block.Paragraph, Text: c.Text}); err != nil {
			return err
		}
	}
	return nil
}

// goesOn reports whether a row after an empty one belongs to the table before
// it: it has values in the same columns. A row of texts alone begins another
// table, as its header.
func (t *Table) goesOn(cells []Cell) bool {
	first, last := 0, 0
	switch {
	case len(t.rows) > 0:
		before := t.rows[len(t.rows)-1]
		first, last = before[0].Column, before[len(before)-1].Column
	case len(t.columns) > 0:
		first, last = t.columns[0], t.columns[len(t.columns)-1]
	default:
		return false
	}
	return len(cells) > 1 && last > first && cells[0].Column == first && cells[len(cells)-1].Column <= last && !allText(cells)
}

func allText(cells []Cell) bool {
	return !slices.ContainsFunc(cells, func(c Cell) bool { return !c.IsText })
}

// End hands on what is left of the table. The next row begins another.
func (t *Table) End() error {
	err := t.flush()
	t.columns, t.blank = nil, false
	return err
}

// flush hands on the rows held. Columns in which they have nothing are left out.
func (t *Table) flush() error {
	rows := t.rows
	t.rows, t.bytes = nil, 0
	if len(rows) == 0 {
		return nil
	}
	if len(rows) == 1 && len(rows[0]) == 1 && t.columns == nil { // a title, or a remark
		return t.Put(block.Block{Kind: block.Paragraph, Text: rows[0][0].Text})
	}
	used, cells := columnsOf(rows)
	continues := t.columns != nil && subset(used, t.columns)
	if !continues {
		t.columns = used
	}
	b := block.Block{Kind: block.Table, Continues: continues}
	b.HeaderRow = !continues && len(rows) > 1 && len(rows[0]) > 1 && allText(rows[0])
	// Cells strewn over the sheet would need far more empty cells than there are filled ones.
	strewn := len(rows)*len(t.columns) > 8*cells+10000
	for _, r := range rows {
		b.Rows = append(b.Rows, placed(r, t.columns, strewn))
	}
	return t.Put(b)
}

// columnsOf lists the columns that rows have something in, and counts cells.
func columnsOf(rows [][]Cell) (used []int, cells int) {
	seen := map[int]bool{}
	for _, r := range rows {
		cells += len(r)
		for _, c := range r {
			if !seen[c.Column] {
				seen[c.Column] = true
				used = append(used, c.Column)
			}
		}
	}
	slices.Sort(used)
	return used, cells
}

// subset reports whether all of the sorted a are in the sorted b.
func subset(a, b []int) bool {
	for _, n := range a {
		if _, ok := slices.BinarySearch(b, n); !ok {
			return false
		}
	}
	return true
}

// placed are the texts of a row, each in its column unless strewn. A column
// that a damaged file gives twice has both texts.
func placed(cells []Cell, columns []int, strewn bool) []string {
	texts := make([]string, 0, len(cells))
	at := 0
	for i, c := range cells {
		if i > 0 && cells[i-1].Column == c.Column {
			texts[len(texts)-1] += "\n" + c.Text
			continue
		}
		for ; !strewn && columns[at] < c.Column; at++ {
			texts = append(texts, "")
		}
		texts = append(texts, c.Text)
		at++
	}
	return texts
}
