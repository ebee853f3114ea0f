package eml

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/mail"
)

const (
	// checkEvery is how many lines pass between two looks at the context.
	checkEvery = 1024
	// lineSize is how much of a line is looked at. RFC 5322 allows 998 bytes, RFC 2046 boundaries of 70.
	lineSize = 64 << 10
)

// part is a message or a part of one.
type part struct {
	header
	mediaType  string
	params     map[string]string
	start, end int64 // of its body in the source
	kids       []*part
	depth      int
	root       bool // begins a message
}

// indexer finds the parts of a message in one pass, line by line.
type indexer struct {
	ctx    context.Context
	src    source
	limits limits
	at     func(int64) error // progress; nil for none

	br        *bufio.Reader
	offset    int64 // of the next line
	lines     int
	parts     int
	open      []level
	innermost map[string]int // boundary -> index in open of the innermost multipart that has it
}

// level is an open multipart.
type level struct {
	part     *part
	boundary string
	outer    int // what innermost held for the boundary before; -1 for nothing
	current  *part
	after    bool // its last part has ended
}

// index reads the message at the start of the source.
func (x *indexer) index(depth int) (*part, error) {
	x.br = bufio.NewReaderSize(io.NewSectionReader(x.src.r, 0, x.src.size), lineSize)
	x.innermost = map[string]int{}
	root, err := x.begin(nil, depth)
	if err != nil {
		return nil, err
	}
	root.root = true
	ended := x.offset // the end of the last line without its line end
	for {
		line, whole, err := x.line()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		start := x.offset - int64(len(line))
		if i, last := x.boundary(line); i >= 0 {
			if err := x.separate(i, last, ended); err != nil {
				return nil, err
			}
			ended = x.offset
			continue
		}
		ended = start + int64(len(line))
		if whole {
			ended = start + int64(len(trimEnd(line)))
		}
	}
	x.closeTo(0, x.src.size)
	finish(root, x.src.size)
	return root, nil
}

// finish gives an end to what the file leaves open.
func finish(p *part, end int64) {
	if p.end < p.start {
		p.end = max(end, p.start)
	}
	for _, k := range p.kids {
		finish(k, p.end)
	}
}

// line is the next line with its end, or a piece of one; whole tells whether it
// ends there.
func (x *indexer) line() (line []byte, whole bool, err error) {
	if x.lines++; x.lines%checkEvery == 0 {
		if err := x.ctx.Err(); err != nil {
			return nil, false, err
		}
		if x.at != nil {
			if err := x.at(x.offset); err != nil {
				return nil, false, err
			}
		}
	}
	line, err = x.br.ReadSlice('\n')
	if err == bufio.ErrBufferFull || err == io.EOF && len(line) > 0 {
		err = nil
	}
	x.offset += int64(len(line))
	return line, bytes.HasSuffix(line, []byte("\n")), err
}

func trimEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

// boundary tells which open multipart a line separates the parts of, -1 for
// none, and whether it ends that one.
func (x *indexer) boundary(line []byte) (i int, last bool) {
	if len(x.open) == 0 || len(line) < 3 || line[0] != '-' || line[1] != '-' {
		return -1, false
	}
	name := bytes.TrimRight(line[2:], " \t\r\n")
	if i, ok := x.innermost[string(name)]; ok {
		return i, false
	}
	if name, ok := bytes.CutSuffix(name, []byte("--")); ok {
		if i, ok := x.innermost[string(name)]; ok {
			return i, true
		}
	}
	return -1, false
}

// separate ends the part before a boundary of x.open[i] and begins the next.
func (x *indexer) separate(i int, last bool, ended int64) error {
	x.closeTo(i+1, ended)
	l := &x.open[i]
	if l.current != nil && l.current.end < l.current.start {
		l.current.end = max(ended, l.current.start)
	}
	l.current = nil
	if last {
		l.part.end = x.offset
		l.after = true
		x.closeTo(i, x.offset)
		return nil
	}
	p, err := x.begin(l.part, l.part.depth+1)
	if err != nil {
		return err
	}
	// begin may have opened levels, and so moved them.
	x.open[i].current = p
	return nil
}

// closeTo ends the multiparts from x.open[n] on.
func (x *indexer) closeTo(n int, end int64) {
	for len(x.open) > n {
		l := x.open[len(x.open)-1]
		x.open = x.open[:len(x.open)-1]
		if l.outer < 0 {
			delete(x.innermost, l.boundary)
		} else {
			x.innermost[l.boundary] = l.outer
		}
		if l.current != nil && l.current.end < l.current.start {
			l.current.end = max(end, l.current.start)
		}
		if l.part.end < l.part.start {
			l.part.end = max(end, l.part.start)
		}
	}
}

// begin reads the header of a part and opens what it announces.
func (x *indexer) begin(parent *part, depth int) (*part, error) {
	if x.parts++; x.parts > x.limits.parts {
		return nil, mail.TooMany(x.limits.parts)
	}
	if depth > x.limits.nesting {
		return nil, mail.TooDeep(x.limits.nesting)
	}
	p := &part{depth: depth, end: -1}
	if err := x.readHeader(&p.header); err != nil {
		return nil, err
	}
	p.start = x.offset
	p.classify(parent)
	if parent != nil {
		parent.kids = append(parent.kids, p)
	}
	switch boundary := p.params["boundary"]; {
	case strings.HasPrefix(p.mediaType, "multipart/") && boundary != "":
		outer, ok := x.innermost[boundary]
		if !ok {
			outer = -1
		}
		x.innermost[boundary] = len(x.open)
		x.open = append(x.open, level{part: p, boundary: boundary, outer: outer})
	case p.mediaType == "message/rfc822" && p.plainlyEncoded():
		inner, err := x.begin(p, depth+1)
		if err != nil {
			return nil, err
		}
		inner.root = true
	}
	return p, nil
}

// classify finds out what a part is.
func (p *part) classify(parent *part) {
	p.mediaType, p.params = mediaType(p.raw("content-type"))
	digest := parent != nil && parent.mediaType == "multipart/digest"
	switch {
	case p.mediaType == "" && digest:
		p.mediaType = "message/rfc822"
	case p.mediaType == "message/news", p.mediaType == "message/global":
		p.mediaType = "message/rfc822"
	case p.mediaType == "", p.mediaType == "text", p.mediaType == "plain":
		p.mediaType = "text/plain"
	case p.mediaType == "html":
		p.mediaType = "text/html"
	}
}

// plainlyEncoded reports whether the body stands in the file as it is.
func (p *part) plainlyEncoded() bool {
	return !slices.Contains([]string{"base64", "quoted-printable"}, p.encoding())
}
