package pdf

import (
	"fmt"
	"unicode"

	"github.com/klippa-app/go-pdfium/enums"
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
	drawn    bool          // there are pictures or lines on it
	picture  bool          // it shows text, probably, without having characters
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
	if err == nil && len(p.lines) == 0 {
		err = d.look(loaded.Page, p)
	}
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

// leastDrawn is how many lines and areas may be letters; fewer are a frame or
// rules on an empty page.
const leastDrawn = 20

// look finds out what there is on a page without text: characters without a
// meaning, an image, or so many lines and areas that they may be letters.
func (d *document) look(ref references.FPDF_PAGE, p *page) error {
	on := requests.Page{ByReference: &ref}
	objects, err := d.pdfium.FPDFPage_CountObjects(&requests.FPDFPage_CountObjects{Page: on})
	if err != nil {
		return trapOnly(err)
	}
	p.drawn = objects.Count > 0
	p.picture = p.unmapped > 0 || objects.Count >= leastDrawn
	for i := 0; i < objects.Count && !p.picture; i++ {
		object, err := d.pdfium.FPDFPage_GetObject(&requests.FPDFPage_GetObject{Page: on, Index: i})
		if err != nil {
			return trapOnly(err)
		}
		kind, err := d.pdfium.FPDFPageObj_GetType(&requests.FPDFPageObj_GetType{PageObject: object.PageObject})
		if err != nil {
			return trapOnly(err)
		}
		p.picture = kind.Type == enums.FPDF_PAGEOBJ_IMAGE || kind.Type == enums.FPDF_PAGEOBJ_FORM
	}
	return nil
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
		before, err := t.sibling(i-1, glyph{turned: l.turned, weight: l.weight})
		if err != nil {
			return err
		}
		after, err := t.sibling(i+1, glyph{turned: l.turned, weight: l.weight})
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

// trapOnly forgets an error that merely says that there is no answer.
func trapOnly(err error) error {
	if t, ok := call("asking for a character", err).(*trapError); ok {
		return t
	}
	return nil
}
