package pdf

import (
	"fmt"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// go-pdfium's GetBookmarks never returns on these.
func TestCircularOutlines(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func(f *pdftest.File, page int) int{
		"an entry is its own sibling": func(f *pdftest.File, page int) int {
			root, a := f.Reserve(), f.Reserve()
			f.Set(root, fmt.Sprintf("<< /First %d 0 R /Last %d 0 R >>", a, a))
			f.Set(a, fmt.Sprintf("<< /Title (Title) /Next %d 0 R /Dest [%d 0 R /Fit] >>", a, page))
			return root
		},
		"two entries are each other's siblings": func(f *pdftest.File, page int) int {
			root, a, b := f.Reserve(), f.Reserve(), f.Reserve()
			f.Set(root, fmt.Sprintf("<< /First %d 0 R /Last %d 0 R >>", a, b))
			f.Set(a, fmt.Sprintf("<< /Title (Title) /Next %d 0 R /Dest [%d 0 R /Fit] >>", b, page))
			f.Set(b, fmt.Sprintf("<< /Title (Other) /Next %d 0 R >>", a))
			return root
		},
		"an entry is its own child": func(f *pdftest.File, page int) int {
			root, a := f.Reserve(), f.Reserve()
			f.Set(root, fmt.Sprintf("<< /First %d 0 R /Last %d 0 R >>", a, a))
			f.Set(a, fmt.Sprintf("<< /Title (Title) /First %d 0 R /Dest [%d 0 R /Fit] >>", a, page))
			return root
		},
		"the root is a child": func(f *pdftest.File, page int) int {
			root, a := f.Reserve(), f.Reserve()
			f.Set(root, fmt.Sprintf("<< /First %d 0 R /Last %d 0 R /Title (Title) >>", a, a))
			f.Set(a, fmt.Sprintf("<< /Title (Title) /First %d 0 R /Next %d 0 R /Dest [%d 0 R /Fit] >>", root, root, page))
			return root
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := pdftest.NewFile()
			catalog, page := pageOf(f, "BT /F1 11 Tf 72 700 Td (Title) Tj ET BT /F1 11 Tf 72 650 Td (Text.) Tj ET")
			outlines := build(f, page)
			f.Set(catalog, fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R /Outlines %d 0 R >>", page-1, outlines))
			d := parse(t, f.Bytes(catalog))
			if len(d.Blocks) != 2 || d.Blocks[0].Kind != block.Heading || d.Blocks[0].Level != 1 {
				t.Errorf("body:\n%s", blocktest.Outline(d.Blocks))
			}
		})
	}
}

// pageOf adds a catalog, a page tree and, right after it, a page.
func pageOf(f *pdftest.File, operators string) (catalog, page int) {
	catalog = f.Reserve()
	font := f.Add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>")
	content := f.AddStream("", []byte(operators))
	tree := f.Reserve()
	page = f.Add(fmt.Sprintf("<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R /Resources << /Font << /F1 %d 0 R >> >> >>", tree, content, font))
	f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%d 0 R] >>", page))
	f.Set(catalog, fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", tree))
	return catalog, page
}

func TestEndlessOutlinesAreCut(t *testing.T) {
	t.Parallel()
	doc := pdftest.Doc{Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "text")}}}
	for i := range 2 * maxEntries {
		doc.Outline = append(doc.Outline, pdftest.Entry{Title: fmt.Sprint("Entry ", i), Page: 1})
	}
	d := open(t, reader(t), doc.Bytes())
	if n := len(d.outline()); n != maxEntries {
		t.Errorf("%d entries", n)
	}
}
