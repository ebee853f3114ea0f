package docx

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestBody(t *testing.T) {
	t.Parallel()
	header := `<w:tblLook w:firstRow="1"/>`
	for name, c := range map[string]struct{ body, want string }{
		"headings by style name, outline level, inheritance": {
			para("Title", "The Title") + para("Ttulo1", "One") + para("Ttulo2", "Two") + para("Mine", "Derived") +
				`<w:p><w:pPr><w:outlineLvl w:val="2"/></w:pPr>` + run("Direct") + `</w:p>` +
				`<w:p><w:pPr><w:pStyle w:val="Ttulo1"/><w:outlineLvl w:val="9"/></w:pPr>` + run("Not one") + `</w:p>` +
				para("Circle", "Round") + para("NoSuchStyle", "Unknown"),
			"heading 1: The Title\nheading 1: One\nheading 2: Two\nheading 2: Derived\nheading 3: Direct\nparagraph: Not one\nparagraph: Round\nparagraph: Unknown\n",
		},
		"quotes and code": {
			para("Quote", "Said") + para("Code", "  if x {"),
			"quote: Said\ncode:   if x {\n",
		},
		"text of runs": {
			`<w:p>` + run("ta") + `<w:r><w:t>b</w:t><w:tab/><w:t>next</w:t><w:br/><w:t>line</w:t><w:br w:type="page"/><w:noBreakHyphen/><w:sym w:font="Symbol" w:char="F061"/><w:softHyphen/></w:r></w:p>` +
				`<w:p><w:hyperlink r:id="x">` + run("a link") + `</w:hyperlink>` + run(" and ") + `<w:smartTag><w:sdt><w:sdtPr><w:alias w:val="no"/></w:sdtPr><w:sdtContent>` + run("control") + `</w:sdtContent></w:sdt></w:smartTag></w:p>` +
				`<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t>shown</w:t></w:r><w:r><w:rPr><w:rStyle w:val="Hidden"/></w:rPr><w:t>hidden</w:t></w:r></w:p>` +
				`<w:p/><w:p>` + run(" \u00a0 ") + `</w:p>` + `<w:p>` + run("a &amp; b &lt;c&gt; ção") + `</w:p>`,
			"paragraph: tab next⏎line-α\nparagraph: a link and control\nparagraph: shown\nparagraph: a & b <c> ção\n",
		},
		"fields show their result": {
			`<w:p>` + run("Page ") + `<w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>PAGE</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + run("7") + `<w:r><w:fldChar w:fldCharType="end"/></w:r>` +
				`<w:fldSimple w:instr="DATE">` + run(" today") + `</w:fldSimple></w:p>` +
				`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>IF </w:instrText></w:r><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + run("nested") + `<w:r><w:fldChar w:fldCharType="end"/></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r>` + run("yes") + `<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>` +
				`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r>` + run("never separated") + `</w:p>` + para("", "goes on"),
			"paragraph: Page 7 today\nparagraph: yes\nparagraph: never separated\nparagraph: goes on\n",
		},
		"form fields": {
			`<w:p>` + run("Agree ") + `<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox><w:default w:val="0"/><w:checked/></w:checkBox></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r>` +
				run(" colour ") + `<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList></w:ffData></w:fldChar></w:r><w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`,
			"paragraph: Agree ☒ colour blue\n",
		},
		"list numbers": {
			item("1", "0", "a") + item("1", "0", "b") + item("1", "1", "b a") + item("1", "1", "b b") + item("1", "2", "deep") + item("1", "0", "c") + item("1", "1", "again") +
				para("", "between") + item("1", "0", "goes on") + item("6", "0", "starts again") + item("6", "0", "and counts") + item("0", "0", "no list") + item("99", "0", "unknown list"),
			"list_item (1.): a\nlist_item (2.): b\nlist_item 1 (a)): b a\nlist_item 1 (b)): b b\nlist_item 2 ((i)): deep\nlist_item (3.): c\nlist_item 1 (a)): again\n" +
				"paragraph: between\nlist_item (4.): goes on\nlist_item (7.): starts again\nlist_item (8.): and counts\nparagraph: no list\nparagraph: unknown list\n",
		},
		"lists by style, bullets, links between definitions": {
			para("Bullet", "dot") + item("2", "1", "ring") + item("5", "0", "by style link") + item("4", "0", "the same list"),
			"list_item: dot\nlist_item 1: ring\nlist_item (A.): by style link\nlist_item (B.): the same list\n",
		},
		"a level that never starts again": {
			item("7", "0", "a") + item("7", "1", "b") + item("7", "0", "c") + item("7", "1", "d"),
			"list_item (1.): a\nlist_item 1 (1.1): b\nlist_item (2.): c\nlist_item 1 (2.2): d\n",
		},
		"numbered headings": {
			para("Numbered", "First") + para("Numbered2", "Sub") + para("Numbered", "Second") + para("Numbered2", "Sub"),
			"heading 1 (I): First\nheading 2 (1.1): Sub\nheading 1 (II): Second\nheading 2 (2.1): Sub\n",
		},
		"tables": {
			tableOf(header, []string{"Name", "Value"}, []string{"a|b", "1"}) + tableOf("", []string{"x", "y"}, []string{"z", ""}) +
				tableOf(`<w:tblLook w:val="04A0"/>`, []string{"old", "mask"}, []string{"c", "d"}),
			"table with header: [Name|Value] [a|b|1]\ntable: [x|y] [z|]\ntable with header: [old|mask] [c|d]\n",
		},
		"merged cells": {
			`<w:tbl><w:tr><w:trPr><w:tblHeader/></w:trPr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>` + para("", "wide") + `</w:tc>` + cellOf(para("", "c")) + `</w:tr>` +
				`<w:tr><w:trPr><w:gridBefore w:val="1"/></w:trPr>` + cellOf(para("", "late")) + `<w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc></w:tr></w:tbl>`,
			"table with header: [wide|wide|c] [|late|c]\n",
		},
		"rows that share a cell": {
			`<w:tbl><w:tr>` + cellOf(para("", "sector")) + cellOf(para("", "month")) + `</w:tr>` +
				`<w:tr><w:tc><w:tcPr><w:vMerge w:val="restart"/></w:tcPr>` + para("", "North") + `</w:tc>` + cellOf(para("", "May")) + `</w:tr>` +
				`<w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr><w:p/></w:tc>` + cellOf(para("", "June")) + `</w:tr>` +
				`<w:tr>` + cellOf(para("", "South")) + cellOf(para("", "May")) + `</w:tr>` +
				`<w:tr><w:tc><w:tcPr><w:gridSpan w:val="2"/></w:tcPr>` + para("", "all") + `</w:tc></w:tr></w:tbl>`,
			"table: [sector|month] [North|May] [North|June] [South|May] [all|]\n",
		},
		"what cells hold": {
			`<w:tbl><w:tr>` + cellOf(item("1", "0", "one")+item("1", "0", "two")) + cellOf(tableOf("", []string{"in", "ner"}, []string{"ta", "ble"})+`<w:p/>`) + `</w:tr><w:tr>` + cellOf(`<w:p/>`) + `</w:tr></w:tbl>`,
			"table: [1. one⏎2. two|in ner⏎ta ble] []\n",
		},
		"a frame is no table": {
			tableOf(header, []string{"Just a box"}) + `<w:tbl><w:tr>` + cellOf(para("Ttulo1", "Boxed")+item("1", "0", "item")) + `</w:tr></w:tbl>` + `<w:tbl><w:tr><w:tc><w:p/></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>`,
			"paragraph: Just a box\nheading 1: Boxed\nlist_item (1.): item\n",
		},
		"a table where none may be": {
			`<w:p>` + run("before ") + `<w:r>` + tableOf("", []string{"x"}, []string{"y"}) + `</w:r>` + tableOf("", []string{"a"}, []string{"b"}) + run("after") + `</w:p>`,
			"paragraph: before after\ntable: [a] [b]\n",
		},
		"tracked changes": {
			`<w:p>` + run("keep ") + `<w:ins>` + run("new ") + `</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del><w:moveFrom>` + run("moved") + `</w:moveFrom><w:moveTo>` + run("moved") + `</w:moveTo></w:p>` +
				`<w:ins>` + para("", "whole") + `</w:ins>`,
			"paragraph: keep new moved\nparagraph: whole\n",
		},
		"alternate content is read once": {
			`<mc:AlternateContent><mc:Choice Requires="x">` + para("", "choice") + `</mc:Choice><mc:Fallback>` + para("", "fallback") + `</mc:Fallback></mc:AlternateContent>` +
				`<w:p><w:r><mc:AlternateContent><mc:Fallback><w:t>only fallback</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>`,
			"paragraph: choice\nparagraph: only fallback\n",
		},
		"equations": {
			`<w:p>` + run("so ") + `<m:oMath><m:r><m:t>E=m</m:t></m:r><m:sSup><m:e><m:r><m:t>c</m:t></m:r></m:e><m:sup><m:r><m:t>2</m:t></m:r></m:sup></m:sSup></m:oMath><m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></w:p>` +
				`<w:p><m:oMathPara><m:oMath><m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e><m:r><m:t>xy</m:t></m:r></m:e></m:rad></m:oMath><m:oMath><m:nary><m:naryPr><m:chr m:val="∑"/></m:naryPr><m:sub><m:r><m:t>i</m:t></m:r></m:sub><m:sup/><m:e><m:d><m:e><m:r><m:t>i</m:t></m:r></m:e></m:d></m:e></m:nary></m:oMath></m:oMathPara></w:p>`,
			"paragraph: so E=mc^2 (a+b)/2\nparagraph: √(xy)⏎∑_i (i)\n",
		},
		"ruby": {
			`<w:p><w:r><w:ruby><w:rubyPr/><w:rt>` + run("かん") + `</w:rt><w:rubyBase>` + run("漢") + `</w:rubyBase></w:ruby></w:r></w:p>`,
			"paragraph: 漢(かん)\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := docxFile{body: c.body, parts: map[string]string{"styles.xml": stylesXML, "numbering.xml": numberingXML()}}.pack(t)
			d := blocktest.Parse(t, Parse, raw, block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings) > 0 || d.Done == 0 {
				t.Errorf("warnings %q, %d parts done", d.Warnings, d.Done)
			}
		})
	}
}

