package html

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a long text that fills a column of the page ", 20)
	for name, c := range map[string]struct{ page, want string }{
		"headings and paragraphs": {
			"<h1>One</h1>text<p>  two\n words &amp; an &eacute;ntity&nbsp;&lt;<p>three<br>lines<br><br>here<h6>Six</h6><div><h2>In <b>bold</b></h2></div>",
			"heading 1: One\nparagraph: text\nparagraph: two words & an éntity <\nparagraph: three⏎lines⏎here\nheading 6: Six\nheading 2: In bold\n",
		},
		"inline elements don't break words": {"<p>H<sub>2</sub>O and <span>a</span><span>b</span> <i>c</i></p>", "paragraph: H2O and ab c\n"},
		"left out": {
			"<p>a<script>var x='<p>no</p>'</script>b<style>p{}</style><noscript><p>no</p></noscript><template><p>no<template>no</template>no</p></template><svg><title>no</title><svg/><text>no</text></svg>c<!-- no --><select><option>no</select>d<iframe>no</iframe></p>",
			"paragraph: abcd\n",
		},
		"lists": {
			"<ul><li>a<li><p>b</p><p>more of b</p><ol start=3><li>c<li value=7>d<li>e</ol>after</ul><ol type=a><li>x</li></ol><ol type=I><li>y</ol><li>stray<dl><dt>term<dd>meaning</dl>",
			"list_item: a\nlist_item: b\nparagraph: more of b\nlist_item 1 (3.): c\nlist_item 1 (7.): d\nlist_item 1 (8.): e\nparagraph: after\nlist_item (a.): x\nlist_item (I.): y\nlist_item: stray\nparagraph: term\nparagraph: meaning\n",
		},
		"pre and quotes": {
			"<pre>\nfor x {\n\t y &lt; 2\n\n}\n</pre><blockquote><p>said</p>again</blockquote><p>out</p>",
			"code: for x {⏎\t y < 2⏎⏎}\nquote: said\nquote: again\nparagraph: out\n",
		},
		"tables": {
			"<table><caption>Cap</caption><thead><tr><td>A<td>B</thead><tbody><tr><td>1<td>a|b</table><table><tr><th>H<th>I<tr><th>r<td>2</table><table><tr><td>x<td>y<tr><td>z</table>",
			"paragraph: Cap\ntable with header: [A|B] [1|a|b]\ntable with header: [H|I] [r|2]\ntable: [x|y] [z]\n",
		},
		"spans": {
			"<table><tr><th colspan=2>wide<th>c<tr><td rowspan=2>tall<td>1<td>2<tr><td>3<td rowspan=9 colspan=99999>4<tr><td>5</table>",
			"table with header: [wide|wide|c] [tall|1|2] [tall|3|4" + strings.Repeat("|", 99) + "] [5||4]\n",
		},
		"groups of rows": {
			"<table><tr><th>year<th>quarter<th>sum<tr><th rowspan=4>2025<th rowspan=2>Q1<tr><td>10<tr><th>Q2<td>20<tr><td colspan=2>all" +
				"<tr><td colspan=3>a line over all columns</table>",
			"table with header: [year|quarter|sum] [2025|Q1|10] [2025|Q2|20] [2025|all|] [a line over all columns||]\n",
		},
		"a page laid out in a table": {
			"<TABLE WIDTH=600><TR><TD><A HREF=a>Home</A><TD><H1>Welcome</H1><P>First<P>Second<UL><LI>one<LI>two<UL><LI>in</UL></UL><DL><DT>Term<DD>What it is</DL></TABLE>" +
				"<TABLE><TR><TH>What<TH>Value<TR><TD><H3>Pump</H3>big<TD>1</TABLE>",
			"paragraph: Home\nheading 1: Welcome\nparagraph: First\nparagraph: Second\nlist_item: one\nlist_item: two\nlist_item 1: in\nparagraph: Term\nparagraph: What it is\n" +
				"table with header: [What|Value] [Pump⏎big|1]\n",
		},
		"a long cell is not repeated": {
			"<table><tr><td rowspan=2>" + strings.Repeat("x", 201) + "<td>1<tr><td>2</table>",
			"table: [" + strings.Repeat("x", 201) + "|1] [|2]\n",
		},
		"cells hold lines, lists and tables": {
			"<table><tr><td>a<br>b<p>c<td><ul><li>i<li>j</ul><tr><td>k<td><table><tr><td>in<td>ner</table></table>",
			"table: [a⏎b⏎c|i⏎j] [k|in ner]\n",
		},
		"tables for layout": {
			"<table><tr><td><h1>Title</h1><p>" + long + "</p><table><tr><th>k<th>v<tr><td>1<td>2</table></td><td>side</td></tr></table><table><tr><td>only one</table><table role=presentation><tr><td>a<td>b</table>",
			"heading 1: Title\nparagraph: " + strings.TrimSpace(long) + "\ntable with header: [k|v] [1|2]\nparagraph: side\nparagraph: only one\nparagraph: a\nparagraph: b\n",
		},
		"tables that don't end, cells without one": {"<td>loose</td><table><tr><td>a<td>b", "paragraph: loose\ntable: [a|b]\n"},
		"text between cells":                       {"<table>odd<tr><td>a<td>b</tr>text</table>end", "paragraph: odd\nparagraph: text\ntable: [a|b]\nparagraph: end\n"},
		"control characters":                       {"<p>a&#0;b&#x7;c\x01d\ufeffe&shy;f", "paragraph: a\ufffdbcdef\n"},
		"images have their text":                   {`<p>see<img src=x alt="the  plan">here<img alt="">`, "paragraph: see the plan here\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(c.page), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestNavigationAndFooterStandApart(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, []byte("<body><header><h1>Title</h1><nav><ul><li>Home<li><a href=x>Help</a><nav>in</nav></ul></nav></header><article><p>text</p><footer>by Ana</footer></article><footer><p>Imprint<p>2026</footer></body>"), block.Options{})
	if got, want := blocktest.Outline(d.Blocks), "heading 1: Title\nparagraph: text\nparagraph: by Ana\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got, want := blocktest.Outline(d.Asides), "header: Home⏎Help⏎in\nfooter: Imprint⏎2026\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	// Where the end is missing, the content ends it.
	d = blocktest.Parse(t, Parse, []byte("<nav>Home<main><p>text</main><footer>end"), block.Options{})
	if got := blocktest.Outline(d.Blocks) + blocktest.Outline(d.Asides); got != "paragraph: text\nheader: Home\nfooter: end\n" {
		t.Errorf("%q", got)
	}
	large := "<nav>" + strings.Repeat("<p>some link", 20000) + "</nav>"
	if d = blocktest.Parse(t, Parse, []byte(large), block.Options{}); len(d.Asides) < 2 || len(d.Blocks) > 0 {
		t.Errorf("%d asides, %d blocks", len(d.Asides), len(d.Blocks))
	}
	blocktest.Check(t, d, nil)
}

func TestNoText(t *testing.T) {
	t.Parallel()
	for _, page := range []string{" \n\t<html><title>x</title><body><p> </p><table><tr><td></table>", "<script>text</script>", "<img src=x>", ""} {
		if _, err := blocktest.Try(t, Parse, []byte(page), block.Options{}); blocktest.Code(err) != block.CodeNoText {
			t.Errorf("%q: %v", page, err)
		}
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	m := blocktest.Parse(t, Parse, []byte(`<p>x<html lang="pt-BR"><head><title> Manual
 de  Operação </title><title>other</title><meta name=Author content="Ana Lima"><meta property="og:title" content="og">`+
		`<meta property="article:published_time" content="2026-03-04T05:06:07Z"><meta name="last-modified" content="2026-04-05"><meta http-equiv="content-language" content="en">`), block.Options{}).Meta
	if m.Title != "Manual de Operação" || m.Author != "Ana Lima" || m.Language != "pt-BR" || m.Created == nil || m.Created.Day() != 4 || m.Modified == nil || m.Modified.Day() != 5 {
		t.Errorf("%+v", m)
	}
	m = blocktest.Parse(t, Parse, []byte(`<meta property="og:title" content="og"><meta http-equiv="content-language" content="es, en">x`), block.Options{}).Meta
	if m.Title != "og" || m.Language != "es" {
		t.Errorf("%+v", m)
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	const text = "Não há exceções à regra."
	encode := func(e interface{ String(string) (string, error) }, s string) string {
		t.Helper()
		out, err := e.String(s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	latin := charmap.ISO8859_15.NewEncoder()
	for name, c := range map[string]struct{ page, declared string }{
		"utf-8":               {"<p>" + text, ""},
		"meta":                {encode(latin, `<meta charset="iso-8859-15"><p>`+text), ""},
		"http-equiv":          {encode(latin, `<meta http-equiv=Content-Type content="text/html; charset=ISO-8859-15"><p>`+text), ""},
		"xml declaration":     {encode(latin, `<?xml version="1.0" encoding='ISO-8859-15'?><p>`+text), ""},
		"declared outside":    {encode(latin, "<p>"+text), "latin-9"},
		"not declared":        {encode(latin, "<p>"+text), ""},
		"declared wrongly":    {`<meta charset="iso-8859-1"><p>` + text, ""},
		"utf-16":              {encode(unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewEncoder(), "<p>"+text), ""},
		"unknown declaration": {`<meta charset="no-such"><p>` + text, "nor-this"},
	} {
		d := blocktest.Parse(t, Parse, []byte(c.page), block.Options{Charset: c.declared})
		if got := blocktest.Outline(d.Blocks); got != "paragraph: "+text+"\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// Pages like these take minutes with a parser that isn't linear, or end the
// process with one that recurses.
func TestHostilePages(t *testing.T) {
	t.Parallel()
	const n = 100000
	for name, page := range map[string]string{
		"open elements":      strings.Repeat("<div>", n) + "text",
		"open lists":         strings.Repeat("<ul><li>", n) + "text",
		"open tables":        strings.Repeat("<table><tr><td>", n/3) + "text",
		"open quotes":        strings.Repeat("<blockquote>", n/2) + "text",
		"end tags":           strings.Repeat("</table></ul></li></td></pre>", n/5) + "text",
		"attributes":         "<p" + strings.Repeat(" a=b", n) + ">text",
		"angle brackets":     strings.Repeat("<", n) + "<p>text",
		"ampersands":         "text" + strings.Repeat("&", n),
		"comments":           strings.Repeat("<!-", n) + "><p>text",
		"one wide row":       "<table><tr>" + strings.Repeat("<td>text", n) + "<tr><td>text</table>",
		"rows of spans":      "<table>" + strings.Repeat("<tr><td rowspan=99 colspan=99>text", n/10) + "</table>",
		"small paragraphs":   strings.Repeat("<p>text", n/3),
		"nested templates":   strings.Repeat("<template>", n) + strings.Repeat("</template>", n) + "text",
		"one long paragraph": strings.Repeat("text <b>", n),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(page), block.Options{})
			blocktest.Check(t, d, nil)
			if out := blocktest.Outline(d.Blocks); !strings.Contains(out, "text") || len(out) > 20*len(page) {
				t.Errorf("%d bytes of text from %d", len(out), len(page))
			}
		})
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, []byte("<p>text<noscript>never ends <p>lost"), block.Options{})
	if len(d.Blocks) != 1 || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%d blocks, %q", len(d.Blocks), d.Warnings)
	}
	const most = 64 << 10
	small := func(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
		return parse(ctx, f, size, o, sink, most)
	}
	endless := "<p>text</p><a b='" + strings.Repeat("x", 2*most)
	d = blocktest.Parse(t, small, []byte(endless), block.Options{})
	if len(d.Blocks) != 1 || len(d.Warnings) != 1 || !strings.HasPrefix(d.Warnings[0], block.TextIncomplete) {
		t.Errorf("%d blocks, %q", len(d.Blocks), d.Warnings)
	}
	if _, err := blocktest.Try(t, small, []byte(endless[len("<p>text</p>"):]), block.Options{}); blocktest.Code(err) != block.CodeTooLarge {
		t.Errorf("no text at all: %v", err)
	}
	d = blocktest.Parse(t, Parse, []byte("<p>"+strings.Repeat("ação ", 50)+"\xff"), block.Options{})
	if len(d.Warnings) != 1 {
		t.Errorf("damaged character: %q", d.Warnings)
	}
}

func TestErrorsOfTheSinkEndTheParse(t *testing.T) {
	t.Parallel()
	raw := []byte(strings.Repeat("<p>x", 5000) + "<table><tr><td>a<td>b")
	gone := errors.New("reader gone")
	for _, after := range []int{0, 1, 4999, 5000, 5001, 5002} {
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
	f.Add([]byte("<!doctype html><meta charset=utf-8><title>x</title><h1>a</h1><ul><li>b<ol type=i><li>c</ol></ul><table><tr><th colspan=2>d<td rowspan=3>e</table><pre>f</pre>"))
	f.Add([]byte("<table><td><table><tr><caption></table><thead><li></template><svg><title>"))
	f.Add([]byte("<?xml encoding='x"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}
