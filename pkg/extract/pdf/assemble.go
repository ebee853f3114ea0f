package pdf

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// around is how many pages before and after one are looked at to see what
// recurs on them. So many are kept in memory.
const around = 8

// assembler turns pages into blocks. Pages leave it some pages after they
// came, when it knows what recurs around them and what size the body's text has.
type assembler struct {
	sink     block.Sink
	outline  map[int][]entry // by page
	window   []*page         // before, at and after the page to be sent next
	next     int             // index in window of that page
	body     fonts
	levels   map[int]int // heading level by size in half points, learned from the outline
	words    compounds
	shown    map[string]bool // headers and footers sent, by their key
	linked   map[string]bool // links sent
	divided  *block.Block    // last paragraph of a page, when a hyphen ends it
	anything bool            // something was sent
	drawn    bool            // there are pictures or lines on some page without text
	pictures bool            // some page shows text without having characters
	visible  int
	unmapped int
	poor     int // pages with many characters of unknown meaning
}

func newAssembler(sink block.Sink, outline []entry) *assembler {
	a := &assembler{sink: sink, outline: make(map[int][]entry), levels: make(map[int]int), shown: make(map[string]bool), linked: make(map[string]bool)}
	for _, e := range outline {
		if len(a.outline[e.page]) < maxPerPage {
			a.outline[e.page] = append(a.outline[e.page], e)
		}
	}
	return a
}

// add takes the next page.
func (a *assembler) add(p *page) error {
	p.lines = rows(distinct(p.lines))
	for i := range p.lines {
		a.body.count(&p.lines[i])
		a.words.note(p.lines[i].text)
	}
	a.drawn, a.pictures = a.drawn || p.drawn, a.pictures || p.picture
	a.visible += p.visible
	a.unmapped += p.unmapped
	if incomplete(p.unmapped, p.visible) {
		a.poor++
	}
	p.findEdges()
	a.window = append(a.window, p)
	if len(a.window)-a.next <= around {
		return nil
	}
	return a.send()
}

// finish sends the pages that are left.
func (a *assembler) finish() error {
	for a.next < len(a.window) {
		if err := a.send(); err != nil {
			return err
		}
	}
	if err := a.endDivided(nil); err != nil {
		return err
	}
	if a.poor == 0 && !incomplete(a.unmapped, a.visible) {
		return nil
	}
	return a.sink.Warn(block.TextIncomplete + fmt.Sprintf(
		"%d of %d characters are missing, most of them on %s: fonts of this PDF don't say which characters their glyphs stand for",
		a.unmapped, a.visible, pagesText(max(a.poor, 1))))
}

// incomplete reports whether so many characters have no meaning that text is missing.
func incomplete(unmapped, visible int) bool {
	return unmapped >= 10 && unmapped*50 >= visible
}

// send sends the page whose turn it is.
func (a *assembler) send() error {
	p := a.window[a.next]
	furniture := a.furniture(p)
	a.body.settle()
	var lines []line
	for i, l := range p.lines {
		if furniture[i] == "" {
			l.bold = a.body.isBold(l)
			lines = append(lines, l)
		}
	}
	for _, b := range a.blocks(p.n, lines) {
		if err := a.block(b); err != nil {
			return err
		}
	}
	for i, kind := range furniture {
		if err := a.aside(p, p.lines[i], kind); err != nil {
			return err
		}
	}
	for _, b := range p.asides {
		if b.Kind == block.Link && (a.linked[b.Text] || len(a.linked) >= maxLinks) {
			continue
		}
		if b.Kind == block.Link {
			a.linked[b.Text] = true
		} else {
			a.anything = true
		}
		if err := a.sink.Aside(b); err != nil {
			return err
		}
	}
	if a.next++; a.next > around {
		a.window = append(a.window[:0], a.window[1:]...)
		a.next--
	}
	return nil
}

