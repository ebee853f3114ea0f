package extract

import (
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

func TestPlainText(t *testing.T) {
	t.Parallel()
	d := &Document{
		Format: "markdown",
		Blocks: []Block{
			{Kind: block.Heading, Level: 2, Label: "2.1", Text: "The\nTitle"},
			{Kind: block.Paragraph, Text: "**first** "},
			{Kind: block.Paragraph, Text: "piece[^1]", Continues: true},
			{Kind: block.Paragraph, Text: " \n "},
			{Kind: block.ListItem, Text: "one\ntwo", Label: "a)"},
			{Kind: block.ListItem, Text: "`deep`", Level: 1},
			{Kind: block.Quote, Text: "said\n\nmore"},
			{Kind: block.Code, Label: "go", Text: "x := *a\n\ty()\n"},
			{Kind: block.Table, HeaderRow: true, Rows: [][]string{{"A", "B\nC"}, {"*1*", ""}}},
			{Kind: block.Table, Continues: true, Rows: [][]string{{"3", "", "5"}}},
			{Kind: block.Table},
		},
		Asides: []Block{
			{Kind: block.Comment, Label: "Ana", Text: "why?"},
			{Kind: block.Footnote, Label: "1", Text: "note "},
			{Kind: block.Footnote, Text: "goes on", Continues: true},
			{Kind: block.Header, Text: " "},
		},
	}
	want := `2.1 The Title

first piece[1]

a) one
two
  deep

said

more

x := *a
	y()

A	B C
1
3		5

[footnotes]

[1] note goes on

[comments]

Ana: why?`
	if got := PlainText(d); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if got := PlainText(&Document{}); got != "" {
		t.Errorf("nothing: %q", got)
	}
	// Stars of a format without marks are stars; only a Word text refers to notes as [^1].
	text := "2 ** 3 [^1]"
	if got := PlainText(&Document{Format: "text", Blocks: []Block{{Kind: block.Paragraph, Text: text}}}); got != text {
		t.Errorf("text: %q", got)
	}
	if got := PlainText(&Document{Format: "docx", Blocks: []Block{{Kind: block.Paragraph, Text: text}}}); !strings.HasSuffix(got, " [1]") {
		t.Errorf("docx: %q", got)
	}
}
