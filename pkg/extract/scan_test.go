package extract

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// realTesseract is one of PATH, or of below .cache (scripts/fetch-tesseract.sh).
func realTesseract(t *testing.T) string {
	t.Helper()
	if path, err := exec.LookPath("tesseract"); err == nil {
		return path
	}
	path, err := filepath.Abs("../../.cache/tesseract/bin/tesseract")
	if err == nil {
		path, err = exec.LookPath(path)
	}
	if err != nil {
		t.Skip("there is no tesseract: scripts/fetch-tesseract.sh fetches one")
	}
	return path
}

// scanText is what is written on the pages that are read again.
var scanText = [][]string{
	{"The meeting begins at half past nine in the large hall.", "Every member brings two copies of the report,", "one for the archive and one for the table.",
		"The chair opens the session and reads the agenda.", "Questions are answered after the second part."},
	{"O relatório descreve as atividades do último ano.", "A fundação recebeu doações de várias instituições,", "e a direção agradece a confiança dos associados.",
		"As próximas reuniões serão anunciadas em março.", "Não há informações sobre o orçamento."},
}

// drawn are the pages of a text as PDFium draws them, in so many dots per inch.
func drawn(t *testing.T, p *Pool, dpi int, pages [][]string) []*image.Gray {
	t.Helper()
	var images []*image.Gray
	to := &easel{most: 1 << 30, failed: func(e PageError) { t.Errorf("page %d: %s", e.Page, e.Message) },
		page: func(m imageMessage, data []byte) error {
			images = append(images, &image.Gray{Pix: bytes.Clone(data), Stride: m.Width, Rect: image.Rect(0, 0, m.Width, m.Height)})
			return nil
		}}
	painting := block.Painting{DPI: dpi, MaxPixels: 1 << 30}
	for n := range pages {
		painting.Pages = append(painting.Pages, n+1)
	}
	if err := p.paint(t.Context(), Request{File: testFile(t, string(pdftest.Simple(pages...)))}, "pdf", painting, to); err != nil {
		t.Fatal(err)
	}
	return images
}

// scannedPDF is a PDF whose pages are JPEG images.
func scannedPDF(t *testing.T, images []*image.Gray) string {
	t.Helper()
	f := pdftest.NewFile()
	var d pdftest.Doc
	for _, im := range images {
		var b bytes.Buffer
		if err := jpeg.Encode(&b, im, &jpeg.Options{Quality: 60}); err != nil {
			t.Fatal(err)
		}
		n := f.AddRawStream(fmt.Sprintf("/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 /Filter /DCTDecode",
			im.Rect.Dx(), im.Rect.Dy()), b.Bytes())
		d.Pages = append(d.Pages, pdftest.Page{Content: "q 595 0 0 842 0 0 cm /Scan Do Q", Images: fmt.Sprintf("/Scan %d 0 R", n)})
	}
	return string(f.Bytes(d.Build(f)))
}

// wantWords fails unless nearly all words are there: one in twenty may be wrong.
func wantWords(t *testing.T, what string, doc *Document, err error, pages [][]string) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, all, found := map[string]int{}, 0, 0
	for _, b := range doc.Blocks {
		for _, w := range strings.Fields(b.Text) {
			got[fmt.Sprint(b.Page, w)]++
		}
	}
	for n, lines := range pages {
		for _, w := range strings.Fields(strings.Join(lines, " ")) {
			all++
			if got[fmt.Sprint(n+1, w)] > 0 {
				got[fmt.Sprint(n+1, w)]--
				found++
			}
		}
	}
	t.Logf("%s: %d of %d words, %q", what, found, all, doc.Warnings)
	if 20*found < 19*all {
		t.Errorf("%s: %d of %d words were recognised: %+v", what, found, all, doc.Blocks)
	}
}

// Text of our own, drawn and read again by a real tesseract.
func TestScansWithARealTesseract(t *testing.T) {
	t.Parallel()
	program := realTesseract(t)
	p := testPool(t, func(o *PoolOptions) {
		o.CacheDir = pdftest.CacheDir(t)
		o.OCR.Program = program
		o.OCR.Languages = []string{"eng", "por"}
		o.OCR.PageTimeout = 10 * time.Minute // of a machine with other things to do
	})
	engine, err := p.OCREngine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if missing := engine.Missing(p.o.OCR.Languages); len(missing) > 0 {
		t.Skipf("tesseract %s lacks %s", engine.Version, strings.Join(missing, ", "))
	}
	pages := drawn(t, p, 200, scanText)
	doc, err := extractText(t, p, scannedPDF(t, pages))
	wantWords(t, "a scanned PDF", doc, err, scanText)
	if err == nil && (doc.Partial || doc.Meta.Pages != 2 || !strings.Contains(doc.Version, "tesseract/"+engine.Version)) {
		t.Errorf("partial %v, %d pages, version %q", doc.Partial, doc.Meta.Pages, doc.Version)
	}
	var b bytes.Buffer
	if err := tiff.Encode(&b, pages[1], &tiff.Options{Compression: tiff.Deflate}); err != nil {
		t.Fatal(err)
	}
	doc, err = extractText(t, p, b.String())
	wantWords(t, "a TIFF image", doc, err, scanText[1:])
	b.Reset()
	small := drawn(t, p, 100, scanText[:1])
	if err := png.Encode(&b, small[0]); err != nil {
		t.Fatal(err)
	}
	doc, err = extractText(t, p, b.String())
	wantWords(t, "100 dpi", doc, err, scanText[:1])
}