// aside sends a header or footer the first time it occurs.
func (a *assembler) aside(p *page, l line, kind block.Kind) error {
	if kind == "" || isPageNumber(l.text) {
		return nil
	}
	k := string(kind) + recurring(l.text)
	if a.shown[k] {
		return nil
	}
	if len(a.shown) < maxEntries {
		a.shown[k] = true
	}
	a.anything = true
	return a.sink.Aside(block.Block{Kind: kind, Text: l.text, Page: p.n})
}

// paragraph is a block whose last word may go on on the next page.
type paragraph struct {
	block.Block
	divided bool
}

func (a *assembler) block(b paragraph) error {
	if b.Text == "" {
		return nil
	}
	if a.divided != nil {
		if err := a.endDivided(&b.Block); err != nil || b.Text == "" {
			return err
		}
	}
	a.anything = true
	if b.divided {
		a.divided = &b.Block
		return nil
	}
	return a.sink.Block(b.Block)
}

// endDivided sends the paragraph held back, with the rest of its last word
// taken from the beginning of next if that goes on in lower case.
func (a *assembler) endDivided(next *block.Block) error {
	if a.divided == nil {
		return nil
	}
	b := *a.divided
	a.divided = nil
	if next != nil && next.Kind == block.Paragraph {
		if r, _ := utf8.DecodeRuneInString(next.Text); unicode.IsLower(r) {
			rest, after, _ := strings.Cut(next.Text, " ")
			b.Text = a.words.join(b.Text, rest, true)
			next.Text = after
			return a.sink.Block(b)
		}
	}
	b.Text += "-"
	return a.sink.Block(b)
}

// distinct leaves out lines that are printed twice at the same place, as for
// a shadow or in layers of a print-ready file.
func distinct(lines []line) []line {
	type place struct {
		text string
		x, y int
	}
	seen := make(map[place]bool, len(lines))
	kept := lines[:0]
	for _, l := range lines {
		at := place{l.text, int(math.Round(l.x0 / 2)), int(math.Round(l.y / 2))}
		if !seen[at] || utf8.RuneCountInString(l.text) < 3 {
			seen[at] = true
			kept = append(kept, l)
		}
	}
	return kept
}

// rows puts pieces that follow one another on the same base line together:
// the cells of a row, or a number at the margin and its line.
func rows(lines []line) []line {
	kept := lines[:0]
	for _, l := range lines {
		if len(kept) > 0 {
			last := &kept[len(kept)-1]
			gap := l.x0 - last.x1
			if last.turned == l.turned && !last.hyphen && math.Abs(last.y-l.y) < 0.35*max(last.size, l.size) && gap > -0.3*l.size {
				separator := " "
				if gap > 1.5*l.size {
					separator = "\t"
					last.cells++
				}
				last.text += separator + l.text
				last.x1, last.hyphen = l.x1, l.hyphen
				last.weight = min(last.weight, l.weight)
				continue
			}
		}
		kept = append(kept, l)
	}
	return kept
}

// fonts knows which size and weight most of a document's characters have.
type fonts struct {
	sizes, weights map[int]int // characters by half points, by weight
	size           float64
	weight         int
}

func (f *fonts) count(l *line) {
	if f.sizes == nil {
		f.sizes, f.weights = make(map[int]int), make(map[int]int)
	}
	n := utf8.RuneCountInString(l.text)
	f.sizes[halfPoints(l.size)] += n
	f.weights[l.weight] += n
}

func (f *fonts) settle() {
	f.size = float64(most(f.sizes)) / 2
	f.weight = most(f.weights)
}

// boldWeight is the least weight of bold type.
const boldWeight = 500

// isBold reports whether a line is in bold type where the body is not.
func (f *fonts) isBold(l line) bool {
	return l.weight >= boldWeight && f.weight > 0 && 4*l.weight >= 5*f.weight
}

func halfPoints(size float64) int { return int(math.Round(size * 2)) }

// most is the key with the greatest value, the smallest of equals.
func most(counts map[int]int) int {
	best := 0
	for key, n := range counts {
		if n > counts[best] || n == counts[best] && key < best {
			best = key
		}
	}
	return best
}
