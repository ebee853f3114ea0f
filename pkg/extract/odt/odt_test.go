package odt

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/odf/odftest"
)

const ns = odftest.NS

// file is a document made of the XML of its body and further parts, whole.
func file(t testing.TB, body string, parts map[string]string) []byte {
	t.Helper()
	return odftest.File{Kind: "text", AutoStyles: autoStyles, Styles: commonStyles, Body: body, Parts: parts}.Pack(t)
}

const autoStyles = `<style:style style:name="P1" style:family="paragraph" style:parent-style-name="Title"/>
<style:style style:name="P2" style:family="paragraph" style:list-style-name="L1"/>
<style:style style:name="Loop" style:family="paragraph" style:parent-style-name="Loop"/>
<style:style style:name="T1" style:family="text"><style:text-properties text:display="none"/></style:style>
<text:list-style style:name="L1"><text:list-level-style-number text:level="1" style:num-format="1" style:num-suffix="."/>
<text:list-level-style-number text:level="2" style:num-format="1" style:num-suffix="." text:display-levels="2"/>
<text:list-level-style-number text:level="3" style:num-format="a" style:num-prefix="(" style:num-suffix=")"/></text:list-style>
<text:list-style style:name="L2"><text:list-level-style-bullet text:level="1" text:bullet-char="•"/></text:list-style>
<text:list-style style:name="L3"><text:list-level-style-number text:level="1" style:num-format="I" text:start-value="4"/></text:list-style>`

const commonStyles = `<style:style style:name="Quotations" style:family="paragraph"/><style:style style:name="Preformatted_20_Text" style:family="paragraph"/>
<text:outline-style><text:outline-level-style text:level="1" style:num-format="A" style:num-suffix="."/><text:outline-level-style text:level="2" style:num-format="1" text:display-levels="2"/></text:outline-style>`

func p(s string) string { return `<text:p>` + s + `</text:p>` }

func li(s string) string { return `<text:list-item>` + s + `</text:list-item>` }

func ul(attrs string, items ...string) string {
	return `<text:list ` + attrs + `>` + strings.Join(items, "") + `</text:list>`
}

func tableOf(rows ...string) string {
	return `<table:table><table:table-column/>` + strings.Join(rows, "") + `</table:table>`
}

func tr(cells ...string) string {
	s := `<table:table-row>`
	for _, c := range cells {
		s += `<table:table-cell>` + p(c) + `</table:table-cell>`
	}
	return s + `</table:table-row>`
}

func TestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"headings and styles": {
			`<text:p text:style-name="P1">The Title</text:p><text:h text:outline-level="1">One</text:h><text:h text:outline-level="2">Sub</text:h><text:h text:outline-level="2" text:is-list-header="true">Bare</text:h>` +
				`<text:h text:outline-level="1">Two</text:h><text:h text:outline-level="2">Sub</text:h><text:h text:outline-level="9">Deep</text:h>` +
				`<text:p text:style-name="Quotations">Said</text:p><text:p text:style-name="Preformatted_20_Text">if<text:s text:c="3"/>x</text:p><text:p text:style-name="Loop">Round</text:p>`,
			"heading 1: The Title\nheading 1 (A.): One\nheading 2 (A.1): Sub\nheading 2: Bare\nheading 1 (B.): Two\nheading 2 (B.1): Sub\nheading 6: Deep\nquote: Said\ncode: if   x\nparagraph: Round\n",
		},
		"text": {
			p("a\n  b<text:tab/>c<text:s text:c=\"2\"/>d<text:line-break/>e &amp; <text:span>f</text:span><text:a>link</text:a><text:page-number>7</text:page-number>") +
				p(`shown<text:span text:style-name="T1"> hidden <text:s/></text:span>`) + p(" ") + p("") +
				p(`<text:ruby><text:ruby-base>漢</text:ruby-base><text:ruby-text>かん</text:ruby-text></text:ruby>`) + `<text:section text:display="none">` + p("no") + `</text:section><text:section>` + p("yes") + `</text:section>`,
			"paragraph: a b c d⏎e & flink7\nparagraph: shown\nparagraph: 漢(かん)\nparagraph: yes\n",
		},
		"lists": {
			ul(`text:style-name="L1"`, li(p("one")+p("more")), li(p("two")+ul("", li(p("a")), li(p("b")+ul("", li(p("deep")))))), `<text:list-header>`+p("no number")+`</text:list-header>`, li(p("three")), `<text:list-item text:start-value="7">`+p("seven")+`</text:list-item>`) +
				ul(`text:style-name="L2"`, li(p("dot"))) + ul(`text:style-name="L3"`, li(p("four")), li(p("five"))) + ul(``, li(`<text:p text:style-name="P2">by paragraph</text:p>`)),
			"list_item (1.): one\nparagraph: more\nlist_item (2.): two\nlist_item 1 (2.1.): a\nlist_item 1 (2.2.): b\nlist_item 2 ((a)): deep\nparagraph: no number\nlist_item (3.): three\nlist_item (7.): seven\n" +
				"list_item: dot\nlist_item (IV): four\nlist_item (V): five\nlist_item (1.): by paragraph\n",
		},
		"lists that go on": {
			ul(`text:style-name="L1" xml:id="x"`, li(p("1"))) + p("between") + ul(`text:style-name="L1" text:continue-numbering="true"`, li(p("2"))) + ul(`text:style-name="L1"`, li(p("anew"))) + ul(`text:style-name="L1" text:continue-list="x"`, li(p("3"))) +
				ul(`text:style-name="L1"`, li(ul("", li(p("inner"))))),
			"list_item (1.): 1\nparagraph: between\nlist_item (2.): 2\nlist_item (1.): anew\nlist_item (3.): 3\nlist_item 1 (1.1.): inner\n",
		},
		"headings in lists": {
			ul(`text:style-name="L1"`, li(`<text:h text:outline-level="2">Head</text:h>`+p("text"))), "heading 2 (1.): Head\nparagraph: text\n",
		},
		"tables": {
			tableOf(`<table:table-header-rows>`+tr("Name", "Value")+`</table:table-header-rows>`, tr("a", "1")) + p("") + tableOf(tr("x", "y")) + tableOf(tr("frame")) + tableOf(tr("", "")),
			"table with header: [Name|Value] [a|1]\ntable: [x|y]\nparagraph: frame\n",
		},
		"merged, repeated and nested": {
			tableOf(`<table:table-row><table:table-cell table:number-columns-spanned="2">`+p("wide")+`</table:table-cell><table:covered-table-cell/><table:table-cell table:number-columns-repeated="2">`+p("r")+`</table:table-cell></table:table-row>`,
				`<table:table-row table:number-rows-repeated="2"><table:table-cell>`+tableOf(tr("in", "ner"))+ul(`text:style-name="L1"`, li(p("i")))+`</table:table-cell></table:table-row>`),
			"table: [wide||r|r] [in ner⏎1. i] [in ner⏎1. i]\n",
		},
		"indexes": {
			`<text:table-of-content><text:table-of-content-source>` + p("no") + `</text:table-of-content-source><text:index-body><text:index-title>` + p("Contents") + `</text:index-title>` + p("One 1") + `</text:index-body></text:table-of-content>`,
			"paragraph: Contents\nparagraph: One 1\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, file(t, c.body, nil), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings) > 0 || len(d.Asides) > 0 || d.Done != 1 {
				t.Errorf("warnings %q, %d asides, %d done", d.Warnings, len(d.Asides), d.Done)
			}
		})
	}
}

