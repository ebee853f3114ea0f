package extract

import (
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// What parsers emit, under the names that callers of this package use.
type (
	Block    = block.Block
	Kind     = block.Kind
	Metadata = block.Metadata
	Error    = block.Error
)

// Request is one file to extract.
type Request struct {
	// File is open for reading. It is handed to the child as a descriptor and
	// read by offset only, so its position doesn't matter and doesn't change.
	// The caller closes it after Extract returned.
	File *os.File
	// Name is the file's name as the uploader gave it, a hint for detection.
	Name string
	// DeclaredType is the content type the uploader gave, parameters included.
	DeclaredType string
	// Password opens an encrypted document; empty when there is none.
	Password string
}

// Document is what was extracted from a file.
type Document struct {
	Format string   `json:"format"` // name in the registry: pdf docx html markdown text
	MIME   string   `json:"mime"`   // as detected from the content
	Meta   Metadata `json:"meta"`
	// Blocks are the body in reading order.
	Blocks []Block `json:"blocks"`
	// Asides are headers, footers, notes, comments, annotations and form
	// values, in document order, apart from the body.
	Asides     []Block     `json:"asides,omitempty"`
	PageErrors []PageError `json:"page_errors,omitempty"`
	Warnings   []string    `json:"warnings,omitempty"`
	// Partial says that text is known to be missing: a page failed, or a
	// warning said so.
	Partial bool `json:"partial,omitempty"`
	// Version names the extractor that made this: same version, same output.
	Version string `json:"version"`
}

// PageError names a page, counted from 1, whose text is missing, and why.
type PageError struct {
	Page    int    `json:"page"`
	Message string `json:"message"`
}

// Progress is how far an extraction is. Pages is 0 while the total is unknown;
// formats without pages count parts of the file in the same way.
type Progress struct {
	Page  int
	Pages int
	Stage string // "starting" while a parser loads, "extracting", StageRecognising
}
