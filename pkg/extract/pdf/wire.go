package pdf

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Pages on their way from one process to another: every number exactly as it
// was, so that it makes no difference to a document who read its pages.

// errWire says that what another process sent is no page.
var errWire = errors.New("pages from another process can't be read")

// Bits of a line and of a result.
const (
	wireHyphen = 1 << iota
	wireRaised
)

const (
	wirePage = 1 << iota
	wireSkipped
	wireTrapped
	wireDrawn
	wireExhausted
	wirePicture
)

// appendResult writes one result without its fatal error, which is not sent.
func appendResult(b []byte, r result) ([]byte, error) {
	flags := uint64(0)
	for bit, set := range map[uint64]bool{wirePage: r.page != nil, wireSkipped: r.skipped, wireTrapped: r.trapped, wireExhausted: r.exhausted,
		wireDrawn: r.page != nil && r.page.drawn, wirePicture: r.page != nil && r.page.picture} {
		if set {
			flags |= bit
		}
	}
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, uint64(r.n))
	b = appendText(b, r.failure)
	if r.page == nil {
		return b, nil
	}
	p := r.page
	b = appendNumbers(b, p.top, p.bottom)
	b = binary.AppendUvarint(b, uint64(p.visible))
	b = binary.AppendUvarint(b, uint64(p.unmapped))
	b = binary.AppendUvarint(b, uint64(len(p.lines)))
	for i := range p.lines {
		b = appendLine(b, &p.lines[i])
	}
	asides := []byte("null")
	if len(p.asides) > 0 {
		var err error
		if asides, err = json.Marshal(p.asides); err != nil {
			return b, fmt.Errorf("encoding page %d: %w", r.n, err)
		}
	}
	return appendText(b, string(asides)), nil
}

func appendLine(b []byte, l *line) []byte {
	flags := uint64(0)
	if l.hyphen {
		flags |= wireHyphen
	}
	if l.raised {
		flags |= wireRaised
	}
	b = appendText(b, l.text)
	b = appendNumbers(b, l.x0, l.x1, l.y, l.size)
	b = binary.AppendVarint(b, int64(l.weight))
	b = binary.AppendUvarint(b, flags)
	b = binary.AppendUvarint(b, uint64(l.turned))
	return binary.AppendUvarint(b, uint64(l.cells))
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendNumbers(b []byte, all ...float64) []byte {
	for _, x := range all {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

// readResults reads what appendResult wrote, any number of times.
func readResults(b []byte) ([]result, error) {
	w := &wire{rest: b}
	var all []result
	for len(w.rest) > 0 {
		r := w.result()
		if w.err != nil {
			return nil, w.err
		}
		all = append(all, r)
	}
	return all, nil
}

// wire reads; after the first mistake it gives zeros.
type wire struct {
	rest []byte
	err  error
}

func (w *wire) result() result {
	flags := w.number()
	r := result{n: w.number(), failure: w.text(), skipped: flags&wireSkipped != 0, trapped: flags&wireTrapped != 0, exhausted: flags&wireExhausted != 0}
	if flags&wirePage == 0 {
		return r
	}
	p := &page{n: r.n, drawn: flags&wireDrawn != 0, picture: flags&wirePicture != 0, top: w.float(), bottom: w.float(), visible: w.number(), unmapped: w.number()}
	lines := w.number()
	if lines > len(w.rest) { // each takes more than a byte
		w.fail()
		return r
	}
	p.lines = make([]line, 0, lines)
	for range lines {
		if w.err != nil {
			return r
		}
		p.lines = append(p.lines, w.line())
	}
	var asides []block.Block
	if text := w.text(); w.err == nil && json.Unmarshal([]byte(text), &asides) != nil {
		w.fail()
	}
	p.asides, r.page = asides, p
	return r
}

func (w *wire) line() line {
	l := line{text: w.text(), x0: w.float(), x1: w.float(), y: w.float(), size: w.float()}
	weight, n := binary.Varint(w.rest)
	if n <= 0 || weight < math.MinInt32 || weight > math.MaxInt32 {
		w.fail()
		return l
	}
	w.rest, l.weight = w.rest[n:], int(weight)
	flags := w.number()
	l.hyphen, l.raised = flags&wireHyphen != 0, flags&wireRaised != 0
	l.turned, l.cells = w.number(), w.number()
	return l
}

func (w *wire) fail() { w.rest, w.err = nil, errWire }

func (w *wire) number() int {
	v, n := binary.Uvarint(w.rest)
	if n <= 0 || v > math.MaxInt32 {
		w.fail()
		return 0
	}
	w.rest = w.rest[n:]
	return int(v)
}

func (w *wire) text() string {
	n := w.number()
	if n > len(w.rest) {
		w.fail()
		return ""
	}
	s := string(w.rest[:n])
	w.rest = w.rest[n:]
	return s
}

func (w *wire) float() float64 {
	if len(w.rest) < 8 {
		w.fail()
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(w.rest))
	w.rest = w.rest[8:]
	return v
}
