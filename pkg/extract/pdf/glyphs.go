package pdf

import (
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium/requests"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"
)

// repair gives the characters from start to end as they were meant, and
// counts those of unknown meaning:
//
//   - a spacing accent printed over a letter (¸c, ´ı) becomes that letter (ç, í);
//   - ligatures and presentation forms become plain letters;
//   - C1 controls are Windows-1252's characters, bullets of symbol fonts are bullets;
//   - the two letters of an Arabic lam-alef are put in their order;
//   - other control characters and private ones are codes of glyphs whose font does not
//     say what they mean: they are left out.
func (t *textPage) repair(p *page, start, end int) (string, error) {
	b := make([]rune, 0, end-start)
	for i := start; i < end; i++ {
		r := t.runes[i]
		if i+1 < end && (accent(r) != 0 || accent(t.runes[i+1]) != 0) {
			letter, err := t.accented(i, end)
			if err != nil {
				return "", err
			}
			if letter != 0 {
				b = append(b, letter)
				p.visible++
				i++
				continue
			}
		}
		if r == 'ل' && i > start && isAlef(t.runes[i-1]) {
			one, err := t.sameGlyph(i-1, i)
			if err != nil {
				return "", err
			}
			if b = append(b, r); one {
				b[len(b)-2], b[len(b)-1] = b[len(b)-1], b[len(b)-2]
			}
			p.visible++
			continue
		}
		if !unicode.IsSpace(r) {
			p.visible++
		}
		if r < 0x7f && r >= ' ' || r == '\t' {
			b = append(b, r)
			continue
		}
		text := meaning(r)
		if text == "" && !unicode.Is(unicode.Cf, r) {
			p.unmapped++
		}
		b = append(b, []rune(text)...)
	}
	return strings.TrimSpace(string(b)), nil
}

// meaning is the text of one character of PDFium's; empty when it has none.
func meaning(r rune) string {
	switch {
	case r >= 0x80 && r < 0xa0:
		if r = charmap.Windows1252.DecodeByte(byte(r)); r < 0xa0 || r == unicode.ReplacementChar {
			return ""
		}
	case r >= 0xfb00 && r <= 0xfdff, r >= 0xfe70 && r <= 0xfefc: // ligatures and presentation forms
		return norm.NFKC.String(string(r))
	case r >= 0xe000 && r <= 0xf8ff: // private: symbol fonts put their codes at U+F000
		return symbol(r)
	case unicode.IsControl(r), r == unicode.ReplacementChar, utf16.IsSurrogate(r), r&0xfffe == 0xfffe, r == '\u00ad', r == '\ufeff':
		return ""
	}
	return string(r)
}

// symbol gives the bullets and marks of the Symbol and Wingdings fonts that
// stand in texts.
func symbol(r rune) string {
	switch r {
	case 0xf0b7, 0xf09f, 0xf06c:
		return "•"
	case 0xf0a7, 0xf06e:
		return "▪"
	case 0xf0d8:
		return "➢"
	case 0xf0fc:
		return "✓"
	case 0xf0e0:
		return "→"
	case 0xf02d:
		return "–"
	}
	return ""
}

// accent is the combining form of a spacing accent, 0 for any other character.
func accent(r rune) rune {
	switch r {
	case '`':
		return '\u0300'
	case '´', 'ˊ':
		return '\u0301'
	case '^', 'ˆ':
		return '\u0302'
	case '~', '˜':
		return '\u0303'
	case '¯':
		return '\u0304'
	case '˘':
		return '\u0306'
	case '˙':
		return '\u0307'
	case '¨':
		return '\u0308'
	case '˚':
		return '\u030a'
	case '˝':
		return '\u030b'
	case 'ˇ':
		return '\u030c'
	case '¸':
		return '\u0327'
	case '˛':
		return '\u0328'
	}
	return 0
}

// accented is the letter that the characters at i and i+1 form when one of
// them is an accent printed over or under the other; 0 when not. An accent
// comes before its letter or after it, and may have a letter on either side.
func (t *textPage) accented(i, end int) (rune, error) {
	if accent(t.runes[i]) != 0 {
		return t.compose(i+1, i)
	}
	if i+2 < end {
		if next, err := t.compose(i+2, i+1); next != 0 || err != nil {
			return 0, err
		}
	}
	return t.compose(i, i+1)
}

// compose puts the accent at mark on the letter at base if it stands there.
func (t *textPage) compose(base, mark int) (rune, error) {
	letter := t.runes[base]
	if !unicode.IsLetter(letter) {
		return 0, nil
	}
	if letter == 'ı' {
		letter = 'i'
	}
	composed := []rune(norm.NFC.String(string([]rune{letter, accent(t.runes[mark])})))
	if len(composed) != 1 {
		return 0, nil
	}
	over, err := t.overlap(base, mark)
	if err != nil || !over {
		return 0, err
	}
	return composed[0], nil
}

// isAlef reports the letters that follow lam in one glyph. PDFium turns text
// that runs leftwards around letter by letter, the two of this glyph too.
func isAlef(r rune) bool { return r == 'ا' || r == 'أ' || r == 'إ' || r == 'آ' }

// sameGlyph reports whether two characters come from one glyph.
func (t *textPage) sameGlyph(i, j int) (bool, error) {
	var x [2]float64
	for k, at := range []int{i, j} {
		origin, err := t.pdfium.FPDFText_GetCharOrigin(&requests.FPDFText_GetCharOrigin{TextPage: t.ref, Index: t.index(at)})
		if err != nil {
			return false, trapOnly(err)
		}
		x[k] = origin.X
	}
	return x[0] == x[1], nil
}

// overlap reports whether two characters stand over one another: the middle
// of either lies within the other.
func (t *textPage) overlap(i, j int) (bool, error) {
	var left, right [2]float64
	for k, at := range []int{i, j} {
		box, err := t.pdfium.FPDFText_GetCharBox(&requests.FPDFText_GetCharBox{TextPage: t.ref, Index: t.index(at)})
		if err != nil {
			return false, trapOnly(err)
		}
		left[k], right[k] = box.Left, box.Right
	}
	within := func(a, b int) bool {
		middle := (left[a] + right[a]) / 2
		return middle >= left[b] && middle <= right[b]
	}
	return within(0, 1) || within(1, 0), nil
}
