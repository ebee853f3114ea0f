package pdf

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// compounds remembers words with a hyphen inside a line, such as well-known:
// divided at their hyphen, they keep it.
type compounds struct{ seen map[string]bool }

// maxCompounds bounds what is remembered of one document.
const maxCompounds = 20000

func (c *compounds) note(text string) {
	if !strings.Contains(text, "-") || len(c.seen) >= maxCompounds {
		return
	}
	for _, word := range strings.Fields(text) {
		word = strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
		if i := strings.IndexByte(word, '-'); i > 0 && len(word) <= 64 {
			if c.seen == nil {
				c.seen = make(map[string]bool)
			}
			c.seen[strings.ToLower(word)] = true
		}
	}
}

// join puts the end of a line and the beginning of the next together. hyphen
// says that a hyphen, not part of before, stood between them.
func (c *compounds) join(before, after string, hyphen bool) string {
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	if !hyphen {
		bare := strings.TrimSuffix(before, "-")
		if penultimate, _ := utf8.DecodeLastRuneInString(bare); bare != before && unicode.IsLetter(penultimate) && unicode.IsLower(next) {
			before, last, hyphen = bare, penultimate, true
		}
	}
	switch {
	case hyphen && c.keepsHyphen(before, after, last, next):
		return before + "-" + after
	case hyphen:
		return before + after
	case isWide(last) && isWide(next):
		return before + after
	case strings.HasSuffix(before, "-") && !strings.HasSuffix(before, " -"):
		return before + after
	default:
		return before + " " + after
	}
}

// keepsHyphen tells a hyphen that belongs to a word from one that divides it.
func (c *compounds) keepsHyphen(before, after string, last, next rune) bool {
	if !unicode.IsLetter(last) || !unicode.IsLetter(next) {
		return true
	}
	left := before[strings.LastIndexFunc(before, unicode.IsSpace)+1:]
	if unicode.IsUpper(next) {
		// A word in capitals is divided like any other; Jean-Paul is not.
		return strings.IndexFunc(left, unicode.IsLower) >= 0
	}
	right := after
	if i := strings.IndexFunc(right, unicode.IsSpace); i >= 0 {
		right = right[:i]
	}
	whole := strings.TrimFunc(left+"-"+right, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return c.seen[strings.ToLower(whole)]
}

// isWide reports characters of scripts that are written without spaces.
func isWide(r rune) bool {
	return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana) || r >= 0x3000 && r <= 0x303f || r >= 0xff00 && r <= 0xff60
}
