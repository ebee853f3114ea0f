package xlsx

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func parse(t *testing.T, b book) blocktest.Document {
	t.Helper()
	d := blocktest.Parse(t, Parse, b.pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	return d
}

func TestRows(t *testing.T) {
	t.Parallel()
	header := row(1, text("A1", "Name"), text("B1", "Value"))
	for name, c := range map[string]struct{ data, want string }{
		"a table with a header": {header + row(2, text("A2", "x"), num("B2", "1")), "table p1 with header: [Name|Value] [x|1]\n"},
		"numbers alone have none": {row(1, num("A1", "1"), num("B1", "2")) + row(2, num("A2", "3"), num("B2", "4")),
			"table p1: [1|2] [3|4]\n"},
		"empty rows divide": {
			row(1, text("B1", "Title")) + row(3, text("B3", "a"), text("C3", "b")) + row(4, num("B4", "1"), num("C4", "2")) + row(5) + row(6, text("B6", "c"), text("C6", "d")) + row(7, num("B7", "3")),
			"paragraph p1: Title\ntable p1 with header: [a|b] [1|2]\ntable p1 with header: [c|d] [3]\n",
		},
		"values go on after an empty row": {header + row(2, text("A2", "x"), num("B2", "1")) + row(9, text("A9", "y"), num("B9", "2")),
			"table p1 with header: [Name|Value] [x|1] [y|2]\n"},
		"columns without anything are left out": {row(1, text("C1", "a"), text("XFD1", "b")) + row(2, num("XFD2", "2"), num("C2", "1")),
			"table p1 with header: [a|b] [1|2]\n"},
		"cells without references": {`<row><c t="str"><v>a</v></c><c><v>1</v></c></row><row><c t="str"><v>b</v></c><c r="Z"><v>2</v></c></row>`,
			"table p1: [a|1] [b||2]\n"},
		"kinds of values": {row(1, `<c r="A1" t="b"><v>1</v></c>`, `<c r="B1" t="e"><v>#N/A</v></c>`, `<c r="C1" t="d"><v>2024-05-06</v></c>`, `<c r="D1" t="s"><v>1</v></c>`, `<c r="E1" t="s"><v>99</v></c>`, `<c r="F1" t="b"><v>0</v></c>`,
			`<c r="G1"><f>1+1</f><v>2</v></c>`, num("H1", "0.30000000000000004"), num("I1", "1E+25"), num("J1", "junk"), text("K1", "a_x000D_&#10;b")) + row(2, num("A2", "5")),
			"table p1: [TRUE|#N/A|2024-05-06|rich text|FALSE|2|0.3|1e+25|junk|a⏎b] [5]\n"},
		"formats": {row(1, `<c s="1"><v>45000.5</v></c>`, `<c s="2"><v>0.125</v></c>`, `<c s="3"><v>45000</v></c>`, `<c s="4"><v>0.75</v></c>`, `<c s="5"><v>1.5</v></c>`, `<c s="6"><v>1234.5</v></c>`, `<c s="99"><v>7</v></c>`, `<c s="3"><v>-1</v></c>`) + row(2, num("A2", "5")),
			"table p1: [2023-03-15 12:00|12.5%|2023-03-15|18:00|36:00:00|1234.5|7|-1] [5]\n"},
		"the same cell twice": {row(1, num("A1", "1"), num("A1", "2")) + row(2, num("A2", "3"), num("B2", "4")), "table p1: [1⏎2] [3|4]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := parse(t, book{
				sheets:  []tab{{name: "S", data: c.data}},
				strings: `<si><t>first</t></si><si><r><t>rich</t></r><r><rPr/><t xml:space="preserve"> text</t></r><rPh><t>no</t></rPh></si>`,
				styles: `<numFmts><numFmt numFmtId="164" formatCode="dd/mm/yyyy hh:mm"/><numFmt numFmtId="165" formatCode="0.0%"/><numFmt numFmtId="166" formatCode="[h]:mm"/></numFmts>` +
					`<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="14"/><xf numFmtId="20"/><xf numFmtId="166"/><xf numFmtId="4"/></cellXfs>`,
			})
			if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: S\n"+c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings)+len(d.PageErrors) > 0 || d.Done != 1 {
				t.Errorf("warnings %q, errors %q", d.Warnings, d.PageErrors)
			}
		})
	}
}

