package doc

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"

	"github.com/docsvc/docsvc/pkg/extract/charset"

	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// piece is a stretch of text: characters from cp up to end, at a place in the
// stream.
type piece struct {
	cp, end int
	at      int
	wide    bool // UTF-16, else one byte a character
}

// readPieces finds the pieces (Clx).
func (d *document) readPieces() { d.readPieceTable(d.structure(atPieces), true) }

// readPieceTable reads a list of pieces; packed tells that their places say
// whether they have one byte a character.
func (d *document) readPieceTable(clx ole.Bytes, packed bool) {
	for len(clx) > 0 && clx[0] == 1 { // properties that pieces refer to
		clx = clx.Part(3+clx.U16(1), len(clx))
	}
	if clx.U8(0) != 2 {
		return
	}
	list := clx.Part(5, clx.U32(1))
	cps := positions(list, 8)
	for i := range max(len(cps)-1, 0) {
		fc := list.U32(4*len(cps) + 8*i + 2)
		p := piece{cp: cps[i], end: cps[i+1], at: fc & 0x3fffffff, wide: packed && fc&0x40000000 == 0}
		if packed && !p.wide {
			p.at /= 2
		}
		if p.end <= p.cp || len(d.pieces) > 0 && p.cp < d.pieces[len(d.pieces)-1].end {
			d.cut = true
			continue
		}
		d.pieces = append(d.pieces, p)
	}
}

// readOldPieces finds the pieces of a document of Word 95 or older: one, unless it
// was saved in haste. Its characters have one byte, in a codepage that only they
// themselves tell.
func (d *document) readOldPieces() {
	clx := d.main.Part(d.main.U32(0x160), d.main.U32(0x164))
	if d.main.U16(10)&4 != 0 && !d.word2 {
		d.readPieceTable(clx, false)
	}
	from, to := d.main.U32(0x18), d.main.U32(0x1c)
	if len(d.pieces) == 0 && to > from {
		d.pieces = []piece{{cp: 0, end: to - from, at: from}}
	}
	var sample []byte
	for _, p := range d.pieces {
		sample = append(sample, d.main.Part(p.at, min(p.end-p.cp, maxSample-len(sample)))...)
	}
	words := slices.DeleteFunc(strings.Fields(string(sample)), func(w string) bool {
		return !strings.ContainsFunc(w, func(r rune) bool { return r >= utf8.RuneSelf })
	})
	if e, err := htmlindex.Get(charset.FindBytes([]byte(strings.Join(words, " "))).Name); err == nil {
		if page, ok := e.(*charmap.Charmap); ok {
			d.narrow = page
		}
	}
}

// maxSample is how much text the codepage is told by, in bytes.
const maxSample = 64 << 10

// style is an entry of the style sheet.
type style struct {
	id    int       // of a style that Word has built in
	base  int       // the style that it is derived from
	props paragraph // what it says of paragraphs
}

// readStyles reads the style sheet (STSH).
func (d *document) readStyles() {
	sheet := d.structure(atStyles)
	at := 2 + sheet.U16(0)
	for range min(sheet.U16(2), 4096) {
		size := sheet.U16(at)
		s := style{id: -1, base: 0xfff, props: newParagraph()}
		if size >= 4 {
			s.id, s.base = sheet.U16(at+2)&0xfff, sheet.U16(at+4)>>4
			if sheet.U16(at+4)&0xf == 1 { // of paragraphs
				s.props.readStyle(sheet.Part(at+2, size), sheet.U16(4))
			}
		}
		d.styles = append(d.styles, s)
		at += 2 + size + size%2
	}
}

// readStyle takes in what a style says of paragraphs. Its fixed part, of base
// bytes, is followed by its name and that.
func (p *paragraph) readStyle(b ole.Bytes, base int) {
	at := base + 2 + 2*b.U16(base) + 2
	if size := b.U16(at); base >= 10 && size > 2 {
		p.read(b.Part(at+4, size-2))
	}
}

// heading is the level of a style, 0 for none.
func (d *document) heading(n int) int {
	for range 10 {
		if n < 0 || n >= len(d.styles) {
			return 0
		}
		switch id := d.styles[n].id; {
		case id >= 1 && id <= 9:
			return min(id, 6)
		case id == 62: // Title
			return 1
		case id == 74: // Subtitle
			return 2
		}
		n = d.styles[n].base
	}
	return 0
}

// span is a stretch of the stream.
type span struct{ from, to int }