func full(t testing.TB) []byte {
	return file(t, `<text:tracked-changes><text:changed-region><text:deletion>`+p("gone")+`</text:deletion></text:changed-region><text:changed-region><text:insertion/></text:changed-region></text:tracked-changes>`+
		p(`word<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>`+p("foot")+`</text:note-body></text:note> and<text:note text:note-class="endnote"><text:note-body>`+p("end")+`</text:note-body></text:note>`+
			`<office:annotation><dc:creator>Ann  B.</dc:creator><dc:date>2020</dc:date>`+p("Why?")+`</office:annotation><draw:frame><draw:text-box>`+p("In a box")+`</draw:text-box></draw:frame>`)+
		`<draw:custom-shape>`+p("Shape")+`</draw:custom-shape>`,
		map[string]string{
			"meta.xml": `<office:document-meta ` + ns + `><office:meta><dc:title>A  title</dc:title><meta:initial-creator>Ann</meta:initial-creator><dc:creator>Bob</dc:creator><dc:language>pt-BR</dc:language><meta:creation-date>2024-01-02T03:04:05.678</meta:creation-date><meta:document-statistic meta:page-count="3"/></office:meta></office:document-meta>`,
			"styles.xml": `<office:document-styles ` + ns + `><office:master-styles><style:master-page><style:header>` + p("Head") + `</style:header><style:footer>` + p("Foot") + `</style:footer><style:header-left style:display="false">` + p("no") + `</style:header-left></style:master-page>` +
				`<style:master-page><style:header>` + p("Head") + `</style:header></style:master-page></office:master-styles></office:document-styles>`,
			"META-INF/manifest.xml": `<manifest:manifest ` + ns + `><manifest:file-entry manifest:full-path="content.xml"/></manifest:manifest>`,
		})
}

