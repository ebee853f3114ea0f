package pdftest

import (
	"os"
	"path/filepath"
	"testing"
)

// CacheDir is where tests of all packages keep PDFium's compiled code, below
// .cache at the root of the repository, so that it is compiled once.
func CacheDir(tb testing.TB) string {
	tb.Helper()
	at, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(at)
		if parent == at {
			return tb.TempDir()
		}
		at = parent
	}
	dir := filepath.Join(at, ".cache", "wazero")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return tb.TempDir()
	}
	return dir
}
