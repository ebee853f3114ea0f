package ods

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/odf"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// What repeated rows and cells may add up to in a workbook.
const (
	maxCopies = 200_000  // cells
	maxCopied = 16 << 20 // bytes
)

// sheet is one being read.
type sheet struct {
	w     *workbook
	x     *ooxml.Reader
	n     int
	name  string
	named bool // its name was given to the sink
	table grid.Table
}

func newSheet(w *workbook, x *ooxml.Reader, n int, name string) *sheet {
	s := &sheet{w: w, x: x, n: n, name: name}
	s.table.Put = s.put
	return s
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
	s.w.given++
	return s.w.sink.Block(b)
}

func (s *sheet) end() error { return s.table.End() }

// rows reads what is below the element started last: rows, and groups of them.
func (s *sheet) rows() error {
	return s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "table:table-header-rows", "table:table-rows", "table:table-row-group":
			return s.rows()
		case "table:table-row":
			return s.row(odf.Count(t.Attr("table:number-rows-repeated"), 1, 1<<20))
		case "table:shapes":
			return s.w.text.Story(s.x, func(block.Block) error { return nil }).Blocks()
		}
		return nil
	})
}

// row reads a table:table-row that stands for so many.
func (s *sheet) row(times int) error {
	var cells []grid.Cell
	column, size := 0, 0
	err := s.x.Children(func(t ooxml.Token) error {
		if t.Name != "table:table-cell" && t.Name != "table:covered-table-cell" {
			return nil
		}
		repeats := odf.Count(t.Attr("table:number-columns-repeated"), 1, grid.MaxColumns)
		c, err := s.cell(t)
		if c.Text != "" && column < grid.MaxColumns {
			n := min(s.afford(repeats, 1, len(c.Text)), grid.MaxColumns-column)
			for i := range n {
				c.Column = column + i
				cells = append(cells, c)
				size += len(c.Text)
			}
		}
		column = min(column+repeats, grid.MaxColumns)
		return err
	})
	if len(cells) > 0 {
		times = s.afford(times, len(cells), size)
	} else {
		times = 1
	}
	for range times {
		if failed := s.table.Row(append([]grid.Cell(nil), cells...), false); failed != nil {
			return failed
		}
	}
	return err
}

// afford is how often something of so many cells and bytes is given that the
// file has times over: once, and as many copies as the budget has room for.
func (s *sheet) afford(times, cells, size int) int {
	n := min(times-1, s.w.copies/cells, s.w.copied/max(size, 1))
	if n < times-1 {
		s.w.short = true
	}
	s.w.copies -= n * cells
	s.w.copied -= n * size
	return n + 1
}

// cell reads a table cell: its text as it is shown.
func (s *sheet) cell(t ooxml.Token) (grid.Cell, error) {
	kind := t.Attr("office:value-type")
	calculated := t.Attr("table:formula") != ""
	value := s.stored(t, kind)
	var lines []string
	story := s.w.text.Story(s.x, func(b block.Block) error {
		if b.Kind == block.Table { // a table within a cell
			for _, r := range b.Rows {
				lines = append(lines, strings.Join(r, " "))
			}
			return nil
		}
		lines = append(lines, b.Text)
		return nil
	})
	err := story.Blocks()
	c := grid.Cell{Text: block.Tidy(strings.Join(lines, "\n")), IsText: kind == "string" || kind == ""}
	switch {
	case c.Text != "":
	case kind != "":
		c.Text = value
	case calculated:
		s.w.pending++
	}
	return c, err
}

// stored is the value that a cell without a text has.
func (s *sheet) stored(t ooxml.Token, kind string) string {
	name := "office:value"
	switch kind {
	case "date":
		name = "office:date-value"
	case "time":
		name = "office:time-value"
	case "boolean":
		name = "office:boolean-value"
	case "string":
		name = "office:string-value"
	}
	return block.Tidy(t.Attr(name))
}
