package pdftest_test

import (
	"os"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// TestWarm is what CacheDir starts in a process without the race detector to
// have PDFium compiled. In an ordinary run it finds it compiled.
func TestWarm(t *testing.T) {
	dir := os.Getenv(pdftest.WarmVariable)
	if dir == "" {
		dir = pdftest.CacheDir(t)
	}
	if _, err := pdf.Compile(dir, false); err != nil {
		t.Fatal(err)
	}
	r := pdf.NewReader()
	if err := r.Warm(t.Context(), block.Options{CacheDir: dir}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
