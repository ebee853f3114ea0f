package pptx

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxColumns bounds what one cell may claim to span.
	maxColumns = 256
	// flushBytes is how much of a table is put into one block.
	flushBytes = 256 << 10
	// maxNodes bounds the texts of one diagram that are put into order.
	maxNodes = 10000
)

// frame reads a p:graphicFrame: a table, a chart, or a diagram.
func (s *slide) frame(x *ooxml.Reader) error {
	s.open = item{}
	var who holder
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "p:nvGraphicFramePr":
			var err error
			who, err = readHolder(x)
			return err
		case "p:xfrm":
			return transform(x, &s.open.Box)
		case "a:graphic":
			if who.hidden {
				return nil
			}
			return x.Children(func(t ooxml.Token) error { // a:graphicData
				return x.Children(func(t ooxml.Token) error { return s.graphic(x, t) })
			})
		}
		return nil
	})
	if err == nil && !s.open.Placed {
		s.open.Box = s.layout.place(who)
	}
	s.keep()
	return err
}

func (s *slide) graphic(x *ooxml.Reader, t ooxml.Token) error {
	switch t.Name {
	case "a:tbl":
		return s.table(x)
	case "c:chart", "cx:chart":
		return s.secondary(s.byID[t.Attr("r:id")], "chart", s.chart)
	case "dgm:relIds":
		return s.secondary(s.byID[t.Attr("r:dm")], "diagram", s.diagram)
	}
	return nil
}

// secondary reads a part that belongs to the slide.
func (s *slide) secondary(part, what string, read func(*ooxml.Reader, ooxml.Token) error) error {
	if part == "" {
		return nil
	}
	return ooxml.Tolerate(s.d.sink, s.d.pkg.Read(s.d.ctx, part, read), what+" on slide "+strconv.Itoa(s.n))
}

// chart reads a chart's part: its titles as a paragraph, its data as tables.
func (s *slide) chart(x *ooxml.Reader, _ ooxml.Token) error {
	c, err := ooxml.ReadChart(x)
	if len(c.Titles) > 0 {
		if err := s.put(block.Block{Kind: block.Paragraph, Text: strings.Join(c.Titles, "\n")}); err != nil {
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

// table reads an a:tbl.
func (s *slide) table(x *ooxml.Reader) error {
	var rows [][]string
	header, continued, bytes := false, false, 0
	m := &merged{}
	flush := func() error {
		b := block.Block{Kind: block.Table, Rows: rows, Continues: continued, HeaderRow: header && !continued && (len(rows) > 1)}
		rows, bytes, continued = nil, 0, true
		return s.put(b)
	}
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "a:tblPr":
			v := t.Attr("firstRow")
			header = v == "1" || v == "true"
		case "a:tr":
			row, size, err := m.row(x, header && !continued && len(rows) == 0)
			rows = append(rows, row)
			if bytes += size; err == nil && bytes > flushBytes && len(rows) > 1 {
				return flush()
			}
			return err
		}
		return nil
	})
	switch {
	case !continued && len(rows) == 1 && len(rows[0]) == 1: // a frame around text
		if rows[0][0] != "" {
			err = cmp.Or(s.put(block.Block{Kind: block.Paragraph, Text: rows[0][0]}), err)
		}
	case filled(rows):
		err = cmp.Or(flush(), err)
	}
	return err
}

func filled(rows [][]string) bool {
	for _, r := range rows {
		for _, c := range r {
			if c != "" {
				return true
			}
		}
	}
	return false
}

// merged reads the rows of a table. Cells that are merged into another are in
// the file, empty: one over several rows, and a header over several columns,
// stands in each of them when it is short.
type merged struct {
	above []string // the cell that reaches down in each column
	spans block.Spans
}

// row reads an a:tr.
func (m *merged) row(x *ooxml.Reader, header bool) (cells []string, size int, err error) {
	err = x.Children(func(t ooxml.Token) error {
		if t.Name != "a:tc" || len(cells) >= 16*maxColumns {
			return nil
		}
		text, err := m.cell(x, t, cells, header)
		cells = append(cells, text)
		size += 16 + len(text)
		return err
	})
	return cells, size, err
}

// cell reads an a:tc that comes after those to its left.
func (m *merged) cell(x *ooxml.Reader, t ooxml.Token, left []string, header bool) (string, error) {
	is := func(attr string) bool { return t.Attr(attr) != "" && !off(t.Attr(attr)) }
	fromLeft, fromAbove := is("hMerge"), is("vMerge")
	text := ""
	err := x.Children(func(t ooxml.Token) error {
		if t.Name != "a:txBody" || fromLeft || fromAbove {
			return nil
		}
		p := &paragraphs{x: x}
		var err error
		text, err = p.flat()
		return err
	})
	n := len(left)
	for len(m.above) <= n {
		m.above = append(m.above, "")
	}
	switch {
	case fromAbove:
		return m.spans.Again(m.above[n]), err
	case fromLeft && header && n > 0:
		text = m.spans.Again(left[n-1])
	default:
		m.spans.Own(text)
	}
	m.above[n] = text
	return text, err
}

// node is one text of a diagram.
type node struct {
	id, text string
	children []link
	reached  bool
}

type link struct {
	to    string
	order int
}

// diagram reads the data of a SmartArt graphic: texts that form a tree, given
// as nested lists.
func (s *slide) diagram(x *ooxml.Reader, _ ooxml.Token) error {
	nodes := map[string]*node{}
	var all []*node
	err := x.Children(func(t ooxml.Token) error {
		return x.Children(func(child ooxml.Token) error {
			switch {
			case child.Name == "dgm:pt" && len(all) < maxNodes:
				n, err := readNode(x, child)
				all = append(all, n)
				nodes[n.id] = n
				return err
			case child.Name == "dgm:cxn" && (child.Attr("type") == "" || child.Attr("type") == "parOf"):
				if from := nodes[child.Attr("srcId")]; from != nil && len(from.children) < maxNodes {
					order, err := strconv.Atoi(child.Attr("srcOrd"))
					if err != nil {
						order = len(from.children)
					}
					from.children = append(from.children, link{child.Attr("destId"), order})
				}
			}
			return nil
		})
	})
	for _, n := range all { // the document comes first in the file, what nothing leads to in any place
		if err := s.branch(nodes, n, 0); err != nil {
			return err
		}
	}
	return err
}

func readNode(x *ooxml.Reader, t ooxml.Token) (*node, error) {
	n := &node{id: t.Attr("modelId")}
	kind, prompt := t.Attr("type"), false
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "dgm:prSet":
			v := t.Attr("phldr")
			prompt = v == "1" || v == "true"
		case "dgm:t":
			p := &paragraphs{x: x}
			var err error
			n.text, err = p.flat()
			return err
		}
		return nil
	})
	if prompt || kind == "pres" {
		n.text = ""
	}
	return n, err
}

// branch gives a text of a diagram and those below it. A text that was given
// is not given again, so circles end; depth is bounded because the stack is.
func (s *slide) branch(nodes map[string]*node, n *node, depth int) error {
	const deepest = 50
	if n.reached || depth > deepest {
		return nil
	}
	n.reached = true
	below := depth
	if n.text != "" {
		if err := s.put(block.Block{Kind: block.ListItem, Level: min(depth, maxLevels-1), Text: n.text}); err != nil {
			return err
		}
		below++
	}
	slices.SortStableFunc(n.children, func(a, b link) int { return cmp.Compare(a.order, b.order) })
	for _, l := range n.children {
		if c := nodes[l.to]; c != nil {
			if err := s.branch(nodes, c, below); err != nil {
				return err
			}
		}
	}
	return nil
}
