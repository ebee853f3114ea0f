package pdftest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
)

// WarmVariable names the directory that TestWarm compiles into.
const WarmVariable = "DOCSVC_TEST_WARM"

// CacheDir is where tests of all packages keep PDFium's compiled code, below
// .cache at the root of the repository, so that it is compiled once. The first
// call of all compiles it.
func CacheDir(tb testing.TB) string {
	tb.Helper()
	root := repository(tb)
	dir := filepath.Join(root, ".cache", "wazero")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Logf("PDFium is compiled for this package alone: %v", err)
		return tb.TempDir()
	}
	if compiled(dir) {
		return dir
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		tb.Fatal(err)
	}
	if compiled(dir) {
		return dir
	}
	// A process of its own, without the race detector that this one may have:
	// that takes ten times as long and three times the memory. It is a test
	// because wazero keeps its results apart by what kind of program made them.
	warm := exec.Command("go", "test", "-count=1", "-run=^TestWarm$", "./pkg/extract/pdf/pdftest")
	warm.Dir = root
	warm.Env = append(os.Environ(), WarmVariable+"="+dir)
	if out, err := warm.CombinedOutput(); err != nil {
		tb.Logf("compiling PDFium beforehand: %v\n%s", err, out)
	}
	return dir
}

func repository(tb testing.TB) string {
	tb.Helper()
	at, err := os.Getwd()
	if err != nil {
		tb.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		parent := filepath.Dir(at)
		if parent == at {
			tb.Fatal("no go.mod above the working directory")
		}
		at = parent
	}
}

// compiled reports whether the cache has the code.
func compiled(dir string) bool {
	_, err := code.Verify(dir)
	return err == nil
}
