package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// fakeTesseract is a shell script in its place. It can use nothing but what the
// shell has built in: in its cage it starts no other program.
func fakeTesseract(t *testing.T, recognise string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bin")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	script := `#!/bin/sh
word() { printf '5\t1\t%s\t1\t1\t1\t0\t0\t9\t9\t%s\t%s\n' "$1" "$2" "$3"; }
head() { printf 'level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext\n'; }
case "$1" in
--version) echo "tesseract 9.8.7" ;;
--list-langs) printf 'List of available languages (3):\neng\nosd\npor\n' ;;
*)
` + recognise + `
;;
esac
`
	path := filepath.Join(dir, "tesseract")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func ocrPool(t *testing.T, recognise string, change ...func(*PoolOptions)) *Pool {
	t.Helper()
	return testPool(t, append([]func(*PoolOptions){func(o *PoolOptions) {
		o.CacheDir = pdftest.CacheDir(t)
		o.OCR.Program = fakeTesseract(t, recognise)
	}}, change...)...)
}

func pngImage(t *testing.T, w, h int) string {
	t.Helper()
	im := image.NewGray(image.Rect(0, 0, w, h))
	for i := range im.Pix {
		im.Pix[i] = 0xff
	}
	im.SetGray(w/2, h/2, color.Gray{})
	var b bytes.Buffer
	if err := png.Encode(&b, im); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// scanned is a page's content that is an image without any characters.
const scanned = "q 400 0 0 600 100 100 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \x00\xff\xff\x00 EI Q"

// scans is a PDF with pages of text, and empty ones that are pictures.
func scans(pages ...string) string {
	var d pdftest.Doc
	for _, text := range pages {
		if text == "" {
			d.Pages = append(d.Pages, pdftest.Page{Content: scanned})
		} else {
			d.Pages = append(d.Pages, pdftest.Page{Lines: pdftest.Lines(11, text)})
		}
	}
	return string(d.Bytes())
}

func TestPicturesAreRecognised(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head; word 1 91 "arguments:$*"; word 2 91 second`)
	doc, err := extractText(t, p, pngImage(t, 40, 30))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Format != "image" || doc.MIME != "image/png" || doc.Meta.Pages != 1 || doc.Partial || len(doc.Blocks) != 2 ||
		doc.Blocks[0].Text != "arguments:stdin stdout -l eng tsv" || doc.Blocks[1].Page != 1 || doc.Meta.Words == 0 {
		t.Errorf("an image: %+v", doc)
	}
	if doc.Version != "image/1 tesseract/9.8.7(eng)" {
		t.Errorf("version %q", doc.Version)
	}
	var seen []Progress
	doc, err = p.Extract(t.Context(), Request{File: testFile(t, scans("The first page has text.", "", "The third page, too.", ""))},
		func(p Progress) { seen = append(seen, p) })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range doc.Blocks {
		got = append(got, fmt.Sprintf("%d %.9s", b.Page, b.Text))
	}
	if want := "1 The first|2 arguments|2 second|3 The third|4 arguments|4 second"; strings.Join(got, "|") != want || doc.Partial {
		t.Errorf("blocks %q, want %q; partial %v", got, want, doc.Partial)
	}
	if !strings.Contains(doc.Blocks[1].Text, "--dpi 300") {
		t.Errorf("a page was drawn without its resolution: %q", doc.Blocks[1].Text)
	}
	if last := seen[len(seen)-1]; last != (Progress{Page: 4, Pages: 4, Stage: StageRecognising}) {
		t.Errorf("progress %+v", seen)
	}
}

