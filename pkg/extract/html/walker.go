package html

import (
	"context"
	"io"
	"strings"

	"golang.org/x/net/html"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// walker turns tokens into blocks.
type walker struct {
	ctx  context.Context
	z    *html.Tokenizer
	emit func(block.Block) error
	// aside gets what stands apart from the page's content; nil to leave it in its place.
	aside    func(block.Block) error
	tick     func() error // now and then, for progress; may be nil
	meta     metaData
	maxToken int // bytes of one token

	text     strings.Builder // of the paragraph that is open
	space    bool            // white space came after the text
	heading  int             // level of the open heading, 0 for none
	pre      int             // open <pre>
	quote    int             // open <blockquote>
	margin   margin
	lists    listStack
	tables   tableStack
	skipping string // name of the element whose content is left out
	nested   int    // elements of that name within it
	skipped  int    // tokens with text left out since
	emitted  int
}

func newWalker(ctx context.Context, r io.Reader, emit func(block.Block) error, maxToken int) *walker {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxToken)
	return &walker{ctx: ctx, z: z, emit: emit, maxToken: maxToken}
}

// walk reads the page to its end.
func (w *walker) walk() error {
	for n := 1; ; n++ {
		if n%checkEvery == 0 {
			if err := w.ctx.Err(); err != nil {
				return err
			}
			if w.tick != nil {
				if err := w.tick(); err != nil {
					return err
				}
			}
		}
		switch w.z.Next() {
		case html.ErrorToken:
			if err := w.z.Err(); err != io.EOF {
				return err
			}
			return w.finish()
		case html.TextToken:
			w.textToken()
		case html.StartTagToken:
			if err := w.startTag(false); err != nil {
				return err
			}
		case html.SelfClosingTagToken:
			if err := w.startTag(true); err != nil {
				return err
			}
		case html.EndTagToken:
			if err := w.endTag(); err != nil {
				return err
			}
		}
	}
}

// finish closes what the page left open.
func (w *walker) finish() error {
	if err := w.flush(); err != nil {
		return err
	}
	for w.tables.depth() > 0 {
		if err := w.endTable(); err != nil {
			return err
		}
	}
	return w.endMargin()
}

func (w *walker) textToken() {
	if w.skipping != "" {
		w.skipped++
		return
	}
	w.write(w.z.Text())
}

// write adds text, with runs of white space made one blank outside <pre>.
func (w *walker) write(text []byte) {
	if w.pre > 0 && !w.tables.inCell() {
		w.text.Write(text)
		return
	}
	for i := 0; i < len(text); {
		if n := blank(text[i:]); n > 0 {
			w.space = true
			i += n
			continue
		}
		start := i
		for i < len(text) && blank(text[i:]) == 0 {
			i++
		}
		if w.space && w.text.Len() > 0 {
			w.text.WriteByte(' ')
		}
		w.space = false
		w.text.Write(text[start:i])
	}
}

// blank is the length of the white space character at the start of b, 0 when
// there is none. A no-break space is one here: what matters is the word.
func blank(b []byte) int {
	switch b[0] {
	case ' ', '\t', '\n', '\r', '\f':
		return 1
	case 0xc2:
		if len(b) > 1 && b[1] == 0xa0 {
			return 2
		}
	}
	return 0
}

// leftOut reports elements without text to read. The tokenizer gives the content of
// script and the like as one text, of the others as tokens.
func leftOut(name string) bool {
	switch name {
	case "script", "style", "noscript", "template", "iframe", "noembed", "noframes", "svg", "select", "datalist", "object", "audio", "video", "canvas":
		return true
	}
	return false
}

func (w *walker) startTag(selfClosing bool) error {
	rawName, hasAttrs := w.z.TagName()
	name := string(rawName)
	if w.skipping != "" {
		if name == w.skipping && !selfClosing {
			w.nested++
		}
		return nil
	}
	if leftOut(name) {
		if !selfClosing || isRaw(name) {
			w.skipping, w.nested, w.skipped = name, 0, 0
		}
		return nil
	}
	var attrs map[string]string
	if hasAttrs && wantsAttributes(name) {
		attrs = attributes(w.z)
	}
	return w.open(name, attrs)
}

// isRaw reports elements in which the tokenizer doesn't look for tags; it
// doesn't know them as closed by their own slash.
func isRaw(name string) bool {
	switch name {
	case "script", "style", "noscript", "iframe", "noembed", "noframes":
		return true
	}
	return false
}

func wantsAttributes(name string) bool {
	switch name {
	case "html", "meta", "ol", "li", "td", "th", "table", "img":
		return true
	}
	return false
}