func TestAsides(t *testing.T) {
	t.Parallel()
	box := `<w:txbxContent>` + para("", "In a box") + tableOf("", []string{"a", "b"}) + `</w:txbxContent>`
	f := docxFile{
		body: `<w:p>` + run("Text") + `<w:r><w:footnoteReference w:id="5"/></w:r>` + run(" more") + `<w:r><w:footnoteReference w:id="3"/><w:endnoteReference w:id="2"/></w:r></w:p>` +
			`<w:p>` + run("with") + `<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:wsp><wps:txbx>` + box + `</wps:txbx></wps:wsp></w:drawing></mc:Choice><mc:Fallback><w:pict><v:shape><v:textbox>` + box + `</v:textbox></v:shape></w:pict></mc:Fallback></mc:AlternateContent></w:r>` +
			`<w:r><w:pict><v:shape><v:textpath string="DRAFT"/></v:shape></w:pict></w:r><w:del><w:r><w:delText>struck</w:delText></w:r></w:del></w:p>` +
			`<w:p><w:r><w:drawing><c:chart r:id="ch"/></w:drawing></w:r></w:p>`,
		parts: map[string]string{
			"footnotes.xml": `<w:footnote w:type="separator" w:id="0"><w:p><w:r><w:separator/></w:r></w:p></w:footnote><w:footnote w:id="3">` + para("", "Second note") + `</w:footnote><w:footnote w:id="5">` + para("", "First note") + para("", "goes on") + `</w:footnote><w:footnote w:id="9">` + para("", "Nobody refers to it") + `</w:footnote>`,
			"endnotes.xml":  `<w:endnote w:id="2">` + para("", "At the end") + `</w:endnote>`,
			"comments.xml":  `<w:comment w:id="1" w:author="Ana  Lima">` + para("", "Check this") + `</w:comment>`,
			"header1.xml":   para("", "Company") + para("", "Secret"),
			"header2.xml":   para("", "Company") + para("", "Secret"),
			"footer1.xml":   `<w:p>` + run("Page ") + `<w:fldSimple w:instr="PAGE">` + run("1") + `</w:fldSimple></w:p>`,
		},
		extra: map[string]string{"word/charts/chart1.xml": `<c:chartSpace ` + wNS + `><c:chart><c:title><a:p><a:r><a:t>Sales</a:t></a:r><a:r><a:t> 2026</a:t></a:r></a:p></c:title><c:cat><c:strCache><c:pt><c:v>North</c:v></c:pt><c:pt><c:v>South</c:v></c:pt></c:strCache></c:cat><c:val><c:numCache><c:pt><c:v>1</c:v></c:pt></c:numCache></c:val></c:chart></c:chartSpace>`},
		rels:  `<Relationship Id="ch" Type="` + officeRel + `chart" Target="charts/chart1.xml"/>`,
	}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), "paragraph: Text[^1] more[^2][^i]\nparagraph: with\n"; got != want {
		t.Errorf("body:\n%swant:\n%s", got, want)
	}
	got := map[string]bool{}
	for _, line := range strings.SplitAfter(blocktest.Outline(d.Asides), "\n") {
		if got[line] {
			t.Errorf("twice: %s", line)
		}
		got[line] = true
	}
	for _, want := range []string{
		"text_box: In a box⏎a | b\n", "text_box: DRAFT\n", "text_box: Sales 2026⏎North South\n", "deletion: struck\n",
		"footnote (1): First note⏎goes on\n", "footnote (2): Second note\n", "endnote (i): At the end\n", "comment (Ana Lima): Check this\n",
		"header: Company⏎Secret\n", "footer: Page 1\n", "",
	} {
		if !got[want] {
			t.Errorf("no aside %q", want)
		}
		delete(got, want)
	}
	if len(got) > 0 {
		t.Errorf("also: %v", got)
	}
}

