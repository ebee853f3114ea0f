package doc

import (
	"sort"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// pieceSize is how much of a paragraph or table is held before it is handed over, in bytes.
	pieceSize = 1 << 20
	// maxCells bounds the cells of a row; Word allows 63.
	maxCells = 1024
)

// Characters that mean something else ([MS-DOC] 2.4.1).
const (
	cellMark   = 0x07
	lineBreak  = 0x0b
	pageBreak  = 0x0c
	paraMark   = 0x0d
	colBreak   = 0x0e
	fieldBegin = 0x13
	fieldSep   = 0x14
	fieldEnd   = 0x15
	hardHyphen = 0x1e
)

// characters calls visit for the characters from cp up to end, each with its
// place in the stream.
func (d *document) characters(cp, end int, visit func(r rune, cp, at int) error) error {
	i := sort.Search(len(d.pieces), func(i int) bool { return d.pieces[i].end > cp })
	var high rune
	for ; i < len(d.pieces) && d.pieces[i].cp < end; i++ {
		p := d.pieces[i]
		for c := max(cp, p.cp); c < min(end, p.end); c++ {
			at, width := p.at+c-p.cp, 1
			if p.wide {
				at, width = p.at+2*(c-p.cp), 2
			}
			if at+width > len(d.main) {
				d.cut = true
				break
			}
			if d.left--; d.left < 0 {
				return block.Errorf(block.CodeBomb, "This document was refused: it has more text than the file is long. If it is a real document, save it as DOCX.")
			}
			r := rune(d.main.U16(at))
			if !p.wide {
				r = d.narrow.DecodeByte(d.main[at])
			}
			switch {
			case r >= 0xd800 && r < 0xdc00:
				high = r
				continue
			case r >= 0xdc00 && r < 0xe000:
				r = utf16.DecodeRune(high, r)
			}
			if err := visit(r, c, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// flow makes blocks of the characters of one text.
type flow struct {
	d     *document
	put   func(block.Block) error
	count int

	text      strings.Builder // of the open paragraph
	continues bool            // some of it is handed over
	fields    []bool          // open fields: whether their result has begun
	hiding    int             // how many of them have not

	cell      []string
	row       []string
	rows      [][]string
	size      int // of the table that is held, in bytes
	tableGoes bool
}

// read reports the characters from cp up to end.
func (f *flow) read(cp, end int) error {
	if err := f.d.characters(cp, end, f.character); err != nil {
		return err
	}
	if err := f.endParagraph(newParagraph()); err != nil {
		return err
	}
	return f.endTable()
}

func (f *flow) character(r rune, cp, at int) error {
	switch r {
	case paraMark, cellMark, pageBreak, colBreak:
		return f.mark(r, at)
	case fieldBegin:
		f.fields = append(f.fields, false)
		f.hiding++
		return nil
	case fieldSep:
		if n := len(f.fields); n > 0 && !f.fields[n-1] {
			f.fields[n-1] = true
			f.hiding--
		}
		return nil
	case fieldEnd:
		if n := len(f.fields); n > 0 {
			if !f.fields[n-1] {
				f.hiding--
			}
			f.fields = f.fields[:n-1]
		}
		return nil
	}
	if f.hiding > 0 || !f.d.shown(at) {
		return nil
	}
	if note := f.d.notes[cp]; note != "" {
		f.text.WriteString("[^" + note + "]")
	}
	switch {
	case r == lineBreak:
		r = '\n'
	case r == hardHyphen:
		r = '-'
	case r >= 0xf000 && r <= 0xf0ff, r < ' ' && r != '\t': // of a symbol font; an anchor
		return nil
	}
	f.text.WriteRune(r)
	if f.text.Len() < pieceSize {
		return nil
	}
	return f.handOver()
}

// handOver gives away a part of a paragraph that has grown long.
func (f *flow) handOver() error {
	if err := f.endTable(); err != nil {
		return err
	}
	text := block.Clean(f.text.String())
	f.text.Reset()
	if text == "" {
		return nil
	}
	b := block.Block{Kind: block.Paragraph, Text: text, Continues: f.continues}
	f.continues = true
	return f.put(b)
}

// mark ends what a mark ends: a paragraph, a cell, a row.
func (f *flow) mark(r rune, at int) error {
	p := f.d.paragraphAt(at)
	if f.count++; f.count%checkEvery == 0 {
		if err := f.d.ctx.Err(); err != nil {
			return err
		}
		if err := f.d.progress.At(int64(at)); err != nil {
			return err
		}
	}
	if r != cellMark && !p.inTable {
		f.fields, f.hiding = f.fields[:0], 0 // a field that never ends would take the rest of the document
		return f.endParagraph(p)
	}
	empty := f.text.Len() == 0 && len(f.cell) == 0
	if err := f.endLine(p); err != nil || r != cellMark {
		return err
	}
	if p.rowEnd || p.huge && empty && len(f.row) > 0 {
		return f.endRow()
	}
	if len(f.row) < maxCells {
		f.row = append(f.row, strings.Join(f.cell, "\n"))
		f.cell = f.cell[:0]
	}
	return nil
}

// take is the text of the paragraph that ends, tidied.
func (f *flow) take() string {
	text := block.Clean(f.text.String())
	f.text.Reset()
	if !utf8.ValidString(text) || !strings.Contains(text, "\n") {
		return strings.TrimSpace(text)
	}
	var kept []string
	for _, l := range strings.Split(text, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}

func (f *flow) endParagraph(p paragraph) error {
	if f.continues {
		err := f.handOver()
		f.continues = false
		return err
	}
	text := f.take()
	if err := f.endTable(); err != nil || text == "" {
		return err
	}
	b := block.Block{Kind: block.Paragraph, Text: text}
	level := f.d.heading(p.style)
	if p.outline < noOutline {
		level = min(p.outline+1, 6)
	}
	label, depth, listed := f.d.item(p)
	switch {
	case level > 0:
		b.Kind, b.Level, b.Label = block.Heading, level, label
	case listed:
		b.Kind, b.Level, b.Label = block.ListItem, depth, label
	}
	return f.put(b)
}

// endLine ends a paragraph within a cell.
func (f *flow) endLine(p paragraph) error {
	if f.continues {
		err := f.handOver()
		f.continues = false
		return err
	}
	if text := f.take(); text != "" {
		if label, _, _ := f.d.item(p); label != "" {
			text = label + " " + text
		}
		f.cell = append(f.cell, text)
		f.size += len(text)
	}
	if f.size += 16; f.size < 2*pieceSize { // else a row that doesn't end
		return nil
	}
	return f.endTable()
}

func (f *flow) endRow() error {
	if len(f.cell) > 0 {
		f.row = append(f.row, strings.Join(f.cell, "\n"))
		f.cell = f.cell[:0]
	}
	if len(f.row) == 0 {
		return nil
	}
	f.rows = append(f.rows, f.row)
	f.row = nil
	if f.size < pieceSize {
		return nil
	}
	return f.emit(true)
}

func (f *flow) endTable() error {
	if err := f.endRow(); err != nil {
		return err
	}
	return f.emit(false)
}

// emit hands over the rows that are held; more tells that others follow.
func (f *flow) emit(more bool) error {
	rows, continues := f.rows, f.tableGoes
	f.rows, f.size, f.tableGoes = nil, 0, more
	cells, filled := 0, false
	for _, r := range rows {
		cells = max(cells, len(r))
		filled = filled || strings.Join(r, "") != ""
	}
	switch {
	case !filled:
		return nil
	case cells > 1 || continues || more:
		return f.put(block.Block{Kind: block.Table, Rows: rows, Continues: continues})
	}
	for _, r := range rows { // a frame around paragraphs
		for _, text := range strings.Split(r[0], "\n") {
			if text == "" {
				continue
			}
			if err := f.put(block.Block{Kind: block.Paragraph, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
}
