package pdf

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// group is a run of lines that form one block.
type group struct {
	lines []line
	glue  []joint // glue[i] stands before lines[i]; the first is apart
	level int     // of the heading that the outline says it is, 0 if none
}

// joint says how a line goes on from the one before.
type joint int

const (
	apart   joint = iota // it begins another block
	flowing              // the same paragraph
	broken               // the same block, on a line of its own
)

// blocks divides the lines of one page into paragraphs, headings and items.
func (a *assembler) blocks(n int, lines []line) []paragraph {
	marks := a.titles(n, lines)
	layout := measure(lines)
	var groups []group
	for i, l := range lines {
		how := apart
		switch {
		case i == 0 || marks[i] != marks[i-1]:
		case marks[i] != 0:
			how = flowing
		default:
			how = a.relation(groups[len(groups)-1], lines, i, layout)
		}
		if how == apart {
			groups = append(groups, group{})
			if marks[i] != 0 {
				groups[len(groups)-1].level = a.outline[n][marks[i]-1].level
			}
		}
		g := &groups[len(groups)-1]
		g.lines, g.glue = append(g.lines, l), append(g.glue, how)
	}
	var all []paragraph
	for i := range groups {
		var after *group
		if i+1 < len(groups) {
			after = &groups[i+1]
		}
		all = append(all, a.classify(n, &groups[i], after))
	}
	return all
}

// layout is what lines have in common with those near them.
type layout struct {
	right   []float64       // margin that the text around each line reaches
	leading map[int]float64 // usual distance of lines by size in half points
}

// nearby is how many lines before and after one are looked at for its margin.
const nearby = 5

func measure(lines []line) layout {
	m := layout{right: make([]float64, len(lines)), leading: make(map[int]float64)}
	distances := make(map[int][]float64)
	for i, l := range lines {
		m.right[i] = l.x1
		for j := max(0, i-nearby); j < min(len(lines), i+nearby+1); j++ {
			o := lines[j]
			if o.turned == l.turned && math.Abs(o.size-l.size) < 0.15*l.size && math.Abs(o.x0-l.x0) < 3*l.size {
				m.right[i] = max(m.right[i], o.x1)
			}
		}
		if i > 0 && lines[i-1].turned == l.turned && halfPoints(lines[i-1].size) == halfPoints(l.size) {
			if d := l.y - lines[i-1].y; d > 0.8*l.size && d < 3*l.size {
				distances[halfPoints(l.size)] = append(distances[halfPoints(l.size)], d)
			}
		}
	}
	for size, all := range distances {
		slices.Sort(all)
		m.leading[size] = all[(len(all)-1)/2]
		if len(all) < 3 {
			m.leading[size] = min(all[0], 0.65*float64(size)) // 1.3 times the size
		}
	}
	return m
}

// relation says how lines[i] goes on from lines[i-1], the last line of g.
func (a *assembler) relation(g group, lines []line, i int, m layout) joint {
	prev, cur := lines[i-1], lines[i]
	down := cur.y - prev.y
	similar := math.Abs(cur.size-prev.size) <= 0.12*max(cur.size, prev.size)
	if prev.turned != cur.turned {
		return apart
	}
	if prev.hyphen && similar {
		return flowing
	}
	if down < -0.5*cur.size || down > 4*cur.size || cur.x0 > prev.x1+cur.size || cur.x1 < prev.x0-cur.size {
		// Another column, or another place: the sentence may go on there.
		if similar && goesOn(prev, cur) && !short(prev, cur, m.right[i-1]) {
			return flowing
		}
		return apart
	}
	isShort := short(prev, cur, m.right[i-1])
	switch {
	case similar && endsInHyphen(prev.text) && down < 2*cur.size:
		return flowing
	case !similar, prev.bold != cur.bold && (isShort || prev.bold):
		return apart
	case down > 1.3*a.leading(g, m, cur):
		return apart
	case startsItem(cur.text, prev.text):
		return apart
	case a.body.size > 0 && cur.size > headingRatio*a.body.size:
		return flowing // lines of a title
	case prev.cells > 1 || cur.cells > 1, isEntry(prev, m.right[i-1]) && isEntry(cur, m.right[i]):
		return broken
	case goesOn(prev, cur) && prev.x1 > prev.x0+0.75*(m.right[i-1]-prev.x0):
		return flowing // a ragged margin
	case a.indented(g, lines, i, isShort):
		return apart
	case isShort && endsSentence(prev.text):
		return apart
	case isShort:
		return broken
	}
	return flowing
}

// leading is the distance of lines to expect in g.
func (a *assembler) leading(g group, m layout, cur line) float64 {
	usual, ok := m.leading[halfPoints(cur.size)]
	if !ok {
		usual = 1.4 * cur.size
	}
	if n := len(g.lines); n > 1 {
		if d := g.lines[n-1].y - g.lines[n-2].y; d > 0 {
			return max(d, min(usual, d*1.1))
		}
	}
	return usual
}

