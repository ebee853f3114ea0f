package pptx

import (
	"math"
	"strconv"

	"github.com/docsvc/docsvc/pkg/extract/arrange"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// What is held of a slide to put it into order: so many bytes and so many
// blocks. More is given as it comes.
const (
	maxHeld   = 4 << 20
	blockCost = 256
)

// slide is one being read.
type slide struct {
	d      *document
	n      int
	name   string
	byID   map[string]string // parts it refers to
	layout *layout

	items []item // in the order of the file
	open  item   // the shape being read
	held  int    // bytes in items and open
	given int    // blocks given to the sink
}

// item is a shape or group with the text in it.
type item struct {
	arrange.Box // in EMU
	title       bool
	blocks      []block.Block
}

// Place implements arrange.Shape.
func (i item) Place() arrange.Box { return i.Box }

// IsTitle implements arrange.Shape.
func (i item) IsTitle() bool { return i.title }

func (s *slide) read() error {
	rels, err := s.d.pkg.Relationships(s.d.ctx, s.name)
	if err != nil {
		return err
	}
	s.byID = targets(rels)
	s.layout = &layout{}
	for _, r := range rels {
		if r.Type == "slideLayout" && !r.External {
			if s.layout, err = s.d.layoutOf(r.Target, false); err != nil {
				return err
			}
		}
	}
	err = s.d.pkg.Read(s.d.ctx, s.name, func(x *ooxml.Reader, root ooxml.Token) error {
		if root.Name != "p:sld" {
			return block.Errorf(block.CodeCorrupt, "This slide is damaged: its part is no slide (it begins with %s).", root.Name)
		}
		if off(root.Attr("show")) {
			s.d.hidden = append(s.d.hidden, strconv.Itoa(s.n))
		}
		inherited := !off(root.Attr("showMasterSp"))
		err := x.Children(func(t ooxml.Token) error {
			if t.Name != "p:cSld" {
				return nil
			}
			return tree(x, func(t ooxml.Token) error { return s.shapes(x, t) })
		})
		if err != nil || !inherited {
			return err
		}
		return s.layout.sayStatic(s)
	})
	if err != nil {
		return err
	}
	return s.beside(rels)
}

// tree visits the shapes of the p:cSld that was started last.
func tree(x *ooxml.Reader, visit func(ooxml.Token) error) error {
	return x.Children(func(t ooxml.Token) error {
		if t.Name != "p:spTree" {
			return nil
		}
		return x.Children(visit)
	})
}

// off reads an attribute that is on unless it says otherwise.
func off(value string) bool { return value == "0" || value == "false" }

// shapes reads one child of a tree or group.
func (s *slide) shapes(x *ooxml.Reader, t ooxml.Token) error {
	switch t.Name {
	case "p:sp":
		return s.shape(x)
	case "p:grpSp":
		return s.group(x)
	case "p:graphicFrame":
		return s.frame(x)
	case "mc:AlternateContent":
		return s.alternate(x)
	}
	return nil
}

// alternate reads the first of several renderings of the same thing that has
// text.
func (s *slide) alternate(x *ooxml.Reader) error {
	before := s.given + len(s.items)
	return x.Children(func(t ooxml.Token) error {
		if s.given+len(s.items) > before || t.Name != "mc:Choice" && t.Name != "mc:Fallback" {
			return nil
		}
		return x.Children(func(t ooxml.Token) error { return s.shapes(x, t) })
	})
}

// shape reads a p:sp.
func (s *slide) shape(x *ooxml.Reader) error {
	var who holder
	s.open = item{}
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "p:nvSpPr":
			var err error
			who, err = readHolder(x)
			return err
		case "p:spPr":
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "a:xfrm" {
					return transform(x, &s.open.Box)
				}
				return nil
			})
		case "p:txBody":
			if who.hidden || who.kind == "sldNum" {
				return nil
			}
			return s.body(x, who)
		}
		return nil
	})
	if err == nil && !s.open.Placed {
		s.open.Box = s.layout.place(who)
	}
	s.open.title = who.isTitle()
	s.keep()
	return err
}

// body reads the text of a shape: of the body, or a footer that slides repeat.
func (s *slide) body(x *ooxml.Reader, who holder) error {
	p := &paragraphs{x: x, levels: s.layout.levels(who), put: s.put}
	switch {
	case who.isTitle():
		text, err := p.flat() // one title, however many paragraphs it has
		if err != nil || text == "" {
			return err
		}
		return s.put(block.Block{Kind: block.Heading, Level: 1, Text: text})
	case who.kind == "ftr" || who.kind == "dt" || who.kind == "hdr":
		text, err := p.flat()
		if err != nil {
			return err
		}
		kind := block.Footer
		if who.kind == "hdr" {
			kind = block.Header
		}
		return s.d.asideOnce(block.Block{Kind: kind, Page: s.n, Text: text})
	}
	return p.read()
}

// group reads a p:grpSp: its shapes have places of their own and stay together.
func (s *slide) group(x *ooxml.Reader) error {
	start, at := len(s.items), item{}
	err := x.Children(func(t ooxml.Token) error {
		if t.Name == "p:grpSpPr" {
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "a:xfrm" {
					return transform(x, &at.Box)
				}
				return nil
			})
		}
		return s.shapes(x, t)
	})
	start = min(start, len(s.items)) // all before may have been given
	members := arrange.InOrder(s.items[start:])
	s.items = s.items[:start]
	for _, m := range members {
		at.title = at.title || m.title
		at.blocks = append(at.blocks, m.blocks...)
	}
	if len(at.blocks) > 0 {
		s.items = append(s.items, at)
	}
	return err
}

// transform reads a place: an a:xfrm or p:xfrm.
func transform(x *ooxml.Reader, b *arrange.Box) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "a:off":
			b.X, b.Y, b.Placed = emu(t.Attr("x")), emu(t.Attr("y")), true
		case "a:ext":
			b.W, b.H = max(emu(t.Attr("cx")), 0), max(emu(t.Attr("cy")), 0)
		}
		return nil
	})
}

// emu is a length of the file, kept in bounds in which sums don't overflow.
func emu(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0
	}
	return min(max(n, math.MinInt32), math.MaxInt32)
}

// put takes a block of the shape being read.
func (s *slide) put(b block.Block) error {
	b.Page = s.n
	s.open.blocks = append(s.open.blocks, b)
	s.held += blockCost + len(b.Text)
	for _, r := range b.Rows {
		for _, c := range r {
			s.held += 16 + len(c)
		}
	}
	if s.held < maxHeld {
		return nil
	}
	blocks := s.open.blocks
	s.open.blocks = nil
	if err := s.give(s.items); err != nil {
		return err
	}
	s.items, s.held = nil, 0
	return s.give([]item{{blocks: blocks}})
}

// keep ends the shape being read.
func (s *slide) keep() {
	if len(s.open.blocks) > 0 {
		s.items = append(s.items, s.open)
	}
	s.open = item{}
}

// flush gives what is held to the sink in the order in which it is read.
func (s *slide) flush() error {
	s.keep()
	items := arrange.InOrder(s.items)
	s.items, s.held = nil, 0
	return s.give(items)
}

func (s *slide) give(items []item) error {
	for _, it := range items {
		for _, b := range it.blocks {
			s.given++
			s.d.given++
			if err := s.d.sink.Block(b); err != nil {
				return err
			}
		}
	}
	return nil
}
