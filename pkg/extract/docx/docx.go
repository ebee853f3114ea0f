// Package docx turns Office Open XML text documents (DOCX, DOCM, DOTX) into
// blocks. It streams: of the document's parts only styles and list
// definitions are held, and of the body one paragraph or table row at a time.
package docx

import (
	"context"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// Version changes whenever the output for some file changes.
const Version = "2"

// oleMagic begins the container that Office puts encrypted documents in.
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// Parse reads f and reports its blocks to sink. It is a block.Parser. Pages
// stay 0: a DOCX has none until it is laid out.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	head := make([]byte, len(oleMagic))
	if n, _ := f.ReadAt(head, 0); string(head[:n]) == oleMagic {
		return block.Errorf(block.CodeEncrypted, "This document is encrypted with a password or has an old Office format. Save it without a password, as DOCX.")
	}
	pkg, err := ooxml.OpenFile(ctx, f, size, o)
	if err != nil {
		return err
	}
	d := &document{ctx: ctx, pkg: pkg, sink: sink, notes: map[noteKey]int{}, numbered: map[block.Kind]int{}}
	return d.parse()
}

// document is one file being parsed.
type document struct {
	ctx  context.Context
	pkg  *ooxml.Package
	sink block.Sink

	main   string // name of the main part
	rels   []ooxml.Relationship
	byID   map[string]ooxml.Relationship
	styles styles
	lists  lists

	blocks   int                // of the body, given to the sink
	asides   int                // given to the sink
	notes    map[noteKey]int    // number of each note that the text refers to
	numbered map[block.Kind]int // last number given
	nested   int                // documents within the document (altChunk)
}

func (d *document) parse() error {
	root, err := d.pkg.Relationships(d.ctx, "")
	if err != nil {
		return err
	}
	if d.main, err = d.pkg.MainPart(root, ooxml.Document()); err != nil {
		return err
	}
	if d.rels, err = d.pkg.Relationships(d.ctx, d.main); err != nil {
		return err
	}
	d.byID = make(map[string]ooxml.Relationship, len(d.rels))
	for _, r := range d.rels {
		d.byID[r.ID] = r
	}
	if err := d.definitions(); err != nil {
		return err
	}
	meta := d.pkg.Properties(d.ctx, root)
	if meta.Language == "" {
		meta.Language = d.styles.language
	}
	if err := d.sink.Meta(meta); err != nil {
		return err
	}
	if err := d.body(); err != nil {
		return err
	}
	if err := d.apart(); err != nil {
		return err
	}
	if d.blocks == 0 && d.asides == 0 {
		return block.Errorf(block.CodeNoText, "This document has no text.")
	}
	return d.sink.PageDone(1, 1)
}

// definitions reads styles and lists. Without them the text is still there,
// so damage is only noted.
func (d *document) definitions() error {
	for _, r := range d.rels {
		var err error
		switch {
		case r.External:
		case r.Type == "styles":
			err = d.pkg.Read(d.ctx, r.Target, d.styles.read)
		case r.Type == "numbering":
			err = d.pkg.Read(d.ctx, r.Target, d.lists.read)
		}
		if err := ooxml.Tolerate(d.sink, err, r.Type); err != nil {
			return err
		}
	}
	d.lists.link(d.styles)
	return nil
}

// body reads the main part. Once there is some text, damage further on makes
// the document incomplete, not unreadable.
func (d *document) body() error {
	err := d.pkg.Read(d.ctx, d.main, func(x *ooxml.Reader, root ooxml.Token) error {
		if root.Name != "w:document" {
			return block.Errorf(block.CodeCorrupt, "This document is damaged: its main part is no text document (it begins with %s).", root.Name)
		}
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "w:body" {
				return nil
			}
			return d.story(x, d.put).blocks()
		})
	})
	if d.blocks == 0 {
		return err
	}
	return ooxml.Tolerate(d.sink, err, "text after the part read")
}

// put gives a block of the body to the sink.
func (d *document) put(b block.Block) error {
	d.blocks++
	return d.sink.Block(b)
}

// related is the part that a relationship of the main part leads to.
func (d *document) related(id string) (ooxml.Relationship, bool) {
	r, ok := d.byID[id]
	return r, ok && !r.External
}

// on reads a toggle property such as <w:vanish/>: present means on.
func on(t ooxml.Token) bool {
	switch t.Attr("w:val") {
	case "0", "false", "off", "none":
		return false
	}
	return true
}