// short reports whether prev ends before the margin although the first word
// of cur would have had room: the line was ended on purpose.
func short(prev, cur line, right float64) bool {
	first := cur.text
	if i := strings.IndexFunc(first, unicode.IsSpace); i > 0 {
		first = first[:i]
	}
	share := float64(utf8.RuneCountInString(first)+1) / float64(utf8.RuneCountInString(cur.text)+1)
	return prev.x1+share*(cur.x1-cur.x0) < right-0.4*cur.size
}

// indented reports whether the left margin says that lines[i] begins a
// paragraph: it is set in, or set out from lines that are set in.
func (a *assembler) indented(g group, lines []line, i int, isShort bool) bool {
	prev, cur := lines[i-1], lines[i]
	in := cur.x0 - prev.x0
	step := 0.8 * cur.size
	if math.Abs(in) <= step || math.Abs(in) > 12*cur.size {
		return false
	}
	if in < 0 {
		return len(g.lines) > 1 && math.Abs(prev.x0-g.lines[len(g.lines)-2].x0) < step && cur.x0 < g.lines[0].x0-step || isShort
	}
	switch first, _ := utf8.DecodeRuneInString(cur.text); {
	case isShort:
		return true
	case !endsSentence(prev.text) || unicode.IsLower(first):
		return false // the second line of an item whose first hangs out
	case i+1 < len(lines) && lines[i+1].turned == cur.turned && lines[i+1].y > cur.y && lines[i+1].y-cur.y < 2*cur.size:
		return lines[i+1].x0 < cur.x0-0.75*step || len(g.lines) > 1
	}
	return len(g.lines) > 1
}

// isEntry reports whether a line looks like one of a table of contents: a
// page number stands at the margin.
func isEntry(l line, right float64) bool {
	before := strings.TrimRight(l.text, "0123456789")
	return before != l.text && strings.HasSuffix(before, " ") && l.x1 > right-l.size
}

// goesOn reports whether cur reads like the continuation of prev's sentence.
func goesOn(prev, cur line) bool {
	first, _ := utf8.DecodeRuneInString(cur.text)
	return unicode.IsLower(first) && !endsSentence(prev.text) && prev.cells == 1 && cur.cells == 1
}

// endsInHyphen reports whether the last word of text may go on after its hyphen.
func endsInHyphen(text string) bool {
	before, ok := strings.CutSuffix(text, "-")
	last, _ := utf8.DecodeLastRuneInString(before)
	return ok && (unicode.IsLetter(last) || unicode.IsDigit(last))
}

// endsSentence reports whether text ends as a sentence or an item does.
func endsSentence(text string) bool {
	text = strings.TrimRight(text, "\"'”’»)]")
	last, _ := utf8.DecodeLastRuneInString(text)
	return strings.ContainsRune(".!?:;…。！？", last)
}

// bullet is the bullet that text begins with, "" when there is none.
func bullet(text string) string {
	first, n := utf8.DecodeRuneInString(text)
	if strings.ContainsRune("•◦▪‣●■□○◆➢✓⁃∙", first) && n < len(text) {
		return text[:n]
	}
	return ""
}

// startsItem reports whether text begins an item of a list, given the line
// before: a bullet, a dash, or a number after something complete.
func startsItem(text, before string) bool {
	if bullet(text) != "" {
		return true
	}
	word, _, found := strings.Cut(text, " ")
	if !found || len(word) > 6 {
		return false
	}
	if word == "-" || word == "–" || word == "—" || word == "·" || word == "*" {
		return endsSentence(before)
	}
	number := strings.Trim(word, "().")
	counts := len(word) > len(number) && number != "" &&
		(strings.Trim(number, "0123456789.") == "" || len(number) == 1 && unicode.IsLetter(rune(number[0])) || isRoman(strings.ToLower(number)))
	return counts && endsSentence(before)
}

// classify makes a block of a group.
func (a *assembler) classify(n int, g *group, after *group) paragraph {
	last := g.lines[len(g.lines)-1]
	p := paragraph{Block: block.Block{Kind: block.Paragraph, Page: n}, divided: last.hyphen}
	p.Text = a.joined(g)
	if level := a.headingLevel(g, p.Text, after); level > 0 {
		p.Kind, p.Level = block.Heading, min(level, 6)
		p.Text = strings.Join(strings.Fields(p.Text), " ")
		return p
	}
	if after == nil && endsInHyphen(p.Text) { // PDFium sees no divided word without its other half
		p.Text, p.divided = strings.TrimSuffix(p.Text, "-"), true
	}
	if mark := bullet(p.Text); mark != "" {
		p.Kind = block.ListItem
		p.Text = strings.TrimSpace(strings.TrimPrefix(p.Text, mark))
	}
	return p
}

// joined is the text of a group's lines.
func (a *assembler) joined(g *group) string {
	text := g.lines[0].text
	for i, l := range g.lines[1:] {
		if g.glue[i+1] == broken && !g.lines[i].hyphen {
			text += "\n" + l.text
			continue
		}
		text = a.words.join(text, l.text, g.lines[i].hyphen)
	}
	return text
}
