package markdown

import (
	"strings"
	"unicode/utf8"
)

// maxInline is how much of a text is scanned at once, in bytes.
const maxInline = 1 << 20

// maxTarget bounds where a link goes, in bytes: what is longer isn't one.
const maxTarget = 2000

// Plain is the text of a block without inline marks: emphasis, code spans,
// links and images (their text stays), HTML tags and comments, and the
// backslashes before punctuation. It takes time in proportion to the text.
// Text over 1 MiB is read in parts, since the marks of a part are held in memory.
func Plain(text string) string {
	if len(text) <= maxInline {
		return plainPart(text)
	}
	var b strings.Builder
	for len(text) > maxInline {
		cut := strings.LastIndexAny(text[:maxInline], " \n") + 1
		if cut == 0 { // a text without blanks is cut between characters
			for cut = maxInline; cut < len(text) && !utf8.RuneStart(text[cut]); cut++ {
			}
		}
		b.WriteString(plainPart(text[:cut]))
		text = text[cut:]
	}
	b.WriteString(plainPart(text))
	return b.String()
}

func plainPart(text string) string {
	if !strings.ContainsAny(text, "*_`~[]<\\") {
		return text
	}
	s := &inline{in: uncommented(text)}
	for s.at < len(s.in) {
		s.next()
	}
	return s.join()
}

// inline is a scan of one block's text. What is read becomes pieces; a mark
// is a piece of its own, blanked once its partner is found.
type inline struct {
	in     string
	at     int
	pieces []string
	from   int // start of the text not yet made a piece

	marks    map[byte][]int // open marks of emphasis by character: indexes of pieces
	brackets []int          // open brackets: indexes of pieces
	noFence  map[int]bool   // lengths of backquote runs that have no partner after here
}

func (s *inline) next() {
	switch c := s.in[s.at]; c {
	case '\\':
		s.escape()
	case '`':
		s.code()
	case '*', '_', '~':
		s.emphasis(c)
	case '!':
		if strings.HasPrefix(s.in[s.at:], "![") {
			s.bracket(2)
			return
		}
		s.at++
	case '[':
		s.bracket(1)
	case ']':
		s.close()
	case '<':
		s.tag()
	default:
		s.at++
	}
}

// piece ends the text before at, and adds the next n bytes as out.
func (s *inline) piece(n int, out string) (index int) {
	if s.from < s.at {
		s.pieces = append(s.pieces, s.in[s.from:s.at])
	}
	s.pieces = append(s.pieces, out)
	s.at += n
	s.from = s.at
	return len(s.pieces) - 1
}

func (s *inline) join() string {
	s.piece(0, "")
	return strings.Join(s.pieces, "")
}

func (s *inline) escape() {
	if s.at+1 < len(s.in) && punctuation(s.in[s.at+1]) {
		s.piece(2, s.in[s.at+1:s.at+2])
		return
	}
	s.at++
}

// code takes the marks off a code span, whose content is not looked into.
func (s *inline) code() {
	n := run(s.in[s.at:])
	rest := s.in[s.at+n:]
	if end := s.fence(rest, n); end >= 0 {
		inner := rest[:end]
		if strings.HasPrefix(inner, " ") && strings.HasSuffix(inner, " ") && strings.TrimSpace(inner) != "" {
			inner = inner[1 : len(inner)-1]
		}
		s.piece(2*n+end, inner)
		return
	}
	s.at += n
}

// fence finds a run of exactly n backquotes; -1 for none. That there is none
// is remembered, so that a text of many runs isn't searched again and again.
func (s *inline) fence(text string, n int) int {
	if s.noFence[n] {
		return -1
	}
	for at := 0; at < len(text); {
		i := strings.IndexByte(text[at:], '`')
		if i < 0 {
			break
		}
		at += i
		have := run(text[at:])
		if have == n {
			return at
		}
		at += have
	}
	if s.noFence == nil {
		s.noFence = map[int]bool{}
	}
	s.noFence[n] = true
	return -1
}

