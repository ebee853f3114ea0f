// Package charset turns text of any character encoding into UTF-8. What the
// file shows of itself comes first (a byte order mark, valid UTF-8), then
// what was declared, then statistics.
package charset

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	htmlcharset "golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
	"golang.org/x/text/transform"
)

// Source says what an encoding was told by.
type Source string

// Sources, surest first.
const (
	FromBOM        Source = "byte order mark"
	FromContent    Source = "content"    // valid UTF-8 throughout, or the zero bytes of UTF-16
	FromDeclared   Source = "declared"   // content type or meta element
	FromStatistics Source = "statistics" // a guess
)

// Encoding is how a file's text is encoded.
type Encoding struct {
	Name   string // lower case, as in the WHATWG list where it has the encoding
	Source Source
	// Invalid counts bytes that can't be decoded in a file that is otherwise clearly UTF-8.
	Invalid int

	bom int // bytes to leave out at the start
	enc encoding.Encoding
}

// Reader decodes r, which must stand at the start of the file, to UTF-8.
// Undecodable bytes become U+FFFD (in UTF-8 they are passed on; block.Clean
// deals with them).
func (e Encoding) Reader(r io.Reader) io.Reader {
	if e.bom > 0 {
		r = &skipReader{r: r, skip: e.bom}
	}
	if e.enc == nil {
		return r
	}
	return transform.NewReader(r, e.enc.NewDecoder())
}

// skipReader leaves out the first bytes of r.
type skipReader struct {
	r    io.Reader
	skip int
}

func (s *skipReader) Read(b []byte) (int, error) {
	if s.skip > 0 {
		if _, err := io.CopyN(io.Discard, s.r, int64(s.skip)); err != nil {
			return 0, err
		}
		s.skip = 0
	}
	return s.r.Read(b)
}

// Find tells the encoding of a file of size bytes. It reads all of it once,
// as one byte at the end decides whether it is UTF-8. hints are charset names
// from a content type or a meta element, the surest first; empty and unknown
// ones are passed over. The error is r's.
func Find(r io.ReaderAt, size int64, hints ...string) (Encoding, error) {
	s, err := survey(r, size)
	if err != nil {
		return Encoding{}, err
	}
	return s.decide(hints), nil
}

// FindBytes is Find for text in memory.
func FindBytes(b []byte, hints ...string) Encoding {
	e, err := Find(bytes.NewReader(b), int64(len(b)), hints...)
	if err != nil { // a bytes.Reader doesn't fail
		return Encoding{Name: "utf-8", Source: FromStatistics}
	}
	return e
}

func (s *sample) decide(hints []string) Encoding {
	if e, ok := byMark(s.head); ok {
		return e
	}
	if e, ok := byZeros(s); ok {
		return e
	}
	hinted, hintName := lookup(hints)
	if s.invalid == 0 {
		// Escape sequences make ISO-2022-JP and HZ look like ASCII.
		if s.multi == 0 && hinted != nil && s.escapes && stateful(hintName) {
			return Encoding{Name: hintName, Source: FromDeclared, enc: hinted}
		}
		if s.multi == 0 && s.escapes {
			if e, ok := byStatistics(s.head); ok && stateful(e.Name) {
				return e
			}
		}
		return Encoding{Name: "utf-8", Source: FromContent}
	}
	if s.multi >= 20*s.invalid { // damaged UTF-8 rather than anything else
		return Encoding{Name: "utf-8", Source: FromContent, Invalid: s.invalid}
	}
	if hinted != nil && hintName != "utf-8" && !strings.HasPrefix(hintName, "utf-16") {
		return Encoding{Name: hintName, Source: FromDeclared, enc: hinted}
	}
	e, _ := byStatistics(s.high)
	return e
}

// stateful encodings switch alphabets with escape sequences in 7-bit text.
func stateful(name string) bool { return name == "iso-2022-jp" || name == "hz-gb-2312" }

