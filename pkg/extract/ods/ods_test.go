package ods

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

func book(t testing.TB, sheets ...string) []byte {
	t.Helper()
	return odftest.File{
		Kind:       "spreadsheet",
		AutoStyles: `<style:style style:name="gone" style:family="table"><style:table-properties table:display="false"/></style:style>`,
		Body:       strings.Join(sheets, ""),
		Parts:      map[string]string{"meta.xml": `<office:document-meta ` + odftest.NS + `><office:meta><dc:title>A  title</dc:title><meta:document-statistic meta:table-count="2"/></office:meta></office:document-meta>`},
	}.Pack(t)
}

func tab(name string, rows ...string) string {
	return `<table:table table:name="` + name + `"><table:table-column table:number-columns-repeated="16384"/>` + strings.Join(rows, "") + `</table:table>`
}

func row(cells ...string) string {
	return `<table:table-row>` + strings.Join(cells, "") + `</table:table-row>`
}

func text(s string) string {
	return `<table:table-cell office:value-type="string"><text:p>` + s + `</text:p></table:table-cell>`
}

func num(shown, value string) string {
	return `<table:table-cell office:value-type="float" office:value="` + value + `"><text:p>` + shown + `</text:p></table:table-cell>`
}

func gap(n int) string {
	return fmt.Sprintf(`<table:table-cell table:number-columns-repeated="%d"/>`, n)
}

func TestSheets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sheets []string
		want   string
	}{
		"values are as they are shown": {
			[]string{tab("Sales", row(text("Name"), text("Price"), text("When")), row(text("Tea"), num("1.234,50 €", "1234.5"),
				`<table:table-cell office:value-type="date" office:date-value="2024-05-06"><text:p>6. Mai 2024</text:p></table:table-cell>`))},
			"heading 1 p1: Sales\ntable p1 with header: [Name|Price|When] [Tea|1.234,50 €|6. Mai 2024]\n",
		},
		"values without a text": {
			[]string{tab("S", row(`<table:table-cell office:value-type="float" office:value="2.5"/>`, `<table:table-cell office:value-type="boolean" office:boolean-value="true"/>`,
				`<table:table-cell office:value-type="date" office:date-value="2024-05-06"/>`, `<table:table-cell office:value-type="time" office:time-value="PT1H"/>`, `<table:table-cell office:value-type="string" office:string-value="s"/>`), row(num("1", "1")))},
			"heading 1 p1: S\ntable p1: [2.5|true|2024-05-06|PT1H|s] [1]\n",
		},
		"empty cells, rows and columns": {
			[]string{tab("S", row(gap(3), text("Title")), row(gap(16384)), row(text("a"), gap(2), text("b"), gap(16380)), row(num("1", "1"), gap(2), num("2", "2")),
				`<table:table-row table:number-rows-repeated="1048000">`+gap(16384)+`</table:table-row>`)},
			"heading 1 p1: S\nparagraph p1: Title\ntable p1 with header: [a|b] [1|2]\n",
		},
		"repeated with text": {
			[]string{tab("S", row(text("h"), text("i"), text("j")), `<table:table-row table:number-rows-repeated="2">`+
				`<table:table-cell office:value-type="float" office:value="7" table:number-columns-repeated="3"><text:p>7</text:p></table:table-cell></table:table-row>`)},
			"heading 1 p1: S\ntable p1 with header: [h|i|j] [7|7|7] [7|7|7]\n",
		},
		"lines, groups and merged cells": {
			[]string{tab("S", `<table:table-header-rows>`+row(text("a"), text("b"))+`</table:table-header-rows><table:table-row-group><table:table-rows>`+
				row(`<table:table-cell office:value-type="string" table:number-columns-spanned="2"><text:p>one</text:p><text:p>two<text:s text:c="2"/>x</text:p></table:table-cell><table:covered-table-cell/>`)+`</table:table-rows></table:table-row-group>`, row(num("1", "1"), num("2", "2")))},
			"heading 1 p1: S\ntable p1 with header: [a|b] [one⏎two x] [1|2]\n",
		},
		"several": {
			[]string{`<table:calculation-settings/>`, tab("A", row(text("1"))), tab("Empty"), tab("'file:///x.ods'#$A", row(text("no"))), tab("C", row(text("3")))},
			"heading 1 p1: A\nparagraph p1: 1\nheading 1 p3: C\nparagraph p3: 3\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, book(t, c.sheets...), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings)+len(d.PageErrors)+len(d.Asides) > 0 || d.Meta.Title != "A title" || d.Done != d.Meta.Pages {
				t.Errorf("warnings %q, %d asides, %d done, %+v", d.Warnings, len(d.Asides), d.Done, d.Meta)
			}
		})
	}
}

func full(t testing.TB) []byte {
	return book(t, tab("Data", row(text("a"), `<table:table-cell table:formula="of:=[.A1]"/>`,
		`<table:table-cell office:value-type="string"><office:annotation><dc:creator>Ann</dc:creator><text:p>Why?</text:p></office:annotation><text:p>b</text:p></table:table-cell>`),
		`<table:shapes><draw:frame><draw:text-box><text:p>In a box</text:p></draw:text-box></draw:frame></table:shapes>`),
		strings.Replace(tab("Secret", row(text("c"))), "<table:table ", `<table:table table:style-name="gone" `, 1))
}

