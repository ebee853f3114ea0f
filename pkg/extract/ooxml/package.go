package ooxml

import (
	"context"
	"errors"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Package is an open Office Open XML container.
type Package struct {
	*archive.Archive
	types map[string]string // part name or ".extension" in lower case -> content type
}

// Relationship points from one part to another or to something outside.
type Relationship struct {
	ID     string
	Type   string // last element of the type URI: "styles", "footnotes", "hyperlink"
	Target string // part name, or the URI when External
	// External targets are never followed.
	External bool
}

const (
	maxRelationships = 20000
	maxTypes         = 20000
	maxProperty      = 4096 // bytes of one document property
)

// Open reads the content types of a container. Without them it isn't one: the
// error is corrupt then.
func Open(ctx context.Context, a *archive.Archive) (*Package, error) {
	p := &Package{Archive: a, types: map[string]string{}}
	err := p.Read(ctx, "[Content_Types].xml", func(x *Reader, t Token) error {
		switch t.Name {
		case "ct:Types":
			return x.Children(func(t Token) error {
				if len(p.types) >= maxTypes {
					return nil
				}
				switch t.Name {
				case "ct:Override":
					p.types[partName(t.Attr("PartName"))] = t.Attr("ContentType")
				case "ct:Default":
					p.types["."+strings.ToLower(t.Attr("Extension"))] = t.Attr("ContentType")
				}
				return nil
			})
		}
		return nil
	})
	if errors.Is(err, archive.ErrNoPart) {
		return nil, block.Errorf(block.CodeCorrupt, "This file is no Office document: it is a zip archive without a list of contents ([Content_Types].xml).")
	}
	return p, err
}

func partName(name string) string {
	return strings.ToLower(strings.TrimPrefix(path.Clean("/"+strings.ReplaceAll(name, `\`, "/")), "/"))
}

// ContentType of a part, "" when the container doesn't say.
func (p *Package) ContentType(part string) string {
	part = partName(part)
	if t, ok := p.types[part]; ok {
		return t
	}
	return p.types[strings.ToLower(path.Ext(part))]
}

// Read opens a part and hands its root element to visit. The error is
// archive.ErrNoPart, visit's, or one of Reader.Next.
func (p *Package) Read(ctx context.Context, part string, visit func(*Reader, Token) error) error {
	rc, err := p.Part(part)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	x := NewReader(ctx, rc)
	x.BoundDepth(p.Limits().Nesting)
	for {
		t, err := x.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case t.Kind == Start:
			return visit(x, t)
		}
	}
}

// Relationships of a part, "" for those of the whole package. None at all is
// no error.
func (p *Package) Relationships(ctx context.Context, part string) ([]Relationship, error) {
	dir, base := path.Split(partName(part))
	var rels []Relationship
	err := p.Read(ctx, dir+"_rels/"+base+".rels", func(x *Reader, _ Token) error {
		return x.Children(func(t Token) error {
			if t.Name != "rel:Relationship" || len(rels) >= maxRelationships {
				return nil
			}
			r := Relationship{
				ID:       t.Attr("Id"),
				Type:     path.Base(t.Attr("Type")),
				Target:   t.Attr("Target"),
				External: strings.EqualFold(t.Attr("TargetMode"), "External"),
			}
			if !r.External {
				r.Target = resolve(dir, r.Target)
			}
			rels = append(rels, r)
			return nil
		})
	})
	if errors.Is(err, archive.ErrNoPart) {
		err = nil
	}
	return rels, err
}

// resolve makes a part name of a relationship's target.
func resolve(dir, target string) string {
	if i := strings.IndexByte(target, '#'); i >= 0 {
		target = target[:i]
	}
	if plain, err := url.PathUnescape(target); err == nil {
		target = plain
	}
	if !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, `\`) {
		target = dir + target
	}
	return partName(target)
}

// Properties reads what core.xml and app.xml say. Damage in them is passed
// over: they are not the document.
func (p *Package) Properties(ctx context.Context, rels []Relationship) block.Metadata {
	var m block.Metadata
	for _, r := range rels {
		switch r.Type {
		case "core-properties", "coreProperties", "extended-properties", "extendedProperties":
			_ = p.Read(ctx, r.Target, func(x *Reader, _ Token) error {
				return x.Children(func(t Token) error { return property(x, t, &m) })
			})
		}
	}
	return m
}

func property(x *Reader, t Token, m *block.Metadata) error {
	name := t.Name
	switch name {
	case "dc:title", "dc:creator", "dc:language", "dcterms:created", "dcterms:modified", "ep:Pages":
	default:
		return nil
	}
	v, err := x.Content(maxProperty)
	if err != nil {
		return err
	}
	v = strings.Join(strings.Fields(block.Clean(v)), " ")
	switch name {
	case "dc:title":
		m.Title = v
	case "dc:creator":
		m.Author = v
	case "dc:language":
		m.Language = v
	case "dcterms:created":
		m.Created = Time(v)
	case "dcterms:modified":
		m.Modified = Time(v)
	case "ep:Pages":
		m.Pages = number(v)
	}
	return nil
}

func number(s string) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' || n > 1e6 {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// Time reads a W3CDTF date, with the liberties that writers take; nil when it
// is none.
func Time(s string) *time.Time {
	for _, layout := range []string{
		time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
		"2006-01-02T15:04:05.999999999Z0700", "2006-01-02 15:04:05", "2006-01-02", "2006-01", "2006",
	} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 1 {
			t = t.UTC()
			return &t
		}
	}
	return nil
}
