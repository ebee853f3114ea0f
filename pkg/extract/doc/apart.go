package doc

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// lengths are those of the texts in the order in which they stand, in
// characters (FibRgLw97).
func (d *document) lengths() (body, footnotes, headers, macros, comments, endnotes, boxes, headerBoxes int) {
	from := 0x4c
	if d.old {
		from = 0x34
	}
	n := func(i int) int {
		v := d.main.U32(from + 4*i)
		if v > 1<<30 {
			return 0
		}
		return v
	}
	return n(0), n(1), n(2), n(3), n(4), n(5), n(6), n(7)
}

// body reports the body.
func (d *document) body() error {
	d.notes = map[int]string{}
	for i, cp := range refs(d.structure(atFootnoteRefs)) {
		d.notes[cp] = strconv.Itoa(i + 1)
	}
	for i, cp := range refs(d.structure(atEndnoteRefs)) {
		d.notes[cp] = strings.ToLower(block.Roman(i + 1))
	}
	end, _, _, _, _, _, _, _ := d.lengths()
	f := &flow{d: d, put: func(b block.Block) error {
		d.blocks++
		return d.sink.Block(b)
	}}
	return f.read(0, end)
}

// refs are the places in the body that refer to notes.
func refs(list ole.Bytes) []int {
	p := positions(list, 2)
	return p[:max(len(p)-1, 0)]
}

// apart reports the texts beside the body.
func (d *document) apart() error {
	d.notes = nil
	at, footnotes, headers, macros, comments, endnotes, boxes, headerBoxes := d.lengths()
	type text struct {
		length int
		parts  []int
		label  func(i int) string
		kind   func(i int) block.Kind
	}
	always := func(k block.Kind) func(int) block.Kind { return func(int) block.Kind { return k } }
	none := func(int) string { return "" }
	for _, t := range []text{
		{footnotes, positions(d.structure(atFootnotes), 0), func(i int) string { return strconv.Itoa(i + 1) }, always(block.Footnote)},
		{headers, positions(d.structure(atHeaders), 0), none, marginKind},
		{macros, nil, none, nil},
		{comments, positions(d.structure(atComments), 0), none, always(block.Comment)},
		{endnotes, positions(d.structure(atEndnotes), 0), func(i int) string { return strings.ToLower(block.Roman(i + 1)) }, always(block.Endnote)},
		{boxes, nil, none, always(block.TextBox)},
		{headerBoxes, nil, none, always(block.TextBox)},
	} {
		if t.kind != nil && t.length > 0 {
			if err := d.stories(at, t.length, t.parts, t.label, t.kind); err != nil {
				return err
			}
		}
		at += t.length
	}
	return nil
}

// marginKind tells headers and footers apart. The first six stand between the
// body and notes; then each section has six.
func marginKind(i int) block.Kind {
	switch {
	case i < 6:
		return ""
	case i%6 == 2, i%6 == 3, i%6 == 5:
		return block.Footer
	}
	return block.Header
}

// stories reports the parts of a text beside the body, all of it when its parts
// aren't known.
func (d *document) stories(at, length int, parts []int, label func(int) string, kind func(int) block.Kind) error {
	known := len(parts) >= 2
	if !known {
		parts = []int{0, length}
	}
	seen := map[string]bool{}
	for i := range len(parts) - 1 {
		from, to := parts[i], min(parts[i+1], length)
		k := kind(i)
		if !known && k == "" {
			k = block.Header
		}
		if k == "" || from >= to {
			continue
		}
		text, err := d.story(at+from, at+to)
		if err != nil {
			return err
		}
		key := string(k) + text
		if text == "" || (k == block.Header || k == block.Footer) && seen[key] {
			continue
		}
		seen[key] = true
		d.asides++
		if err := d.sink.Aside(block.Block{Kind: k, Label: label(i), Text: text}); err != nil {
			return err
		}
	}
	return nil
}

// story reads a text beside the body into one.
func (d *document) story(cp, end int) (string, error) {
	var b strings.Builder
	f := &flow{d: d, put: func(x block.Block) error {
		if !x.Continues && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(x.Text)
		for i, r := range x.Rows {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(strings.Join(r, "\t"))
		}
		return nil
	}}
	err := f.read(cp, end)
	return strings.TrimSpace(b.String()), err
}
