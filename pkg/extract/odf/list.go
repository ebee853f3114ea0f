package odf

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxRunning bounds the lists that a later one may go on with.
const maxRunning = 20000

// counters are the numbers that the levels of a list have got to; 0 before
// the first item.
type counters [maxLevels]int

// next counts an item of a level, which ends the lists below it. A number that
// the item itself gives is start, else 0.
func (c *counters) next(s listStyle, depth, start int) {
	switch {
	case start > 0:
		c[depth] = start
	case c[depth] == 0:
		c[depth] = max(s[depth].start, 1)
	default:
		c[depth]++
	}
	clear(c[depth+1:])
}

// label is the number of the item counted last at a level, with those of the
// levels above as far as it shows them. A level without items counts as one.
func (c *counters) label(s listStyle, depth int) string {
	l := s[depth]
	if !l.numbered || l.format == "" {
		return ""
	}
	var numbers []string
	for i := max(depth-l.show+1, 0); i <= depth; i++ {
		n := c[i]
		if n == 0 {
			n = max(s[i].start, 1)
		}
		if text := s[i].number(n); text != "" {
			numbers = append(numbers, text)
		}
	}
	return l.prefix + strings.Join(numbers, ".") + l.suffix
}

// list is an open text:list.
type list struct {
	style    string
	depth    int // from 0
	counters *counters
	item     *item // the open item, nil outside of one
}

// item is an open text:list-item or text:list-header.
type item struct {
	start   int  // its own number, 0 when it doesn't say
	header  bool // it has none
	labeled bool // its first paragraph was read
}

// list reads a text:list.
func (s *Story) list(t ooxml.Token) error {
	l := &list{style: t.Attr("text:style-name")}
	if s.open != nil {
		l.depth, l.counters = min(s.open.depth+1, maxLevels-1), s.open.counters
		if l.style == "" {
			l.style = s.open.style
		}
	}
	if l.counters == nil {
		l.counters = s.d.numbering(l.style, t)
	}
	outer := s.open
	s.open = l
	defer func() { s.open = outer }()
	return s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "text:list-item", "text:list-header":
			l.item = &item{header: t.Name == "text:list-header", start: Count(t.Attr("text:start-value"), 0, 1<<20)}
			err := s.Blocks()
			l.item = nil
			return err
		}
		return nil
	})
}

// numbering is the numbers of a list: those of another one that it goes on
// with, or its own.
func (d *Text) numbering(style string, t ooxml.Token) *counters {
	var c *counters
	if id := t.Attr("text:continue-list"); id != "" {
		c = d.running["id "+id]
	} else if t.Attr("text:continue-numbering") == "true" {
		c = d.running["style "+style]
	}
	if c == nil {
		c = &counters{}
	}
	if len(d.running) < maxRunning {
		d.running["style "+style] = c
		if id := t.Attr("xml:id"); id != "" {
			d.running["id "+id] = c
		}
	}
	return c
}
