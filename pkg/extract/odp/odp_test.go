package odp

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/odf/odftest"
)

func show(t testing.TB, parts map[string]string, slides ...string) []byte {
	t.Helper()
	return odftest.File{
		Kind:       "presentation",
		AutoStyles: `<style:style style:name="gone" style:family="drawing-page"><style:drawing-page-properties presentation:visibility="hidden"/></style:style>`,
		Masters: `<style:master-page style:name="M"><draw:frame presentation:class="title"><draw:text-box>` + p("Click to edit") + `</draw:text-box></draw:frame>` +
			`<draw:custom-shape>` + p("ACME") + `</draw:custom-shape></style:master-page>`,
		Body:  strings.Join(slides, ""),
		Parts: parts,
	}.Pack(t)
}

func p(s string) string { return `<text:p>` + s + `</text:p>` }

func page(shapes ...string) string {
	return `<draw:page draw:name="page1">` + strings.Join(shapes, "") + `</draw:page>`
}

// box is a text box at x, y in centimetres.
func box(class string, x, y float64, content string) string {
	return fmt.Sprintf(`<draw:frame presentation:class="%s" svg:x="%gcm" svg:y="%gcm" svg:width="5cm" svg:height="2cm"><draw:text-box>%s</draw:text-box></draw:frame>`, class, x, y, content)
}

func TestSlides(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		slides []string
		want   string
	}{
		"the title comes first, then columns": {
			[]string{page(box("outline", 10, 5, p("right")), box("outline", 1, 5, `<text:list><text:list-item>`+p("left")+`<text:list><text:list-item>`+p("below")+`</text:list-item></text:list></text:list-item></text:list>`), box("title", 1, 1, p("The")+p("title")))},
			"heading 1 p1: The title\nlist_item p1: left\nlist_item 1 p1: below\nparagraph p1: right\n",
		},
		"shapes, groups and links": {
			[]string{page(`<draw:custom-shape svg:x="1cm" svg:y="1in">`+p("shape")+`</draw:custom-shape>`, `<draw:a>`+box("", 1, 9, p("linked"))+`</draw:a>`,
				`<draw:g><draw:g>`+box("", 9, 9, p("second"))+box("", 1, 9, p("first"))+`</draw:g></draw:g>`, `<draw:line svg:x1="1cm"/>`, `<draw:frame><draw:image><text:p/></draw:image><svg:title>no</svg:title></draw:frame>`)},
			"paragraph p1: shape\nparagraph p1: linked\nparagraph p1: first\nparagraph p1: second\n",
		},
		"tables": {
			[]string{page(`<draw:frame svg:x="1cm" svg:y="1cm"><table:table><table:table-row><table:table-cell>` + p("a") + `</table:table-cell><table:table-cell>` + p("b") + `</table:table-cell></table:table-row>` +
				`<table:table-row><table:table-cell>` + p("1") + `</table:table-cell><table:table-cell>` + p("2") + `</table:table-cell></table:table-row></table:table><draw:image>` + p("again") + `</draw:image></draw:frame>`)},
			"table p1: [a|b] [1|2]\n",
		},
		"charts": {
			[]string{page(box("title", 1, 1, p("Sales")), `<draw:frame><draw:object xlink:href="./Object 1"/><draw:image/></draw:frame>`, `<draw:frame><draw:object xlink:href="./Object 9"/></draw:frame>`)},
			"heading 1 p1: Sales\nparagraph p1: By year\ntable p1: [|A] [2020|7]\n",
		},
		"several": {[]string{page(box("title", 1, 1, p("One"))), page(), page(box("subtitle", 1, 1, p("Three")))}, "heading 1 p1: One\nparagraph p3: Three\n"},
		"prompts": {[]string{page(strings.Replace(box("title", 1, 1, p("Click here")), "<draw:frame ", `<draw:frame presentation:placeholder="true" `, 1), box("", 1, 1, p("x")))}, "paragraph p1: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, show(t, map[string]string{"Object 1/content.xml": `<office:document-content ` + odftest.NS + `><office:body><office:chart><chart:chart><chart:title>` + p("By year") + `</chart:title><chart:plot-area/>` +
				`<table:table><table:table-header-columns/><table:table-header-rows><table:table-row><table:table-cell/><table:table-cell>` + p("A") + `</table:table-cell></table:table-row></table:table-header-rows>` +
				`<table:table-rows><table:table-row><table:table-cell>` + p("2020") + `</table:table-cell><table:table-cell>` + p("7") + `</table:table-cell></table:table-row></table:table-rows></table:table></chart:chart></office:chart></office:body></office:document-content>`}, c.slides...), block.Options{})
			blocktest.Check(t, d, nil)
			got := strings.Replace(blocktest.Outline(d.Blocks), "table p1 with header", "table p1", 1)
			if got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if got := blocktest.Outline(d.Asides); got != "text_box: ACME\n" || len(d.Warnings) > 0 || d.Done != len(c.slides) || d.Meta.Pages != len(c.slides) {
				t.Errorf("asides %s warnings %q, %d done, %+v", got, d.Warnings, d.Done, d.Meta)
			}
		})
	}
}

