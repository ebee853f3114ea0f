package pdf

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// shared is one Reader for all tests: loading PDFium takes a while.
var shared struct {
	sync.Once
	*Reader
}

func reader(t testing.TB) *Reader {
	t.Helper()
	shared.Do(func() { shared.Reader = NewReader() })
	return shared.Reader
}

func options(t testing.TB) block.Options {
	return block.Options{CacheDir: pdftest.CacheDir(t), MaxPages: 1000}
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.Reader != nil {
		if err := shared.Reader.Close(); err != nil {
			fmt.Println("closing PDFium:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func parse(t testing.TB, raw []byte) blocktest.Document {
	t.Helper()
	return blocktest.Parse(t, reader(t).Parse, raw, options(t))
}

func refuse(t *testing.T, raw []byte, o block.Options, code string) string {
	t.Helper()
	_, err := blocktest.Try(t, reader(t).Parse, raw, o)
	if blocktest.Code(err) != code {
		t.Fatalf("error %v, want one coded %s", err, code)
	}
	if !strings.HasSuffix(err.Error(), ".") {
		t.Errorf("message %q is not a sentence", err)
	}
	return err.Error()
}

func wantBody(t *testing.T, d blocktest.Document, want string) {
	t.Helper()
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("body:\n%swant:\n%s", got, want)
	}
}

func TestLinesBecomeParagraphs(t *testing.T) {
	t.Parallel()
	d := parse(t, pdftest.Simple([]string{
		"The library keeps every book that was ever lent to a reader, and with each",
		"of them a card on which the dates stand. Nobody reads the cards any more, but",
		"nobody throws them away.",
		"",
		"A second paragraph follows after a gap, as it does in most reports, and it runs",
		"over two lines.",
	}))
	wantBody(t, d, ""+
		"paragraph p1: The library keeps every book that was ever lent to a reader, and with each of them a card on which the dates stand. Nobody reads the cards any more, but nobody throws them away.\n"+
		"paragraph p1: A second paragraph follows after a gap, as it does in most reports, and it runs over two lines.\n")
}

func TestIndentedParagraphsAreToldApart(t *testing.T) {
	t.Parallel()
	lines := pdftest.Lines(11,
		"The first line of a paragraph stands a little to the right of all the others in",
		"books, and no gap is left between one paragraph and the next one, as here it is.",
		"So only the margin says that a new one begins, and the length of the last line.",
		"This is where it begins, right after a line that is full to the very last letter,",
		"and this is how it goes on, to the end.")
	for _, i := range []int{0, 3} {
		lines[i].X += 18
	}
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: lines}}}.Bytes())
	if len(d.Blocks) != 2 || !strings.HasPrefix(d.Blocks[1].Text, "This is where") {
		t.Errorf("blocks:\n%s", blocktest.Outline(d.Blocks))
	}
}

func TestHangingItemsStayWhole(t *testing.T) {
	t.Parallel()
	lines := pdftest.Lines(11,
		"a) the titles of all the books that were lent in the course of the year, with the",
		"names of those who lent them;",
		"b) the titles of the books that nobody ever asked for, in the order in which they",
		"stand on the shelves.",
		"• a bullet.")
	for _, i := range []int{1, 3} {
		lines[i].X += 14
	}
	wantBody(t, parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: lines}}}.Bytes()), ""+
		"paragraph p1: a) the titles of all the books that were lent in the course of the year, with the names of those who lent them;\n"+
		"paragraph p1: b) the titles of the books that nobody ever asked for, in the order in which they stand on the shelves.\n"+
		"list_item p1: a bullet.\n")
}

func TestRowsKeepTheirCells(t *testing.T) {
	t.Parallel()
	var lines []pdftest.Line
	for i, row := range [][]string{{"Item", "Units", "Price"}, {"Chair", "4", "120.00"}, {"Round table", "1", "340.50"}} {
		for j, cell := range row {
			lines = append(lines, pdftest.Line{X: 72 + 150*float64(j), Y: 700 - 14*float64(i), Text: cell})
		}
	}
	wantBody(t, parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: lines}}}.Bytes()),
		"paragraph p1: Item\tUnits\tPrice⏎Chair\t4\t120.00⏎Round table\t1\t340.50\n")
}

func TestHeadingsBySizeAndWeight(t *testing.T) {
	t.Parallel()
	body := "Running text of the size that most of this document has, long enough to count."
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: []pdftest.Line{
		{X: 72, Y: 770, Size: 24, Text: "Annual report"},
		{X: 72, Y: 720, Size: 16, Text: "What was lent"},
		{X: 72, Y: 700, Text: body},
		{X: 72, Y: 670, Bold: true, Text: "2.1 To members"},
		{X: 72, Y: 655, Text: body},
		{X: 72, Y: 630, Bold: true, Text: "Summary"},
		{X: 72, Y: 615, Text: body},
		{X: 72, Y: 590, Size: 16, Text: "404"},
	}}}}.Bytes())
	var got []string
	for _, b := range d.Blocks {
		if b.Kind == block.Heading {
			got = append(got, fmt.Sprint(b.Level, " ", b.Text))
		}
	}
	want := []string{"1 Annual report", "2 What was lent", "3 2.1 To members", "4 Summary"}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("headings %q, want %q in\n%s", got, want, blocktest.Outline(d.Blocks))
	}
}