func TestEmbeddedHTML(t *testing.T) {
	t.Parallel()
	f := docxFile{
		body:  para("", "before") + `<w:altChunk r:id="h"/><w:altChunk r:id="rtf"/><w:altChunk r:id="none"/>` + para("", "after"),
		extra: map[string]string{"word/part.html": "<h2>From HTML</h2><p>text</p>", "word/part.rtf": "{\\rtf1 x}"},
		rels:  `<Relationship Id="h" Type="` + officeRel + `aFChunk" Target="part.html"/><Relationship Id="rtf" Type="` + officeRel + `aFChunk" Target="/word/part.rtf"/>`,
	}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if got, want := blocktest.Outline(d.Blocks), "paragraph: before\nheading 2: From HTML\nparagraph: text\nparagraph: after\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("warnings: %q", d.Warnings)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	f := docxFile{body: para("", "x"), parts: map[string]string{"styles.xml": stylesXML}, extra: map[string]string{
		"docProps/core.xml": `<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">` +
			`<dc:title> Annual
 Report</dc:title><dc:creator>Ana</dc:creator><dcterms:created>2026-03-04T05:06:07+02:00</dcterms:created><dcterms:modified>nonsense</dcterms:modified></cp:coreProperties>`,
		"docProps/app.xml": `<Properties xmlns="http://schemas.openxmlformats.org/officeDocument/2006/extended-properties"><Pages>12</Pages></Properties>`,
	}}
	m := blocktest.Parse(t, Parse, f.pack(t), block.Options{}).Meta
	created := time.Date(2026, 3, 4, 3, 6, 7, 0, time.UTC)
	if m.Title != "Annual Report" || m.Author != "Ana" || m.Language != "pt-BR" || m.Pages != 12 || m.Modified != nil || m.Created == nil || !m.Created.Equal(created) {
		t.Errorf("metadata: %+v", m)
	}
}