func TestWhatStandsApart(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full(t), block.Options{})
	blocktest.Check(t, d, nil)
	if got := blocktest.Outline(d.Blocks); got != "paragraph: word[^1] and[^2]\n" {
		t.Errorf("got %s", got)
	}
	want := "deletion: gone\nfootnote (1): foot\nendnote (2): end\ncomment (Ann B.): Why?\ntext_box: In a box\ntext_box: Shape\nheader: Head\nfooter: Foot\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if m := d.Meta; m.Title != "A title" || m.Author != "Ann" || m.Language != "pt-BR" || m.Created == nil || m.Pages != 3 {
		t.Errorf("%+v", m)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	content := `<office:document-content ` + ns + `><office:body><office:text>`
	for name, parts := range map[string]map[string]string{
		"after some text": {"content.xml": content + p("kept") + `<text:p>torn</text:x>`},
		"in a table":      {"content.xml": content + tableOf(tr("kept", "x"), `<table:table-row><table:table-cell></oops>`)},
		"in the styles":   {"content.xml": content + p("kept") + `</office:text></office:body></office:document-content>`, "styles.xml": `<office:document-styles><x></y>`},
	} {
		d, err := blocktest.Try(t, Parse, file(t, "", parts), block.Options{})
		if err != nil || len(d.Warnings) == 0 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) || !strings.Contains(blocktest.Outline(d.Blocks), "kept") {
			t.Errorf("%s: %v, %q, warnings %q", name, err, blocktest.Outline(d.Blocks), d.Warnings)
		}
	}
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"empty":           {file(t, p(""), nil), block.Options{}, block.CodeNoText},
		"another root":    {file(t, "", map[string]string{"content.xml": "<html/>"}), block.Options{}, block.CodeCorrupt},
		"no zip":          {[]byte("PK\x03\x04 no"), block.Options{}, block.CodeCorrupt},
		"cut short":       {full(t)[:900], block.Options{}, block.CodeCorrupt},
		"torn at once":    {file(t, "", map[string]string{"content.xml": content + `<text:p>`}), block.Options{}, block.CodeCorrupt},
		"deep":            {file(t, strings.Repeat("<text:list><text:list-item>", 400), nil), block.Options{}, block.CodeBomb},
		"deep spans":      {file(t, "<text:p>"+strings.Repeat("<text:span>", 600), nil), block.Options{}, block.CodeBomb},
		"too deep":        {full(t), block.Options{MaxNesting: 3}, block.CodeBomb},
		"expanding":       {file(t, strings.Repeat("<text:p/>", 600<<10), nil), block.Options{}, block.CodeBomb},
		"over the budget": {file(t, strings.Repeat(p("some text"), 2000), nil), block.Options{MaxExpanded: 10 << 10}, block.CodeBomb},
		"encrypted": {file(t, p("x"), map[string]string{"META-INF/manifest.xml": `<manifest:manifest ` + ns + `><manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`}),
			block.Options{}, block.CodeEncrypted},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	rows := []string{`<table:table-header-rows>` + tr("k", "v") + `</table:table-header-rows>`}
	for range 3000 {
		rows = append(rows, tr(strings.Repeat("k", 100), strings.Repeat("v", 100)))
	}
	d := blocktest.Parse(t, Parse, file(t, tableOf(rows...), nil), block.Options{})
	n := 0
	for i, b := range d.Blocks {
		n += len(b.Rows)
		if b.Continues != (i > 0) || b.HeaderRow != (i == 0) {
			t.Fatalf("piece %d: continues %v, header %v", i, b.Continues, b.HeaderRow)
		}
	}
	if n != len(rows) || len(d.Blocks) < 2 {
		t.Errorf("%d rows in %d pieces", n, len(d.Blocks))
	}
	long := strings.Repeat("x", 256<<10)
	d = blocktest.Parse(t, Parse, file(t, tableOf(tr("a", "b"), tr(long, "c"), tr("d", "e"), tr("f", "g")), nil), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "table: [a|b]\nparagraph: "+long+"\nparagraph: c\ntable: [d|e] [f|g]\n" {
		t.Errorf("a wide row: %.100q", got)
	}
}

// What a file claims to repeat must not make more of it than a table holds.
func TestRepeatsAreBounded(t *testing.T) {
	t.Parallel()
	cell := `<table:table-cell table:number-columns-repeated="1000000">` + p(strings.Repeat("x", 500)) + `</table:table-cell>`
	body := tableOf(strings.Repeat(`<table:table-row table:number-rows-repeated="1000000">`+cell+`</table:table-row>`, 3))
	d := blocktest.Parse(t, Parse, file(t, body, nil), block.Options{})
	cells := 0
	for _, b := range d.Blocks {
		for _, r := range b.Rows {
			cells += len(r)
		}
	}
	if cells > 3*256*100 {
		t.Errorf("%d cells made of 3", cells)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full(t)
	gone := errors.New("reader gone")
	for after := range 8 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := file(t, strings.Repeat(p("x"), 2000), nil)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full(f))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}

// FuzzBody mutates the XML itself, which hardly any mutant of the packed file
// reaches.
func FuzzBody(f *testing.F) {
	f.Add(p("x")+ul(`text:style-name="L1"`, li(p("y")+ul("", li(p("z"))))), commonStyles)
	f.Add(tableOf(`<table:table-row table:number-rows-repeated="3"><table:covered-table-cell table:number-columns-repeated="2"/></table:table-row>`, tr("a", "b")), "")
	f.Add(p(`<text:note><text:note-citation/><text:note-body>`+p("n")+`</text:note-body></text:note><draw:frame><text:p>q</text:p></draw:frame>`), `<text:list-style style:name="L1"/>`)
	f.Fuzz(func(t *testing.T, body, styles string) {
		raw := file(t, body, map[string]string{"styles.xml": `<office:document-styles ` + ns + `><office:styles>` + styles + `</office:styles></office:document-styles>`})
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
