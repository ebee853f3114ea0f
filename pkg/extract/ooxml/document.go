package ooxml

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/archive"
	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Family is one of the three kinds of Office document.
type Family struct {
	Name   string // what people call one: "workbook"
	Kind   string // the same, told from the others: "text document"
	Main   string // the usual name of its main part
	Markup string // that its content type has in it: "spreadsheetml"
}

// Document is the family of DOCX.
func Document() Family {
	return Family{"document", "text document", "word/document.xml", "wordprocessingml"}
}

// Presentation is the family of PPTX.
func Presentation() Family {
	return Family{"presentation", "presentation", "ppt/presentation.xml", "presentationml"}
}

// Workbook is the family of XLSX.
func Workbook() Family {
	return Family{"workbook", "workbook", "xl/workbook.xml", "spreadsheetml"}
}

// OpenFile opens a container within the limits of a parse.
func OpenFile(ctx context.Context, f *os.File, size int64, o block.Options) (*Package, error) {
	a, err := archive.Open(f, size, archive.LimitsOf(o))
	if err != nil {
		return nil, err
	}
	return Open(ctx, a)
}

// MainPart finds the main part: by the package's relationships, else under
// its usual name. The error is corrupt when there is none, and unsupported when
// it is that of another family.
func (p *Package) MainPart(root []Relationship, f Family) (string, error) {
	main := f.Main
	for _, r := range root {
		if r.Type == "officeDocument" && p.Has(r.Target) {
			main = r.Target
			break
		}
	}
	if !p.Has(main) {
		return "", block.Errorf(block.CodeCorrupt, "This %s is damaged: it has no main part.", f.Name)
	}
	t := p.ContentType(main)
	for _, other := range []Family{Document(), Presentation(), Workbook()} {
		if other != f && strings.Contains(t, other.Markup) {
			return "", block.Errorf(block.CodeUnsupported, "This is an Office document, but not a %s (%s).", f.Kind, t)
		}
	}
	return main, nil
}

// Tolerate turns damage in a secondary part into a warning; a part that isn't
// there is none.
func Tolerate(sink block.Sink, err error, what string) error {
	if why, ok := Damage(err); ok {
		return sink.Warn(block.TextIncomplete + "the " + what + " can't be read. " + why)
	}
	if errors.Is(err, archive.ErrNoPart) {
		return nil
	}
	return err
}

// Damage tells what is wrong with one part from what ends the parse.
func Damage(err error) (why string, ok bool) {
	var e *block.Error
	if errors.As(err, &e) && e.Code == block.CodeCorrupt {
		return e.Message, true
	}
	return "", false
}
