package rtf

import (
	"fmt"
	"unicode/utf8"

	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
)

// maxPending is how much text waits to be decoded, in bytes.
const maxPending = 64 << 10

// symbols stands for the encodings of fonts whose characters are pictures.
const symbols = -2

// font is an entry of the font table.
type font struct {
	codepage int // 0 when its charset doesn't say
	ansi     bool
}

// fontCodepage is the codepage of a font's charset (\fcharset), 0 for the
// document's own.
func fontCodepage(charset int) int {
	switch charset {
	case 0:
		return 1252
	case 2:
		return symbols
	case 77:
		return 10000
	case 128:
		return 932
	case 129, 130:
		return 949
	case 134:
		return 936
	case 136:
		return 950
	case 161:
		return 1253
	case 162:
		return 1254
	case 163:
		return 1258
	case 177:
		return 1255
	case 178, 179, 180:
		return 1256
	case 186:
		return 1257
	case 204:
		return 1251
	case 222:
		return 874
	case 238:
		return 1250
	case 254:
		return 437
	case 255:
		return 850
	}
	return 0
}

// current is the codepage of text at this place. Writers that know nothing of
// charsets give every font the charset 0, whatever the document's codepage.
func (d *document) current() int {
	f := d.fonts[d.state.font]
	if d.state.wide && d.state.wideFont != 0 {
		f = d.fonts[d.state.wideFont]
	}
	switch {
	case f.codepage == 0, f.ansi && d.codepage != 0 && (!d.charsets || double(d.codepage)):
		return d.codepage
	}
	return f.codepage
}

// double reports codepages with characters of two bytes.
func double(codepage int) bool {
	return codepage == 932 || codepage == 936 || codepage == 949 || codepage == 950
}

// encodingOf is the encoding with that number, nil for UTF-8.
func encodingOf(codepage int) encoding.Encoding {
	name := fmt.Sprintf("windows-%d", codepage)
	switch codepage {
	case 65001:
		return nil
	case 437:
		return charmap.CodePage437
	case 708:
		name = "iso-8859-6"
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 860:
		return charmap.CodePage860
	case 863:
		return charmap.CodePage863
	case 865:
		return charmap.CodePage865
	case 866:
		return charmap.CodePage866
	case 932:
		name = "shift_jis"
	case 936:
		name = "gbk"
	case 949, 1361:
		name = "euc-kr"
	case 950:
		name = "big5"
	case 10000:
		return charmap.Macintosh
	case 10007:
		name = "x-mac-cyrillic"
	}
	if e, _ := htmlcharset.Lookup(name); e != nil {
		return e
	}
	return charmap.Windows1252
}

// decode makes UTF-8 of text. raw tells that it stood in the file unescaped,
// where some writers put UTF-8.
func decode(b []byte, codepage int, raw bool) string {
	ascii := true
	for _, c := range b {
		ascii = ascii && c < utf8.RuneSelf
	}
	switch {
	case codepage == symbols:
		return ""
	case ascii, raw && utf8.Valid(b):
		return string(b)
	}
	e := encodingOf(codepage)
	if e == nil {
		return string(b)
	}
	s, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return string(b)
	}
	return string(s)
}