func TestWithoutTesseract(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*PoolOptions)
		says   string
	}{
		"none":        {func(o *PoolOptions) { o.OCR.Program = filepath.Join(t.TempDir(), "none") }, "Install it"},
		"off":         {func(o *PoolOptions) { o.OCR.Off = true }, "extract.ocr"},
		"no language": {func(o *PoolOptions) { o.OCR.Languages = []string{"deu", "fra"} }, "package tesseract-ocr-deu, tesseract-ocr-fra"},
		"another":     {func(o *PoolOptions) { o.OCR.Program = "/bin/true" }, "does not work"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ocrPool(t, `head; word 1 91 text`, c.change)
			_, err := extractText(t, p, pngImage(t, 40, 30))
			if e := wantCode(t, err, block.CodeNeedsOCR); !strings.Contains(e.Message, c.says) {
				t.Errorf("an image: %q", e.Message)
			}
			_, err = extractText(t, p, scans("", ""))
			if e := wantCode(t, err, block.CodeNeedsOCR); !strings.Contains(e.Message, "2 pages") || !strings.Contains(e.Message, c.says) {
				t.Errorf("a scan: %q", e.Message)
			}
			doc, err := extractText(t, p, scans("One page has text.", "", ""))
			if err != nil || !doc.Partial || len(doc.PageErrors) != 2 || doc.PageErrors[1].Page != 3 || !strings.Contains(doc.PageErrors[0].Message, "picture") ||
				len(doc.Warnings) != 1 || !strings.HasPrefix(doc.Warnings[0], block.TextIncomplete) || !strings.Contains(doc.Warnings[0], "2, 3") {
				t.Errorf("some pages: %+v, %v", doc, err)
			}
		})
	}
}

func TestALanguageThatIsMissing(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head; word 1 91 "$4"`, func(o *PoolOptions) { o.OCR.Languages = []string{"por", "deu"} })
	doc, err := extractText(t, p, pngImage(t, 40, 30))
	if err != nil || doc.Blocks[0].Text != "por" || len(doc.Warnings) != 2 || !strings.Contains(doc.Warnings[0], "tesseract-ocr-deu") {
		t.Errorf("%+v, %v", doc, err)
	}
}

// What goes wrong with one picture costs that page, and the document only when
// it has no other text.
func TestTesseractThatFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ script, code, says string }{
		"garbage":        {`echo hello`, block.CodeCrash, "not a table"},
		"a broken table": {`head; echo x`, block.CodeCrash, "columns"},
		"nothing":        {``, block.CodeCrash, "not a table"},
		"an error":       {`echo "cannot read this" >&2; exit 1`, block.CodeCrash, "cannot read this"},
		"no memory":      {`echo "terminate called after throwing std::bad_alloc" >&2; exit 134`, block.CodeMemory, "memory"},
		"endless":        {`while :; do :; done`, block.CodeTimeout, "longer than 1s"},
		"too much":       {`head; while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done`, block.CodeTooLarge, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := ocrPool(t, c.script, func(o *PoolOptions) {
				if o.OCR.PageTimeout = time.Minute; c.code == block.CodeTimeout {
					o.OCR.PageTimeout = time.Second
				}
			})
			_, err := extractText(t, p, pngImage(t, 40, 30))
			if e := wantCode(t, err, c.code); !strings.Contains(e.Message, c.says) {
				t.Errorf("message %q", e.Message)
			}
			doc, err := extractText(t, p, scans("", "One page has text."))
			if err != nil || !doc.Partial || len(doc.PageErrors) != 1 || doc.PageErrors[0].Page != 1 || len(doc.Blocks) != 1 {
				t.Errorf("with a page of text: %+v, %v", doc, err)
			}
			stillWorks(t, p)
		})
	}
}

func TestNoTextInAPicture(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head; word 1 12 noise`)
	_, err := extractText(t, p, pngImage(t, 40, 30))
	wantCode(t, err, block.CodeNoText)
	doc, err := extractText(t, p, scans("One page has text.", ""))
	if err != nil || doc.Partial || len(doc.Blocks) != 1 {
		t.Errorf("an illustration: %+v, %v", doc, err)
	}
}

