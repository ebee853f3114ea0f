// Package ods turns OpenDocument spreadsheets (ODS, OTS) into blocks: a sheet is
// a page, its name a heading, its rows are tables that empty rows part. Values
// are as they are shown: the file has the text of each cell beside its number.
//
// Sheets are streamed. A file says of rows and cells how often they are
// repeated, up to a million times; those without text are only counted, and
// there is a budget for the copies of the others.
package ods

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/odf"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// maxSheets bounds the sheets of a workbook when Options don't say.
const maxSheets = 10000

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	p, err := odf.Open(ctx, f, size, o)
	if err != nil {
		return err
	}
	w := &workbook{pkg: p, sink: sink, part: o.Pages, maxSheets: o.MaxPages, copies: maxCopies, copied: maxCopied}
	if w.maxSheets <= 0 {
		w.maxSheets = maxSheets
	}
	w.begins, _ = sink.(block.PageBeginner)
	w.text = odf.NewText(w.aside)
	return w.parse()
}

// workbook is one file being parsed.
type workbook struct {
	pkg       *odf.Package
	sink      block.Sink
	begins    block.PageBeginner // nil when the sink isn't one
	part      block.PageRange
	maxSheets int
	text      *odf.Text

	sheets  int      // begun so far
	copies  int      // cells that may still be copied for rows and cells that are repeated
	copied  int      // bytes that the copies may still have
	short   bool     // that was not enough
	hidden  []string // names of sheets that aren't shown
	given   int      // blocks and asides given to the sink
	pending int      // formulas that have no result in the file
}

func (w *workbook) parse() error {
	meta, err := w.pkg.Metadata()
	if err != nil {
		return err
	}
	meta.Pages = 0
	if err := w.sink.Meta(meta); err != nil {
		return err
	}
	if err := odf.Tolerate(w.pkg.Read("styles.xml", w.text.StylesPart), "styles of the workbook", w.sink); err != nil {
		return err
	}
	err = w.pkg.Body(w.text, func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "table:table" || cached(t.Attr("table:name")) {
				return nil
			}
			return w.page(x, t)
		})
	}, "office:spreadsheet")
	if w.given > 0 {
		err = odf.Tolerate(err, "rest of the workbook", w.sink)
	}
	if err != nil {
		return err
	}
	meta.Pages = w.sheets
	if err := w.sink.Meta(meta); err != nil {
		return err
	}
	return w.verdict()
}

// cached tells copies of cells of other files, which LibreOffice keeps as sheets
// that nobody sees, by the name it gives them.
func cached(name string) bool {
	return strings.HasPrefix(name, "'") && strings.Contains(name, "'#$")
}

// verdict ends a workbook whose sheets are all read.
func (w *workbook) verdict() error {
	var notes []string
	if len(w.hidden) > 0 {
		notes = append(notes, "hidden in the workbook, and read: the sheets "+strings.Join(w.hidden, ", "))
	}
	if w.pending > 0 {
		notes = append(notes, fmt.Sprintf(block.TextIncomplete+"%d formulas have no result in the file. Open it in a spreadsheet program, save it and send it again.", w.pending))
	}
	if w.short {
		notes = append(notes, "the workbook repeats rows or cells with the same text very often; not every copy is in the text")
	}
	for _, n := range notes {
		if err := w.sink.Warn(n); err != nil {
			return err
		}
	}
	if w.given > 0 || w.part.From > 1 {
		return nil
	}
	return block.Errorf(block.CodeNoText, "This workbook has no text: its sheets are empty.")
}

// page reads the sheet whose table:table was started last.
func (w *workbook) page(x *ooxml.Reader, t ooxml.Token) error {
	w.sheets++
	n := w.sheets
	if n > w.maxSheets {
		return block.Errorf(block.CodeTooLarge, "This workbook has more than %d sheets, the most that are taken from one document. Split it into smaller documents.", w.maxSheets)
	}
	if n < w.part.From || w.part.Skips(n) {
		return w.sink.PageDone(n, n)
	}
	if w.begins != nil {
		if err := w.begins.PageBegins(n); err != nil {
			return err
		}
	}
	s := newSheet(w, x, n, odf.OneLine(t.Attr("table:name")))
	if w.text.Hidden("table", t.Attr("table:style-name")) && len(w.hidden) < 100 {
		w.hidden = append(w.hidden, s.name)
	}
	err := s.rows()
	if ended := s.end(); ended != nil {
		return ended
	}
	if err != nil {
		return err
	}
	return w.sink.PageDone(n, n)
}

// aside gives the sink what stands apart from the cells.
func (w *workbook) aside(b block.Block) error {
	w.given++
	b.Page = w.sheets
	return w.sink.Aside(b)
}
