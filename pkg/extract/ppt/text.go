package ppt

import (
	"strings"
	"unicode/utf16"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Kinds of texts (TextTypeEnum).
const (
	kindTitle       = 0
	kindBody        = 1
	kindNotes       = 2
	kindCenterTitle = 6
	kindHalfBody    = 7
	kindQuarterBody = 8
)

// text is one of a slide, a line for each paragraph.
type text struct {
	kind  int
	chars []uint16
	marks []int // places of characters that stand for a date, the slide's number and the like
	runs  []run // of paragraphs
}

// run says how some paragraphs look.
type run struct {
	chars  int
	level  int
	bullet int // 1 for one, 0 for none, -1 when it is as the layout says
}

// textReader puts the records of texts together.
type textReader struct {
	open bool
	text text
	all  []text
}

// end is what was read.
func (t *textReader) end() []text {
	t.close()
	all := t.all
	t.all = nil
	return all
}

func (t *textReader) close() {
	if t.open {
		t.all = append(t.all, t.text)
	}
	t.open, t.text = false, text{}
}

// take reads a record of a text.
func (t *textReader) take(r record) {
	switch r.kind {
	case recTextHeader:
		t.close()
		t.open, t.text.kind = true, r.data.U32(0)
	case recTextChars:
		for i := 0; i+1 < len(r.data); i += 2 {
			t.text.chars = append(t.text.chars, uint16(r.data.U16(i)))
		}
	case recTextBytes:
		for _, c := range r.data {
			t.text.chars = append(t.text.chars, uint16(c))
		}
	case recStyleText:
		t.text.runs = paragraphRuns(r.data, len(t.text.chars))
	case recSlideNumber, recDateTime, recGenericDate, recHeaderMark, recFooterMark, recRTFDateTime:
		t.text.marks = append(t.text.marks, r.data.U32(0))
	}
}

// paragraphRuns reads the properties of paragraphs ([MS-PPT] 2.9.44), as far as
// the characters go.
func paragraphRuns(b ole.Bytes, chars int) []run {
	var runs []run
	at := 0
	for covered := 0; covered <= chars && at+10 <= len(b); {
		r := run{chars: b.U32(at), level: min(b.U16(at+4), 8), bullet: -1}
		mask := b.U32(at + 6)
		at += 10
		if mask&0xf != 0 {
			if mask&1 != 0 {
				r.bullet = b.U16(at) & 1
			}
			at += 2
		}
		for _, field := range []struct{ mask, size int }{{0x80, 2}, {0x10, 2}, {0x40, 2}, {0x20, 4}, {0x800, 2}, {0x1000, 2}, {0x2000, 2}, {0x4000, 2}, {0x100, 2}, {0x400, 2}, {0x8000, 2}} {
			if mask&field.mask != 0 {
				at += field.size
			}
		}
		if mask&0x100000 != 0 { // tab stops
			at += 2 + 4*b.U16(at)
		}
		for _, field := range []struct{ mask, size int }{{0x10000, 2}, {0xe0000, 2}, {0x200000, 2}} {
			if mask&field.mask != 0 {
				at += field.size
			}
		}
		if r.chars <= 0 {
			break
		}
		covered += r.chars
		runs = append(runs, r)
	}
	return runs
}

// isTitle reports whether a text is the title of its slide.
func (t text) isTitle() bool { return t.kind == kindTitle || t.kind == kindCenterTitle }

// look is how the paragraph at a character looks.
func (t text) look(at int) run {
	for _, r := range t.runs {
		if at < r.chars {
			return r
		}
		at -= r.chars
	}
	return run{bullet: -1}
}

// blocks are the paragraphs of a text.
func (t text) blocks() []block.Block {
	for _, m := range t.marks {
		if m >= 0 && m < len(t.chars) {
			t.chars[m] = 0
		}
	}
	if t.isTitle() {
		title := strings.Join(strings.Fields(clean(t.chars)), " ")
		if title == "" {
			return nil
		}
		return []block.Block{{Kind: block.Heading, Level: 1, Text: title}}
	}
	listed := t.kind == kindBody || t.kind == kindHalfBody || t.kind == kindQuarterBody
	var all []block.Block
	start := 0
	for i := 0; i <= len(t.chars); i++ {
		if i < len(t.chars) && t.chars[i] != '\r' {
			continue
		}
		if s := block.Tidy(clean(t.chars[start:i])); s != "" {
			b := block.Block{Kind: block.Paragraph, Text: s}
			if look := t.look(start); look.bullet == 1 || look.bullet < 0 && listed {
				b.Kind, b.Level = block.ListItem, look.level
			}
			all = append(all, b)
		}
		start = i + 1
	}
	return all
}

// plain is a text as lines.
func (t text) plain() string {
	var lines []string
	for _, b := range t.blocks() {
		lines = append(lines, b.Text)
	}
	return strings.Join(lines, "\n")
}

// clean turns characters into text: a vertical tab ends a line within a
// paragraph.
func clean(chars []uint16) string {
	return block.Clean(strings.ReplaceAll(string(utf16.Decode(chars)), "\v", "\n"))
}

// cString is a record that is nothing but text.
func cString(r record) string { return block.Tidy(strings.ReplaceAll(r.data.UTF16(), "\v", "\n")) }
