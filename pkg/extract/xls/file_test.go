package xls

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/ole/oletest"
)

// rec is one record, which goes on in CONTINUE records where it must.
func rec(id int, parts ...[]byte) []byte {
	var b []byte
	for i, p := range parts {
		if i > 0 {
			id = recContinue
		}
		b = append(append(b, u16s(id, len(p))...), p...)
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

func u32(v int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(v)) }

func f64(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) }

// long is a text of Excel 97 as most records have it, in UTF-16 where it must be.
func long(s string) []byte { return slices.Concat(u16s(len(utf16.Encode([]rune(s)))), chars(s)) }

func short(s string) []byte { return slices.Concat([]byte{byte(len([]rune(s)))}, chars(s)) }

// chars are the characters of a text with the byte before them.
func chars(s string) []byte {
	u := utf16.Encode([]rune(s))
	wide := slices.ContainsFunc(u, func(c uint16) bool { return c > 0xff })
	b := []byte{0}
	if wide {
		b[0] = 1
	}
	for _, c := range u {
		b = append(b, byte(c))
		if wide {
			b = append(b, byte(c>>8))
		}
	}
	return b
}

// tab is a sheet made of the records of its cells.
type tab struct {
	name        string
	state, kind byte
	data        []byte
}

// book is a workbook.
type book struct {
	globals []byte // records beside those that every workbook has
	sheets  []tab
	old     bool // of Excel 5
	version int
}

func (b book) stream() []byte {
	version, name := version8, short
	if b.old {
		version, name = version5, func(s string) []byte { return append([]byte{byte(len(s))}, s...) }
	}
	if b.version != 0 {
		version = b.version
	}
	head := slices.Concat(rec(recBOF, u16s(version, 5, 0, 0)), b.globals)
	at := len(head) + len(rec(recEOF, nil))
	for _, s := range b.sheets {
		at += 4 + 6 + len(name(s.name))
	}
	var body []byte
	for _, s := range b.sheets {
		kind := 0x10
		if s.kind == 2 {
			kind = bofChart
		}
		head = append(head, rec(recBoundSheet, slices.Concat(u32(at+len(body)), []byte{s.state, s.kind}, name(s.name)))...)
		body = slices.Concat(body, rec(recBOF, u16s(version, kind, 0, 0)), s.data, rec(recEOF, nil))
	}
	return slices.Concat(head, rec(recEOF, nil), body)
}

func (b book) pack(t testing.TB) []byte {
	t.Helper()
	name := "Workbook"
	if b.old {
		name = "Book"
	}
	return oletest.Container(t, map[string][]byte{name: b.stream()})
}

// at is the place of a cell and its style.
func at(row, column, style int) []byte { return u16s(row, column, style) }

func num(row, column int, v float64) []byte {
	return rec(recNumber, slices.Concat(at(row, column, 0), f64(v)))
}

func label(row, column int, s string) []byte {
	return rec(recLabel, slices.Concat(at(row, column, 0), long(s)))
}

func shared(row, column, i int) []byte {
	return rec(recLabelSST, slices.Concat(at(row, column, 0), u32(i)))
}

// formula is one with a result in eight bytes.
func formula(row, column int, result []byte) []byte {
	return rec(recFormula, slices.Concat(at(row, column, 0), result, make([]byte, 8)))
}

func special(kind, value byte) []byte { return []byte{kind, 0, value, 0, 0, 0, 0xff, 0xff} }

func bof(kind int) []byte { return rec(recBOF, u16s(version8, kind, 0, 0)) }
