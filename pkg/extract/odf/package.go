package odf

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

// Package is an open OpenDocument file.
type Package struct {
	ctx     context.Context
	archive *archive.Archive
}

// Open reads the directory of the container and its manifest. An error is a
// *block.Error (corrupt, bomb, encrypted) or comes from reading f.
func Open(ctx context.Context, f *os.File, size int64, o block.Options) (*Package, error) {
	a, err := archive.Open(f, size, archive.LimitsOf(o))
	if err != nil {
		return nil, err
	}
	p := &Package{ctx: ctx, archive: a}
	if err := p.encrypted(); err != nil {
		return nil, err
	}
	if !a.Has("content.xml") {
		return nil, block.Errorf(block.CodeCorrupt, "This document is damaged: it has no content.xml.")
	}
	return p, nil
}

// Has reports whether there is a part of that name.
func (p *Package) Has(part string) bool { return p.archive.Has(part) }

// Read opens a part and hands its root element to visit.
func (p *Package) Read(part string, visit func(*ooxml.Reader, ooxml.Token) error) error {
	rc, err := p.archive.Part(part)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	x := ooxml.NewReader(p.ctx, rc)
	x.BoundDepth(p.archive.Limits().Nesting)
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

// Body reads content.xml: its styles into text, and what is below the body's
// element of one of these names with visit.
func (p *Package) Body(text *Text, visit func(x *ooxml.Reader, t ooxml.Token) error, names ...string) error {
	return p.Read("content.xml", func(x *ooxml.Reader, root ooxml.Token) error {
		if root.Name != "office:document-content" && root.Name != "office:document" {
			return block.Errorf(block.CodeCorrupt, "This document is damaged: its content.xml is no document (it begins with %s).", root.Name)
		}
		return x.Children(func(t ooxml.Token) error {
			switch t.Name {
			case "office:automatic-styles":
				return text.Styles(x)
			case "office:body":
				return x.Children(func(t ooxml.Token) error {
					for _, n := range names {
						if t.Name == n {
							return visit(x, t)
						}
					}
					return nil
				})
			}
			return nil
		})
	})
}

// Tolerate turns damage in a secondary part into a warning.
func Tolerate(err error, what string, sink block.Sink) error {
	switch {
	case err == nil || errors.Is(err, archive.ErrNoPart):
		return nil
	case Damaged(err):
		return sink.Warn(block.TextIncomplete + "the " + what + " can't be read. " + err.Error())
	}
	return err
}

// Damaged tells what is wrong with one part from what ends the parse.
func Damaged(err error) bool {
	var e *block.Error
	return errors.As(err, &e) && e.Code == block.CodeCorrupt
}

// ignore leaves out damage where there is no text.
func ignore(err error) error {
	if errors.Is(err, archive.ErrNoPart) || Damaged(err) {
		return nil
	}
	return err
}

// encrypted looks into the manifest for whether content.xml is.
func (p *Package) encrypted() error {
	found := false
	err := p.Read("META-INF/manifest.xml", func(x *ooxml.Reader, _ ooxml.Token) error {
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

// Metadata reads meta.xml. Pages are those that a text had when it was saved.
func (p *Package) Metadata() (block.Metadata, error) {
	var m block.Metadata
	author := ""
	err := p.Read("meta.xml", func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				name := t.Name
				if name == "meta:document-statistic" {
					m.Pages = Count(t.Attr("meta:page-count"), 0, 1<<20)
					return nil
				}
				v, err := x.Content(4096)
				v = OneLine(v)
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

// OneLine is text without line breaks and double blanks.
func OneLine(s string) string { return strings.Join(strings.Fields(block.Clean(s)), " ") }

// Count reads a number of the file, at least low and at most high; low when it
// is none.
func Count(s string, low, high int) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		return low
	}
	return min(max(n, low), high)
}