func TestHeadingsByOutline(t *testing.T) {
	t.Parallel()
	text := []string{"1 Beginnings", "", "Text of the same size and weight as its heading has.", "", "1.1 The very", "first day", "", "More text."}
	d := parse(t, pdftest.Doc{
		Pages: []pdftest.Page{{Lines: pdftest.Lines(11, text...)}, {Lines: pdftest.Lines(11, "Chapter 2", "", "Ends", "", "Text.")}},
		Outline: []pdftest.Entry{
			{Title: "Beginnings", Page: 1, Children: []pdftest.Entry{{Title: "1.1 The very first day", Page: 1}}},
			{Title: "2 Ends", Page: 2},
		},
	}.Bytes())
	wantBody(t, d, ""+
		"heading 1 p1: 1 Beginnings\n"+
		"paragraph p1: Text of the same size and weight as its heading has.\n"+
		"heading 2 p1: 1.1 The very first day\n"+
		"paragraph p1: More text.\n"+
		"heading 1 p2: Chapter 2 Ends\n"+
		"paragraph p2: Text.\n")
}

func TestHeadersAndFootersStandApart(t *testing.T) {
	t.Parallel()
	var doc pdftest.Doc
	for i := range 6 {
		doc.Pages = append(doc.Pages, pdftest.Page{Lines: []pdftest.Line{
			{X: 72, Y: 800, Size: 9, Text: "Annual report"},
			{X: 72, Y: 700, Text: fmt.Sprintf("What page %s says is said nowhere else.", []string{"one", "two", "three", "four", "five", "six"}[i])},
			{X: 72, Y: 686, Text: "This sentence stands on every page at the same place."},
			{X: 300, Y: 40, Size: 9, Text: fmt.Sprintf("Page %d of 6", i+1)},
		}})
	}
	d := parse(t, doc.Bytes())
	if len(d.Blocks) != 12 || strings.Contains(blocktest.Outline(d.Blocks), "Annual") || strings.Contains(blocktest.Outline(d.Blocks), "of 6") {
		t.Errorf("body:\n%s", blocktest.Outline(d.Blocks))
	}
	if strings.Count(blocktest.Outline(d.Blocks), "This sentence") != 6 {
		t.Errorf("body text was taken for a header:\n%s", blocktest.Outline(d.Blocks))
	}
	want := "header p1: Annual report\nfooter p1: Page 1 of 6\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("asides:\n%swant:\n%s", got, want)
	}
}

func TestHeadersThatChangeAreKnownByTheirPageNumber(t *testing.T) {
	t.Parallel()
	var doc pdftest.Doc
	for i := range 6 {
		doc.Pages = append(doc.Pages, pdftest.Page{Lines: []pdftest.Line{
			{X: 72, Y: 800, Size: 9, Text: fmt.Sprintf("Chapter about %c", 'A'+rune(i))},
			{X: 500, Y: 800, Size: 9, Text: fmt.Sprint(i + 41)},
			{X: 72, Y: 700, Text: "Text."},
		}})
	}
	d := parse(t, doc.Bytes())
	if len(d.Blocks) != 6 || len(d.Asides) != 6 || !strings.HasPrefix(d.Asides[2].Text, "Chapter about C") {
		t.Errorf("body:\n%sasides:\n%s", blocktest.Outline(d.Blocks), blocktest.Outline(d.Asides))
	}
}

func TestTwoColumnsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	var lines []pdftest.Line
	for column, words := range [][]string{{"The left column comes first and its", "sentence goes on at the top of the"}, {"right one, where it ends after a while.", "Nothing of it is mixed up with the left."}} {
		for i, text := range words {
			lines = append(lines, pdftest.Line{X: 72 + 240*float64(column), Y: 700 - 14*float64(i), Text: text})
		}
	}
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{Lines: lines}}}.Bytes())
	if text := strings.ReplaceAll(blocktest.Outline(d.Blocks), "\nparagraph p1: ", " "); !strings.Contains(text, "comes first and its sentence goes on at the top of the right one, where it ends") {
		t.Errorf("body:\n%s", text)
	}
}

