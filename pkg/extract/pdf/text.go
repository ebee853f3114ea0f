package pdf

import (
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"
)

// textPage gives access to the characters of a page.
type textPage struct {
	*document
	ref   references.FPDF_TEXTPAGE
	runes []rune
	// at holds PDFium's index of each of runes; nil when it is the same.
	at []int
}

// How PDFium marks a hyphen that divides a word at the end of a line, in a
// page's text and asked for the character. No line break follows it.
const (
	lineEndHyphen   = '\ufffe'
	hyphenCharacter = '\u0002'
)

func (t *textPage) read(p *page) error {
	count, err := t.pdfium.FPDFText_CountChars(&requests.FPDFText_CountChars{TextPage: t.ref})
	if err != nil {
		return call("counting characters", err)
	}
	if count.Count <= 0 {
		return nil
	}
	// One call for the whole page, not one per character.
	text, err := t.pdfium.FPDFText_GetText(&requests.FPDFText_GetText{TextPage: t.ref, Count: count.Count})
	if err != nil {
		return call("getting text", err)
	}
	t.runes = []rune(text.Text)
	if !t.locate(count.Count) {
		if err := t.characters(count.Count); err != nil {
			return err
		}
	}
	start := 0
	for i := 0; i <= len(t.runes); i++ {
		if i < len(t.runes) && t.runes[i] != '\r' && t.runes[i] != '\n' && t.runes[i] != lineEndHyphen {
			continue
		}
		if err := t.line(p, start, i); err != nil {
			return err
		}
		start = i + 1
	}
	return nil
}

// locate finds PDFium's index of each character, of which it counts those
// beyond the basic plane as two. It fails when the text lacks some characters.
func (t *textPage) locate(count int) bool {
	units := 0
	for _, r := range t.runes {
		units += utf16.RuneLen(r)
	}
	if units != count {
		return false
	}
	if units == len(t.runes) {
		return true
	}
	t.at = make([]int, len(t.runes))
	units = 0
	for i, r := range t.runes {
		t.at[i] = units
		units += utf16.RuneLen(r)
	}
	return true
}

// characters asks for every character by itself. A page's text lacks the codes
// of control characters, which stand for quotes and dashes in badly made fonts.
func (t *textPage) characters(count int) error {
	t.runes, t.at = t.runes[:0], make([]int, 0, count)
	for i := range count {
		c, err := t.pdfium.FPDFText_GetUnicode(&requests.FPDFText_GetUnicode{TextPage: t.ref, Index: i})
		if err != nil {
			return call("getting a character", err)
		}
		r := rune(uint32(c.Unicode))
		if r == hyphenCharacter {
			hyphen, err := t.pdfium.FPDFText_IsHyphen(&requests.FPDFText_IsHyphen{TextPage: t.ref, Index: i})
			if err != nil {
				return call("getting a character", err)
			}
			if hyphen.IsHyphen {
				r = lineEndHyphen
			}
		}
		if last := len(t.runes) - 1; last >= 0 && utf16.IsSurrogate(t.runes[last]) {
			if whole := utf16.DecodeRune(t.runes[last], r); whole != unicode.ReplacementChar {
				t.runes[last] = whole
				continue
			}
		}
		t.runes, t.at = append(t.runes, r), append(t.at, i)
	}
	return nil
}

// index turns an index of runes into PDFium's.
func (t *textPage) index(i int) int {
	if t.at == nil {
		return i
	}
	return t.at[i]
}
