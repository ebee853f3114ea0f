package pdf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// Files made to hurt must end, with an error or without; what can't end by
// itself is the parent's to kill.
func TestBombsEnd(t *testing.T) {
	t.Parallel()
	for name, build := range map[string]func() []byte{
		"a form that draws itself": func() []byte {
			f := pdftest.NewFile()
			form := f.AddRawStream("/Type /XObject /Subtype /Form /BBox [0 0 595 842] /Resources << /XObject << /X 1 0 R >> >>", []byte("/X Do /X Do"))
			root := pdftest.Doc{Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "text"), Content: "/X Do", Entries: fmt.Sprintf("/Resources << /XObject << /X %d 0 R >> >>", form)}}}.Build(f)
			return f.Bytes(root)
		},
		"a page tree in a circle": func() []byte {
			f := pdftest.NewFile()
			tree := f.Reserve()
			f.Set(tree, fmt.Sprintf("<< /Type /Pages /Count 3 /Kids [%d 0 R %d 0 R] >>", tree, tree))
			return f.Bytes(f.Add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", tree)))
		},
		"a deep page tree": func() []byte {
			f := pdftest.NewFile()
			kid := f.Add("<< /Type /Page >>")
			for range 5000 {
				kid = f.Add(fmt.Sprintf("<< /Type /Pages /Count 1 /Kids [%d 0 R] >>", kid))
			}
			return f.Bytes(f.Add(fmt.Sprintf("<< /Type /Catalog /Pages %d 0 R >>", kid)))
		},
		"a count of pages that is a lie": func() []byte {
			f := pdftest.NewFile()
			catalog, page := pageOf(f, "BT /F1 11 Tf 72 700 Td (text) Tj ET")
			f.Set(page-1, fmt.Sprintf("<< /Type /Pages /Count 2000000000 /Kids [%d 0 R] >>", page))
			return f.Bytes(catalog)
		},
		"arrays in arrays": func() []byte {
			f := pdftest.NewFile()
			catalog, page := pageOf(f, "")
			_ = page
			f.Add(strings.Repeat("[", 100000))
			return f.Bytes(catalog)
		},
		"a stream that expands a thousandfold": func() []byte {
			f := pdftest.NewFile()
			catalog, _ := pageOf(f, string(bytes.Repeat([]byte(" "), 30<<20)))
			return f.Bytes(catalog)
		},
		"an object stream that extends itself": func() []byte {
			f := pdftest.NewFile()
			f.AddRawStream("/Type /ObjStm /N 1 /First 4 /Extends 1 0 R", []byte("1 0 << >>"))
			return f.Bytes(1)
		},
		"a cross-reference table before itself": func() []byte {
			raw := pdftest.Simple([]string{"text"})
			at := bytes.LastIndex(raw, []byte("xref\n0"))
			return bytes.Replace(raw, []byte(" /Root"), []byte(fmt.Sprintf(" /Prev %d /Root", at)), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := blocktest.Try(t, reader(t).Parse, build(), options(t))
			if err != nil && blocktest.Code(err) == "" {
				t.Errorf("an error without a code: %v", err)
			}
			t.Logf("%d blocks, page errors %q, error %v", len(d.Blocks), d.PageErrors, err)
		})
	}
}

// Whatever the file, the parser ends with a document or a coded error.
func FuzzParse(f *testing.F) {
	f.Add(pdftest.Simple([]string{"seed"}))
	f.Add(pdftest.Doc{Password: "x", Pages: []pdftest.Page{{}}}.Bytes())
	f.Add(pdftest.Doc{
		Pages:   []pdftest.Page{{Lines: pdftest.Lines(11, "Title", "", "Text that is divi-", "ded."), Annots: []string{"<< /Subtype /Widget /FT /Tx /V (v) >>"}}},
		Outline: []pdftest.Entry{{Title: "Title", Page: 1}},
	}.Bytes())
	f.Add([]byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 1 0 R/Kids[1 0 R]/Count 1>>endobj trailer<</Root 1 0 R>>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, reader(t).Parse, raw, options(t))
		if err != nil && blocktest.Code(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
		for _, b := range append(d.Blocks, d.Asides...) {
			if strings.ContainsAny(b.Text, "\x00\ufffe\ufffd\r") {
				t.Errorf("unclean text %q", b.Text)
			}
		}
	})
}
