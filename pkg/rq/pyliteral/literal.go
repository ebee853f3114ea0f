// Package pyliteral reads Python literals as ast.literal_eval does: strings,
// bytes, numbers, tuples, lists, dicts, sets, True, False and None. Values are
// those of package pickle. Nothing is executed.
//
// Left out are complex numbers, the Ellipsis and characters named \N{...}.
package pyliteral

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

const (
	// maxDepth is how deep CPython's parser follows parentheses (MAXSTACK of
	// its tokenizer).
	maxDepth = 200
	// maxIntDigits is CPython's default limit (sys.set_int_max_str_digits).
	maxIntDigits = 4300
)

var errSyntax = errors.New("not a Python literal")

// Parse reads one literal.
func Parse(text string) (any, error) {
	p := &parser{in: strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimLeft(text, " \t"))}
	v, err := p.whole()
	if err != nil {
		return nil, fmt.Errorf("reading a Python literal at byte %d: %w", p.pos, err)
	}
	return v, nil
}

type parser struct {
	in    string
	pos   int
	depth int // open parentheses
}

// whole reads the expression and what may stand around it: blank lines,
// comments, and commas that make it a tuple.
func (p *parser) whole() (any, error) {
	if strings.IndexByte(p.in, 0) >= 0 {
		return nil, errors.New("null bytes")
	}
	for p.blankLine() {
	}
	if p.pos > 0 && (p.at(' ') || p.at('\t')) {
		return nil, errors.New("unexpected indent")
	}
	v, err := p.list(0)
	if err != nil {
		return nil, err
	}
	for p.space(); p.accept('\n'); p.space() {
	}
	if p.pos < len(p.in) {
		return nil, errSyntax
	}
	return v, nil
}

// blankLine moves over a line that holds nothing but blanks or a comment.
func (p *parser) blankLine() bool {
	end := strings.IndexByte(p.in[p.pos:], '\n')
	if end < 0 {
		return false
	}
	line := strings.TrimLeft(p.in[p.pos:p.pos+end], " \t\f")
	if line != "" && line[0] != '#' {
		return false
	}
	p.pos += end + 1
	return true
}

func (p *parser) at(c byte) bool { return p.pos < len(p.in) && p.in[p.pos] == c }

func (p *parser) accept(c byte) bool {
	if p.at(c) {
		p.pos++
		return true
	}
	return false
}

// space moves over blanks, comments and continued lines, and inside
// parentheses over line ends too.
func (p *parser) space() {
	for p.pos < len(p.in) {
		switch c := p.in[p.pos]; {
		case c == ' ' || c == '\t' || c == '\f' || c == '\n' && p.depth > 0:
			p.pos++
		case c == '\\' && strings.HasPrefix(p.in[p.pos:], "\\\n") && p.pos+2 < len(p.in):
			p.pos += 2
		case c == '#':
			end := strings.IndexByte(p.in[p.pos:], '\n')
			if end < 0 {
				end = len(p.in) - p.pos
			}
			p.pos += end
		default:
			return
		}
	}
}

// list reads values and commas up to end, or to the end of the expression for
// 0: one value without a comma is itself, anything else a tuple.
func (p *parser) list(end byte) (any, error) {
	items, commas, err := p.items(end)
	if err != nil {
		return nil, err
	}
	if end == 0 && len(items) == 0 {
		return nil, errSyntax
	}
	if len(items) == 1 && commas == 0 {
		return items[0], nil
	}
	return pickle.Tuple(items), nil
}

// items reads values separated by commas up to end, of which one may follow
// the last; the closing parenthesis is taken.
func (p *parser) items(end byte) (items []any, commas int, err error) {
	for {
		p.space()
		if end != 0 && p.accept(end) || end == 0 && len(items) > 0 && (p.pos == len(p.in) || p.at('\n')) {
			return items, commas, nil
		}
		v, err := p.value()
		if err != nil {
			return nil, 0, err
		}
		items = append(items, v)
		p.space()
		if p.accept(',') {
			commas++
			continue
		}
		if end != 0 && !p.accept(end) {
			return nil, 0, errSyntax
		}
		return items, commas, nil
	}
}

func (p *parser) value() (any, error) {
	p.space()
	if p.pos == len(p.in) {
		return nil, errSyntax
	}
	switch c := p.in[p.pos]; {
	case c == '(' || c == '[' || c == '{':
		return p.container(c)
	case c == '+' || c == '-':
		return p.signed()
	case c == '\'' || c == '"':
		return p.strings()
	case c >= '0' && c <= '9' || c == '.':
		return p.number()
	}
	return p.name()
}

func (p *parser) container(open byte) (v any, err error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("too many nested parentheses")
	}
	p.pos++
	switch open {
	case '(':
		v, err = p.list(')')
	case '[':
		var items []any
		items, _, err = p.items(']')
		if items == nil {
			items = []any{}
		}
		v = items
	default:
		v, err = p.braces()
	}
	p.depth--
	return v, err
}

// signed reads a sign before a number, which may stand in parentheses but not
// have a sign of its own.
func (p *parser) signed() (any, error) {
	negative := p.in[p.pos] == '-'
	p.pos++
	v, err := p.unsigned()
	if err != nil || !negative {
		return v, err
	}
	switch n := v.(type) {
	case int64:
		return -n, nil // of an unsigned literal: no overflow
	case *big.Int:
		return small(new(big.Int).Neg(n)), nil
	case float64:
		return -n, nil
	}
	return nil, errSyntax
}

func (p *parser) unsigned() (any, error) {
	p.space()
	if p.accept('(') {
		if p.depth++; p.depth > maxDepth {
			return nil, errors.New("too many nested parentheses")
		}
		v, err := p.unsigned()
		p.space()
		if err == nil && !p.accept(')') {
			err = errSyntax
		}
		p.depth--
		return v, err
	}
	if p.pos == len(p.in) || p.in[p.pos] != '.' && (p.in[p.pos] < '0' || p.in[p.pos] > '9') {
		return nil, errSyntax
	}
	return p.number()
}

// small gives an int that fits as int64.
func small(n *big.Int) any {
	if n.IsInt64() {
		return n.Int64()
	}
	return n
}

// name reads True, False, None, set(), or a string with a prefix.
func (p *parser) name() (any, error) {
	end := p.pos
	for end < len(p.in) && (p.in[end] == '_' || p.in[end]|0x20 >= 'a' && p.in[end]|0x20 <= 'z' || p.in[end] >= '0' && p.in[end] <= '9') {
		end++
	}
	word := p.in[p.pos:end]
	if word != "" && end < len(p.in) && (p.in[end] == '\'' || p.in[end] == '"') {
		return p.strings()
	}
	p.pos = end
	switch word {
	case "True":
		return true, nil
	case "False":
		return false, nil
	case "None":
		return nil, nil
	case "set":
		p.space()
		if p.accept('(') {
			p.depth++
			p.space()
			p.depth--
			if p.accept(')') {
				return pickle.Set{}, nil
			}
		}
	}
	return nil, errSyntax
}
