package pyjson

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

const (
	// maxIntDigits is CPython's default limit (sys.set_int_max_str_digits).
	maxIntDigits = 4300
	// maxValues bounds what a small text can make of memory, as in package
	// pickle: an empty array takes two bytes as text and a hundred as a value.
	maxValues = 1 << 19
)

// Decode reads one JSON value as json.loads does: numbers without fraction
// and exponent are int64 or *big.Int, NaN and infinities are accepted, of
// equal keys the last one counts.
func Decode(data []byte) (any, error) {
	p := &parser{in: string(data)}
	v, err := p.value(0)
	if err == nil {
		p.space()
		if p.pos < len(p.in) {
			err = errors.New("more data after the value")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("decoding JSON at byte %d: %w", p.pos, err)
	}
	return v, nil
}

type parser struct {
	in     string
	pos    int
	values int
}

var errSyntax = errors.New("not JSON")

func (p *parser) space() {
	for p.pos < len(p.in) && strings.IndexByte(" \t\r\n", p.in[p.pos]) >= 0 {
		p.pos++
	}
}

// accept moves over token if it is next.
func (p *parser) accept(token string) bool {
	if strings.HasPrefix(p.in[p.pos:], token) {
		p.pos += len(token)
		return true
	}
	return false
}

func (p *parser) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, errDepth
	}
	if p.values++; p.values > maxValues {
		return nil, fmt.Errorf("more than %d values", maxValues)
	}
	p.space()
	switch {
	case p.accept("null"):
		return nil, nil
	case p.accept("true"):
		return true, nil
	case p.accept("false"):
		return false, nil
	case p.accept("NaN"):
		return math.NaN(), nil
	case p.accept("Infinity"):
		return math.Inf(1), nil
	case p.accept("-Infinity"):
		return math.Inf(-1), nil
	case p.accept(`"`):
		return p.string()
	case p.accept("["):
		return p.array(depth)
	case p.accept("{"):
		return p.object(depth)
	}
	return p.number()
}

func (p *parser) array(depth int) (any, error) {
	items := []any{}
	p.space()
	if p.accept("]") {
		return items, nil
	}
	for {
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		p.space()
		if p.accept("]") {
			return items, nil
		}
		if !p.accept(",") {
			return nil, errSyntax
		}
	}
}

func (p *parser) object(depth int) (any, error) {
	d := pickle.Dict{}
	p.space()
	if p.accept("}") {
		return d, nil
	}
	at := map[string]int{}
	for {
		p.space()
		if !p.accept(`"`) {
			return nil, errSyntax
		}
		k, err := p.string()
		if err != nil {
			return nil, err
		}
		p.space()
		if !p.accept(":") {
			return nil, errSyntax
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		if i, again := at[k]; again {
			d[i].Value = v
		} else {
			at[k] = len(d)
			d = append(d, pickle.Pair{Key: k, Value: v})
		}
		p.space()
		if p.accept("}") {
			return d, nil
		}
		if !p.accept(",") {
			return nil, errSyntax
		}
	}
}

func (p *parser) digits() int {
	start := p.pos
	for p.pos < len(p.in) && p.in[p.pos] >= '0' && p.in[p.pos] <= '9' {
		p.pos++
	}
	return p.pos - start
}

func (p *parser) number() (any, error) {
	start := p.pos
	p.accept("-")
	whole := p.pos
	n := p.digits()
	if n == 0 || n > 1 && p.in[whole] == '0' {
		return nil, errSyntax
	}
	isFloat := false
	if p.accept(".") {
		isFloat = true
		if p.digits() == 0 {
			return nil, errSyntax
		}
	}
	if p.accept("e") || p.accept("E") {
		isFloat = true
		if !p.accept("+") {
			p.accept("-")
		}
		if p.digits() == 0 {
			return nil, errSyntax
		}
	}
	text := p.in[start:p.pos]
	if isFloat {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, errSyntax
		}
		return f, nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i, nil
	}
	if n > maxIntDigits {
		return nil, fmt.Errorf("a number of %d digits", n)
	}
	big, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return nil, errSyntax
	}
	return big, nil
}

// string reads the rest of a string whose opening quote has been read.
func (p *parser) string() (string, error) {
	var out []byte
	for p.pos < len(p.in) {
		c := p.in[p.pos]
		switch {
		case c == '"':
			p.pos++
			return string(out), nil
		case c == '\\':
			p.pos++
			var err error
			if out, err = p.escape(out); err != nil {
				return "", err
			}
		case c < ' ':
			return "", errors.New("a control character in a string")
		default:
			r, n := utf8.DecodeRuneInString(p.in[p.pos:])
			if r == utf8.RuneError && n == 1 {
				return "", errors.New("text that is not UTF-8")
			}
			out = append(out, p.in[p.pos:p.pos+n]...)
			p.pos += n
		}
	}
	return "", errSyntax
}

func (p *parser) escape(out []byte) ([]byte, error) {
	if p.pos >= len(p.in) {
		return nil, errSyntax
	}
	c := p.in[p.pos]
	p.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return append(out, "\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return nil, errSyntax
	}
	r, err := p.unit()
	if err != nil {
		return nil, err
	}
	if r >= 0xd800 && r < 0xdc00 {
		before := p.pos
		if p.accept(`\u`) {
			low, err := p.unit()
			if err != nil {
				return nil, err
			}
			if low >= 0xdc00 && low < 0xe000 {
				return utf8.AppendRune(out, 0x10000+(r-0xd800)<<10+low-0xdc00), nil
			}
		}
		p.pos = before
	}
	return pickle.AppendRune(out, r), nil
}

// unit reads the four digits of a \u escape.
func (p *parser) unit() (rune, error) {
	if p.pos+4 > len(p.in) {
		return 0, errSyntax
	}
	n, err := strconv.ParseUint(p.in[p.pos:p.pos+4], 16, 16)
	if err != nil {
		return 0, errSyntax
	}
	p.pos += 4
	return rune(n), nil
}
