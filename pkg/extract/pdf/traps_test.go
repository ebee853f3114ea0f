package pdf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/requests"
	"github.com/klippa-app/go-pdfium/responses"
	"github.com/tetratelabs/wazero"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// PDFium marks a hyphen at the end of a line with U+FFFE and gives no line
// break after it.
func TestDividedWordsAreJoined(t *testing.T) {
	t.Parallel()
	d := parse(t, pdftest.Simple([]string{
		"O sistema avisa os usuá-",
		"rios de que a documenta-",
		"ção mudou. O grupo Rio-",
		"Grandense e a ABNT (ASSO-",
		"CIAÇÃO) valem aqui. O guarda-chuva e outro guarda-",
		"chuva são iguais em 2020-",
		"2021.",
	}))
	want := "O sistema avisa os usuários de que a documentação mudou. O grupo Rio-Grandense e a ABNT (ASSOCIAÇÃO) valem aqui. " +
		"O guarda-chuva e outro guarda-chuva são iguais em 2020-2021."
	if len(d.Blocks) != 1 || d.Blocks[0].Text != want {
		t.Errorf("body:\n%swant:\n%s", blocktest.Outline(d.Blocks), want)
	}
}

func TestAWordDividedByThePageEndIsJoined(t *testing.T) {
	t.Parallel()
	d := parse(t, pdftest.Simple([]string{"The last word of this page is divi-"}, []string{"ded by its end."}))
	wantBody(t, d, "paragraph p1: The last word of this page is divided\nparagraph p2: by its end.\n")
	d = parse(t, pdftest.Simple([]string{"The last word of this page is divi-"}))
	wantBody(t, d, "paragraph p1: The last word of this page is divi-\n")
}

// spy counts the calls for single characters.
type spy struct {
	pdfium.Pdfium
	calls int
}

func (s *spy) FPDFText_GetUnicode(r *requests.FPDFText_GetUnicode) (*responses.FPDFText_GetUnicode, error) {
	s.calls++
	return s.Pdfium.FPDFText_GetUnicode(r)
}

func (s *spy) GetPageText(r *requests.GetPageText) (*responses.GetPageText, error) {
	s.calls++
	return s.Pdfium.GetPageText(r)
}

func (s *spy) FPDFText_GetLooseCharBox(r *requests.FPDFText_GetLooseCharBox) (*responses.FPDFText_GetLooseCharBox, error) {
	s.calls++
	return s.Pdfium.FPDFText_GetLooseCharBox(r)
}

func open(t *testing.T, r *Reader, raw []byte) *document {
	t.Helper()
	e, err := r.load(options(t))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{engine: e, file: blocktest.File(t, raw), size: int64(len(raw)), most: e.most}
	t.Cleanup(d.close)
	if err := d.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestTextIsFetchedAtOnceNotByCharacter(t *testing.T) {
	t.Parallel()
	d := open(t, reader(t), pdftest.Simple([]string{strings.Repeat("word ", 16), strings.Repeat("more ", 16)}))
	s := &spy{Pdfium: d.pdfium}
	d.pdfium = s
	p, err := d.page(1)
	if err != nil || len(p.lines) != 2 {
		t.Fatalf("page %+v, error %v", p, err)
	}
	if s.calls > 3*len(p.lines) {
		t.Errorf("%d calls for %d lines of %d characters", s.calls, len(p.lines), p.visible)
	}
}

// Cancellation checks inside WebAssembly cost three times the time. They are
// off; the process is what gets killed.
func TestPDFiumRunsWithoutCancellationChecks(t *testing.T) {
	t.Parallel()
	checked := func(c wazero.RuntimeConfig) bool {
		return reflect.ValueOf(c).Elem().FieldByName("ensureTermination").Bool()
	}
	c := runtimeConfig(wazero.NewCompilationCache(), 0)
	if checked(c) || !checked(c.WithCloseOnContextDone(true)) {
		t.Error("the runtime checks for cancellation")
	}
}

func TestACanceledContextEndsBetweenPages(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("enough")
	var pages [][]string
	for range 50 {
		pages = append(pages, []string{"text"})
	}
	raw := pdftest.Simple(pages...)
	s := &stopping{stop: func() { cancel(reason) }}
	err := reader(t).Parse(ctx, blocktest.File(t, raw), int64(len(raw)), options(t), s)
	if !errors.Is(err, reason) {
		t.Errorf("error %v after %d pages", err, s.Done)
	}
	if s.Done > 5 {
		t.Errorf("%d pages were read after the end", s.Done)
	}
	wantBody(t, parse(t, pdftest.Simple([]string{"next"})), "paragraph p1: next\n")
}

type stopping struct {
	blocktest.Sink
	stop func()
}

func (s *stopping) PageDone(n, total int) error {
	s.stop()
	return s.Sink.PageDone(n, total)
}

func TestAFailingSinkEndsTheParse(t *testing.T) {
	t.Parallel()
	full := errors.New("sink is full")
	raw := pdftest.Simple([]string{"a"}, []string{"b"}, []string{"c"})
	for after := range 6 {
		s := &blocktest.Sink{FailAfter: after, Err: full}
		err := reader(t).Parse(t.Context(), blocktest.File(t, raw), int64(len(raw)), options(t), s)
		if !errors.Is(err, full) {
			t.Errorf("failing after %d calls: %v", after, err)
		}
	}
}

// By default go-pdfium mounts the whole disk into the sandbox.
func TestPDFiumSeesNoFiles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret.pdf")
	raw := pdftest.Simple([]string{"secret"})
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, reader(t), raw)
	if _, err := d.pdfium.OpenDocument(&requests.OpenDocument{FilePath: &path}); err == nil {
		t.Error("a file was opened by its path")
	}
}

