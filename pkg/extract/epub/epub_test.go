package epub

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

// zipOf packs parts: names and contents in turn.
func zipOf(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.Create(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const container = `<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>`

const metadata = `<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Book</dc:title><dc:creator>A. Author</dc:creator><dc:creator>B. Other</dc:creator><dc:language>pt-BR</dc:language><dc:date>2011-09-01</dc:date><meta property="dcterms:modified">2012-01-18T12:47:00Z</meta><meta name="cover" content="c"/></metadata>`

// opf is a package document with these items in the manifest and the spine.
func opf(items, refs string) string {
	return `<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">` + metadata + `<manifest>` + items + `</manifest><spine>` + refs + `</spine></package>`
}

func page(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title>not of the text</title></head><body>` + body + `</body></html>`
}

const (
	twoItems = `<item id="b" href="b%20c.xhtml" media-type="application/xhtml+xml"/><item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/>` +
		`<item id="nav" href="nav.xhtml" properties="scripted nav" media-type="application/xhtml+xml"/><item id="pic" href="p.png" media-type="image/png"/>`
	twoRefs = `<itemref idref="nav"/><itemref idref="a"/><itemref idref="pic"/><itemref idref="none"/><itemref idref="b"/><itemref idref="a"/>`
)

// bookOf is a book of two pages.
func bookOf(t testing.TB, first, second string, more ...string) []byte {
	t.Helper()
	return zipOf(t, append([]string{"mimetype", "application/epub+zip", "META-INF/container.xml", container, "OPS/book.opf", opf(twoItems, twoRefs),
		"OPS/nav.xhtml", page("<nav>contents</nav>"), "OPS/text/a.xhtml", page(first), "OPS/b c.xhtml", page(second)}, more...)...)
}

func TestBook(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, bookOf(t, `<h1>One</h1><p>first <script src="x"/>text<img alt="a picture"/></p><ul><li>item</li></ul>`, `<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>`), block.Options{})
	blocktest.Check(t, d, nil)
	want := "heading 1 p1: One\nparagraph p1: first text a picture\nlist_item p1: item\ntable p2 with header: [a|b] [1|2]\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	m := d.Meta
	if m.Title != "The Book" || m.Author != "A. Author, B. Other" || m.Language != "pt-BR" || m.Pages != 2 || m.Created == nil || m.Modified == nil {
		t.Errorf("%+v", m)
	}
	if d.Done != 2 || len(d.Warnings)+len(d.PageErrors)+len(d.Asides) > 0 {
		t.Errorf("%d done, %q, %q, %d asides", d.Done, d.Warnings, d.PageErrors, len(d.Asides))
	}
}

// Many books write titles as paragraphs; the table of contents knows them.
func TestTitlesByTheTableOfContents(t *testing.T) {
	t.Parallel()
	pages := []string{"OPS/text/a.xhtml", page(`<p class="c1">PART  <br/>one</p><p>Text.</p>`), "OPS/text/b.xhtml", page(`<p>12</p><p><b>The pump</b></p><p>The pump</p><p>Text.</p>`)}
	items := `<item id="a" href="text/a.xhtml" media-type="application/xhtml+xml"/><item id="b" href="text/b.xhtml" media-type="application/xhtml+xml"/>`
	refs := `<itemref idref="a"/><itemref idref="b"/>`
	const want = "heading 1 p1: PART one\nparagraph p1: Text.\nparagraph p2: 12\nheading 2 p2: The pump\nparagraph p2: The pump\nparagraph p2: Text.\n"
	for name, c := range map[string]struct{ item, part, content string }{
		"nav": {`<item id="n" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/>`, "OPS/nav.xhtml",
			page(`<nav epub:type="toc" xmlns:epub="http://www.idpf.org/2007/ops"><h1>Contents</h1><ol><li><a href="text/a.xhtml">Part One</a><ol><li><a href="text/b.xhtml#x">The <i>pump</i></a></li><li><a href="text/b.xhtml#y">Text.</a></li></ol></li></ol></nav>`)},
		"ncx": {`<item id="n" href="toc.ncx" media-type="application/x-dtbncx+xml"/>`, "OPS/toc.ncx",
			`<?xml version="1.0"?><!DOCTYPE ncx PUBLIC "-//NISO//DTD ncx 2005-1//EN" "x"><ncx xmlns="http://www.daisy.org/z3986/2005/ncx/"><head/><docTitle><text>The Book</text></docTitle><navMap><navPoint><navLabel><text>Part One</text></navLabel><content src="text/a.xhtml"/>` +
				`<navPoint><navLabel><text>The pump</text></navLabel><content src="text/b.xhtml#x"/></navPoint></navPoint></navMap></ncx>`},
	} {
		raw := zipOf(t, append([]string{"META-INF/container.xml", container, "OPS/book.opf", opf(items+c.item, refs), c.part, c.content}, pages...)...)
		d := blocktest.Parse(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, nil)
		if got := blocktest.Outline(d.Blocks); got != want || len(d.Warnings) > 0 {
			t.Errorf("%s: got:\n%swant:\n%swarnings %q", name, got, want, d.Warnings)
		}
	}
}

func TestApartFromTheReadingOrder(t *testing.T) {
	t.Parallel()
	items := `<item id="a" href="a.htm" media-type="text/html"/><item id="b" href="b.htm" media-type="text/html"/>`
	raw := zipOf(t, "META-INF/container.xml", container, "OPS/book.opf", opf(items, `<itemref idref="a" linear="no"/><itemref idref="b"/>`),
		"OPS/a.htm", page("<p>answers<table><tr><td>x<td>y<tr><td>z<td>w</table>"), "OPS/b.htm", page("<p>questions"))
	d := blocktest.Parse(t, Parse, raw, block.Options{})
	blocktest.Check(t, d, nil)
	if got := blocktest.Outline(d.Blocks) + blocktest.Outline(d.Asides); got != "paragraph p2: questions\ntext_box p1: answers\ntext_box p1: x\ty⏎z\tw\n" {
		t.Error(got)
	}
}

// What a book says of itself is often wrong; its pages are there all the same.
func TestDamagedBooks(t *testing.T) {
	t.Parallel()
	wide, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(`<html><head><title/></head><body><p>wide`)
	if err != nil {
		t.Fatal(err)
	}
	html := page("<p>text")
	item := `<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>`
	for name, c := range map[string]struct {
		parts    []string
		want     string
		warnings int
	}{
		"no container":        {[]string{"OPS/book.opf", opf(item, `<itemref idref="a"/>`), "OPS/a.xhtml", html}, "paragraph p1: text\n", 0},
		"container is junk":   {[]string{"META-INF/container.xml", "junk", "x/book.opf", opf(item, `<itemref idref="a"/>`), "x/a.xhtml", html}, "paragraph p1: text\n", 0},
		"no package document": {[]string{"META-INF/container.xml", container, "OPS/2.xhtml", page("<p>two"), "OPS/1.html", page("<p>one")}, "paragraph p1: one\nparagraph p2: two\n", 1},
		"cut in the manifest": {[]string{"META-INF/container.xml", container, "OPS/book.opf", opf(item, "")[:200], "OPS/a.xhtml", html}, "paragraph p1: text\n", 1},
		"cut in the spine":    {[]string{"META-INF/container.xml", container, "OPS/book.opf", strings.TrimSuffix(opf(item, `<itemref idref="a"/>`), "</spine></package>"), "OPS/a.xhtml", html}, "paragraph p1: text\n", 1},
		"other namespaces":    {[]string{"META-INF/container.xml", container, "OPS/book.opf", strings.ReplaceAll(opf(item, `<itemref idref="a"/>`), `xmlns="http://www.idpf.org/2007/opf"`, `xmlns="urn:x"`), "OPS/a.xhtml", html}, "paragraph p1: text\n", 0},
		"utf-16":              {[]string{"META-INF/container.xml", container, "OPS/book.opf", opf(item, `<itemref idref="a"/>`), "OPS/a.xhtml", wide}, "paragraph p1: wide\n", 0},
		"fonts obfuscated":    {[]string{"META-INF/container.xml", container, "META-INF/encryption.xml", encrypted("OPS/font.otf"), "OPS/book.opf", opf(item, `<itemref idref="a"/>`), "OPS/a.xhtml", html}, "paragraph p1: text\n", 0},
		"empty elements":      {[]string{"META-INF/container.xml", container, "OPS/book.opf", opf(item, `<itemref idref="a"/>`), "OPS/a.xhtml", `<html><head><title/><script type="x"/><style /></head><body><p>te<iframe src="y"/>xt</p></body></html>`}, "paragraph p1: text\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, zipOf(t, c.parts...), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want || len(d.Warnings) != c.warnings {
				t.Errorf("got:\n%swant:\n%s%q", got, c.want, d.Warnings)
			}
		})
	}
}

func encrypted(part string) string {
	return `<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><EncryptedData xmlns="http://www.w3.org/2001/04/xmlenc#"><EncryptionMethod Algorithm="x"/><CipherData><CipherReference URI="` + part + `"/></CipherData></EncryptedData></encryption>`
}

func TestAPageThatIsMissing(t *testing.T) {
	t.Parallel()
	raw := zipOf(t, "META-INF/container.xml", container, "OPS/book.opf", opf(twoItems, twoRefs), "OPS/text/a.xhtml", page("<p>text"))
	d := blocktest.Parse(t, Parse, raw, block.Options{})
	blocktest.Check(t, d, nil)
	if len(d.Blocks) != 1 || len(d.PageErrors) != 1 || !strings.HasPrefix(d.PageErrors[0], "2: ") {
		t.Errorf("%d blocks, %q", len(d.Blocks), d.PageErrors)
	}
}

func TestPagesThatAreLeft(t *testing.T) {
	t.Parallel()
	raw := bookOf(t, "<p>one", "<p>two")
	for want, o := range map[string]block.Options{
		"paragraph p2: two\n": {Pages: block.PageRange{From: 2}},
		"paragraph p1: one\n": {Pages: block.PageRange{Skip: []int{2}}},
	} {
		if got := blocktest.Outline(blocktest.Parse(t, Parse, raw, o).Blocks); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("<p>0123456789</p>", 1<<20)
	for name, c := range map[string]struct {
		raw  []byte
		code string
		o    block.Options
	}{
		"no zip":         {[]byte("PK\x03\x04 nothing else"), block.CodeCorrupt, block.Options{}},
		"no pages":       {zipOf(t, "mimetype", "application/epub+zip"), block.CodeCorrupt, block.Options{}},
		"pages missing":  {zipOf(t, "META-INF/container.xml", container, "OPS/book.opf", opf(twoItems, twoRefs)), block.CodeCorrupt, block.Options{}},
		"only pictures":  {bookOf(t, "<img src='p.png'/>", ""), block.CodeNeedsOCR, block.Options{}},
		"locked":         {bookOf(t, "junk", "junk", "META-INF/encryption.xml", encrypted("OPS/text/a.xhtml")), block.CodeEncrypted, block.Options{}},
		"too many pages": {bookOf(t, "<p>a", "<p>b"), block.CodeTooLarge, block.Options{MaxPages: 1}},
		"expands":        {bookOf(t, many, "<p>b"), block.CodeBomb, block.Options{}},
		"expands enough": {bookOf(t, many[:1<<20], "<p>b"), block.CodeBomb, block.Options{MaxExpanded: 1 << 19}},
		"deep":           {zipOf(t, "META-INF/container.xml", strings.Repeat("<a>", 100_000)), block.CodeBomb, block.Options{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, err := blocktest.Try(t, Parse, c.raw, c.o)
			if blocktest.Code(err) != c.code {
				t.Errorf("%v, want %s; %q", err, c.code, d.Warnings)
			}
		})
	}
}

func TestHostilePages(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, body := range map[string]string{
		"open elements": strings.Repeat("<div>", n) + "text",
		"open tags":     "text" + strings.Repeat("<title ", n),
		"slashes":       "text" + strings.Repeat("<svg/", n),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, bookOf(t, body, "<p>b"), block.Options{MaxRatio: 10_000})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); !strings.Contains(got, "text") {
				t.Errorf("%.100q", got)
			}
		})
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := bookOf(t, "<p>a", "<p>b")
	gone := errors.New("reader gone")
	for after := range 5 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := bookOf(t, strings.Repeat("<p>x", 5000), "")
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(bookOf(f, "<p>a", "<table><tr><td>b"))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}

// FuzzContents mutates the XML itself, which hardly any mutant of the packed
// file reaches.
func FuzzContents(f *testing.F) {
	f.Add(container, opf(twoItems, twoRefs), page("<p>x"), encrypted("a"))
	f.Fuzz(func(t *testing.T, container, opf, page, locks string) {
		raw := zipOf(t, "META-INF/container.xml", container, "OPS/book.opf", opf, "OPS/text/a.xhtml", page, "META-INF/encryption.xml", locks)
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
