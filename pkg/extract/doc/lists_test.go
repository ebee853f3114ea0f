package doc

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
)

// levelOf is an LVL: its text has the number of level n as the character n.
func levelOf(start uint32, format byte, flags byte, text string) []byte {
	b := append(u32s(start), make([]byte, 24)...)
	b[4], b[5] = format, flags
	b[24], b[25] = 3, 2 // properties of its characters and paragraphs
	b = append(b, 1, 2, 3, 4, 5)
	units := utf16.Encode([]rune(text))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(units)))
	for _, u := range units {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// definition is an LSTF.
func definition(id uint32, simple byte, styles ...uint16) []byte {
	b := append(u32s(id, 0), make([]byte, 20)...)
	for i := range 9 {
		style := uint16(0xfff)
		if i < len(styles) {
			style = styles[i]
		}
		binary.LittleEndian.PutUint16(b[8+2*i:], style)
	}
	b[26] = simple
	return b
}

// use is an LFO with so many levels of its own.
func use(id uint32, own byte) []byte {
	return append(u32s(id, 0, 0), own, 0, 0, 0)
}

func TestListNumbers(t *testing.T) {
	t.Parallel()
	levels := slices.Concat(levelOf(1, 0, 0, "\x00."), levelOf(1, 4, 0, "\x00.\x01)"), levelOf(1, 2, 4, "\x00.\x01.\x02"))
	for range 6 {
		levels = append(levels, levelOf(1, 23, 0, "\uf0b7")...)
	}
	levels = append(levels, levelOf(3, 1, 0, "Part \x00")...)
	file := wordFile{
		texts: [8]string{"one\rtwo\rin\rdeep\rbullet\r\rthree\ragain\rpart\rnext\rplain\rtitle\rcell\x07\x07end\r"},
		structures: map[int][]byte{
			atStyles:   styledList(),
			atListUses: slices.Concat(u32s(3), use(7, 0), use(8, 0), use(7, 1), u32s(0), u32s(0), u32s(0xffffffff, 5, 0x10)),
		},
		paragraphs: []run{
			{4, 0, list(1, 0)}, {8, 0, list(1, 0)}, {11, 0, list(1, 1)}, {16, 0, list(1, 2)}, {23, 0, list(1, 3)}, {24, 0, list(1, 0)}, {30, 0, list(1, 0)}, {36, 0, list(3, 0)},
			{41, 0, list(2, 0)}, {46, 0, list(2, 0)}, {52, 0, nil}, {58, 1, nil}, {63, 0, append(slices.Clone(inTable), list(1, 0)...)}, {64, 0, rowEnd}, {68, 0, list(9, 0)},
		},
		lists: [2][]byte{slices.Concat([]byte{2, 0}, definition(7, 0), definition(8, 1, 1)), levels},
	}
	d := blocktest.Parse(t, Parse, file.pack(t), block.Options{})
	blocktest.Check(t, d, nil)
	want := "list_item (1.): one\nlist_item (2.): two\nlist_item 1 (2.a)): in\nlist_item 2 (2.1.1): deep\nlist_item 3: bullet\nlist_item (3.): three\nlist_item (5.): again\n" +
		"list_item (Part III): part\nlist_item (Part IV): next\nparagraph: plain\nheading 2 (Part V): title\nparagraph: 6. cell\nlist_item: end\n"
	if got := blocktest.Outline(d.Blocks); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

// list says which list, and which level of it, a paragraph is of.
func list(n, level byte) []byte { return []byte{0x0a, 0x26, level, 0x0b, 0x46, n, 0} }

// styledList are the style Normal, and a heading that is numbered.
func styledList() []byte {
	b := []byte{18, 0, 2, 0, 10, 0}
	b = append(b, make([]byte, 14)...)
	style := func(id, base uint16, props []byte) {
		s := binary.LittleEndian.AppendUint16(nil, id)
		s = binary.LittleEndian.AppendUint16(s, base<<4|1)
		s = append(s, make([]byte, 6)...)
		s = append(s, 1, 0, 'x', 0, 0, 0) // its name
		s = binary.LittleEndian.AppendUint16(s, uint16(2+len(props)))
		s = append(append(s, 0, 0), props...)
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
		if len(s)%2 == 1 {
			b = append(b, 0)
		}
	}
	style(0, 0xfff, nil)
	style(2, 0, []byte{0x0b, 0x46, 2, 0})
	return b
}
