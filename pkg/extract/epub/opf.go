package epub

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/ooxml"
)

const (
	// maxItems bounds the manifest.
	maxItems = 100_000
	// maxProperty bounds one entry of the metadata, in bytes.
	maxProperty = 4096
)

// open reads what the book says of itself. When that is missing or damaged,
// its documents are read in the order of their names.
func (b *book) open() error {
	opf, err := b.packageDocument()
	if err != nil {
		return err
	}
	b.items = map[string]item{}
	if opf != "" {
		bad, _, err := tolerate(b.xml(opf, func(x *ooxml.Reader, _ ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error { return b.section(x, t, path.Dir(opf)) })
		}))
		if err != nil {
			return err
		}
		if bad && len(b.spine) > 0 {
			if err := b.sink.Warn(block.TextIncomplete + "the book's list of contents is damaged; documents may be missing"); err != nil {
				return err
			}
		}
	}
	if len(b.spine) == 0 {
		if err := b.byName(); err != nil {
			return err
		}
	}
	return b.refuseLocked()
}

// xml hands the root element of a part to visit.
func (b *book) xml(part string, visit func(*ooxml.Reader, ooxml.Token) error) error {
	p := ooxml.Package{Archive: b.a}
	return p.Read(b.ctx, part, visit)
}

// local is an element's name without its prefix: the namespaces of books are
// often wrong.
func local(t ooxml.Token) string {
	return t.Name[strings.LastIndexByte(t.Name, ':')+1:]
}

// packageDocument finds the name of the package document, "" when there is none.
func (b *book) packageDocument() (string, error) {
	var found string
	_, _, err := tolerate(b.xml("META-INF/container.xml", func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				name := strings.TrimPrefix(t.Attr("full-path"), "/")
				if local(t) == "rootfile" && found == "" && b.a.Has(name) {
					found = name
				}
				return nil
			})
		})
	}))
	if found != "" || err != nil {
		return found, err
	}
	for _, n := range b.a.Names() {
		if strings.HasSuffix(n, ".opf") {
			return n, nil
		}
	}
	return "", nil
}

// section reads a section of the package document.
func (b *book) section(x *ooxml.Reader, t ooxml.Token, dir string) error {
	switch local(t) {
	case "metadata":
		return x.Children(func(t ooxml.Token) error { return b.property(x, t) })
	case "manifest":
		return x.Children(func(t ooxml.Token) error {
			b.listed(t, dir)
			return nil
		})
	case "spine":
		seen := map[string]bool{}
		return x.Children(func(t ooxml.Token) error {
			i, ok := b.items[t.Attr("idref")]
			if !ok || seen[i.part] || i.nav || !i.readable() {
				return nil
			}
			seen[i.part] = true
			i.apart = t.Attr("linear") == "no"
			b.spine = append(b.spine, i)
			return nil
		})
	}
	return nil
}

// property reads an entry of the metadata; EPUB 2 has some of them one level
// deeper.
func (b *book) property(x *ooxml.Reader, t ooxml.Token) error {
	name := local(t)
	switch name {
	case "dc-metadata":
		return x.Children(func(t ooxml.Token) error { return b.property(x, t) })
	case "title", "creator", "language", "date":
	case "meta":
		if t.Attr("property") != "dcterms:modified" {
			return nil
		}
	default:
		return nil
	}
	v, err := x.Content(maxProperty)
	if err != nil {
		return err
	}
	v = strings.Join(strings.Fields(block.Clean(strings.ToValidUTF8(v, ""))), " ")
	m := &b.meta
	switch {
	case v == "":
	case name == "title" && m.Title == "":
		m.Title = v
	case name == "creator" && m.Author == "":
		m.Author = v
	case name == "creator" && len(m.Author) < maxProperty:
		m.Author += ", " + v
	case name == "language" && m.Language == "" && len(v) <= 35:
		m.Language = v
	case name == "date" && m.Created == nil:
		m.Created = ooxml.Time(v)
	case name == "meta" && m.Modified == nil:
		m.Modified = ooxml.Time(v)
	}
	return nil
}

// listed takes in an item of the manifest.
func (b *book) listed(t ooxml.Token, dir string) {
	id, href := t.Attr("id"), t.Attr("href")
	if local(t) != "item" || href == "" || len(b.items) >= maxItems {
		return
	}
	i := item{
		part:      resolve(dir, href),
		mediaType: strings.ToLower(t.Attr("media-type")),
		nav:       slices.Contains(strings.Fields(t.Attr("properties")), "nav"),
	}
	if strings.HasPrefix(i.mediaType, "image/") {
		b.images++
	}
	b.items[id] = i
}

// resolve makes a part name of a reference.
func resolve(dir, href string) string {
	href, _, _ = strings.Cut(href, "#")
	if plain, err := url.PathUnescape(href); err == nil {
		href = plain
	}
	if strings.HasPrefix(href, "/") {
		return strings.TrimPrefix(path.Clean(href), "/")
	}
	return strings.TrimPrefix(path.Clean("/"+dir+"/"+href), "/")
}

// readable reports whether an item is a document with text.
func (i item) readable() bool {
	switch {
	case strings.HasPrefix(i.mediaType, "image/"), strings.HasPrefix(i.mediaType, "audio/"), strings.HasPrefix(i.mediaType, "video/"), strings.HasPrefix(i.mediaType, "font/"):
		return false
	case strings.Contains(i.mediaType, "html"), strings.Contains(i.mediaType, "xml"), strings.HasPrefix(i.mediaType, "text/"):
		return i.mediaType != "application/x-dtbncx+xml"
	}
	return isPage(i.part)
}

func isPage(part string) bool {
	switch strings.ToLower(path.Ext(part)) {
	case ".xhtml", ".html", ".htm", ".xml":
		return true
	}
	return false
}

// byName takes the pages of a book that doesn't say what it consists of.
func (b *book) byName() error {
	for _, n := range b.a.Names() {
		if ext := path.Ext(n); ext != ".xml" && isPage(n) && !strings.HasPrefix(path.Base(n), "nav") {
			b.spine = append(b.spine, item{part: n})
		}
	}
	if len(b.spine) == 0 {
		return block.Errorf(block.CodeCorrupt, "This book is damaged: it doesn't say what it consists of, and no pages are in it. Get it again from where it came from.")
	}
	return b.sink.Warn("the book doesn't say in which order its pages are read; they stand in the order of their names")
}

// refuseLocked refuses a book whose text is encrypted (DRM). Fonts alone are
// "obfuscated" in books that anybody can read.
func (b *book) refuseLocked() error {
	const list = "META-INF/encryption.xml"
	if !b.a.Has(list) {
		return nil
	}
	locked := map[string]bool{}
	_, _, err := tolerate(b.xml(list, func(x *ooxml.Reader, _ ooxml.Token) error {
		return x.Children(func(t ooxml.Token) error {
			return x.Children(func(t ooxml.Token) error {
				return x.Children(func(t ooxml.Token) error {
					if uri := t.Attr("URI"); local(t) == "CipherReference" && len(locked) < maxItems {
						locked[resolve("", uri)] = true
					}
					return nil
				})
			})
		})
	}))
	if err != nil {
		return err
	}
	for _, i := range b.spine {
		if locked[i.part] {
			return block.Errorf(block.CodeEncrypted, "This book is encrypted (DRM): it can only be read with the program it was bought for. Send a copy without protection.")
		}
	}
	return nil
}
