package pdf

import (
	"math"
	"strings"

	"github.com/klippa-app/go-pdfium/requests"
)

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
	if g.weight == 0 || g.weight >= boldWeight { // a line that begins in normal type isn't bold
		g.weight = t.weight(at)
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

// weight is that of a character's font; where the file doesn't tell, as for
// the fonts that every reader has, the font's name does.
func (t *textPage) weight(at int) int {
	weight, err := t.pdfium.FPDFText_GetFontWeight(&requests.FPDFText_GetFontWeight{TextPage: t.ref, Index: at})
	if err == nil && weight.FontWeight > 0 {
		return weight.FontWeight
	}
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

func median(a, b, c float64) float64 {
	return max(min(a, b), min(max(a, b), c))
}
