package ppt

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/arrange"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Kinds of places of the layout that hold what slides repeat ([MS-PPT] 2.13.21).
const (
	placeDate   = 7
	placeNumber = 8
	placeFooter = 9
	placeHeader = 10
)

// slide is one being read.
type slide struct {
	d     *document
	n     int
	ref   slideRef
	items []item
	used  []bool // texts of the list that a shape refers to
	given int
}

// item is a shape or group with the text in it.
type item struct {
	arrange.Box
	title  bool
	blocks []block.Block
}

// Place implements arrange.Shape.
func (i item) Place() arrange.Box { return i.Box }

// IsTitle implements arrange.Shape.
func (i item) IsTitle() bool { return i.title }

// read reads the slide; there tells whether it is in the file.
func (s *slide) read() (there bool, err error) {
	s.used = make([]bool, len(s.ref.texts))
	place, ok := s.d.persist[s.ref.persist]
	r, _, in := at(s.d.data, place)
	there = ok && in && r.kind == recSlide
	if there {
		if err := s.contents(r.data); err != nil {
			return there, err
		}
	}
	for i, t := range s.ref.texts { // of a slide without shapes for them
		if !s.used[i] {
			s.keep(item{title: t.isTitle(), blocks: t.blocks()})
		}
	}
	for _, it := range arrange.InOrder(s.items) {
		for _, b := range it.blocks {
			b.Page = s.n
			s.given++
			s.d.given++
			if err := s.d.sink.Block(b); err != nil {
				return there, err
			}
		}
	}
	if !there {
		return false, nil
	}
	return true, s.beside(r.data)
}

// contents reads the shapes of a slide.
func (s *slide) contents(b ole.Bytes) error {
	return each(b, func(r record) error {
		switch r.kind {
		case recSlideShow:
			if r.data.U16(10)&4 != 0 && len(s.d.hidden) < 1000 {
				s.d.hidden = append(s.d.hidden, strconv.Itoa(s.n))
			}
		case recDrawing:
			c, ok := find(r.data, artContainer)
			if !ok {
				return nil
			}
			return each(c.data, func(r record) error {
				if r.kind == artGroup {
					items, err := s.group(r.data, 0)
					for _, it := range items {
						s.keep(it)
					}
					return err
				}
				return nil
			})
		}
		return nil
	})
}

func (s *slide) keep(it item) {
	if len(it.blocks) > 0 {
		s.items = append(s.items, it)
	}
}

// group reads the shapes of a group. The first one is the group itself, which
// has its place.
func (s *slide) group(b ole.Bytes, depth int) ([]item, error) {
	if depth > s.d.nesting {
		s.d.deep = true
		return nil, nil
	}
	var items []item
	err := each(b, func(r record) error {
		switch r.kind {
		case artShape:
			it, err := s.shape(r.data)
			if err != nil {
				return err
			}
			if len(it.blocks) > 0 {
				items = append(items, it)
			}
		case artGroup:
			if tableGroup(r.data) {
				if it, ok := s.table(r.data); ok {
					items = append(items, it)
					return nil
				}
			}
			members, err := s.group(r.data, depth+1)
			if err != nil {
				return err
			}
			whole := item{Box: groupPlace(r.data)}
			for _, m := range arrange.InOrder(members) {
				whole.title = whole.title || m.title
				whole.blocks = append(whole.blocks, m.blocks...)
			}
			if len(whole.blocks) > 0 {
				items = append(items, whole)
			}
		}
		return nil
	})
	return items, err
}

// groupPlace is where a group stands, which its first shape says.
func groupPlace(b ole.Bytes) arrange.Box {
	r, ok := find(b, artShape)
	if !ok {
		return arrange.Box{}
	}
	return shapePlace(r.data)
}

// shapePlace is where a shape stands, in 576ths of an inch or, within a group,
// in the group's units.
func shapePlace(b ole.Bytes) arrange.Box {
	var top, left, right, bottom int
	switch r, ok := find(b, artClientAnchor); {
	case ok && len(r.data) >= 16:
		top, left, right, bottom = s32(r.data, 0), s32(r.data, 4), s32(r.data, 8), s32(r.data, 12)
	case ok && len(r.data) >= 8:
		top, left, right, bottom = s16(r.data, 0), s16(r.data, 2), s16(r.data, 4), s16(r.data, 6)
	default:
		r, ok := find(b, artChildAnchor)
		if !ok || len(r.data) < 16 {
			return arrange.Box{}
		}
		left, top, right, bottom = s32(r.data, 0), s32(r.data, 4), s32(r.data, 8), s32(r.data, 12)
	}
	return arrange.Box{X: int64(left), Y: int64(top), W: int64(max(right-left, 0)), H: int64(max(bottom-top, 0)), Placed: true}
}

