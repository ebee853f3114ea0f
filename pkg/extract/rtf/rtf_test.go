package rtf

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

const fonts = `{\fonttbl{\f0\froman\fcharset0 Times;}{\f1\fcharset204{\*\falt x}Arial;}{\f2\fcharset2 Symbol;}{\f3\fcharset128 MS;}}`

const sheet = `{\stylesheet{\ql Normal;}{\s1\outlinelevel0\b heading 1;}{\s2\sbasedon0 heading 2;}{\s3\outlinelevel2 Ttulo;}{\*\cs4 heading 5;}{\s5 Title;}{\s6 Quote;}}`

// file is a document of this body.
func file(body string) string {
	return `{\rtf1\ansi\ansicpg1252\uc1\deff0` + fonts + `{\colortbl;\red0;}` + sheet + "\r\n" + body + "}"
}

func TestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"paragraphs":        {`One\par two \line three\par\par\pard four\sect five\page six`, "paragraph: One\nparagraph: two⏎three\nparagraph: four\nparagraph: five\nparagraph: six\n"},
		"line ends":         {"on\r\ne\\\ntwo\\\r\nthree", "paragraph: one\nparagraph: two\nparagraph: three\n"},
		"escapes":           {`a\'e7\'E3o \{x\} \\ \~y\_z so\-ft \emdash\endash\bullet \lquote q\rquote\ldblquote r\rdblquote \'zz`, "paragraph: ação {x} \\ \u00a0y-z soft —–•‘q’“r”zz\n"},
		"unicode":           {`\u231\'e7\u227 ?o \uc0\u8212 x\uc2\u20013\'d6\'d0y {\uc1\u-10179 ?\u-8704 ?}\u233\par`, "paragraph: ção —x中y 😀é\n"},
		"codepages":         {`{\f1 \'cf\'f0\'e8\'e2\'e5\'f2} caf\'e9 {\f3 \'93\'fa\'96\'7b} {\f2 \'61}{\loch\af0\hich\af0\dbch\af3\'93\'fa}`, "paragraph: Привет café 日本 日\n"},
		"raw utf-8":         {"ação", "paragraph: ação\n"},
		"headings":          {`{\pard\s1 One\par}{\pard\s2 Two\par}{\pard\s3 Three\par}{\pard\s4 None\par}{\pard\s5 Title\par}{\pard\s6 Said\par}{\pard\outlinelevel3 Four\par}{\pard\s1\outlinelevel9 One\par}`, "heading 1: One\nheading 2: Two\nheading 3: Three\nparagraph: None\nheading 1: Title\nquote: Said\nheading 4: Four\nheading 1: One\n"},
		"lists":             {`{\listtext\pard\plain 1.\tab}\ls1 first\par{\listtext\'95\tab}\ls2\ilvl1 dot\par\pard{\pntext\f2\'B7\tab}{\*\pn\pnlvlblt{\pntxtb\'B7}}old\par{\listtext I.}\s1 head\par`, "list_item (1.): first\nlist_item 1: dot\nlist_item: old\nheading 1 (I.): head\n"},
		"hidden, deleted":   {`seen {\v hidden}{\v0 too}{\deleted gone}\v no\v0  and\plain\deleted x\plain y`, "paragraph: seen too andy\n"},
		"fields":            {`see {\field{\*\fldinst HYPERLINK "x"}{\fldrslt the {\ul link}}}{\field{\*\fldinst{ PAGE }}{\fldrslt 7}}`, "paragraph: see the link7\n"},
		"pictures, objects": {`a{\pict\wmetafile8 0123}{\*\shppict{\pict 00}}{\nonshppict{\pict 00}}{\pict\bin5 {{{{{}{\object{\*\objdata 00}{\result result}}{\*\unknown x{\deep y}}b`, "paragraph: aresultb\n"},
		"twice":             {`{\upr{ansi}{\*\ud{\u233 ?}}}{\title x}`, "paragraph: éx\n"},
		"equations":         {`{\mmath{\*\moMath{\mr a}{\*\mrPr x}{\mf{\mfPr y}{\mnum 1}}}}`, "paragraph: ay1\n"},
		"table":             {`\trowd\trhdr\cellx1\cellx2\pard\intbl a\cell b\par c\cell\row\trowd\cellx1\cellx2\intbl d\cell \cell\row\pard after\par`, "table with header: [a|b⏎c] [d|]\nparagraph: after\n"},
		"nested table":      {`\trowd\pard\intbl a\par{\itap2 x\nestcell y\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}}\cell b\cell\row\pard`, "table: [a⏎x\ty|b]\n"},
		"frame":             {`\trowd\pard\intbl a\par b\cell\row\pard c`, "paragraph: a\nparagraph: b\nparagraph: c\n"},
		"list in a table":   {`\trowd\pard\intbl{\listtext 1.\tab}a\cell b\cell\row`, "table: [1. a|b]\n"},
		"row without end":   {`\trowd\pard\intbl a\cell b\cell\pard\par after`, "table: [a|b]\nparagraph: after\n"},
		"no text after":     {`x}trailing {\b junk`, "paragraph: x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(file(c.body)), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
			if len(d.Warnings) > 0 || d.Done == 0 || len(d.Asides) > 0 {
				t.Errorf("warnings %q, %d parts done, asides %s", d.Warnings, d.Done, blocktest.Outline(d.Asides))
			}
		})
	}
}

