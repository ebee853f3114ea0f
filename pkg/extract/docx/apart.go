package docx

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/html"
	"github.com/docsvc/docsvc/pkg/extract/numbering"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxChunk bounds a document in another format within the document, in bytes, as it is held.
	maxChunk = 4 << 20
	// maxChunks bounds how many of them are read.
	maxChunks = 100
)

// noteKey names a footnote or endnote.
type noteKey struct {
	kind block.Kind
	id   string
}

// label is the mark of the note with that number. Endnotes have Roman
// numbers, as Word gives them unless told otherwise.
func (k noteKey) label(number int) string {
	if k.kind == block.Endnote {
		return numbering.Numeral(number, "lowerRoman")
	}
	return strconv.Itoa(number)
}

// noteReference puts the mark of a note into the text and numbers the note.
func (d *document) noteReference(p *paragraph, t ooxml.Token) {
	key := noteKey{block.Footnote, t.Attr("w:id")}
	if t.Name == "w:endnoteReference" {
		key.kind = block.Endnote
	}
	if d.notes[key] == 0 {
		d.numbered[key.kind]++
		d.notes[key] = d.numbered[key.kind]
	}
	p.write("[^" + key.label(d.notes[key]) + "]")
}

// aside gives the sink what stands apart from the body.
func (d *document) aside(b block.Block) error {
	if b.Text == "" {
		return nil
	}
	d.asides++
	return d.sink.Aside(b)
}

// apart reads the parts beside the body: notes, comments, headers, footers.
func (d *document) apart() error {
	seen := map[string]bool{}
	for _, r := range d.rels {
		if r.External {
			continue
		}
		var err error
		switch r.Type {
		case "footnotes":
			err = d.noteTexts(r.Target, block.Footnote, "w:footnote")
		case "endnotes":
			err = d.noteTexts(r.Target, block.Endnote, "w:endnote")
		case "comments":
			err = d.comments(r.Target)
		case "header":
			err = d.margin(r.Target, block.Header, seen)
		case "footer":
			err = d.margin(r.Target, block.Footer, seen)
		}
		if err := ooxml.Tolerate(d.sink, err, r.Type); err != nil {
			return err
		}
	}
	return nil
}

// text reads the paragraphs of the element started last into one text.
func (d *document) text(x *ooxml.Reader) (string, error) {
	var lines []string
	err := d.story(x, func(b block.Block) error {
		lines = append(lines, flat(b))
		return nil
	}).blocks()
	return strings.Join(lines, "\n"), err
}

// noteTexts reads the notes that the body refers to, in the order of their
// marks.
func (d *document) noteTexts(part string, kind block.Kind, element string) error {
	type note struct {
		number int
		block  block.Block
	}
	var notes []note
	readErr := d.pkg.Read(d.ctx, part, func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			key := noteKey{kind, t.Attr("w:id")}
			number := d.notes[key]
			if t.Name != element || number == 0 {
				return nil
			}
			text, err := d.text(x)
			notes = append(notes, note{number, block.Block{Kind: kind, Label: key.label(number), Text: text}})
			return err
		})
	})
	slices.SortStableFunc(notes, func(a, b note) int { return cmp.Compare(a.number, b.number) })
	for _, n := range notes {
		if err := d.aside(n.block); err != nil {
			return err
		}
	}
	return readErr
}

func (d *document) comments(part string) error {
	return d.pkg.Read(d.ctx, part, func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			if t.Name != "w:comment" {
				return nil
			}
			author := strings.Join(strings.Fields(block.Clean(t.Attr("w:author"))), " ")
			text, err := d.text(x)
			if err != nil {
				return err
			}
			return d.aside(block.Block{Kind: block.Comment, Label: author, Text: text})
		})
	})
}

// margin reads a header or footer. Sections mostly repeat those before them.
func (d *document) margin(part string, kind block.Kind, seen map[string]bool) error {
	var text string
	err := d.pkg.Read(d.ctx, part, func(x *ooxml.Reader, _ ooxml.Token) error {
		var err error
		text, err = d.text(x)
		return err
	})
	key := fmt.Sprintf("%s %s", kind, text)
	if seen[key] {
		return err
	}
	seen[key] = true
	if err := d.aside(block.Block{Kind: kind, Text: text}); err != nil {
		return err
	}
	return err
}

// graphic reads the words of a chart or diagram, which is a part of its own.
func (d *document) graphic(id string) error {
	r, ok := d.related(id)
	if !ok {
		return nil
	}
	var lines []string
	err := d.pkg.Read(d.ctx, r.Target, func(x *ooxml.Reader, _ ooxml.Token) error {
		return labels(x, &lines)
	})
	if err := ooxml.Tolerate(d.sink, err, "graphic"); err != nil {
		return err
	}
	return d.aside(block.Block{Kind: block.TextBox, Text: strings.Join(lines, "\n")})
}

// labels collects DrawingML paragraphs and the names of categories and series.
func labels(x *ooxml.Reader, lines *[]string) error {
	return x.Children(func(t ooxml.Token) error {
		switch t.Name {
		case "a:p", "c:strCache":
			depth := x.Depth()
			var words []string
			for x.Depth() >= depth {
				t, err := x.Next()
				if err != nil {
					return err
				}
				if t.Kind != ooxml.Start || t.Name != "a:t" && t.Name != "c:v" {
					continue
				}
				w, err := x.Content(maxText)
				if err != nil {
					return err
				}
				words = append(words, w)
			}
			sep := ""
			if t.Name == "c:strCache" {
				sep = " "
			}
			if line := tidy(strings.Join(words, sep), false); line != "" {
				*lines = append(*lines, line)
			}
			return nil
		}
		return labels(x, lines)
	})
}

// altChunk reads a document in another format that stands within this one.
func (s *story) altChunk(id string) error {
	d := s.d
	r, ok := d.related(id)
	if !ok || !d.pkg.Has(r.Target) {
		return nil
	}
	t := d.pkg.ContentType(r.Target)
	if !strings.Contains(t, "html") && !strings.HasPrefix(t, "text/plain") || d.nested >= maxChunks {
		return d.sink.Warn(block.TextIncomplete + fmt.Sprintf("a part of the document in another format (%s) was not read", t))
	}
	d.nested++
	rc, err := d.pkg.Part(r.Target)
	if err != nil {
		return ooxml.Tolerate(d.sink, err, "embedded text")
	}
	defer func() { _ = rc.Close() }()
	raw, err := io.ReadAll(io.LimitReader(rc, maxChunk+1))
	if err != nil {
		return ooxml.Tolerate(d.sink, err, "embedded text")
	}
	if len(raw) > maxChunk {
		return d.sink.Warn(block.TextIncomplete + "an embedded text of more than 4 MiB was not read")
	}
	if strings.Contains(t, "html") {
		return html.Fragment(d.ctx, raw, s.emit)
	}
	for _, para := range strings.Split(block.Clean(string(raw)), "\n\n") {
		if text := tidy(para, false); text != "" {
			if err := s.emit(block.Block{Kind: block.Paragraph, Text: text}); err != nil {
				return err
			}
		}
	}
	return nil
}
