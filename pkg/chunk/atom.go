package chunk

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/graphemes"
	"github.com/clipperhouse/uax29/v2/words"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// atom is a stretch of text that stays together: a sentence, a row, a line,
// and of those that are too long for a chunk a part. An atom alone never has
// more than MaxTokens.
type atom struct {
	start, end int // byte offsets, without white space around
	tokens     int // with the white space before it
	span       int
	whole      int  // of the first atom of a span: tokens of all of the span; else 0
	sentence   bool // may be repeated as overlap
}

// section makes the chunks of one section.
func (s *splitter) section(first, next int) {
	s.atoms = s.atoms[:0]
	for i := first; i < next; i++ {
		n := len(s.atoms)
		s.span(i)
		total := 0
		for _, a := range s.atoms[n:] {
			total += a.tokens
		}
		if n < len(s.atoms) {
			s.atoms[n].whole = total
		}
	}
	s.pack()
}

// span makes the atoms of one block.
func (s *splitter) span(i int) {
	span := s.r.Spans[i]
	switch {
	case span.Kind == block.Table && len(span.Rows) > 0:
		s.table(i, span)
		return
	case span.Kind == block.Table || span.Kind == block.Code:
		s.lines(i, span.Start, span.End)
		return
	}
	text := s.r.Text[span.Start:span.End]
	for text := range sentences(text) {
		start := span.Start + text.start
		s.unit(i, start, span.Start+text.end, true)
	}
}

// table makes an atom of each row; the first has the header with it, which
// says nothing alone.
func (s *splitter) table(i int, span extract.Span) {
	start := span.Start
	for _, row := range span.Rows {
		s.unit(i, start, row.End, false)
		start = row.End
	}
	s.unit(i, start, span.End, false)
}

// lines makes an atom of each line.
func (s *splitter) lines(i, start, end int) {
	for start < end {
		to := end
		if n := strings.IndexByte(s.r.Text[start:end], '\n'); n >= 0 {
			to = start + n + 1
		}
		s.unit(i, start, to, false)
		start = to
	}
}

// unit makes one atom, or several when the text is too long for a chunk.
func (s *splitter) unit(span, start, end int, sentence bool) {
	start, end = s.trim(start, end)
	if start == end {
		return
	}
	switch n := s.size(start, end); {
	case n <= s.o.MaxTokens:
		s.push(atom{start: start, end: end, tokens: n, span: span, sentence: sentence})
	case strings.IndexByte(s.r.Text[start:end], '\n') >= 0:
		s.lines(span, start, end)
	default:
		s.words(span, start, end)
	}
}

func (s *splitter) push(a atom) {
	s.atoms = append(s.atoms, a)
	s.end = a.end
}

// size is the tokens of an atom in a chunk: with the white space before it,
// or without when it comes first, whichever is more.
func (s *splitter) size(start, end int) int {
	gap := start
	if len(s.atoms) > 0 {
		gap = s.end
	}
	n := s.measure(gap, end)
	if gap == start || n+edge <= s.o.MaxTokens || n > s.o.MaxTokens {
		return n
	}
	return max(n, s.measure(start, end))
}

// edge is how many tokens the white space before an atom can make a
// difference at most. (" indeed" is one token, "indeed" two.)
const edge = 8

// measure counts the tokens of text, or says more than MaxTokens for what is
// sure to have more.
func (s *splitter) measure(start, end int) int {
	if end-start > s.o.MaxTokens*maxTokenLen {
		return s.o.MaxTokens + 1
	}
	return s.tokens.count(s.r.Text[start:end])
}

// words divides a line that is too long for a chunk between words.
func (s *splitter) words(span, start, end int) {
	it := words.FromString(s.r.Text[start:end])
	s.fill(span, start, func() (string, bool) { ok := it.Next(); return it.Value(), ok }, s.graphemes)
}

// graphemes divides a word that is too long for a chunk between what people
// see as characters.
func (s *splitter) graphemes(span, start, end int) {
	it := graphemes.FromString(s.r.Text[start:end])
	s.fill(span, start, func() (string, bool) { ok := it.Next(); return it.Value(), ok }, s.runes)
}

// runes divides a character with more marks on it than fit into a chunk.
func (s *splitter) runes(span, start, end int) {
	rest := s.r.Text[start:end]
	s.fill(span, start, func() (string, bool) {
		_, n := utf8.DecodeRuneInString(rest)
		v := rest[:n]
		rest = rest[n:]
		return v, n > 0
	}, nil)
}

// fill gathers parts, given by next from start on, into atoms as large as fit.
// A part that doesn't fit alone is divided by smaller. Blanks count with what
// comes after them.
func (s *splitter) fill(span, start int, next func() (string, bool), smaller func(span, start, end int)) {
	from, mark, at, sum := start, start, start, 0 // atom, part and reading position
	limit := s.o.MaxTokens - 2                    // what parts have less than the whole, mostly
	flush := func() {
		s.halve(span, from, mark)
		from, sum = mark, 0
	}
	for {
		part, ok := next()
		if !ok {
			mark = at
			flush()
			return
		}
		at += len(part)
		if strings.TrimFunc(part, unicode.IsSpace) == "" {
			continue
		}
		n := s.measure(mark, at)
		if sum+n > limit {
			flush()
		}
		if n > s.o.MaxTokens && smaller != nil {
			smaller(span, mark, at)
			from, n = at, 0
		}
		mark = at
		sum += n
	}
}

// halve makes an atom of text that was measured in parts. The whole can have
// a few tokens more than these; then it is divided near the middle.
func (s *splitter) halve(span, start, end int) {
	start, end = s.trim(start, end)
	if start == end {
		return
	}
	n := s.size(start, end)
	if n <= s.o.MaxTokens {
		s.push(atom{start: start, end: end, tokens: n, span: span})
		return
	}
	mid := start + middle(s.r.Text[start:end])
	if mid == start {
		s.push(atom{start: start, end: end, tokens: n, span: span})
		return
	}
	s.halve(span, start, mid)
	s.halve(span, mid, end)
}

// middle is where a text is divided: between words, else between what people
// see as characters, else between code points, as near to the middle as that
// allows; 0 for a text of one code point.
func middle(text string) int {
	for _, next := range []interface {
		Next() bool
		Value() string
	}{words.FromString(text), graphemes.FromString(text)} {
		if at := border(next, len(text)); at > 0 {
			return at
		}
	}
	mid := len(text) / 2
	for mid > 0 && !utf8.RuneStart(text[mid]) {
		mid--
	}
	if mid == 0 {
		if _, n := utf8.DecodeRuneInString(text); n < len(text) {
			mid = n
		}
	}
	return mid
}

// border is the last end of a part in the first half of a text, else the
// first one in the second half; 0 when there is only one part.
func border(parts interface {
	Next() bool
	Value() string
}, length int) int {
	last, at := 0, 0
	for parts.Next() {
		at += len(parts.Value())
		switch {
		case at == length:
			return last
		case at <= length/2:
			last = at
		case last == 0:
			return at
		default:
			return last
		}
	}
	return last
}

// trim leaves out the white space around text.
func (s *splitter) trim(start, end int) (int, int) {
	text := strings.TrimRightFunc(s.r.Text[start:end], unicode.IsSpace)
	end = start + len(text)
	return end - len(strings.TrimLeftFunc(text, unicode.IsSpace)), end
}
