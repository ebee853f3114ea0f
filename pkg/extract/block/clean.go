package block

import (
	"strings"
	"unicode/utf8"
)

// Clean makes text fit for Block.Text: valid UTF-8 (other bytes become
// U+FFFD), line feeds for line ends, and without control characters other
// than tab and line feed, byte order marks, non-characters and soft hyphens.
// It returns s itself when there is nothing to do.
func Clean(s string) string {
	i := firstUnclean(s)
	if i == len(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	b.WriteString(s[:i])
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '\r':
			if i+1 >= len(s) || s[i+1] != '\n' {
				b.WriteByte('\n')
			}
		case r == utf8.RuneError && n == 1:
			b.WriteRune(utf8.RuneError)
		case r == '\u0085' || r == '\u2028' || r == '\u2029':
			b.WriteByte('\n')
		case !dropped(r):
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// Tidy is Clean for a paragraph whose layout says nothing: runs of blanks
// become one, and blanks at line ends and empty lines go.
func Tidy(s string) string {
	lines := strings.Split(Clean(s), "\n")
	kept := lines[:0]
	for _, l := range lines {
		l = strings.Join(strings.FieldsFunc(l, func(r rune) bool { return r == ' ' || r == '\t' || r == '\u00a0' }), " ")
		if l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

// firstUnclean is the offset of the first byte that Clean has to change.
func firstUnclean(s string) int {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				return i
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || r == '\u2028' || r == '\u2029' || dropped(r) {
			return i
		}
		i += n
	}
	return len(s)
}

// dropped reports characters that mean nothing in a text: controls, soft
// hyphens, byte order marks, and non-characters, which PDFium uses as marks.
func dropped(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case r < ' ', r >= 0x7f && r < 0xa0, r == 0xad, r == 0xfeff:
		return true
	case r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return false
}
