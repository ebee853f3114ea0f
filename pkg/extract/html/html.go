// Package html turns HTML pages of any charset into blocks.
package html

import (
	"context"
	"os"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Version changes whenever the output for some file changes.
const Version = "1"

// Parse reads f and reports its blocks to sink. It is a block.Parser.
func Parse(ctx context.Context, f *os.File, size int64, o block.Options, sink block.Sink) error {
	return block.Errorf(block.CodeUnsupported, "this build does not read the format")
}