func full(t testing.TB) []byte {
	notes := `<presentation:notes><draw:page-thumbnail presentation:class="page"/><draw:frame presentation:class="notes"><draw:text-box>` + p("Say") + p("this") + `</draw:text-box></draw:frame></presentation:notes>`
	return show(t, nil, `<presentation:footer-decl presentation:name="f">Shared  footer</presentation:footer-decl>`,
		page(box("title", 1, 1, p("One")), box("footer", 1, 20, p("Own footer")), box("page-number", 9, 20, p("1")), `<office:annotation><dc:creator>Ann</dc:creator><dc:date>x</dc:date>`+p("Why?")+`</office:annotation>`, notes),
		strings.Replace(page(box("", 1, 1, p("two"))), "<draw:page ", `<draw:page draw:style-name="gone" `, 1))
}

func TestWhatStandsApart(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full(t), block.Options{})
	want := "footer: Shared footer\nfooter p1: Own footer\ncomment p1 (Ann): Why?\nnote p1: Say⏎this\ntext_box: ACME\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: One\nparagraph p2: two\n" || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "slide 2 is hidden") {
		t.Errorf("%s warnings %q", got, d.Warnings)
	}
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	var slides []string
	for i := range 5 {
		slides = append(slides, page(box("", 1, 1, p(fmt.Sprint(i+1)))))
	}
	d := blocktest.Parse(t, Parse, show(t, nil, slides...), block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" {
		t.Errorf("got %s", got)
	}
}

func TestLargeSlidesAreNotHeld(t *testing.T) {
	t.Parallel()
	var shapes []string
	for i := range 22 {
		shapes = append(shapes, box("", float64(40-i), 1, p(strings.Repeat("x", 200<<10))))
	}
	d := blocktest.Parse(t, Parse, show(t, nil, page(append(shapes, `<draw:g>`+strings.Join(shapes, "")+`</draw:g>`)...)), block.Options{MaxRatio: 2000})
	if len(d.Blocks) != 44 {
		t.Errorf("%d blocks", len(d.Blocks))
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	bare := func(body string) []byte { return odftest.File{Kind: "presentation", Body: body}.Pack(t) }
	one := page(box("", 1, 1, p("a")))
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"no slides":       {bare(""), block.Options{}, block.CodeNoText},
		"empty slides":    {bare(page()), block.Options{}, block.CodeNoText},
		"damage at once":  {bare(`<draw:page>`), block.Options{}, block.CodeCorrupt},
		"too many slides": {bare(one + one + one), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"no zip":          {[]byte("PK\x03\x04 no"), block.Options{}, block.CodeCorrupt},
		"deep":            {bare(page(strings.Repeat(`<draw:g>`, 600))), block.Options{}, block.CodeBomb},
		"expanding":       {bare(page(strings.Repeat(`<draw:line></draw:line>`, 300<<10))), block.Options{}, block.CodeBomb},
		"not one":         {odftest.File{Kind: "presentation", Parts: map[string]string{"content.xml": "<html/>"}}.Pack(t), block.Options{}, block.CodeCorrupt},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full(t)
	gone := errors.New("reader gone")
	for after := range 12 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
}

// FuzzParse mutates the XML itself.
func FuzzParse(f *testing.F) {
	f.Add(page(box("title", 1, 1, p("a")), `<draw:g>`+box("", 1, 2, p("b"))+`</draw:g>`))
	f.Add(`<draw:page><presentation:notes><draw:frame><draw:text-box><text:p>n</text:p></draw:text-box></draw:frame></presentation:notes><draw:frame><table:table/><draw:object xlink:href="../x"/>`)
	f.Fuzz(func(t *testing.T, body string) {
		d, err := blocktest.Try(t, Parse, show(t, nil, body), block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
