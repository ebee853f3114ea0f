package markdown

import (
	"context"
	"errors"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

func TestBlocks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ raw, want string }{
		"headings": {
			"# One #\ntext\n## **Two** [link](http://x) `code` {#id}\nSetext *one*\n===\n\nsetext\ntwo\n---\n####### seven\n#nospace\n#\n### a_b_c # d",
			"heading 1: One\nparagraph: text\nheading 2: Two link code\nheading 1: Setext one\nheading 2: setext two\nparagraph: ####### seven⏎#nospace\nheading 3: a_b_c # d\n",
		},
		"paragraphs keep inline marks": {
			"A **bold** [link](u) line  \nsecond <!-- not this -->line\n\n\nnext &amp; `x`\r\n",
			"paragraph: A **bold** [link](u) line⏎second line\nparagraph: next &amp; `x`\n",
		},
		"lists": {
			"- a\n- b\n  goes on\nlazily\n  - deep\n\n    para of deep\n* other list\n\n1. one\n1. two\n5. three\n   1) inner\n\nafter",
			"list_item: a\nlist_item: b⏎goes on⏎lazily\nlist_item 1: deep\nparagraph: para of deep\nlist_item: other list\nlist_item (1.): one\nlist_item (2.): two\nlist_item (3.): three\nlist_item 1 (1)): inner\nparagraph: after\n",
		},
		"lists at odd indents": {
			"  - a\n  - b\n      - c\n\t- d\n- - e\n-\n- f",
			"list_item: a\nlist_item: b\nlist_item 1: c\nlist_item 1: d\nlist_item 1: e\nlist_item: f\n",
		},
		"a number within a paragraph is no list": {"In\n2026. That year\n- but this is", "paragraph: In⏎2026. That year\nlist_item: but this is\n"},
		"code": {
			"```go {x}\nif a {\n\n\tb\n}\n```\n~~~\n```\n~~~~\n\n    indented\n\n      more\ntext\n- item\n\n      code in item\n- ```\n  x\n  ```",
			"code (go): if a {⏎⏎\tb⏎}\ncode: ```\ncode: indented⏎⏎  more\nparagraph: text\nlist_item: item\ncode: code in item\ncode: x\n",
		},
		"code that never ends":   {"```\n# not a heading", "code: # not a heading\n"},
		"quotes":                 {"> said\n> > twice\nlazily\n\n> # Head\n> - item\n\nout", "quote: said⏎twice⏎lazily\nheading 1: Head\nlist_item: item\nparagraph: out\n"},
		"code in quotes":         {"> ```\n> a\n> ```\n> b", "code: a\nquote: b\n"},
		"rules":                  {"a\n\n---\n***\n_ _ _\nb", "paragraph: a\nparagraph: b\n"},
		"tables":                 {"Before\n| A | B |\n|---|:-:|\n| 1 | x \\| y |\n2 | `z` | extra\n| 3\n\nafter\n\nA | B\n- | -\nc | d\n# End", "paragraph: Before\ntable with header: [A|B] [1|x | y] [2|`z` | extra] [3]\nparagraph: after\ntable with header: [A|B] [c|d]\nheading 1: End\n"},
		"not a table":            {"a | b\n---|---|---\n\nx\n-|", "paragraph: a | b⏎---|---|---\nparagraph: x⏎-|\n"},
		"html":                   {"<div align=center>\n<h2>Logo</h2>text\n</div>\n\n<!-- gone\n\n- gone\n-->\n<ul><li>x</li></ul>\n\na <b>bold</b> word\n\n<pre>\n\ncode\n</pre>\nend\n\n<https://example.org>", "heading 2: Logo\nparagraph: text\nlist_item: x\nparagraph: a <b>bold</b> word\ncode: code\nparagraph: end\nparagraph: <https://example.org>\n"},
		"front matter":           {"---\ntitle: x\n---\ntext", "paragraph: text\n"},
		"no front matter":        {"---\njust a line\n---\ntext", "heading 2: just a line\nparagraph: text\n"},
		"front matter, no end":   {"---\ntitle: x\ntext", "paragraph: title: x⏎text\n"},
		"nothing but a title":    {"\ufeff# Título", "heading 1: Título\n"},
		"control characters":     {"a\x00b\x07 | c\n\n`\x01`", "paragraph: ab | c\nparagraph: ``\n"},
		"links on their own":     {"[a]: http://x\n", "paragraph: [a]: http://x\n"},
		"an item with a heading": {"- # Head\n- text", "heading 1: Head\nlist_item: text\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(c.raw), block.Options{})
			blocktest.Check(t, d, nil)
			if got := blocktest.Outline(d.Blocks); got != c.want {
				t.Errorf("got:\n%swant:\n%s", got, c.want)
			}
		})
	}
}

