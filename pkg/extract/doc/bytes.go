package doc

import "github.com/docsvc/docsvc/pkg/extract/ole"

// structure is what the pair of that number in the file information block points
// to in the table stream (FibRgFcLcb97).
func (d *document) structure(n int) ole.Bytes {
	if d.old {
		return nil
	}
	return d.table.Part(d.main.U32(0x9a+8*n), d.main.U32(0x9e+8*n))
}

// Numbers of pairs.
const (
	atStyles       = 1
	atFootnoteRefs = 2
	atFootnotes    = 3
	atComments     = 5
	atHeaders      = 11
	atCharacters   = 12
	atParagraphs   = 13
	atPieces       = 33
	atEndnoteRefs  = 46
	atEndnotes     = 47
	atLists        = 73
	atListUses     = 74
)

// positions are the n+1 positions that a list of n entries of size bytes begins
// with; without entries all of it is positions.
func positions(b ole.Bytes, size int) []int {
	n := len(b) / 4
	if size > 0 {
		n = (len(b)-4)/(4+size) + 1
	}
	if len(b) < 4 {
		return nil
	}
	p := make([]int, n)
	for i := range p {
		p[i] = b.U32(4 * i)
	}
	return p
}
