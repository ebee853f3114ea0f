package xlsx

import (
	"slices"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// flushBytes is how much of a table is held before it is handed on.
const flushBytes = 256 << 10

// table gathers rows that stand together.
type table struct {
	put func(block.Block) error

	rows  [][]cell
	bytes int
	blank bool // an empty row came after rows
	// Of a table that some rows were handed on of already: its columns in the sheet, in order.
	columns []int
}

// row takes the filled cells of the next row, none for an empty one; gap says
// that rows before it are left out of the file for being empty.
func (t *table) row(cells []cell, gap bool, size int) error {
	if len(cells) == 0 {
		t.blank = true
		return nil
	}
	slices.SortStableFunc(cells, func(a, b cell) int { return a.column - b.column })
	if (t.blank || gap) && !t.goesOn(cells) {
		if err := t.end(); err != nil {
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

// goesOn reports whether a row after an empty one belongs to the table before
// it: it has values in the same columns. A row of texts alone begins another
// table, as its header.
func (t *table) goesOn(cells []cell) bool {
	first, last := 0, 0
	switch {
	case len(t.rows) > 0:
		before := t.rows[len(t.rows)-1]
		first, last = before[0].column, before[len(before)-1].column
	case len(t.columns) > 0:
		first, last = t.columns[0], t.columns[len(t.columns)-1]
	default:
		return false
	}
	return len(cells) > 1 && last > first && cells[0].column == first && cells[len(cells)-1].column <= last && !allText(cells)
}

func allText(cells []cell) bool {
	return !slices.ContainsFunc(cells, func(c cell) bool { return !c.isText })
}

// end hands on what is left of the table. The next row begins another.
func (t *table) end() error {
	err := t.flush()
	t.columns, t.blank = nil, false
	return err
}

// flush hands on the rows held. Columns in which they have nothing are left out.
func (t *table) flush() error {
	rows := t.rows
	t.rows, t.bytes = nil, 0
	if len(rows) == 0 {
		return nil
	}
	if len(rows) == 1 && len(rows[0]) == 1 && t.columns == nil { // a title, or a remark
		return t.put(block.Block{Kind: block.Paragraph, Text: rows[0][0].text})
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
	return t.put(b)
}

// columnsOf lists the columns that rows have something in, and counts cells.
func columnsOf(rows [][]cell) (used []int, cells int) {
	seen := map[int]bool{}
	for _, r := range rows {
		cells += len(r)
		for _, c := range r {
			if !seen[c.column] {
				seen[c.column] = true
				used = append(used, c.column)
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
func placed(cells []cell, columns []int, strewn bool) []string {
	texts := make([]string, 0, len(cells))
	at := 0
	for i, c := range cells {
		if i > 0 && cells[i-1].column == c.column {
			texts[len(texts)-1] += "\n" + c.text
			continue
		}
		for ; !strewn && columns[at] < c.column; at++ {
			texts = append(texts, "")
		}
		texts = append(texts, c.text)
		at++
	}
	return texts
}
