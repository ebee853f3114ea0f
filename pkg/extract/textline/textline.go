// Package textline reads text files of any charset line by line, however long
// the file or its lines are.
package textline

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
)

const (
	// maxLine is how much of a line is given at once, in bytes.
	maxLine = 64 << 10
	// checkEvery is how many lines pass between two looks at the context.
	checkEvery = 1024
)

// Reader reads one file.
type Reader struct {
	ctx      context.Context
	f        *os.File
	size     int64
	enc      charset.Encoding
	progress *block.Progress

	in    *counter
	br    *bufio.Reader
	junk  *junkMeter
	lines int
	rest  []byte // an unfinished character at the end of the last piece
	buf   []byte
}

// Open finds out the charset of a file and warns of characters that are
// damaged. hint is a declared charset, or empty.
func Open(ctx context.Context, f *os.File, size int64, hint string, sink block.Sink) (*Reader, error) {
	enc, err := charset.Find(f, size, hint)
	if err != nil {
		return nil, err
	}
	if enc.Invalid > 0 {
		if err := sink.Warn("some characters of the file are damaged"); err != nil {
			return nil, err
		}
	}
	r := &Reader{ctx: ctx, f: f, size: size, enc: enc, progress: block.NewProgress(sink, size)}
	r.rewind()
	return r, nil
}

func (r *Reader) rewind() {
	r.in = &counter{r: io.NewSectionReader(r.f, 0, r.size)}
	r.junk = &junkMeter{r: &lineEnds{r: r.enc.Reader(r.in)}}
	r.br = bufio.NewReaderSize(r.junk, maxLine)
}

// HasFormFeed reads ahead for a form feed, and starts over.
func (r *Reader) HasFormFeed() (bool, error) {
	defer r.rewind()
	for {
		b, err := r.br.ReadSlice('\f')
		switch {
		case err == io.EOF:
			return false, nil
		case err == bufio.ErrBufferFull:
			if err := r.ctx.Err(); err != nil {
				return false, err
			}
		case err != nil:
			return false, err
		default:
			return len(b) > 0, nil
		}
	}
}

// Next returns the next line without its end, valid until the next call.
// whole is false when the line goes on in the next call. After the last line
// the error is io.EOF; when the file isn't text after all, it is a
// *block.Error.
func (r *Reader) Next() (line []byte, whole bool, err error) {
	if r.lines++; r.lines%checkEvery == 0 {
		if err := r.ctx.Err(); err != nil {
			return nil, false, err
		}
		if err := r.progress.At(r.in.n); err != nil {
			return nil, false, err
		}
	}
	b, err := r.br.ReadSlice('\n')
	if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
		return nil, false, err
	}
	if err == io.EOF && len(b) == 0 && len(r.rest) == 0 {
		if r.junk.odd > 10 && r.junk.odd*10 > r.junk.all {
			return nil, false, block.Errorf(block.CodeUnsupported, "This file is not text: too many of its bytes are no characters.")
		}
		return nil, false, io.EOF
	}
	if len(r.rest) > 0 {
		r.buf = append(append(r.buf[:0], r.rest...), b...)
		b, r.rest = r.buf, r.rest[:0]
	}
	if err == bufio.ErrBufferFull {
		n := len(b)
		for i := 1; i < utf8.UTFMax && i < n; i++ {
			if utf8.RuneStart(b[n-i]) {
				if !utf8.FullRune(b[n-i:]) {
					r.rest = append(r.rest[:0], b[n-i:]...)
					b = b[:n-i]
				}
				break
			}
		}
		return b, false, nil
	}
	return bytes.TrimSuffix(b, []byte("\n")), true, nil
}

// Finish reports that all of the file is read.
func (r *Reader) Finish() error { return r.progress.Finish() }

// counter counts what is read of a file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// lineEnds turns CR LF and CR into LF.
type lineEnds struct {
	r  io.Reader
	cr bool // the last byte was CR, given as LF
}

func (l *lineEnds) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if !l.cr && bytes.IndexByte(b[:n], '\r') < 0 {
		return n, err
	}
	out := 0
	for _, c := range b[:n] {
		switch {
		case c == '\n' && l.cr:
			l.cr = false
			continue
		case c == '\r':
			l.cr = true
			c = '\n'
		default:
			l.cr = false
		}
		b[out] = c
		out++
	}
	return out, err
}

// junkMeter counts control characters and what the decoder could not make a
// character of.
type junkMeter struct {
	r        io.Reader
	all, odd int64
}

func (m *junkMeter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.all += int64(n)
	m.odd += 3 * int64(bytes.Count(b[:n], []byte("\ufffd")))
	for _, c := range b[:n] {
		if c < ' ' && c != '\t' && c != '\n' && c != '\f' && c != '\b' && c != 0x1b && c != 0x1a {
			m.odd++
		}
	}
	return n, err
}