// emphasis takes a run of marks off when an earlier one of its kind opens
// what it closes.
func (s *inline) emphasis(c byte) {
	n := run(s.in[s.at:])
	before, after := byte(' '), byte(' ')
	if s.at > 0 {
		before = s.in[s.at-1]
	}
	if s.at+n < len(s.in) {
		after = s.in[s.at+n]
	}
	opens := !blank(after) && (!punctuation(after) || blank(before) || punctuation(before))
	closes := !blank(before) && (!punctuation(before) || blank(after) || punctuation(after))
	if c == '_' { // within a word it is a letter
		opens, closes = opens && !word(before), closes && !word(after)
	}
	if n > 3 || c == '~' && n != 2 {
		opens, closes = false, false
	}
	mark := s.piece(n, s.in[s.at:s.at+n])
	if closes {
		s.pair(c, mark)
	}
	if opens && s.pieces[mark] != "" {
		if s.marks == nil {
			s.marks = map[byte][]int{}
		}
		s.marks[c] = append(s.marks[c], mark)
	}
}

// pair takes the marks off a closing run and those that it closes.
func (s *inline) pair(c byte, mark int) {
	open := s.marks[c]
	for len(open) > 0 && s.pieces[mark] != "" {
		last := open[len(open)-1]
		n := min(len(s.pieces[last]), len(s.pieces[mark]))
		s.pieces[last], s.pieces[mark] = s.pieces[last][n:], s.pieces[mark][n:]
		if s.pieces[last] == "" {
			open = open[:len(open)-1]
		}
	}
	if open != nil {
		s.marks[c] = open
	}
}

func (s *inline) bracket(n int) {
	s.brackets = append(s.brackets, s.piece(n, s.in[s.at:s.at+n]))
}

// close ends a link or image: its text stays. Brackets that lead nowhere stay
// too, but for a note's reference, which loses the caret.
func (s *inline) close() {
	if len(s.brackets) == 0 {
		s.at++
		return
	}
	open := s.brackets[len(s.brackets)-1]
	s.brackets = s.brackets[:len(s.brackets)-1]
	n := target(s.in[s.at+1:])
	if n == 0 {
		if s.piece(1, "]"); open+1 < len(s.pieces) {
			s.pieces[open+1] = strings.TrimPrefix(s.pieces[open+1], "^")
		}
		return
	}
	s.pieces[open] = ""
	s.piece(1+n, "")
}

// target is the length of what follows a link's text: (where) or [reference].
func target(s string) int {
	if s == "" || s[0] != '(' && s[0] != '[' {
		return 0
	}
	end, depth := byte(')'), 0
	if s[0] == '[' {
		end = ']'
	}
	for i := range min(len(s), maxTarget) {
		switch s[i] {
		case s[0]:
			depth++
		case end:
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

// tag drops an HTML tag and keeps the address in an autolink.
func (s *inline) tag() {
	rest := s.in[s.at:min(len(s.in), s.at+maxTarget)]
	end := strings.IndexAny(rest[1:], "<>") + 1
	if end < 2 || rest[end] != '>' {
		s.at++
		return
	}
	inner := rest[1:end]
	switch {
	case strings.Contains(inner, "://") && !strings.ContainsAny(inner, " \t\n\""), strings.HasPrefix(inner, "mailto:"),
		strings.Contains(inner, "@") && !strings.ContainsAny(inner, " \t\n=\"/"):
		s.piece(end+1, inner)
	case inlineTag.MatchString(rest[:end+1]):
		s.piece(end+1, "")
	default:
		s.at++
	}
}

// run is the length of the run of the first byte of s.
func run(s string) int { return len(s) - len(strings.TrimLeft(s, s[:1])) }

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' }

func punctuation(c byte) bool {
	return c > ' ' && c < 0x7f && !word(c)
}

// word reports letters and digits; bytes beyond ASCII count as letters.
func word(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80
}
