package ppt

import (
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Types of records that are read ([MS-PPT] 2.13.24, [MS-ODRAW] 2.2).
const (
	recDocument          = 0x03e8
	recSlide             = 0x03ee
	recSlideAtom         = 0x03ef
	recNotes             = 0x03f0
	recNotesAtom         = 0x03f1
	recSlidePersist      = 0x03f3
	recSlideShow         = 0x03f9
	recDrawing           = 0x040c
	recPlaceholder       = 0x0bc3
	recOutlineRef        = 0x0f9e
	recTextHeader        = 0x0f9f
	recTextChars         = 0x0fa0
	recStyleText         = 0x0fa1
	recTextBytes         = 0x0fa8
	recCString           = 0x0fba
	recSlideNumber       = 0x0fd8
	recHeadersFooter     = 0x0fd9
	recHeadersFooterAtom = 0x0fda
	recSlideList         = 0x0ff0
	recUserEdit          = 0x0ff5
	recDateTime          = 0x0ff7
	recGenericDate       = 0x0ff8
	recHeaderMark        = 0x0ff9
	recFooterMark        = 0x0ffa
	recRTFDateTime       = 0x1015
	recProgTags          = 0x1388
	recProgBinary        = 0x138a
	recBinaryData        = 0x138b
	recPersist           = 0x1772
	recComment           = 0x2ee0
	artContainer         = 0xf002
	artGroup             = 0xf003
	artShape             = 0xf004
	artChildAnchor       = 0xf00f
	artTextbox           = 0xf00d
	artClientAnchor      = 0xf010
	artClientData        = 0xf011
)

// maxEdits bounds how many edits are followed back.
const maxEdits = 10000

// record is one with what is in it.
type record struct {
	kind     int
	instance int
	data     ole.Bytes
}

// at is the record at a place of the stream; ok is false when none begins there.
// One that goes on past the end of what it is in ends with that.
func at(b ole.Bytes, place int) (r record, next int, ok bool) {
	if place < 0 || place+8 > len(b) {
		return record{}, 0, false
	}
	size := b.U32(place + 4)
	next = min(place+8+size, len(b))
	return record{kind: b.U16(place + 2), instance: b.U16(place) >> 4, data: b[place+8 : next]}, next, true
}

// each visits the records that stand one after the other in b.
func each(b ole.Bytes, visit func(record) error) error {
	for place := 0; ; {
		r, next, ok := at(b, place)
		if !ok {
			return nil
		}
		if err := visit(r); err != nil {
			return err
		}
		place = next
	}
}

// find is the first record of a kind in b.
func find(b ole.Bytes, kind int) (record, bool) {
	for place := 0; ; {
		r, next, ok := at(b, place)
		if !ok {
			return record{}, false
		}
		if r.kind == kind {
			return r, true
		}
		place = next
	}
}

// directory finds out which slides there are, from the last edit on back.
func (d *document) directory(edit int) error {
	d.persist = map[int]int{}
	docRef := 0
	seen := map[int]bool{}
	for range maxEdits {
		r, _, ok := at(d.data, edit)
		if !ok || r.kind != recUserEdit || seen[edit] {
			break
		}
		seen[edit] = true
		if len(r.data) >= 32 && r.data.U32(28) != 0 { // it says how it is encrypted
			return encrypted()
		}
		if docRef == 0 {
			docRef = r.data.U32(16)
		}
		d.places(r.data.U32(12))
		if edit = r.data.U32(8); edit == 0 {
			break
		}
	}
	doc, _, ok := at(d.data, d.persist[docRef])
	if !ok || doc.kind != recDocument || docRef == 0 {
		// Without a directory: the last document in the stream is the one, its slides are in order.
		return d.guess()
	}
	d.list(doc.data)
	d.margin = doc.data
	return d.noteList(doc.data)
}

// places reads the table of an edit. Those of later edits, read before, count.
func (d *document) places(place int) {
	r, _, ok := at(d.data, place)
	if !ok || r.kind != recPersist {
		return
	}
	for i := 0; i+4 <= len(r.data); {
		first, n := r.data.U32(i)&0xfffff, r.data.U32(i)>>20
		i += 4
		for k := 0; k < n && i+4 <= len(r.data); k++ {
			if _, known := d.persist[first+k]; !known {
				d.persist[first+k] = r.data.U32(i)
			}
			i += 4
		}
	}
}

// list reads the list of slides, with the texts that stand in it.
func (d *document) list(doc ole.Bytes) {
	for place := 0; ; {
		r, next, ok := at(doc, place)
		if !ok {
			return
		}
		if r.kind == recSlideList && r.instance == 0 {
			d.listed(r.data)
			return
		}
		place = next
	}
}

func (d *document) listed(list ole.Bytes) {
	reader := &textReader{}
	end := func() {
		if len(d.slides) > 0 {
			d.slides[len(d.slides)-1].texts = reader.end()
		}
	}
	for place := 0; len(d.slides) <= maxSlides; {
		r, next, ok := at(list, place)
		if !ok {
			break
		}
		if r.kind == recSlidePersist {
			end()
			d.slides = append(d.slides, slideRef{persist: r.data.U32(0), id: r.data.U32(12)})
		} else {
			reader.take(r)
		}
		place = next
	}
	end()
}

// noteList reads which notes page belongs to which slide.
func (d *document) noteList(doc ole.Bytes) error {
	d.notes = map[int]ole.Bytes{}
	return each(doc, func(r record) error {
		if r.kind != recSlideList || r.instance != 2 {
			return nil
		}
		return each(r.data, func(r record) error {
			if r.kind != recSlidePersist {
				return nil
			}
			place, ok := d.persist[r.data.U32(0)]
			if !ok {
				return nil
			}
			d.noteAt(place)
			return nil
		})
	})
}

func (d *document) noteAt(place int) {
	r, _, ok := at(d.data, place)
	if !ok || r.kind != recNotes {
		return
	}
	if a, ok := find(r.data, recNotesAtom); ok && a.data.U32(0) != 0 {
		d.notes[a.data.U32(0)] = r.data
	}
}

// guess takes the slides as they stand in the stream, for a file whose
// directory is damaged.
func (d *document) guess() error {
	d.notes = map[int]ole.Bytes{}
	found := false
	for place := 0; len(d.slides) <= maxSlides; {
		r, next, ok := at(d.data, place)
		if !ok {
			break
		}
		switch r.kind {
		case recDocument:
			found = true
		case recSlide:
			d.persist[-place-1] = place
			d.slides = append(d.slides, slideRef{persist: -place - 1})
		}
		place = next
	}
	if !found && len(d.slides) == 0 {
		return block.Errorf(block.CodeCorrupt, "This presentation is damaged: it doesn't say where its slides are. Open it in PowerPoint, save it as PPTX and send that.")
	}
	return d.sink.Warn(block.TextIncomplete + "the list of slides is damaged; their order may be another one, and some may be missing")
}