func TestLowConfidenceIsSaid(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head; word 1 45 mistaken`)
	doc, err := extractText(t, p, pngImage(t, 40, 30))
	if err != nil || doc.Partial || len(doc.Warnings) != 2 || !strings.Contains(doc.Warnings[0], "45 %") || !strings.HasPrefix(doc.Warnings[1], "low confidence") {
		t.Errorf("%+v, %v", doc, err)
	}
}

// After some pages that it fails on tesseract is not tried on the others.
func TestTesseractIsGivenUp(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `exit 1`)
	doc, err := extractText(t, p, scans("Text.", "", "", "", "", "", "", ""))
	if err != nil || len(doc.PageErrors) != 7 || !strings.Contains(doc.PageErrors[6].Message, "not tried") || strings.Contains(doc.PageErrors[4].Message, "not tried") {
		t.Errorf("%+v, %v", doc, err)
	}
}

func TestRecognitionOutOfTime(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `while :; do :; done`, func(o *PoolOptions) { o.OCR.Timeout = time.Second })
	doc, err := extractText(t, p, scans("Text.", "", ""))
	if err != nil || !doc.Partial || len(doc.PageErrors) != 2 || !strings.Contains(doc.PageErrors[1].Message, "extract.ocr_timeout") {
		t.Errorf("%+v, %v", doc, err)
	}
	_, err = extractText(t, p, pngImage(t, 40, 30))
	wantCode(t, err, block.CodeTimeout)
}

// Cancelling, and closing the pool, end a tesseract at work; that nothing is
// left of it is checked after all tests.
func TestRecognitionIsCancelled(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `while :; do :; done`)
	wanted := errors.New("not wanted any more")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		awaitProgram(p)
		cancel(wanted)
	}()
	if _, err := p.Extract(ctx, Request{File: testFile(t, pngImage(t, 40, 30))}, nil); !errors.Is(err, wanted) {
		t.Errorf("cancelled: %v", err)
	}
	done := make(chan error)
	go func() {
		_, err := p.Extract(context.Background(), Request{File: testFile(t, pngImage(t, 40, 30))}, nil)
		done <- err
	}()
	awaitProgram(p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// awaitProgram waits until one is, and no longer than a minute: what is done
// then has to end the extraction all the same.
func awaitProgram(p *Pool) {
	for deadline := time.Now().Add(time.Minute); !programRunning(p) && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
}

// programRunning reports whether a tesseract of the pool is at a picture.
func programRunning(p *Pool) bool {
	for _, pid := range childProcesses(os.Getpid()) {
		line, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		if strings.Contains(string(line), p.o.OCR.Program+"\x00stdin") {
			return true
		}
	}
	return false
}

// In its cage the program opens nothing but programs, libraries and data,
// writes nothing and starts nothing.
func TestTheCageOfTesseract(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head
{ read -r x < "$SECRET" || read -r x < /etc/passwd; } 2>/dev/null && word 1 99 read
trap '' XFSZ # where a file can be made, the limit on its size ends a program
{ echo x > /dev/shm/docsvc-was-here; } 2>/dev/null && word 2 99 wrote
[ -n "$HOME$USER" ] && word 3 99 environment
word 4 99 ended
trap 'exit 0' EXIT # a shell that can't fork gives up
{ x=$(/bin/true); } 2>/dev/null && word 5 99 started`)
	t.Cleanup(func() { _ = os.Remove("/dev/shm/docsvc-was-here") })
	report, err := p.Cage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	doc, err := extractText(t, p, pngImage(t, 40, 30))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{"ended": true, "read": !report.InForce(cage.Landlock), "started": !report.InForce(cage.Seccomp)}
	for _, b := range doc.Blocks {
		if !allowed[b.Text] {
			t.Errorf("it %s", b.Text)
		}
	}
	if len(doc.Blocks) == 0 {
		t.Error("it did not end")
	}
}

func TestTooManyPixels(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, `head; word 1 99 text`, func(o *PoolOptions) { o.MaxPixels = 1000 })
	_, err := extractText(t, p, pngImage(t, 50, 30))
	if e := wantCode(t, err, block.CodeTooLarge); !strings.Contains(e.Message, "50 x 30") {
		t.Errorf("message %q", e.Message)
	}
}

func TestThumbnails(t *testing.T) {
	t.Parallel()
	p := ocrPool(t, ``)
	for name, c := range map[string]struct {
		content, format string
		width, height   int
	}{
		"a PDF":         {scans("A page of text."), "pdf", 226, 320},
		"a wide image":  {pngImage(t, 1280, 64), "image", 320, 16},
		"a small image": {pngImage(t, 20, 10), "image", 20, 10},
		"a text":        {"text", "text", 0, 0},
		"no PDF":        {"%PDF-1.7 nothing", "pdf", 0, 0},
	} {
		file, err := p.Thumbnail(t.Context(), Request{File: testFile(t, c.content)}, c.format)
		if c.width == 0 {
			if len(file) > 0 {
				t.Errorf("%s: %d bytes", name, len(file))
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := png.DecodeConfig(bytes.NewReader(file))
		if err != nil || got.Width != c.width || got.Height != c.height {
			t.Errorf("%s: %d x %d, %v; want %d x %d", name, got.Width, got.Height, err, c.width, c.height)
		}
	}
}