func (w *walker) open(name string, attrs map[string]string) error {
	switch name {
	case "html":
		w.meta.setLanguage(attrs["lang"])
		if w.meta.language == "" {
			w.meta.setLanguage(attrs["xml:lang"])
		}
		return nil
	case "meta":
		w.meta.element(attrs)
		return nil
	case "title":
		return w.title()
	case "br":
		w.lineBreak()
		return nil
	case "img":
		if alt := short(attrs["alt"]); alt != "" {
			w.space = true
			w.write([]byte(alt))
			w.space = true
		}
		return nil
	}
	if !isBlock(name) {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.openMargin(name); err != nil {
		return err
	}
	switch name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.heading = int(name[1] - '0')
	case "pre", "listing", "xmp", "plaintext":
		w.pre++
	case "blockquote":
		w.quote++
	case "ul", "menu", "dir", "ol":
		w.lists.push(name == "ol", attrs)
	case "li":
		w.lists.item(attrs)
	case "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th":
		w.openTable(name, attrs)
	}
	return nil
}

// title reads the page's title. Its content is one text.
func (w *walker) title() error {
	if w.z.Next() != html.TextToken {
		return nil
	}
	if t := short(string(w.z.Text())); w.meta.title == "" {
		w.meta.title = t
	}
	return nil
}

func (w *walker) lineBreak() {
	if w.text.Len() > 0 || w.pre > 0 {
		w.text.WriteByte('\n')
	}
	w.space = false
}

func (w *walker) endTag() error {
	rawName, _ := w.z.TagName()
	name := string(rawName)
	if w.skipping != "" {
		switch {
		case name != w.skipping:
		case w.nested > 0:
			w.nested--
		default:
			w.skipping = ""
		}
		return nil
	}
	if !isBlock(name) {
		return nil
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := w.closeMargin(name); err != nil {
		return err
	}
	switch name {
	case "h1", "h2", "h3", "h4", "h5", "h6":
		w.heading = 0
	case "pre", "listing", "xmp", "plaintext":
		w.pre = max(0, w.pre-1)
	case "blockquote":
		w.quote = max(0, w.quote-1)
	case "ul", "menu", "dir", "ol":
		w.lists.pop()
	case "li":
		w.lists.endItem()
	case "table", "tr", "td", "th":
		return w.closeTable(name)
	}
	return nil
}

// isBlock reports elements that begin and end a line of their own.
func isBlock(name string) bool {
	switch name {
	case "address", "article", "aside", "blockquote", "body", "button", "caption", "center", "dd", "details", "dialog", "dir", "div", "dl", "dt",
		"fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "head", "header", "hgroup", "hr", "legend", "li",
		"listing", "main", "menu", "nav", "ol", "p", "plaintext", "pre", "search", "section", "summary", "table", "tbody", "td", "textarea", "tfoot",
		"th", "thead", "tr", "ul", "xmp":
		return true
	}
	return false
}

// flush ends the open paragraph and emits it.
func (w *walker) flush() error {
	w.space = false
	if w.text.Len() == 0 {
		return nil
	}
	code := w.pre > 0 && !w.tables.inCell()
	text := tidy(w.text.String(), code)
	w.text.Reset()
	if text == "" {
		return nil
	}
	b := block.Block{Kind: block.Paragraph, Text: text}
	label, level, first := w.lists.take()
	switch {
	case w.heading > 0:
		b.Kind, b.Level = block.Heading, w.heading
	case first:
		b.Kind, b.Label, b.Level = block.ListItem, label, level
	case code:
		b.Kind = block.Code
	case w.quote > 0:
		b.Kind = block.Quote
	}
	return w.put(b)
}

// put gives a block to the open table cell, or away.
func (w *walker) put(b block.Block) error {
	if w.tables.add(b) {
		return nil
	}
	if w.margin.kind != "" {
		return w.addMargin(b)
	}
	w.emitted++
	return w.emit(b)
}

// tidy cleans a paragraph: no blanks at line ends, no empty lines at its ends
// or, unless it is code, within.
func tidy(s string, code bool) string {
	s = block.Clean(s)
	if code {
		return strings.TrimRight(strings.TrimLeft(s, "\n"), " \t\n")
	}
	if !strings.Contains(s, "\n") {
		return strings.TrimSpace(s)
	}
	lines := strings.Split(s, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if l = strings.TrimSpace(l); l != "" {
			kept = append(kept, l)
		}
	}
	return strings.Join(kept, "\n")
}
