package chunk

import (
	"iter"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/words"
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
	if o.MaxTokens == 0 {
		o = Options{DefaultMaxTokens, DefaultOverlap}
	}
	checkBorders(t, r, chunks, o)
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

// checkBorders holds chunks to where they may be divided: in prose between
// sentences, in a sentence that is too long for a chunk between words (or
// lines), in a word that is too long between characters, in tables between rows.
func checkBorders(t fataler, r extract.Rendered, chunks []Chunk, o Options) {
	count := mustCounter(t)
	for i, c := range chunks {
		borders := []int{c.EndByte}
		if i > 0 && c.StartByte < chunks[i-1].EndByte { // else it begins where the one before ends
			borders = append(borders, c.StartByte)
		}
		for _, at := range borders {
			for _, span := range r.Spans {
				if at <= span.Start || at >= span.End {
					continue
				}
				if why := badBorder(count, r, span, at, o.MaxTokens); why != "" {
					t.Fatalf("chunk %d of at most %d tokens begins or ends %s: %q | %q", i, o.MaxTokens, why, r.Text[max(span.Start, at-40):at], r.Text[at:min(span.End, at+40)])
				}
			}
		}
	}
}

// badBorder says within what the border at stands that would fit into a chunk.
func badBorder(count *counter, r extract.Rendered, span extract.Span, at, most int) string {
	start, end := span.Start, span.End
	switch {
	case span.Kind == block.Table:
		start, end = rowAround(span, at)
	case span.Kind == block.Code:
		start, end = lineAround(r.Text, span.Start, span.End, at)
	default:
		for p := range sentences(r.Text[span.Start:span.End]) {
			if span.Start+p.start <= at && at < span.Start+p.end {
				start, end = span.Start+p.start, span.Start+p.end
			}
		}
	}
	inside := func(from, to int) bool {
		text := r.Text[from:to]
		return at > from+len(text)-len(strings.TrimLeftFunc(text, unicode.IsSpace)) && at < from+len(strings.TrimRightFunc(text, unicode.IsSpace))
	}
	// Blanks before a piece can make it a few tokens longer than it is alone.
	fits := func(from, to int) bool { return count.count(strings.TrimSpace(r.Text[from:to]))+edge <= most }
	if inside(start, end) && fits(start, end) {
		return "within a sentence, row or line"
	}
	for word := range pieces(words.FromString(r.Text[start:end])) {
		if from, to := start+word.start, start+word.end; inside(from, to) {
			if fits(from, to) {
				return "within a word"
			}
			for g := range pieces(graphemes.FromString(r.Text[from:to])) {
				if a, b := from+g.start, from+g.end; inside(a, b) && fits(a, b) {
					return "within a character"
				}
			}
		}
	}
	return ""
}

func pieces(it interface {
	Next() bool
	Value() string
}) iter.Seq[part] {
	return func(yield func(part) bool) {
		for at := 0; it.Next(); at += len(it.Value()) {
			if !yield(part{at, at + len(it.Value())}) {
				return
			}
		}
	}
}

// rowAround is the row of a table that a place is in, the first one with the
// header above it.
func rowAround(span extract.Span, at int) (start, end int) {
	start = span.Start
	for _, row := range span.Rows {
		if at < row.End {
			return start, row.End
		}
		start = row.End
	}
	return start, span.End
}

func lineAround(text string, start, end, at int) (from, to int) {
	from, to = start, end
	if i := strings.LastIndexByte(text[start:at], '\n'); i >= 0 {
		from = start + i + 1
	}
	if i := strings.IndexByte(text[at:end], '\n'); i >= 0 {
		to = at + i
	}
	return from, to
}
