package pptx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxText bounds one text element; the XML reader's own bound is lower.
	maxText = 64 << 20
	// maxLevels is how deep lists go.
	maxLevels = 9
)

// mark is what stands before the paragraphs of one level of a list.
type mark struct {
	set    bool   // said at all
	listed bool   // a list item
	scheme string // of its number, "" for a bullet
	start  int
}

// levels are the marks of a text by level.
type levels [maxLevels]mark

// over puts what these say over what is inherited.
func (l levels) over(inherited levels) levels {
	for i := range l {
		if !l[i].set {
			l[i] = inherited[i]
		}
	}
	return l
}

// readLevels reads an a:lstStyle or the like: an a:lvl1pPr for each level.
func readLevels(x *ooxml.Reader) (levels, error) {
	var l levels
	err := x.Children(func(t ooxml.Token) error {
		n, ok := strings.CutPrefix(t.Name, "a:lvl")
		if !ok || len(n) < 1 || n[0] < '1' || n[0] > '9' {
			return nil
		}
		return l[n[0]-'1'].read(x)
	})
	return l, err
}

// read reads the properties of a paragraph for its mark.
func (m *mark) read(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "a:buNone":
			*m = mark{set: true}
		case "a:buChar", "a:buBlip":
			*m = mark{set: true, listed: true}
		case "a:buAutoNum":
			start, err := strconv.Atoi(t.Attr("startAt"))
			if err != nil || start < 1 || start > 1<<20 {
				start = 1
			}
			*m = mark{set: true, listed: true, scheme: t.Attr("type"), start: start}
			if m.scheme == "" {
				m.scheme = "arabicPeriod"
			}
		}
		return nil
	})
}

// label writes the number of a list item in one of the schemes of
// ST_TextAutonumberScheme; those of other scripts are written in digits.
func label(n int, scheme string) string {
	s := strconv.Itoa(n)
	switch {
	case strings.HasPrefix(scheme, "alphaLc"):
		s = block.Letters(n)
	case strings.HasPrefix(scheme, "alphaUc"):
		s = strings.ToUpper(block.Letters(n))
	case strings.HasPrefix(scheme, "romanLc"):
		s = strings.ToLower(block.Roman(n))
	case strings.HasPrefix(scheme, "romanUc"):
		s = block.Roman(n)
	}
	switch {
	case strings.HasSuffix(scheme, "ParenBoth"):
		return "(" + s + ")"
	case strings.HasSuffix(scheme, "ParenR"):
		return s + ")"
	case strings.HasSuffix(scheme, "Plain"), strings.HasSuffix(scheme, "Minus"):
		return s
	}
	return s + "."
}

// counter numbers the items of one level.
type counter struct {
	mark mark
	n    int
}

// paragraphs reads the text of a shape or cell.
type paragraphs struct {
	x        *ooxml.Reader
	levels   levels
	put      func(block.Block) error
	counters [maxLevels]counter
}

// read reads the children of the a:txBody that was started last.
func (p *paragraphs) read() error {
	return p.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "a:lstStyle":
			own, err := readLevels(p.x)
			p.levels = own.over(p.levels)
			return err
		case "a:p":
			return p.paragraph()
		}
		return nil
	})
}

// flat reads it as one text, a line for each paragraph.
func (p *paragraphs) flat() (string, error) {
	var lines []string
	p.put = func(b block.Block) error {
		if b.Label != "" {
			b.Text = b.Label + " " + b.Text
		}
		lines = append(lines, b.Text)
		return nil
	}
	err := p.read()
	return strings.Join(lines, "\n"), err
}

func (p *paragraphs) paragraph() error {
	var text strings.Builder
	level, own := 0, mark{}
	err := p.x.Children(func(t ooxml.Token) error {
		if t.Name == "a:pPr" {
			if n, err := strconv.Atoi(t.Attr("lvl")); err == nil {
				level = min(max(n, 0), maxLevels-1)
			}
			return own.read(p.x)
		}
		return p.inline(&text, t)
	})
	words := block.Tidy(text.String())
	if words == "" {
		return err
	}
	if !own.set {
		own = p.levels[level]
	}
	b := block.Block{Kind: block.Paragraph, Text: words}
	if own.listed {
		b.Kind, b.Level = block.ListItem, level
	}
	b.Label = p.number(level, own)
	if err := p.put(b); err != nil {
		return err
	}
	return err
}

// number counts a paragraph and gives its number, "" when it has none.
func (p *paragraphs) number(level int, m mark) string {
	for i := level + 1; i < maxLevels; i++ {
		p.counters[i] = counter{}
	}
	c := &p.counters[level]
	if m.scheme == "" {
		*c = counter{}
		return ""
	}
	if c.mark != m {
		*c = counter{mark: m, n: m.start - 1}
	}
	c.n++
	return label(c.n, m.scheme)
}

// inline reads what stands in a paragraph.
func (p *paragraphs) inline(text *strings.Builder, t ooxml.Token) error {
	switch t.Name {
	case "a:fld":
		if t.Attr("type") == "slidenum" { // the page of the block says it
			return nil
		}
		return p.x.Children(func(t ooxml.Token) error { return p.inline(text, t) })
	case "a:r", "m:r", "a14:m":
		return p.x.Children(func(t ooxml.Token) error { return p.inline(text, t) })
	case "a:t", "m:t":
		s, err := p.x.Content(maxText)
		text.WriteString(oneLine.Replace(s))
		return err
	case "a:br":
		text.WriteByte('\n')
	case "mc:AlternateContent":
		done := false
		return p.x.Children(func(t ooxml.Token) error {
			if done || t.Name != "mc:Choice" && t.Name != "mc:Fallback" {
				return nil
			}
			done = true
			return p.x.Children(func(t ooxml.Token) error { return p.inline(text, t) })
		})
	default:
		if strings.HasPrefix(t.Name, "m:") { // an equation: its letters as they come
			return p.x.Children(func(t ooxml.Token) error { return p.inline(text, t) })
		}
	}
	return nil
}

// oneLine is what XML lines are inside a text: blanks. PowerPoint writes a
// line break within a text as a vertical tab.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ", "_x000B_", "\n", "_x000D_", "")
