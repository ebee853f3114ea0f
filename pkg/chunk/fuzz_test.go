package chunk

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Whatever text documents have, chunks keep what the package promises.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"", "One. Two! Three?", "a\n\nb", strings.Repeat("word ", 300), strings.Repeat("x", 900), "漢字かな。ไทย العربية 😀👩‍👩‍👧", "e.g. this, i.e. that", "\u00a0\u2003", "| a | b |"} {
		f.Add(s, "Heading", uint(64), uint(10))
		f.Add(s, s, uint(0), uint(0))
	}
	f.Fuzz(func(t *testing.T, text, title string, most, overlap uint) {
		if !utf8.ValidString(text) || !utf8.ValidString(title) || len(text)+len(title) > 20_000 {
			t.Skip("the extractors give valid UTF-8")
		}
		o := Options{MaxTokens: MinTokens + int(most%500)}
		o.Overlap = int(overlap) % (o.MaxTokens/2 + 1)
		if o.Overlap < 0 {
			t.Skip("no overlap")
		}
		d := &extract.Document{Blocks: []extract.Block{
			{Kind: block.Heading, Level: 1, Text: title}, {Kind: block.Paragraph, Text: text}, {Kind: block.Paragraph, Text: title}}}
		r := extract.Render(d)
		split(t, r, o)
	})
}
