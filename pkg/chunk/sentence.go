package chunk

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	uax "github.com/clipperhouse/uax29/v2/sentences"
)

// part is a range of bytes of a text.
type part struct{ start, end int }

// sentences divides a text by the rules of Unicode (UAX 29), but neither at
// the end of a line in the middle of a sentence nor after an abbreviation.
func sentences(text string) iter.Seq[part] {
	return func(yield func(part) bool) {
		it := uax.FromString(text)
		start, at := 0, 0
		for it.Next() {
			at += len(it.Value())
			if at < len(text) && goesOn(it.Value(), text[at:]) {
				continue
			}
			if !yield(part{start, at}) {
				return
			}
			start = at
		}
		if start < len(text) {
			yield(part{start, len(text)})
		}
	}
}

// goesOn reports whether what was taken for the end of a sentence is none.
func goesOn(sentence, after string) bool {
	body := strings.TrimRightFunc(sentence, unicode.IsSpace)
	if body == "" {
		return true
	}
	blanks := sentence[len(body):]
	last, _ := utf8.DecodeLastRuneInString(strings.TrimRight(body, `"'”’»)]*_`))
	if strings.Contains(blanks, "\n") {
		blankLine := strings.Count(blanks, "\n") > 1 || after[0] == '\n'
		return !blankLine && !ends(last)
	}
	return last == '.' && abbreviated(body)
}

// ends reports signs that end a sentence, or announce what stands on the next
// line.
func ends(r rune) bool { return strings.ContainsRune(".!?…:;。！？؟।", r) }

// abbreviated reports whether a text ends with an abbreviation or an initial.
func abbreviated(text string) bool {
	text = strings.TrimSuffix(text, ".")
	i := strings.LastIndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && r != '.' })
	word := text[i+1:]
	if utf8.RuneCountInString(word) == 1 {
		r, _ := utf8.DecodeRuneInString(word)
		return unicode.IsUpper(r)
	}
	switch strings.ToLower(word) {
	case "sr", "sra", "srs", "dr", "dra", "drs", "prof", "profa", "eng", "exmo", "av", "tel", "art", "arts", "inc", "núm", "pág", "págs", "fl", "fls", "cf", "ex", "obs", "séc", "vol", "cap", "ltda",
		"mr", "mrs", "ms", "st", "jr", "vs", "no", "nos", "fig", "figs", "sec", "eq", "eqs", "approx", "dept", "e.g", "i.e", "p.ex", "p", "pp", "al", "bzw", "z.b", "nr", "u.a", "d.h":
		return true
	}
	return false
}
