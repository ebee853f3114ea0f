package pptx

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func parse(t *testing.T, d deck) blocktest.Document {
	t.Helper()
	got := blocktest.Parse(t, Parse, d.pack(t), block.Options{})
	blocktest.Check(t, got, nil)
	return got
}

func TestSlides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ shapes, want string }{
		"title first, wherever it stands": {
			sp("", "0 500 100 100", para("text")) + sp("title", "0 0 100 100", para("The"), para("Title")),
			"heading 1 p1: The⏎Title\nparagraph p1: text\n",
		},
		"columns, then rows": {
			sp("", "600 500 300 100", para("right below")) + sp("", "0 100 300 100", para("left")) + sp("", "600 100 300 100", para("right")) +
				sp("", "0 500 300 100", para("left below")) + sp("ctrTitle", "0 0 900 90", para("T")),
			"heading 1 p1: T\nparagraph p1: left\nparagraph p1: left below\nparagraph p1: right\nparagraph p1: right below\n",
		},
		"what spans the columns divides them": {
			sp("", "0 500 900 100", para("wide")) + sp("", "600 100 300 100", para("b")) + sp("", "0 100 300 100", para("a")),
			"paragraph p1: a\nparagraph p1: b\nparagraph p1: wide\n",
		},
		"without places the order of the file": {
			sp("", "", para("one")) + sp("", "0 0 1 1", para("two")),
			"paragraph p1: one\nparagraph p1: two\n",
		},
		"a group stays together": {
			sp("", "0 900 900 100", para("last")) +
				`<p:grpSp><p:nvGrpSpPr/><p:grpSpPr>` + xfrm("a", "0 0 900 800") + `</p:grpSpPr>` + sp("", "5 700 5 5", para("g2")) + sp("", "5 5 5 5", para("g1")) + `</p:grpSp>`,
			"paragraph p1: g1\nparagraph p1: g2\nparagraph p1: last\n",
		},
		"runs, breaks, fields, equations": {
			sp("", "", `<a:p><a:r><a:t>ta</a:t></a:r><a:r><a:t>b &amp;</a:t></a:r><a:br/><a:fld type="datetime1"><a:t>today</a:t></a:fld><a:fld type="slidenum"><a:t>7</a:t></a:fld><a:endParaRPr/></a:p>`,
				`<a:p><mc:AlternateContent><mc:Choice Requires="a14"><a14:m><m:oMath><m:r><m:t>E=m</m:t></m:r></m:oMath></a14:m></mc:Choice><mc:Fallback><a:r><a:t>no</a:t></a:r></mc:Fallback></mc:AlternateContent></a:p>`),
			"paragraph p1: tab &⏎today\nparagraph p1: E=m\n",
		},
		"lists": {
			sp("", "", listPara(`<a:pPr lvl="0"><a:buAutoNum type="arabicPeriod"/></a:pPr>`, "one"), listPara(`<a:pPr lvl="1"><a:buAutoNum type="alphaLcParenR"/></a:pPr>`, "one a"),
				listPara(`<a:pPr lvl="1"><a:buAutoNum type="alphaLcParenR"/></a:pPr>`, "one b"), listPara(`<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>`, "two"),
				`<a:p><a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr></a:p>`,
				listPara(`<a:pPr><a:buAutoNum type="romanUcPeriod" startAt="4"/></a:pPr>`, "four"), listPara(`<a:pPr><a:buChar char="•"/></a:pPr>`, "dot"),
				listPara(`<a:pPr lvl="99"><a:buNone/></a:pPr>`, "none"), listPara(`<a:pPr><a:buAutoNum type="arabicParenBoth"/></a:pPr>`, "again")),
			"list_item p1 (1.): one\nlist_item 1 p1 (a)): one a\nlist_item 1 p1 (b)): one b\nlist_item p1 (2.): two\nlist_item p1 (IV.): four\nlist_item p1: dot\nparagraph p1: none\nlist_item p1 ((1)): again\n",
		},
		"the shape's own list style": {
			sp("", "", `<a:lstStyle><a:lvl1pPr><a:buChar char="x"/></a:lvl1pPr></a:lstStyle>`, para("a"), listPara(`<a:pPr lvl="1"/>`, "b")),
			"list_item p1: a\nparagraph p1: b\n",
		},
		"tables": {
			frame("", tableOf(`firstRow="1"`, []string{"Name", "Value"}, []string{"a", "1"})) + frame("", tableOf("", []string{"only"})) + frame("", tableOf("", []string{"", ""})),
			"table p1 with header: [Name|Value] [a|1]\nparagraph p1: only\n",
		},
		"merged cells": {
			frame("", `<a:tbl><a:tr><a:tc gridSpan="2"><a:txBody>`+para("wide")+`</a:txBody></a:tc><a:tc hMerge="1"><a:txBody>`+para("covered")+`</a:txBody></a:tc></a:tr>`+
				`<a:tr><a:tc><a:txBody>`+para("x")+para("y")+`</a:txBody></a:tc><a:tc><a:txBody>`+listPara(`<a:pPr><a:buAutoNum type="arabicPeriod"/></a:pPr>`, "z")+`</a:txBody></a:tc></a:tr></a:tbl>`),
			"table p1: [wide|] [x⏎y|1. z]\n",
		},
		"rows and headers that share a cell": {
			frame("", `<a:tbl><a:tblPr firstRow="1"/><a:tr><a:tc gridSpan="2"><a:txBody>`+para("plan")+`</a:txBody></a:tc><a:tc hMerge="1"><a:txBody/></a:tc></a:tr>`+
				`<a:tr><a:tc rowSpan="2"><a:txBody>`+para("North")+`</a:txBody></a:tc><a:tc><a:txBody>`+para("May")+`</a:txBody></a:tc></a:tr>`+
				`<a:tr><a:tc vMerge="1"><a:txBody/></a:tc><a:tc><a:txBody>`+para("June")+`</a:txBody></a:tc></a:tr></a:tbl>`),
			"table p1 with header: [plan|plan] [North|May] [North|June]\n",
		},
		"one of several renderings": {
			`<mc:AlternateContent><mc:Choice Requires="x">` + sp("", "", para("choice")) + `</mc:Choice><mc:Fallback>` + sp("", "", para("fallback")) + `</mc:Fallback></mc:AlternateContent>` +
				`<mc:AlternateContent><mc:Choice Requires="x"><p:pic/></mc:Choice><mc:Fallback>` + sp("", "", para("only fallback")) + `</mc:Fallback></mc:AlternateContent>`,
			"paragraph p1: choice\nparagraph p1: only fallback\n",
		},
		"hidden shapes and slide numbers are not there": {
			strings.Replace(sp("", "", para("secret")), `name="x"`, `hidden="1"`, 1) + sp("sldNum 12", "", para("3")) + sp("", "", para("shown")),
			"paragraph p1: shown\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, deck{slides: []page{{shapes: c.shapes}}})
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings)+len(d.PageErrors) > 0 || d.Done != 1 {
				t.Errorf("warnings %q, errors %q, %d done", d.Warnings, d.PageErrors, d.Done)
			}
		})
	}
}

