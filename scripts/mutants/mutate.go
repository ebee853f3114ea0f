package main

import (
	"fmt"
	"strings"
)

// mutant is a script with one change.
type mutant struct {
	Script string // pkg/rq/lua/claim.lua
	Line   int    // from 1
	Kind   string // condition, part, bound, write, option, clamp
	What   string // the changed words and what they became
	Nth    int    // which of equal ones in the script, from 1
	text   string // of the whole changed script
}

// id names a mutant so that lines may move.
func (m mutant) id() string {
	s := m.Script + " | " + m.What
	if m.Nth > 1 {
		s += fmt.Sprintf(" | #%d", m.Nth)
	}
	return s
}

// The rules, by what they are called in the table:
//
//	condition  an if, elseif or while, whole, is always and never true
//	part       of a condition, a part of its "and" is always true, one of its "or" never; a comparison,
//	           or what stands before an "and", in a value is always and never true
//	bound      < is <=, >= is > and so on
//	write      a call that is a statement, or a w() anywhere, is left out
//	option     NX or XX is left out of a command
//	clamp      math.min and math.max answer their first value, and their second
//
// A condition that is replaced is still evaluated, because reading ARGV is
// part of some.
func mutate(script, src string) ([]mutant, error) {
	tokens, err := lex(src)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", script, err)
	}
	c := &changes{script: script, src: src, tokens: tokens, seen: map[string]int{}}
	for i := range tokens {
		c.conditions(i)
		c.parts(i)
		c.bounds(i)
		c.writes(i)
		c.options(i)
		c.clamps(i)
	}
	return c.list, nil
}

type changes struct {
	script string
	src    string
	tokens []token
	list   []mutant
	seen   map[string]int // by id without number
}

// words is the source from token i to before token end.
func (c *changes) words(i, end int) string {
	return c.src[c.tokens[i].start:c.tokens[end-1].end]
}

// add makes the mutant in which tokens from i to before end are other.
func (c *changes) add(kind string, i, end int, other, shown string) {
	from, to := c.tokens[i].start, c.tokens[end-1].end
	what := strings.Join(strings.Fields(c.words(i, end)), " ") + " -> " + shown
	m := mutant{Script: c.script, Line: c.tokens[i].line, Kind: kind, What: what,
		text: c.src[:from] + other + c.src[to:]}
	c.seen[what]++
	m.Nth = c.seen[what]
	c.list = append(c.list, m)
}

// both makes the mutants in which tokens are true and false.
func (c *changes) both(kind string, i, end int) {
	c.add(kind, i, end, "(("+c.words(i, end)+") or true)", "true")
	c.add(kind, i, end, "(("+c.words(i, end)+") and false)", "false")
}

func (c *changes) is(i int, texts ...string) bool {
	if i < 0 || i >= len(c.tokens) || c.tokens[i].kind == 's' {
		return false
	}
	for _, t := range texts {
		if c.tokens[i].text == t {
			return true
		}
	}
	return false
}

// conditionEnd answers where the condition ends that begins behind i.
func (c *changes) conditionEnd(i int) int {
	for end := i + 1; end < len(c.tokens); end++ {
		if c.is(end, "then", "do") {
			return end
		}
	}
	return i
}

func (c *changes) conditions(i int) {
	switch {
	case c.is(i, "if", "elseif"):
		c.both("condition", i+1, c.conditionEnd(i))
	case c.is(i, "while"): // one that is always true never ends
		end := c.conditionEnd(i)
		c.add("condition", i+1, end, "(("+c.words(i+1, end)+") and false)", "false")
	}
}

func (c *changes) parts(i int) {
	if !c.is(i-1, "(", ",", "{", "[", "=", "and", "or", "return", "if", "elseif", "while") {
		return
	}
	end := operand(c.tokens, i)
	if end <= i {
		return
	}
	whole := c.is(i-1, "if", "elseif", "while") && c.is(end, "then", "do")
	if whole {
		return
	}
	switch {
	case !c.inCondition(i, end):
		if c.is(end, "and") || c.compares(i, end) {
			c.both("part", i, end)
		}
	case c.is(i-1, "and") || c.is(end, "and"):
		c.add("part", i, end, "(("+c.words(i, end)+") or true)", "true")
	default:
		c.add("part", i, end, "(("+c.words(i, end)+") and false)", "false")
	}
}

