// Package odp turns OpenDocument presentations (ODP, OTP) into blocks: a slide
// is a page, its title a heading, and what stands on it comes in the order in
// which it is read (package arrange). Speaker notes, comments, footers and text
// of masters that is no prompt are asides. One slide at a time is held.
package odp

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/odf"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// maxSlides bounds the slides of a presentation when Options don't say.
const maxSlides = 20000

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	p, err := odf.Open(ctx, f, size, o)
	if err != nil {
		return err
	}
	d := &document{pkg: p, sink: sink, part: o.Pages, maxSlides: o.MaxPages, said: map[string]bool{}}
	if d.maxSlides <= 0 {
		d.maxSlides = maxSlides
	}
	d.begins, _ = sink.(block.PageBeginner)
	d.text = odf.NewText(d.aside)
	return d.parse()
}

// document is one file being parsed.
type document struct {
	pkg       *odf.Package
	sink      block.Sink
	begins    block.PageBeginner // nil when the sink isn't one
	part      block.PageRange
	maxSlides int
	text      *odf.Text
	said      map[string]bool // asides that the slides share

	slides int      // begun so far
	charts int      // read so far
	hidden []string // numbers of slides that aren't shown
	given  int      // blocks and asides given to the sink
}

func (d *document) parse() error {
	meta, err := d.pkg.Metadata()
	if err != nil {
		return err
	}
	meta.Pages = 0
	if err := d.sink.Meta(meta); err != nil {
		return err
	}
	if err := odf.Tolerate(d.pkg.Read("styles.xml", d.text.StylesPart), "styles of the presentation", d.sink); err != nil {
		return err
	}
	err = d.pkg.Body(d.text, d.pages, "office:presentation", "office:drawing")
	if d.given > 0 {
		err = odf.Tolerate(err, "rest of the presentation", d.sink)
	}
	if err != nil {
		return err
	}
	if d.part.From <= 1 {
		if err := odf.Tolerate(d.pkg.Read("styles.xml", d.masters), "masters of the slides", d.sink); err != nil {
			return err
		}
	}
	meta.Pages = d.slides
	if err := d.sink.Meta(meta); err != nil {
		return err
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
	if d.given > 0 || d.part.From > 1 {
		return nil
	}
	return block.Errorf(block.CodeNoText, "This presentation has no text.")
}

// pages reads the slides, and the footers that they share.
func (d *document) pages(x *ooxml.Reader, _ ooxml.Token) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "presentation:footer-decl", "presentation:header-decl":
			kind := block.Footer
			if t.Name == "presentation:header-decl" {
				kind = block.Header
			}
			text, err := x.Content(64 << 10)
			if err != nil {
				return err
			}
			return d.asideOnce(block.Block{Kind: kind, Text: block.Tidy(text)})
		case "draw:page":
			return d.page(x, t)
		}
		return nil
	})
}

// page reads the slide whose draw:page was started last.
func (d *document) page(x *ooxml.Reader, t ooxml.Token) error {
	d.slides++
	n := d.slides
	if n > d.maxSlides {
		return block.Errorf(block.CodeTooLarge, "This presentation has more than %d slides, the most that are taken from one document. Split it into smaller documents.", d.maxSlides)
	}
	if n < d.part.From || d.part.Skips(n) {
		return d.sink.PageDone(n, n)
	}
	if d.begins != nil {
		if err := d.begins.PageBegins(n); err != nil {
			return err
		}
	}
	if d.text.Hidden("drawing-page", t.Attr("draw:style-name")) && len(d.hidden) < 1000 {
		d.hidden = append(d.hidden, strconv.Itoa(n))
	}
	s := &slide{d: d, x: x, n: n}
	err := x.Children(s.shape)
	if flushed := s.flush(); flushed != nil {
		return flushed
	}
	if err != nil {
		return err
	}
	for _, part := range s.objects {
		if err := odf.Tolerate(d.chart(part, n), fmt.Sprintf("chart on slide %d", n), d.sink); err != nil {
			return err
		}
	}
	return d.sink.PageDone(n, n)
}

// put gives a block of the body to the sink.
func (d *document) put(b block.Block) error {
	d.given++
	return d.sink.Block(b)
}

// aside gives the sink what stands apart from the slides.
func (d *document) aside(b block.Block) error {
	d.given++
	if b.Page == 0 {
		b.Page = d.slides
	}
	return d.sink.Aside(b)
}

// asideOnce is for what slides share. It is of no slide.
func (d *document) asideOnce(b block.Block) error {
	key := string(b.Kind) + " " + b.Text
	if b.Text == "" || len(key) > 4096 || d.said[key] || len(d.said) > 10000 {
		return nil
	}
	d.said[key] = true
	d.given++
	return d.sink.Aside(b)
}

// masters reads the text that stands on master pages and is no prompt.
func (d *document) masters(x *ooxml.Reader, _ ooxml.Token) error {
	return x.Children(func(t ooxml.Token) error {
		if t.Name != "office:master-styles" {
			return nil
		}
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "style:master-page" {
				return nil
			}
			return x.Children(func(t ooxml.Token) error {
				if !strings.HasPrefix(t.Name, "draw:") || t.Attr("presentation:class") != "" {
					return nil
				}
				text, err := textOf(d.text, x)
				if err != nil {
					return err
				}
				return d.asideOnce(block.Block{Kind: block.TextBox, Text: text})
			})
		})
	})
}