// paragraph is what is known of the paragraph whose end is in a stretch of the
// stream.
type paragraph struct {
	span
	style   int
	outline int // from 0; noOutline for none said
	list    int // number of its list from 1, 0 for none, or unsaid
	level   int // in its list, or unsaid
	inTable bool
	rowEnd  bool
	huge    bool // its properties are elsewhere: it may end a row
}

// noOutline is the level of text that is no heading, as in the file format.
const noOutline = 9

// runs calls visit for each run of the pages that a list of them points to
// (PlcBtePapx, PlcBteChpx): its stretch of the stream, its page, and the place of
// its properties in that. entry is the size of what a page has for each run.
func (d *document) runs(list ole.Bytes, entry int, visit func(s span, page ole.Bytes, at int)) {
	cps := positions(list, 4)
	for i := range max(len(cps)-1, 0) {
		page := d.main.Part((list.U32(4*len(cps)+4*i)&0x3fffff)*512, 512)
		n := page.U8(511)
		if len(page) < 512 || 4*(n+1)+entry*n > 511 {
			continue
		}
		for j := range n {
			s := span{page.U32(4 * j), page.U32(4*j + 4)}
			if at := 2 * page.U8(4*(n+1)+entry*j); s.to > s.from {
				visit(s, page, at)
			}
		}
	}
}

// newParagraph is one of which nothing is known.
func newParagraph() paragraph { return paragraph{outline: noOutline, list: unsaid, level: unsaid} }

// readParagraphs reads the properties of paragraphs.
func (d *document) readParagraphs() {
	d.runs(d.structure(atParagraphs), 13, func(s span, page ole.Bytes, at int) {
		p := newParagraph()
		p.span = s
		if at > 0 {
			size, from := 2*page.U8(at)-1, at+1
			if size < 0 {
				size, from = 2*page.U8(at+1), at+2
			}
			p.style = page.U16(from)
			p.read(page.Part(from+2, size-2))
		}
		d.paragraphs = append(d.paragraphs, p)
	})
	slices.SortStableFunc(d.paragraphs, func(a, b paragraph) int { return cmp.Compare(a.from, b.from) })
}

// read takes in what differs from the style.
func (p *paragraph) read(list ole.Bytes) {
	modifiers(list, func(code int, value ole.Bytes) {
		switch code {
		case 0x2416:
			p.inTable = value.U8(0) != 0
		case 0x2417:
			p.rowEnd = value.U8(0) != 0
		case 0x2640:
			p.outline = value.U8(0)
		case 0x260a:
			p.level = min(value.U8(0), 8)
		case 0x460b:
			if p.list = value.U16(0); p.list > 0x7fe {
				p.list = 0
			}
		case 0x6645, 0x6646:
			p.huge = true
		}
	})
}

// modifiers takes a list of property modifiers (Sprm) apart.
func modifiers(list ole.Bytes, visit func(code int, value ole.Bytes)) {
	for at := 0; at+2 <= len(list); {
		code := list.U16(at)
		at += 2
		size := []int{1, 1, 2, 4, 2, 2, 0, 3}[code>>13]
		if code>>13 == 6 {
			switch code {
			case 0xd608: // the definition of a table
				size = list.U16(at) + 1
			default:
				size = list.U8(at) + 1
			}
		}
		visit(code, list.Part(at, size))
		at += size
	}
}

// readCharacters finds the text that isn't shown: hidden, or removed by a
// tracked change.
func (d *document) readCharacters() {
	d.runs(d.structure(atCharacters), 1, func(s span, page ole.Bytes, at int) {
		if at == 0 {
			return
		}
		unseen := false
		modifiers(page.Part(at+1, page.U8(at)), func(code int, value ole.Bytes) {
			if v := value.U8(0); code == 0x083c || code == 0x0800 {
				unseen = unseen || v == 1 || v == 0x81
			}
		})
		if unseen {
			d.unseen = append(d.unseen, s)
		}
	})
	slices.SortStableFunc(d.unseen, func(a, b span) int { return cmp.Compare(a.from, b.from) })
}

// shown reports whether the character at a place in the stream is.
func (d *document) shown(at int) bool {
	i := sort.Search(len(d.unseen), func(i int) bool { return d.unseen[i].from > at })
	return i == 0 || at >= d.unseen[i-1].to
}

// paragraphAt is what is known of the paragraph that ends at a place in the
// stream.
func (d *document) paragraphAt(at int) paragraph {
	i := sort.Search(len(d.paragraphs), func(i int) bool { return d.paragraphs[i].from > at })
	if i == 0 || at >= d.paragraphs[i-1].to {
		p := newParagraph()
		p.huge = d.old
		return p
	}
	return d.paragraphs[i-1]
}
