package epub

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/charset"
	"github.com/docsvc/docsvc/pkg/extract/html"
)

// maxPage bounds one document of a book as it is held, in bytes.
const maxPage = 32 << 20

// page reports one document of the book.
func (b *book) page(n int, i item) error {
	raw, cut, err := b.read(i.part)
	if bad, message, fatal := tolerate(err); fatal != nil {
		return fatal
	} else if bad {
		b.failed++
		return b.sink.PageError(n, fmt.Sprintf("the document %s of the book can't be read: %s", i.part, message))
	}
	if cut {
		if err := b.sink.Warn(block.TextIncomplete + fmt.Sprintf("document %d of the book has more than %d MiB; the rest of it was not read", n, maxPage>>20)); err != nil {
			return err
		}
	}
	seen := 0
	return html.Fragment(b.ctx, closed(raw), func(x block.Block) error {
		x.Page = n
		b.blocks++
		if !i.apart {
			if seen < titleWithin {
				if x, seen = titled(x, b.titles[i.part]), seen+1; x.Kind == block.Heading {
					seen = titleWithin
				}
			}
			return b.sink.Block(x)
		}
		if x.Kind == block.Table {
			x.Text = rows(x.Rows)
		}
		if x.Text == "" {
			return nil
		}
		return b.sink.Aside(block.Block{Kind: block.TextBox, Page: n, Text: x.Text})
	})
}

func rows(rows [][]string) string {
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = strings.Join(r, "\t")
	}
	return strings.Join(lines, "\n")
}

// read holds a document whole.
func (b *book) read(part string) (raw []byte, cut bool, err error) {
	rc, err := b.a.Part(part)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = rc.Close() }()
	raw, err = io.ReadAll(io.LimitReader(rc, maxPage+1))
	if len(raw) > maxPage {
		return raw[:maxPage], true, err
	}
	return raw, false, err
}

// emptyElement is one that XML closes with its own slash, and HTML doesn't: all
// text after it would be taken for its content.
var emptyElement = regexp.MustCompile(`(?i)<(script|style|title|textarea|iframe|noscript|noembed|noframes|xmp|object|audio|video|canvas|svg|template|select)((?:\s[^<>]*)?)/>`)

// closed writes empty elements of XHTML with an end tag.
func closed(raw []byte) []byte {
	if bytes.HasPrefix(raw, []byte("\xff\xfe")) || bytes.HasPrefix(raw, []byte("\xfe\xff")) {
		if text, err := io.ReadAll(charset.FindBytes(raw).Reader(bytes.NewReader(raw))); err == nil {
			raw = text
		}
	}
	return emptyElement.ReplaceAll(raw, []byte("<$1$2></$1>"))
}