// compares reports whether a comparison or a "not" stands in the tokens, not
// within brackets.
func (c *changes) compares(i, end int) bool {
	for ; i < end; i++ {
		if c.is(i, "(", "{", "[") {
			i = closes(c.tokens, i)
		} else if c.is(i, "==", "~=", "<", "<=", ">", ">=", "not") {
			return true
		}
	}
	return false
}

// inCondition reports whether the tokens are a part of what an if, elseif or
// while asks, and not of a value in it. That a part of an "and" is never true
// is the same there as that the whole is not, which conditions makes.
func (c *changes) inCondition(i, end int) bool {
	if !c.is(i-1, "and", "or") && !c.is(end, "and", "or") {
		return false
	}
	for at := i; at >= 0; at-- {
		if c.is(at, "(") && closes(c.tokens, at) >= end && !c.group(at) {
			return false // arguments, or a default: (r(...) or 0) > 1
		}
		if c.is(at, "if", "elseif", "while") {
			return true
		}
		if c.is(at, "then", "do", "end", "return", "local", "=") {
			return false
		}
	}
	return false
}

// group reports whether the bracket at i holds a part of a condition.
func (c *changes) group(i int) bool {
	return c.is(i-1, "(", "and", "or", "not", "if", "elseif", "while") &&
		c.is(closes(c.tokens, i)+1, ")", "and", "or", "then", "do")
}

var otherBound = map[string]string{"<": "<=", "<=": "<", ">": ">=", ">=": ">"}

func (c *changes) bounds(i int) {
	if !c.is(i, "<", "<=", ">", ">=") {
		return
	}
	from := i // the words around it, so that one reads what it is
	for from > 0 && c.tokens[from-1].line == c.tokens[i].line {
		from--
	}
	to := i + 1
	for to < len(c.tokens) && c.tokens[to].line == c.tokens[i].line {
		to++
	}
	other := otherBound[c.tokens[i].text]
	changed := c.src[c.tokens[from].start:c.tokens[i].start] + other + c.src[c.tokens[i].end:c.tokens[to-1].end]
	c.add("bound", from, to, changed, other)
}

func (c *changes) writes(i int) {
	t := c.tokens[i]
	if t.kind != 'n' || keywords[t.text] || c.is(i-1, "function", "return", ".") {
		return
	}
	open := i + 1
	for c.is(open, ".") {
		open += 2
	}
	if !c.is(open, "(") {
		return
	}
	end := closes(c.tokens, open) + 1
	if t.first && (i == 0 || endsValue(c.tokens[i-1]) || c.is(i-1, "then", "do", "else", "end")) {
		c.add("write", i, end, "", "nothing")
	} else if t.text == "w" {
		c.add("write", i, end, "nil", "nil")
	}
}

func (c *changes) options(i int) {
	t := c.tokens[i]
	if t.kind == 's' && (t.text == "'NX'" || t.text == "'XX'") && c.is(i-1, ",") {
		from := i
		for from > 0 && !c.tokens[from].first {
			from--
		}
		changed := c.src[c.tokens[from].start:c.tokens[i-1].start]
		c.add("option", from, i+1, changed, "without "+t.text)
	}
}

func (c *changes) clamps(i int) {
	if !c.is(i, "math") || !c.is(i+2, "min", "max") {
		return
	}
	end := closes(c.tokens, i+3)
	for at := i + 4; at < end; at++ {
		if c.is(at, "(") {
			at = closes(c.tokens, at)
		} else if c.is(at, ",") {
			c.add("clamp", i, end+1, "("+c.words(i+4, at)+")", c.words(i+4, at))
			c.add("clamp", i, end+1, "("+c.words(at+1, end)+")", c.words(at+1, end))
		}
	}
}
