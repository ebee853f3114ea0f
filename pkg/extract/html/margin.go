package html

import (
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// maxMargin is how much of a navigation or footer is held as one aside, in bytes.
const maxMargin = 64 << 10

// margin is the part of a page that is open and not of its content:
// navigation, which counts as a header, or the footer of the page.
type margin struct {
	kind    block.Kind // "" in the content
	element string
	nested  int // open elements of the same name within it
	lines   []string
	bytes   int
	// articles counts open elements that have a footer of their own.
	articles int
}

func sectioning(name string) bool {
	switch name {
	case "article", "section", "main", "blockquote", "aside", "dialog", "figure":
		return true
	}
	return false
}

// openMargin looks whether an element begins or ends what stands apart. The
// main content ends it even when its own end is missing.
func (w *walker) openMargin(name string) error {
	m := &w.margin
	switch {
	case w.aside == nil || w.tables.depth() > 0:
		return nil
	case m.kind != "" && (name == "main" || name == "article" || name == "h1"):
		if err := w.endMargin(); err != nil {
			return err
		}
	case m.kind != "":
		if name == m.element {
			m.nested++
		}
		return nil
	case name == "nav":
		m.kind, m.element, m.nested = block.Header, name, 0
	case name == "footer" && m.articles == 0:
		m.kind, m.element, m.nested = block.Footer, name, 0
	}
	if sectioning(name) {
		m.articles++
	}
	return nil
}

func (w *walker) closeMargin(name string) error {
	m := &w.margin
	switch {
	case m.kind == "":
		if sectioning(name) {
			m.articles = max(0, m.articles-1)
		}
	case name == "body":
		return w.endMargin()
	case name != m.element:
	case m.nested > 0:
		m.nested--
	default:
		return w.endMargin()
	}
	return nil
}

func (w *walker) addMargin(b block.Block) error {
	text := cellText([]block.Block{b})
	w.margin.lines = append(w.margin.lines, text)
	w.margin.bytes += len(text)
	if w.margin.bytes < maxMargin {
		return nil
	}
	return w.emitMargin()
}

func (w *walker) emitMargin() error {
	m := &w.margin
	if len(m.lines) == 0 {
		return nil
	}
	text := strings.Join(m.lines, "\n")
	m.lines, m.bytes = nil, 0
	w.emitted++
	return w.aside(block.Block{Kind: m.kind, Text: text})
}

// endMargin goes back to the content.
func (w *walker) endMargin() error {
	if w.margin.kind == "" {
		return nil
	}
	err := w.emitMargin()
	w.margin.kind = ""
	return err
}
