package pptx

import (
	"errors"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

// maxAuthors bounds the writers of comments that are known by name.
const maxAuthors = 10000

// beside reads what belongs to a slide but isn't shown on it.
func (s *slide) beside(rels []ooxml.Relationship) error {
	for _, r := range rels {
		if r.External {
			continue
		}
		var err error
		switch r.Type {
		case "notesSlide":
			err = s.secondary(r.Target, "notes", s.notes)
		case "comments":
			err = s.secondary(r.Target, "comments", s.comments)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// notes reads a notes page: what stands on it but the picture of the slide and
// what all pages have.
func (s *slide) notes(x *ooxml.Reader, _ ooxml.Token) error {
	var lines []string
	var visit func(t ooxml.Token) error
	visit = func(t ooxml.Token) error {
		switch t.Name {
		case "p:grpSp":
			return x.Children(visit)
		case "p:sp":
			var who holder
			return x.Children(func(t ooxml.Token) error {
				var err error
				switch {
				case t.Name == "p:nvSpPr":
					who, err = readHolder(x)
				case t.Name == "p:txBody" && !who.hidden && !who.margin():
					var text string
					p := &paragraphs{x: x}
					text, err = p.flat()
					if text != "" {
						lines = append(lines, text)
					}
				}
				return err
			})
		}
		return nil
	}
	err := x.Children(func(t ooxml.Token) error {
		if t.Name != "p:cSld" {
			return nil
		}
		return tree(x, visit)
	})
	if err := s.d.aside(block.Block{Kind: block.Note, Page: s.n, Text: strings.Join(lines, "\n")}); err != nil {
		return err
	}
	return err
}

// margin reports places of notes pages that hold no notes.
func (h holder) margin() bool {
	switch h.kind {
	case "sldImg", "sldNum", "dt", "ftr", "hdr":
		return true
	}
	return false
}

// commentAuthors reads who wrote comments.
func (d *document) commentAuthors(rels []ooxml.Relationship) error {
	for _, r := range rels {
		if r.External || r.Type != "commentAuthors" && r.Type != "authors" {
			continue
		}
		err := d.pkg.Read(d.ctx, r.Target, func(x *ooxml.Reader, _ ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				if strings.HasSuffix(t.Name, ":cmAuthor") || strings.HasSuffix(t.Name, ":author") {
					if len(d.authors) < maxAuthors {
						d.authors[t.Attr("id")] = strings.Join(strings.Fields(block.Clean(t.Attr("name"))), " ")
					}
				}
				return nil
			})
		})
		if _, damaged := ooxml.Damage(err); err != nil && !damaged && !errors.Is(err, archive.ErrNoPart) {
			return err // names alone are no text
		}
	}
	return nil
}

// comments reads the comments on a slide, in the form of old or of new.
func (s *slide) comments(x *ooxml.Reader, _ ooxml.Token) error {
	var visit func(t ooxml.Token) error
	visit = func(t ooxml.Token) error {
		switch t.Name {
		case "p:cm", "p188:cm", "p188:reply":
		case "p188:replyLst":
			return x.Children(visit)
		default:
			return nil
		}
		author := t.Attr("authorId")
		return x.Children(func(t ooxml.Token) error {
			var text string
			var err error
			switch t.Name {
			case "p:text":
				text, err = x.Content(maxText)
				text = block.Tidy(text)
			case "p188:txBody":
				p := &paragraphs{x: x}
				text, err = p.flat()
			case "p188:replyLst":
				return x.Children(visit)
			}
			if err != nil {
				return err
			}
			return s.d.aside(block.Block{Kind: block.Comment, Page: s.n, Label: s.d.authors[author], Text: text})
		})
	}
	return x.Children(visit)
}
