// Package pptx turns Office Open XML presentations (PPTX, PPTM, PPSX, POTX)
// into blocks: a slide is a page, its title a heading, and what stands on it
// comes in the order in which it is read: from top to bottom and column by
// column as far as gaps part the shapes, else in the order of the file.
//
// Text of masters and layouts that isn't a prompt, footers, speaker notes and
// comments are asides. One slide at a time is held, as far as it must be to be
// put into order.
package pptx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// maxSlides bounds the slides of a presentation when Options don't say.
const maxSlides = 20000

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	pkg, err := ooxml.OpenFile(ctx, f, size, o)
	if err != nil {
		return err
	}
	d := &document{ctx: ctx, pkg: pkg, sink: sink, part: o.Pages, layouts: map[string]*layout{}, said: map[string]bool{}, authors: map[string]string{}}
	d.begins, _ = sink.(block.PageBeginner)
	return d.parse(o.MaxPages)
}

// document is one file being parsed.
type document struct {
	ctx    context.Context
	pkg    *ooxml.Package
	sink   block.Sink
	begins block.PageBeginner // nil when the sink isn't one
	part   block.PageRange

	main    string
	slides  []string // parts, in the order in which they are shown; "" for one that isn't there
	layouts map[string]*layout
	authors map[string]string // of comments, by id
	said    map[string]bool   // asides that the slides repeat

	hidden []string // numbers of slides that aren't shown
	given  int      // blocks and asides given to the sink
	failed int      // slides without text for a fault
}

func (d *document) parse(maxPages int) error {
	root, err := d.pkg.Relationships(d.ctx, "")
	if err != nil {
		return err
	}
	if d.main, err = d.pkg.MainPart(root, ooxml.Presentation()); err != nil {
		return err
	}
	rels, err := d.pkg.Relationships(d.ctx, d.main)
	if err != nil {
		return err
	}
	if err := d.order(rels); err != nil {
		return err
	}
	if maxPages <= 0 {
		maxPages = maxSlides
	}
	if len(d.slides) > maxPages {
		return block.Errorf(block.CodeTooLarge, "This presentation has more than %d slides, the most that are taken from one document. Split it into smaller documents.", maxPages)
	}
	meta := d.pkg.Properties(d.ctx, root)
	meta.Pages = len(d.slides)
	if err := d.sink.Meta(meta); err != nil {
		return err
	}
	if err := d.commentAuthors(rels); err != nil {
		return err
	}
	for n := range d.slides {
		if err := d.page(n + 1); err != nil {
			return err
		}
	}
	return d.verdict()
}

// verdict ends a presentation whose slides are all read.
func (d *document) verdict() error {
	switch {
	case len(d.hidden) == 1:
		if err := d.sink.Warn("slide " + d.hidden[0] + " is hidden: it isn't shown when the presentation runs; its text is here"); err != nil {
			return err
		}
	case len(d.hidden) > 1:
		if err := d.sink.Warn("slides " + strings.Join(d.hidden, ", ") + " are hidden: they aren't shown when the presentation runs; their text is here"); err != nil {
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

// order reads which slides there are. A list that breaks off is used as far as
// it goes.
func (d *document) order(rels []ooxml.Relationship) error {
	byID := targets(rels)
	err := d.pkg.Read(d.ctx, d.main, func(x *ooxml.Reader, root ooxml.Token) error {
		if root.Name != "p:presentation" {
			return block.Errorf(block.CodeCorrupt, "This presentation is damaged: its main part is no presentation (it begins with %s).", root.Name)
		}
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "p:sldIdLst" {
				return nil
			}
			return x.Children(func(t ooxml.Token) error {
				if t.Name == "p:sldId" && len(d.slides) <= maxSlides {
					d.slides = append(d.slides, byID[t.Attr("r:id")])
				}
				return nil
			})
		})
	})
	if len(d.slides) == 0 {
		return err
	}
	return ooxml.Tolerate(d.sink, err, "list of slides")
}

// targets are the parts that relationships lead to, by id.
func targets(rels []ooxml.Relationship) map[string]string {
	m := make(map[string]string, len(rels))
	for _, r := range rels {
		if !r.External {
			m[r.ID] = r.Target
		}
	}
	return m
}

// page reads slide n. What is wrong with it alone doesn't keep the others.
func (d *document) page(n int) error {
	if n < d.part.From || d.part.Skips(n) {
		return d.sink.PageDone(n, len(d.slides))
	}
	if d.begins != nil {
		if err := d.begins.PageBegins(n); err != nil {
			return err
		}
	}
	s := &slide{d: d, n: n, name: d.slides[n-1]}
	err := s.read()
	why, damaged := ooxml.Damage(err)
	switch {
	case errors.Is(err, archive.ErrNoPart):
		why, damaged = "This slide isn't in the file.", true
	case err != nil && !damaged:
		return err
	}
	if err := s.flush(); err != nil {
		return err
	}
	switch {
	case damaged && s.given > 0:
		err = d.sink.Warn(block.TextIncomplete + fmt.Sprintf("slide %d can't be read to its end. %s", n, why))
	case damaged:
		d.failed++
		err = d.sink.PageError(n, why)
	}
	if err != nil {
		return err
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
