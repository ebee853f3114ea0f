package pdf

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

const linkTo = "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (%s) >> >>"

// Where links lead is told once per address, and is no word of the document.
func TestLinks(t *testing.T) {
	t.Parallel()
	raw := pdftest.Doc{Pages: []pdftest.Page{
		{Lines: pdftest.Lines(11, "See our page."), Annots: []string{
			fmt.Sprintf(linkTo, "https://example.org/a?b=1"), fmt.Sprintf(linkTo, "https://example.org/a?b=1"),
			"<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /Dest [0 /Fit] >>", "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] >>",
			fmt.Sprintf(linkTo, strings.Repeat("x", maxTarget+1))}},
		{Lines: pdftest.Lines(11, "And write to us."), Annots: []string{fmt.Sprintf(linkTo, "mailto:us@example.org"), fmt.Sprintf(linkTo, "https://example.org/a?b=1")}},
	}}.Bytes()
	d := blocktest.Parse(t, reader(t).Parse, raw, options(t))
	if got, want := blocktest.Outline(d.Asides), "link p1: https://example.org/a?b=1\nlink p2: mailto:us@example.org\n"; got != want {
		t.Errorf("asides\n%s\nwant\n%s", got, want)
	}
}

// A link is no text of a page that has none.
func TestALinkIsNoText(t *testing.T) {
	t.Parallel()
	raw := pdftest.Doc{Pages: []pdftest.Page{{Content: "0 0 m 100 100 l S", Annots: []string{fmt.Sprintf(linkTo, "https://example.org")}}}}.Bytes()
	refuse(t, raw, options(t), block.CodeNoText)
}

func TestAttachmentsAreListed(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	file := f.AddRawStream("/Type /EmbeddedFile", []byte("not read"))
	spec := f.Add(fmt.Sprintf("<< /Type /Filespec /F (a.csv) /UF %s /EF << /F %d 0 R >> >>", pdftest.Unicode("números.csv"), file))
	catalog := pdftest.Doc{Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "See the attachment.")}}}.Build(f)
	raw := f.Bytes(catalog)
	raw = []byte(strings.Replace(string(raw), "<< /Type /Catalog", fmt.Sprintf("<< /Names << /EmbeddedFiles << /Names [(a) %d 0 R] >> >> /Type /Catalog", spec), 1))
	d := blocktest.Parse(t, reader(t).Parse, raw, options(t))
	if got, want := blocktest.Outline(d.Asides), "attachment: números.csv\n"; got != want {
		t.Errorf("asides %q, want %q", got, want)
	}
}

func TestPageLabels(t *testing.T) {
	t.Parallel()
	pages := []pdftest.Page{{Lines: pdftest.Lines(11, "one")}, {Lines: pdftest.Lines(11, "two")}, {Lines: pdftest.Lines(11, "three")}}
	for labels, want := range map[string][]string{
		"":                nil,
		"[0 << /S /D >>]": nil,
		"[0 << /S /r >> 2 << /P (A-) /S /D /St 7 >>]": {"i", "ii", "A-7"},
	} {
		f := pdftest.NewFile()
		raw := string(f.Bytes(pdftest.Doc{Pages: pages}.Build(f)))
		if labels != "" {
			raw = strings.Replace(raw, "<< /Type /Catalog", "<< /PageLabels << /Nums "+labels+" >> /Type /Catalog", 1)
		}
		d := blocktest.Parse(t, reader(t).Parse, []byte(raw), options(t))
		if !slices.Equal(d.Meta.PageLabels, want) {
			t.Errorf("%s: %q, want %q", labels, d.Meta.PageLabels, want)
		}
	}
}
