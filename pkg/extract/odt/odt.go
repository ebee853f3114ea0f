// Package odt turns OpenDocument texts (ODT, OTT) into blocks: the body with
// its headings, lists and tables; notes, comments, text boxes, headers and
// footers stand apart.
package odt

import (
	"context"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/odf"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0: a text document has none until it is laid out.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	p, err := odf.Open(ctx, f, size, o)
	if err != nil {
		return err
	}
	d := &document{pkg: p, sink: sink, said: map[string]bool{}}
	d.text = odf.NewText(d.aside)
	return d.parse()
}

// document is one file being parsed.
type document struct {
	pkg  *odf.Package
	sink block.Sink
	text *odf.Text
	said map[string]bool // headers and footers that pages share

	blocks int // of the body, given to the sink
	asides int // given to the sink
}

func (d *document) parse() error {
	meta, err := d.pkg.Metadata()
	if err != nil {
		return err
	}
	if err := d.sink.Meta(meta); err != nil {
		return err
	}
	if err := odf.Tolerate(d.pkg.Read("styles.xml", d.text.StylesPart), "styles of the document", d.sink); err != nil {
		return err
	}
	err = d.pkg.Body(d.text, func(x *ooxml.Reader, _ ooxml.Token) error {
		return d.text.Story(x, d.put).Blocks()
	}, "office:text")
	if d.blocks+d.asides > 0 {
		err = odf.Tolerate(err, "text after the part read", d.sink)
	}
	if err != nil {
		return err
	}
	if err := odf.Tolerate(d.pkg.Read("styles.xml", d.margins), "headers and footers", d.sink); err != nil {
		return err
	}
	if d.blocks == 0 && d.asides == 0 {
		return block.Errorf(block.CodeNoText, "This document has no text.")
	}
	return d.sink.PageDone(1, 1)
}

// put gives a block of the body to the sink.
func (d *document) put(b block.Block) error {
	d.blocks++
	return d.sink.Block(b)
}

// aside gives the sink what stands apart from the body.
func (d *document) aside(b block.Block) error {
	d.asides++
	return d.sink.Aside(b)
}

// margins reads headers and footers, each text once.
func (d *document) margins(x *ooxml.Reader, _ ooxml.Token) error {
	return x.Children(func(t ooxml.Token) error {
		if t.Name != "office:master-styles" {
			return nil
		}
		return x.Children(func(t ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				kind := block.Header
				switch t.Name {
				case "style:header", "style:header-left", "style:header-first":
				case "style:footer", "style:footer-left", "style:footer-first":
					kind = block.Footer
				default:
					return nil
				}
				if t.Attr("style:display") == "false" {
					return nil
				}
				text, err := d.text.Story(x, nil).Flat()
				if key := string(kind) + text; len(key) < 4096 && !d.said[key] && len(d.said) < 1000 {
					d.said[key] = true
					if err := d.text.Aside(block.Block{Kind: kind, Text: text}); err != nil {
						return err
					}
				}
				return err
			})
		})
	})
}
