package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/abadojack/whatlanggo"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// languageSample is how much text the language is told from, in bytes.
	languageSample = 16 << 10
	// languageLeast is how many letters it takes: single words are in many languages.
	languageLeast = 40
	// maxTitle bounds a title made of a heading, in bytes.
	maxTitle = 255
)

// Complete fills in what can be told from the text alone once all blocks are
// there: the number of words, the language, and the title where the file
// itself doesn't give one.
func Complete(d *Document) {
	d.Meta.Words = 0
	for _, b := range d.Blocks {
		d.Meta.Words += countWords(b.Text)
		for _, row := range b.Rows {
			for _, cell := range row {
				d.Meta.Words += countWords(cell)
			}
		}
	}
	d.Meta.Language = language(d)
	if d.Meta.Title == "" {
		d.Meta.Title = firstHeading(d.Blocks)
	}
}

// countWords counts runs of letters and digits; in scripts written without
// blanks every character counts.
func countWords(s string) int {
	n, inside := 0, false
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer):
			n++
			inside = false
		case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r):
			if !inside {
				n++
			}
			inside = true
		case r == '\'' || r == '’' || r == '_':
		default:
			inside = false
		}
	}
	return n
}

// firstHeading is the document's first heading if it stands among its first
// few blocks.
func firstHeading(blocks []Block) string {
	for i, b := range blocks {
		if i > 5 {
			break
		}
		if b.Kind == block.Heading {
			title := oneLine(b.Text)
			if len(title) > maxTitle {
				title = strings.ToValidUTF8(title[:maxTitle], "")
			}
			return title
		}
	}
	return ""
}

// language is told from the text where that is clear. What the file declares
// is often the language of the program it was written with; it counts when it
// is a variant of the one that was told ("pt-BR"), or when none was.
func language(d *Document) string {
	declared := strings.ReplaceAll(d.Meta.Language, "_", "-")
	if !validTag(declared) {
		declared = ""
	}
	text, letters := sampleText(d.Blocks)
	if letters < languageLeast {
		return declared
	}
	info := whatlanggo.Detect(text)
	told := info.Lang.Iso6391()
	if told == "" {
		told = info.Lang.Iso6393()
	}
	base, _, _ := strings.Cut(strings.ToLower(declared), "-")
	switch {
	case told == "":
		return declared
	case base == told:
		return declared
	case info.IsReliable() || declared == "":
		return told
	}
	return declared
}

// validTag reports whether a declared language looks like a BCP 47 tag.
func validTag(tag string) bool {
	first, _, _ := strings.Cut(tag, "-")
	if len(first) < 2 || len(first) > 8 || len(tag) > 35 {
		return false
	}
	for _, r := range tag {
		if r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' {
			return false
		}
	}
	return !strings.EqualFold(first, "und")
}

// sampleText gathers prose from the start, and the number of its letters.
// Code and tables say little of the language.
func sampleText(blocks []Block) (string, int) {
	var b strings.Builder
	letters := 0
	take := func(s string) {
		if room := languageSample - b.Len(); len(s) > room {
			for room > 0 && !utf8.RuneStart(s[room]) {
				room--
			}
			s = s[:max(room, 0)]
		}
		for _, r := range s {
			if unicode.IsLetter(r) {
				letters++
			}
		}
		b.WriteString(s)
		b.WriteByte('\n')
	}
	for _, x := range blocks {
		if b.Len() >= languageSample {
			break
		}
		if x.Kind != block.Code && x.Kind != block.Table {
			take(x.Text)
		}
	}
	if letters >= languageLeast {
		return b.String(), letters
	}
	for _, x := range blocks {
		for _, row := range x.Rows {
			for _, cell := range row {
				if b.Len() >= languageSample {
					return b.String(), letters
				}
				take(cell)
			}
		}
	}
	return b.String(), letters
}
