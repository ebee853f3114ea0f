package doc

import (
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/numbering"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

const (
	// maxLists bounds the definitions, and lists, that are kept; Word allows 2046.
	maxLists = 4096
	// unsaid is a list or level that a paragraph or style says nothing of.
	unsaid = -1
)

// readLists reads the definitions of lists (PlfLst), and which lists there are
// of them (PlfLfo), by whose number paragraphs name theirs.
func (d *document) readLists() {
	if d.old {
		return
	}
	r := &listReader{b: d.table}
	definitions := map[int]*numbering.Definition{}
	head := d.structure(atLists)
	// The levels follow what the structure says to be its end.
	r.at = d.main.U32(0x9a+8*atLists) + len(head)
	for i := range min(head.U16(0), maxLists, len(head)/28) {
		def := numbering.NewDefinition()
		entry := head.Part(2+28*i, 28)
		definitions[entry.U32(0)] = def
		count := numbering.MaxLevels
		if entry.U8(26)&1 != 0 {
			count = 1
		}
		for level := range count {
			def.Levels[level] = r.level()
			if style := entry.U16(8 + 2*level); style != 0xfff {
				def.Levels[level].Style = strconv.Itoa(style)
			}
		}
	}
	uses := d.structure(atListUses)
	n := min(uses.U32(0), maxLists, len(uses)/16)
	r = &listReader{b: uses, at: 4 + 16*n}
	for i := range n {
		entry := uses.Part(4+16*i, 16)
		list := &numbering.List{Definition: definitions[entry.U32(0)]}
		d.lists = append(d.lists, list)
		r.at += 4
		for range min(entry.U8(12), numbering.MaxLevels) {
			r.override(list)
		}
	}
}

// listReader reads what has no fixed size.
type listReader struct {
	b  ole.Bytes
	at int
}

// override reads what a list has of its own (LFOLVL).
func (r *listReader) override(list *numbering.List) {
	start, flags := r.b.U32(r.at), r.b.U32(r.at+4)
	r.at += 8
	i := min(flags&0xf, numbering.MaxLevels-1)
	if flags&0x20 != 0 {
		level := r.level()
		start = level.Start
		list.Levels[i] = &level
	}
	if flags&0x10 != 0 {
		list.Starts[i] = &start
	}
}

// level reads how one level is numbered (LVL).
func (r *listReader) level() numbering.Level {
	b := r.b.Part(r.at, 28)
	l := numbering.Level{Start: b.U32(0), Format: numberFormat(b.U8(4)), Restart: -1}
	flags := b.U8(5)
	l.Legal = flags&4 != 0
	if flags&8 != 0 {
		l.Restart = b.U8(26)
	}
	r.at += 28 + b.U8(24) + b.U8(25)
	n := r.b.U16(r.at)
	text := r.b.Part(r.at+2, 2*n)
	r.at += 2 + 2*n
	var units []uint16
	for i := 0; i+1 < len(text); i += 2 {
		c := uint16(text.U16(i))
		if c < numbering.MaxLevels {
			units = append(units, '%', '1'+c)
			continue
		}
		units = append(units, c)
	}
	if l.Format != "bullet" {
		l.Text = strings.ToValidUTF8(string(utf16.Decode(units)), "")
	}
	return l
}

// numberFormat is the name of a number format (MSONFC).
func numberFormat(n int) string {
	switch n {
	case 1:
		return "upperRoman"
	case 2:
		return "lowerRoman"
	case 3:
		return "upperLetter"
	case 4:
		return "lowerLetter"
	case 5:
		return "ordinal"
	case 22:
		return "decimalZero"
	case 23:
		return "bullet"
	case 58:
		return "russianLower"
	case 59:
		return "russianUpper"
	case 255:
		return "none"
	}
	return "decimal"
}

// item counts a paragraph that has text. listed is false for one of no list,
// and for one that shows neither number nor bullet.
func (d *document) item(p paragraph) (label string, level int, listed bool) {
	list, level := p.list, p.level
	n := p.style
	for range 10 {
		if n < 0 || n >= len(d.styles) || list != unsaid && level != unsaid {
			break
		}
		s := d.styles[n]
		if list == unsaid {
			list = s.props.list
		}
		if level == unsaid {
			level = s.props.level
		}
		n = s.base
	}
	if list <= 0 {
		return "", 0, false
	}
	if list > len(d.lists) || d.lists[list-1].Definition == nil { // not told how it is numbered
		return "", max(level, 0), true
	}
	l := d.lists[list-1]
	if level == unsaid {
		level = 0
		for i, def := range l.Definition.Levels {
			if def.Style == strconv.Itoa(p.style) {
				level = i
			}
		}
	}
	label, listed = l.Next(level)
	return label, level, listed
}
