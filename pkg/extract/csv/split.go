package csv

import "github.com/docsvc/docsvc/pkg/extract/block"

// Bounds on a field in quotation marks: past these the mark wasn't one.
const (
	maxQuoted      = 256 << 10
	maxQuotedLines = 500
)

type state uint8

const (
	atStart state = iota // of a field; blanks may have come
	plain
	quoted
	afterQuote // of a quoted field: its end, or half of a doubled mark
)

// splitter divides lines into the fields of records, as RFC 4180 has it and
// with the liberties that writers take: marks within fields that have none
// around them, blanks before marks, and text after closing ones.
type splitter struct {
	delimiter byte
	fields    []string
	field     []byte
	state     state
	size      int // bytes of the record, with some for each field
	lines     int // that the open quoted field spans
}

// take reads a line or, when it isn't whole, a part of one.
func (s *splitter) take(line []byte, whole bool) {
	for _, c := range line {
		s.byte(c)
	}
	s.size += len(line)
	if !whole {
		return
	}
	if s.state == quoted {
		s.lines++
		if s.lines < maxQuotedLines && len(s.field) < maxQuoted {
			s.field = append(s.field, '\n')
			s.size++
			return
		}
	}
	s.end()
}

func (s *splitter) byte(c byte) {
	switch {
	case s.state == quoted:
		if c == '"' {
			s.state = afterQuote
			return
		}
		s.field = append(s.field, c)
	case c == s.delimiter:
		s.end()
	case s.state == atStart && c == '"':
		s.field, s.state, s.lines = s.field[:0], quoted, 0
	case s.state == atStart && c == ' ':
		s.field = append(s.field, c)
	case s.state == afterQuote && c == '"':
		s.field, s.state = append(s.field, '"'), quoted
	case s.state == afterQuote && c == ' ':
	case s.state == afterQuote:
		s.field, s.state = append(s.field, '"', c), plain
	default:
		s.field, s.state = append(s.field, c), plain
	}
}

// end ends a field.
func (s *splitter) end() {
	s.fields = append(s.fields, block.Tidy(string(s.field)))
	s.field, s.state = s.field[:0], atStart
	s.size += 16
}

// complete reports, at the end of a line, whether the record ends with it.
func (s *splitter) complete() bool { return s.state != quoted }

// record is what was read since the last one.
func (s *splitter) record() []string {
	r := s.fields
	s.reset()
	return r
}

// reset begins the next record; a field that was begun goes on in it.
func (s *splitter) reset() {
	s.fields, s.size = nil, len(s.field)
}

// cut ends the field that is being read, as far as it is there, in the middle
// of a record. It reports whether the field goes on.
func (s *splitter) cut(complete bool) (open bool) {
	if complete || len(s.field) == 0 {
		return false
	}
	was := s.state
	// Not within a character.
	n := len(s.field)
	for n > 0 && n > len(s.field)-4 && s.field[n-1]&0xc0 == 0x80 {
		n--
	}
	if n > 0 && s.field[n-1] >= 0xc0 {
		n--
	}
	rest := append([]byte(nil), s.field[n:]...)
	s.fields = append(s.fields, block.Clean(string(s.field[:n])))
	s.field = append(s.field[:0], rest...)
	s.state = was
	return true
}
