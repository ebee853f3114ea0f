package pdftest

import (
	"fmt"
	"strings"
	"unicode/utf16"
)

// Doc describes a well-formed PDF of A4 pages, set in Helvetica.
type Doc struct {
	Title, Author, Language string
	Created                 string // a PDF date, such as D:20240229120000Z
	Pages                   []Page
	Outline                 []Entry
	// Form holds the fields that are not widgets of a page themselves.
	Form     []string
	Password string // encrypts the file
}

// Page is one page. Places are in points from the lower left corner.
type Page struct {
	Lines   []Line
	Content string   // operators beside the lines
	Annots  []string // dictionaries; widgets are put into the form
	Entries string   // further entries of the page's dictionary
	Fonts   string   // further fonts: "/F9 12 0 R"
	Images  string   // likewise
}

// Line is a line of text in WinAnsi. Size 0 is 11 points.
type Line struct {
	X, Y, Size float64
	Bold       bool
	Text       string
}

// Entry is an entry of the outline that leads to a page, counted from 1.
type Entry struct {
	Title    string
	Page     int
	Children []Entry
}

// A4 in points.
const (
	Width  = 595.0
	Height = 842.0
)

// Lines places lines of text one under the other from the top of a page, size
// points high at 1.25 times the distance; an empty one leaves half a line free.
func Lines(size float64, text ...string) []Line {
	var lines []Line
	y := Height - 72
	for _, t := range text {
		if t == "" {
			y -= 0.625 * size
			continue
		}
		lines = append(lines, Line{X: 72, Y: y, Size: size, Text: t})
		y -= 1.25 * size
	}
	return lines
}

// Simple is a document with one page per argument, each a list of lines.
func Simple(pages ...[]string) []byte {
	var d Doc
	for _, lines := range pages {
		d.Pages = append(d.Pages, Page{Lines: Lines(11, lines...)})
	}
	return d.Bytes()
}

// Bytes writes the document.
func (d Doc) Bytes() []byte {
	f := NewFile()
	return f.Bytes(d.Build(f))
}

// Build adds the document to a file, which may hold objects already, and
// returns the catalog's number.
func (d Doc) Build(f *File) int {
	if d.Password != "" {
		f.Encrypt(d.Password)
	}
	regular := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	bold := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>")
	tree := f.Reserve()
	fields := append([]string{}, d.Form...)
	var pages []string
	var numbers []int
	for _, p := range d.Pages {
		content := f.AddStream("", []byte(p.operators()))
		var annots []string
		for _, a := range p.Annots {
			ref := fmt.Sprintf("%d 0 R", f.Add(a))
			annots = append(annots, ref)
			if strings.Contains(a, "/Widget") && !strings.Contains(a, "/Parent") {
				fields = append(fields, ref)
			}
		}
		n := f.Add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 %g %g] /Contents %d 0 R /Resources << /Font << /F1 %d 0 R /F2 %d 0 R %s >> /XObject << %s >> >> /Annots [%s] %s >>",
			tree, Width, Height, content, regular, bold, p.Fonts, p.Images, strings.Join(annots, " "), p.Entries))
		numbers = append(numbers, n)
		pages = append(pages, fmt.Sprintf("%d 0 R", n))
	}
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count %d /Kids [%s] >>", len(pages), strings.Join(pages, " ")))
	catalog := fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R", tree)
	if len(d.Outline) > 0 {
		catalog += fmt.Sprintf(" /Outlines %d 0 R", outline(f, d.Outline, numbers))
	}
	if len(fields) > 0 {
		catalog += fmt.Sprintf(" /AcroForm << /Fields [%s] /DR << /Font << /F1 %d 0 R >> >> /DA (/F1 11 Tf) >>", strings.Join(fields, " "), regular)
	}
	if d.Language != "" {
		catalog += " /Lang " + Literal(d.Language)
	}
	d.describe(f)
	return f.Add(catalog + " >>")
}

func (d Doc) describe(f *File) {
	info := ""
	for _, e := range []struct{ name, value string }{{"Title", d.Title}, {"Author", d.Author}, {"CreationDate", d.Created}} {
		if e.value != "" {
			info += " /" + e.name + " " + Unicode(e.value)
		}
	}
	if info != "" {
		f.info = f.Add("<<" + info + " >>")
	}
}

func (p Page) operators() string {
	var b strings.Builder
	for _, l := range p.Lines {
		font, size := "F1", l.Size
		if l.Bold {
			font = "F2"
		}
		if size == 0 {
			size = 11
		}
		fmt.Fprintf(&b, "BT /%s %g Tf %g %g Td %s Tj ET\n", font, size, l.X, l.Y, Literal(l.Text))
	}
	return b.String() + p.Content
}

// outline adds entries and returns the number of the root.
func outline(f *File, entries []Entry, pages []int) int {
	root := f.Reserve()
	first, last := siblings(f, root, entries, pages)
	f.Set(root, fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>", first, last, len(entries)))
	return root
}

func siblings(f *File, parent int, entries []Entry, pages []int) (first, last int) {
	numbers := make([]int, len(entries))
	for i := range entries {
		numbers[i] = f.Reserve()
	}
	for i, e := range entries {
		body := fmt.Sprintf("<< /Title %s /Parent %d 0 R /Dest [%d 0 R /Fit]", Unicode(e.Title), parent, pages[e.Page-1])
		if i > 0 {
			body += fmt.Sprintf(" /Prev %d 0 R", numbers[i-1])
		}
		if i+1 < len(entries) {
			body += fmt.Sprintf(" /Next %d 0 R", numbers[i+1])
		}
		if len(e.Children) > 0 {
			a, b := siblings(f, numbers[i], e.Children, pages)
			body += fmt.Sprintf(" /First %d 0 R /Last %d 0 R /Count %d", a, b, len(e.Children))
		}
		f.Set(numbers[i], body+" >>")
	}
	return numbers[0], numbers[len(numbers)-1]
}

// Unicode writes text as a PDF text string in UTF-16.
func Unicode(text string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(text)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	b.WriteByte('>')
	return b.String()
}
