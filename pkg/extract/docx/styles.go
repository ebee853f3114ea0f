package docx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	maxStyles = 10000
	// maxInherit bounds how many styles one may be based on, one after the other; a circle ends there.
	maxInherit = 20
)

// styles are the paragraph and character styles of a document.
type styles struct {
	byID     map[string]*style
	language string // default language of the text, often the one Word was installed in
	standard string // id of the default paragraph style
}

// style holds what a style says itself; 0 and "" mean that the style it is
// based on decides.
type style struct {
	name, base string
	outline    int // heading level 1..9; bodyText when it says that it is none
	list       listRef
	hidden     bool
}

const bodyText = -1

// look is what a paragraph's style makes of it.
type look struct {
	kind  block.Kind
	level int // of headings
	list  listRef
}

func (s *styles) read(x *ooxml.Reader, _ ooxml.Token) error {
	s.byID = map[string]*style{}
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:docDefaults":
			return s.defaults(x)
		case "w:style":
			return s.style(x, t)
		}
		return nil
	})
}

func (s *styles) defaults(x *ooxml.Reader) error {
	depth := x.Depth()
	for {
		t, err := x.Next()
		if err != nil {
			return err
		}
		switch {
		case t.Kind == ooxml.Start && t.Name == "w:lang":
			s.language = t.Attr("w:val")
		case t.Kind == ooxml.End && x.Depth() < depth:
			return nil
		}
	}
}

func (s *styles) style(x *ooxml.Reader, t ooxml.Token) error {
	id := t.Attr("w:styleId")
	if len(s.byID) >= maxStyles {
		return nil
	}
	st := &style{}
	s.byID[id] = st
	if t.Attr("w:type") == "paragraph" && (t.Attr("w:default") == "1" || t.Attr("w:default") == "true") {
		s.standard = id
	}
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:name":
			st.name = strings.ToLower(t.Attr("w:val"))
		case "w:basedOn":
			st.base = t.Attr("w:val")
		case "w:rPr":
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "w:vanish" {
					st.hidden = on(t)
				}
				return nil
			})
		case "w:pPr":
			return x.Children(func(t ooxml.Token) error {
				switch t.Name {
				case "w:outlineLvl":
					st.outline = outline(t.Attr("w:val"))
				case "w:numPr":
					return st.list.read(x)
				}
				return nil
			})
		}
		return nil
	})
}

// outline turns an outline level 0..8 into a heading level 1..9; 9 is body text.
func outline(val string) int {
	n, err := strconv.Atoi(val)
	if err != nil || n < 0 || n > 8 {
		return bodyText
	}
	return n + 1
}

// look follows a style up to what it is based on.
func (s *styles) look(id string) look {
	l := look{kind: block.Paragraph}
	if id == "" {
		id = s.standard
	}
	outlined := 0
	for range maxInherit {
		st := s.byID[id]
		if st == nil {
			break
		}
		if outlined == 0 {
			outlined = st.outline
			if n := headingName(st.name); outlined == 0 && n > 0 {
				outlined = n
			}
		}
		if l.kind == block.Paragraph {
			l.kind = kindByName(st.name)
		}
		l.list.inherit(st.list)
		if id == st.base {
			break
		}
		id = st.base
	}
	if outlined > 0 {
		l.kind, l.level = block.Heading, min(outlined, 6)
	}
	return l
}

// hidden reports whether text of a character style isn't shown.
func (s *styles) hidden(id string) bool {
	st := s.byID[id]
	return st != nil && st.hidden
}

// headingName is the level of a built-in heading style. Its name is the same
// in every language version of Word; only what is shown is translated.
func headingName(name string) int {
	switch {
	case name == "title":
		return 1
	case name == "subtitle":
		return 2
	case strings.HasPrefix(name, "heading "):
		if n, err := strconv.Atoi(strings.TrimSpace(name[len("heading "):])); err == nil && n >= 1 && n <= 9 {
			return n
		}
	}
	return 0
}

func kindByName(name string) block.Kind {
	switch name {
	case "quote", "intense quote", "block text", "block quotation":
		return block.Quote
	case "html preformatted", "source code", "code", "code block", "preformatted text", "plain text code", "macro":
		return block.Code
	}
	return block.Paragraph
}
