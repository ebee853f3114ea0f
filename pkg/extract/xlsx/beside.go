package xlsx

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// beside reads what belongs to a sheet but stands in no cell.
func (s *sheet) beside(rels []ooxml.Relationship) error {
	threaded := slices.ContainsFunc(rels, func(r ooxml.Relationship) bool { return r.Type == threadedComment && s.w.pkg.Has(r.Target) })
	for _, r := range rels {
		if r.External {
			continue
		}
		var err error
		switch r.Type {
		case "comments":
			err = s.w.pkg.Read(s.w.ctx, r.Target, func(x *ooxml.Reader, _ ooxml.Token) error { return s.comments(x, threaded) })
		case threadedComment:
			err = s.w.pkg.Read(s.w.ctx, r.Target, s.conversations)
		case "drawing":
			err = s.drawing(r.Target)
		}
		if err := ooxml.Tolerate(s.w.sink, err, fmt.Sprintf("%s of sheet %q", r.Type, s.ref.name)); err != nil {
			return err
		}
	}
	return nil
}

// threadedComment is the type of the part with the conversations about cells.
const threadedComment = "threadedComment"

// comments reads the notes on cells. Of a conversation Excel keeps the text
// here, too, below a notice for programs that don't know such things; it is
// passed over where threaded tells that the conversation itself is there.
func (s *sheet) comments(x *ooxml.Reader, threaded bool) error {
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
				return s.comment(x, t, authors, threaded)
			}
			return nil
		})
	})
}

func (s *sheet) comment(x *ooxml.Reader, t ooxml.Token, authors []string, threaded bool) error {
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
		if threaded {
			return err
		}
		if _, said, ok := strings.Cut(b.Text, "\nComment:\n"); ok {
			b.Text = said
		}
	}
	if err != nil {
		return err
	}
	return s.w.aside(b)
}

// conversations reads comments with who said them, answers after what they
// answer.
func (s *sheet) conversations(x *ooxml.Reader, _ ooxml.Token) error {
	people, err := s.w.persons()
	if err != nil {
		return err
	}
	return x.Children(func(t ooxml.Token) error {
		if t.Name != "x18:threadedComment" {
			return nil
		}
		b := block.Block{Kind: block.Comment, Page: s.n, Label: people[t.Attr("personId")]}
		err := x.Children(func(t ooxml.Token) error {
			if t.Name != "x18:text" {
				return nil
			}
			text, err := x.Content(maxText)
			b.Text = block.Tidy(text)
			return err
		})
		if err != nil {
			return err
		}
		return s.w.aside(b)
	})
}

// persons are the names of those who wrote in conversations, by their ids.
func (w *workbook) persons() (map[string]string, error) {
	if w.people != nil {
		return w.people, nil
	}
	w.people = map[string]string{}
	rels, err := w.pkg.Relationships(w.ctx, w.main)
	if err != nil {
		return nil, err
	}
	for _, r := range rels {
		if r.Type != "person" || r.External {
			continue
		}
		err := w.pkg.Read(w.ctx, r.Target, func(x *ooxml.Reader, _ ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				if len(w.people) < maxPeople {
					w.people[t.Attr("id")] = oneLine(t.Attr("displayName"))
				}
				return nil
			})
		})
		if err := ooxml.Tolerate(w.sink, err, "names of those who commented"); err != nil {
			return nil, err
		}
	}
	return w.people, nil
}

// maxPeople bounds the names of those who commented.
const maxPeople = 10_000

// drawing reads the text of boxes on a sheet, and of titles and labels in the
// charts there. The numbers of a chart are in the cells beside it; where there
// are none, the chart is read as a table.
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
		if s.bare && r.Type == "chart" {
			if err := s.w.pkg.Read(s.w.ctx, r.Target, s.wholeChart); err != nil {
				return err
			}
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

// wholeChart reads a chart that a sheet consists of.
func (s *sheet) wholeChart(x *ooxml.Reader, _ ooxml.Token) error {
	c, err := ooxml.ReadChart(x)
	if text := strings.Join(c.Titles, "\n"); text != "" {
		if err := s.put(block.Block{Kind: block.Paragraph, Text: text}); err != nil {
			return err
		}
	}
	for _, rows := range c.Tables {
		if err := s.put(block.Block{Kind: block.Table, Rows: rows, HeaderRow: len(rows) > 1}); err != nil {
			return err
		}
	}
	return err
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
