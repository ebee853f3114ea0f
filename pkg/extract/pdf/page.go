package pdf

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf16"

	"github.com/klippa-app/go-pdfium/references"
	"github.com/klippa-app/go-pdfium/requests"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// page is what was read of one page.
type page struct {
	n        int     // from 1
	top      float64 // of the page, like the lines' y
	bottom   float64
	lines    []line
	asides   []block.Block // form values and annotations
	visible  int           // characters that are not white space
	unmapped int           // of these, such as have no known meaning
	edges    []edge        // lines at its top and bottom
}

// line is one line of text with its place. Coordinates are in points, in the
// direction of the text: x to where it reads, y downwards.
type line struct {
	text   string
	x0, x1 float64 // of the first and the last character; mirrored for text that reads leftwards
	y      float64 // of the base line
	size   float64 // of the font, as shown
	weight int     // of the font, 400 is normal; 0 when unknown
	bold   bool    // set by the assembler
	turned int     // quarter turns of the text on the page
	hyphen bool    // a hyphen that divides a word ends it; it is not in text
	raised bool    // begins with smaller characters, as a note with its number
	cells  int     // pieces standing apart in it, as in a row of a table
}

// page reads the text of one page. The error is a *trapError when the
// instance has become unusable.
func (d *document) page(n int) (*page, error) {
	loaded, err := d.pdfium.FPDF_LoadPage(&requests.FPDF_LoadPage{Document: d.ref, Index: n - 1})
	if err != nil {
		return nil, call(fmt.Sprintf("loading page %d", n), err)
	}
	p := &page{n: n}
	if box, err := d.pdfium.FPDF_GetPageBoundingBox(&requests.FPDF_GetPageBoundingBox{Page: requests.Page{ByReference: &loaded.Page}}); err == nil {
		p.top, p.bottom = -float64(box.Rect.Top), -float64(box.Rect.Bottom)
	}
	err = d.text(loaded.Page, p)
	if err == nil {
		err = d.annotations(loaded.Page, p)
	}
	_, closeErr := d.pdfium.FPDF_ClosePage(&requests.FPDF_ClosePage{Page: loaded.Page})
	if err == nil {
		err = call("closing the page", closeErr)
	}
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", n, err)
	}
	return p, nil
}

func (d *document) text(ref references.FPDF_PAGE, p *page) error {
	loaded, err := d.pdfium.FPDFText_LoadPage(&requests.FPDFText_LoadPage{Page: requests.Page{ByReference: &ref}})
	if err != nil {
		return call("loading text", err)
	}
	t := &textPage{document: d, ref: loaded.TextPage}
	err = t.read(p)
	_, closeErr := d.pdfium.FPDFText_ClosePage(&requests.FPDFText_ClosePage{TextPage: loaded.TextPage})
	if err == nil {
		err = call("closing text", closeErr)
	}
	return err
}

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

// line adds the characters from start to end, which PDFium took for one line.
func (t *textPage) line(p *page, start, end int) error {
	hyphen := end < len(t.runes) && t.runes[end] == lineEndHyphen
	for start < end && unicode.IsSpace(t.runes[start]) {
		start++
	}
	for end > start && unicode.IsSpace(t.runes[end-1]) {
		end--
	}
	if start == end {
		return nil
	}
	hyphen = hyphen || t.runes[end-1] == '\u00ad'
	l := line{hyphen: hyphen, cells: 1}
	if err := t.place(&l, start, end-1); err != nil {
		return err
	}
	if err := t.markGaps(&l, start, end); err != nil {
		return err
	}
	text, err := t.repair(p, start, end)
	if err != nil || text == "" {
		return err
	}
	if l.raised {
		text = separateMark(text)
	}
	l.text = spaced(text)
	p.lines = append(p.lines, l)
	return nil
}

// wideLine is the width per character, relative to the size, from which a line
// is looked at for gaps. Running text has 0.4 to 0.55, in capitals 0.7.
const wideLine = 0.58

// cellGap is the space, relative to the size, that parts cells of a row.
const cellGap = 1.2

// markGaps makes tabs of those spaces of a line that part the cells of a row.
func (t *textPage) markGaps(l *line, start, end int) error {
	if l.x0 < 0 && l.turned == 0 || l.x1-l.x0 < wideLine*l.size*float64(end-start) {
		return nil
	}
	for i := start + 1; i < end-1; i++ {
		if t.runes[i] != ' ' {
			continue
		}
		before, err := t.sibling(i-1, glyph{turned: l.turned})
		if err != nil {
			return err
		}
		after, err := t.sibling(i+1, glyph{turned: l.turned})
		if err != nil {
			return err
		}
		if after.left-before.right > cellGap*l.size {
			t.runes[i] = '\t'
			l.cells++
		}
	}
	return nil
}

