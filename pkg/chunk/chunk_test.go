package chunk

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

func document(blocks ...extract.Block) extract.Rendered {
	return extract.Render(&extract.Document{Blocks: blocks})
}

func para(text string) extract.Block { return extract.Block{Kind: block.Paragraph, Text: text} }

func head(level int, text string) extract.Block {
	return extract.Block{Kind: block.Heading, Level: level, Text: text}
}

// sentence number i has nine tokens.
func sentence(i int) string { return fmt.Sprintf("Sentence number %03d speaks of the plant.", i) }

func sentencesFrom(i, n int) string {
	var all []string
	for j := range n {
		all = append(all, sentence(i+j))
	}
	return strings.Join(all, " ")
}

func TestChunksEndWhereTheTextDoes(t *testing.T) {
	t.Parallel()
	o := Options{MaxTokens: 40, Overlap: 0}
	// Two paragraphs of three sentences: the second fits into no rest, but into a chunk.
	chunks := split(t, document(para(sentencesFrom(0, 3)), para(sentencesFrom(3, 3))), o)
	if len(chunks) != 2 || chunks[0].Text != sentencesFrom(0, 3) || chunks[1].Text != sentencesFrom(3, 3) {
		t.Errorf("paragraphs: %q", texts(chunks))
	}
	// A paragraph too long for any chunk is divided between sentences.
	chunks = split(t, document(para(sentencesFrom(0, 12))), o)
	for _, c := range chunks {
		if !strings.HasPrefix(c.Text, "Sentence") || !strings.HasSuffix(c.Text, "plant.") {
			t.Errorf("divided within a sentence: %q", c.Text)
		}
	}
	// It begins in the rest of a chunk that is less than half full, after a heading in any.
	chunks = split(t, document(head(1, "Title"), para(sentencesFrom(0, 12))), o)
	if !strings.HasPrefix(chunks[0].Text, "# Title\n\nSentence") {
		t.Errorf("a heading alone: %q", texts(chunks))
	}
	chunks = split(t, document(para(sentencesFrom(0, 1)), para(sentencesFrom(1, 12))), o)
	if !strings.Contains(chunks[0].Text, sentence(1)) {
		t.Errorf("a paragraph alone: %q", texts(chunks))
	}
}

func TestOverlapIsWholeSentencesOfTheSameSection(t *testing.T) {
	t.Parallel()
	o := Options{MaxTokens: 100, Overlap: 25}
	r := document(head(1, "One"), para(sentencesFrom(0, 20)), para(sentencesFrom(20, 5)), head(1, "Two"), para(sentencesFrom(30, 3)))
	chunks := split(t, r, o)
	overlapped := 0
	for i := 1; i < len(chunks); i++ {
		shared := chunks[i-1].EndByte - chunks[i].StartByte
		if chunks[i].Headings[0] != chunks[i-1].Headings[0] {
			if shared > 0 {
				t.Errorf("overlap into another section: %q", chunks[i].Text)
			}
			continue
		}
		if shared <= 0 || !strings.HasPrefix(chunks[i].Text, "Sentence") || !strings.HasSuffix(chunks[i-1].Text, chunks[i].Text[:shared]) {
			t.Errorf("chunk %d shares %d bytes: %q", i, shared, chunks[i].Text[:max(shared, 0)])
		}
		overlapped++
	}
	if overlapped < 2 {
		t.Errorf("%d of %d chunks overlap", overlapped, len(chunks))
	}
	chunks = split(t, r, Options{MaxTokens: 100})
	for i := 1; i < len(chunks); i++ {
		if chunks[i].StartByte < chunks[i-1].EndByte {
			t.Errorf("overlap though none was asked for: %q", chunks[i].Text)
		}
	}
}

