package docx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxText bounds one text element; the XML reader's own bound is lower.
const maxText = 64 << 20

// oneLine is what XML lines are inside a text: blanks.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// field is a complex field: its instruction comes first, then the result that
// is shown.
type field struct {
	result  bool
	choices []string // entries of a drop-down list
	chosen  int
	box     string // a check box, as shown
}

// run reads the contents of a run.
func (s *story) run(p *paragraph) error {
	hidden := false
	return s.x.Children(func(t ooxml.Token) error {
		if t.Name == "w:rPr" {
			var err error
			hidden, err = s.vanishes()
			return err
		}
		if hidden && t.Name != "w:fldChar" {
			return nil
		}
		return s.runChild(p, t)
	})
}

// vanishes reads run properties for whether the text is hidden.
func (s *story) vanishes() (bool, error) {
	hidden := false
	err := s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:vanish":
			hidden = on(t)
		case "w:rStyle":
			hidden = hidden || s.d.styles.hidden(t.Attr("w:val"))
		}
		return nil
	})
	return hidden, err
}

func (s *story) runChild(p *paragraph, t ooxml.Token) error {
	switch t.Name {
	case "w:t", "w:delText", "m:t":
		text, err := s.x.Content(maxText)
		if err == nil && s.shown() {
			p.write(oneLine.Replace(text))
		}
		return err
	case "w:tab", "w:ptab":
		if s.shown() {
			p.write("\t")
		}
	case "w:br", "w:cr":
		if typ := t.Attr("w:type"); (typ == "" || typ == "textWrapping") && s.shown() {
			p.write("\n")
		}
	case "w:noBreakHyphen":
		p.text.WriteByte('-')
	case "w:sym":
		p.write(symbol(t.Attr("w:font"), t.Attr("w:char")))
	case "w:fldChar":
		return s.fieldChar(p, t)
	case "w:footnoteReference", "w:endnoteReference":
		s.d.noteReference(p, t)
	case "w:ruby":
		return s.ruby(p)
	case "mc:AlternateContent":
		return s.alternate(func() error { return s.run(p) })
	case "w:drawing", "w:pict", "w:object":
		return s.drawing()
	case "w:instrText", "w:delInstrText", "w:rPr", "w:moveFrom", "w:sdtPr", "w:sdtEndPr":
	case "w:txbxContent":
		return s.textBox()
	}
	return nil
}

// shown reports whether text at this place is: not what stands in the
// instruction of a field, where results of nested fields may be.
func (s *story) shown() bool {
	for i, f := range s.fields {
		if !f.result && i < len(s.fields)-1 {
			return false
		}
	}
	return true
}

func (s *story) fieldChar(p *paragraph, t ooxml.Token) error {
	switch t.Attr("w:fldCharType") {
	case "begin":
		f := field{}
		if len(s.fields) >= maxDepthOfFields {
			return nil
		}
		err := s.x.Children(func(t ooxml.Token) error {
			if t.Name == "w:ffData" {
				return f.form(s.x)
			}
			return nil
		})
		s.fields = append(s.fields, f)
		return err
	case "separate":
		if n := len(s.fields); n > 0 {
			s.fields[n-1].result = true
		}
	case "end":
		n := len(s.fields)
		if n == 0 {
			return nil
		}
		f := s.fields[n-1]
		s.fields = s.fields[:n-1]
		if s.shown() {
			p.write(f.box)
			if f.chosen < len(f.choices) && !f.result {
				p.write(f.choices[f.chosen])
			}
		}
	}
	return nil
}

// maxDepthOfFields bounds fields within fields.
const maxDepthOfFields = 100

// form reads a form field, whose value isn't in the text.
func (f *field) form(x *ooxml.Reader) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:checkBox":
			f.box = "☐"
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "w:checked" || t.Name == "w:default" {
					f.box = "☐"
					if on(t) {
						f.box = "☒"
					}
				}
				return nil
			})
		case "w:ddList":
			return x.Children(func(t ooxml.Token) error {
				switch t.Name {
				case "w:listEntry":
					if len(f.choices) < 1000 {
						f.choices = append(f.choices, t.Attr("w:val"))
					}
				case "w:result", "w:default":
					if n, err := strconv.Atoi(t.Attr("w:val")); err == nil && n >= 0 && (t.Name == "w:result" || f.chosen == 0) {
						f.chosen = n
					}
				}
				return nil
			})
		}
		return nil
	})
}

