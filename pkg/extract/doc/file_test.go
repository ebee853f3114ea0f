package doc

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// run gives characters from the last one's end up to this one properties.
type run struct {
	end   int // in characters
	style int // of a paragraph
	list  []byte
}

// wordFile is a document of Word 97.
type wordFile struct {
	texts      [8]string // body, footnotes, headers, macros, comments, endnotes, boxes, boxes of headers
	wide       bool
	paragraphs []run
	characters []run
	structures map[int][]byte // of the table stream, by number
	lists      [2][]byte      // the structure of that name, and what stands behind it
	flags      uint16
	fib        uint16
	pieces     func(good []byte) []byte
}

const textAt = 0x800

func u32s(v ...uint32) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, x)
	}
	return b
}

// pack writes the file.
func (w wordFile) pack(t testing.TB) []byte {
	t.Helper()
	main := make([]byte, textAt)
	put := func(at int, v uint32) { binary.LittleEndian.PutUint32(main[at:], v) }
	put(0, 0xa5ec)
	binary.LittleEndian.PutUint16(main[2:], max(w.fib, 0xc1))
	binary.LittleEndian.PutUint16(main[10:], w.flags|0x0200)
	chars, width := 0, 1
	for i, s := range w.texts {
		u := utf16.Encode([]rune(s))
		put(0x4c+4*i, uint32(len(u)))
		chars += len(u)
		for _, c := range u {
			if main = append(main, byte(c)); w.wide {
				main = append(main, byte(c>>8))
			}
		}
	}
	fc := uint32(2*textAt) | 0x40000000
	if w.wide {
		fc, width = textAt, 2
	}
	var table []byte
	structure := func(n int, b []byte) {
		put(0x9a+8*n, uint32(len(table)))
		put(0x9e+8*n, uint32(len(b)))
		table = append(table, b...)
	}
	pieces := slices.Concat([]byte{2}, u32s(16), u32s(0, uint32(chars)), []byte{0, 0}, u32s(fc), []byte{0, 0})
	if w.pieces != nil {
		pieces = w.pieces(pieces)
	}
	structure(atPieces, pieces)
	for n, runs := range map[int][]run{atParagraphs: w.paragraphs, atCharacters: w.characters} {
		main = append(main, make([]byte, 512-len(main)%512)...)
		structure(n, u32s(textAt, uint32(textAt+width*chars), uint32(len(main)/512)))
		main = append(main, page(runs, n == atParagraphs, width)...)
	}
	for n, b := range w.structures {
		structure(n, b)
	}
	if w.lists[0] != nil {
		structure(atLists, w.lists[0])
		table = append(table, w.lists[1]...)
	}
	return oletest.Container(t, map[string][]byte{"WordDocument": main, "1Table": table})
}

// page is one of properties (FKP).
func page(runs []run, paragraphs bool, width int) []byte {
	b := make([]byte, 512)
	b[511] = byte(len(runs))
	entry, free := 1, 508
	if paragraphs {
		entry = 13
	}
	from := textAt
	for i, r := range runs {
		binary.LittleEndian.PutUint32(b[4*i:], uint32(from))
		from = textAt + width*r.end
		binary.LittleEndian.PutUint32(b[4*i+4:], uint32(from))
		props := append([]byte{byte(len(r.list))}, r.list...)
		if paragraphs {
			list := r.list
			if len(list)%2 == 0 {
				list = append(slices.Clone(list), 0)
			}
			props = slices.Concat([]byte{byte((len(list) + 3) / 2), byte(r.style), byte(r.style >> 8)}, list)
		}
		free = (free - len(props)) &^ 1
		copy(b[free:], props)
		b[4*(len(runs)+1)+entry*i] = byte(free / 2)
	}
	return b
}
