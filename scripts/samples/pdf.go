package main

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// line is a piece of a PDF page: text at a font size, with the gap above it.
type line struct {
	text string
	size float64 // points; 0 is body text
	bold bool
}

// pdfDoc is a paged document with an outline of its headings, in the standard
// fonts that every reader has, so that nothing has to be embedded.
type pdfDoc struct {
	title, author, language string
	lines                   []line
}

const (
	pageWidth, pageHeight = 595.0, 842.0 // A4
	margin                = 72.0
	bodySize              = 11.0
)

// placed is a line with its page and height on it.
type placed struct {
	line
	page int
	y    float64
}

// writePDF writes the document; the same input gives the same bytes.
func writePDF(d pdfDoc) []byte {
	items, pages := layOut(d.lines)
	w := &pdfWriter{}
	w.b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	// Objects: 1 catalog, 2 pages, 3 and 4 fonts, 5 info, 6 outline root,
	// then two for each page, then one for each outline entry.
	var kids []string
	for p := range pages {
		kids = append(kids, fmt.Sprintf("%d 0 R", 7+2*p))
	}
	var heads []placed
	for _, it := range items {
		if it.size > bodySize {
			heads = append(heads, it)
		}
	}
	firstHead := 7 + 2*pages
	w.object(1, fmt.Sprintf("<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R /Lang (%s) >>", d.language))
	w.object(2, fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Join(kids, " "), pages))
	w.object(3, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	w.object(4, "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>")
	w.object(5, fmt.Sprintf("<< /Title %s /Author %s /CreationDate (D:20260301090000Z) >>", pdfString(d.title), pdfString(d.author)))
	w.object(6, fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>", firstHead, firstHead+len(heads)-1, len(heads)))
	for p := range pages {
		content := pageContent(items, p, pages)
		w.object(7+2*p, fmt.Sprintf("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %g %g] /Contents %d 0 R /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>", pageWidth, pageHeight, 8+2*p))
		w.object(8+2*p, fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content))
	}
	for i, h := range heads {
		links := ""
		if i > 0 {
			links += fmt.Sprintf(" /Prev %d 0 R", firstHead+i-1)
		}
		if i < len(heads)-1 {
			links += fmt.Sprintf(" /Next %d 0 R", firstHead+i+1)
		}
		w.object(firstHead+i, fmt.Sprintf("<< /Title %s /Parent 6 0 R%s /Dest [%d 0 R /XYZ 72 %.0f 0] >>", pdfString(h.text), links, 7+2*h.page, h.y+h.size))
	}
	return w.finish()
}

// layOut wraps the lines and breaks pages.
func layOut(lines []line) (items []placed, pages int) {
	y, page := pageHeight-margin, 0
	for _, l := range lines {
		if l.size == 0 {
			l.size = bodySize
		}
		y -= l.size * 0.8
		for i, text := range wrap(l.text, l.size) {
			if y < margin+3*l.size || i == 0 && l.size > bodySize && y < margin+8*bodySize {
				page++
				y = pageHeight - margin
			}
			part := l
			part.text = text
			items = append(items, placed{part, page, y})
			y -= l.size * 1.25
		}
	}
	return items, page + 1
}

// wrap breaks text at words; half the font size is a fair width of a letter
// of Helvetica.
func wrap(text string, size float64) []string {
	most := int((pageWidth - 2*margin) / (size * 0.5))
	var out []string
	row := ""
	for _, word := range strings.Fields(text) {
		if row != "" && utf8.RuneCountInString(row)+1+utf8.RuneCountInString(word) > most {
			out = append(out, row)
			row = ""
		}
		if row != "" {
			row += " "
		}
		row += word
	}
	return append(out, row)
}

func pageContent(items []placed, page, pages int) string {
	var b strings.Builder
	for _, it := range items {
		if it.page != page {
			continue
		}
		font := "F1"
		if it.bold {
			font = "F2"
		}
		fmt.Fprintf(&b, "BT /%s %g Tf %g %.2f Td %s Tj ET\n", font, it.size, margin, it.y, pdfString(it.text))
	}
	fmt.Fprintf(&b, "BT /F1 9 Tf %g 40 Td (%d / %d) Tj ET", pageWidth/2-12, page+1, pages)
	return b.String()
}

// pdfString writes text in WinAnsi, which for the letters used here is Latin-1.
func pdfString(s string) string {
	var b strings.Builder
	b.WriteByte('(')
	for _, r := range s {
		switch {
		case r == '(' || r == ')' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x80:
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, "\\%03o", r)
		default:
			panic(fmt.Sprintf("%q is not in Latin-1", r)) // the texts are ours
		}
	}
	b.WriteByte(')')
	return b.String()
}

// pdfWriter numbers objects from 1 and remembers where each begins.
type pdfWriter struct {
	b       bytes.Buffer
	offsets []int
}

func (w *pdfWriter) object(n int, body string) {
	if n != len(w.offsets)+1 {
		panic(fmt.Sprintf("object %d written out of order", n))
	}
	w.offsets = append(w.offsets, w.b.Len())
	fmt.Fprintf(&w.b, "%d 0 obj\n%s\nendobj\n", n, body)
}

func (w *pdfWriter) finish() []byte {
	start := w.b.Len()
	fmt.Fprintf(&w.b, "xref\n0 %d\n0000000000 65535 f \n", len(w.offsets)+1)
	for _, o := range w.offsets {
		fmt.Fprintf(&w.b, "%010d 00000 n \n", o)
	}
	fmt.Fprintf(&w.b, "trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(w.offsets)+1, start)
	return w.b.Bytes()
}
