package pdf

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// What makes a line a header or footer: so many pages nearby have it at the
// same place, within so many points, among the outermost rows of the page and
// in such a part of it.
const (
	recurrences = 3
	samePlace   = 3.0
	edgeRows    = 3
	edgeShare   = 0.15
)

// edge is a line at the top or bottom of a page.
type edge struct {
	line   int // index
	row    int // from the outside
	kind   block.Kind
	key    string
	y      float64
	number []int // what it begins and ends with, less the page's own: equal on all pages for a page number
}

// findEdges notes the outermost rows of a page.
func (p *page) findEdges() {
	var at []int
	for i := range p.lines {
		if p.lines[i].turned == 0 {
			at = append(at, i)
		}
	}
	slices.SortStableFunc(at, func(i, j int) int {
		switch d := p.lines[i].y - p.lines[j].y; {
		case d < 0:
			return -1
		case d > 0:
			return 1
		}
		return 0
	})
	p.takeEdges(at, block.Header)
	slices.Reverse(at)
	p.takeEdges(at, block.Footer)
}

// takeEdges notes the outermost rows in an order of lines, up to the gap that
// parts them from the body. Where so many rows bring none, it is the body that begins there.
func (p *page) takeEdges(order []int, kind block.Kind) {
	row, y := 0, math.Inf(-1)
	var edges []edge
	for _, i := range order {
		l := &p.lines[i]
		if gap := math.Abs(l.y - y); gap > samePlace {
			if row > 0 && gap > 1.6*l.size {
				p.edges = append(p.edges, edges...)
				edges = nil
			}
			row, y = row+1, l.y
		}
		if row > edgeRows+1 {
			return
		}
		edges = append(edges, edge{line: i, row: row, kind: kind, key: recurring(l.text), y: l.y, number: pageNumbers(l.text, p.n)})
	}
	// All that is on the page.
	p.edges = append(p.edges, edges...)
}

// pageNumbers are the numbers that a line begins and ends with, less n.
func pageNumbers(text string, n int) []int {
	words := strings.Fields(text)
	var all []int
	for _, word := range []string{words[0], words[len(words)-1]} {
		if v, err := strconv.Atoi(strings.Trim(word, ".|-–—[]()")); err == nil && v >= 0 {
			all = append(all, v-n)
		}
	}
	return all
}

// furniture says of each line of p whether it is a header or a footer, or
// neither. A row further in than one that is neither belongs to the body.
func (a *assembler) furniture(p *page) []block.Kind {
	kinds := make([]block.Kind, len(p.lines))
	found := map[block.Kind]int{} // the innermost row so far
	for _, e := range p.edges {
		if e.row <= found[e.kind]+1 && a.recurs(p, e) {
			kinds[e.line], found[e.kind] = e.kind, e.row
		}
	}
	return kinds
}

// recurs reports whether an edge of p is at its place on other pages too.
// Lines set larger than the body are titles, even when they recur.
func (a *assembler) recurs(p *page, e edge) bool {
	band := edgeShare * (p.bottom - p.top)
	if e.kind == block.Header && e.y > p.top+band || e.kind == block.Footer && e.y < p.bottom-band {
		return false
	}
	if a.body.size > 0 && p.lines[e.line].size > 1.2*a.body.size {
		return false
	}
	n := 0
	for _, other := range a.window {
		if other.hasEdge(e) {
			n++
		}
	}
	return n >= recurrences
}

func (p *page) hasEdge(e edge) bool {
	return slices.ContainsFunc(p.edges, func(o edge) bool {
		same := o.key == e.key || slices.ContainsFunc(o.number, func(n int) bool { return slices.Contains(e.number, n) })
		return same && o.kind == e.kind && math.Abs(o.y-e.y) <= samePlace
	})
}

// recurring is what a header or footer has in common with those of other
// pages: its text without the numbers.
func recurring(text string) string {
	var b strings.Builder
	for _, word := range strings.Fields(text) {
		if isRoman(word) {
			word = "#"
		}
		inNumber := false
		for _, r := range word {
			if unicode.IsDigit(r) {
				if !inNumber {
					b.WriteByte('#')
				}
				inNumber = true
				continue
			}
			inNumber = false
			b.WriteRune(unicode.ToLower(r))
		}
		b.WriteByte(' ')
	}
	return b.String()
}

func isRoman(word string) bool {
	return word != "" && strings.Trim(word, "ivxlc") == ""
}

// isPageNumber reports whether a line says nothing but where it stands.
func isPageNumber(text string) bool {
	return strings.IndexFunc(recurring(text), unicode.IsLetter) < 0
}
