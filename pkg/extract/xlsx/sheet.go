package xlsx

import (
	"cmp"
	"fmt"
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
	last  int // number of the row read last
	given int // blocks and asides given to the sink
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

// beside reads what belongs to a sheet but stands in no cell.
func (s *sheet) beside(rels []ooxml.Relationship) error {
	for _, r := range rels {
		if r.External {
			continue
		}
		var err error
		switch r.Type {
		case "comments":
			err = s.w.pkg.Read(s.w.ctx, r.Target, s.comments)
		case "drawing":
			err = s.drawing(r.Target)
		}
		if err := s.w.tolerate(err, fmt.Sprintf("%s of sheet %q", r.Type, s.ref.name)); err != nil {
			return err
		}
	}
	return nil
}

// comments reads the notes on cells. Of a conversation Excel keeps the text
// here, too, below a notice for programs that don't know such things.
func (s *sheet) comments(x *ooxml.Reader, _ ooxml.Token) error {
	var authors []string
	return x.Children(func(t ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			switch t.Name {
			case "x:author":
				name, err := x.Content(maxText)
				if name = oneLine(name); strings.HasPrefix(name, "tc={") {
					name = ""
				}
				authors = append(authors, name)
				return err
			case "x:comment":
				return s.comment(x, t, authors)
			}
			return nil
		})
	})
}

func (s *sheet) comment(x *ooxml.Reader, t ooxml.Token, authors []string) error {
	b := block.Block{Kind: block.Comment, Page: s.n}
	if i, err := strconv.Atoi(t.Attr("authorId")); err == nil && i >= 0 && i < len(authors) {
		b.Label = authors[i]
	}
	err := x.Children(func(t ooxml.Token) error {
		if t.Name != "x:text" {
			return nil
		}
		var err error
		b.Text, err = richText(x)
		return err
	})
	if strings.HasPrefix(b.Text, "[Threaded comment]") {
		if _, said, ok := strings.Cut(b.Text, "\nComment:\n"); ok {
			b.Text = said
		}
	}
	if err != nil {
		return err
	}
	return s.w.aside(b)
}

// drawing reads the text of boxes on a sheet, and of titles and labels in the
// charts there; the numbers of charts are in the cells.
func (s *sheet) drawing(part string) error {
	text, more := "", false
	err := s.w.pkg.Read(s.w.ctx, part, func(x *ooxml.Reader, _ ooxml.Token) error {
		var err error
		text, more, err = drawn(x)
		return err
	})
	if failed := s.w.aside(block.Block{Kind: block.TextBox, Page: s.n, Text: text}); failed != nil || err != nil || !more {
		return cmp.Or(failed, err)
	}
	rels, err := s.w.pkg.Relationships(s.w.ctx, part)
	if err != nil {
		return err
	}
	for _, r := range rels {
		if r.Type != "chart" && r.Type != "diagramData" || r.External {
			continue
		}
		err := s.w.pkg.Read(s.w.ctx, r.Target, func(x *ooxml.Reader, _ ooxml.Token) error {
			var err error
			text, _, err = drawn(x)
			return err
		})
		if err != nil {
			return err
		}
		if err := s.w.aside(block.Block{Kind: block.TextBox, Page: s.n, Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// drawn is the text of the DrawingML below the element started last, a line
// for each paragraph; more says that it refers to charts or diagrams.
func drawn(x *ooxml.Reader) (text string, more bool, err error) {
	var lines []string
	var visit, run func(t ooxml.Token) error
	run = func(t ooxml.Token) error {
		switch t.Name {
		case "a:t":
			s, err := x.Content(maxText)
			lines[len(lines)-1] += s
			return err
		case "a:br":
			lines[len(lines)-1] += "\n"
			return nil
		}
		return x.Children(run)
	}
	visit = func(t ooxml.Token) error {
		switch t.Name {
		case "c:chart", "dgm:relIds":
			more = true
		case "a:p":
			lines = append(lines, "")
			return x.Children(run)
		}
		return x.Children(visit)
	}
	err = x.Children(visit)
	return block.Tidy(strings.Join(lines, "\n")), more, err
}
