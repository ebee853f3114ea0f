package pdf

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a heading looks like where no outline says so.
const (
	headingRatio  = 1.18 // at least so much larger than the body
	headingRunes  = 200  // at most so long
	headingLines  = 4
	boldRunes     = 120 // the same for one that is only bold
	boldLines     = 2
	titleLines    = 4   // lines that a title of the outline may take
	maxPerPage    = 200 // outline entries looked for on a page
	notAHeading   = 0
	boldLevel     = 4
	deepestNumber = 6
)

// titles marks the lines of page n that are titles of the outline, with the
// index of the entry plus one.
func (a *assembler) titles(n int, lines []line) []int {
	marks := make([]int, len(lines))
	entries := a.outline[n]
	if len(entries) == 0 {
		return marks
	}
	keys := make([]string, len(lines))
	for i := range lines {
		keys[i] = key(lines[i].text)
	}
	for k, e := range entries {
		at, count := -1, 0
		for i := range lines {
			if marks[i] != 0 || at >= 0 && lines[i].size <= lines[at].size {
				continue
			}
			if c := e.linesFrom(keys, marks, i); c > 0 {
				at, count = i, c
			}
		}
		for i := at; at >= 0 && i < at+count; i++ {
			marks[i] = k + 1
		}
		if at >= 0 {
			a.levels[halfPoints(lines[at].size)] = e.level
		}
	}
	return marks
}

// linesFrom is how many lines from i on make up the title, 0 when they don't.
func (e entry) linesFrom(keys []string, marks []int, i int) int {
	text := ""
	for c := 1; c <= titleLines && i+c <= len(keys) && marks[i+c-1] == 0; c++ {
		text += keys[i+c-1]
		if text != "" && e.matches(text) {
			return c
		}
		if len(text) > len(e.title)+16 {
			break
		}
	}
	return 0
}

// headingLevel is the level of a group that is a heading, notAHeading else.
func (a *assembler) headingLevel(g *group, text string, after *group) int {
	if g.level > 0 {
		return g.level
	}
	if a.body.size <= 0 || !titleLike(text) {
		return notAHeading
	}
	first := g.lines[0]
	ratio := first.size / a.body.size
	runes := utf8.RuneCountInString(text)
	switch {
	case ratio >= headingRatio && runes <= headingRunes && len(g.lines) <= headingLines:
		if level, ok := a.levels[halfPoints(first.size)]; ok {
			return level
		}
		return levelOf(ratio)
	case ratio >= 0.95 && runes <= boldRunes && len(g.lines) <= boldLines && g.bold() && after != nil && !after.bold() && after.lines[0].cells == 1:
		if depth := numberDepth(text); depth > 0 {
			return min(depth+1, deepestNumber)
		}
		return boldLevel
	}
	return notAHeading
}

func (g *group) bold() bool {
	for _, l := range g.lines {
		if !l.bold || l.cells > 1 {
			return false
		}
	}
	return true
}

// levelOf gives a level for a size relative to the body's.
func levelOf(ratio float64) int {
	switch {
	case ratio >= 1.8:
		return 1
	case ratio >= 1.4:
		return 2
	default:
		return 3
	}
}

// titleLike reports whether text could be a title: it has a word, begins like
// one and does not end like a sentence.
func titleLike(text string) bool {
	letters := 0
	for _, r := range text {
		if unicode.IsLetter(r) {
			letters++
		}
	}
	first, _ := utf8.DecodeRuneInString(text)
	last, _ := utf8.DecodeLastRuneInString(text)
	return letters >= 2 && !unicode.IsLower(first) && bullet(text) == "" && !strings.ContainsRune(".,;", last)
}

// numberDepth is how many levels the number before a title has: 2 for 3.1.
func numberDepth(text string) int {
	word, _, found := strings.Cut(text, " ")
	word = strings.TrimSuffix(word, ".")
	if !found || word == "" || strings.Trim(word, "0123456789.") != "" {
		return 0
	}
	return 1 + strings.Count(word, ".")
}