// ruby reads a reading aid: the base text, then the reading in parentheses.
func (s *story) ruby(p *paragraph) error {
	var aid string
	err := s.x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "w:rubyBase":
			return s.inline(p)
		case "w:rt":
			over := &paragraph{}
			err := s.inline(over)
			aid = tidy(over.text.String(), false)
			return err
		}
		return nil
	})
	if aid != "" {
		p.write("(" + aid + ")")
	}
	return err
}

// drawing looks for text boxes, text art, charts and diagrams in a picture.
func (s *story) drawing() error {
	return s.x.Children(s.drawingChild)
}

func (s *story) drawingChild(t ooxml.Token) error {
	switch t.Name {
	case "w:txbxContent":
		return s.textBox()
	case "a:t":
		text, err := s.x.Content(maxText)
		if err != nil {
			return err
		}
		return s.d.aside(block.Block{Kind: block.TextBox, Text: tidy(text, false)})
	case "v:textpath":
		return s.d.aside(block.Block{Kind: block.TextBox, Text: tidy(t.Attr("string"), false)})
	case "c:chart":
		return s.d.graphic(t.Attr("r:id"))
	case "dgm:relIds":
		return s.d.graphic(t.Attr("r:dm"))
	case "mc:AlternateContent":
		return s.alternate(s.drawing)
	}
	return s.drawing()
}

// textBox reads a text box as an aside.
func (s *story) textBox() error {
	var parts []string
	err := s.d.story(s.x, func(b block.Block) error {
		parts = append(parts, flat(b))
		return nil
	}).blocks()
	if err != nil {
		return err
	}
	return s.d.aside(block.Block{Kind: block.TextBox, Text: strings.Join(parts, "\n")})
}

// flat is a block as lines of text, for places that only hold text.
func flat(b block.Block) string {
	if b.Kind == block.Table {
		rows := make([]string, 0, len(b.Rows))
		for _, r := range b.Rows {
			rows = append(rows, strings.Join(r, " | "))
		}
		return strings.Join(rows, "\n")
	}
	if b.Label != "" {
		return b.Label + " " + b.Text
	}
	return b.Text
}

// symbol is a character of a symbol font in Unicode; those of dingbat fonts
// without a common meaning are left out.
func symbol(font, char string) string {
	n, err := strconv.ParseUint(char, 16, 32)
	if err != nil {
		return ""
	}
	if n < 0xf000 || n > 0xf0ff {
		return string(rune(n))
	}
	n -= 0xf000
	switch {
	case strings.EqualFold(font, "Symbol"):
		return symbolFont(n)
	case strings.HasPrefix(strings.ToLower(font), "wingdings"):
		switch n {
		case 0xfc, 0x50:
			return "✓"
		case 0xfb, 0x4f:
			return "✗"
		case 0xfe, 0x52:
			return "☑"
		case 0xfd, 0x53, 0x78:
			return "☒"
		case 0xa8, 0x6f, 0xa3, 0x30, 0x2a:
			return "☐"
		case 0xe0:
			return "→"
		case 0xdf:
			return "←"
		}
		return ""
	case n >= 0x20 && n < 0x7f:
		return string(rune(n))
	}
	return ""
}

// symbolFont maps Adobe's Symbol encoding: Greek in place of Latin letters,
// and the signs of everyday formulas.
func symbolFont(n uint64) string {
	const greek = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ"
	const small = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
	switch {
	case n >= 'A' && n <= 'Z':
		return string([]rune(greek)[n-'A'])
	case n >= 'a' && n <= 'z':
		return string([]rune(small)[n-'a'])
	case n >= 0x20 && n < 0x40:
		return string(rune(n))
	}
	switch n {
	case 0xa3:
		return "≤"
	case 0xb3:
		return "≥"
	case 0xb0:
		return "°"
	case 0xb1:
		return "±"
	case 0xb4:
		return "×"
	case 0xb8:
		return "÷"
	case 0xb9:
		return "≠"
	case 0xbb:
		return "≈"
	case 0xa5:
		return "∞"
	case 0xae:
		return "→"
	case 0xac:
		return "←"
	case 0xb7:
		return "•"
	case 0xd7:
		return "·"
	case 0xe5:
		return "∑"
	case 0xd6:
		return "√"
	}
	return ""
}
