package main

import (
	"fmt"
	"strings"
)

// token is one word of a Lua script.
type token struct {
	kind       byte // 'n'ame or keyword, 's'tring, number as '0', 'p'unctuation
	text       string
	start, end int // bytes
	line       int // from 1
	first      bool
}

// lex splits a script into tokens without its comments. It knows the Lua that
// the scripts are written in: no long strings, no long comments.
func lex(src string) ([]token, error) {
	var tokens []token
	line, first := 1, true
	add := func(kind byte, from, to int) {
		tokens = append(tokens, token{kind, src[from:to], from, to, line, first})
		first = false
	}
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\n':
			line, first = line+1, true
			i++
		case c == ' ' || c == '\t':
			i++
		case strings.HasPrefix(src[i:], "--[["):
			return nil, fmt.Errorf("line %d: a long comment, which the reader of scripts does not know", line)
		case strings.HasPrefix(src[i:], "--"):
			for i < len(src) && src[i] != '\n' {
				i++
			}
		case c == '\'' || c == '"':
			end := i + 1
			for end < len(src) && src[end] != c && src[end] != '\n' {
				if src[end] == '\\' {
					end++
				}
				end++
			}
			if end >= len(src) || src[end] != c {
				return nil, fmt.Errorf("line %d: a text without an end", line)
			}
			add('s', i, end+1)
			i = end + 1
		case isWord(c):
			end := i
			for end < len(src) && (isWord(src[end]) || c >= '0' && c <= '9' && src[end] == '.') {
				end++
			}
			kind := byte('n')
			if c >= '0' && c <= '9' {
				kind = '0'
			}
			add(kind, i, end)
			i = end
		default:
			n := 1
			for _, long := range []string{"...", "..", "==", "~=", "<=", ">="} {
				if strings.HasPrefix(src[i:], long) {
					n = len(long)
					break
				}
			}
			add('p', i, i+n)
			i += n
		}
	}
	return tokens, nil
}

func isWord(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// keywords begin or end something, so that no operand goes past them.
var keywords = map[string]bool{"and": true, "or": true, "then": true, "do": true, "end": true, "else": true,
	"elseif": true, "if": true, "while": true, "for": true, "in": true, "return": true, "local": true,
	"function": true, "break": true, "repeat": true, "until": true}

// closes answers the index of the bracket that closes the one at i.
func closes(tokens []token, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		if tokens[i].kind != 'p' {
			continue
		}
		switch tokens[i].text {
		case "(", "{", "[":
			depth++
		case ")", "}", "]":
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return len(tokens) - 1
}

// endsValue reports whether an expression may end with the token, so that a
// name on the next line begins something new.
func endsValue(t token) bool {
	switch t.kind {
	case 's', '0':
		return true
	case 'n':
		return !keywords[t.text] && t.text != "not"
	}
	return t.text == ")" || t.text == "}" || t.text == "]" || t.text == "..."
}

// operand answers the index behind the operand of "and" and "or" that begins
// at i; i itself when none does.
func operand(tokens []token, i int) int {
	for at := i; at < len(tokens); at++ {
		t := tokens[at]
		if t.kind == 'n' && keywords[t.text] {
			return at
		}
		if at > i && t.first && t.kind == 'n' && endsValue(tokens[at-1]) {
			return at
		}
		if t.kind != 'p' {
			continue
		}
		switch t.text {
		case "(", "{", "[":
			at = closes(tokens, at)
		case ")", "}", "]", ",", "=", ";":
			return at
		}
	}
	return len(tokens)
}
