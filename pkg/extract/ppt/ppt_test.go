package ppt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

const kindOther = 4

func TestSlides(t *testing.T) {
	t.Parallel()
	ref := func(n int) []byte { return rec(recOutlineRef, u32s(n)) }
	levels := rec(recStyleText, u32s(4), u16s(0), u32s(0), u32s(4), u16s(1), u32s(0x100|0x8), u16s(1, 5), u32s(20), u16s(0), u32s(1), u16s(0))
	for name, c := range map[string]struct {
		pages []page
		want  string
	}{
		"the title comes first, then columns": {
			[]page{{contents: drawing(shape(500, 300, 0, words(kindOther, "right")), shape(0, 300, 14, words(kindBody, "one\rtwo\rno item", levels)), shape(0, 0, 13, words(kindTitle, "The\vtitle é中")))}},
			"heading 1 p1: The title é中\nlist_item p1: one\nlist_item 1 p1: two\nparagraph p1: no item\nparagraph p1: right\n",
		},
		"texts in the list of slides": {
			[]page{{texts: slices.Concat(words(kindTitle, "Outline"), words(kindBody, "a\rb"), words(kindOther, "unplaced")), contents: drawing(shape(0, 300, 14, ref(1)), shape(0, 0, 13, ref(0)), shape(0, 900, 0, ref(9)))}},
			"heading 1 p1: Outline\nlist_item p1: a\nlist_item p1: b\nparagraph p1: unplaced\n",
		},
		"one byte a character": {[]page{{contents: drawing(shape(0, 0, 0, slices.Concat(rec(recTextHeader, u32s(kindOther)), rec(recTextBytes, []byte("caf\xe9 \x0bx")))))}}, "paragraph p1: café⏎x\n"},
		"marks that stand for something": {
			[]page{{contents: drawing(shape(0, 0, 0, words(kindOther, "Page * of", rec(recSlideNumber, u32s(5)))), shape(0, 500, placeNumber, words(kindOther, "*")))}}, "paragraph p1: Page of\n",
		},
		"groups": {
			[]page{{contents: drawing(group(shape(0, 0, 0, nil), shape(500, 0, 0, words(kindOther, "b")), shape(0, 0, 0, words(kindOther, "a"))), shape(0, 500, 0, words(kindOther, "c")))}},
			"paragraph p1: a\nparagraph p1: b\nparagraph p1: c\n",
		},
		"tables": {
			[]page{{contents: drawing(group(rec(artShape, rec(artClientAnchor, u16s(0, 0, 100, 100)), rec(instance(1, artProperties), u16s(isTable), u32s(1))),
				shape(0, 0, 0, words(kindOther, "a")), shape(500, 0, 0, words(kindOther, "b\rb")), shape(0, 300, 0, words(kindOther, "1")), shape(500, 300, 0, words(kindOther, "")), shape(0, 0, 0, nil)))}},
			"table p1: [a|b⏎b] [1|]\n",
		},
		"several": {[]page{{contents: drawing(shape(0, 0, 13, words(kindTitle, "One")))}, {}, {contents: drawing(shape(0, 0, 3, words(kindCenterTitle, "Three")))}}, "heading 1 p1: One\nheading 1 p3: Three\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, show{pages: c.pages}.pack(t), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings)+len(d.PageErrors)+len(d.Asides) > 0 || d.Done != len(c.pages) || d.Meta.Pages != len(c.pages) {
				t.Errorf("warnings %q, errors %q, asides %s, %d done", d.Warnings, d.PageErrors, blocktest.Outline(d.Asides), d.Done)
			}
		})
	}
}

func full() show {
	margins := func(n int, shown int, footer string) []byte {
		return rec(instance(n, recHeadersFooter), rec(recHeadersFooterAtom, u16s(0, shown)), rec(instance(0, recCString), utf("no date")), rec(instance(2, recCString), utf(footer)))
	}
	comment := rec(recProgTags, rec(recProgBinary, rec(recCString, utf("___PPT10")), rec(recBinaryData, rec(recComment, rec(instance(0, recCString), utf("Ann")), rec(instance(1, recCString), utf("Why?")), rec(instance(2, recCString), utf("A"))))))
	return show{
		pages: []page{
			{
				contents: slices.Concat(drawing(shape(0, 0, 13, words(kindTitle, "One")), shape(0, 900, placeFooter, words(kindOther, "Own footer"))), margins(0, 0x20, "Slide footer"), comment),
				notes:    drawing(shape(0, 0, 12, words(kindNotes, "Say\rthis")), shape(0, 0, placeNumber, words(kindOther, "7"))),
			},
			{contents: slices.Concat(rec(recSlideShow, u32s(0, 0), u16s(0, 4), u32s(0)), drawing(shape(0, 0, 0, words(kindOther, "two"))))},
		},
		doc: slices.Concat(margins(3, 0x20, "Shared footer"), margins(4, 0x20, "of notes")),
	}
}

