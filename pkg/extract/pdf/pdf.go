// Package pdf reads PDF files with PDFium compiled to WebAssembly.
package pdf

import (
	"context"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// Parse reads one PDF.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	return block.Errorf(block.CodeUnsupported, "PDF is not read")
}
