package document

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxSearch bounds a search, in characters.
const maxSearch = 255

// searchWords takes a search apart into folded words, each of which must begin
// a word of a document's title or file name.
func searchWords(search string) []string {
	var words []string
	for _, run := range runsOf(search) {
		words = append(words, run.text)
	}
	return words
}

// found reports whether every word begins a word of one of the texts.
func found(words []string, texts ...string) bool {
	var runs []run
	for _, text := range texts {
		runs = append(runs, runsOf(text)...)
	}
	for _, word := range words {
		if !beginsOne(runs, word) {
			return false
		}
	}
	return true
}

func beginsOne(runs []run, word string) bool {
	for _, r := range runs {
		for _, start := range r.starts {
			if strings.HasPrefix(r.text[start:], word) {
				return true
			}
		}
	}
	return false
}

// run is a folded stretch of letters and digits. Words begin at its starts: in
// "RelatorioAnual2024" those are "relatorioanual2024", "anual2024" and "2024",
// so that both what stands together and its parts are found.
type run struct {
	text   string
	starts []int // byte offsets in text
}

// runsOf folds a text: compatibility forms are resolved, accents dropped,
// cases folded as Unicode does, and everything that is no letter, digit or mark
// separates.
func runsOf(text string) []run {
	var (
		runs     []run
		current  run
		word     strings.Builder
		previous rune
	)
	endWord := func() {
		if word.Len() > 0 {
			current.starts = append(current.starts, len(current.text))
			current.text += cases.Fold().String(word.String())
			word.Reset()
		}
	}
	endRun := func() {
		if endWord(); current.text != "" {
			runs = append(runs, current)
		}
		current, previous = run{}, 0
	}
	plain := []rune(norm.NFKD.String(text))
	for i, r := range plain {
		switch {
		case unicode.Is(unicode.Mn, r): // an accent
			continue
		case !unicode.In(r, unicode.L, unicode.N, unicode.M):
			endRun()
			continue
		}
		following := rune(0)
		if i+1 < len(plain) {
			following = plain[i+1]
		}
		if previous != 0 && wordBegins(previous, r, following) {
			endWord()
		}
		word.WriteRune(r)
		previous = r
	}
	endRun()
	return runs
}

// wordBegins reports whether r begins a word inside a run: between letters and
// digits, at a capital after a small letter (relatorioAnual), at the last of
// several capitals (PDFReport), and at every character of a script that writes
// without spaces.
func wordBegins(previous, r, following rune) bool {
	switch {
	case unicode.IsNumber(previous) != unicode.IsNumber(r):
		return true
	case unicode.IsUpper(r):
		return unicode.IsLower(previous) || unicode.IsUpper(previous) && unicode.IsLower(following)
	}
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}
