package block

import (
	"strconv"
	"strings"
)

// Roman writes n as a Roman numeral in capitals, and as a decimal where there
// is none: below 1 and from 4000.
func Roman(n int) string {
	if n < 1 || n >= 4000 {
		return strconv.Itoa(n)
	}
	var b strings.Builder
	for _, s := range []struct {
		value int
		sign  string
	}{{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"}, {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"}} {
		for n >= s.value {
			b.WriteString(s.sign)
			n -= s.value
		}
	}
	return b.String()
}

// Letters writes n in letters as lists are numbered: a..z, aa, bb, ..., zz,
// aaa; as a decimal where that has no end or no beginning.
func Letters(n int) string {
	if n < 1 || n > 20*26 {
		return strconv.Itoa(n)
	}
	return strings.Repeat(string(rune('a'+(n-1)%26)), (n-1)/26+1)
}
