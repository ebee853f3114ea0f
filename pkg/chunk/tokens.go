package chunk

import (
	"unicode"
	"unicode/utf8"
)

const (
	// maxCached bounds the counts that are remembered; most words of a text are among few.
	maxCached = 1 << 16
	// maxCachedLen is the longest piece that is remembered, in bytes.
	maxCachedLen = 48
	// maxTokenLen is the length of the longest token of the vocabulary, in bytes.
	maxTokenLen = 128
)

// counter counts tokens of cl100k_base. A text is first divided into pieces by
// a regular expression, here applied by hand; then each piece is encoded by
// itself, so that the counts of pieces can be remembered.
type counter struct {
	ranks map[string]uint32
	known map[string]int
}

func newCounter() (*counter, error) {
	ranks, err := vocabulary()
	if err != nil {
		return nil, err
	}
	return &counter{ranks: ranks, known: map[string]int{}}, nil
}

// count is the number of tokens of s.
func (c *counter) count(s string) int {
	n := 0
	for i := 0; i < len(s); {
		end := pieceEnd(s, i)
		n += c.piece(s[i:end])
		i = end
	}
	return n
}

func (c *counter) piece(p string) int {
	if len(p) == 1 {
		return 1
	}
	if n, ok := c.known[p]; ok {
		return n
	}
	n := encode(c.ranks, p)
	if len(p) <= maxCachedLen {
		if len(c.known) >= maxCached {
			clear(c.known)
		}
		c.known[p] = n
	}
	return n
}

// pieceEnd is where the piece that begins at i ends, by the expression of
// cl100k_base:
//
//	(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
func pieceEnd(s string, i int) int {
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == '\'' {
		if k := contraction(s[i+1:]); k > 0 {
			return i + 1 + k
		}
	}
	next, nextLen := utf8.DecodeRuneInString(s[i+n:])
	switch {
	case unicode.IsLetter(r):
		return letters(s, i)
	case nextLen > 0 && r != '\r' && r != '\n' && !number(r) && unicode.IsLetter(next):
		return letters(s, i+n)
	case number(r):
		return numbers(s, i)
	case !unicode.IsSpace(r):
		return signs(s, i)
	case r == ' ' && nextLen > 0 && sign(next):
		return signs(s, i+n)
	}
	return blanks(s, i)
}

// contraction is the length of an English ending after an apostrophe.
func contraction(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] | 0x20 {
	case 's', 't', 'm', 'd':
		return 1
	case 'r', 'v':
		if len(s) > 1 && s[1]|0x20 == 'e' {
			return 2
		}
	case 'l':
		if len(s) > 1 && s[1]|0x20 == 'l' {
			return 2
		}
	}
	return 0
}

func number(r rune) bool { return unicode.Is(unicode.N, r) }

func sign(r rune) bool {
	return !unicode.IsSpace(r) && !unicode.IsLetter(r) && !number(r)
}

func letters(s string, i int) int {
	for i < len(s) {
		if c := s[i]; c < utf8.RuneSelf {
			if c|0x20 < 'a' || c|0x20 > 'z' {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsLetter(r) {
			return i
		}
		i += n
	}
	return i
}

func numbers(s string, i int) int {
	for range 3 {
		r, n := utf8.DecodeRuneInString(s[i:])
		if n == 0 || !number(r) {
			break
		}
		i += n
	}
	return i
}

// signs are followed by the line ends after them.
func signs(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !sign(r) {
			break
		}
		i += n
	}
	for i < len(s) && (s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// blanks end with the last line end among them; without one, before the last
// blank, which belongs to the word after it.
func blanks(s string, i int) int {
	end, lineEnd, last := i, -1, i
	for end < len(s) {
		r, n := utf8.DecodeRuneInString(s[end:])
		if !unicode.IsSpace(r) {
			break
		}
		last = end
		end += n
		if r == '\n' || r == '\r' {
			lineEnd = end
		}
	}
	switch {
	case lineEnd >= 0:
		return lineEnd
	case end < len(s) && last > i:
		return last
	}
	return end
}
