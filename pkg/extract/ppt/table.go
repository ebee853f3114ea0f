package ppt

import (
	"cmp"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/arrange"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

const (
	// artProperties are further properties of a shape, isTable the one that makes a group a table:
	// its shapes are the cells.
	artProperties = 0xf122
	isTable       = 0x039f
	// maxCells bounds a table; a larger group of shapes is read as shapes.
	maxCells = 10_000
)

// cell is one of a table.
type cell struct {
	arrange.Box
	text string
}

// tableGroup reports whether a group is a table.
func tableGroup(b ole.Bytes) bool {
	first, ok := find(b, artShape)
	if !ok {
		return false
	}
	p, ok := find(first.data, artProperties)
	if !ok {
		return false
	}
	for i := range min(p.instance, len(p.data)/6) {
		if p.data.U16(6*i)&0x3fff == isTable {
			return p.data.U32(6*i+2)&1 != 0
		}
	}
	return false
}

// table reads a group whose shapes are cells; ok is false when it is none after
// all.
func (s *slide) table(b ole.Bytes) (it item, ok bool) {
	var cells []cell
	_ = each(b, func(r record) error { // visits that can't fail
		box, there := find(r.data, artTextbox)
		if r.kind != artShape || !there {
			return nil
		}
		var lines []string
		for _, t := range s.textsOf(box.data) {
			if text := t.plain(); text != "" {
				lines = append(lines, text)
			}
		}
		cells = append(cells, cell{Box: shapePlace(r.data), text: strings.Join(lines, "\n")})
		return nil
	})
	if len(cells) == 0 || len(cells) > maxCells {
		return item{}, false
	}
	tops, lefts := edges(cells, func(c cell) int64 { return c.Y }), edges(cells, func(c cell) int64 { return c.X })
	if len(tops)*len(lefts) > 4*maxCells {
		return item{}, false
	}
	rows := make([][]string, len(tops))
	for i := range rows {
		rows[i] = make([]string, len(lefts))
	}
	filled := false
	for _, c := range cells {
		y, _ := slices.BinarySearch(tops, c.Y)
		x, _ := slices.BinarySearch(lefts, c.X)
		rows[y][x] = strings.TrimLeft(rows[y][x]+"\n"+c.text, "\n")
		filled = filled || c.text != ""
	}
	if filled {
		it.blocks = []block.Block{{Kind: block.Table, Rows: rows}}
	}
	it.Box = groupPlace(b)
	return it, true
}

// edges are where cells begin, each place once, sorted.
func edges(cells []cell, of func(cell) int64) []int64 {
	var all []int64
	for _, c := range cells {
		all = append(all, of(c))
	}
	slices.SortFunc(all, cmp.Compare[int64])
	return slices.Compact(all)
}