const chartXML = `<c:chartSpace ` + pNS + `><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart>%s</c:barChart></c:plotArea></c:chart></c:chartSpace>`

func chartOf(series ...string) string { return fmt.Sprintf(chartXML, strings.Join(series, "")) }

func seriesOf(name, cats, vals string) string {
	return `<c:ser><c:idx val="0"/><c:tx><c:strRef><c:f>Sheet1!$B$1</c:f>` + points("strCache", name) + `</c:strRef></c:tx><c:cat><c:strRef><c:f>x</c:f>` + cats + `</c:strRef></c:cat><c:val><c:numRef><c:f>y</c:f>` + vals + `</c:numRef></c:val></c:ser>`
}

func TestGraphics(t *testing.T) {
	t.Parallel()
	d := parse(t, deck{
		slides: []page{{
			shapes: frame("", `<c:chart r:id="c1"/>`) + frame("", `<dgm:relIds r:dm="d1"/>`) + frame("", `<c:chart r:id="gone"/>`) + frame("", `<cx:chart r:id="c2"/>`),
			rels:   map[string]string{"c1": "chart charts/c.xml", "d1": "diagramData diagrams/d.xml", "c2": "chartEx charts/x.xml"},
		}},
		parts: map[string]string{
			"charts/c.xml": chartOf(seriesOf("North", points("strCache", "Q1", "Q2"), points("numCache", "4.2999999999999998", "5")),
				seriesOf("South", points("strCache", "Q1", "Q2"), points("numCache", "7", "", "8")), seriesOf("Other", points("strCache", "A"), points("numCache", "1"))),
			"charts/x.xml": `<cx:chartSpace ` + pNS + `><cx:chartData><cx:data><cx:strDim type="cat"><cx:f>z</cx:f><cx:lvl><cx:pt idx="0">Root</cx:pt></cx:lvl></cx:strDim><cx:numDim><cx:lvl><cx:pt idx="0">9</cx:pt></cx:lvl></cx:numDim></cx:data></cx:chartData></cx:chartSpace>`,
			"diagrams/d.xml": `<dgm:dataModel ` + pNS + `><dgm:ptLst><dgm:pt modelId="0" type="doc"/>` + node3("1", "Plan") + node3("2", "Do") + node3("3", "Detail") + node3("9", "Loose") +
				`<dgm:pt modelId="4"><dgm:prSet phldr="1"/><dgm:t>` + para("[Text]") + `</dgm:t></dgm:pt></dgm:ptLst><dgm:cxnLst>` +
				`<dgm:cxn srcId="0" destId="2" srcOrd="1"/><dgm:cxn srcId="0" destId="1" srcOrd="0"/><dgm:cxn srcId="1" destId="3" srcOrd="0"/><dgm:cxn srcId="3" destId="1" srcOrd="0"/><dgm:cxn type="presOf" srcId="2" destId="9"/></dgm:cxnLst></dgm:dataModel>`,
		},
	})
	want := "paragraph p1: Sales\ntable p1 with header: [|North|South] [Q1|4.3|7] [Q2|5|] [||8]\ntable p1 with header: [|Other] [A|1]\n" +
		"list_item p1: Plan\nlist_item 1 p1: Detail\nlist_item p1: Do\nlist_item p1: Loose\ntable p1 with header: [|] [Root|9]\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func node3(id, text string) string {
	return `<dgm:pt modelId="` + id + `"><dgm:prSet/><dgm:t>` + para(text) + `</dgm:t></dgm:pt>`
}

