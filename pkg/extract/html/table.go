package html

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// maxTables bounds how many tables within one another are told apart; what is in deeper ones
	// goes to the cell around them.
	maxTables = 32
	// maxSpan bounds the columns and rows a cell may claim.
	maxSpan = 100
	// wideCell is how much text of several blocks makes a cell part of a page's layout, in bytes.
	wideCell = 400
	// wideRow is how much text makes a row too large to be one of a table, in bytes.
	wideRow = 256 << 10
)

// tableStack is the tables that are open, outermost first.
type tableStack struct {
	open []*table
	over int // open tables beyond maxTables
}

// table is one being read. Only at its end is it known whether it is one or
// the layout of a page.
type table struct {
	rows   []row
	cell   bool // a cell is open
	head   bool // within <thead>
	layout bool // says itself that it is no table of data
	// before is what stands in the table but in no cell; browsers show it above.
	before []block.Block
}

type row struct {
	cells []cell
	head  bool
}

type cell struct {
	blocks        []block.Block
	bytes         int
	header        bool // <th>
	columns, rows int  // that it spans
}

func (s *tableStack) depth() int { return len(s.open) }

func (s *tableStack) top() *table {
	if len(s.open) == 0 {
		return nil
	}
	return s.open[len(s.open)-1]
}

// inCell reports whether text goes to a cell.
func (s *tableStack) inCell() bool { return len(s.open) > 0 }

// add gives a block to the open cell of the innermost table. It reports false
// when no table is open.
func (s *tableStack) add(b block.Block) bool {
	t := s.top()
	if t == nil {
		return false
	}
	if !t.cell {
		t.before = append(t.before, b)
		return true
	}
	r := &t.rows[len(t.rows)-1]
	c := &r.cells[len(r.cells)-1]
	c.blocks = append(c.blocks, b)
	c.bytes += len(b.Text)
	for _, row := range b.Rows {
		for _, text := range row {
			c.bytes += len(text)
		}
	}
	return true
}

func (w *walker) openTable(name string, attrs map[string]string) {
	s := &w.tables
	if name == "table" {
		if len(s.open) >= maxTables {
			s.over++
			return
		}
		role := strings.ToLower(attrs["role"])
		s.open = append(s.open, &table{layout: role == "presentation" || role == "none"})
		return
	}
	t := s.top()
	if t == nil || s.over > 0 {
		return
	}
	switch name {
	case "caption":
		t.cell = false
	case "thead", "tbody", "tfoot":
		t.head, t.cell = name == "thead", false
	case "tr":
		t.newRow()
	case "td", "th":
		if len(t.rows) == 0 {
			t.newRow()
		}
		r := &t.rows[len(t.rows)-1]
		r.cells = append(r.cells, cell{header: name == "th", columns: spanOf(attrs["colspan"]), rows: spanOf(attrs["rowspan"])})
		t.cell = true
	}
}

// newRow begins a row unless the last one is still empty.
func (t *table) newRow() {
	t.cell = false
	if n := len(t.rows); n == 0 || len(t.rows[n-1].cells) > 0 {
		t.rows = append(t.rows, row{head: t.head})
	}
}

func spanOf(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return 1
	}
	return min(max(n, 1), maxSpan)
}

func (w *walker) closeTable(name string) error {
	s := &w.tables
	t := s.top()
	if t == nil {
		return nil
	}
	if s.over > 0 {
		if name == "table" {
			s.over--
		}
		return nil
	}
	switch name {
	case "table":
		return w.endTable()
	case "tr", "td", "th":
		t.cell = false
	}
	return nil
}

