package charset

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wlynxg/chardet"
	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// byStatistics guesses. The detector is good at telling scripts apart but
// weak among the code pages of Latin script, which are judged by how the
// words come out. ok is false when it fell back to windows-1252.
func byStatistics(b []byte) (e Encoding, ok bool) {
	latin, plausible := bestLatin(b)
	guess := chardet.Detect(b)
	enc, name := htmlcharset.Lookup(guess.Charset)
	if name == "x-mac-cyrillic" {
		enc, name = cyrillic(b)
	}
	if enc != nil && guess.Confidence >= 0.5 && !latinScript(name) && name != "utf-8" {
		// Latin script is mostly ASCII letters; in other scripts there are hardly any.
		if multiByte(name) || plausible < 0.8 || mostlyHigh(b) {
			return Encoding{Name: name, Source: FromStatistics, enc: enc}, true
		}
	}
	return Encoding{Name: latin.name, Source: FromStatistics, enc: latin.enc}, plausible > 0.5
}

// cyrillic corrects the detector, which takes windows-1251 for Apple's code
// page now and then: they differ in the capitals only.
func cyrillic(b []byte) (encoding.Encoding, string) {
	mac, errMac := charmap.MacintoshCyrillic.NewDecoder().Bytes(b)
	win, errWin := charmap.Windows1251.NewDecoder().Bytes(b)
	if errMac == nil && errWin == nil && plausibility(string(win)) > plausibility(string(mac)) {
		return charmap.Windows1251, "windows-1251"
	}
	return charmap.MacintoshCyrillic, "x-mac-cyrillic"
}

// mostlyHigh reports whether more letters are above ASCII than in it.
func mostlyHigh(b []byte) bool {
	high, letters := 0, 0
	for _, c := range b {
		switch {
		case c >= utf8.RuneSelf:
			high++
		case c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		}
	}
	return high > letters
}

func multiByte(name string) bool {
	switch name {
	case "gbk", "gb18030", "hz-gb-2312", "big5", "euc-jp", "iso-2022-jp", "shift_jis", "euc-kr":
		return true
	}
	return false
}

func latinScript(name string) bool {
	switch name {
	case "windows-1250", "windows-1252", "windows-1254", "windows-1257", "windows-1258", "macintosh":
		return true
	}
	return strings.HasPrefix(name, "iso-8859-") && !strings.HasSuffix(name, "-5") && !strings.HasSuffix(name, "-6") &&
		!strings.HasSuffix(name, "-7") && !strings.HasSuffix(name, "-8")
}

type codePage struct {
	name string
	enc  encoding.Encoding
}

// bestLatin is the code page under which most of the bytes above ASCII read
// as letters in their place, and the share of those that do. On equal terms
// the earlier, more common page wins.
func bestLatin(b []byte) (codePage, float64) {
	pages := []codePage{
		{"windows-1252", charmap.Windows1252},
		{"windows-1250", charmap.Windows1250},
		{"iso-8859-2", charmap.ISO8859_2},
		{"windows-1254", charmap.Windows1254},
		{"ibm850", charmap.CodePage850},
		{"macintosh", charmap.Macintosh},
	}
	best, bestShare := pages[0], -1.0
	for _, p := range pages {
		text, err := p.enc.NewDecoder().Bytes(b)
		if err != nil {
			continue
		}
		// An advantage must be clear: half of the letters are the same in several pages.
		if share := plausibility(string(text)); share > bestShare+0.02 {
			best, bestShare = p, share
		}
	}
	return best, bestShare
}

// plausibility is the share of characters above ASCII that stand where such
// a character can: letters in words, with the case of their neighbours, and
// of those mostly the ones that Latin-script languages use much; quotes,
// dashes and signs not within a word.
func plausibility(s string) float64 {
	var good, all float64
	prev := ' '
	for i, r := range s {
		if r < utf8.RuneSelf {
			prev = r
			continue
		}
		next, _ := utf8.DecodeRuneInString(s[i+utf8.RuneLen(r):])
		all++
		good += inPlace(prev, r, next)
		prev = r
	}
	if all == 0 {
		return 0
	}
	return good / all
}

func inPlace(prev, r, next rune) float64 {
	switch {
	case r == utf8.RuneError || unicode.IsControl(r):
		return -1
	case unicode.IsLetter(r):
		switch {
		case unicode.IsUpper(r) && unicode.IsLower(prev):
			return -0.5
		case !unicode.IsLetter(prev) && !unicode.IsLetter(next):
			if strings.ContainsRune("àáéèóêôúíÀÁÉÈÓyåöÅÖ", r) {
				return 0.8 // words of one letter
			}
			return 0
		case strings.ContainsRune(common, unicode.ToLower(r)):
			return 1
		}
		return 0.6
	case strings.ContainsRune("–—‘’“”«»„…•ºª°§€£©®™·¿¡\u00a0", r):
		if unicode.IsLetter(prev) && unicode.IsLetter(next) && r != '’' && r != '—' && r != '–' && r != '\u00a0' {
			return -0.5
		}
		return 0.9
	case unicode.IsLetter(prev) && unicode.IsLetter(next):
		return -1
	}
	return 0.1
}

// common are letters used by several or large languages of Latin script.
const common = "àáâãäåæçèéêëìíîïñòóôõöøùúûüýßąćęłńśźżčďěňřšťůžőűğışœ"
