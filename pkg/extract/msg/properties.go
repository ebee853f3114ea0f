package msg

import (
	"fmt"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/mail"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Properties that are read ([MS-OXPROPS]).
const (
	propClass         = 0x001a
	propSubject       = 0x0037
	propSubmitted     = 0x0039
	propBehalfName    = 0x0042
	propBehalfAddress = 0x0065
	propRecipientKind = 0x0c15
	propSenderName    = 0x0c1a
	propSenderAddress = 0x0c1f
	propDisplayCc     = 0x0e03
	propDisplayTo     = 0x0e04
	propDelivered     = 0x0e06
	propBody          = 0x1000
	propRTF           = 0x1009
	propHTML          = 0x1013
	propName          = 0x3001
	propAddress       = 0x3003
	propData          = 0x3701
	propFileName      = 0x3704
	propMethod        = 0x3705
	propLongName      = 0x3707
	propMIME          = 0x370e
	propContentID     = 0x3712
	propSMTP          = 0x39fe
	propPageCode      = 0x3fde // codepage of the body in HTML
	propCodepage      = 0x3ffd
	propSenderSMTP    = 0x5d01
	propHidden        = 0x7ffe // an attachment isn't listed
)

// Types of properties.
const (
	typeNumber  = 0x0003
	typeBool    = 0x000b
	typeObject  = 0x000d
	typeNarrow  = 0x001e
	typeUnicode = 0x001f
	typeTime    = 0x0040
	typeBinary  = 0x0102
)

// maxTable bounds the table of properties that are short, in bytes.
const maxTable = 1 << 20

// streamName is the stream that a property is in.
func streamName(id, kind int) string { return fmt.Sprintf("__substg1.0_%04X%04X", id, kind) }

// properties are those of one message, recipient or attachment.
type properties struct {
	box      *ole.Container
	path     string            // of its storage, with a slash at its end; "" for the container's own
	short    map[int]ole.Bytes // those in the table, eight bytes each, by number and type
	codepage int               // of texts with one byte a character
}

// open reads the table of properties of a storage, which begins after so many
// bytes.
func (m *message) open(path string, header int) properties {
	p := properties{box: m.box, path: path, short: map[int]ole.Bytes{}}
	table := m.box.Stream(path+"__properties_version1.0", maxTable)
	for at := header; at+16 <= len(table); at += 16 {
		tag := table.U32(at)
		if _, twice := p.short[tag]; !twice {
			p.short[tag] = table.Part(at+8, 8)
		}
	}
	p.codepage = p.number(propCodepage)
	return p
}

// number is a property of that type, 0 when it isn't there.
func (p properties) number(id int) int { return p.short[id<<16|typeNumber].U32(0) }

// shown reports whether an attachment is a picture that the body shows.
func (p properties) shown() bool {
	return p.short[propHidden<<16|typeBool].U8(0) != 0 && p.line(propContentID) != ""
}

func (p properties) time(id int) *time.Time {
	v, ok := p.short[id<<16|typeTime]
	if !ok {
		return nil
	}
	return ole.Time(v, 0)
}

// text is a property that is text; cut tells that there is more of it.
func (p properties) text(id int) (text string, cut bool) {
	if name := p.path + streamName(id, typeUnicode); p.box.Has(name) {
		return p.box.Stream(name, mail.MaxText).UTF16(), p.box.Size(name) > mail.MaxText
	}
	name := p.path + streamName(id, typeNarrow)
	return ole.Decode(p.box.Stream(name, mail.MaxText), p.codepage), p.box.Size(name) > mail.MaxText
}

// line is a text on one line, of a kind that is short.
func (p properties) line(id int) string {
	const longest = 64 << 10
	var s string
	if name := p.path + streamName(id, typeUnicode); p.box.Has(name) {
		s = p.box.Stream(name, longest).UTF16()
	} else {
		s = ole.Decode(p.box.Stream(p.path+streamName(id, typeNarrow), longest), p.codepage)
	}
	return strings.Join(strings.Fields(block.Clean(s)), " ")
}

// page is the body in HTML.
func (p properties) page() (raw []byte, cut bool) {
	if name := p.path + streamName(propHTML, typeBinary); p.box.Has(name) {
		raw, cut = p.box.Stream(name, mail.MaxText), p.box.Size(name) > mail.MaxText
		if codepage := p.number(propPageCode); codepage != 0 && codepage != 20127 {
			raw = []byte(ole.Decode(raw, codepage))
		}
		return raw, cut
	}
	text, cut := p.text(propHTML)
	return []byte(text), cut
}

// rtfWords is what the packed form of RTF takes as written before ([MS-OXRTFCP]
// 2.1.2.1).
const rtfWords = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor " +
	"MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"

// unpackRTF undoes the packing of a body in RTF, at most mail.MaxText bytes of
// it; cut tells that there is more.
func unpackRTF(b ole.Bytes) (raw []byte, cut bool) {
	const packed, plain = 0x75465a4c, 0x414c454d // "LZFu", "MELA"
	switch body := b.Part(16, len(b)); b.U32(8) {
	case plain:
		return body, false
	case packed:
		return expand(body)
	}
	return nil, false
}

// expand writes single bytes, and pieces of what it wrote last, as a bit for
// each says.
func expand(b ole.Bytes) (raw []byte, cut bool) {
	var window [4096]byte
	at := copy(window[:], rtfWords)
	put := func(c byte) {
		raw = append(raw, c)
		window[at] = c
		at = (at + 1) % len(window)
	}
	for i := 0; i < len(b); {
		control := b[i]
		i++
		for bit := 0; bit < 8 && i < len(b); bit++ {
			if len(raw) >= mail.MaxText {
				return raw, true
			}
			if control>>bit&1 == 0 {
				put(b[i])
				i++
				continue
			}
			from, n := b.U8(i)<<4|b.U8(i+1)>>4, b.U8(i+1)&0xf+2
			i += 2
			if from == at {
				return raw, false // its end
			}
			for k := range n {
				put(window[(from+k)%len(window)])
			}
		}
	}
	return raw, false
}
