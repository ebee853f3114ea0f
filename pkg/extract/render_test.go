package extract

import (
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

func TestRender(t *testing.T) {
	t.Parallel()
	d := &Document{
		Blocks: []Block{
			{Kind: block.Heading, Level: 1, Text: "The\nTitle", Page: 1},
			{Kind: block.Heading, Level: 9, Label: "2.1", Text: "Deep"},
			{Kind: block.Paragraph, Text: "first ", Page: 1},
			{Kind: block.Paragraph, Text: "piece\n<!-- footnotes -->", Continues: true, Page: 1},
			{Kind: block.Paragraph, Text: " \n "},
			{Kind: block.ListItem, Text: "one\ntwo", Label: "a)", Page: 2},
			{Kind: block.ListItem, Text: "deep", Level: 1},
			{Kind: block.Quote, Text: "said\n\nmore"},
			{Kind: block.Code, Label: "go", Text: "x := `a`\n```\n"},
			{Kind: block.Table, HeaderRow: true, Rows: [][]string{{"A", "B\nC"}, {"1|2", ""}}, Page: 3},
			{Kind: block.Table, Continues: true, Rows: [][]string{{"3", "4", "5"}}},
			{Kind: block.Table, Rows: [][]string{{"x", "y"}}},
			{Kind: block.Table},
		},
		Asides: []Block{
			{Kind: block.Comment, Label: "Ana", Text: "why?"},
			{Kind: block.Footnote, Label: "1", Text: "note "},
			{Kind: block.Footnote, Text: "goes on", Continues: true},
			{Kind: block.Header, Text: " "},
			{Kind: block.Footnote, Label: "2", Text: "other", Page: 4},
		},
	}
	want := `# The Title

###### 2.1 Deep

first piece
\<!-- footnotes -->

a) one
   two
  - deep

> said
>
> more

` + "````go\nx := `a`\n```\n````" + `

| A | B C | |
| --- | --- | --- |
| 1\|2 | | |
| 3 | 4 | 5 |

| | |
| --- | --- |
| x | y |

<!-- footnotes -->

[^1]: note goes on

[^2]: other

<!-- comments -->

Ana: why?`
	r := Render(d)
	if r.Text != want {
		t.Errorf("got:\n%s\nwant:\n%s", r.Text, want)
	}
	checkSpans(t, r)
	if body := r.Text[r.BodyEnd:]; !strings.HasPrefix(body, "<!-- footnotes -->") {
		t.Errorf("asides begin at %q", body)
	}
	table := r.Spans[7]
	if table.Kind != block.Table || table.Header != "| A | B C | |" || len(table.Rows) != 2 || r.Text[table.Rows[1].Start:table.Rows[1].End] != "| 3 | 4 | 5 |" || table.Page != 3 {
		t.Errorf("table: %+v", table)
	}
	if h := r.Spans[1]; h.Level != 6 || h.Title != "2.1 Deep" {
		t.Errorf("heading: %+v", h)
	}
	if empty := Render(&Document{}); empty.Text != "" || empty.BodyEnd != 0 || len(empty.Spans) != 0 {
		t.Errorf("nothing: %+v", empty)
	}
	if only := Render(&Document{Asides: []Block{{Kind: block.Header, Text: "x"}}}); only.Text != "<!-- headers -->\n\nx" || only.BodyEnd != 0 {
		t.Errorf("only asides: %+v", only)
	}
}

// One row much wider than the others must not make all of them as wide.
func TestRenderTablesDontExplode(t *testing.T) {
	t.Parallel()
	rows := [][]string{make([]string, 20000)}
	for range 20000 {
		rows = append(rows, []string{"x"})
	}
	r := Render(&Document{Blocks: []Block{{Kind: block.Table, Rows: rows}}})
	if len(r.Text) > 1<<20 {
		t.Errorf("%d bytes", len(r.Text))
	}
}

func checkSpans(t interface{ Fatalf(string, ...any) }, r Rendered) {
	last := 0
	blank := func(s string) bool { return strings.TrimFunc(s, unicode.IsSpace) == "" }
	for i, s := range r.Spans {
		if s.Start < last || s.End <= s.Start || s.End > len(r.Text) || !blank(r.Text[last:s.Start]) {
			t.Fatalf("span %d: %+v after %d of %d", i, s, last, len(r.Text))
		}
		if s.Aside != (s.Start >= r.BodyEnd) {
			t.Fatalf("span %d: %+v, body ends at %d", i, s, r.BodyEnd)
		}
		rowEnd := s.Start
		for _, row := range s.Rows {
			if row.Start < rowEnd || row.End < row.Start || row.End > s.End {
				t.Fatalf("span %d: row %+v", i, row)
			}
			rowEnd = row.End
		}
		last = s.End
	}
	if !blank(r.Text[last:]) {
		t.Fatalf("text after the last span: %q", r.Text[last:])
	}
}

func TestRenderSpansCoverEverything(t *testing.T) {
	t.Parallel()
	kinds := []block.Kind{block.Heading, block.Paragraph, block.ListItem, block.Code, block.Quote, block.Table, block.Footnote, block.Header, block.Comment}
	text := rapid.StringOf(rapid.RuneFrom([]rune("ab é|\n`#-<!> \u2028\x00漢\U0001f600")))
	gen := rapid.Custom(func(t *rapid.T) Block {
		b := Block{
			Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Level: rapid.IntRange(-1, 9).Draw(t, "level"), Text: text.Draw(t, "text"),
			Label: text.Draw(t, "label"), Continues: rapid.Bool().Draw(t, "continues"), HeaderRow: rapid.Bool().Draw(t, "header"), Page: rapid.IntRange(0, 3).Draw(t, "page"),
		}
		if b.Kind == block.Table {
			b.Text, b.Rows = "", rapid.SliceOfN(rapid.SliceOfN(text, 0, 3), 0, 3).Draw(t, "rows")
		}
		return b
	})
	rapid.Check(t, func(t *rapid.T) {
		d := &Document{}
		for _, b := range rapid.SliceOfN(gen, 0, 8).Draw(t, "blocks") {
			switch b.Kind {
			case block.Footnote, block.Header, block.Comment:
				d.Asides = append(d.Asides, b)
			default:
				d.Blocks = append(d.Blocks, b)
			}
		}
		r := Render(d)
		checkSpans(t, r)
		if again := Render(d); again.Text != r.Text {
			t.Fatalf("not the same twice")
		}
	})
}

func TestComplete(t *testing.T) {
	t.Parallel()
	pt := "A manutenção preventiva das máquinas é obrigatória e não pode ser adiada sem autorização do responsável pela área de operações."
	en := "Preventive maintenance of the machines is mandatory and must not be postponed without the approval of the head of operations."
	for name, c := range map[string]struct {
		declared, text, want string
	}{
		"pt":                   {"", pt, "pt"},
		"en":                   {"", en, "en"},
		"es":                   {"", "El mantenimiento preventivo de las máquinas es obligatorio y no puede aplazarse sin la autorización del jefe de operaciones de la empresa.", "es"},
		"de":                   {"", "Die vorbeugende Wartung der Maschinen ist vorgeschrieben und darf nicht ohne Genehmigung des Betriebsleiters verschoben werden.", "de"},
		"ru":                   {"", "Профилактическое обслуживание машин является обязательным и не может быть отложено без разрешения начальника.", "ru"},
		"ja":                   {"", "機械の予防保守は必須であり、運用責任者の承認なしに延期することはできません。すべての従業員はこれを守ります。", "ja"},
		"variant":              {"pt_BR", pt, "pt-BR"},
		"declared wrongly":     {"en-US", strings.Repeat(pt+" ", 4), "pt"},
		"too little to tell":   {"fr", "OK", "fr"},
		"nothing":              {"", "", ""},
		"declaration is junk":  {"<b>", "OK", ""},
		"declaration is und":   {"und", "OK", ""},
		"told against nothing": {"x", en, "en"},
	} {
		d := &Document{Meta: Metadata{Language: c.declared}, Blocks: []Block{{Kind: block.Paragraph, Text: c.text}}}
		Complete(d)
		if d.Meta.Language != c.want {
			t.Errorf("%s: %q, want %q", name, d.Meta.Language, c.want)
		}
	}
	d := &Document{Blocks: []Block{
		{Kind: block.Heading, Text: "It's a\nplan"},
		{Kind: block.Paragraph, Text: "não-há 3,5 foo_bar 漢字 — "},
		{Kind: block.Table, Rows: [][]string{{"a b", "c"}, {"", "d"}}},
	}}
	Complete(d)
	if d.Meta.Words != 3+2+2+1+2+4 || d.Meta.Title != "It's a plan" {
		t.Errorf("%d words, title %q", d.Meta.Words, d.Meta.Title)
	}
	d = &Document{Meta: Metadata{Title: "Said"}, Blocks: d.Blocks}
	if Complete(d); d.Meta.Title != "Said" {
		t.Errorf("title %q", d.Meta.Title)
	}
}
