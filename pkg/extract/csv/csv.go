// Package csv turns tables in text files (CSV, TSV and the like) into blocks,
// of any charset and with whatever stands between their values. It streams,
// and no quotation mark that is never closed makes it hold more than a field's
// worth of the file.
package csv

import (
	"context"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/textline"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// headLines and headBytes are how much of a file is looked at for what separates its values.
	headLines = 200
	headBytes = 64 << 10
	// flushBytes is how much of the table is held before it is handed on.
	flushBytes = 256 << 10
	// wideRow is how much a row may hold to be one of a table, in bytes.
	wideRow = 256 << 10
)

// Parse reads f and reports its rows to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	r, err := textline.Open(ctx, f, size, o.Charset, sink)
	if err != nil {
		return err
	}
	head, err := readHead(r)
	if err != nil && err != io.EOF {
		return err
	}
	t := &table{sink: sink}
	t.split.delimiter, head = sniff(head)
	for _, l := range head {
		if err := t.line(l.text, l.whole); err != nil {
			return err
		}
	}
	for err != io.EOF {
		var line []byte
		var whole bool
		if line, whole, err = r.Next(); err == nil {
			err = t.line(line, whole)
		}
		if err != nil && err != io.EOF {
			return err
		}
	}
	if err := t.end(); err != nil {
		return err
	}
	if !t.any {
		return block.Errorf(block.CodeNoText, "This table has no text, only blanks.")
	}
	return r.Finish()
}

// piece is a line of the file or a part of one.
type piece struct {
	text  []byte
	whole bool
}

// readHead reads the first lines. The error is io.EOF when these are all.
func readHead(r *textline.Reader) ([]piece, error) {
	var head []piece
	size := 0
	for len(head) < headLines && size < headBytes {
		line, whole, err := r.Next()
		if err != nil {
			return head, err
		}
		head = append(head, piece{slices.Clone(line), whole})
		size += len(line)
	}
	return head, nil
}

// sniff finds what separates values: what divides the most lines into the
// same number of fields. A first line "sep=;", as Excel knows it, says so
// itself and is left out.
func sniff(head []piece) (delimiter byte, lines []piece) {
	if len(head) > 0 && len(head[0].text) == len("sep=;") && strings.HasPrefix(strings.ToLower(string(head[0].text)), "sep=") {
		return head[0].text[4], head[1:]
	}
	delimiter = ','
	best := 0.0
	for _, d := range []byte("\t;|,") { // where several are as good: commas are in numbers, too
		if s := consistency(head, d); s > best {
			delimiter, best = d, s
		}
	}
	return delimiter, head
}

// consistency is the share of records that have the most frequent number of
// fields, above 1.
func consistency(head []piece, delimiter byte) float64 {
	counts := map[int]int{}
	s := splitter{delimiter: delimiter}
	all := 0
	for _, l := range head {
		if s.take(l.text, l.whole); l.whole && s.complete() {
			if n := len(s.fields); n > 1 || s.size > 16 {
				counts[n]++
				all++
			}
			s.reset()
		}
	}
	best := 0.0
	for n, c := range counts {
		if n > 1 {
			best = max(best, float64(c)/float64(all))
		}
	}
	return best
}

// table gathers records into pieces of a table.
type table struct {
	sink  block.Sink
	split splitter

	rows      [][]string
	bytes     int
	continued bool // some rows were handed on already
	begun     bool // there was a row
	header    bool // the first row of all names the columns
	wide      bool // the record being read is given as paragraphs
	midField  bool // and so is the beginning of the field being read
	any       bool
}

// line takes a line, or a part of one.
func (t *table) line(text []byte, whole bool) error {
	t.split.take(text, whole)
	if t.split.size > wideRow {
		return t.tooWide(whole && t.split.complete())
	}
	if !whole || !t.split.complete() {
		return nil
	}
	if t.wide {
		return t.tooWide(true)
	}
	row := t.split.record()
	if !slices.ContainsFunc(row, func(c string) bool { return c != "" }) {
		return nil
	}
	if !t.begun {
		t.begun, t.header = true, isHeader(row)
	}
	t.rows = append(t.rows, row)
	for _, c := range row {
		t.bytes += 16 + len(c)
	}
	if t.bytes > flushBytes && len(t.rows) > 1 {
		return t.flush()
	}
	return nil
}

// isHeader reports whether a first row names columns: it has no numbers.
func isHeader(row []string) bool {
	return !slices.ContainsFunc(row, func(c string) bool {
		_, err := strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(c, ",", "."), "% "), 64)
		return err == nil
	})
}

// tooWide gives what there is of a record with so much in it that it is no row
// of a table, each field as a paragraph.
func (t *table) tooWide(complete bool) error {
	if !t.wide {
		if err := t.flush(); err != nil {
			return err
		}
		t.wide, t.begun, t.continued, t.header = true, true, false, false
	}
	open := t.split.cut(complete)
	for i, f := range t.split.record() {
		if f != "" {
			t.any = true
			if err := t.sink.Block(block.Block{Kind: block.Paragraph, Text: f, Continues: i == 0 && t.midField}); err != nil {
				return err
			}
		}
		t.midField = false
	}
	t.midField = open
	if complete {
		t.wide, t.midField = false, false
	}
	return nil
}

// end takes what the file ends with, a record or a part of one.
func (t *table) end() error {
	if t.split.size > 0 {
		t.split.cut(true)
		t.split.state = atStart
		if err := t.line(nil, true); err != nil {
			return err
		}
	}
	return t.flush()
}

func (t *table) flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	b := block.Block{Kind: block.Table, Rows: t.rows, Continues: t.continued}
	b.HeaderRow = t.header && !t.continued && len(t.rows) > 1
	t.rows, t.bytes, t.continued, t.any = nil, 0, true, true
	return t.sink.Block(b)
}
