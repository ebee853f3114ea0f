package xlsx

import (
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/grid"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxText bounds one text element; the XML reader's own bound is lower.
	maxText = 64 << 20
	// maxStyles bounds the styles of cells; Excel takes 65,490.
	maxStyles = 1 << 17
)

// definitions reads what cells refer to: strings and number formats.
func (w *workbook) definitions(rels []ooxml.Relationship) error {
	for _, r := range rels {
		var err error
		switch {
		case r.External:
		case r.Type == "sharedStrings":
			err = w.pkg.Read(w.ctx, r.Target, w.sharedStrings)
		case r.Type == "styles":
			err = w.pkg.Read(w.ctx, r.Target, w.styles)
		}
		if err := ooxml.Tolerate(w.sink, err, "list of "+r.Type); err != nil {
			return err
		}
	}
	return nil
}

// sharedStrings reads the texts that cells name by number. The archive bounds
// how much they can be.
func (w *workbook) sharedStrings(x *ooxml.Reader, _ ooxml.Token) error {
	return x.Children(func(t ooxml.Token) error {
		if t.Name != "x:si" {
			return nil
		}
		text, err := richText(x)
		w.strings = append(w.strings, text)
		return err
	})
}

// richText reads an x:si, x:is or x:text: its runs, without reading aids.
func richText(x *ooxml.Reader) (string, error) {
	var parts []string
	var visit func(t ooxml.Token) error
	visit = func(t ooxml.Token) error {
		switch t.Name {
		case "x:t":
			s, err := x.Content(maxText)
			parts = append(parts, s)
			return err
		case "x:r":
			return x.Children(visit)
		}
		return nil
	}
	err := x.Children(visit)
	if len(parts) == 1 {
		return cellText(parts[0]), err
	}
	return cellText(strings.Join(parts, "")), err
}

// cellText cleans a text of the file, in which characters that XML can't hold
// are written as _x000D_.
func cellText(s string) string {
	if strings.Contains(s, "_x") {
		s = escapes.Replace(s)
	}
	return block.Tidy(s)
}

var escapes = strings.NewReplacer("_x000D_", "", "_x000d_", "", "_x000A_", "\n", "_x000a_", "\n", "_x0009_", "\t", "_x005F_", "_", "_x005f_", "_")

// styles reads the number format of each style.
func (w *workbook) styles(x *ooxml.Reader, _ ooxml.Token) error {
	custom := map[int]grid.Format{}
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "x:numFmts":
			return x.Children(func(t ooxml.Token) error {
				if id, err := strconv.Atoi(t.Attr("numFmtId")); err == nil && t.Name == "x:numFmt" && len(custom) < maxStyles {
					custom[id] = grid.FormatOf(t.Attr("formatCode"))
				}
				return nil
			})
		case "x:cellXfs":
			return x.Children(func(t ooxml.Token) error {
				if t.Name != "x:xf" || len(w.formats) >= maxStyles {
					return nil
				}
				id, err := strconv.Atoi(t.Attr("numFmtId"))
				f, ok := custom[id]
				if !ok && err == nil {
					f = grid.Builtin(id)
				}
				w.formats = append(w.formats, f)
				return nil
			})
		}
		return nil
	})
}
