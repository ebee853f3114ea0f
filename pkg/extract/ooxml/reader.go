// Package ooxml reads the parts of Office Open XML packages: XML with
// prefixes as the standard writes them, relationships, content types and
// document properties.
package ooxml

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

const (
	// maxDepth bounds the nesting of elements when the archive's limits don't say; documents of
	// people stay below 100.
	maxDepth = 512
	// maxMarkup bounds what stands between two "<": one text, or one element with its attributes.
	maxMarkup = 16 << 20
	// checkEvery is how many tokens pass between two looks at the context.
	checkEvery = 1024
)

// TokenKind is what a Token is.
type TokenKind int

// Kinds of tokens. Comments, directives and processing instructions are left out.
const (
	Start TokenKind = iota
	End
	Text
)

// Token is one piece of XML. Its contents are valid until the next call.
type Token struct {
	Kind TokenKind
	// Name is the element with the prefix that the standard gives its namespace ("w:p"), whatever
	// the file calls it; a namespace that isn't known has "?:".
	Name string
	Text []byte

	attrs []xml.Attr
	r     *Reader
}

// Attr is the value of an attribute ("w:val"), "" when it isn't there. Some
// writers leave the prefix out.
func (t Token) Attr(name string) string {
	v, _ := t.Lookup(name)
	return v
}

// Lookup is Attr that tells an absent attribute from an empty one.
func (t Token) Lookup(name string) (value string, ok bool) {
	for _, a := range t.attrs {
		if t.r.attrName(a.Name) == name {
			return a.Value, true
		}
	}
	for i := range name {
		if name[i] == ':' {
			for _, a := range t.attrs {
				if a.Name.Space == "" && a.Name.Local == name[i+1:] {
					return a.Value, true
				}
			}
			break
		}
	}
	return "", false
}

// Reader reads one XML part. It checks that elements are nested properly and
// not too deep, without keeping more than the names of those that are open.
type Reader struct {
	ctx    context.Context
	d      *xml.Decoder
	guard  *markupGuard
	open   []string // names of the open elements
	tokens int

	maxDepth int // of open elements

	prefixes map[string]string // prefix in the file -> prefix of the standard
	names    map[xml.Name]string
	undo     []binding
}

// binding is what a namespace declaration replaced, to be put back when the
// element at that depth ends.
type binding struct {
	depth  int
	prefix string
	old    string
	had    bool
}

// NewReader reads XML in any encoding it declares.
func NewReader(ctx context.Context, r io.Reader) *Reader {
	br := bufio.NewReaderSize(r, 32<<10)
	var in io.Reader = br
	if mark, err := br.Peek(2); err == nil && (bytes.Equal(mark, []byte{0xff, 0xfe}) || bytes.Equal(mark, []byte{0xfe, 0xff})) {
		in = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder().Reader(br)
	} else if mark, err := br.Peek(3); err == nil && bytes.Equal(mark, []byte("\xef\xbb\xbf")) {
		if _, err := br.Discard(3); err != nil {
			in = br
		}
	}
	guard := &markupGuard{r: in}
	d := xml.NewDecoder(guard)
	d.Strict = false // entities that only a DTD could explain stay as they are
	d.CharsetReader = func(label string, in io.Reader) (io.Reader, error) {
		switch label {
		case "utf-16", "UTF-16": // decoded above
			return in, nil
		}
		return charset.NewReaderLabel(label, in)
	}
	return &Reader{ctx: ctx, d: d, guard: guard, maxDepth: maxDepth, prefixes: map[string]string{"xml": "xml"}, names: map[xml.Name]string{}}
}

// BoundDepth refuses elements nested deeper than n; 0 leaves the default.
func (r *Reader) BoundDepth(n int) {
	if n > 0 {
		r.maxDepth = n
	}
}

// Depth is the number of open elements.
func (r *Reader) Depth() int { return len(r.open) }

// Next returns the next token, io.EOF after the end of a whole part. Any
// other error is the context's, a *block.Error (bomb, corrupt), or the error
// of the reader below.
func (r *Reader) Next() (Token, error) {
	for {
		if r.tokens++; r.tokens%checkEvery == 0 {
			if err := r.ctx.Err(); err != nil {
				return Token{}, err
			}
		}
		raw, err := r.d.RawToken()
		if err != nil {
			return Token{}, r.fault(err)
		}
		switch t := raw.(type) {
		case xml.StartElement:
			return r.start(t)
		case xml.EndElement:
			return r.end(t)
		case xml.CharData:
			return Token{Kind: Text, Text: t}, nil
		}
	}
}

func (r *Reader) fault(err error) error {
	if r.guard.err != nil {
		return r.guard.err
	}
	if errors.Is(err, io.EOF) && len(r.open) == 0 {
		return io.EOF
	}
	if errors.Is(err, io.EOF) {
		return block.Errorf(block.CodeCorrupt, "This document is incomplete: its XML ends within %s.", r.open[len(r.open)-1])
	}
	return block.Errorf(block.CodeCorrupt, "This document is damaged: its XML can't be read (%v).", err)
}

