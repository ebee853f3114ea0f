package xls

import (
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// texts reads texts that go on over CONTINUE records. In Excel 97 and later
// their characters have one or two bytes, which a byte before them says; it is
// said again where they go on in another record.
type texts struct {
	w    *workbook
	data ole.Bytes
	more []ole.Bytes
	at   int
}

func (w *workbook) texts(data ole.Bytes, more ...ole.Bytes) *texts {
	return &texts{w: w, data: data, more: more}
}

// ended reports whether all is read.
func (t *texts) ended() bool {
	for t.at >= len(t.data) {
		if !t.turn() {
			return true
		}
	}
	return false
}

// turn goes on to the next record, with what was passed over of it already.
func (t *texts) turn() bool {
	if len(t.more) == 0 {
		return false
	}
	t.at -= len(t.data)
	t.data, t.more = t.more[0], t.more[1:]
	return true
}

func (t *texts) skip(n int) { t.at += n }

func (t *texts) u8() int {
	if t.ended() {
		return 0
	}
	t.at++
	return t.data.U8(t.at - 1)
}

func (t *texts) u16() int { low := t.u8(); return low | t.u8()<<8 }

func (t *texts) u32() int { low := t.u16(); return low | t.u16()<<16 }

// short is a text whose length stands before it in one byte.
func (t *texts) short() string {
	n := t.u8()
	if t.w.narrow {
		return t.bytes(n)
	}
	return t.chars(n, t.u8()&1 != 0)
}

// long is a text whose length stands before it in two bytes; in between it may
// say that parts of it look different, or are read aloud in another way, which
// comes after it.
func (t *texts) long() string {
	n := t.u16()
	if t.w.narrow {
		return t.bytes(n)
	}
	flags := t.u8()
	after := 0
	if flags&8 != 0 {
		after += 4 * t.u16()
	}
	if flags&4 != 0 {
		after += t.u32()
	}
	s := t.chars(n, flags&1 != 0)
	t.skip(after)
	return s
}

// bytes are n of them as text.
func (t *texts) bytes(n int) string {
	raw := make([]byte, 0, min(n, len(t.data)))
	for len(raw) < n && !t.ended() {
		b := t.data.Part(t.at, n-len(raw))
		raw = append(raw, b...)
		t.at += len(b)
	}
	return ole.Decode(raw, t.w.codepage)
}

// chars are n characters, of UTF-16 when wide, else of Latin-1.
func (t *texts) chars(n int, wide bool) string {
	u := make([]uint16, 0, min(n, len(t.data)+len(t.more)*8224))
	for len(u) < n {
		if t.at >= len(t.data) {
			if t.at > len(t.data) || !t.turn() {
				break
			}
			wide = t.data.U8(0)&1 != 0
			t.at = 1
			continue
		}
		if wide {
			if t.at+1 < len(t.data) {
				u = append(u, uint16(t.data.U16(t.at)))
			}
			t.at = min(t.at+2, len(t.data))
			continue
		}
		u = append(u, uint16(t.data.U8(t.at)))
		t.at++
	}
	return string(utf16.Decode(u))
}
