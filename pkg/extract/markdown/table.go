package markdown

import (
	"regexp"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

var delimiterRow = regexp.MustCompile(`^\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?$`)

// delimits reports whether a line is the delimiter row below the header of a
// table, which is then the last line of the open paragraph.
func (p *parser) delimits(text string) bool {
	if p.kind != block.Paragraph && p.kind != block.ListItem || p.continues || !strings.Contains(text, "-") || !delimiterRow.MatchString(text) {
		return false
	}
	header := lastLine(p.text.String())
	return strings.Contains(header, "|") && len(cells(header)) == len(cells(text))
}

func lastLine(text string) string {
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// beginTable makes the last line of the open paragraph the header of a table.
func (p *parser) beginTable(delimiter string) error {
	text := p.text.String()
	header := lastLine(text)
	p.text.Reset()
	p.text.WriteString(strings.TrimSuffix(text[:len(text)-len(header)], "\n"))
	if err := p.flush(); err != nil {
		return err
	}
	p.kind, p.columns = block.Table, len(cells(delimiter))
	p.rows = append(p.rows[:0:0], p.fit(cells(header)))
	return nil
}

// tableRow takes in a line after a table's delimiter row; done is false when
// the line ends the table and is something else.
func (p *parser) tableRow(text string) (done bool, err error) {
	if level, _ := atx(text); level > 0 || fenceOf(text) != "" || strings.HasPrefix(text, ">") || startsHTML(text, true) || !strings.Contains(text, "|") && p.item(text, 0) != nil {
		return false, p.flush()
	}
	p.rows = append(p.rows, p.fit(cells(text)))
	if len(p.rows) < tableFlush {
		return true, nil
	}
	return true, p.emitRows()
}

// fit gives a row the table's number of columns: what is too much joins the
// last.
func (p *parser) fit(row []string) []string {
	if len(row) > p.columns && p.columns > 0 {
		row = append(row[:p.columns-1:p.columns-1], strings.Join(row[p.columns-1:], " | "))
	}
	return row
}

func (p *parser) emitRows() error {
	b := block.Block{Kind: block.Table, Rows: p.rows, HeaderRow: !p.continues, Continues: p.continues}
	p.rows, p.continues = nil, true
	return p.put(b)
}

func (p *parser) endTable() error {
	if len(p.rows) == 0 {
		return nil
	}
	return p.emitRows()
}

// cells splits a row at the bars that aren't escaped.
func cells(row string) []string {
	row = strings.TrimSpace(row)
	row = strings.TrimPrefix(row, "|")
	if strings.HasSuffix(row, "|") && !strings.HasSuffix(row, `\|`) {
		row = row[:len(row)-1]
	}
	var out []string
	var cell strings.Builder
	end := func() {
		out = append(out, block.Clean(strings.TrimSpace(cell.String())))
		cell.Reset()
	}
	for i := 0; i < len(row); i++ {
		switch {
		case row[i] == '\\' && i+1 < len(row) && row[i+1] == '|':
			cell.WriteByte('|')
			i++
		case row[i] == '|':
			end()
		default:
			cell.WriteByte(row[i])
		}
	}
	end()
	return out
}
