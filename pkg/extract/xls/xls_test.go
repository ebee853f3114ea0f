package xls

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// styles are General, a date and time, a percentage, and a built-in date.
func styles() []byte {
	return slices.Concat(rec(recFormat, slices.Concat(u16s(164), long("dd/mm/yyyy hh:mm"))), rec(recFormat, slices.Concat(u16s(165), long(`0.0%"é中"`))),
		rec(recXF, u16s(0, 0)), rec(recXF, u16s(0, 164)), rec(recXF, u16s(0, 165)), rec(recXF, u16s(0, 14)))
}

// sst is a list of shared texts of which one looks different in parts and one
// goes on in the next record, with other characters there.
func sst() []byte {
	plain, wide := long("plain"), long("中文")
	rich := slices.Concat(u16s(4), []byte{8 | 4}, u16s(1), u32(3), []byte("rich"), []byte{1, 2, 3, 4}, []byte("phn"))
	cut := slices.Concat(u16s(6), []byte{0}, []byte("abc"))
	rest := slices.Concat([]byte{1}, u16s('d', 'é', '中'), long("last"))
	return rec(recSST, slices.Concat(u32(9), u32(5), plain, wide, rich, cut), rest)
}

func TestCells(t *testing.T) {
	t.Parallel()
	text := append([]byte{}, label(0, 0, "Name")...)
	header := slices.Concat(text, label(0, 1, "Value"))
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"a table with a header": {slices.Concat(header, label(1, 0, "x"), num(1, 1, 1.5)), "table p1 with header: [Name|Value] [x|1.5]\n"},
		"shared texts":          {slices.Concat(shared(0, 0, 0), shared(0, 1, 1), shared(0, 2, 2), shared(0, 3, 3), shared(0, 4, 4), shared(0, 5, 99), num(1, 0, 1)), "table p1 with header: [plain|中文|rich|abcdé中|last] [1]\n"},
		"numbers of all kinds": {slices.Concat(rec(recRK, slices.Concat(at(0, 0, 0), u32(-7<<2|2))), rec(recRK, slices.Concat(at(0, 1, 0), u32(12345<<2|3))), rec(recRK, slices.Concat(at(0, 2, 0), u32(0x3ff80000))),
			rec(recMulRK, slices.Concat(u16s(0, 3), u16s(0), u32(1<<2|2), u16s(2), u32(1<<2|3), u16s(4))), num(1, 0, 0.30000000000000004)), "table p1: [-7|123.45|1.5|1|1.0%] [0.3]\n"},
		"formats": {slices.Concat(rec(recNumber, slices.Concat(at(0, 0, 1), f64(45000.5))), rec(recNumber, slices.Concat(at(0, 1, 2), f64(0.125))), rec(recNumber, slices.Concat(at(0, 2, 3), f64(45000))),
			rec(recNumber, slices.Concat(at(0, 3, 99), f64(7))), num(1, 0, 5)), "table p1: [2023-03-15 12:00|12.5%|2023-03-15|7] [5]\n"},
		"results of formulas": {slices.Concat(formula(0, 0, f64(2)), formula(0, 1, special(0, 0)), rec(0x4bc, []byte("shared")), rec(recString, u16s(4), nil), formula(0, 2, special(1, 1)), formula(0, 3, special(2, 7)), formula(0, 4, special(3, 0)), num(1, 0, 1),
			formula(1, 1, special(0, 0)), rec(recString, long("done é中"))), "table p1: [2||TRUE|#DIV/0!] [1|done é中]\n"},
		"truth and errors": {slices.Concat(rec(recBoolErr, at(0, 0, 0), nil), rec(recBoolErr, append(at(0, 1, 0), 1, 0)), rec(recBoolErr, append(at(0, 2, 0), 0x2a, 1)), num(1, 0, 1)), "table p1: [FALSE|TRUE|#N/A] [1]\n"},
		"empty rows divide": {slices.Concat(label(0, 1, "Title"), label(2, 1, "a"), label(2, 2, "b"), num(3, 1, 1), num(3, 2, 2), label(9, 1, "c"), label(9, 2, "d"), num(10, 1, 3)),
			"paragraph p1: Title\ntable p1 with header: [a|b] [1|2]\ntable p1 with header: [c|d] [3]\n"},
		"texts with looks and lines": {slices.Concat(rec(recRString, slices.Concat(at(0, 0, 0), long("r i c h"), u16s(1, 0))), label(0, 1, "one\ntwo\x00"), num(1, 0, 1)), "table p1 with header: [r i c h|one⏎two] [1]\n"},
		"charts are not cells": {slices.Concat(header, bof(bofChart), rec(recSeriesText, slices.Concat(u16s(0), short("Sales"))), num(0, 0, 9), rec(recEOF, nil), label(1, 0, "x"), num(1, 1, 1)),
			"table p1 with header: [Name|Value] [x|1]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, book{globals: slices.Concat(styles(), sst()), sheets: []tab{{name: "S", data: c.data}}}.pack(t), block.Options{})
			blocktest.Check(t, d, nil)
			want := "heading 1 p1: S\n" + c.want
			if got := blocktest.Outline(d.Blocks); got != want {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
			if len(d.Warnings)+len(d.PageErrors) > 0 || d.Done != 1 {
				t.Errorf("warnings %q, errors %q", d.Warnings, d.PageErrors)
			}
		})
	}
}