func TestAsides(t *testing.T) {
	t.Parallel()
	body := `{\header\pard Head\par}{\footerr Foot {\field{\*\fldinst PAGE}{\fldrslt 3}}\par}{\headerf Head\par}` +
		`text{\super\chftn}{\footnote\pard{\super\chftn} a note\par more}{\*\atnid AL}{\*\atnauthor Ana Lima}\chatn{\*\annotation{\*\atndate 1}check}` +
		` goes{\footnote\ftnalt at the end}{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt in a box\par}}{\shprslt{\pict 0}}} on {\*\do{\dptxbxtext old box}}.\par` +
		`\trowd\pard\intbl cell{\footnote\trowd x\cell y\cell\row}\cell b\cell\row`
	d := blocktest.Parse(t, Parse, []byte(file(body)), block.Options{})
	blocktest.Check(t, d, nil)
	if got, want := blocktest.Outline(d.Blocks), "paragraph: text[^1] goes[^2] on .\ntable: [cell[^3]|b]\n"; got != want {
		t.Errorf("body:\n%swant:\n%s", got, want)
	}
	want := "header: Head\nfooter: Foot 3\nfootnote (1): a note⏎more\ncomment (Ana Lima): check\nendnote (2): at the end\ntext_box: in a box\ntext_box: old box\nfootnote (3): x\ty\n"
	if got := blocktest.Outline(d.Asides); got != want {
		t.Errorf("asides:\n%swant:\n%s", got, want)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	raw := file(`{\info{\title The {\b bold} title}{\author Jos\'e9}{\creatim\yr2026\mo11\dy23\hr10\min5}{\revtim\yr0}{\subject no}{\*\userprops{\propname x}}}text`)
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
	m := d.Meta
	if m.Title != "The bold title" || m.Author != "José" || m.Created == nil || !m.Created.Equal(time.Date(2026, 11, 23, 10, 5, 0, 0, time.UTC)) || m.Modified != nil {
		t.Errorf("%+v", m)
	}
	if got := blocktest.Outline(d.Blocks); got != "paragraph: text\n" {
		t.Error(got)
	}
}

// Writers that know nothing of charsets give every font the charset 0.
func TestCodepageOfTheDocument(t *testing.T) {
	t.Parallel()
	text, err := charmap.Windows1251.NewEncoder().String("Привет")
	if err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string]string{
		"no font table":  `{\rtf1\ansi\ansicpg1251 ` + text + "}",
		"charset 0 only": `{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset0 Arial;}}\f0 ` + text + "}",
		"oem":            `{\rtf1\pc\ansicpg1251 ` + text + "}",
	} {
		if got := blocktest.Outline(blocktest.Parse(t, Parse, []byte(raw), block.Options{}).Blocks); got != "paragraph: Привет\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, []byte(file(`One\par{\b two`)), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "paragraph: One\nparagraph: two\n" {
		t.Error(got)
	}
	d = blocktest.Parse(t, Parse, []byte(strings.TrimSuffix(file(`One{\footnote two{\b three`), "}")), block.Options{})
	if got := blocktest.Outline(d.Blocks) + blocktest.Outline(d.Asides); got != "paragraph: One[^1]\nfootnote (1): twothree\n" || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%s%q", got, d.Warnings)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw, code string
		o         block.Options
	}{
		"nothing":        {file(""), block.CodeNoText, block.Options{}},
		"ends at once":   {`{\rtf1{\fonttbl{\f0`, block.CodeCorrupt, block.Options{}},
		"deep":           {`{\rtf1 ` + strings.Repeat("{", 2_000_000), block.CodeBomb, block.Options{}},
		"deep by option": {`{\rtf1 ` + strings.Repeat("{", 20), block.CodeBomb, block.Options{MaxNesting: 10}},
	} {
		if _, err := blocktest.Try(t, Parse, []byte(c.raw), c.o); blocktest.Code(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func TestHostileFiles(t *testing.T) {
	t.Parallel()
	const n = 200_000
	for name, body := range map[string]string{
		"long word":         `\` + strings.Repeat("a", n) + " text",
		"long number":       `\u` + strings.Repeat("9", n) + " -text",
		"cells":             `text\par\trowd\intbl ` + strings.Repeat(`x\cell `, n),
		"rows":              `text\par` + strings.Repeat(`\trowd\intbl a\cell b\cell\row `, n/4),
		"lines of a cell":   `text\par\pard\intbl ` + strings.Repeat(`x\par `, n),
		"notes in notes":    "text" + strings.Repeat(`{\footnote x`, 400),
		"many notes":        "text" + strings.Repeat(`{\footnote x}`, n/10),
		"fonts":             `{\fonttbl` + numbered(`{\f%d\fcharset204 x;}`, n/4) + `}text`,
		"styles":            `{\stylesheet` + numbered(`{\s%d heading 1;}`, n/4) + `}text`,
		"closing braces":    "text" + strings.Repeat("}", n),
		"binary to the end": `text{\pict\bin999999999 ` + strings.Repeat("{", n),
		"label":             `{\listtext ` + strings.Repeat("1", n) + `}text`,
		"surrogates":        "text" + strings.Repeat(`\u-10179 ?`, n/4),
		"unicode only":      "text" + strings.Repeat(`\u231`, n),
		"headers":           "text" + numbered(`{\header %d}`, 5000),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			raw := file(body)
			d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
			blocktest.Check(t, d, nil)
			if out := blocktest.Outline(d.Blocks); !strings.Contains(out, "text") || len(out) > 4*len(raw) {
				t.Errorf("%d bytes of text from %d: %.100s", len(out), len(raw), out)
			}
		})
	}
}

func numbered(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

func TestLongParagraphsComeInPieces(t *testing.T) {
	t.Parallel()
	body := strings.Repeat("word ", pieceSize)
	d := blocktest.Parse(t, Parse, []byte(file(body+`end\par next`)), block.Options{})
	blocktest.Check(t, d, nil)
	var all strings.Builder
	last := len(d.Blocks) - 1
	for i, b := range d.Blocks[:last] {
		if b.Continues != (i > 0) || len(b.Text) > 2*pieceSize {
			t.Fatalf("piece %d: continues %v, %d bytes", i, b.Continues, len(b.Text))
		}
		all.WriteString(b.Text)
	}
	if all.String() != body+"end" || d.Blocks[last].Text != "next" || last < 3 {
		t.Errorf("%d pieces are not the paragraph", last)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := []byte(file(`a\par{\header h}\trowd\intbl b\cell c\cell\row\pard d`))
	gone := errors.New("reader gone")
	for after := range 6 {
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

func FuzzParse(f *testing.F) {
	f.Add([]byte(file(`One\par{\b two}{\footnote note}\trowd\intbl a\cell b\cell\row{\listtext 1.}\u231?`)))
	f.Add([]byte(file(`{\field{\*\fldinst x}{\fldrslt y}}{\shp{\*\shpinst{\shptxt z}}}{\upr{a}{\*\ud b}}{\info{\title t}}`)))
	f.Add([]byte(`{\rtf1\bin3 {{{\'9\u-1\uc9`))
	f.Add([]byte(`{\rtf1{\footnote\trowd x\cell{\header\row}\nestcell\nestrow\sect`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}
