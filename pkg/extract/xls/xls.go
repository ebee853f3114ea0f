// Package xls turns Excel 97-2003 workbooks (XLS, XLT), and those of Excel 5 and
// 95, into blocks ([MS-XLS]): a sheet is a page, its name a heading, its rows
// are tables that empty rows part. Values are as they were when the file was
// saved: dates and percentages by their number format, other numbers in full;
// nothing is calculated.
//
// A workbook is one stream of records in an OLE container: first what all
// sheets share, then the sheets one after the other. The stream and the shared
// texts are held, and of a sheet what makes up one piece of a table.
package xls

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// maxStream bounds the workbook's stream, which is held, in bytes.
	maxStream = 64 << 20
	// maxSheets bounds the sheets of a workbook when Options don't say.
	maxSheets = 10000
	// maxStrings bounds the texts that cells share, of which each takes room however short it is.
	maxStrings = 2 << 20
	// maxStyles bounds the styles of cells; Excel takes 4,000.
	maxStyles = 1 << 17
)

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	w := &workbook{ctx: ctx, sink: sink, part: o.Pages, codepage: 1252, mostStrings: maxStrings}
	w.begins, _ = sink.(block.PageBeginner)
	if err := w.open(f, size); err != nil {
		return err
	}
	return w.parse(o.MaxPages)
}

// workbook is one file being parsed.
type workbook struct {
	ctx    context.Context
	sink   block.Sink
	begins block.PageBeginner // nil when the sink isn't one
	part   block.PageRange

	data        ole.Bytes // the stream
	meta        block.Metadata
	narrow      bool // of Excel 5 or 95: texts have one byte a character
	codepage    int  // of those
	sheets      []sheetRef
	strings     []string // that cells share, by index
	mostStrings int      // of them
	custom      map[int]grid.Format
	formats     []grid.Format // of cells, by style
	since04     bool          // days are counted from 1904
	cut         bool          // some texts that cells share are missing

	hidden []string // names of sheets that aren't shown
	given  int      // blocks and asides given to the sink
	failed int      // sheets without text for a fault
}

// sheetRef is what the workbook says of a sheet.
type sheetRef struct {
	name   string
	at     int // in the stream
	hidden bool
}

// open finds the stream.
func (w *workbook) open(f *os.File, size int64) error {
	box, err := ole.Open(f, size)
	if err != nil {
		return err
	}
	name := "Workbook"
	if !box.Has(name) {
		name = "Book"
	}
	if box.Size(name) > maxStream {
		return block.Errorf(block.CodeTooLarge, "This workbook has more than %d MiB of cells. Split it into smaller documents.", maxStream>>20)
	}
	w.data = box.Stream(name, maxStream)
	w.meta = ole.Summary(box.Stream("\x05SummaryInformation", maxStream))
	return nil
}

func (w *workbook) parse(maxPages int) error {
	if err := w.globals(); err != nil {
		return err
	}
	if maxPages <= 0 {
		maxPages = maxSheets
	}
	if len(w.sheets) > maxPages {
		return block.Errorf(block.CodeTooLarge, "This workbook has more than %d sheets, the most that are taken from one document. Split it into smaller documents.", maxPages)
	}
	w.meta.Pages = len(w.sheets)
	if err := w.sink.Meta(w.meta); err != nil {
		return err
	}
	for n := range w.sheets {
		if err := w.page(n + 1); err != nil {
			return err
		}
	}
	return w.verdict()
}

// verdict ends a workbook whose sheets are all read.
func (w *workbook) verdict() error {
	var notes []string
	if len(w.hidden) > 0 {
		notes = append(notes, "hidden in the workbook, and read: the sheets "+strings.Join(w.hidden, ", "))
	}
	if w.cut {
		notes = append(notes, block.TextIncomplete+"the list of texts that cells share is damaged or too long; some cells have none")
	}
	for _, n := range notes {
		if err := w.sink.Warn(n); err != nil {
			return err
		}
	}
	switch {
	case w.given > 0 || w.part.From > 1:
		return nil
	case w.failed > 0:
		return block.Errorf(block.CodeCorrupt, "This workbook is damaged: none of its sheets can be read. Save it again and send it again.")
	}
	return block.Errorf(block.CodeNoText, "This workbook has no text: its sheets are empty.")
}

// page reads sheet n. What is wrong with it alone doesn't keep the others.
func (w *workbook) page(n int) error {
	if n < w.part.From || w.part.Skips(n) {
		return w.sink.PageDone(n, len(w.sheets))
	}
	if w.begins != nil {
		if err := w.begins.PageBegins(n); err != nil {
			return err
		}
	}
	ref := w.sheets[n-1]
	if ref.hidden && len(w.hidden) < 100 {
		w.hidden = append(w.hidden, ref.name)
	}
	s := &sheet{w: w, n: n, name: ref.name, row: -1, notes: map[int]string{}}
	s.table.Put = s.put
	whole, err := s.read(ref.at)
	if err != nil {
		return err
	}
	switch {
	case whole:
	case s.given > 0:
		err = w.sink.Warn(block.TextIncomplete + fmt.Sprintf("sheet %q can't be read to its end: the file is damaged or incomplete", ref.name))
	default:
		w.failed++
		err = w.sink.PageError(n, "This sheet is damaged or isn't in the file.")
	}
	if err != nil {
		return err
	}
	return w.sink.PageDone(n, len(w.sheets))
}

// aside gives the sink what stands apart from the cells.
func (w *workbook) aside(b block.Block) error {
	if b.Text == "" {
		return nil
	}
	w.given++
	return w.sink.Aside(b)
}
