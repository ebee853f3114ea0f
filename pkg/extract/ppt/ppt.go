// Package ppt turns PowerPoint 97-2003 presentations (PPT, PPS, POT) into
// blocks ([MS-PPT]): a slide is a page, its title a heading, and what stands on
// it comes in the order in which it is read (package arrange). Speaker notes,
// comments and footers are asides.
//
// A presentation is one stream of records, nested like XML, in an OLE container.
// Each time it was saved some were appended: the stream Current User says which
// edit is the last one, and a table of each edit which record is where. The
// stream is held, pictures are in another one.
package ppt

import (
	"context"
	"os"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ole"
)

// Version changes whenever the output for some file changes.
const Version = "1"

const (
	// maxStream bounds the presentation's stream, which is held, in bytes.
	maxStream = 128 << 20
	// maxSlides bounds the slides of a presentation when Options don't say.
	maxSlides = 20000
	// maxNesting bounds how deep records stand in one another; those of PowerPoint stay below 20.
	maxNesting = 64
)

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	d := &document{ctx: ctx, sink: sink, part: o.Pages, nesting: maxNesting, said: map[string]bool{}}
	if o.MaxNesting > 0 {
		d.nesting = min(o.MaxNesting, maxNesting)
	}
	d.begins, _ = sink.(block.PageBeginner)
	if err := d.open(f, size); err != nil {
		return err
	}
	return d.parse(o.MaxPages)
}

// document is one file being parsed.
type document struct {
	ctx     context.Context
	sink    block.Sink
	begins  block.PageBeginner // nil when the sink isn't one
	part    block.PageRange
	nesting int

	data    ole.Bytes   // the stream
	persist map[int]int // place of records, by the number that others know them by
	slides  []slideRef
	notes   map[int]ole.Bytes // notes pages, by the number of the slide
	margin  ole.Bytes         // the record in which headers and footers of all slides are
	said    map[string]bool   // asides that the slides share

	hidden []string // numbers of slides that aren't shown
	given  int      // blocks and asides given to the sink
	failed int      // slides without text for a fault
	deep   bool     // records were nested deeper than is read
}

// slideRef is what the list of slides says of one.
type slideRef struct {
	persist int
	id      int
	texts   []text // in places of the layout, which the slide may refer to
}

// open reads the streams of the container.
func (d *document) open(f *os.File, size int64) error {
	box, err := ole.Open(f, size)
	if err != nil {
		return err
	}
	name := "PowerPoint Document"
	if box.Has("PP97_DUALSTORAGE/" + name) { // of PowerPoint 95 and 97 in one
		name = "PP97_DUALSTORAGE/" + name
	}
	if box.Size(name) > maxStream {
		return block.Errorf(block.CodeTooLarge, "This presentation has more than %d MiB beside its pictures. Split it into smaller documents.", maxStream>>20)
	}
	d.data = box.Stream(name, maxStream)
	user := box.Stream(strings.TrimSuffix(name, "PowerPoint Document")+"Current User", 4096)
	const isEncrypted = 0xf3d1c4df
	if user.U32(12) == isEncrypted || box.Has("EncryptedSummary") {
		return encrypted()
	}
	meta := ole.Summary(box.Stream("\x05SummaryInformation", 1<<20))
	if err := d.directory(user.U32(16)); err != nil {
		return err
	}
	meta.Pages = len(d.slides)
	return d.sink.Meta(meta)
}

func encrypted() error {
	return block.Errorf(block.CodeEncrypted, "This presentation is encrypted with a password. Save it without one, as PPTX.")
}

func (d *document) parse(maxPages int) error {
	if maxPages <= 0 {
		maxPages = maxSlides
	}
	if len(d.slides) > maxPages {
		return block.Errorf(block.CodeTooLarge, "This presentation has more than %d slides, the most that are taken from one document. Split it into smaller documents.", maxPages)
	}
	for n := range d.slides {
		if err := d.page(n + 1); err != nil {
			return err
		}
	}
	err := each(d.margin, func(r record) error {
		if r.kind != recHeadersFooter || r.instance != 3 || d.part.From > 1 { // 4 are those of notes
			return nil
		}
		return d.margins(r.data, 0)
	})
	if err != nil {
		return err
	}
	return d.verdict()
}

// verdict ends a presentation whose slides are all read.
func (d *document) verdict() error {
	var notes []string
	switch {
	case len(d.hidden) == 1:
		notes = append(notes, "slide "+d.hidden[0]+" is hidden: it isn't shown when the presentation runs; its text is here")
	case len(d.hidden) > 1:
		notes = append(notes, "slides "+strings.Join(d.hidden, ", ")+" are hidden: they aren't shown when the presentation runs; their text is here")
	}
	if d.deep {
		notes = append(notes, block.TextIncomplete+"shapes that are grouped more than "+strconv.Itoa(d.nesting)+" levels deep were not read")
	}
	for _, n := range notes {
		if err := d.sink.Warn(n); err != nil {
			return err
		}
	}
	switch {
	case d.given > 0 || d.part.From > 1:
		return nil
	case d.failed > 0:
		return block.Errorf(block.CodeCorrupt, "This presentation is damaged: none of its slides can be read. Save it again and send it again.")
	}
	return block.Errorf(block.CodeNoText, "This presentation has no text.")
}

// page reads slide n. What is wrong with it alone doesn't keep the others.
func (d *document) page(n int) error {
	if err := d.ctx.Err(); err != nil {
		return err
	}
	if n < d.part.From || d.part.Skips(n) {
		return d.sink.PageDone(n, len(d.slides))
	}
	if d.begins != nil {
		if err := d.begins.PageBegins(n); err != nil {
			return err
		}
	}
	s := &slide{d: d, n: n, ref: d.slides[n-1]}
	there, err := s.read()
	if err != nil {
		return err
	}
	if !there && s.given == 0 {
		d.failed++
		if err := d.sink.PageError(n, "This slide is damaged or isn't in the file."); err != nil {
			return err
		}
	}
	return d.sink.PageDone(n, len(d.slides))
}

// aside gives the sink what stands apart from the slides.
func (d *document) aside(b block.Block) error {
	if b.Text == "" {
		return nil
	}
	d.given++
	return d.sink.Aside(b)
}

// asideOnce is aside for what slides repeat.
func (d *document) asideOnce(b block.Block) error {
	key := string(b.Kind) + " " + b.Text
	if len(key) > 4096 || d.said[key] || len(d.said) > 10000 {
		return nil
	}
	d.said[key] = true
	return d.aside(b)
}
