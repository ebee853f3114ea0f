package extract

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// How often a sink sends what it has gathered: when it is worth a frame, or
// when the parent has heard nothing for a moment.
const (
	flushSize  = 64 << 10
	flushAfter = 200 * time.Millisecond
)

// expandedFloor is how much text any file may have, in bytes; beyond that it
// counts how many times the file's size it is. Packed parts are bounded before; this is for text that
// a document has many times without containing it as often.
const expandedFloor = 16 << 20

// mostText is how much text a file of size bytes may have.
func mostText(size int64, ratio int) int64 {
	return max(expandedFloor, size*int64(max(ratio, 1)))
}

// frameSink is the block.Sink of a child: it gathers blocks into frames.
type frameSink struct {
	out    *frameWriter
	mail   *mail // from the process that helps
	max    int64 // bytes of text allowed
	most   int64 // bytes of text that a file of this size has, unless it is a bomb
	total  int64
	body   []block.Block
	asides []block.Block
	size   int // bytes gathered since the last flush
	sent   time.Time
	last   progressMessage // reported but not sent yet when pending
	dirty  bool
}

func (s *frameSink) Meta(m block.Metadata) error { return s.out.send(frameMeta, m) }

func (s *frameSink) Block(b block.Block) error { return s.add(&s.body, b) }

func (s *frameSink) Aside(b block.Block) error { return s.add(&s.asides, b) }

func (s *frameSink) Warn(text string) error {
	if err := s.flush(); err != nil {
		return err
	}
	return s.out.send(frameWarning, text)
}

func (s *frameSink) PageError(page int, text string) error {
	return s.out.send(framePageError, PageError{Page: page, Message: text})
}

// PageBegins implements block.PageBeginner; it only writes a frame, which any
// goroutine may.
func (s *frameSink) PageBegins(n int) error { return s.out.send(framePage, n) }

// IsPicture implements block.PictureNoter.
func (s *frameSink) IsPicture(n int) error { return s.out.send(framePicture, n) }

func (s *frameSink) PageDone(n, total int) error {
	s.last, s.dirty = progressMessage{Page: n, Pages: total, Stage: "extracting"}, true
	if n < total && s.size < flushSize && time.Since(s.sent) < flushAfter {
		return nil
	}
	return s.flush()
}

// add takes one block, cut into pieces that fit a frame.
func (s *frameSink) add(to *[]block.Block, b block.Block) error {
	for {
		piece, rest, more, err := cut(b)
		if err != nil {
			return err
		}
		n := blockSize(piece)
		s.size += n
		s.total += int64(n)
		switch {
		case s.total > s.max:
			return tooMuchText(s.max)
		case s.total > s.most:
			return block.Errorf(block.CodeBomb, "This document was refused: its text is larger than %s, many times the size of its file. If it is a real document, save it anew in the program it was made with.", sizeText(s.most))
		}
		*to = append(*to, piece)
		if s.size >= flushSize {
			if err := s.flush(); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		b = rest
	}
}

// flush sends everything gathered.
func (s *frameSink) flush() error {
	for _, part := range []struct {
		t      frameType
		blocks *[]block.Block
	}{{frameBlocks, &s.body}, {frameAsides, &s.asides}} {
		if len(*part.blocks) == 0 {
			continue
		}
		if err := s.out.send(part.t, *part.blocks); err != nil {
			return err
		}
		*part.blocks = (*part.blocks)[:0]
	}
	s.size, s.sent = 0, time.Now()
	if !s.dirty {
		return nil
	}
	s.dirty = false
	return s.out.send(frameProgress, s.last)
}

func blockSize(b block.Block) int {
	n := blockCost + len(b.Text) + len(b.Label)
	for _, row := range b.Rows {
		n += rowSize(row)
	}
	return n
}

func rowSize(row []string) int {
	n := 0
	for _, cell := range row {
		n += 8 + len(cell)
	}
	return n
}

// cut divides a block that is larger than maxPiece in two, text between
// characters and tables between rows.
func cut(b block.Block) (piece, rest block.Block, more bool, err error) {
	if len(b.Text) > maxPiece {
		at := maxPiece
		for at > maxPiece-utf8.UTFMax && !utf8.RuneStart(b.Text[at]) {
			at--
		}
		piece, rest = b, b
		piece.Text, rest.Text, rest.Continues = b.Text[:at], b.Text[at:], true
		return piece, rest, true, nil
	}
	size := 0
	for i, row := range b.Rows {
		n := rowSize(row)
		if n > maxPiece {
			return b, rest, false, block.Errorf(block.CodeTooLarge,
				"A table in this document has a row of more than %s.", sizeText(maxPiece))
		}
		if size += n; size > maxPiece {
			piece, rest = b, b
			piece.Rows, rest.Rows, rest.Continues = b.Rows[:i], b.Rows[i:], true
			return piece, rest, true, nil
		}
	}
	if len(b.Label) > maxPiece {
		return b, rest, false, fmt.Errorf("%w: a label of %d bytes", errFrame, len(b.Label))
	}
	return b, block.Block{}, false, nil
}
