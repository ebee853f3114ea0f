package ole

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Bytes is a stream, or a part of one. What lies outside of it reads as zero.
type Bytes []byte

// U8 is the byte there.
func (b Bytes) U8(at int) int {
	if at < 0 || at >= len(b) {
		return 0
	}
	return int(b[at])
}

// U16 is the number of two bytes there.
func (b Bytes) U16(at int) int { return b.U8(at) | b.U8(at+1)<<8 }

// U32 is the number of four bytes there.
func (b Bytes) U32(at int) int {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b[at:]))
}

// Part is n bytes from an offset on, fewer where the stream ends.
func (b Bytes) Part(at, n int) Bytes {
	if at < 0 || at >= len(b) || n <= 0 {
		return nil
	}
	return b[at:min(len(b), at+n)]
}

// U64 is the number of eight bytes there.
func (b Bytes) U64(at int) uint64 {
	if at < 0 || at+8 > len(b) {
		return 0
	}
	return binary.LittleEndian.Uint64(b[at:])
}

// UTF16 is the text of the whole.
func (b Bytes) UTF16() string {
	u := make([]uint16, 0, len(b)/2)
	for i := 0; i+1 < len(b); i += 2 {
		u = append(u, uint16(b.U16(i)))
	}
	return string(utf16.Decode(u))
}

// Summary reads the property set SummaryInformation ([MS-OLEPS]).
func Summary(b Bytes) block.Metadata {
	var m block.Metadata
	set := b.U32(44)
	codepage := 1252
	for i := range min(b.U32(set+4), 64) {
		id, at := b.U32(set+8+8*i), set+b.U32(set+12+8*i)
		switch kind := b.U16(at); {
		case id == 1 && kind == 2:
			codepage = b.U16(at + 4)
		case id == 2:
			m.Title = propertyText(b, at, codepage)
		case id == 4:
			m.Author = propertyText(b, at, codepage)
		case id == 12 && kind == 0x40:
			m.Created = Time(b, at+4)
		case id == 13 && kind == 0x40:
			m.Modified = Time(b, at+4)
		}
	}
	return m
}

func propertyText(b Bytes, at, codepage int) string {
	const longest = 4096
	raw := b.Part(at+8, min(b.U32(at+4), longest))
	var s string
	switch {
	case b.U16(at) == 0x1f, codepage == 1200:
		if b.U16(at) == 0x1f {
			raw = b.Part(at+8, 2*min(b.U32(at+4), longest))
		}
		s = raw.UTF16()
	default:
		s = Decode(raw, codepage)
	}
	s, _, _ = strings.Cut(s, "\x00")
	return strings.Join(strings.Fields(block.Clean(s)), " ")
}

// Decode reads text in one of Windows' codepages; one that isn't known is taken
// for 1252.
func Decode(raw []byte, codepage int) string {
	var e encoding.Encoding = charmap.Windows1252
	switch codepage {
	case 65001:
		return string(raw)
	case 437:
		e = charmap.CodePage437
	case 850:
		e = charmap.CodePage850
	case 852:
		e = charmap.CodePage852
	case 866:
		e = charmap.CodePage866
	case 874:
		e = charmap.Windows874
	case 932:
		e = japanese.ShiftJIS
	case 936:
		e = simplifiedchinese.GBK
	case 949:
		e = korean.EUCKR
	case 950:
		e = traditionalchinese.Big5
	case 1250:
		e = charmap.Windows1250
	case 1251:
		e = charmap.Windows1251
	case 1253:
		e = charmap.Windows1253
	case 1254:
		e = charmap.Windows1254
	case 1255:
		e = charmap.Windows1255
	case 1256:
		e = charmap.Windows1256
	case 1257:
		e = charmap.Windows1257
	case 1258:
		e = charmap.Windows1258
	case 10000, 32768:
		e = charmap.Macintosh
	case 10007:
		e = charmap.MacintoshCyrillic
	case 28591:
		e = charmap.ISO8859_1
	case 28592:
		e = charmap.ISO8859_2
	case 28605:
		e = charmap.ISO8859_15
	}
	out, err := e.NewDecoder().Bytes(raw)
	if err != nil {
		return string(raw)
	}
	return string(out)
}

// Time reads 100 ns since 1601; nil for what can't be one.
func Time(b Bytes, at int) *time.Time {
	v := int64(b.U32(at)) | int64(b.U32(at+4))<<32
	const unix = 11644473600 // seconds from 1601 to 1970
	t := time.Unix(v/1e7-unix, 0).UTC()
	if v <= 0 || t.Year() < 1980 || t.Year() > 9999 {
		return nil
	}
	return &t
}
