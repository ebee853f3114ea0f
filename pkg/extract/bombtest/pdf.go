package bombtest

import (
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// pdfs are PDFs of which a stream expands, or objects that draw one another.
func pdfs() []Bomb {
	return []Bomb{
		pdf("content that expands a thousandfold", page(func(f *pdftest.File) int {
			return f.AddRawStream("/Filter /FlateDecode", zlibbed("BT ET q Q\n", 64<<20))
		})),
		pdf("content packed twice", page(func(f *pdftest.File) int {
			inner := zlibbed(" ", 1<<30)
			return f.AddRawStream("/Filter [/FlateDecode /FlateDecode]", zlibbed(string(inner), 1))
		})),
		pdf("content packed in hexadecimal", page(func(f *pdftest.File) int {
			return f.AddRawStream("/Filter [/ASCIIHexDecode /FlateDecode]", fmt.Appendf(nil, "%x>", zlibbed(" ", 256<<20)))
		})),
		pdf("forms that draw the next one ten times", laughs(8, 10)),
		pdf("a font's map of characters that expands", page(func(f *pdftest.File) int {
			return f.AddStream("", []byte("BT /F9 11 Tf 72 700 Td <0041> Tj ET"))
		})),
		pdf("objects in a stream that expands", objects()),
	}
}

func pdf(what string, raw []byte) Bomb {
	return Bomb{Name: "bomb.pdf", What: what, Code: block.CodeBomb, Raw: raw}
}

// zlibbed is a filling, repeated until there are size bytes, in zlib's format
// without the checksum at the end, which no reader of PDF looks at.
func zlibbed(fill string, size int) []byte {
	if size < len(fill) {
		return append([]byte{0x78, 0x9c}, deflated(fill, "", 0, "")...)
	}
	const piece = 1 << 20
	times := max(1, piece/len(fill))
	return append([]byte{0x78, 0x9c}, deflated("", strings.Repeat(fill, times), size/(times*len(fill)), "")...)
}

// page is a document of one page with the content stream that is added, and a
// font F9 whose map of characters is a bomb by itself.
func page(content func(*pdftest.File) int) []byte {
	f := pdftest.NewFile()
	tree := f.Reserve()
	characters := f.AddRawStream("/Filter /FlateDecode", zlibbed("1 beginbfrange <0000> <ffff> <0000> endbfrange\n", 256<<20))
	font := f.Add(fmt.Sprintf("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode %d 0 R >>", characters))
	leaf := f.Add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F9 %d 0 R >> >> >>",
		tree, content(f), font))
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%d 0 R] >>", leaf))
	return f.Bytes(f.Add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", tree)))
}

// laughs is a page with a form that draws another so many times, and so on.
func laughs(depth, times int) []byte {
	f := pdftest.NewFile()
	tree := f.Reserve()
	form := f.AddRawStream("/Type /XObject /Subtype /Form /BBox [0 0 595 842]", []byte("0 0 m 9 9 l S "))
	for range depth {
		form = f.AddRawStream(fmt.Sprintf("/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /X %d 0 R >> >>", form),
			[]byte(strings.Repeat("/X Do ", times)))
	}
	content := f.AddStream("", []byte("/X Do"))
	leaf := f.Add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /XObject << /X %d 0 R >> >> >>", tree, content, form))
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%d 0 R] >>", leaf))
	return f.Bytes(f.Add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", tree)))
}

// objects is a document whose cross-reference table is a stream, and whose
// catalog lies in a stream of objects that expands.
func objects() []byte {
	var b strings.Builder
	b.WriteString("%PDF-1.7\n")
	at := b.Len()
	packed := string(zlibbed(" ", 256<<20))
	fmt.Fprintf(&b, "1 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream\nendobj\n", len(packed), packed)
	xref := b.Len()
	table := fmt.Sprintf("%02x%06x%02x", 0, 0, 255) + fmt.Sprintf("%02x%06x%02x", 1, at, 0) + fmt.Sprintf("%02x%06x%02x", 2, 1, 0) + fmt.Sprintf("%02x%06x%02x", 1, xref, 0)
	fmt.Fprintf(&b, "3 0 obj\n<< /Type /XRef /Size 4 /W [1 3 1] /Root 2 0 R /Filter /ASCIIHexDecode /Length %d >>\nstream\n%s>\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n", len(table)+1, table, xref)
	return []byte(b.String())
}

// CircularOutline is a good document with an outline that never ends for who
// follows it: an entry is its own sibling and its own child.
func CircularOutline() []byte {
	f := pdftest.NewFile()
	tree, outlines, entry := f.Reserve(), f.Reserve(), f.Reserve()
	font := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	content := f.AddStream("", []byte("BT /F1 11 Tf 72 700 Td (A page whose outline runs in a circle.) Tj ET"))
	leaf := f.Add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F1 %d 0 R >> >> >>", tree, content, font))
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%d 0 R] >>", leaf))
	f.Set(outlines, fmt.Sprintf("<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count 1 >>", entry, entry))
	f.Set(entry, fmt.Sprintf("<< /Title (Circle) /Parent %d 0 R /Next %d 0 R /First %d 0 R /Last %d 0 R /Dest [%d 0 R /Fit] >>", outlines, entry, entry, entry, leaf))
	return f.Bytes(f.Add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R /Outlines %d 0 R >>", tree, outlines)))
}