func full() book {
	return book{
		props: `date1904="1"`,
		sheets: []tab{
			{name: "Data &amp; more", data: row(1, text("A1", "a"), `<c r="B1"><f>SUM(A:A)</f></c>`), rels: map[string]string{"c": "comments ../comments1.xml", "d": "drawing ../drawings/d.xml"}},
			{name: "Empty"},
			{name: "Secret", attrs: `state="veryHidden"`, data: row(1, text("A1", "b"))},
		},
		parts: map[string]string{
			"comments1.xml": `<comments ` + xNS + `><authors><author>Ann  B.</author><author>tc={1-2}</author></authors><commentList><comment ref="A1" authorId="0"><text><r><t>Why</t></r><r><t> this?</t></r></text></comment>` +
				`<comment ref="A2" authorId="1"><text><t>[Threaded comment]&#10;&#10;Your version&#10;&#10;Comment:&#10;    Really?</t></text></comment></commentList></comments>`,
			"drawings/d.xml":            `<wsDr ` + xNS + `><sp><a:p><a:r><a:t>In a </a:t></a:r><a:r><a:t>box</a:t></a:r></a:p></sp><c:chart r:id="x"/></wsDr>`,
			"drawings/_rels/d.xml.rels": relations(map[string]string{"x": "chart ../charts/c.xml"}),
			"charts/c.xml":              `<c:chartSpace ` + xNS + `><c:title><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:title><c:v>12</c:v></c:chartSpace>`,
		},
	}
}

func TestSheets(t *testing.T) {
	t.Parallel()
	d := parse(t, full())
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: Data & more\nparagraph p1: a\nheading 1 p3: Secret\nparagraph p3: b\n" {
		t.Errorf("got:\n%s", got)
	}
	asides := blocktest.Outline(d.Asides)
	for _, want := range []string{"comment p1 (Ann B.): Why this?\n", "comment p1: Really?\n", "text_box p1: In a box\n", "text_box p1: Sales\n"} {
		if !strings.Contains(asides, want) {
			t.Errorf("no %q in\n%s", want, asides)
		}
	}
	if len(d.Asides) != 4 || len(d.Warnings) != 2 || !strings.Contains(d.Warnings[0], "Secret") || !strings.HasPrefix(d.Warnings[1], block.TextIncomplete+"1 formulas") {
		t.Errorf("%d asides, warnings %q", len(d.Asides), d.Warnings)
	}
	if d.Meta.Pages != 3 || d.Done != 3 {
		t.Errorf("%d pages, %d done", d.Meta.Pages, d.Done)
	}
}

