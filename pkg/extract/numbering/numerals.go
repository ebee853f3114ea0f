package numbering

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Numeral writes n in one of the formats of ST_NumberFormat. Those that spell
// numbers in some language are written as decimals.
func Numeral(n int, format string) string {
	switch format {
	case "none", "bullet":
		return ""
	case "decimalZero":
		return fmt.Sprintf("%02d", n)
	case "upperRoman":
		return block.Roman(n)
	case "lowerRoman":
		return strings.ToLower(block.Roman(n))
	case "upperLetter":
		return strings.ToUpper(block.Letters(n))
	case "lowerLetter":
		return block.Letters(n)
	case "decimalEnclosedParen":
		return "(" + strconv.Itoa(n) + ")"
	case "decimalEnclosedFullstop":
		return strconv.Itoa(n) + "."
	case "ordinal":
		return ordinal(n)
	case "russianLower":
		return cycle(n, []rune("абвгдежзиклмнопрстуфхцчшщыэюя"))
	case "russianUpper":
		return cycle(n, []rune("АБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЫЭЮЯ"))
	case "chineseCounting", "chineseCountingThousand", "ideographDigital", "japaneseCounting", "taiwaneseCounting", "taiwaneseCountingThousand":
		return ideographs(n)
	}
	return strconv.Itoa(n)
}

func cycle(n int, alphabet []rune) string {
	times := (n-1)/len(alphabet) + 1
	if n <= 0 || times > 20 {
		return strconv.Itoa(n)
	}
	return strings.Repeat(string(alphabet[(n-1)%len(alphabet)]), times)
}

func ordinal(n int) string {
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}

func ideographs(n int) string {
	digits := []rune("〇一二三四五六七八九")
	switch {
	case n < 0 || n > 99:
		return strconv.Itoa(n)
	case n < 10:
		return string(digits[n])
	}
	s := "十"
	if n >= 20 {
		s = string(digits[n/10]) + s
	}
	if n%10 > 0 {
		s += string(digits[n%10])
	}
	return s
}