func TestWhatStandsApart(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: Data\ntable p1: [a|b]\nheading 1 p2: Secret\nparagraph p2: c\n" {
		t.Errorf("got:\n%s", got)
	}
	if got := blocktest.Outline(d.Asides); got != "comment p1 (Ann): Why?\ntext_box p1: In a box\n" {
		t.Errorf("asides:\n%s", got)
	}
	if len(d.Warnings) != 2 || !strings.Contains(d.Warnings[0], "Secret") || !strings.HasPrefix(d.Warnings[1], block.TextIncomplete+"1 formulas") {
		t.Errorf("warnings %q", d.Warnings)
	}
}

// A few bytes may say that they stand for a sheet of 17 thousand million cells.
func TestRepeatsAreBounded(t *testing.T) {
	t.Parallel()
	for name, cell := range map[string]string{"short": "x", "long": strings.Repeat("x", 100<<10)} {
		wide := `<table:table-row table:number-rows-repeated="1048576"><table:table-cell office:value-type="string" table:number-columns-repeated="16384"><text:p>` + cell + `</text:p></table:table-cell></table:table-row>`
		d := blocktest.Parse(t, Parse, book(t, tab("S", wide, wide, row(text("last"), text("row")))), block.Options{})
		cells, bytes := 0, 0
		for _, b := range d.Blocks {
			bytes += len(b.Text)
			for _, r := range b.Rows {
				for _, c := range r {
					cells++
					bytes += len(c)
				}
			}
		}
		if cells > maxCopies+1000 || bytes > maxCopied+10*len(cell) || len(d.Warnings) != 1 {
			t.Errorf("%s: %d cells, %d bytes, warnings %q", name, cells, bytes, d.Warnings)
		}
		if !strings.Contains(blocktest.Outline(d.Blocks[len(d.Blocks)-1:]), "last") {
			t.Errorf("%s: the last row is missing", name)
		}
	}
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	var sheets []string
	for i := range 5 {
		sheets = append(sheets, tab("", row(text(fmt.Sprint(i+1)))))
	}
	d := blocktest.Parse(t, Parse, book(t, sheets...), block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" {
		t.Errorf("got %s", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	one := tab("S", row(text("a")))
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"no sheets":       {book(t), block.Options{}, block.CodeNoText},
		"empty sheets":    {book(t, tab("S", row(gap(3)))), block.Options{}, block.CodeNoText},
		"damage at once":  {book(t, `<table:table>`), block.Options{}, block.CodeCorrupt},
		"too many sheets": {book(t, one, one, one), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"no zip":          {[]byte("PK\x03\x04 no"), block.Options{}, block.CodeCorrupt},
		"cut short":       {book(t, one)[:700], block.Options{}, block.CodeCorrupt},
		"deep":            {book(t, strings.Repeat(`<table:table><table:table-row><table:table-cell>`, 300)), block.Options{}, block.CodeBomb},
		"expanding":       {book(t, tab("S", strings.Repeat(row(), 300<<10))), block.Options{}, block.CodeBomb},
		"over the budget": {book(t, tab("S", strings.Repeat(row(text("a")), 1000))), block.Options{MaxExpanded: 10 << 10}, block.CodeBomb},
		"encrypted": {odftest.File{Kind: "spreadsheet", Parts: map[string]string{"META-INF/manifest.xml": `<manifest:manifest ` + odftest.NS +
			`><manifest:file-entry manifest:full-path="content.xml"><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`}}.Pack(t), block.Options{}, block.CodeEncrypted},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

func TestWhatWasReadBeforeDamageIsKept(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, book(t, tab("A", row(text("a"))), tab("B", row(text("b")), `<table:table-row>`)), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: A\nparagraph p1: a\nheading 1 p2: B\nparagraph p2: b\n" {
		t.Errorf("got %s", got)
	}
	if len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("warnings %q", d.Warnings)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full(t)
	gone := errors.New("reader gone")
	for after := range 10 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := book(t, tab("S", strings.Repeat(row(text("a")), 2000)))
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// FuzzParse mutates the XML itself, which hardly any mutant of the packed file
// reaches.
func FuzzParse(f *testing.F) {
	f.Add(tab("S", row(text("a"), num("2", "2")), row(gap(16384))))
	f.Add(`<table:table><table:table-row table:number-rows-repeated="99"><table:table-cell table:number-columns-repeated="99" office:value-type="float" office:value="1"/>`)
	f.Add(tab("S", `<table:table-row-group>`+row(`<table:covered-table-cell><text:p>x<office:annotation/></text:p></table:covered-table-cell>`)))
	f.Fuzz(func(t *testing.T, body string) {
		d, err := blocktest.Try(t, Parse, book(t, body), block.Options{MaxExpanded: 4 << 20})
		blocktest.Check(t, d, err)
	})
}