func TestOtherSpellings(t *testing.T) {
	t.Parallel()
	// Other prefixes and the strict namespace; UTF-16; backslashes in part names.
	strict := `<d:document xmlns:d="http://purl.oclc.org/ooxml/wordprocessingml/main"><d:body><d:p><d:pPr><d:outlineLvl d:val="0"/></d:pPr><d:r><d:t>Strict</d:t></d:r></d:p></d:body></d:document>`
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(`<?xml version="1.0" encoding="UTF-16"?><w:document ` + wNS + `><w:body>` + para("", "ação") + `</w:body></w:document>`)
	if err != nil {
		t.Fatal(err)
	}
	noPrefix := `<document xmlns="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><body><p><r><t>default</t></r></p></body></document>`
	for xml, want := range map[string]string{strict: "heading 1: Strict\n", utf16: "paragraph: ação\n", noPrefix: "paragraph: default\n"} {
		f := docxFile{extra: map[string]string{"word/document.xml": xml}}
		d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
		if got := blocktest.Outline(d.Blocks); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	good := docxFile{body: para("", "some text") + para("", "and more")}
	whole := good.pack(t)
	xml := func(body string) []byte {
		return docxFile{extra: map[string]string{"word/document.xml": body}}.pack(t)
	}
	for name, c := range map[string]struct {
		raw  []byte
		code string
	}{
		"ole":            {[]byte(oleMagic + strings.Repeat("\x00", 2000)), block.CodeEncrypted},
		"empty":          {nil, block.CodeCorrupt},
		"text":           {[]byte("hello"), block.CodeCorrupt},
		"cut off":        {whole[:len(whole)/2], block.CodeCorrupt},
		"other zip":      {zipOf(t, map[string]string{"a.txt": "x"}), block.CodeCorrupt},
		"no main part":   {zipOf(t, map[string]string{"[Content_Types].xml": "<Types/>"}), block.CodeCorrupt},
		"other XML":      {xml(`<html><body/></html>`), block.CodeCorrupt},
		"no XML":         {xml(`\x01\x02 nothing`), block.CodeNoText},
		"no text":        {docxFile{body: "<w:p/>"}.pack(t), block.CodeNoText},
		"damaged start":  {xml(`<w:document ` + wNS + `><w:body><w:p></w:r>`), block.CodeCorrupt},
		"nested deep":    {xml(`<w:document ` + wNS + `><w:body>` + strings.Repeat("<w:p>", 2000)), block.CodeBomb},
		"a sheet really": {docxFile{extra: map[string]string{"[Content_Types].xml": `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>`}}.pack(t), block.CodeUnsupported},
	} {
		d, err := blocktest.Try(t, Parse, c.raw, block.Options{})
		if got := blocktest.Code(err); got != c.code || (err == nil) != (c.code == "") || len(d.Blocks) > 0 {
			t.Errorf("%s: %d blocks, %q %v; want %q", name, len(d.Blocks), got, err, c.code)
		}
	}
}

func TestTextBeforeDamageIsKept(t *testing.T) {
	t.Parallel()
	f := docxFile{extra: map[string]string{"word/document.xml": `<w:document ` + wNS + `><w:body>` + para("", "readable") + `<w:p><w:r></w:p>`}}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if len(d.Blocks) != 1 || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%d blocks, warnings %q", len(d.Blocks), d.Warnings)
	}
	f = docxFile{body: para("", "readable"), parts: map[string]string{"styles.xml": "<w:style></w:oops>"}}
	d = blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if len(d.Blocks) != 1 || len(d.Warnings) != 1 {
		t.Errorf("damaged styles: %d blocks, warnings %q", len(d.Blocks), d.Warnings)
	}
}