// A sheet without cells is its chart; a conversation has names.
func TestChartsAndConversations(t *testing.T) {
	t.Parallel()
	const spoken = `xmlns="http://schemas.microsoft.com/office/spreadsheetml/2018/threadedcomments"`
	series := func(name string, values ...string) string {
		s := `<c:ser><c:tx><c:strRef><c:f>A!$B$1</c:f><c:strCache><c:pt idx="0"><c:v>` + name + `</c:v></c:pt></c:strCache></c:strRef></c:tx>` +
			`<c:cat><c:numRef><c:numCache><c:pt idx="0"><c:v>2025</c:v></c:pt><c:pt idx="1"><c:v>2026</c:v></c:pt></c:numCache></c:numRef></c:cat><c:val><c:numRef><c:numCache>`
		for i, v := range values {
			s += fmt.Sprintf(`<c:pt idx="%d"><c:v>%s</c:v></c:pt>`, i, v)
		}
		return s + `</c:numCache></c:numRef></c:val></c:ser>`
	}
	d := parse(t, book{
		sheets: []tab{
			{name: "Data", data: row(1, text("A1", "a")), rels: map[string]string{"c": "comments ../comments1.xml", "t": "threadedComment ../threadedComments/t.xml"}},
			{name: "Chart", rels: map[string]string{"d": "drawing ../drawings/d.xml"}},
		},
		rels: map[string]string{"p": "person persons/person.xml"},
		parts: map[string]string{
			"persons/person.xml": `<personList ` + spoken + `><person displayName="Ann B." id="{1}"/><person displayName="Rui" id="{2}"/></personList>`,
			"threadedComments/t.xml": `<ThreadedComments ` + spoken + `><threadedComment ref="A1" personId="{1}" id="{3}"><text>Really?</text></threadedComment>` +
				`<threadedComment ref="A1" personId="{2}" id="{4}" parentId="{3}"><text>Yes.</text></threadedComment></ThreadedComments>`,
			"comments1.xml": `<comments ` + xNS + `><authors><author>tc={3}</author><author>Old</author></authors><commentList>` +
				`<comment ref="A1" authorId="0"><text><t>[Threaded comment]&#10;&#10;Comment:&#10;    Really?&#10;Reply:&#10;    Yes.</t></text></comment>` +
				`<comment ref="A2" authorId="1"><text><t>A note</t></text></comment></commentList></comments>`,
			"drawings/d.xml":            `<wsDr ` + xNS + `><c:chart r:id="x"/></wsDr>`,
			"drawings/_rels/d.xml.rels": relations(map[string]string{"x": "chart ../charts/c.xml"}),
			"charts/c.xml": `<c:chartSpace ` + xNS + `><c:chart><c:title><c:tx><c:rich><a:p><a:r><a:t>Sales</a:t></a:r></a:p></c:rich></c:tx></c:title><c:plotArea><c:barChart>` +
				series("North", "1", "2") + series("South", "3") + `</c:barChart></c:plotArea></c:chart></c:chartSpace>`,
		},
	})
	if got, want := blocktest.Outline(d.Blocks), "heading 1 p1: Data\nparagraph p1: a\nheading 1 p2: Chart\nparagraph p2: Sales\ntable p2 with header: [|North|South] [2025|1|3] [2026|2|]\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	asides := strings.SplitAfter(blocktest.Outline(d.Asides), "\n")
	slices.Sort(asides)
	if got, want := strings.Join(asides, ""), "comment p1 (Ann B.): Really?\ncomment p1 (Old): A note\ncomment p1 (Rui): Yes.\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(row(1, text("B1", "Key"), text("C1", "Value")))
	const n = 3000
	for i := range n {
		b.WriteString(row(i+2, text(fmt.Sprintf("B%d", i+2), strings.Repeat("k", 200)), num("C2", "1")))
	}
	b.WriteString(row(n+2, num("A1", "1"), num("B1", "1"))) // a column that wasn't there before
	d := parse(t, book{sheets: []tab{{data: b.String()}}})
	rows := 0
	for i, b := range d.Blocks[:len(d.Blocks)-1] {
		rows += len(b.Rows)
		if b.Continues != (i > 0) || b.HeaderRow != (i == 0) {
			t.Fatalf("piece %d: continues %v, header %v", i, b.Continues, b.HeaderRow)
		}
	}
	last := d.Blocks[len(d.Blocks)-1]
	if rows+len(last.Rows) != n+2 || len(d.Blocks) < 3 || last.Continues || last.HeaderRow {
		t.Errorf("%d rows in %d pieces, the last %+v", rows, len(d.Blocks), last.Continues)
	}
}

func TestStrewnCellsTakeNoMoreThanTheyAre(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 3000 {
		name := ""
		for c := i + 1; c > 0; c = (c - 1) / 26 {
			name = string(rune('A'+(c-1)%26)) + name
		}
		b.WriteString(row(i+1, num(name, "1")))
	}
	d := parse(t, book{sheets: []tab{{data: b.String()}}})
	cells := 0
	for _, b := range d.Blocks {
		for _, r := range b.Rows {
			cells += len(r)
		}
	}
	if cells > 40000 {
		t.Errorf("%d cells made of 3000", cells)
	}
	long := strings.Repeat("x", 256<<10)
	d = parse(t, book{sheets: []tab{{data: row(1, text("A1", "a"), text("B1", "b")) + row(2, text("A2", long), text("B2", "c"))}}})
	if got := blocktest.Outline(d.Blocks); got != "table p1: [a|b]\nparagraph p1: "+long+"\nparagraph p1: c\n" {
		t.Errorf("a wide row: %.200s", got)
	}
}

