// Package detect finds out what a file is from its content. What the client
// declared only breaks ties between text formats that look alike.
package detect

import (
	"io"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Formats that can be read.
const (
	PDF      = "pdf"
	DOCX     = "docx"
	HTML     = "html"
	Markdown = "markdown"
	Text     = "text"
)

// Format is one that docsvc reads, with what it goes by.
type Format struct {
	Name       string   // one of the constants above
	MIME       string   // the type documents of it are recorded with
	Aliases    []string // other content types clients send for it
	Extensions []string // of file names, with the dot, lower case
}

// Result is what a file turned out to be.
type Result struct {
	Format   string   // one of the constants above
	MIME     string   // without parameters
	Charset  string   // charset parameter of the declared type, a hint only
	Warnings []string // a mismatch between what was declared and what it is
}

// Formats lists what can be read, in a fixed order.
func Formats() []Format { return nil }

// Declared reports whether a document announced with this content type and
// file name may be sent: a type of a supported format, or one that says
// nothing (empty, application/octet-stream) with a name that doesn't speak
// against it.
func Declared(contentType, filename string) bool { return true }

// Detect looks at the content of a file of size bytes. The error is a
// *block.Error (encrypted, unsupported, empty, corrupt) unless reading failed.
func Detect(r io.ReaderAt, size int64, name, declared string) (Result, error) {
	return Result{}, block.Errorf(block.CodeUnsupported, "this build does not read the format")
}
