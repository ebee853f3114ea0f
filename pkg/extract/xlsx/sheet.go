package xlsx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// sheet is one being read.
type sheet struct {
	w     *workbook
	n     int
	ref   sheetRef
	table grid.Table
	last  int  // number of the row read last
	bare  bool // it has no cells: it is its drawing, and charts are read in full
	given int  // blocks and asides given to the sink
}

func (s *sheet) read() error {
	s.table.Put = s.put
	rels, err := s.w.pkg.Relationships(s.w.ctx, s.ref.part)
	if err != nil {
		return err
	}
	err = s.w.pkg.Read(s.w.ctx, s.ref.part, func(x *ooxml.Reader, root ooxml.Token) error {
		switch root.Name {
		case "x:worksheet", "x:chartsheet", "x:dialogsheet":
		default:
			return block.Errorf(block.CodeCorrupt, "This sheet is damaged: its part is no sheet (it begins with %s).", root.Name)
		}
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "x:sheetData" {
				return nil
			}
			return x.Children(func(t ooxml.Token) error {
				if t.Name != "x:row" {
					return nil
				}
				return s.row(x, t.Attr("r"))
			})
		})
	})
	if err := s.table.End(); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	s.bare = s.given == 0
	return s.beside(rels)
}

// put gives a block to the sink, the sheet's name before the first one.
func (s *sheet) put(b block.Block) error {
	if s.given == 0 && s.ref.name != "" {
		s.w.given++
		if err := s.w.sink.Block(block.Block{Kind: block.Heading, Level: 1, Page: s.n, Text: s.ref.name}); err != nil {
			return err
		}
	}
	b.Page = s.n
	s.given++
	s.w.given++
	return s.w.sink.Block(b)
}

// row reads an x:row.
func (s *sheet) row(x *ooxml.Reader, number string) error {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > 1<<24 {
		n = s.last + 1
	}
	gap := n != s.last+1 && s.last > 0
	var cells []grid.Cell
	next := 0
	err = x.Children(func(t ooxml.Token) error {
		if t.Name != "x:c" || len(cells) >= grid.MaxColumns {
			return nil
		}
		c := grid.Cell{Column: next}
		if at, ok := column(t.Attr("r")); ok {
			c.Column = at
		}
		next = min(c.Column+1, grid.MaxColumns-1)
		if err := s.cell(x, t, &c); err != nil {
			return err
		}
		if c.Text != "" {
			cells = append(cells, c)
		}
		return nil
	})
	s.last = n
	if err := s.table.Row(cells, gap); err != nil {
		return err
	}
	return err
}

// column is the number of the column in a reference such as "AB12", from 0.
func column(ref string) (int, bool) {
	n := 0
	for i := range len(ref) {
		c := ref[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			return n - 1, i > 0
		}
		if n = n*26 + int(c-'A') + 1; n > grid.MaxColumns {
			return 0, false
		}
	}
	return n - 1, n > 0
}

// cell reads an x:c.
func (s *sheet) cell(x *ooxml.Reader, t ooxml.Token, c *grid.Cell) error {
	kind, style := t.Attr("t"), t.Attr("s")
	raw, calculated := "", false
	err := x.Children(func(t ooxml.Token) error {
		var err error
		switch t.Name {
		case "x:v":
			raw, err = x.Content(maxText)
		case "x:is":
			c.Text, err = richText(x)
			c.IsText = true
		case "x:f":
			calculated = true
		}
		return err
	})
	if err != nil {
		return err
	}
	if raw == "" {
		if calculated && c.Text == "" && kind != "str" {
			s.w.pending++
		}
		return nil
	}
	switch kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(raw))
		if err == nil && i >= 0 && i < len(s.w.strings) {
			c.Text = s.w.strings[i]
		}
		c.IsText = true
	case "b":
		c.Text = "FALSE"
		if isOn(strings.TrimSpace(raw)) {
			c.Text = "TRUE"
		}
	case "str", "inlineStr":
		c.Text, c.IsText = cellText(raw), true
	case "e", "d":
		c.Text = cellText(raw)
	default:
		var f grid.Format
		if i, err := strconv.Atoi(style); err == nil && i >= 0 && i < len(s.w.formats) {
			f = s.w.formats[i]
		}
		c.Text = block.Tidy(f.Number(strings.TrimSpace(raw), s.w.since04))
	}
	return nil
}