func TestOneDamagedSheetLeavesTheOthers(t *testing.T) {
	t.Parallel()
	f := book{sheets: []tab{{name: "A", data: row(1, num("A1", "1"))}, {name: "B", data: row(1, num("A1", "2")) + "<row><c>"}, {name: "C", data: "</x>"}, {name: "D"}}}
	f.parts = map[string]string{"worksheets/sheet1.xml": "<html/>", "sharedStrings.xml": "<sst><si>"}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{})
	if len(d.Blocks) != 4 || len(d.PageErrors) != 2 || len(d.Warnings) != 2 || d.Done != 4 {
		t.Errorf("%s errors %q, warnings %q, %d done", blocktest.Outline(d.Blocks), d.PageErrors, d.Warnings, d.Done)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	three := book{sheets: []tab{{data: row(1, num("A1", "1"))}, {}, {}}}
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"no sheets":       {book{}.pack(t), block.Options{}, block.CodeNoText},
		"empty sheets":    {book{sheets: []tab{{name: "x"}}}.pack(t), block.Options{}, block.CodeNoText},
		"only damage":     {book{sheets: []tab{{name: "x", data: "<"}}}.pack(t), block.Options{}, block.CodeCorrupt},
		"too many sheets": {three.pack(t), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"no zip":          {[]byte("PK\x03\x04 no"), block.Options{}, block.CodeCorrupt},
		"cut short":       {three.pack(t)[:900], block.Options{}, block.CodeCorrupt},
		"no main part":    {zipOf(t, map[string]string{"[Content_Types].xml": "<Types/>"}), block.Options{}, block.CodeCorrupt},
		"another root":    {book{parts: map[string]string{"workbook.xml": "<x/>"}}.pack(t), block.Options{}, block.CodeCorrupt},
		"deep":            {book{sheets: []tab{{data: strings.Repeat("<row>", 600)}}}.pack(t), block.Options{}, block.CodeBomb},
		"too deep":        {three.pack(t), block.Options{MaxNesting: 2}, block.CodeBomb},
		"expanding":       {book{sheets: []tab{{data: strings.Repeat("<row/>", 900<<10)}}}.pack(t), block.Options{}, block.CodeBomb},
		"many strings":    {book{sheets: []tab{{}}, strings: strings.Repeat("<si/>", 1100<<10)}.pack(t), block.Options{}, block.CodeBomb},
		"over the budget": {book{sheets: []tab{{data: strings.Repeat(row(1, num("A1", "1")), 1000)}}}.pack(t), block.Options{MaxExpanded: 10 << 10}, block.CodeBomb},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	f := book{}
	for i := range 5 {
		f.sheets = append(f.sheets, tab{data: row(1, num("A1", fmt.Sprint(i+1)))})
	}
	d := blocktest.Parse(t, Parse, f.pack(t), block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" {
		t.Errorf("got %s", got)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full().pack(t)
	gone := errors.New("reader gone")
	for after := range 10 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := book{sheets: []tab{{data: strings.Repeat(row(1, num("A1", "1")), 2000)}}}.pack(t)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full().pack(f))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}

// FuzzSheet mutates the XML itself, which hardly any mutant of the packed file
// reaches.
func FuzzSheet(f *testing.F) {
	f.Add(row(1, text("A1", "a"), num("B1", "2"))+row(3, `<c r="ZZ3" s="1" t="s"><v>0</v></c>`), `<si><r><t>x</t></r></si>`, `h:mm;[Red]"x"\y`)
	f.Add(`<row><c><f/></c><c t="b"><v>1</v></c></row>`, "", "0.00%")
	f.Fuzz(func(t *testing.T, rows, list, code string) {
		code = strings.NewReplacer("&", "", "<", "", `"`, "&quot;").Replace(code)
		b := book{sheets: []tab{{name: "S", data: rows}}, strings: list, styles: `<numFmts><numFmt numFmtId="170" formatCode="` + code + `"/></numFmts><cellXfs><xf/><xf numFmtId="170"/></cellXfs>`}
		d, err := blocktest.Try(t, Parse, b.pack(t), block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
