package markdown

import (
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// list is an open one.
type list struct {
	marker  byte // - * + . )
	indent  int  // of the marker
	content int  // column where the items' text begins
	next    int  // number of the next item
}

// item is the start of a list item.
type item struct {
	marker  byte
	number  int
	digits  string
	indent  int
	content int
	text    string
}

// item reads a line as the start of a list item; nil when it is none. Only a
// list that starts at one may begin in the middle of a paragraph.
func (p *parser) item(text string, indent int) *item {
	it := &item{indent: indent}
	i := 0
	for i < len(text) && i < 9 && text[i] >= '0' && text[i] <= '9' {
		it.number = it.number*10 + int(text[i]-'0')
		i++
	}
	it.digits = text[:i]
	if i >= len(text) {
		return nil
	}
	it.marker = text[i]
	switch {
	case i == 0 && it.marker != '-' && it.marker != '*' && it.marker != '+':
		return nil
	case i > 0 && it.marker != '.' && it.marker != ')':
		return nil
	case i+1 == len(text):
		it.content = indent + i + 2
	case text[i+1] != ' ' && text[i+1] != '\t':
		return nil
	default:
		spaces, rest := measure(text[i+1:])
		it.text = rest
		if spaces > 4 {
			spaces = 1
		}
		it.content = indent + i + 1 + spaces
	}
	if p.kind == block.Paragraph && len(p.lists) == 0 && (it.text == "" || i > 0 && it.number != 1) {
		return nil
	}
	return it
}

func (p *parser) beginItem(it *item) error {
	if err := p.flush(); err != nil {
		return err
	}
	// Deeper lists end; a different marker at the same place begins another list.
	for len(p.lists) > 0 && it.indent < p.lists[len(p.lists)-1].content {
		last := &p.lists[len(p.lists)-1]
		if last.marker == it.marker && (len(p.lists) == 1 || it.indent >= p.lists[len(p.lists)-2].content) {
			last.indent, last.content = it.indent, it.content
			break
		}
		p.lists = p.lists[:len(p.lists)-1]
	}
	if len(p.lists) == 0 || it.indent >= p.lists[len(p.lists)-1].content {
		if len(p.lists) >= maxLists {
			p.lists = p.lists[:maxLists-1]
		}
		p.lists = append(p.lists, list{marker: it.marker, indent: it.indent, content: it.content, next: it.number})
	}
	l := &p.lists[len(p.lists)-1]
	label := ""
	if it.digits != "" {
		label = fmt.Sprintf("%d%c", l.next, it.marker)
		l.next++
	}
	// An item may begin with another block, most often another item.
	if inner := p.item(it.text, it.content); inner != nil && !isRule(it.text) {
		return p.beginItem(inner)
	}
	if fenceOf(it.text) != "" || strings.HasPrefix(it.text, "#") || strings.HasPrefix(it.text, ">") {
		return p.structure(it.text, it.text, it.content, false)
	}
	p.kind, p.label = block.ListItem, label
	p.text.WriteString(it.text)
	return nil
}

// maxLists bounds how many lists within one another are told apart.
const maxLists = 32

// inside is the column where the text of the innermost open list begins.
func (p *parser) inside() int {
	if len(p.lists) == 0 {
		return 0
	}
	return p.lists[len(p.lists)-1].content
}