// place finds out where a line stands and in what font, from its first and
// last character, and one in the middle where these differ.
func (t *textPage) place(l *line, first, last int) error {
	a, err := t.glyph(first)
	if err != nil {
		return err
	}
	b := a
	if last > first {
		if b, err = t.sibling(last, a); err != nil {
			return err
		}
	}
	l.size, l.weight, l.turned = a.shown(), a.weight, a.turned
	if math.Abs(a.size-b.size) > 0.1*a.size || a.weight != b.weight {
		m, err := t.glyph(first + (last-first)/2)
		if err != nil {
			return err
		}
		l.size = median(a.shown(), m.shown(), b.shown())
		l.weight = min(a.weight, m.weight, b.weight)
	}
	l.raised = a.shown() < 0.8*b.shown()
	l.x0, l.x1, l.y = a.left, b.right, a.y
	if a.left > b.left { // reads leftwards
		l.x0, l.x1 = -a.right, -b.left
	}
	return nil
}

// glyph is one character's place and font.
type glyph struct {
	left, right, y float64 // along the text; y downwards
	size, scale    float64 // of the font, and what it is multiplied by
	weight         int
	turned         int
}

// shown is the size in points.
func (g glyph) shown() float64 { return g.size * g.scale }

// glyph asks for all of a character.
func (t *textPage) glyph(i int) (glyph, error) {
	g := glyph{scale: 1}
	at := t.index(i)
	matrix, err := t.pdfium.FPDFText_GetMatrix(&requests.FPDFText_GetMatrix{TextPage: t.ref, Index: at})
	if err != nil {
		return g, trapOnly(err)
	}
	// The matrix is that of the piece of text the character belongs to; its
	// origin lies on the base line.
	m := matrix.Matrix
	g.scale = math.Hypot(float64(m.C), float64(m.D))
	g.turned = quarterTurns(float64(m.A), float64(m.B))
	switch g.turned {
	case 0:
		g.y = -float64(m.F)
	case 1: // upwards
		g.y = float64(m.E)
	case 2: // upside down
		g.y = float64(m.F)
	default: // downwards
		g.y = -float64(m.E)
	}
	return t.font(at, g)
}

// sibling asks for a character of the same line as another, which has the
// same base line and direction.
func (t *textPage) sibling(i int, of glyph) (glyph, error) {
	return t.font(t.index(i), of)
}

// font fills in the extent and the font of the character at an index of PDFium's.
func (t *textPage) font(at int, g glyph) (glyph, error) {
	size, err := t.pdfium.FPDFText_GetFontSize(&requests.FPDFText_GetFontSize{TextPage: t.ref, Index: at})
	if err != nil {
		return g, trapOnly(err)
	}
	g.size = size.FontSize
	if weight, err := t.pdfium.FPDFText_GetFontWeight(&requests.FPDFText_GetFontWeight{TextPage: t.ref, Index: at}); err == nil {
		g.weight = weight.FontWeight
	}
	if g.weight <= 0 { // one of the fonts that every reader has
		g.weight = t.weightByName(at)
	}
	box, err := t.pdfium.FPDFText_GetLooseCharBox(&requests.FPDFText_GetLooseCharBox{TextPage: t.ref, Index: at})
	if err != nil {
		return g, trapOnly(err)
	}
	r := box.Rect
	switch g.turned {
	case 0:
		g.left, g.right = float64(r.Left), float64(r.Right)
	case 1:
		g.left, g.right = float64(r.Bottom), float64(r.Top)
	case 2:
		g.left, g.right = -float64(r.Right), -float64(r.Left)
	default:
		g.left, g.right = -float64(r.Top), -float64(r.Bottom)
	}
	return g, nil
}

// weightByName is the weight that a font's name tells.
func (t *textPage) weightByName(at int) int {
	font, err := t.pdfium.FPDFText_GetFontInfo(&requests.FPDFText_GetFontInfo{TextPage: t.ref, Index: at})
	switch {
	case err != nil:
		return 0
	case strings.Contains(strings.ToLower(font.FontName), "bold"):
		return 700
	default:
		return 400
	}
}

// quarterTurns says how often text with this direction is turned to the left.
func quarterTurns(a, b float64) int {
	switch {
	case math.Abs(a) >= math.Abs(b) && a >= 0:
		return 0
	case math.Abs(b) > math.Abs(a) && b > 0:
		return 1
	case math.Abs(a) >= math.Abs(b):
		return 2
	default:
		return 3
	}
}

// index turns an index of runes into PDFium's.
func (t *textPage) index(i int) int {
	if t.at == nil {
		return i
	}
	return t.at[i]
}

// trapOnly forgets an error that merely says that there is no answer.
func trapOnly(err error) error {
	if t, ok := call("asking for a character", err).(*trapError); ok {
		return t
	}
	return nil
}

func median(a, b, c float64) float64 {
	return max(min(a, b), min(max(a, b), c))
}
