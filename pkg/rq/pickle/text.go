package pickle

import "unicode/utf8"

// validText reports whether s is UTF-8 in which lone surrogates are allowed,
// as CPython writes them with surrogatepass.
func validText(s string) bool {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			if _, ok := Surrogate(s); !ok {
				return false
			}
			n = 3
		}
		s = s[n:]
	}
	return true
}

// Surrogate reads a surrogate code point from the first three bytes of s; false
// if they are not one.
func Surrogate(s string) (rune, bool) {
	if len(s) < 3 || s[0] != 0xed || s[1] < 0xa0 || s[1] > 0xbf || s[2] < 0x80 || s[2] > 0xbf {
		return 0, false
	}
	return 0xd000 | rune(s[1]&0x3f)<<6 | rune(s[2]&0x3f), true
}

// AppendRune appends r in UTF-8, and a surrogate in the three bytes that
// CPython's surrogatepass gives it.
func AppendRune(b []byte, r rune) []byte {
	if r >= 0xd800 && r < 0xe000 {
		return append(b, 0xe0|byte(r>>12), 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
	}
	return utf8.AppendRune(b, r)
}
