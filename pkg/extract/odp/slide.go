package odp

import (
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/arrange"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/odf"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// What is held of a slide to put it into order: so many bytes, a block counting some of them.
	maxHeld   = 4 << 20
	blockCost = 256
	// maxObjects bounds the charts of one slide, maxCharts those of all.
	maxObjects = 100
	maxCharts  = 2000
)

// slide is one being read.
type slide struct {
	d       *document
	x       *ooxml.Reader
	n       int
	items   []item
	held    int
	objects []string // parts of charts
}

// item is a shape or group with the text in it.
type item struct {
	arrange.Box
	title  bool
	blocks []block.Block
}

// Place implements arrange.Shape.
func (i item) Place() arrange.Box { return i.Box }

// IsTitle implements arrange.Shape.
func (i item) IsTitle() bool { return i.title }

// shape reads the child of a slide or group that was started last.
func (s *slide) shape(t ooxml.Token) error {
	switch t.Name {
	case "presentation:notes":
		return s.notes()
	case "office:annotation":
		return s.d.text.Story(s.x, nil).Block(t)
	case "draw:a", "draw:layer-set":
		return s.x.Children(s.shape)
	case "draw:g":
		return s.group()
	}
	if !strings.HasPrefix(t.Name, "draw:") && t.Name != "table:table" {
		return nil
	}
	it := item{Box: place(t)}
	class := t.Attr("presentation:class")
	it.title = class == "title"
	switch {
	case t.Attr("presentation:placeholder") == "true":
		return nil // a prompt
	case class == "footer", class == "header", class == "date-time", class == "page-number":
		return s.margin(class)
	case class == "title":
		text, err := textOf(s.d.text, s.x)
		if text = odf.OneLine(text); text != "" {
			it.blocks = []block.Block{{Kind: block.Heading, Level: 1, Text: text}}
		}
		return s.keep(it, err)
	}
	err := s.content(&it, t)
	return s.keep(it, err)
}

// content reads what stands in a frame or drawn shape.
func (s *slide) content(it *item, t ooxml.Token) error {
	story := s.d.text.Story(s.x, func(b block.Block) error {
		it.blocks = append(it.blocks, b)
		s.held += cost(b)
		return nil
	})
	if t.Name == "table:table" {
		return story.Block(t)
	}
	replaced := false // what follows is another rendering of it
	return s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "draw:text-box":
			return story.Blocks()
		case "draw:object":
			if part := strings.TrimPrefix(path.Clean("/"+t.Attr("xlink:href")), "/"); len(s.objects) < maxObjects {
				s.objects = append(s.objects, part)
			}
			return nil
		case "table:table":
			replaced = true
			return story.Block(t)
		case "draw:image", "draw:object-ole", "draw:plugin":
			if replaced {
				return nil
			}
			return story.Blocks()
		}
		if strings.HasPrefix(t.Name, "text:") {
			return story.Block(t)
		}
		return nil
	})
}

func cost(b block.Block) int {
	n := blockCost + len(b.Text)
	for _, r := range b.Rows {
		for _, c := range r {
			n += 16 + len(c)
		}
	}
	return n
}

// keep takes a shape that was read. When too much is held to be put into order,
// it is given as it stands in the file.
func (s *slide) keep(it item, err error) error {
	if len(it.blocks) > 0 {
		s.items = append(s.items, it)
	}
	if s.held > maxHeld {
		if failed := s.give(s.items); failed != nil {
			return failed
		}
		s.items, s.held = nil, 0
	}
	return err
}

// group reads a draw:g: its shapes stay together.
func (s *slide) group() error {
	start := len(s.items)
	err := s.x.Children(s.shape)
	start = min(start, len(s.items)) // all before may have been given
	members := arrange.InOrder(s.items[start:])
	s.items = s.items[:start]
	var whole item
	for i, m := range members {
		whole.title = whole.title || m.title
		whole.blocks = append(whole.blocks, m.blocks...)
		if i == 0 {
			whole.Box = m.Box
		} else {
			whole.Box = around(whole.Box, m.Box)
		}
	}
	if len(whole.blocks) > 0 {
		s.items = append(s.items, whole)
	}
	return err
}

