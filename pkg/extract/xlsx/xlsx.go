// Package xlsx turns Office Open XML workbooks (XLSX, XLSM, XLTX) into blocks:
// a sheet is a page, its name a heading, its rows are tables that empty rows
// part. Values are as they were when the file was saved: dates and percentages
// by their number format, other numbers in full; nothing is calculated.
//
// Sheets are streamed. Held are the strings that cells share, and of a sheet
// what makes up one piece of a table.
package xlsx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// maxSheets bounds the sheets of a workbook when Options don't say.
const maxSheets = 10000

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	pkg, err := ooxml.OpenFile(ctx, f, size, o)
	if err != nil {
		return err
	}
	w := &workbook{ctx: ctx, pkg: pkg, sink: sink, part: o.Pages}
	w.begins, _ = sink.(block.PageBeginner)
	return w.parse(o.MaxPages)
}

// workbook is one file being parsed.
type workbook struct {
	ctx    context.Context
	pkg    *ooxml.Package
	sink   block.Sink
	begins block.PageBeginner // nil when the sink isn't one
	part   block.PageRange

	main    string
	sheets  []sheetRef
	strings []string      // that cells share, by index
	formats []grid.Format // of cells, by style
	since04 bool          // days are counted from 1904

	people  map[string]string // who commented, by id; nil before anybody asked
	hidden  []string          // names of sheets that aren't shown
	given   int               // blocks and asides given to the sink
	failed  int               // sheets without text for a fault
	pending int               // formulas that have no result in the file
}

// sheetRef is what the workbook says of a sheet.
type sheetRef struct {
	name   string
	part   string // "" when it isn't there
	hidden bool
}

func (w *workbook) parse(maxPages int) error {
	root, err := w.pkg.Relationships(w.ctx, "")
	if err != nil {
		return err
	}
	if w.main, err = w.pkg.MainPart(root, ooxml.Workbook()); err != nil {
		return err
	}
	rels, err := w.pkg.Relationships(w.ctx, w.main)
	if err != nil {
		return err
	}
	if err := w.contents(rels); err != nil {
		return err
	}
	if maxPages <= 0 {
		maxPages = maxSheets
	}
	if len(w.sheets) > maxPages {
		return block.Errorf(block.CodeTooLarge, "This workbook has more than %d sheets, the most that are taken from one document. Split it into smaller documents.", maxPages)
	}
	meta := w.pkg.Properties(w.ctx, root)
	meta.Pages = len(w.sheets)
	if err := w.sink.Meta(meta); err != nil {
		return err
	}
	if err := w.definitions(rels); err != nil {
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
	if w.pending > 0 {
		notes = append(notes, fmt.Sprintf(block.TextIncomplete+"%d formulas have no result in the file. Open it in a spreadsheet program, save it and send it again.", w.pending))
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

// contents reads which sheets there are. A list that breaks off is used as far
// as it goes.
func (w *workbook) contents(rels []ooxml.Relationship) error {
	byID := make(map[string]string, len(rels))
	for _, r := range rels {
		if !r.External {
			byID[r.ID] = r.Target
		}
	}
	err := w.pkg.Read(w.ctx, w.main, func(x *ooxml.Reader, root ooxml.Token) error {
		if root.Name != "x:workbook" {
			return block.Errorf(block.CodeCorrupt, "This workbook is damaged: its main part is no workbook (it begins with %s).", root.Name)
		}
		return x.Children(func(t ooxml.Token) error {
			switch t.Name {
			case "x:workbookPr":
				w.since04 = isOn(t.Attr("date1904"))
			case "x:sheets":
				return x.Children(func(t ooxml.Token) error {
					if t.Name == "x:sheet" && len(w.sheets) <= maxSheets {
						state := t.Attr("state")
						w.sheets = append(w.sheets, sheetRef{
							name: oneLine(t.Attr("name")), part: byID[t.Attr("r:id")],
							hidden: state == "hidden" || state == "veryHidden",
						})
					}
					return nil
				})
			}
			return nil
		})
	})
	if len(w.sheets) == 0 {
		return err
	}
	return ooxml.Tolerate(w.sink, err, "list of sheets")
}

func isOn(value string) bool { return value == "1" || value == "true" || value == "on" }

// oneLine is text without line breaks and double blanks.
func oneLine(s string) string { return strings.Join(strings.Fields(block.Clean(s)), " ") }

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
	s := &sheet{w: w, n: n, ref: ref}
	err := s.read()
	why, damaged := ooxml.Damage(err)
	switch {
	case errors.Is(err, archive.ErrNoPart):
		why, damaged = "This sheet isn't in the file.", true
	case err != nil && !damaged:
		return err
	}
	switch {
	case damaged && s.given > 0:
		err = w.sink.Warn(block.TextIncomplete + fmt.Sprintf("sheet %q can't be read to its end. %s", ref.name, why))
	case damaged:
		w.failed++
		err = w.sink.PageError(n, why)
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
