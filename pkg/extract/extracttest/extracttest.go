// Package extracttest gives other packages' tests a pool of extraction
// children. A test binary is its own child: its TestMain must begin with Main.
package extracttest

import (
	"context"
	"os"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// childVariable marks a process of the test binary as an extraction child.
const childVariable = "DOCSVC_EXTRACTTEST_CHILD"

// Main runs the child and ends the process when this is one, else it returns
// at once. Call it first in TestMain.
func Main() {
	if os.Getenv(childVariable) != "" {
		os.Exit(extract.RunChild(context.Background()))
	}
}

// CacheDir is where PDFium's compiled code is kept for tests of all packages.
func CacheDir(tb testing.TB) string { return pdftest.CacheDir(tb) }

// Options are those of a pool whose children are this test binary. Size is 1.
func Options(tb testing.TB) extract.PoolOptions {
	return extract.PoolOptions{
		Args:     []string{"-test.run=^$"},
		CacheDir: CacheDir(tb),
		Env:      []string{childVariable + "=1"},
		Size:     1,
	}
}

// Pool is a pool that is closed when the test ends.
func Pool(tb testing.TB, change ...func(*extract.PoolOptions)) *extract.Pool {
	tb.Helper()
	o := Options(tb)
	for _, f := range change {
		f(&o)
	}
	p, err := extract.NewPool(o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := p.Close(); err != nil {
			tb.Errorf("closing the extraction pool: %v", err)
		}
	})
	return p
}
