package odf

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxStyles bounds the styles of each kind.
	maxStyles = 50000
	// maxLevels is how deep lists are numbered.
	maxLevels = 10
	// maxParents is how far a style is followed to those it is based on.
	maxParents = 20
)

// style is what is kept of a style.
type style struct {
	parent string
	list   string // list style of paragraphs with it
	hidden bool   // what has it isn't shown
}

// level says how items of one level of a list are numbered.
type level struct {
	numbered       bool
	format         string // "1", "a", "A", "i", "I"; "" for none
	prefix, suffix string
	show           int // how many levels a number shows
	start          int
}

// listStyle is the levels of a list.
type listStyle [maxLevels]level

// StylesPart reads the styles of styles.xml.
func (d *Text) StylesPart(x *ooxml.Reader, _ ooxml.Token) error {
	return x.Children(func(t ooxml.Token) error {
		if t.Name == "office:styles" || t.Name == "office:automatic-styles" {
			return d.Styles(x)
		}
		return nil
	})
}

// Styles reads the styles below the element started last.
func (d *Text) Styles(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "style:style":
			return d.style(x, t)
		case "text:list-style":
			name := t.Attr("style:name")
			l, err := readListStyle(x)
			if len(d.lists) < maxStyles {
				d.lists[name] = l
			}
			return err
		case "text:outline-style":
			var err error
			d.outline, err = readListStyle(x)
			return err
		}
		return nil
	})
}

func (d *Text) style(x *ooxml.Reader, t ooxml.Token) error {
	family := t.Attr("style:family")
	switch family {
	case "paragraph", "text", "table", "drawing-page":
	default:
		return nil
	}
	if len(d.styles) >= maxStyles {
		return nil
	}
	name := family + " " + t.Attr("style:name")
	s := style{parent: t.Attr("style:parent-style-name"), list: t.Attr("style:list-style-name")}
	err := x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "style:text-properties":
			s.hidden = s.hidden || t.Attr("text:display") == "none"
		case "style:table-properties":
			s.hidden = s.hidden || t.Attr("table:display") == "false"
		case "style:drawing-page-properties":
			s.hidden = s.hidden || t.Attr("presentation:visibility") == "hidden"
		}
		return nil
	})
	d.styles[name] = s
	return err
}

func readListStyle(x *ooxml.Reader) (listStyle, error) {
	var l listStyle
	err := x.Children(func(t ooxml.Token) error {
		n := Count(t.Attr("text:level"), 0, maxLevels)
		if n == 0 {
			return nil
		}
		switch t.Name {
		case "text:list-level-style-number", "text:outline-level-style":
			l[n-1] = level{
				numbered: true, format: t.Attr("style:num-format"),
				prefix: OneLine(t.Attr("style:num-prefix")), suffix: OneLine(t.Attr("style:num-suffix")),
				show: Count(t.Attr("text:display-levels"), 1, maxLevels), start: Count(t.Attr("text:start-value"), 1, 1<<20),
			}
		}
		return nil
	})
	return l, err
}

// number writes n in the format of a level.
func (l level) number(n int) string {
	switch l.format {
	case "":
		return ""
	case "a":
		return block.Letters(n)
	case "A":
		return strings.ToUpper(block.Letters(n))
	case "i":
		return strings.ToLower(block.Roman(n))
	case "I":
		return block.Roman(n)
	}
	return strconv.Itoa(n)
}

// look is what a paragraph is by its style.
func (d *Text) look(name string) (kind block.Kind, hidden bool) {
	for range maxParents {
		switch name {
		case "Title":
			return block.Heading, hidden
		case "Quotations":
			return block.Quote, hidden
		case "Preformatted_20_Text", "Source_20_Code":
			return block.Code, hidden
		}
		s, ok := d.styles["paragraph "+name]
		if !ok {
			break
		}
		hidden = hidden || s.hidden
		name = s.parent
	}
	return block.Paragraph, hidden
}

// listOf is the list style that paragraphs of a style have.
func (d *Text) listOf(name string) string {
	for range maxParents {
		s, ok := d.styles["paragraph "+name]
		if !ok || s.list != "" {
			return s.list
		}
		name = s.parent
	}
	return ""
}

// Hidden reports whether what has a style of a family (text, table,
// drawing-page) isn't shown.
func (d *Text) Hidden(family, name string) bool {
	for range maxParents {
		s, ok := d.styles[family+" "+name]
		if !ok {
			break
		}
		if s.hidden {
			return true
		}
		name = s.parent
	}
	return false
}