func TestBombs(t *testing.T) {
	t.Parallel()
	// Ten megabytes of blanks, and of paragraphs, in a file of some kilobytes.
	for name, unit := range map[string]string{"blanks": strings.Repeat(" ", 1024), "paragraphs": strings.Repeat("<w:p/>", 170)} {
		var b strings.Builder
		b.WriteString(`<w:document ` + wNS + `><w:body>`)
		for range 10 << 10 {
			b.WriteString(unit)
		}
		raw := docxFile{extra: map[string]string{"word/document.xml": b.String()}}.pack(t)
		if _, err := blocktest.Try(t, Parse, raw, block.Options{}); blocktest.Code(err) != block.CodeBomb {
			t.Errorf("%s: a file of %d bytes: %v", name, len(raw), err)
		}
	}
	raw := docxFile{body: strings.Repeat(para("", "some text that is not the same each time"), 2000)}.pack(t)
	if _, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 10 << 10}); blocktest.Code(err) != block.CodeBomb {
		t.Errorf("budget: %v", err)
	}
}

func TestEntitiesAreNotExpanded(t *testing.T) {
	t.Parallel()
	f := docxFile{extra: map[string]string{"word/document.xml": `<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;"><!ENTITY x SYSTEM "file:///etc/passwd">]><w:document ` + wNS + `><w:body>` + para("", "x &b; &x;") + `</w:body></w:document>`}}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "paragraph: x &b; &x;\n" {
		t.Errorf("got %q", got)
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"Key", "Value"}}
	for range 3000 {
		rows = append(rows, []string{strings.Repeat("k", 100), strings.Repeat("v", 100)})
	}
	d := blocktest.Parse(t, Parse, docxFile{body: tableOf(`<w:tblLook w:firstRow="1"/>`, rows...)}.pack(t), block.Options{})
	n := 0
	for i, b := range d.Blocks {
		n += len(b.Rows)
		if b.Kind != block.Table || b.Continues != (i > 0) || b.HeaderRow != (i == 0) {
			t.Fatalf("piece %d: %s continues %v header %v", i, b.Kind, b.Continues, b.HeaderRow)
		}
	}
	if n != len(rows) || len(d.Blocks) < 2 {
		t.Errorf("%d rows in %d pieces", n, len(d.Blocks))
	}
}

