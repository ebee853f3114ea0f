package pyliteral

import (
	"errors"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// The forms of numbers (Python reference, 2.4.5 to 2.4.7).
var (
	floatForm = regexp.MustCompile(`^(?:(?:[0-9](?:_?[0-9])*)?\.[0-9](?:_?[0-9])*|[0-9](?:_?[0-9])*\.?)(?:[eE][+-]?[0-9](?:_?[0-9])*)?`)
	basedForm = regexp.MustCompile(`^0(?:[xX](?:_?[0-9a-fA-F])+|[oO](?:_?[0-7])+|[bB](?:_?[01])+)`)
	zeroForm  = regexp.MustCompile(`^0(?:_?0)*$`)
)

func (p *parser) number() (any, error) {
	rest := p.in[p.pos:]
	text := basedForm.FindString(rest)
	if text == "" {
		text = floatForm.FindString(rest)
	}
	if text == "" {
		return nil, errSyntax
	}
	if next := rest[len(text):]; next != "" {
		if next[0]|0x20 == 'j' {
			return nil, errors.New("complex numbers can't be passed on")
		}
		if next[0] == '_' || next[0] == '.' || next[0]|0x20 >= 'a' && next[0]|0x20 <= 'z' || next[0] >= '0' && next[0] <= '9' || next[0] >= utf8.RuneSelf {
			return nil, errSyntax
		}
	}
	p.pos += len(text)
	plain := strings.ReplaceAll(text, "_", "")
	if basedForm.MatchString(text) {
		n, _ := new(big.Int).SetString(plain, 0)
		return small(n), nil
	}
	if strings.ContainsAny(plain, ".eE") {
		f, err := strconv.ParseFloat(plain, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) { // too large is infinite
			return nil, errSyntax
		}
		return f, nil
	}
	if plain[0] == '0' && !zeroForm.MatchString(text) {
		return nil, errors.New("leading zeros in decimal integer literals are not permitted")
	}
	if len(plain) > maxIntDigits {
		return nil, errors.New("an int of over 4300 digits")
	}
	n, _ := new(big.Int).SetString(plain, 10)
	return small(n), nil
}

// strings reads one or more adjacent strings, or bytes, as one.
func (p *parser) strings() (any, error) {
	var out []byte
	for first, bytes := true, false; ; first = false {
		b, isBytes, err := p.quoted()
		if err != nil {
			return nil, err
		}
		if !first && isBytes != bytes {
			return nil, errors.New("bytes and text side by side")
		}
		out, bytes = append(out, b...), isBytes
		p.space()
		if !p.atString() {
			if bytes {
				return append([]byte{}, out...), nil
			}
			return string(out), nil
		}
	}
}

// prefixes of strings; u goes alone.
var prefixForm = regexp.MustCompile(`^(?:[bB][rR]?|[rR][bB]?|[uU])?['"]`)

func (p *parser) atString() bool { return prefixForm.MatchString(p.in[p.pos:]) }

// quoted reads one string with its prefix.
func (p *parser) quoted() (out []byte, isBytes bool, err error) {
	prefix := prefixForm.FindString(p.in[p.pos:])
	if prefix == "" {
		return nil, false, errSyntax
	}
	kind := strings.ToLower(prefix[:len(prefix)-1])
	raw, isBytes := strings.Contains(kind, "r"), strings.Contains(kind, "b")
	p.pos += len(prefix) - 1
	quote := p.in[p.pos : p.pos+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(p.in[p.pos:], triple) {
		quote = triple
	}
	p.pos += len(quote)
	for {
		rest := p.in[p.pos:]
		switch {
		case rest == "" || rest[0] == '\n' && len(quote) == 1:
			return nil, false, errors.New("unterminated string")
		case strings.HasPrefix(rest, quote):
			p.pos += len(quote)
			return out, isBytes, nil
		case isBytes && rest[0] >= utf8.RuneSelf:
			return nil, false, errors.New("bytes can only contain ASCII literal characters")
		case rest[0] != '\\':
			out = append(out, rest[0])
			p.pos++
		case len(rest) == 1:
			return nil, false, errors.New("unterminated string")
		case raw && isBytes && rest[1] >= utf8.RuneSelf:
			return nil, false, errors.New("bytes can only contain ASCII literal characters")
		case raw:
			out = append(out, rest[:2]...)
			p.pos += 2
		default:
			if out, err = p.escape(out, isBytes); err != nil {
				return nil, false, err
			}
		}
	}
}

// simpleEscapes stand for themselves; a line end for nothing.
var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// escape reads a backslash and what follows. Unknown ones stay as they are.
func (p *parser) escape(out []byte, isBytes bool) ([]byte, error) {
	c := p.in[p.pos+1]
	if text, ok := simpleEscapes[c]; ok {
		p.pos += 2
		return append(out, text...), nil
	}
	digits, base := 0, 16
	switch {
	case c >= '0' && c <= '7':
		p.pos++
		base = 8
		for digits < 3 && p.pos+digits < len(p.in) && p.in[p.pos+digits] >= '0' && p.in[p.pos+digits] <= '7' {
			digits++
		}
	case c == 'x':
		digits, p.pos = 2, p.pos+2
	case c == 'u' && !isBytes:
		digits, p.pos = 4, p.pos+2
	case c == 'U' && !isBytes:
		digits, p.pos = 8, p.pos+2
	case c == 'N' && !isBytes:
		return nil, errors.New(`characters by name, \N{...}, are not known here: use \u`)
	default:
		p.pos++
		return append(out, '\\'), nil // the character itself is read next
	}
	if p.pos+digits > len(p.in) {
		return nil, errors.New("truncated escape")
	}
	n, err := strconv.ParseUint(p.in[p.pos:p.pos+digits], base, 32)
	if err != nil || n > utf8.MaxRune {
		return nil, errors.New("truncated or illegal escape")
	}
	p.pos += digits
	if isBytes {
		return append(out, byte(n)), nil
	}
	return pickle.AppendRune(out, rune(n)), nil
}
