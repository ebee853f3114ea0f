// Package block holds what every format parser emits: blocks of a document's
// body in reading order, asides beside it, metadata, and coded errors. It is
// apart from package extract so that parsers and the pool can both import it.
package block

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// Kind says what a block is.
type Kind string

// Kinds of the body.
const (
	Heading   Kind = "heading"
	Paragraph Kind = "paragraph"
	ListItem  Kind = "list_item"
	Code      Kind = "code"
	Quote     Kind = "quote"
	Table     Kind = "table"
)

// Kinds of asides, which stand apart from the body.
const (
	Header     Kind = "header"
	Footer     Kind = "footer"
	Footnote   Kind = "footnote"
	Endnote    Kind = "endnote"
	Comment    Kind = "comment"
	Annotation Kind = "annotation"
	FormField  Kind = "form_field"
	TextBox    Kind = "text_box"
	Deletion   Kind = "deletion" // text removed by a tracked change
	Note       Kind = "note"     // what the speaker of a slide sees
	// Link and Attachment are no words of the document: where its links lead, and the names of
	// the files it carries. Plain text leaves them out.
	Link       Kind = "link"
	Attachment Kind = "attachment"
)

// Block is one paragraph-sized piece of a document. Text is UTF-8 without
// NUL, U+FFFE or carriage returns.
type Block struct {
	Kind  Kind   `json:"kind"`
	Level int    `json:"level,omitempty"` // heading 1..6; list nesting from 0
	Text  string `json:"text,omitempty"`  // empty for a table
	Page  int    `json:"page,omitempty"`  // from 1; 0 when the format has no pages
	// Label is a list item's or heading's computed number as shown ("2.1", "a)"), empty for a plain
	// bullet; for code the language, for a note its mark.
	Label string `json:"label,omitempty"`
	// Continues marks a piece of a block too large to be handed over at once: its Text follows the
	// previous block's, of the same kind, with nothing in between.
	Continues bool `json:"continues,omitempty"`
	// Rows of a table, each a list of cell texts; the first is the header row when HeaderRow is set.
	Rows      [][]string `json:"rows,omitempty"`
	HeaderRow bool       `json:"header_row,omitempty"`
}

// Metadata is what the file says of itself; fields it doesn't have are zero.
type Metadata struct {
	Title    string     `json:"title,omitempty"`
	Author   string     `json:"author,omitempty"`
	Language string     `json:"language,omitempty"` // BCP 47, declared or detected
	Created  *time.Time `json:"created,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
	Pages    int        `json:"pages,omitempty"`
	Words    int        `json:"words,omitempty"`
	// PageLabels are what the pages are called, from the first on, where that is not their number: "iv", "A-2".
	PageLabels []string `json:"page_labels,omitempty"`
}

// Options bound one parse. Zero means the parser's own limit, or none, but
// for Password, Charset and CacheDir.
type Options struct {
	Password string
	// Charset is the charset parameter of the declared content type, a hint for text and HTML.
	Charset string
	// MaxExpanded bounds what may come out of a compressed container, in bytes.
	MaxExpanded int64
	// MaxNesting bounds how deep elements, groups, parts or messages stand in one another.
	MaxNesting int
	// MaxPages bounds the pages of a paged document.
	MaxPages int
	// MaxParts bounds the parts of a container: members of a zip archive, parts of a mail, sheets.
	MaxParts int
	// MaxRatio bounds how many times its packed size a part may expand to.
	MaxRatio int
	// CacheDir is where a parser finds compiled code, to be read only. It must check that nobody
	// else can write there.
	CacheDir string
	// CodeStamp is the state in which that code was found to be right, as the parser names it;
	// empty when nobody has looked.
	CodeStamp string
	// MaxPixels bounds a picture; one with more is refused by its header.
	MaxPixels int
	// MemoryLimit is what the parser's process may use in all, in bytes.
	MemoryLimit int64
	// Pages are the pages to read, all when it is the zero value. A parser that has no pages, or
	// can't begin in the middle, ignores it.
	Pages PageRange
}

// PageRange is what is left of a paged document.
type PageRange struct {
	// From is the first page to give blocks and errors of, counted from 1; 0 is 1.
	From int `json:"from,omitempty"`
	// Skip are pages that are not to be touched: an earlier try broke on them.
	Skip []int `json:"skip,omitempty"`
}

// Skips reports whether page n is not to be touched.
func (r PageRange) Skips(n int) bool { return slices.Contains(r.Skip, n) }

// Sink receives a document while it is parsed. An error from it (a limit was
// reached, the reader went away) ends the parse and is returned by it.
type Sink interface {
	Meta(Metadata) error
	Block(Block) error
	Aside(Block) error
	// PageDone reports progress: page n of total is finished. Parsers of
	// formats without pages report parts of the file in the same way.
	PageDone(n, total int) error
	// Warn notes something that was not read as it should.
	Warn(text string) error
	// PageError notes a page whose text is missing.
	PageError(page int, text string) error
}

// PageBeginner is what a Sink may be beside: a parser with pages tells it which
// page it is about to read, so that it is known which one a process ended on.
// It may be called while another goroutine calls the Sink.
type PageBeginner interface {
	PageBegins(n int) error
}

// TextIncomplete begins a warning that says that some of the text is missing
// although every page was read; the document counts as partial then.
const TextIncomplete = "text_incomplete: "

// Parser turns one file into blocks. It must return when ctx ends, read f
// only through ReadAt, and return *Error for anything wrong with the file.
type Parser func(ctx context.Context, f *os.File, size int64, o Options, sink Sink) error

// Codes of Error. What each means to whoever sent the file, and whether it is
// tried again, is documented in docs/api.md.
const (
	CodeEncrypted   = "encrypted"
	CodeCorrupt     = "corrupt"
	CodeUnsupported = "unsupported"
	CodeTooLarge    = "too_large"
	CodeEmpty       = "empty"     // no bytes at all
	CodeNoText      = "no_text"   // read to the end, and there is none: blank
	CodeNeedsOCR    = "needs_ocr" // there are pictures of text, or text without characters
	CodeBomb        = "bomb"
	CodeTimeout     = "timeout"
	CodeMemory      = "memory"
	CodeCrash       = "crash"
)

// Codes lists all codes of Error.
func Codes() []string {
	return []string{CodeEncrypted, CodeCorrupt, CodeUnsupported, CodeTooLarge, CodeEmpty, CodeNoText,
		CodeNeedsOCR, CodeBomb, CodeTimeout, CodeMemory, CodeCrash}
}

// Error says why a file gave no text. Message is a sentence for people, with
// what to do about it where there is something to do.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return e.Message }

// Resource reports whether the file used up time or memory, or took its
// process down: trying again blindly would do the same.
func (e *Error) Resource() bool {
	return e.Code == CodeTimeout || e.Code == CodeMemory || e.Code == CodeCrash
}

// Errorf makes an *Error with a formatted message.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