func tree3(root, shapes, more string) string {
	return `<p:` + root + ` ` + pNS + `><p:cSld><p:spTree>` + shapes + `</p:spTree></p:cSld>` + more + `</p:` + root + `>`
}

func inheriting() deck {
	return deck{
		slides: []page{{
			shapes: sp("body 1", "", listPara(`<a:pPr/>`, "bullet by master"), listPara(`<a:pPr lvl="1"/>`, "plain by layout")) + sp("title", "", para("Title")) + sp("", "0 50 10 10", para("above")) + sp("ftr 11", "", para("© Us")),
			rels:   map[string]string{"l": "slideLayout slideLayouts/l.xml", "n": "notesSlide notesSlides/n.xml", "k": "comments comments/k.xml", "k2": "comments comments/modern.xml"},
		}, {
			shapes: sp("ftr 11", "", para("© Us")) + sp("subTitle 1", "", para("second")), attrs: `showMasterSp="0"`,
			rels: map[string]string{"l": "slideLayout slideLayouts/l.xml"},
		}},
		rels: `<Relationship Id="a" Type="` + officeRel + `commentAuthors" Target="commentAuthors.xml"/>`,
		parts: map[string]string{
			"slideLayouts/l.xml":            tree3("sldLayout", sp("title", "0 0 100 10", para("Click to edit"))+sp("body 1", "0 100 100 100", `<a:lstStyle><a:lvl2pPr><a:buNone/></a:lvl2pPr></a:lstStyle>`, para("Prompt"))+sp("", "", para("Confidential")), ""),
			"slideLayouts/_rels/l.xml.rels": relations(map[string]string{"m": "slideMaster ../slideMasters/m.xml"}, ""),
			"slideMasters/m.xml": tree3("sldMaster", sp("body", "0 0 1 1", para("Prompt"))+sp("", "", para("Company")),
				`<p:txStyles><p:titleStyle><a:lvl1pPr><a:buChar char="t"/></a:lvl1pPr></p:titleStyle><p:bodyStyle><a:lvl1pPr><a:buChar char="•"/></a:lvl1pPr><a:lvl2pPr><a:buChar char="•"/></a:lvl2pPr></p:bodyStyle></p:txStyles>`),
			"slideMasters/_rels/m.xml.rels": relations(map[string]string{"m": "slideLayout ../slideLayouts/l.xml"}, ""),
			"notesSlides/n.xml":             tree3("notes", sp("sldImg", "")+sp("body 1", "", para("Say this"), para("and that"))+sp("sldNum 10", "", para("1")), ""),
			"comments/k.xml":                `<p:cmLst ` + pNS + `><p:cm authorId="0"><p:pos x="1" y="2"/><p:text>Old form</p:text></p:cm></p:cmLst>`,
			"comments/modern.xml": `<p188:cmLst ` + pNS + `><p188:cm authorId="{9}"><p188:replyLst><p188:reply authorId="0"><p188:txBody>` + para("A reply") + `</p188:txBody></p188:reply></p188:replyLst>` +
				`<p188:txBody>` + para("New form") + `</p188:txBody></p188:cm></p188:cmLst>`,
			"commentAuthors.xml": `<p:cmAuthorLst ` + pNS + `><p:cmAuthor id="0" name="Ann  B."/></p:cmAuthorLst>`,
		},
	}
}

