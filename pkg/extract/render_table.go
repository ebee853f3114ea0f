package extract

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// table writes a table and the rows that continue it. Markdown knows no table
// without a header row, so that one is left empty where there is none.
func (r *renderer) table(parts []Block) {
	columns, cells, rows := 0, 0, 0
	for _, p := range parts {
		rows += len(p.Rows)
		for _, row := range p.Rows {
			columns = max(columns, len(row))
			cells += len(row)
		}
	}
	if columns == 0 {
		return
	}
	fill := columns
	if rows*columns > 8*cells+10000 { // one row much wider than the rest would make the text explode
		fill = 0
	}
	s := Span{Start: r.begin(block.Table), Kind: block.Table, Page: parts[0].Page}
	header := []string{}
	if parts[0].HeaderRow && len(parts[0].Rows) > 0 {
		header = parts[0].Rows[0]
	}
	line := r.row(header, columns)
	if len(header) > 0 {
		s.Header = line
	}
	r.b.WriteString("\n|" + strings.Repeat(" --- |", columns))
	for i, p := range parts {
		body := p.Rows
		if i == 0 && p.HeaderRow && len(body) > 0 {
			body = body[1:]
		}
		for _, row := range body {
			r.b.WriteByte('\n')
			start := r.b.Len()
			r.row(row, max(fill, len(row)))
			s.Rows = append(s.Rows, Range{start, r.b.Len()})
		}
	}
	r.end(s)
}

// row writes the cells of one row, filled up to the table's width, and
// returns what it wrote.
func (r *renderer) row(cells []string, columns int) string {
	var line strings.Builder
	line.WriteByte('|')
	for i := range columns {
		line.WriteByte(' ')
		if i < len(cells) && cells[i] != "" {
			line.WriteString(cell(cells[i]))
			line.WriteByte(' ')
		}
		line.WriteByte('|')
	}
	r.b.WriteString(line.String())
	return line.String()
}

// cell is the text of a cell on one line, with the bars in it escaped.
func cell(s string) string {
	s = oneLine(block.Clean(s))
	if strings.Contains(s, "|") {
		s = strings.ReplaceAll(strings.ReplaceAll(s, `\|`, "|"), "|", `\|`)
	}
	return s
}