func (r *Reader) start(t xml.StartElement) (Token, error) {
	if len(r.open) >= r.maxDepth {
		return Token{}, block.Errorf(block.CodeBomb, "This document was refused: its XML is nested more than %d levels deep. If it is a real document, save it anew in the program it was made with.", r.maxDepth)
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" {
			r.bind(a.Name.Local, a.Value)
		} else if a.Name.Space == "" && a.Name.Local == "xmlns" {
			r.bind("", a.Value)
		}
	}
	name := r.name(t.Name)
	r.open = append(r.open, name)
	return Token{Kind: Start, Name: name, attrs: t.Attr, r: r}, nil
}

func (r *Reader) end(t xml.EndElement) (Token, error) {
	name := r.name(t.Name)
	if len(r.open) == 0 || r.open[len(r.open)-1] != name {
		return Token{}, block.Errorf(block.CodeCorrupt, "This document is damaged: in its XML, </%s> closes nothing.", name)
	}
	r.open = r.open[:len(r.open)-1]
	for len(r.undo) > 0 && r.undo[len(r.undo)-1].depth == len(r.open) {
		u := r.undo[len(r.undo)-1]
		r.undo = r.undo[:len(r.undo)-1]
		if u.had {
			r.prefixes[u.prefix] = u.old
		} else {
			delete(r.prefixes, u.prefix)
		}
		clear(r.names)
	}
	return Token{Kind: End, Name: name}, nil
}

// bind notes a namespace declaration. Those that change nothing, as on every
// paragraph in the output of some writers, cost nothing.
func (r *Reader) bind(prefix, uri string) {
	known, ok := namespaces[uri]
	if !ok {
		known = "?"
	}
	old, had := r.prefixes[prefix]
	if had && old == known {
		return
	}
	r.undo = append(r.undo, binding{depth: len(r.open), prefix: prefix, old: old, had: had})
	r.prefixes[prefix] = known
	clear(r.names)
}

// name is the element's name with the standard's prefix.
func (r *Reader) name(n xml.Name) string {
	if s, ok := r.names[n]; ok {
		return s
	}
	prefix, ok := r.prefixes[n.Space]
	if !ok {
		prefix = n.Space // not declared: many damaged files still use the usual prefixes
	}
	s := n.Local
	if prefix != "" {
		s = prefix + ":" + n.Local
	}
	if len(r.names) < 4096 { // a file may invent any number of names
		r.names[xml.Name{Space: n.Space, Local: n.Local}] = s
	}
	return s
}

// attrName is like name, but no prefix means no namespace.
func (r *Reader) attrName(n xml.Name) string {
	if n.Space == "" {
		return n.Local
	}
	return r.name(n)
}

// Children calls visit for every child element of the one whose Start was
// returned last, until its end. visit must read the child to its end; with
// nil for visit's error and nothing read, the child is skipped.
func (r *Reader) Children(visit func(Token) error) error {
	depth := len(r.open)
	for {
		t, err := r.Next()
		if err != nil {
			return err
		}
		switch {
		case t.Kind == End && len(r.open) < depth:
			return nil
		case t.Kind == Start:
			if err := visit(t); err != nil {
				return err
			}
			if len(r.open) > depth {
				if err := r.skipTo(depth); err != nil {
					return err
				}
			}
		}
	}
}

// skipTo reads until only depth elements are open.
func (r *Reader) skipTo(depth int) error {
	for len(r.open) > depth {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Content is the text inside the element whose Start was returned last, at
// most max bytes of it, with the element read to its end.
func (r *Reader) Content(limit int) (string, error) {
	depth := len(r.open)
	var b []byte
	for {
		t, err := r.Next()
		if err != nil {
			return string(b), err
		}
		switch {
		case t.Kind == Text:
			b = append(b, t.Text[:min(len(t.Text), limit-len(b))]...)
		case t.Kind == End && len(r.open) < depth:
			return string(b), nil
		}
	}
}

// markupGuard fails a part in which one text or element is so long that the
// decoder would have to hold megabytes of it.
type markupGuard struct {
	r   io.Reader
	run int // bytes since the last "<"
	err error
}

func (g *markupGuard) Read(b []byte) (int, error) {
	n, err := g.r.Read(b)
	if i := bytes.LastIndexByte(b[:n], '<'); i >= 0 {
		g.run = n - i
	} else {
		g.run += n
	}
	if g.run > maxMarkup {
		err = block.Errorf(block.CodeBomb, "This document was refused: its XML holds a single text or tag of more than %d MiB. Split it into smaller documents.", maxMarkup>>20)
		n = 0
	}
	if err != nil && err != io.EOF && g.err == nil {
		g.err = err
	}
	return n, err
}
