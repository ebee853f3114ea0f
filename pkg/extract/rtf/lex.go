package rtf

import (
	"bufio"
	"io"
)

// tokenKind is what a token is.
type tokenKind int

const (
	groupBegin tokenKind = iota
	groupEnd
	text    // a byte as it stands in the file
	escaped // a byte written \'hh
	word    // a control word, or symbol of one character
)

// token is one piece of the file.
type token struct {
	kind     tokenKind
	char     byte
	word     string
	param    int
	hasParam bool
}

// on reads a word that switches a property: 0 means off.
func (t token) on() bool { return !t.hasParam || t.param != 0 }

// maxWord bounds the name of a control word; the standard allows 32 letters.
const maxWord = 64

// lexer takes a file apart. Whatever it can't make sense of, it passes over.
type lexer struct {
	r      *bufio.Reader
	offset int64
	name   [maxWord]byte
}

func (l *lexer) byte() (byte, error) {
	c, err := l.r.ReadByte()
	if err == nil {
		l.offset++
	}
	return c, err
}

func (l *lexer) back() {
	if l.r.UnreadByte() == nil {
		l.offset--
	}
}

// next is the next token, io.EOF after the last.
func (l *lexer) next() (token, error) {
	for {
		c, err := l.byte()
		if err != nil {
			return token{}, err
		}
		switch c {
		case '{':
			return token{kind: groupBegin}, nil
		case '}':
			return token{kind: groupEnd}, nil
		case '\\':
			return l.control()
		case '\r', '\n', 0:
		default:
			return token{kind: text, char: c}, nil
		}
	}
}

// control reads what follows a backslash.
func (l *lexer) control() (token, error) {
	c, err := l.byte()
	if err != nil {
		return token{}, err
	}
	switch {
	case c == '\'':
		return l.escape()
	case c == '\\' || c == '{' || c == '}':
		return token{kind: text, char: c}, nil
	case c == '\r' || c == '\n':
		return token{kind: word, word: "par"}, nil
	case !letter(c):
		return token{kind: word, word: string(rune(c))}, nil
	}
	n := 0
	for ; err == nil && letter(c); c, err = l.byte() {
		if n < maxWord {
			l.name[n] = c
			n++
		}
	}
	t := token{kind: word, word: string(l.name[:n])}
	negative := err == nil && c == '-'
	if negative {
		c, err = l.byte()
	}
	for ; err == nil && c >= '0' && c <= '9'; c, err = l.byte() {
		t.hasParam = true
		if t.param < 1<<30/10 {
			t.param = t.param*10 + int(c-'0')
		}
	}
	if negative {
		t.param = -t.param
	}
	if err == nil && c != ' ' {
		l.back()
	}
	if err != nil && err != io.EOF {
		return token{}, err
	}
	if t.word == "bin" && t.param > 0 {
		return t, l.skip(int64(t.param))
	}
	return t, nil
}

// skip passes over bytes that are no text.
func (l *lexer) skip(n int64) error {
	done, err := io.CopyN(io.Discard, l.r, n)
	l.offset += done
	if err == io.EOF {
		err = nil
	}
	return err
}

// escape reads \'hh. One that isn't followed by two digits stands for nothing.
func (l *lexer) escape() (token, error) {
	var v byte
	for range 2 {
		c, err := l.byte()
		if err != nil {
			return token{}, err
		}
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | (c - '0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | (c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			v = v<<4 | (c - 'A' + 10)
		default:
			l.back()
			return token{kind: word, word: "'"}, nil
		}
	}
	return token{kind: escaped, char: v}, nil
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
