package chunk

import (
	"reflect"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

type fataler interface{ Fatalf(string, ...any) }

func split(t fataler, r extract.Rendered, o Options) []Chunk {
	chunks, err := Split(r, "doc", o)
	if err != nil {
		t.Fatalf("splitting: %v", err)
	}
	check(t, r, chunks, o)
	return chunks
}

// check holds chunks to what the package promises.
func check(t fataler, r extract.Rendered, chunks []Chunk, o Options) {
	if o.MaxTokens == 0 {
		o = Options{DefaultMaxTokens, DefaultOverlap}
	}
	count := mustCounter(t)
	runes := []rune(r.Text)
	end, ids := 0, map[string]bool{}
	for i, c := range chunks {
		if c.Index != i || c.StartByte >= c.EndByte || c.EndByte > len(r.Text) || r.Text[c.StartByte:c.EndByte] != c.Text {
			t.Fatalf("chunk %d is not its slice: %+v", i, c)
		}
		if string(runes[c.StartChar:c.EndChar]) != c.Text {
			t.Fatalf("chunk %d: characters %d to %d are not its text", i, c.StartChar, c.EndChar)
		}
		if n := count.count(c.Text); n != c.Tokens || n > o.MaxTokens || n == 0 {
			t.Fatalf("chunk %d: %d tokens, said %d, most %d: %q", i, n, c.Tokens, o.MaxTokens, c.Text)
		}
		if c.EndByte <= end || i > 0 && c.StartByte <= chunks[i-1].StartByte {
			t.Fatalf("chunk %d brings nothing new", i)
		}
		if between := r.Text[end:max(end, c.StartByte)]; strings.TrimFunc(between, unicode.IsSpace) != "" {
			t.Fatalf("not covered before chunk %d: %q", i, between)
		}
		if c.StartByte < end {
			if n := count.count(strings.TrimSpace(r.Text[c.StartByte:end])); n > o.Overlap+1 {
				t.Fatalf("chunk %d repeats %d tokens, most %d", i, n, o.Overlap)
			}
		}
		end = c.EndByte
		if ids[c.ID] {
			t.Fatalf("chunk %d: id %s twice", i, c.ID)
		}
		ids[c.ID] = true
		checkPlace(t, r, c)
	}
	if rest := r.Text[end:]; strings.TrimFunc(rest, unicode.IsSpace) != "" {
		t.Fatalf("not covered at the end: %q", rest)
	}
}

// checkPlace compares a chunk's pages, headings and table header with the
// spans it touches.
func checkPlace(t fataler, r extract.Rendered, c Chunk) {
	var path []heading
	content := false
	first, last := 0, 0
	s := splitter{}
	for _, span := range r.Spans {
		if span.Start >= c.EndByte {
			break
		}
		if opens(span) {
			s.enter(span)
		}
		if span.End <= c.StartByte {
			continue
		}
		if span.Page > 0 {
			if first == 0 {
				first, last = span.Page, span.Page
			}
			first, last = min(first, span.Page), max(last, span.Page)
		}
		if !opens(span) {
			if content && !reflect.DeepEqual(path, s.path) {
				t.Fatalf("chunk %d reaches over a heading: %v, %v", c.Index, path, s.path)
			}
			path, content = s.path, true
		}
		if span.Kind == block.Table && c.StartByte > span.Start && span.Start < c.StartByte && len(span.Header) <= maxHeader && c.TableHeader != span.Header {
			t.Fatalf("chunk %d goes on with a table without its header: %q", c.Index, c.TableHeader)
		}
	}
	if !content {
		path = s.path
	}
	var titles []string
	for _, h := range path {
		titles = append(titles, h.title)
	}
	if !reflect.DeepEqual(titles, c.Headings) {
		t.Fatalf("chunk %d: headings %q, want %q", c.Index, c.Headings, titles)
	}
	if c.PageFirst != first || c.PageLast != last {
		t.Fatalf("chunk %d: pages %d to %d, want %d to %d", c.Index, c.PageFirst, c.PageLast, first, last)
	}
	if c.Kind == "" {
		t.Fatalf("chunk %d has no kind", c.Index)
	}
}

func TestPromisesHoldForAnyDocument(t *testing.T) {
	t.Parallel()
	word := rapid.OneOf(
		rapid.SampledFrom([]string{"a", "The", "Sr.", "não", "maintenance", "end.", "Why?", "3.14", "e.g.", "漢字", "ไทย", "😀", "https://example.org/a/b?c=d", "|", "#", "`", "\n", "\n", "\t"}),
		rapid.String(),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat(rapid.SampledFrom([]string{"x", "é", "\u0301", "Ab9-", "漢", " ", "👩‍👩‍👧"}).Draw(t, "unit"), rapid.IntRange(1, 400).Draw(t, "times"))
		}),
	)
	text := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(word, 0, 30).Draw(t, "words"), " ")
	})
	kinds := []block.Kind{block.Heading, block.Heading, block.Paragraph, block.Paragraph, block.ListItem, block.Code, block.Quote, block.Table, block.Footnote, block.Comment}
	gen := rapid.Custom(func(t *rapid.T) extract.Block {
		b := extract.Block{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), Level: rapid.IntRange(1, 4).Draw(t, "level"), Page: rapid.IntRange(0, 5).Draw(t, "page")}
		if b.Kind == block.Table {
			b.Rows = rapid.SliceOfN(rapid.SliceOfN(text, 1, 3), 0, 6).Draw(t, "rows")
			b.HeaderRow = rapid.Bool().Draw(t, "header")
			return b
		}
		b.Text = text.Draw(t, "text")
		return b
	})
	rapid.Check(t, func(t *rapid.T) {
		d := &extract.Document{}
		for _, b := range rapid.SliceOfN(gen, 0, 10).Draw(t, "blocks") {
			if b.Kind == block.Footnote || b.Kind == block.Comment {
				d.Asides = append(d.Asides, b)
			} else {
				d.Blocks = append(d.Blocks, b)
			}
		}
		o := Options{MaxTokens: rapid.IntRange(MinTokens, 120).Draw(t, "max")}
		o.Overlap = rapid.IntRange(0, o.MaxTokens/2).Draw(t, "overlap")
		r := extract.Render(d)
		chunks := split(t, r, o)
		again, err := Split(r, "doc", o)
		if err != nil || !reflect.DeepEqual(chunks, again) {
			t.Fatalf("not the same twice: %v", err)
		}
	})
}