func s16(b ole.Bytes, at int) int { return int(int16(uint16(b.U16(at)))) }

func s32(b ole.Bytes, at int) int { return int(int32(uint32(b.U32(at)))) }

// placeholder is the kind of place of the layout that a shape fills, 0 for none.
func placeholder(b ole.Bytes) int {
	data, ok := find(b, artClientData)
	if !ok {
		return 0
	}
	if p, ok := find(data.data, recPlaceholder); ok {
		return p.data.U8(4)
	}
	return 0
}

// shape reads the text of a shape.
func (s *slide) shape(b ole.Bytes) (item, error) {
	box, ok := find(b, artTextbox)
	if !ok {
		return item{}, nil
	}
	it := item{Box: shapePlace(b)}
	place := placeholder(b)
	for _, t := range s.textsOf(box.data) {
		switch place {
		case placeNumber:
			continue
		case placeDate, placeFooter, placeHeader:
			kind := block.Footer
			if place == placeHeader {
				kind = block.Header
			}
			if err := s.d.asideOnce(block.Block{Kind: kind, Page: s.n, Text: t.plain()}); err != nil {
				return it, err
			}
			continue
		}
		it.title = it.title || t.isTitle()
		it.blocks = append(it.blocks, t.blocks()...)
	}
	return it, nil
}

// textsOf are the texts of a shape, those that stand in the list of slides
// among them.
func (s *slide) textsOf(b ole.Bytes) []text {
	reader := &textReader{}
	var listed []text
	_ = each(b, func(r record) error { // visits that can't fail
		if i := r.data.U32(0); r.kind == recOutlineRef && i < len(s.ref.texts) && !s.used[i] {
			s.used[i] = true
			listed = append(listed, s.ref.texts[i])
		}
		reader.take(r)
		return nil
	})
	return append(listed, reader.end()...)
}

// beside reads what belongs to a slide but isn't shown on it.
func (s *slide) beside(b ole.Bytes) error {
	if notes, ok := s.d.notes[s.ref.id]; ok {
		var lines []string
		s.noteTexts(notes, 0, &lines)
		if err := s.d.aside(block.Block{Kind: block.Note, Page: s.n, Text: strings.Join(lines, "\n")}); err != nil {
			return err
		}
	}
	return each(b, func(r record) error {
		switch r.kind {
		case recHeadersFooter:
			return s.d.margins(r.data, s.n)
		case recProgTags:
			return s.comments(r.data, 0)
		}
		return nil
	})
}

// noteTexts gathers the texts of a notes page but those that all pages have.
func (s *slide) noteTexts(b ole.Bytes, depth int, lines *[]string) {
	_ = each(b, func(r record) error { // visits that can't fail
		switch r.kind {
		case recDrawing, artContainer, artGroup:
			if depth < s.d.nesting {
				s.noteTexts(r.data, depth+1, lines)
			}
		case artShape:
			switch placeholder(r.data) {
			case placeDate, placeNumber, placeFooter, placeHeader:
				return nil
			}
			if box, ok := find(r.data, artTextbox); ok {
				reader := &textReader{}
				_ = each(box.data, func(r record) error { reader.take(r); return nil })
				for _, t := range reader.end() {
					if text := t.plain(); text != "" {
						*lines = append(*lines, text)
					}
				}
			}
		}
		return nil
	})
}

// margins reads header and footer, of a slide or of all (page 0), as far as
// they are shown.
func (d *document) margins(b ole.Bytes, page int) error {
	shown := 0
	return each(b, func(r record) error {
		if r.kind == recHeadersFooterAtom {
			shown = r.data.U16(2)
		}
		if r.kind != recCString {
			return nil
		}
		kind, flag := block.Footer, 0x20
		switch r.instance {
		case 0:
			flag = 0x04 // a date as it was typed
		case 1:
			kind, flag = block.Header, 0x10
		}
		if shown&flag == 0 {
			return nil
		}
		return d.asideOnce(block.Block{Kind: kind, Page: page, Text: cString(r)})
	})
}

// comments reads the comments on a slide.
func (s *slide) comments(b ole.Bytes, depth int) error {
	if depth > 4 {
		return nil
	}
	return each(b, func(r record) error {
		switch r.kind {
		case recProgBinary, recBinaryData:
			return s.comments(r.data, depth+1)
		case recComment:
			c := block.Block{Kind: block.Comment, Page: s.n}
			_ = each(r.data, func(r record) error { // visits that can't fail
				switch {
				case r.kind == recCString && r.instance == 0:
					c.Label = strings.Join(strings.Fields(cString(r)), " ")
				case r.kind == recCString && r.instance == 1:
					c.Text = cString(r)
				}
				return nil
			})
			return s.d.aside(c)
		}
		return nil
	})
}