// around is the smallest box around two.
func around(a, b arrange.Box) arrange.Box {
	x, y := min(a.X, b.X), min(a.Y, b.Y)
	return arrange.Box{X: x, Y: y, W: max(a.X+a.W, b.X+b.W) - x, H: max(a.Y+a.H, b.Y+b.H) - y, Placed: a.Placed && b.Placed}
}

// flush gives what is held in the order in which it is read.
func (s *slide) flush() error {
	items := arrange.InOrder(s.items)
	s.items, s.held = nil, 0
	return s.give(items)
}

func (s *slide) give(items []item) error {
	for _, it := range items {
		for _, b := range it.blocks {
			b.Page = s.n
			if err := s.d.put(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// notes reads what the speaker sees.
func (s *slide) notes() error {
	var lines []string
	err := s.x.Children(func(t ooxml.Token) error {
		switch t.Attr("presentation:class") {
		case "page", "header", "footer", "date-time", "page-number":
			return nil
		}
		if !strings.HasPrefix(t.Name, "draw:") || t.Attr("presentation:placeholder") == "true" {
			return nil
		}
		text, err := textOf(s.d.text, s.x)
		if text != "" {
			lines = append(lines, text)
		}
		return err
	})
	if len(lines) == 0 {
		return err
	}
	if failed := s.d.aside(block.Block{Kind: block.Note, Page: s.n, Text: strings.Join(lines, "\n")}); failed != nil {
		return failed
	}
	return err
}

// margin reads a footer of one slide; numbers of pages are none.
func (s *slide) margin(class string) error {
	text, err := textOf(s.d.text, s.x)
	if err != nil || class == "page-number" {
		return err
	}
	kind := block.Footer
	if class == "header" {
		kind = block.Header
	}
	return s.d.asideOnce(block.Block{Kind: kind, Page: s.n, Text: text})
}

// textOf reads all text in the shape that was started last, a line for each
// paragraph.
func textOf(text *odf.Text, x *ooxml.Reader) (string, error) {
	var lines []string
	story := text.Story(x, func(b block.Block) error {
		lines = append(lines, odf.Flat(b))
		return nil
	})
	var visit func(t ooxml.Token) error
	visit = func(t ooxml.Token) error {
		if strings.HasPrefix(t.Name, "draw:") {
			return x.Children(visit)
		}
		return story.Block(t)
	}
	err := x.Children(visit)
	return strings.Join(lines, "\n"), err
}

// chart reads an object that is a chart: its title and the table of its values.
func (d *document) chart(part string, n int) error {
	if d.charts++; d.charts > maxCharts {
		return nil
	}
	return d.pkg.Read(path.Join(part, "content.xml"), func(x *ooxml.Reader, _ ooxml.Token) error {
		story := d.text.Story(x, func(b block.Block) error {
			b.Page = n
			return d.put(b)
		})
		var visit func(t ooxml.Token) error
		visit = func(t ooxml.Token) error {
			switch t.Name {
			case "office:body", "office:chart", "chart:chart", "chart:title", "chart:subtitle":
				return x.Children(visit)
			case "text:p", "table:table":
				return story.Block(t)
			}
			return nil
		}
		return x.Children(visit)
	})
}

// place is where a shape stands, in hundredths of a millimetre.
func place(t ooxml.Token) arrange.Box {
	x, okX := length(t.Attr("svg:x"))
	y, okY := length(t.Attr("svg:y"))
	w, _ := length(t.Attr("svg:width"))
	h, _ := length(t.Attr("svg:height"))
	return arrange.Box{X: x, Y: y, W: max(w, 0), H: max(h, 0), Placed: okX && okY}
}

// length reads "1.5cm" and the like.
func length(s string) (int64, bool) {
	for unit, hundredths := range map[string]float64{"cm": 1000, "mm": 100, "in": 2540, "pt": 2540.0 / 72, "pc": 2540.0 / 6, "px": 2540.0 / 96} {
		if number, ok := strings.CutSuffix(s, unit); ok {
			v, err := strconv.ParseFloat(number, 64)
			if err != nil || math.Abs(v*hundredths) > math.MaxInt32 || math.IsNaN(v) {
				return 0, false
			}
			return int64(v * hundredths), true
		}
	}
	return 0, false
}