func TestWhatSlidesInherit(t *testing.T) {
	t.Parallel()
	d := parse(t, inheriting())
	want := "heading 1 p1: Title\nparagraph p1: above\nlist_item p1: bullet by master\nparagraph p1: plain by layout\nlist_item p2: second\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	asides := "footer p1: © Us\nheader p1: Confidential\nheader p1: Company\nnote p1: Say this⏎and that\ncomment p1 (Ann B.): Old form\ncomment p1 (Ann B.): A reply\ncomment p1: New form\n"
	for _, line := range strings.SplitAfter(asides, "\n") {
		if !strings.Contains(blocktest.Outline(d.Asides), line) {
			t.Errorf("no %q in\n%s", line, blocktest.Outline(d.Asides))
		}
	}
	if len(d.Asides) != 7 || d.Meta.Pages != 2 {
		t.Errorf("%d asides, %d pages", len(d.Asides), d.Meta.Pages)
	}
}

func TestHiddenSlidesAreNamed(t *testing.T) {
	t.Parallel()
	d := parse(t, deck{slides: []page{{shapes: sp("", "", para("a"))}, {shapes: sp("", "", para("b")), attrs: `show="0"`}, {shapes: sp("", "", para("c")), attrs: `show="false"`}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p1: a\nparagraph p2: b\nparagraph p3: c\n" {
		t.Errorf("got %s", got)
	}
	if len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], "slides 2, 3 are hidden") {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func TestOneDamagedSlideLeavesTheOthers(t *testing.T) {
	t.Parallel()
	f := deck{
		slides: []page{{shapes: sp("", "", para("first"))}, {shapes: sp("", "", para("kept")) + `<p:sp><a:oops>`}, {shapes: `<p:sp></p:x>`}, {shapes: sp("", "", para("last"))}},
	}
	f.parts = map[string]string{"slides/slide1.xml": `<?xml version="1.0"?><p:notslide ` + pNS + `/>`} // the last
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p1: first\nparagraph p2: kept\n" {
		t.Errorf("got %s", got)
	}
	if len(d.PageErrors) != 2 || !strings.HasPrefix(d.PageErrors[0], "3: ") || !strings.HasPrefix(d.PageErrors[1], "4: ") ||
		len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) || d.Done != 4 {
		t.Errorf("errors %q, warnings %q, %d done", d.PageErrors, d.Warnings, d.Done)
	}
	d, err := blocktest.Try(t, Parse, deck{slides: []page{{shapes: `<p:sp>`}}}.pack(t), block.Options{})
	if blocktest.Code(err) != block.CodeCorrupt || len(d.PageErrors) != 1 {
		t.Errorf("%v, %q", err, d.PageErrors)
	}
}