func TestWhatStandsApart(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, full().pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p1: One\nparagraph p2: two\n" || len(d.Warnings) != 1 || !strings.Contains(d.Warnings[0], "slide 2 is hidden") {
		t.Errorf("%s warnings %q", got, d.Warnings)
	}
	want := "footer p1: Own footer\nnote p1: Say⏎this\nfooter p1: Slide footer\ncomment p1 (Ann): Why?\nfooter: Shared footer\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	two := show{pages: []page{{contents: drawing(shape(0, 0, 0, words(kindOther, "one")))}, {contents: drawing(shape(0, 0, 0, words(kindOther, "two"))), texts: words(kindTitle, "kept")}}}
	two.damage = func(b []byte) []byte { b[2] = 0; return b } // the first slide is none
	d := blocktest.Parse(t, Parse, two.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1 p2: kept\nparagraph p2: two\n" || len(d.PageErrors) != 1 {
		t.Errorf("%s errors %q", got, d.PageErrors)
	}
	two.damage = func(b []byte) []byte { return b[:len(b)-30] } // the last edit is cut
	d = blocktest.Parse(t, Parse, two.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p1: one\nparagraph p2: two\n" || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%s warnings %q", got, d.Warnings)
	}
}

func TestOnlyThePagesLeft(t *testing.T) {
	t.Parallel()
	var s show
	for i := range 5 {
		s.pages = append(s.pages, page{contents: drawing(shape(0, 0, 0, words(kindOther, fmt.Sprint(i+1))))})
	}
	d := blocktest.Parse(t, Parse, s.pack(t), block.Options{Pages: block.PageRange{From: 2, Skip: []int{4}}})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p2: 2\nparagraph p3: 3\nparagraph p5: 5\n" {
		t.Errorf("got %s", got)
	}
}

func TestDeepGroups(t *testing.T) {
	t.Parallel()
	inner := shape(0, 0, 0, words(kindOther, "deep"))
	for range 200 {
		inner = group(rec(artShape), inner)
	}
	d := blocktest.Parse(t, Parse, show{pages: []page{{contents: drawing(inner, shape(0, 0, 0, words(kindOther, "x")))}}}.pack(t), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "paragraph p1: x\n" || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%s warnings %q", got, d.Warnings)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	one := page{contents: drawing(shape(0, 0, 0, words(kindOther, "a")))}
	for name, c := range map[string]struct {
		raw  []byte
		o    block.Options
		code string
	}{
		"no slides":         {show{}.pack(t), block.Options{}, block.CodeNoText},
		"empty slides":      {show{pages: []page{{}}}.pack(t), block.Options{}, block.CodeNoText},
		"encrypted":         {show{pages: []page{one}, cryptic: 9}.pack(t), block.Options{}, block.CodeEncrypted},
		"said to be":        {show{pages: []page{one}, token: 0xf3d1c4df}.pack(t), block.Options{}, block.CodeEncrypted},
		"too many slides":   {show{pages: []page{one, one, one}}.pack(t), block.Options{MaxPages: 2}, block.CodeTooLarge},
		"junk":              {oletest.Container(t, map[string][]byte{"PowerPoint Document": []byte(strings.Repeat("junk", 100))}), block.Options{}, block.CodeCorrupt},
		"no stream":         {oletest.Container(t, map[string][]byte{"x": nil}), block.Options{}, block.CodeCorrupt},
		"only damage":       {show{pages: []page{one}, damage: func(b []byte) []byte { b[2] = 0; return b }}.pack(t), block.Options{}, block.CodeCorrupt},
		"not one":           {[]byte("PK\x03\x04"), block.Options{}, block.CodeCorrupt},
		"cut in the middle": {show{pages: []page{one}}.pack(t)[:600], block.Options{}, block.CodeCorrupt},
	} {
		if d, err := blocktest.Try(t, Parse, c.raw, c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, %d blocks", name, err, len(d.Blocks))
		}
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
	if err := Parse(ctx, blocktest.File(t, raw), int64(len(raw)), block.Options{}, &blocktest.Sink{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// FuzzParse mutates the stream itself, which hardly any mutant of the container
// reaches.
func FuzzParse(f *testing.F) {
	stream, edit := full().stream()
	f.Add(stream, edit)
	f.Fuzz(func(t *testing.T, raw []byte, edit int) {
		if len(raw) > 1<<20 {
			return
		}
		d, err := blocktest.Try(t, Parse, oletest.Container(t, map[string][]byte{"PowerPoint Document": raw, "Current User": rec(0x0ff6, u32s(0x14, 0, edit))}), block.Options{})
		blocktest.Check(t, d, err)
	})
}