func TestTurnedPages(t *testing.T) {
	t.Parallel()
	d := parse(t, pdftest.Doc{Pages: []pdftest.Page{{
		Entries: "/Rotate 90",
		Content: "BT /F1 11 Tf 0 1 -1 0 200 100 Tm (The line reads upwards and goes on) Tj ET BT /F1 11 Tf 0 1 -1 0 214 100 Tm (here, in the same paragraph.) Tj ET",
	}}}.Bytes())
	wantBody(t, d, "paragraph p1: The line reads upwards and goes on here, in the same paragraph.\n")
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	m := parse(t, pdftest.Doc{
		Title: "Relatório  anual – versão 2", Author: "Ministério da Educação", Language: "pt-BR", Created: "D:20240229183000-03'00'",
		Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "Olá.")}, {}},
	}.Bytes()).Meta
	if m.Title != "Relatório anual – versão 2" || m.Author != "Ministério da Educação" || m.Language != "pt-BR" || m.Pages != 2 {
		t.Errorf("metadata %+v", m)
	}
	if m.Created == nil || m.Created.UTC().Format("2006-01-02 15:04") != "2024-02-29 21:30" || m.Modified != nil {
		t.Errorf("created %v, modified %v", m.Created, m.Modified)
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"D:20240229183000+01'00'": "2024-02-29T18:30:00+01:00",
		"D:20240229183000Z":       "2024-02-29T18:30:00Z",
		"D:20240229183000Z00'00'": "2024-02-29T18:30:00Z",
		"D:20240229183000-08":     "2024-02-29T18:30:00-08:00",
		"20240229":                "2024-02-29T00:00:00Z",
		"D:2024":                  "2024-01-01T00:00:00Z",
		"D:20240229183000+99'99'": "2024-02-29T18:30:00Z",
		"":                        "",
		"D:":                      "",
		"yesterday":               "",
		"D:20241399":              "",
		"D:99999999999999999999":  "",
	} {
		got := ""
		if d := date(text); d != nil {
			got = d.Format("2006-01-02T15:04:05Z07:00")
		}
		if got != want {
			t.Errorf("date(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	o := options(t)
	refuse(t, []byte("%PDF-1.7\nnothing follows"), o, block.CodeCorrupt)
	refuse(t, []byte("PK\x03\x04 is the beginning of an archive"), o, block.CodeCorrupt)
	whole := pdftest.Simple([]string{"text"})
	refuse(t, whole[:len(whole)/3], o, block.CodeCorrupt)
	refuse(t, pdftest.Doc{}.Bytes(), o, block.CodeCorrupt) // no page
	if s := refuse(t, pdftest.Doc{Pages: []pdftest.Page{{}, {}}}.Bytes(), o, block.CodeNoText); !strings.Contains(s, "2 pages") {
		t.Errorf("blank pages: %q", s)
	}
	if s := refuse(t, pdftest.Doc{Pages: []pdftest.Page{{Content: "100 100 200 200 re f"}}}.Bytes(), o, block.CodeNoText); !strings.Contains(s, "lines") {
		t.Errorf("a frame: %q", s)
	}
	if s := refuse(t, pdftest.Doc{Pages: []pdftest.Page{{Content: scan}}}.Bytes(), o, block.CodeNeedsOCR); !strings.Contains(s, "pictures") {
		t.Errorf("no text: %q", s)
	}
	o.MaxPages = 2
	refuse(t, pdftest.Simple([]string{"a"}, []string{"b"}, []string{"c"}), o, block.CodeTooLarge)
}

// scan is a page's content that is one image, without any characters.
const scan = "q 400 0 0 600 100 100 cm BI /W 2 /H 2 /BPC 8 /CS /G ID \x00\xff\xff\x00 EI Q"

func TestPasswords(t *testing.T) {
	t.Parallel()
	raw := pdftest.Doc{Password: "sésame", Pages: []pdftest.Page{{Lines: pdftest.Lines(11, "Behind the door.")}}}.Bytes()
	o := options(t)
	if s := refuse(t, raw, o, block.CodeEncrypted); !strings.Contains(s, "password") {
		t.Errorf("without a password: %q", s)
	}
	o.Password = "wrong"
	if s := refuse(t, raw, o, block.CodeEncrypted); !strings.Contains(s, "does not open") || strings.Contains(s, "wrong") {
		t.Errorf("with a wrong password: %q", s)
	}
	o.Password = "sésame"
	d := blocktest.Parse(t, reader(t).Parse, raw, o)
	wantBody(t, d, "paragraph p1: Behind the door.\n")
}

func TestTextBelowATitleIsNoHeader(t *testing.T) {
	t.Parallel()
	var doc pdftest.Doc
	for i := range 4 {
		doc.Pages = append(doc.Pages, pdftest.Page{Lines: []pdftest.Line{
			{X: 72, Y: 810, Size: 9, Text: fmt.Sprintf("Agreement, page %d", i+1)},
			{X: 72, Y: 780, Text: fmt.Sprintf("Clause %c", 'A'+rune(i))},
			{X: 72, Y: 760, Text: "This clause is the same on every page."},
			{X: 72, Y: 700, Text: "And so on."},
		}})
	}
	d := parse(t, doc.Bytes())
	if n := strings.Count(blocktest.Outline(d.Blocks), "This clause is the same"); n != 4 || len(d.Asides) != 1 {
		t.Errorf("body:\n%sasides:\n%s", blocktest.Outline(d.Blocks), blocktest.Outline(d.Asides))
	}
}
