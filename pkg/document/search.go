package document

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxSearch bounds a search, in characters.
const maxSearch = 255

// searchWords takes a search apart into folded words, each of which must begin
// a word of a document's title or file name.
func searchWords(search string) []string {
	f := newFolder()
	f.add(search)
	return strings.FieldsFunc(string(f.text), func(r rune) bool { return r == separator })
}

// separator stands between folded stretches of letters and digits; no word has it.
const separator = 0

// folder folds texts for comparison: compatibility forms are resolved, accents
// dropped, cases folded as Unicode does, and everything that is no letter,
// digit or mark separates. Words begin at its starts: in "RelatorioAnual2024"
// those are "relatorioanual2024", "anual2024" and "2024", so that both what
// stands together and its parts are found. It serves one goroutine.
type folder struct {
	caser  cases.Caser
	text   []byte
	starts []int // offsets in text
}

func newFolder() *folder { return &folder{caser: cases.Fold()} }

// found reports whether every word begins a word of one of the texts.
func (f *folder) found(words []string, texts ...string) bool {
	f.text, f.starts = f.text[:0], f.starts[:0]
	for _, text := range texts {
		f.add(text)
	}
	for _, word := range words {
		if !f.begins(word) {
			return false
		}
	}
	return true
}

func (f *folder) begins(word string) bool {
	for _, start := range f.starts {
		if rest := f.text[start:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return true
		}
	}
	return false
}

// add folds one more text.
func (f *folder) add(text string) {
	if !ascii(text) {
		text = norm.NFKD.String(text)
	}
	f.text = append(f.text, separator)
	previous := rune(0) // in the same stretch
	for i, r := range text {
		switch {
		case accent(r):
			continue
		case !inWord(r):
			if previous != 0 {
				f.text, previous = append(f.text, separator), 0
			}
			continue
		case previous == 0 || wordBegins(previous, r, text[i+utf8.RuneLen(r):]):
			f.starts = append(f.starts, len(f.text))
		}
		f.fold(r)
		previous = r
	}
}

func (f *folder) fold(r rune) {
	switch {
	case 'A' <= r && r <= 'Z':
		f.text = append(f.text, byte(r)+'a'-'A')
	case r < utf8.RuneSelf:
		f.text = append(f.text, byte(r))
	default:
		f.text = append(f.text, f.caser.String(string(r))...)
	}
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func accent(r rune) bool { return r >= utf8.RuneSelf && unicode.Is(unicode.Mn, r) }

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.M)
}

// wordBegins reports whether r begins a word inside a stretch: between letters
// and digits, at a capital after a small letter (relatorioAnual), at the last
// of several capitals (PDFReport), and at every character of a script that is
// written without spaces.
func wordBegins(previous, r rune, rest string) bool {
	switch {
	case unicode.IsNumber(previous) != unicode.IsNumber(r):
		return true
	case unicode.IsUpper(r):
		return unicode.IsLower(previous) || unicode.IsUpper(previous) && smallFollows(rest)
	}
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// smallFollows reports whether the next character that is no accent is a small
// letter.
func smallFollows(rest string) bool {
	for _, r := range rest {
		if !accent(r) {
			return unicode.IsLower(r)
		}
	}
	return false
}