func full() book {
	object := func(id int) []byte { return rec(recObj, slices.Concat(u16s(0x15, 18, 0x19, id), make([]byte, 14))) }
	drawn := func(s string) []byte {
		return rec(recTxO, slices.Concat(make([]byte, 10), u16s(len([]rune(s)), 16), make([]byte, 4)), chars(s), make([]byte, 16))
	}
	comments := slices.Concat(object(7), drawn("Ann:\nWhy é中?"), object(8), drawn("In a box"), rec(recNote, slices.Concat(u16s(0, 0, 0, 7), long("Ann"))))
	return book{
		globals: slices.Concat(rec(recDateMode, u16s(1)), styles()),
		sheets: []tab{
			{name: "Dados é", data: slices.Concat(rec(recNumber, slices.Concat(at(0, 0, 3), f64(1))), comments)},
			{name: "Empty"},
			{name: "Macros", kind: 6},
			{name: "Secret 中", state: 2, data: label(0, 0, "b")},
			{name: "Chart", kind: 2, data: slices.Concat(rec(recSeriesText, slices.Concat(u16s(0), short("Total"))), num(0, 0, 3))},
		},
	}
}

func TestSheets(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full().pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: Dados é\nparagraph p1: 1904-01-02\nheading 1 p3: Secret 中\nparagraph p3: b\n" {
		t.Errorf("got:\n%s", got)
	}
	if got := blocktest.Outline(d.Asides); got != "comment p1 (Ann): Why é中?\ntext_box p1: In a box\ntext_box p4: Total\n" {
		t.Errorf("asides:\n%s", got)
	}
	if len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "Secret 中") || d.Meta.Pages != 4 || d.Done != 4 {
		t.Errorf("warnings %q, %d pages, %d done", d.Warnings, d.Meta.Pages, d.Done)
	}
}

func TestExcel5(t *testing.T) {
	t.Parallel()
	narrow := func(row, column int, s string) []byte {
		return rec(recLabel, slices.Concat(at(row, column, 0), u16s(len(s)), []byte(s)))
	}
	b := book{
		old:     true,
		globals: slices.Concat(rec(recCodePage, u16s(1251)), rec(recFormat, slices.Concat(u16s(164), []byte("\x0add/mm/yyyy"))), rec(recXF, u16s(0, 164))),
		sheets: []tab{{name: "\xcf\xf0", data: slices.Concat(narrow(0, 0, "\xcf"), num(0, 1, 45000), formula(1, 0, special(0, 0)), rec(recString, slices.Concat(u16s(2), []byte("ok"))),
			rec(recNote, slices.Concat(u16s(0, 0, 4), []byte("note"))))}},
	}
	d := blocktest.Parse(t, Parse, b.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: Пр\ntable p1: [П|2023-03-15] [ok]\n" {
		t.Errorf("got:\n%s", got)
	}
	if got := blocktest.Outline(d.Asides); got != "comment p1: note\n" {
		t.Errorf("asides:\n%s", got)
	}
}

func TestOneDamagedSheetLeavesTheOthers(t *testing.T) {
	t.Parallel()
	b := book{sheets: []tab{{name: "A", data: label(0, 0, "a")}, {name: "B", data: label(0, 0, "b")}, {name: "C", data: label(0, 0, "c")}}}
	raw := b.stream()
	raw = raw[:len(raw)-4]                                       // the end of C is cut
	place := slices.Index(raw, recBoundSheet) + 4                // of A
	binary.LittleEndian.PutUint32(raw[place:], uint32(len(raw))) // is outside
	d := blocktest.Parse(t, Parse, oletest.Container(t, map[string][]byte{"Workbook": raw}), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p2: B\nparagraph p2: b\nheading 1 p3: C\nparagraph p3: c\n" {
		t.Errorf("got:\n%s", got)
	}
	if len(d.PageErrors) != 1 || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) || d.Done != 3 {
		t.Errorf("errors %q, warnings %q, %d done", d.PageErrors, d.Warnings, d.Done)
	}
}

