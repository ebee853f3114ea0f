package rtf

import (
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// character takes in a byte of text; raw when it wasn't escaped.
func (d *document) character(c byte, raw bool) {
	d.state.started = true
	if d.skip > 0 {
		d.skip--
		return
	}
	if !d.takesText() {
		return
	}
	if cp := d.current(); cp != d.pendingCP {
		d.decodePending()
		d.pendingCP = cp
	}
	d.pending = append(d.pending, c)
	d.raw = d.raw || raw && c >= 0x80
}

// takesText reports whether text at this place goes anywhere.
func (d *document) takesText() bool {
	return d.state.captures() || d.state.dest == toStory && !d.state.hidden && !d.state.deleted
}

// decodePending gives the text that waits to the story or to what keeps it.
func (d *document) decodePending() {
	if len(d.pending) == 0 {
		return
	}
	s := decode(d.pending, d.pendingCP, d.raw)
	d.pending, d.raw = d.pending[:0], false
	d.write(s)
}

func (d *document) write(s string) {
	switch {
	case s == "" || !d.takesText():
	case d.state.captures():
		d.keep(s)
	default:
		d.top().text.WriteString(s)
	}
}

// flush decodes the text that waits, and hands over what has grown long.
func (d *document) flush() error {
	d.surrogate = 0
	d.decodePending()
	return d.top().relieve()
}

// special writes a character that has a word of its own.
func (d *document) special(s string) error {
	if d.skip > 0 {
		d.skip--
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	d.write(s)
	return nil
}

// unicode takes in \uN. Its number is signed 16 bits, so larger characters
// come in two.
func (d *document) unicode(n int) {
	d.decodePending()
	d.skip = d.state.unicodeSkip
	if n < 0 {
		n += 1 << 16
	}
	r := rune(n & 0x1fffff)
	switch {
	case r >= 0xd800 && r < 0xdc00:
		d.surrogate = r
		return
	case r >= 0xdc00 && r < 0xe000:
		r = utf16.DecodeRune(d.surrogate, r)
	case r >= 0xf000 && r <= 0xf0ff: // of a symbol font
		if r -= 0xf000; r < 0x20 || d.current() == symbols {
			r = 0
		}
	}
	d.surrogate = 0
	if r != 0 {
		d.write(string(r))
	}
}

// characterWord is the text that a word stands for, if it does.
func characterWord(word string) (string, bool) {
	switch word {
	case "tab":
		return "\t", true
	case "line", "lbr", "softline":
		return "\n", true
	case "emdash":
		return "—", true
	case "endash":
		return "–", true
	case "bullet":
		return "•", true
	case "lquote":
		return "‘", true
	case "rquote":
		return "’", true
	case "ldblquote":
		return "“", true
	case "rdblquote":
		return "”", true
	case "~":
		return "\u00a0", true
	case "_":
		return "-", true
	case "emspace", "enspace", "qmspace":
		return " ", true
	case "zwj":
		return "\u200d", true
	case "zwnj":
		return "\u200c", true
	}
	return "", false
}

// word does what a control word says.
func (d *document) word(t token) error {
	if t.word == "*" {
		d.state.optional = true
		return nil
	}
	first := !d.state.started
	d.state.started = true
	if t.word == "bin" {
		return nil
	}
	if first {
		if ok, err := d.enter(t); ok || err != nil {
			return err
		}
	}
	switch d.state.dest {
	case toNobody:
		return nil
	case toCreated, toModified:
		d.dateWord(t)
		return nil
	case toFonts:
		d.fontWord(t)
		return nil
	}
	if s, ok := characterWord(t.word); ok {
		return d.special(s)
	}
	d.skip = 0
	switch t.word {
	case "u":
		d.unicode(t.param)
		return d.top().relieve()
	case "uc":
		d.state.unicodeSkip = min(max(t.param, 0), 16)
		return nil
	}
	if err := d.flush(); err != nil {
		return err
	}
	if d.state.dest == toStory && breaks(t.word) {
		return d.breakWord(t)
	}
	d.property(t)
	return nil
}

// fontWord reads the font table.
func (d *document) fontWord(t token) {
	switch t.word {
	case "f":
		d.state.font = t.param
		if len(d.fonts) < maxTable {
			d.fonts[t.param] = font{}
		}
	case "fcharset":
		if f, ok := d.fonts[d.state.font]; ok {
			f.codepage, f.ansi = fontCodepage(t.param), t.param == 0
			d.fonts[d.state.font] = f
			d.charsets = d.charsets || t.param > 2
		}
	case "cpg":
		if f, ok := d.fonts[d.state.font]; ok {
			f.codepage, f.ansi = t.param, false
			d.fonts[d.state.font] = f
		}
	}
}

// property takes in a word that changes how text is read.
func (d *document) property(t token) {
	s := &d.state
	switch t.word {
	case "ansicpg":
		d.codepage = t.param
	case "ansi":
	case "mac":
		d.codepage = 10000
	case "pc":
		d.codepage = 437
	case "pca":
		d.codepage = 850
	case "deff":
		d.deff, s.font = t.param, t.param
	case "f":
		s.font, s.wide = t.param, false
	case "af":
		if s.wide {
			s.wideFont = t.param
		}
	case "dbch":
		s.wide = true
	case "loch", "hich", "ltrch", "rtlch":
		s.wide = false
	case "plain":
		s.hidden, s.deleted, s.font, s.wide, s.wideFont = false, false, d.deff, false, 0
	case "v":
		s.hidden = t.on()
	case "deleted":
		s.deleted = t.on()
	case "pard":
		s.inTable, s.style, s.outline, s.level = false, 0, noOutline, 0
	case "s":
		s.style = t.param
	case "outlinelevel":
		s.outline = t.param
	case "ilvl":
		s.level = min(max(t.param, 0), 8)
	case "intbl":
		s.inTable = true
	case "ftnalt":
		if st := d.top(); st.kind == block.Footnote {
			st.kind = block.Endnote
		}
	}
}

// breaks reports words that end a paragraph, a cell or a row.
func breaks(word string) bool {
	switch word {
	case "par", "sect", "page", "column", "cell", "nestcell", "row", "nestrow", "trowd", "trhdr":
		return true
	}
	return false
}

func (d *document) breakWord(t token) error {
	s := d.top()
	switch t.word {
	case "cell":
		return s.endCell()
	case "nestcell":
		s.text.WriteString("\t")
		return nil
	case "nestrow":
		return s.endLine()
	case "row":
		return s.endRow()
	case "trowd":
		s.header = false
		return nil
	case "trhdr":
		s.header = true
		return nil
	}
	if d.state.inTable || s.inRow() {
		return s.endLine()
	}
	return s.endParagraph(d.paragraph())
}