func TestHeadingsAreAPath(t *testing.T) {
	t.Parallel()
	r := document(para("Before."), head(1, "Manual"), head(2, "Safety"), para("Wear gloves."), head(3, "Locks"), para("Lock it."), head(2, "Care"), head(1, "Annex"), para("More."), head(2, "End"))
	var got []string
	for _, c := range split(t, r, Options{}) {
		got = append(got, strings.Join(c.Headings, " > ")+": "+strings.ReplaceAll(c.Text, "\n\n", " / "))
	}
	want := []string{
		": Before.", "Manual > Safety: # Manual / ## Safety / Wear gloves.", "Manual > Safety > Locks: ### Locks / Lock it.",
		"Annex: ## Care / # Annex / More.", "Annex > End: ## End",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	long := split(t, document(head(1, strings.Repeat("é", 400)), para("x")), Options{})[0]
	if len(long.Headings[0]) > maxTitle+len("…") || !utf8.ValidString(long.Headings[0]) {
		t.Errorf("a heading of %d bytes in a path", len(long.Headings[0]))
	}
}

func TestTablesAreDividedBetweenRows(t *testing.T) {
	t.Parallel()
	rows := [][]string{{"Part", "Interval"}}
	for i := range 40 {
		rows = append(rows, []string{fmt.Sprintf("Pump %d with all of its seals", i), "every week"})
	}
	table := extract.Block{Kind: block.Table, HeaderRow: true, Rows: rows, Page: 3}
	chunks := split(t, document(head(1, "Plan"), para("As follows."), table), Options{MaxTokens: 80, Overlap: 20})
	if len(chunks) < 4 {
		t.Fatalf("%d chunks", len(chunks))
	}
	for i, c := range chunks {
		header := strings.Contains(c.Text, "| Part | Interval |")
		if first := i == 0; header != first || first != (c.TableHeader == "") || !first && c.TableHeader != "| Part | Interval |" {
			t.Errorf("chunk %d: header row in text %v, table_header %q", i, header, c.TableHeader)
		}
		if !strings.HasSuffix(c.Text, "|") || i > 0 && !strings.HasPrefix(c.Text, "| Pump") {
			t.Errorf("divided within a row: %q", c.Text)
		}
		if i > 0 && c.StartByte < chunks[i-1].EndByte {
			t.Errorf("rows twice in chunk %d", i)
		}
	}
	// A row too long for a chunk is divided between words.
	table.Rows = append(rows[:2:2], []string{strings.Repeat("many words ", 100), "end"})
	chunks = split(t, document(table), Options{MaxTokens: 80})
	for _, c := range chunks[1:] {
		if c.TableHeader == "" || strings.HasPrefix(c.Text, "ords") {
			t.Errorf("part of a row: %+v", c)
		}
	}
}

func TestTextWithoutSentences(t *testing.T) {
	t.Parallel()
	o := Options{MaxTokens: 40}
	lines := strings.Repeat("2026-11-02 10:00:00 INFO pump 7 started after inspection\n", 50)
	for _, c := range split(t, document(para(lines)), o) {
		if !strings.HasPrefix(c.Text, "2026") || !strings.HasSuffix(c.Text, "inspection") {
			t.Errorf("divided within a line: %q", c.Text)
		}
	}
	chunks := split(t, document(para(strings.Repeat("palavra ", 500))), o)
	for i, c := range chunks {
		full := c.Tokens > 30 || i == len(chunks)-1
		if strings.Trim(c.Text, "palvr ") != "" || !strings.HasPrefix(c.Text, "palavra") || !strings.HasSuffix(c.Text, "palavra") || !full {
			t.Errorf("%d tokens: %q", c.Tokens, c.Text)
		}
	}
	family := "👩‍👩‍👧"
	for _, c := range split(t, document(para(strings.Repeat(family, 200))), o) {
		if strings.ReplaceAll(c.Text, family, "") != "" {
			t.Errorf("divided within a character: %q", c.Text)
		}
	}
	split(t, document(para("e"+strings.Repeat("\u0301", 2000))), o)
	split(t, document(extract.Block{Kind: block.Code, Text: strings.Repeat("x := f(y)\n\n", 200)}), o)
}

func TestAsidesHaveChunksOfTheirOwn(t *testing.T) {
	t.Parallel()
	r := extract.Render(&extract.Document{
		Blocks: []extract.Block{head(1, "Title"), para("Text[^1].")},
		Asides: []extract.Block{{Kind: block.Footnote, Label: "1", Text: "A note."}, {Kind: block.Header, Text: "Company"}},
	})
	chunks := split(t, r, Options{})
	if len(chunks) != 3 || chunks[1].Kind != "footnote" || chunks[1].Headings != nil || chunks[2].Kind != "header" || chunks[0].Kind != "paragraph" {
		t.Errorf("%+v", chunks)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"One. Two! Three? Four":                                  {"One.", "Two!", "Three?", "Four"},
		"O Sr. Silva e a Dra. Lima saíram. Voltaram":             {"O Sr. Silva e a Dra. Lima saíram.", "Voltaram"},
		"See J. R. Smith et al. Today it rains.":                 {"See J. R. Smith et al. Today it rains."},
		"It costs 3.14 euros. Cheap.":                            {"It costs 3.14 euros.", "Cheap."},
		"a line that is wrapped\nhere. Another one\nends:\nnext": {"a line that is wrapped\nhere.", "Another one\nends:", "next"},
		"first\n\nsecond":                                        {"first", "second"},
		"文です。次の文です。":                                             {"文です。", "次の文です。"},
		"(He left.) Then":                                        {"(He left.)", "Then"},
		"":                                                       nil,
		"\n\n x":                                                 {"x"},
	} {
		var got []string
		at := 0
		for p := range sentences(text) {
			if p.start != at {
				t.Errorf("%q: a part from %d to %d after %d", text, p.start, p.end, at)
			}
			at = p.end
			got = append(got, strings.TrimSpace(text[p.start:p.end]))
		}
		if at != len(text) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	r := document(para("Some text."))
	id := func(r extract.Rendered, doc string) string {
		c, err := Split(r, doc, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return c[0].ID
	}
	first, again := id(r, "a"), id(r, "a")
	if first != again || first == id(r, "b") || first == id(document(para("Other.")), "a") {
		t.Error("ids don't tell documents and texts apart")
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{MaxTokens: MinTokens - 1}, {MaxTokens: -1}, {MaxTokens: 100, Overlap: 51}, {MaxTokens: 100, Overlap: -1}} {
		if _, err := Split(document(para("x")), "a", o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
	if c := split(t, extract.Rendered{}, Options{}); len(c) != 0 {
		t.Errorf("chunks of nothing: %+v", c)
	}
}

func texts(chunks []Chunk) []string {
	var all []string
	for _, c := range chunks {
		all = append(all, c.Text)
	}
	return all
}

// Texts like these take hours when something in them is counted again and again.
func TestLargeTexts(t *testing.T) {
	t.Parallel()
	const n = 256 << 10
	for name, text := range map[string]string{
		"sentences":       strings.Repeat("The pump was checked at noon. Everything was fine. ", n/50),
		"one word":        strings.Repeat("x", n),
		"base64":          strings.Repeat("aGVsbG8gd29ybGQgaGVsbG8K", n/24),
		"short lines":     strings.Repeat("a\n", n/2),
		"no sentence end": strings.Repeat("word ", n/5),
		"dots":            strings.Repeat(".", n),
		"initials":        strings.Repeat("A. ", n/3),
		"marks":           "e" + strings.Repeat("\u0301", n/4),
		"han":             strings.Repeat("每位员工必须", n/18),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chunks, err := Split(document(para(text)), "doc", Options{})
			if err != nil || len(chunks) == 0 {
				t.Fatalf("%d chunks, %v", len(chunks), err)
			}
			covered, end := 0, 0
			for _, c := range chunks {
				covered += c.EndByte - max(c.StartByte, end)
				end = c.EndByte
				if c.Tokens > DefaultMaxTokens {
					t.Fatalf("%d tokens", c.Tokens)
				}
			}
			if blanks := strings.Count(text, " ") + strings.Count(text, "\n"); covered < len(text)-blanks {
				t.Errorf("%d of %d bytes covered", covered, len(text))
			}
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	var blocks []extract.Block
	for i := range 2000 {
		if i%20 == 0 {
			blocks = append(blocks, head(2, fmt.Sprintf("Section %d", i)))
		}
		blocks = append(blocks, para("A manutenção preventiva é obrigatória; nothing may be postponed without approval. Item 42 costs 3.14 € (see p. 7). "+sentencesFrom(i, 5)))
	}
	r := document(blocks...)
	b.SetBytes(int64(len(r.Text)))
	for b.Loop() {
		if _, err := Split(r, "doc", Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
