package filewalk

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

// Open opens a file that Walk found. It never blocks: what became a named
// pipe or a device since then is refused. Errors name no path.
func Open(path string) (*os.File, os.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, plain(err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, plain(err)
	}
	return f, info, nil
}

// Printable writes a name so that it can't play with a terminal and still
// tells names apart: control characters, characters that turn the direction
// of writing and bytes that are not UTF-8 are escaped as in Go strings.
func Printable(name string) string {
	if !odd(name) {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, name[0])
		case r == '\\':
			b.WriteString(`\\`)
		case Hidden(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteRune(r)
		}
		name = name[size:]
	}
	return b.String()
}

func odd(name string) bool {
	return !utf8.ValidString(name) || strings.IndexFunc(name, Hidden) >= 0
}

// Hidden reports what a terminal would act on instead of showing it.
func Hidden(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}