func TestLargeTablesComeInPieces(t *testing.T) {
	t.Parallel()
	data := slices.Concat(label(0, 0, "Key"), label(0, 1, "Value"))
	const n = 3000
	for i := range n {
		data = append(append(data, label(i+1, 0, strings.Repeat("k", 200))...), num(i+1, 1, 1)...)
	}
	d := blocktest.Parse(t, Parse, book{sheets: []tab{{data: data}}}.pack(t), block.Options{})
	rows := 0
	for i, b := range d.Blocks {
		rows += len(b.Rows)
		if b.Continues != (i > 0) || b.HeaderRow != (i == 0) {
			t.Fatalf("piece %d: continues %v, header %v", i, b.Continues, b.HeaderRow)
		}
	}
	if rows != n+1 || len(d.Blocks) < 2 {
		t.Errorf("%d rows in %d pieces", rows, len(d.Blocks))
	}
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	b := book{}
	for i := range 5 {
		b.sheets = append(b.sheets, tab{data: label(0, 0, fmt.Sprint(i+1))})
	}
	d := blocktest.Parse(t, Parse, b.pack(t), block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" {
		t.Errorf("got %s", got)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	one := tab{name: "A", data: label(0, 0, "a")}
	stream := func(b []byte) []byte { return oletest.Container(t, map[string][]byte{"Workbook": b}) }
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"empty sheets":      {book{sheets: []tab{{name: "A"}}}.pack(t), block.Options{}, block.CodeNoText},
		"no sheets":         {book{}.pack(t), block.Options{}, block.CodeNoText},
		"encrypted":         {book{globals: rec(recFilePass, make([]byte, 54)), sheets: []tab{one}}.pack(t), block.Options{}, block.CodeEncrypted},
		"too many sheets":   {book{sheets: []tab{one, one, one}}.pack(t), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"another version":   {book{version: 0x0700}.pack(t), block.Options{}, block.CodeUnsupported},
		"Excel 4":           {stream(rec(0x0409, u16s(0, 0x10))), block.Options{}, block.CodeUnsupported},
		"junk":              {stream([]byte(strings.Repeat("junk", 100))), block.Options{}, block.CodeCorrupt},
		"no stream":         {oletest.Container(t, map[string][]byte{"x": nil}), block.Options{}, block.CodeCorrupt},
		"ends at once":      {stream(book{sheets: []tab{one}}.stream()[:16]), block.Options{}, block.CodeCorrupt},
		"only damage":       {stream(book{sheets: []tab{one}}.stream()[:40]), block.Options{}, block.CodeCorrupt},
		"not one":           {[]byte("PK\x03\x04"), block.Options{}, block.CodeCorrupt},
		"cut in the middle": {book{sheets: []tab{one}}.pack(t)[:600], block.Options{}, block.CodeCorrupt},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
	}
}

// A list of shared texts may claim any number of them, and hold very many that
// are empty.
func TestSharedTextsAreBounded(t *testing.T) {
	t.Parallel()
	raw := book{globals: rec(recSST, slices.Concat(u32(1<<31-1), u32(1<<31-1)), make([]byte, 3*2700), make([]byte, 3*2700)), sheets: []tab{{data: label(0, 0, "a")}}}.stream()
	for most, cut := range map[int]bool{1000: true, 10_000: false} {
		s := &blocktest.Sink{}
		w := &workbook{ctx: context.Background(), sink: s, data: raw, mostStrings: most}
		if err := w.parse(0); err != nil {
			t.Fatal(err)
		}
		if len(w.strings) > most || (len(s.Warnings) > 0) != cut || len(s.Blocks) != 1 {
			t.Errorf("%d texts of at most %d, %d blocks, warnings %q", len(w.strings), most, len(s.Blocks), s.Warnings)
		}
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := full().pack(t)
	gone := errors.New("reader gone")
	for after := range 12 {
		s := &blocktest.Sink{Err: gone, FailAfter: after}
		if err := Parse(context.Background(), blocktest.File(t, raw), int64(len(raw)), block.Options{}, s); !errors.Is(err, gone) {
			t.Errorf("after %d calls: %v", after, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	large := book{sheets: []tab{{data: slices.Repeat(num(0, 0, 1), 5000)}}}.pack(t)
	if err := Parse(ctx, blocktest.File(t, large), int64(len(large)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// FuzzParse mutates the stream itself, which hardly any mutant of the container
// reaches.
func FuzzParse(f *testing.F) {
	f.Add(full().stream())
	f.Add(book{globals: slices.Concat(styles(), sst()), sheets: []tab{{name: "S", data: slices.Concat(shared(0, 0, 3), formula(1, 0, special(0, 0)), rec(recString, long("x")))}}}.stream())
	f.Add(book{old: true, sheets: []tab{{name: "S", data: num(0, 0, 1)}}}.stream())
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 1<<20 {
			return
		}
		d, err := blocktest.Try(t, Parse, oletest.Container(t, map[string][]byte{"Workbook": raw}), block.Options{})
		blocktest.Check(t, d, err)
	})
}
