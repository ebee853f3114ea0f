package ppt

import (
	"encoding/binary"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// rec is a record; kind is its type with the instance above it.
func rec(kind int, parts ...[]byte) []byte {
	data := slices.Concat(parts...)
	b := binary.LittleEndian.AppendUint16(nil, uint16(kind>>16<<4))
	b = binary.LittleEndian.AppendUint16(b, uint16(kind))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	return append(b, data...)
}

func instance(n, kind int) int { return n<<16 | kind }

func u32s(v ...int) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

func u16s(v ...int) []byte {
	var b []byte
	for _, x := range v {
		b = binary.LittleEndian.AppendUint16(b, uint16(x))
	}
	return b
}

func utf(s string) []byte {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return b
}

// words is a text of a kind, with further records of it.
func words(kind int, s string, more ...[]byte) []byte {
	return slices.Concat(rec(recTextHeader, u32s(kind)), rec(recTextChars, utf(s)), slices.Concat(more...))
}

// shape is one at x, y that fills a place of the layout, 0 for none.
func shape(x, y, place int, text []byte) []byte {
	b := rec(artClientAnchor, u16s(y, x, x+100, y+50))
	if place > 0 {
		b = append(b, rec(artClientData, rec(recPlaceholder, u32s(0), []byte{byte(place), 0, 0, 0}))...)
	}
	if text != nil {
		b = append(b, rec(artTextbox, text)...)
	}
	return rec(artShape, b)
}

// drawing is the shapes of a slide; the first one is that of the group around
// all.
func drawing(shapes ...[]byte) []byte {
	return rec(recDrawing, rec(artContainer, group(rec(artShape), shapes...)))
}

func group(own []byte, shapes ...[]byte) []byte {
	return rec(artGroup, own, slices.Concat(shapes...))
}

// page is a slide.
type page struct {
	contents []byte // records in it
	texts    []byte // of the list of slides
	notes    []byte // records of its notes page, nil for none
}

// show is a presentation.
type show struct {
	pages   []page
	doc     []byte // further records of the document
	cryptic int    // number of the record that says how it is encrypted
	token   int    // in the stream Current User
	damage  func([]byte) []byte
}

func (p show) stream() (stream []byte, edit int) {
	var list, notes, places []byte
	add := func(b []byte) int {
		places = append(places, u32s(len(stream))...)
		stream = append(stream, b...)
		return len(places) / 4
	}
	for i, s := range p.pages {
		id := add(rec(recSlide, rec(recSlideAtom, make([]byte, 24)), s.contents))
		list = slices.Concat(list, rec(recSlidePersist, u32s(id, 0, 0, 256+i, 0)), s.texts)
		if s.notes != nil {
			id := add(rec(recNotes, rec(recNotesAtom, u32s(256+i, 0)), s.notes))
			notes = append(notes, rec(recSlidePersist, u32s(id, 0, 0, 256, 0))...)
		}
	}
	doc := add(rec(recDocument, rec(instance(1, recSlideList)), rec(recSlideList, list), rec(instance(2, recSlideList), notes), p.doc))
	// An older edit, which says something else of everything.
	old := len(stream)
	stream = append(stream, rec(recPersist, u32s(doc<<20|1), make([]byte, 4*doc))...)
	first := len(stream)
	stream = append(stream, rec(recUserEdit, u32s(0, 0, 0, old, 1, 0, 0))...)
	dir := len(stream)
	stream = append(stream, rec(recPersist, u32s(doc<<20|1), places)...)
	edit = len(stream)
	stream = append(stream, rec(recUserEdit, u32s(0, 0, first, dir, doc, 0, 0, p.cryptic))...)
	return stream, edit
}

func (p show) pack(t testing.TB) []byte {
	t.Helper()
	stream, edit := p.stream()
	if p.damage != nil {
		stream = p.damage(stream)
	}
	return oletest.Container(t, map[string][]byte{
		"PowerPoint Document": stream,
		"Current User":        rec(0x0ff6, u32s(0x14, p.token, edit)),
	})
}
