package main

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

var (
	htmlComment  = regexp.MustCompile(`(?s)<!--.*?-->`)
	markdownIcon = regexp.MustCompile(`!\[[^\]]*\]\([^)]*\)`)
	markdownLink = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	markdownMark = regexp.MustCompile("[|#*`]+|-{2,}")
	lineHyphen   = regexp.MustCompile(`-\n([a-zà-ÿ])`)
)

// unmarked is a text without the marks of Markdown, HTML comments and pictures,
// so that a text with them and one without compare.
func unmarked(s string) string {
	s = htmlComment.ReplaceAllString(s, "")
	s = markdownIcon.ReplaceAllString(s, "")
	s = markdownLink.ReplaceAllString(s, "$1")
	s = strings.ReplaceAll(s, "&lt;", "<")
	s = strings.ReplaceAll(s, "&gt;", ">")
	s = strings.ReplaceAll(s, "&amp;", "&")
	s = strings.ReplaceAll(s, `\_`, "_")
	return markdownMark.ReplaceAllString(s, " ")
}

// words are a text's runs of letters, digits and underscores, compatibility
// forms made alike (NFKC), in lower case, with words that were divided at the
// end of a line joined. In a text mostly of Chinese, Japanese or Korean each
// character is a word.
func words(s string) []string {
	s = norm.NFKC.String(s)
	s = strings.NewReplacer("\u00ad", "", "\r", "").Replace(s)
	s = lineHyphen.ReplaceAllString(s, "$1")
	all := strings.FieldsFunc(cases.Lower(language.Und).String(s), func(r rune) bool {
		return r != '_' && !unicode.IsLetter(r) && !unicode.Is(unicode.N, r)
	})
	if !ideographic(s) {
		return all
	}
	var single []string
	for _, w := range all {
		for _, r := range w {
			single = append(single, string(r))
		}
	}
	return single
}

func ideographic(s string) bool {
	han, total := 0, 0
	for _, r := range s {
		if r != ' ' {
			total++
		}
		if r >= '\u3040' && r <= '\u9fff' || r >= '\uac00' && r <= '\ud7af' {
			han++
		}
	}
	return float64(han) > 0.3*float64(max(1, total))
}

// likeness is how near a text is to a reference, each from 0 to 1.
type likeness struct{ f1, order float64 }

// firstWords is how many words the order is compared of.
const firstWords = 2000

func compare(got, want []string) likeness {
	counts := make(map[string]int, len(want))
	for _, w := range want {
		counts[w]++
	}
	hits := 0
	for _, w := range got {
		if counts[w] > 0 {
			counts[w]--
			hits++
		}
	}
	var l likeness
	if hits > 0 {
		precision, recall := float64(hits)/float64(len(got)), float64(hits)/float64(len(want))
		l.f1 = 2 * precision * recall / (precision + recall)
	}
	l.order = orderRatio(got[:min(len(got), firstWords)], want[:min(len(want), firstWords)])
	return l
}

// orderRatio is the ratio of Python's difflib.SequenceMatcher without junk:
// twice the words in matching blocks by the words of both. The longest
// matching block is found first, then those to its left and right.
func orderRatio(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 1
	}
	m := &matcher{a: a, at: make(map[string][]int, len(b)), before: make([]int, len(b)+1), now: make([]int, len(b)+1)}
	for j, w := range b {
		m.at[w] = append(m.at[w], j)
	}
	return 2 * float64(m.matching(len(b))) / float64(len(a)+len(b))
}

// matcher finds matching blocks.
type matcher struct {
	a  []string
	at map[string][]int // where a word stands in b
	// Lengths of the matches that end before b[j] and the word of a that was looked at last, and
	// the one that is.
	before, now []int
}

type stretch struct{ aFrom, aTo, bFrom, bTo int }

func (m *matcher) matching(lenB int) int {
	total := 0
	open := []stretch{{0, len(m.a), 0, lenB}}
	for len(open) > 0 {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		i, j, n := m.longest(s)
		if n == 0 {
			continue
		}
		total += n
		open = append(open, stretch{s.aFrom, i, s.bFrom, j}, stretch{i + n, s.aTo, j + n, s.bTo})
	}
	return total
}

// longest is the longest match within s; of several the one that begins
// first in a, of those the one that begins first in b.
func (m *matcher) longest(s stretch) (besti, bestj, best int) {
	var places []int
	for i := s.aFrom; i < s.aTo; i++ {
		last := places
		places = m.at[m.a[i]]
		from, _ := slices.BinarySearch(places, s.bFrom)
		to, _ := slices.BinarySearch(places, s.bTo)
		places = places[from:to]
		for _, j := range places {
			n := m.before[j] + 1
			m.now[j+1] = n
			if n > best {
				besti, bestj, best = i-n+1, j-n+1, n
			}
		}
		for _, j := range last {
			m.before[j+1] = 0
		}
		m.before, m.now = m.now, m.before
	}
	for _, j := range places {
		m.before[j+1] = 0
	}
	return besti, bestj, best
}
