package doc

import (
	"encoding/binary"
	"strings"
	"time"
	"unicode/utf16"

	"golang.org/x/text/encoding/charmap"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// bytes is a stream, or a part of one. What lies outside of it reads as zero.
type bytes []byte

func (b bytes) u8(at int) int {
	if at < 0 || at >= len(b) {
		return 0
	}
	return int(b[at])
}

func (b bytes) u16(at int) int { return b.u8(at) | b.u8(at+1)<<8 }

func (b bytes) u32(at int) int {
	if at < 0 || at+4 > len(b) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(b[at:]))
}

// part is n bytes from an offset on, fewer where the stream ends.
func (b bytes) part(at, n int) bytes {
	if at < 0 || at >= len(b) || n <= 0 {
		return nil
	}
	return b[at:min(len(b), at+n)]
}

// structure is what the pair of that number in the file information block points
// to in the table stream (FibRgFcLcb97).
func (d *document) structure(n int) bytes {
	if d.old {
		return nil
	}
	return d.table.part(d.main.u32(0x9a+8*n), d.main.u32(0x9e+8*n))
}

// Numbers of pairs.
const (
	atStyles       = 1
	atFootnoteRefs = 2
	atFootnotes    = 3
	atComments     = 5
	atHeaders      = 11
	atCharacters   = 12
	atParagraphs   = 13
	atPieces       = 33
	atEndnoteRefs  = 46
	atEndnotes     = 47
)

// positions are the n+1 positions that a list of n entries of size bytes begins
// with; without entries all of it is positions.
func (b bytes) positions(size int) []int {
	n := len(b) / 4
	if size > 0 {
		n = (len(b)-4)/(4+size) + 1
	}
	if len(b) < 4 {
		return nil
	}
	p := make([]int, n)
	for i := range p {
		p[i] = b.u32(4 * i)
	}
	return p
}

// summary reads the property set SummaryInformation ([MS-OLEPS]).
func summary(b bytes) block.Metadata {
	var m block.Metadata
	set := b.u32(44)
	codepage := 1252
	for i := range min(b.u32(set+4), 64) {
		id, at := b.u32(set+8+8*i), set+b.u32(set+12+8*i)
		switch kind := b.u16(at); {
		case id == 1 && kind == 2:
			codepage = b.u16(at + 4)
		case id == 2:
			m.Title = propertyText(b, at, codepage)
		case id == 4:
			m.Author = propertyText(b, at, codepage)
		case id == 12 && kind == 0x40:
			m.Created = fileTime(b, at+4)
		case id == 13 && kind == 0x40:
			m.Modified = fileTime(b, at+4)
		}
	}
	return m
}

func propertyText(b bytes, at, codepage int) string {
	const longest = 4096
	raw := b.part(at+8, min(b.u32(at+4), longest))
	var s string
	switch {
	case b.u16(at) == 0x1f, codepage == 1200:
		if b.u16(at) == 0x1f {
			raw = b.part(at+8, 2*min(b.u32(at+4), longest))
		}
		u := make([]uint16, 0, len(raw)/2)
		for i := 0; i+1 < len(raw); i += 2 {
			u = append(u, uint16(raw.u16(i)))
		}
		s = string(utf16.Decode(u))
	case codepage == 65001:
		s = string(raw)
	default:
		s = string(decodeANSI(raw, codepage))
	}
	s, _, _ = strings.Cut(s, "\x00")
	return strings.Join(strings.Fields(block.Clean(s)), " ")
}

// decodeANSI knows the codepages of one byte that documents have.
func decodeANSI(raw []byte, codepage int) []byte {
	pages := map[int]*charmap.Charmap{874: charmap.Windows874, 1250: charmap.Windows1250, 1251: charmap.Windows1251, 1253: charmap.Windows1253,
		1254: charmap.Windows1254, 1255: charmap.Windows1255, 1256: charmap.Windows1256, 1257: charmap.Windows1257, 1258: charmap.Windows1258}
	page := charmap.Windows1252
	if p, ok := pages[codepage]; ok {
		page = p
	}
	out := make([]byte, 0, len(raw))
	for _, c := range raw {
		out = append(out, string(page.DecodeByte(c))...)
	}
	return out
}

// fileTime reads 100 ns since 1601.
func fileTime(b bytes, at int) *time.Time {
	v := int64(b.u32(at)) | int64(b.u32(at+4))<<32
	const unix = 11644473600 // seconds from 1601 to 1970
	t := time.Unix(v/1e7-unix, 0).UTC()
	if v <= 0 || t.Year() < 1980 || t.Year() > 9999 {
		return nil
	}
	return &t
}
