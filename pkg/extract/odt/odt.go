// Package odt turns OpenDocument texts (ODT, OTT) into blocks. It streams: of
// the document's parts only styles are held, and of the body one paragraph or
// table row at a time.
package odt

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0: a text document has none until it is laid out.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	a, err := archive.Open(f, size, archive.LimitsOf(o))
	if err != nil {
		return err
	}
	d := &document{ctx: ctx, archive: a, sink: sink, styles: map[string]style{}, lists: map[string]listStyle{}, said: map[string]bool{}}
	return d.parse()
}

// document is one file being parsed.
type document struct {
	ctx     context.Context
	archive *archive.Archive
	sink    block.Sink

	styles  map[string]style // of paragraphs and text, by name
	lists   map[string]listStyle
	outline listStyle // numbers of headings
	heads   counters
	running map[string]*counters // of lists, by style and by id
	notes   int                  // notes so far, for those that have no mark
	said    map[string]bool      // headers and footers that pages share

	blocks int // of the body, given to the sink
	asides int // given to the sink
}

func (d *document) parse() error {
	if err := d.encrypted(); err != nil {
		return err
	}
	if !d.archive.Has("content.xml") {
		return block.Errorf(block.CodeCorrupt, "This document is damaged: it has no content.xml.")
	}
	meta, err := d.metadata()
	if err != nil {
		return err
	}
	if err := d.sink.Meta(meta); err != nil {
		return err
	}
	if err := d.tolerate(d.read("styles.xml", d.stylesPart), "styles of the document"); err != nil {
		return err
	}
	d.running = map[string]*counters{}
	err = d.read("content.xml", d.content)
	if d.blocks+d.asides > 0 {
		err = d.tolerate(err, "text after the part read")
	}
	if err != nil {
		return err
	}
	if err := d.tolerate(d.read("styles.xml", d.margins), "headers and footers"); err != nil {
		return err
	}
	if d.blocks == 0 && d.asides == 0 {
		return block.Errorf(block.CodeNoText, "This document has no text.")
	}
	return d.sink.PageDone(1, 1)
}

// read opens a part and hands its root element to visit.
func (d *document) read(part string, visit func(*ooxml.Reader, ooxml.Token) error) error {
	rc, err := d.archive.Part(part)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	x := ooxml.NewReader(d.ctx, rc)
	x.BoundDepth(d.archive.Limits().Nesting)
	for {
		t, err := x.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case t.Kind == ooxml.Start:
			return visit(x, t)
		}
	}
}

// tolerate turns damage in a secondary part into a warning.
func (d *document) tolerate(err error, what string) error {
	var e *block.Error
	switch {
	case err == nil || errors.Is(err, archive.ErrNoPart):
		return nil
	case errors.As(err, &e) && e.Code == block.CodeCorrupt:
		return d.sink.Warn(block.TextIncomplete + "the " + what + " can't be read. " + e.Message)
	}
	return err
}

// ignore leaves out damage where there is no text.
func ignore(err error) error {
	var e *block.Error
	if errors.Is(err, archive.ErrNoPart) || errors.As(err, &e) && e.Code == block.CodeCorrupt {
		return nil
	}
	return err
}

// encrypted looks into the manifest for whether content.xml is.
func (d *document) encrypted() error {
	found := false
	err := d.read("META-INF/manifest.xml", func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			if path := t.Attr("manifest:full-path"); path != "content.xml" && path != "encrypted-package" {
				return nil
			}
			return x.Children(func(t ooxml.Token) error {
				found = found || t.Name == "manifest:encryption-data"
				return nil
			})
		})
	})
	if found {
		return block.Errorf(block.CodeEncrypted, "This document is encrypted with a password. Save it without one.")
	}
	return ignore(err)
}

func (d *document) metadata() (block.Metadata, error) {
	var m block.Metadata
	author := ""
	err := d.read("meta.xml", func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				name := t.Name
				if name == "meta:document-statistic" {
					m.Pages = count(t.Attr("meta:page-count"), 0, 1<<20)
					return nil
				}
				v, err := x.Content(4096)
				v = oneLine(v)
				switch name {
				case "dc:title":
					m.Title = v
				case "meta:initial-creator":
					m.Author = v
				case "dc:creator":
					author = v
				case "dc:language":
					m.Language = v
				case "meta:creation-date":
					m.Created = ooxml.Time(v)
				case "dc:date":
					m.Modified = ooxml.Time(v)
				}
				return err
			})
		})
	})
	if m.Author == "" {
		m.Author = author
	}
	return m, ignore(err)
}

func oneLine(s string) string { return strings.Join(strings.Fields(block.Clean(s)), " ") }

// count reads a number of the file, at least low and at most high.
func count(s string, low, high int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return low
	}
	return min(max(n, low), high)
}

// content reads content.xml.
func (d *document) content(x *ooxml.Reader, root ooxml.Token) error {
	if root.Name != "office:document-content" && root.Name != "office:document" {
		return block.Errorf(block.CodeCorrupt, "This document is damaged: its content.xml is no text document (it begins with %s).", root.Name)
	}
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "office:automatic-styles":
			return d.styleList(x)
		case "office:body":
			return x.Children(func(t ooxml.Token) error {
				if t.Name != "office:text" && t.Name != "office:drawing" && t.Name != "office:presentation" && t.Name != "office:spreadsheet" {
					return nil
				}
				return d.story(x, d.put).blocks()
			})
		}
		return nil
	})
}

// put gives a block of the body to the sink.
func (d *document) put(b block.Block) error {
	d.blocks++
	return d.sink.Block(b)
}

// aside gives the sink what stands apart from the body.
func (d *document) aside(b block.Block) error {
	if b.Text == "" {
		return nil
	}
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
				text, err := d.story(x, nil).flat()
				if key := string(kind) + text; len(key) < 4096 && !d.said[key] && len(d.said) < 1000 {
					d.said[key] = true
					if err := d.aside(block.Block{Kind: kind, Text: text}); err != nil {
						return err
					}
				}
				return err
			})
		})
	})
}