func TestDamageBesideTheSlides(t *testing.T) {
	t.Parallel()
	f := inheriting()
	f.parts["slideLayouts/l.xml"] = `<p:sldLayout><a>`
	f.parts["notesSlides/n.xml"] = "junk"
	f.parts["commentAuthors.xml"] = "<"
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if len(d.Blocks) != 5 || len(d.Warnings) != 1 || len(d.PageErrors) > 0 {
		t.Errorf("%d blocks, warnings %q, errors %q", len(d.Blocks), d.Warnings, d.PageErrors)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	three := deck{slides: []page{{shapes: sp("", "", para("a"))}, {}, {}}}
	deep := strings.Repeat("<p:grpSp>", 600)
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"no slides":           {deck{}.pack(t), block.Options{}, block.CodeNoText},
		"empty slides":        {deck{slides: []page{{}, {}}}.pack(t), block.Options{}, block.CodeNoText},
		"too many slides":     {three.pack(t), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"no zip":              {[]byte("PK\x03\x04 no"), block.Options{}, block.CodeCorrupt},
		"cut short":           {three.pack(t)[:900], block.Options{}, block.CodeCorrupt},
		"no main part":        {zipOf(t, map[string]string{"[Content_Types].xml": "<Types/>"}), block.Options{}, block.CodeCorrupt},
		"another root":        {deck{parts: map[string]string{"presentation.xml": "<x/>"}}.pack(t), block.Options{}, block.CodeCorrupt},
		"deep":                {deck{slides: []page{{shapes: deep}}}.pack(t), block.Options{}, block.CodeBomb},
		"too deep by setting": {three.pack(t), block.Options{MaxNesting: 3}, block.CodeBomb},
		"expanding":           {deck{slides: []page{{shapes: strings.Repeat(" ", 5<<20)}}}.pack(t), block.Options{}, block.CodeBomb},
		"a wide cell":         {deck{slides: []page{{shapes: strings.Repeat(sp("", "", para("x")), 1000)}}}.pack(t), block.Options{MaxExpanded: 10 << 10}, block.CodeBomb},
	} {
		d, err := blocktest.Try(t, Parse, c.raw, c.o)
		if blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestManyShapesComeAsTheyAre(t *testing.T) {
	t.Parallel()
	const n = 17000 // more than is held
	var b strings.Builder
	b.WriteString(`<p:grpSp>`)
	for i := range n {
		b.WriteString(sp("", fmt.Sprintf("0 %d 10 10", n-i), para(fmt.Sprint(i))))
	}
	b.WriteString(`</p:grpSp>`)
	d := parse(t, deck{slides: []page{{shapes: b.String()}}})
	for i, got := range d.Blocks {
		if got.Text != fmt.Sprint(i) {
			t.Fatalf("block %d is %q", i, got.Text)
		}
	}
	if len(d.Blocks) != n {
		t.Errorf("%d blocks", len(d.Blocks))
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"k", "v"}}
	for range 3000 {
		rows = append(rows, []string{strings.Repeat("k", 100), strings.Repeat("v", 100)})
	}
	d := parse(t, deck{slides: []page{{shapes: frame("", tableOf(`firstRow="1"`, rows...))}}})
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
}

// pages notes which pages were begun.
type pages struct {
	blocktest.Sink
	begun []int
}

func (p *pages) PageBegins(n int) error {
	p.begun = append(p.begun, n)
	return nil
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	f := deck{}
	for i := range 5 {
		f.slides = append(f.slides, page{shapes: sp("", "", para(fmt.Sprint(i+1)))})
	}
	raw := f.pack(t)
	s := &pages{}
	o := block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}}
	if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), o, s); err != nil {
		t.Fatal(err)
	}
	if got := blocktest.Outline(s.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" || fmt.Sprint(s.begun) != "[2 3 5]" {
		t.Errorf("got %s, begun %v", got, s.begun)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := inheriting().pack(t)
	gone := errors.New("reader gone")
	for after := range 10 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := deck{slides: []page{{shapes: strings.Repeat(sp("", "", para("x")), 2000)}}}.pack(t)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(inheriting().pack(f))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}

// FuzzSlide mutates the XML itself, which hardly any mutant of the packed file
// reaches.
func FuzzSlide(f *testing.F) {
	f.Add(sp("title", "0 0 1 1", para("x"))+frame("", tableOf("", []string{"a", "b"})), chartOf(seriesOf("a", points("strCache", "b"), points("numCache", "1"))))
	f.Add(`<p:grpSp>`+sp("body 1", "9 9 9 9", listPara(`<a:pPr lvl="3"><a:buAutoNum type="alphaUcPeriod" startAt="9"/></a:pPr>`, "y"))+`</p:grpSp>`+frame("", `<dgm:relIds r:dm="c"/>`),
		`<dgm:dataModel `+pNS+`><dgm:ptLst>`+node3("1", "a")+`</dgm:ptLst><dgm:cxnLst><dgm:cxn srcId="1" destId="1"/></dgm:cxnLst></dgm:dataModel>`)
	f.Fuzz(func(t *testing.T, shapes, part string) {
		d, err := blocktest.Try(t, Parse, deck{slides: []page{{shapes: shapes + frame("", `<c:chart r:id="c"/>`), rels: map[string]string{"c": "chart c.xml"}}}, parts: map[string]string{"c.xml": part}}.pack(t), block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
