package pdf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// unmappedFont is a font that is not embedded, whose codes are glyph numbers
// that nothing assigns characters to.
func unmappedFont(f *pdftest.File) int {
	descendant := f.Add("<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Unknown /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 600 /FontDescriptor " +
		"<< /Type /FontDescriptor /FontName /Unknown /Flags 4 /FontBBox [0 0 1000 1000] /ItalicAngle 0 /Ascent 800 /Descent -200 /CapHeight 700 /StemV 80 >> >>")
	return f.Add(fmt.Sprintf("<< /Type /Font /Subtype /Type0 /BaseFont /Unknown /Encoding /Identity-H /DescendantFonts [%d 0 R] >>", descendant))
}

func TestMissingGlyphMapsAreFlagged(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	font := unmappedFont(f)
	codes := "BT /F9 11 Tf 72 600 Td <" + strings.Repeat("000100020003000400050006", 10) + "> Tj ET"
	root := pdftest.Doc{Pages: []pdftest.Page{
		{Lines: pdftest.Lines(11, "A page that can be read as it should be."), Content: codes, Fonts: fmt.Sprintf("/F9 %d 0 R", font)},
	}}.Build(f)
	d := parse(t, f.Bytes(root))
	if len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) || !strings.Contains(d.Warnings[0], "of ") {
		t.Errorf("warnings %q", d.Warnings)
	}
	wantBody(t, d, "paragraph p1: A page that can be read as it should be.\n")

	f = pdftest.NewFile()
	font = unmappedFont(f)
	root = pdftest.Doc{Pages: []pdftest.Page{{Content: codes, Fonts: fmt.Sprintf("/F9 %d 0 R", font)}}}.Build(f)
	if s := refuse(t, f.Bytes(root), options(t), block.CodeNeedsOCR); !strings.Contains(s, "glyphs") {
		t.Errorf("message %q", s)
	}
}

// mappedFont gives every code from 1 on the text at that place.
func mappedFont(f *pdftest.File, texts ...string) int {
	var b strings.Builder
	fmt.Fprintf(&b, "/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def 1 begincodespacerange <00> <ff> endcodespacerange %d beginbfchar\n", len(texts))
	for i, text := range texts {
		fmt.Fprintf(&b, "<%02x> %s\n", i+1, strings.Replace(pdftest.Unicode(text), "FEFF", "", 1))
	}
	b.WriteString("endbfchar endcmap end end")
	m := f.AddStream("", []byte(b.String()))
	return f.Add(fmt.Sprintf("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /FirstChar 0 /LastChar 255 /Widths [%s] /ToUnicode %d 0 R >>", strings.Repeat("600 ", 256), m))
}

// A character beyond the basic plane takes two places in the buffer that
// PDFium writes the page's text to.
func TestCharactersBeyondTheBasicPlane(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	font := mappedFont(f, "😀", "𝒳", "a")
	root := pdftest.Doc{Pages: []pdftest.Page{{
		Content: "BT /F9 11 Tf 72 700 Td <" + strings.Repeat("0102", 20) + "03> Tj ET BT /F1 11 Tf 72 650 Td (After.) Tj ET",
		Fonts:   fmt.Sprintf("/F9 %d 0 R", font),
	}}}.Build(f)
	wantBody(t, parse(t, f.Bytes(root)), "paragraph p1: "+strings.Repeat("😀𝒳", 20)+"a\nparagraph p1: After.\n")
}

func TestGlyphsOfManyCharacters(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	font := mappedFont(f, "ﬁ", "ﬄ", "\uf0b7", "\u0093", "\u0094", "\x07", "ffi", "o")
	root := pdftest.Doc{Pages: []pdftest.Page{{
		Content: "BT /F9 11 Tf 72 700 Td <03080702060405> Tj ET BT /F1 11 Tf 72 650 Td (After.) Tj ET",
		Fonts:   fmt.Sprintf("/F9 %d 0 R", font),
	}}}.Build(f)
	d := parse(t, f.Bytes(root))
	wantBody(t, d, "list_item p1: offiffl“”\nparagraph p1: After.\n")
	if len(d.Warnings) != 0 {
		t.Errorf("one character of many is no reason to warn: %q", d.Warnings)
	}
}

// TeX prints accents and letters one over the other.
func TestAccentsArePutOnTheirLetters(t *testing.T) {
	t.Parallel()
	// Helvetica, 11 points: c and a are 5.5 and 6.1 wide, the accents 3.7.
	over := func(x float64, letter, accent string, w float64) string {
		return fmt.Sprintf("BT /F1 11 Tf %g 700 Td %s Tj ET BT /F1 11 Tf %g 700 Td %s Tj ET ", x+(w-3.7)/2, pdftest.Literal(accent), x, pdftest.Literal(letter))
	}
	content := over(72, "c", "¸", 5.5) + over(77.5, "a", "¨", 6.1) + over(83.6, "o", "´", 6.1) +
		"BT /F1 11 Tf 72 650 Td (don\\264t put l\\264a together) Tj ET"
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Content: content}}}.Bytes())
	wantBody(t, d, "paragraph p1: çäó\nparagraph p1: don´t put l´a together\n")
}

// The two letters of a lam-alef glyph come out of PDFium in the wrong order
// where text runs leftwards.
func TestLamAlefKeepsItsOrder(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	font := mappedFont(f, "س", "لا", "م", "ا", "ل")
	// Drawn from left to right: meem, lam-alef, seen; read: seen, lam, alef, meem.
	root := pdftest.Doc{Pages: []pdftest.Page{{
		Content: "BT /F9 11 Tf 72 700 Td <03020103020103020103> Tj ET",
		Fonts:   fmt.Sprintf("/F9 %d 0 R", font),
	}}}.Build(f)
	d := parse(t, f.Bytes(root))
	if len(d.Blocks) != 1 || !strings.Contains(d.Blocks[0].Text, "سلام") || strings.Contains(d.Blocks[0].Text, "سال") {
		t.Errorf("body:\n%s", blocktest.Outline(d.Blocks))
	}
}