// endTable takes the innermost table off the stack and hands on what it turned
// out to be, to the cell around it or away.
func (w *walker) endTable() error {
	s := &w.tables
	t := s.top()
	s.open = s.open[:len(s.open)-1]
	for _, b := range t.before {
		if err := w.put(b); err != nil {
			return err
		}
	}
	if t.isLayout() {
		for _, r := range t.rows {
			for _, c := range r.cells {
				for _, b := range c.blocks {
					if err := w.put(b); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	if rows, header := t.grid(); len(rows) > 0 {
		return w.put(block.Block{Kind: block.Table, Rows: rows, HeaderRow: header})
	}
	return nil
}

// isLayout reports whether a table only arranges the page: a single cell or
// column of anything but short texts, or cells that hold headings, tables and
// long texts. One without any header cell needs no long texts for that.
func (t *table) isLayout() bool {
	if t.layout {
		return true
	}
	headers, columns, longest := false, 0, 0
	for _, r := range t.rows {
		columns = max(columns, len(r.cells))
		bytes := 0
		for _, c := range r.cells {
			bytes += c.bytes + 16
			headers = headers || c.header || r.head
		}
		longest = max(longest, bytes)
	}
	if longest > wideRow || len(t.rows) == 1 && columns == 1 {
		return true
	}
	for _, r := range t.rows {
		for _, c := range r.cells {
			if c.arranges(!headers) {
				return true
			}
		}
	}
	return false
}

// arranges reports whether a cell holds what no cell of a table of data does.
func (c *cell) arranges(plain bool) bool {
	if len(c.blocks) < 2 || !plain && c.bytes <= wideCell {
		return false
	}
	if c.header {
		return true
	}
	for _, b := range c.blocks {
		if b.Kind == block.Heading || b.Kind == block.Table {
			return true
		}
	}
	return false
}

// grid lays the cells out in rows and columns. A cell over several rows, and a
// header over several columns, stands in each of them when it is short; what
// other cells span beyond their first place stays empty.
func (t *table) grid() (rows [][]string, header bool) {
	g := &grid{}
	for i, r := range t.rows {
		out := g.row(r)
		if i == 0 && len(t.rows) > 1 {
			headers := 0
			for _, c := range r.cells {
				if c.header {
					headers++
				}
			}
			header = len(r.cells) > 0 && (r.head || headers == len(r.cells))
		}
		if i > 0 && r.allGoOn() && i+1 < len(t.rows) { // what it says stands in the rows below
			continue
		}
		rows = append(rows, out)
	}
	if !g.filled {
		return nil, false
	}
	return rows, header
}

// allGoOn reports whether every cell of a row is short and reaches into the
// next row.
func (r *row) allGoOn() bool {
	for _, c := range r.cells {
		if c.rows < 2 || c.bytes > 100 || len(c.blocks) > 1 {
			return false
		}
	}
	return len(r.cells) > 0
}

// grid is a table as it is laid out.
type grid struct {
	above        []column
	cells, empty int
	filled       bool
	spans        block.Spans
}

// column is what a cell above still takes up of one column.
type column struct {
	rows int
	text string
}

// row lays out one row.
func (g *grid) row(r row) []string {
	var out []string
	fromAbove := func() {
		c := &g.above[len(out)]
		c.rows--
		out = append(out, g.spans.Again(c.text))
		g.empty++
	}
	for _, c := range r.cells {
		for len(out) < len(g.above) && g.above[len(out)].rows > 0 {
			fromAbove()
		}
		g.cells++
		if g.empty > 1000+4*g.cells { // a table that consists of spans
			c.columns, c.rows = 1, 1
		}
		at := len(out)
		text := cellText(c.blocks)
		g.filled = g.filled || text != ""
		g.spans.Own(text)
		out = append(out, text)
		across := ""
		if (c.header || r.head) && len(r.cells) > 1 {
			across = text
		}
		for range c.columns - 1 {
			out = append(out, g.spans.Again(across))
			g.empty++
		}
		for len(g.above) < len(out) {
			g.above = append(g.above, column{})
		}
		for j := at; j < len(out); j++ {
			g.above[j] = column{c.rows - 1, across}
		}
		g.above[at].text = text
	}
	for j := len(out); j < len(g.above); j++ {
		if g.above[j].rows == 0 {
			continue
		}
		if g.above[j].text == "" {
			g.above[j].rows--
			continue
		}
		for len(out) < j {
			out = append(out, "")
			g.empty++
		}
		fromAbove()
	}
	return out
}

// cellText is what a cell holds, one line for each paragraph or row of a
// table within it.
func cellText(blocks []block.Block) string {
	lines := make([]string, 0, len(blocks))
	for _, b := range blocks {
		switch {
		case b.Kind == block.Table:
			for _, r := range b.Rows {
				lines = append(lines, strings.Join(strings.Fields(strings.Join(r, " ")), " "))
			}
		case b.Label != "":
			lines = append(lines, b.Label+" "+b.Text)
		default:
			lines = append(lines, b.Text)
		}
	}
	return strings.Join(lines, "\n")
}