func TestARowTooLargeForATable(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", wideRow/5)
	d := blocktest.Parse(t, Parse, docxFile{body: tableOf("", []string{"a", "b"}, []string{long, "c"}, []string{"d", "e"}, []string{"f", "g"})}.pack(t), block.Options{})
	want := "table: [a|b]\nparagraph: " + strings.TrimSpace(long) + "\nparagraph: c\ntable: [d|e] [f|g]\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("%.100q", got)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := docxFile{body: strings.Repeat(para("", "x"), 100), parts: map[string]string{"header1.xml": para("", "h")}}.pack(t)
	gone := errors.New("reader gone")
	for after := range 4 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := docxFile{body: strings.Repeat(para("", "x"), 2000)}.pack(t)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(docxFile{body: para("Ttulo1", "x") + item("1", "0", "y") + tableOf("", []string{"a", "b"}), parts: map[string]string{"styles.xml": stylesXML, "numbering.xml": numberingXML()}}.pack(f))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}

// FuzzBody mutates the XML itself, which hardly any mutant of the packed file
// reaches.
func FuzzBody(f *testing.F) {
	f.Add(`<w:p><w:r><w:t>x</w:t></w:r></w:p>`, numberingXML())
	f.Add(tableOf("", []string{"a"}, []string{"b"})+item("1", "1", "y"), "")
	f.Add(`<w:p><m:oMath><m:f><m:num/><m:den/></m:f></m:oMath><w:r><w:fldChar w:fldCharType="begin"/></w:r></w:p>`, "")
	f.Fuzz(func(t *testing.T, body, numbering string) {
		raw := docxFile{body: body, parts: map[string]string{"numbering.xml": numbering}}.pack(t)
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