func TestFootnotes(t *testing.T) {
	t.Parallel()
	d := blocktest.Parse(t, Parse, []byte("Text[^1] and[^note].\n\n[^1]: The first\n  goes on.\n[^note]: Another.\n\nEnd"), block.Options{})
	if got, want := blocktest.Outline(d.Blocks), "paragraph: Text[^1] and[^note].\nparagraph: End\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
	if got, want := blocktest.Outline(d.Asides), "footnote (1): The first⏎goes on.\nfootnote (note): Another.\n"; got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestFrontMatter(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"---\ntitle: \"Manual: parte 1\" # comment\nauthor:\n  - Ana Lima\nlang: pt-BR\ndate: 2026-03-04\nlastmod: '2026-04-05T10:00:00Z'\ntags: [a, b]\n---\n\ntext",
		"+++\ntitle = 'Manual: parte 1'\nauthors = [\"Ana Lima\", \"Rui\"]\nlanguage = \"pt-BR\"\ndate = 2026-03-04\nupdated = 2026-04-05\n+++\ntext",
	} {
		d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
		m := d.Meta
		if m.Title != "Manual: parte 1" || m.Author != "Ana Lima" || m.Language != "pt-BR" || m.Created == nil || m.Created.Day() != 4 || m.Modified == nil || m.Modified.Day() != 5 {
			t.Errorf("%q: %+v", raw[:3], m)
		}
		if got := blocktest.Outline(d.Blocks); got != "paragraph: text\n" {
			t.Errorf("%q", got)
		}
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	raw, err := charmap.ISO8859_1.NewEncoder().String("# Operações\n\nNão há exceções à regra.")
	if err != nil {
		t.Fatal(err)
	}
	d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
	if got := blocktest.Outline(d.Blocks); got != "heading 1: Operações\nparagraph: Não há exceções à regra.\n" {
		t.Errorf("%q", got)
	}
}

func TestLargeBlocksComeInPieces(t *testing.T) {
	t.Parallel()
	para := strings.Repeat("some words on one line\n", 30000)
	code := strings.Repeat("\tcode()\n", 60000)
	rows := strings.Repeat("| a | b |\n", 3000)
	long := strings.Repeat("# long ", 30000)
	d := blocktest.Parse(t, Parse, []byte(para+"\n```\n"+code+"```\n\n| A | B |\n|--|--|\n"+rows+"\nx "+long), block.Options{})
	blocktest.Check(t, d, nil)
	var kinds []block.Kind
	texts, n := []string{}, 0
	for _, b := range d.Blocks {
		n += len(b.Rows)
		if len(b.Text) > 2*pieceSize {
			t.Fatalf("a piece of %d bytes", len(b.Text))
		}
		if b.Continues {
			texts[len(texts)-1] += b.Text
			continue
		}
		kinds, texts = append(kinds, b.Kind), append(texts, b.Text)
	}
	if len(kinds) != 4 || kinds[0] != block.Paragraph || kinds[1] != block.Code || kinds[2] != block.Table || kinds[3] != block.Paragraph {
		t.Fatalf("kinds: %v", kinds)
	}
	if texts[0] != strings.TrimSpace(para) || texts[1] != strings.TrimSuffix(code, "\n") || n != 3001 || texts[3] != "x "+strings.TrimSpace(long) {
		t.Errorf("%d, %d, %d rows, %d", len(texts[0]), len(texts[1]), n, len(texts[3]))
	}
}

// Files like these take minutes with a parser that isn't linear, or end the
// process with one that recurses.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	const n = 200000
	for name, raw := range map[string]string{
		"quotes in quotes":      strings.Repeat(">", n) + " text",
		"lists in lists":        strings.Repeat("- ", n) + "text",
		"deeper and deeper":     deeper(2000) + "text",
		"brackets":              "# text" + strings.Repeat("[", n) + strings.Repeat("](", n),
		"comments":              strings.Repeat("text <!-- ", n),
		"bars":                  "text\n" + strings.Repeat("|-", n) + "\n",
		"delimiters":            strings.Repeat("a|b\n-|-\n", n/4) + "text",
		"backquotes":            "text " + strings.Repeat("`", n),
		"fences":                strings.Repeat("```\n", n) + "\ntext",
		"marks":                 "# " + strings.Repeat("*_~`", n) + "text",
		"an open HTML block":    strings.Repeat("<div>\n", n) + "text",
		"HTML that never ends ": "<!-- " + strings.Repeat("text\n", n) + "\n-->\ntext",
		"items":                 strings.Repeat("1. text\n", n/4),
		"headings":              strings.Repeat("text\n---\n", n/4),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := blocktest.Parse(t, Parse, []byte(raw), block.Options{})
			blocktest.Check(t, d, nil)
			if out := blocktest.Outline(d.Blocks); !strings.Contains(out, "text") {
				t.Errorf("%d bytes of text, without the text", len(out))
			}
		})
	}
}

func deeper(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat("  ", i) + "- x\n")
	}
	return b.String()
}

func TestNoTextAndErrorsOfTheSink(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{"", "\n \n", "---\ntitle: x\n---\n", "<!-- only this -->", "***\n"} {
		if _, err := blocktest.Try(t, Parse, []byte(raw), block.Options{}); blocktest.Code(err) != block.CodeNoText {
			t.Errorf("%q: %v", raw, err)
		}
	}
	raw := []byte("---\ntitle: x\n---\n# h\n\n" + strings.Repeat("x\n\n", 3000) + "| a | b |\n|--|--|\n| c | d |\n")
	gone := errors.New("reader gone")
	for _, after := range []int{0, 1, 2, 3001, 3002, 3003} {
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
	f.Add([]byte("---\na: b\n---\n# x\n- a\n  1. b\n> c\n```d\ne\n```\n| f | g |\n|--|--|\n| h |\n<p>i\n\n[^j]: k\n    l\nm\n==="))
	f.Add([]byte("> - > 1) ```\n\t> x | y\n-|-\n+++\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := blocktest.Try(t, Parse, raw, block.Options{})
		blocktest.Check(t, d, err)
	})
}
