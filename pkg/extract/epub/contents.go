package epub

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// titleWithin is among how many of the first blocks of a document its title is looked for.
	titleWithin = 4
	// maxEntry bounds one title of the table of contents, in bytes.
	maxEntry = 1000
	// ncx is the media type of EPUB 2's table of contents.
	ncx = "application/x-dtbncx+xml"
)

// entry is a document's place in the table of contents.
type entry struct {
	title string
	level int // from 1
}

// contents reads the table of contents, which knows the titles of documents
// that many books write as paragraphs: those of EPUB 3 (nav), else of EPUB 2
// (ncx). Damage in it costs nothing but that.
func (b *book) contents() error {
	b.titles = map[string]entry{}
	ids := slices.Sorted(maps.Keys(b.items))
	for _, nav := range []bool{true, false} {
		for _, id := range ids {
			i := b.items[id]
			if nav && !i.nav || !nav && i.mediaType != ncx || len(b.titles) > 0 || !b.a.Has(i.part) {
				continue
			}
			dir := path.Dir(i.part)
			_, _, err := tolerate(b.xml(i.part, func(x *ooxml.Reader, _ ooxml.Token) error {
				return b.entries(x, dir, 0)
			}))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// entries reads the entries below the element started last: an <a> in a list
// within a list, or a navPoint within a navPoint.
func (b *book) entries(x *ooxml.Reader, dir string, level int) error {
	title, target := "", ""
	return x.Children(func(t ooxml.Token) error {
		switch local(t) {
		case "ol", "navPoint":
			return b.entries(x, dir, level+1)
		case "a":
			text, err := words(x)
			b.entry(dir, t.Attr("href"), text, level)
			return err
		case "navLabel":
			var err error
			title, err = words(x)
			b.entry(dir, target, title, level)
			return err
		case "content":
			target = t.Attr("src")
			b.entry(dir, target, title, level)
			return nil
		case "head", "docTitle", "docAuthor", "pageList":
			return nil
		}
		return b.entries(x, dir, level)
	})
}

// entry notes the first title of a document.
func (b *book) entry(dir, target, title string, level int) {
	part := resolve(dir, target)
	if _, known := b.titles[part]; target == "" || title == "" || known || len(b.titles) >= maxItems {
		return
	}
	b.titles[part] = entry{title, min(max(level, 1), 6)}
}

// words is the text below the element started last.
func words(x *ooxml.Reader) (string, error) {
	text, err := x.Content(maxEntry)
	return folded(block.Clean(strings.ToValidUTF8(text, ""))), err
}

// folded is text with single blanks.
func folded(s string) string { return strings.Join(strings.Fields(s), " ") }

// titled makes a heading of a paragraph that is what the table of contents calls
// its document.
func titled(x block.Block, e entry) block.Block {
	if e.title != "" && x.Kind == block.Paragraph && strings.EqualFold(folded(x.Text), e.title) {
		x.Kind, x.Level, x.Text = block.Heading, e.level, folded(x.Text)
	}
	return x
}
