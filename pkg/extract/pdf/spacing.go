package pdf

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// separateMark puts a space between the raised number of a note and the note.
func separateMark(text string) string {
	rest := strings.TrimLeft(text, "0123456789")
	mark := text[:len(text)-len(rest)]
	if first, _ := utf8.DecodeRuneInString(rest); mark == "" || len(mark) > 3 || !unicode.IsLetter(first) {
		return text
	}
	return mark + " " + rest
}

// spaced corrects spaces: in Chinese and Japanese set with wide gaps there are
// none between the characters; between Arabic or Hebrew and Latin letters one got lost.
func spaced(text string) string {
	wide, leftwards := false, false
	for _, r := range text {
		if r >= 0x590 && r <= 0x6ff {
			leftwards = true
		} else if r >= 0x3000 && isWide(r) {
			wide = true
		}
	}
	if leftwards {
		text = separateScripts(text)
	}
	if wide {
		text = closeGaps(text)
	}
	return text
}

func separateScripts(text string) string {
	var b strings.Builder
	var before rune
	for _, r := range text {
		if isLeftwards(before) && isLatin(r) || isLatin(before) && isLeftwards(r) {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

func isLeftwards(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Hebrew) && unicode.IsLetter(r)
}

func isLatin(r rune) bool { return unicode.Is(unicode.Latin, r) }

// closeGaps takes the spaces out of a line in which every wide character is
// followed by one.
func closeGaps(text string) string {
	runes := []rune(text)
	gaps, together := 0, 0
	for i := 1; i < len(runes); i++ {
		switch {
		case isWide(runes[i]) && isWide(runes[i-1]):
			together++
		case i > 1 && isWide(runes[i]) && runes[i-1] == ' ' && isWide(runes[i-2]):
			gaps++
		}
	}
	if gaps < 3 || together > gaps/8 {
		return text
	}
	kept := runes[:0:0]
	for i, r := range runes {
		if r == ' ' && i > 0 && i+1 < len(runes) && isWide(runes[i-1]) && isWide(runes[i+1]) {
			continue
		}
		kept = append(kept, r)
	}
	return string(kept)
}