func TestFormValuesAndAnnotations(t *testing.T) {
	t.Parallel()
	const rect = "/Rect [100 600 300 620]"
	f := pdftest.NewFile()
	parent := f.Add("<< /FT /Tx /T (address) /V (Rua das Flores 12) >>")
	state := f.AddStream("/Type /XObject /Subtype /Form /BBox [0 0 20 20]", nil)
	states := fmt.Sprintf("/AP << /N << /Yes %d 0 R /Off %d 0 R >> >>", state, state)
	root := pdftest.Doc{
		Pages: []pdftest.Page{{
			Lines: pdftest.Lines(11, "Application"),
			Annots: []string{
				"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /TU (Full name) /V (Maria Silva) " + rect + " >>",
				"<< /Type /Annot /Subtype /Widget /FT /Tx /T (empty) " + rect + " >>",
				"<< /Type /Annot /Subtype /Widget /FT /Btn /T (member) /V /Yes /AS /Yes " + states + " " + rect + " >>",
				"<< /Type /Annot /Subtype /Widget /FT /Btn /T (guest) /V /Off /AS /Off " + states + " " + rect + " >>",
				"<< /Type /Annot /Subtype /Widget /FT /Ch /T (district) /V (North) /Opt [(North) (South)] " + rect + " >>",
				fmt.Sprintf("<< /Type /Annot /Subtype /Widget /Parent %d 0 R %s >>", parent, rect),
				"<< /Type /Annot /Subtype /Text /Contents " + pdftest.Unicode("Não está certo.") + " " + rect + " >>",
				"<< /Type /Annot /Subtype /Popup /Contents (not this) " + rect + " >>",
				"<< /Type /Annot /Subtype /Link /Contents (nor this) " + rect + " >>",
			},
		}},
		Form: []string{fmt.Sprintf("%d 0 R", parent)},
	}.Build(f)
	d := parse(t, f.Bytes(root))
	want := "" +
		"form_field p1: Full name: Maria Silva\n" +
		"form_field p1: member: Yes\n" +
		"form_field p1: district: North\n" +
		"form_field p1: address: Rua das Flores 12\n" +
		"annotation p1: Não está certo.\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("asides:\n%swant:\n%s", got, want)
	}
	wantBody(t, d, "paragraph p1: Application\n")
}

func TestAFormWithoutTextIsADocument(t *testing.T) {
	t.Parallel()
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Annots: []string{
		"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Maria) /Rect [100 600 300 620] >>",
	}}}}.Bytes())
	if len(d.Blocks) != 0 || len(d.Asides) != 1 {
		t.Errorf("%+v", d)
	}
}

func TestTextPrintedTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	line := pdftest.Line{X: 72, Y: 700, Text: "A shadow lies under this line."}
	shadow := line
	shadow.X += 0.3
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: []pdftest.Line{line, {X: 72, Y: 650, Text: "Something else."}, shadow}}}}.Bytes())
	if n := strings.Count(blocktest.Outline(d.Blocks), "shadow"); n != 1 {
		t.Errorf("body:\n%s", blocktest.Outline(d.Blocks))
	}
}

func TestAPageThatFailsCostsOnlyItself(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	catalog, page := pageOf(f, "BT /F1 11 Tf 72 700 Td (The page that is left.) Tj ET")
	missing := f.Reserve()
	number := f.Add("42")
	f.Set(page-1, fmt.Sprintf("<< /Type /Pages /Count 3 /Kids [%d 0 R %d 0 R %d 0 R] >>", missing, page, number))
	d := parse(t, f.Bytes(catalog))
	if len(d.Blocks) != 1 || d.Blocks[0].Page != 2 || d.Done != 3 {
		t.Errorf("body, %d pages done:\n%s", d.Done, blocktest.Outline(d.Blocks))
	}
	if len(d.PageErrors) != 2 || !strings.HasPrefix(d.PageErrors[0], "1: ") || !strings.HasPrefix(d.PageErrors[1], "3: ") {
		t.Errorf("page errors %q", d.PageErrors)
	}
}

func TestADocumentOfFailingPagesIsCorrupt(t *testing.T) {
	t.Parallel()
	f := pdftest.NewFile()
	catalog, page := pageOf(f, "")
	missing := f.Reserve()
	f.Set(page-1, fmt.Sprintf("<< /Type /Pages /Count 2 /Kids [%d 0 R %d 0 R] >>", missing, missing))
	refuse(t, f.Bytes(catalog), options(t), block.CodeCorrupt)
}

// A page that needs more memory than PDFium may have breaks the instance, not
// the document.
func TestAPageThatNeedsTooMuchMemoryCostsOnlyItself(t *testing.T) {
	t.Parallel()
	r := NewReader()
	t.Cleanup(func() { r.Close() })
	o := options(t)
	o.MemoryLimit = 1      // as little as PDFium can do with
	o.MaxRatio = 1_000_000 // or it would be a bomb
	bomb := bytes.Repeat([]byte("0 0 m "), 6<<20)
	f := pdftest.NewFile()
	root := pdftest.Doc{Pages: []pdftest.Page{
		{Lines: pdftest.Lines(11, "before")}, {Content: string(bomb)}, {Lines: pdftest.Lines(11, "after")},
	}}.Build(f)
	d, err := blocktest.Try(t, r.Parse, f.Bytes(root), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(d.PageErrors) != 1 || !strings.HasPrefix(d.PageErrors[0], "2: ") {
		t.Errorf("page errors %q", d.PageErrors)
	}
	wantBody(t, d, "paragraph p1: before\nparagraph p3: after\n")
}

func TestPagesThatKeepFailingEndTheDocument(t *testing.T) {
	t.Parallel()
	r := NewReader()
	t.Cleanup(func() { _ = r.Close() })
	d := open(t, r, pdftest.Simple([]string{"a"}))
	d.pages = 3 * maxTraps
	d.pdfium = &trapping{Pdfium: d.pdfium}
	d.engine.pool = &trappingPool{Pool: d.engine.pool}
	err := d.read(t.Context(), block.PageRange{}, &blocktest.Sink{})
	if blocktest.Code(err) != block.CodeCrash {
		t.Errorf("error %v", err)
	}
}

type trapping struct{ pdfium.Pdfium }

func (*trapping) FPDF_LoadPage(*requests.FPDF_LoadPage) (*responses.FPDF_LoadPage, error) {
	return nil, errors.New("wasm error: unreachable")
}

func (p *trapping) FPDF_GetPageCount(*requests.FPDF_GetPageCount) (*responses.FPDF_GetPageCount, error) {
	return &responses.FPDF_GetPageCount{PageCount: 3 * maxTraps}, nil
}

type trappingPool struct{ pdfium.Pool }

func (p *trappingPool) GetInstanceWithContext(ctx context.Context) (pdfium.Pdfium, error) {
	i, err := p.Pool.GetInstanceWithContext(ctx)
	return &trapping{i}, err
}