func lookup(hints []string) (encoding.Encoding, string) {
	for _, h := range hints {
		h = strings.Trim(strings.TrimSpace(h), `"'`)
		if h == "" {
			continue
		}
		if e, name := htmlcharset.Lookup(h); e != nil && name != "replacement" {
			return e, name
		}
	}
	return nil, ""
}

func byMark(b []byte) (Encoding, bool) {
	type mark struct {
		bytes string
		name  string
		enc   encoding.Encoding
	}
	for _, m := range []mark{ // UTF-32LE before UTF-16LE, which begins the same
		{"\xef\xbb\xbf", "utf-8", nil},
		{"\xff\xfe\x00\x00", "utf-32le", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM)},
		{"\x00\x00\xfe\xff", "utf-32be", utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM)},
		{"\xff\xfe", "utf-16le", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
		{"\xfe\xff", "utf-16be", unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)},
	} {
		if bytes.HasPrefix(b, []byte(m.bytes)) {
			return Encoding{Name: m.name, Source: FromBOM, bom: len(m.bytes), enc: m.enc}, true
		}
	}
	return Encoding{}, false
}

// byZeros knows UTF-16 without a mark by the zero bytes of its Latin letters,
// blanks and line ends: all on one side.
func byZeros(s *sample) (Encoding, bool) {
	even, odd := s.zeros[0], s.zeros[1]
	half := len(s.head) / 2
	switch {
	case half < 2:
	case odd*10 > half*3 && even*20 < odd:
		return Encoding{Name: "utf-16le", Source: FromContent, enc: unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)}, true
	case even*10 > half*3 && odd*20 < even:
		return Encoding{Name: "utf-16be", Source: FromContent, enc: unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)}, true
	}
	return Encoding{}, false
}

const (
	headSize = 16 << 10
	highSize = 64 << 10
)

// sample is what one pass over a file finds out.
type sample struct {
	head    []byte // the first bytes
	high    []byte // lines with bytes >= 0x80, for statistics
	multi   int    // valid UTF-8 sequences of more than one byte
	invalid int    // bytes that are not UTF-8
	escapes bool   // ESC or ~{ in the head
	zeros   [2]int // zero bytes of the head at even and odd offsets
}

func survey(r io.ReaderAt, size int64) (*sample, error) {
	s := &sample{}
	buf := make([]byte, 64<<10)
	carry := 0 // bytes of an unfinished sequence at the start of buf
	for off := int64(0); off < size; {
		n, err := r.ReadAt(buf[carry:min(int64(len(buf)), int64(carry)+size-off)], off)
		if n == 0 && err != nil {
			if err == io.EOF {
				break
			}
			return nil, err
		}
		off += int64(n)
		data := buf[:carry+n]
		if s.head == nil {
			s.setHead(data)
		}
		rest := s.count(data, off >= size)
		carry = copy(buf, data[len(data)-rest:])
	}
	return s, nil
}

func (s *sample) setHead(data []byte) {
	s.head = bytes.Clone(data[:min(len(data), headSize)])
	for i, c := range s.head {
		switch {
		case c == 0:
			s.zeros[i&1]++
		case c == 0x1b, c == '~' && i+1 < len(s.head) && s.head[i+1] == '{':
			s.escapes = true
		}
	}
}

// count adds up the sequences of data and returns how many bytes at its end
// may belong to a sequence that goes on after it.
func (s *sample) count(data []byte, last bool) int {
	lineStart, sampled := 0, 0
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c == '\n' {
				lineStart = i + 1
			}
			i++
			continue
		}
		if !last && !utf8.FullRune(data[i:]) {
			return len(data) - i
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			s.invalid++
		} else {
			s.multi++
		}
		if i >= sampled && len(s.high) < highSize {
			from, to := max(lineStart, i-200, sampled), min(i+400, len(data))
			if end := bytes.IndexByte(data[i:to], '\n'); end >= 0 {
				to = i + end + 1
			}
			s.high = append(s.high, data[from:to]...)
			sampled = to
		}
		i += n
	}
	return 0
}
