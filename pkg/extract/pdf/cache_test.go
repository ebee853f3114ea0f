package pdf

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

func TestReadersShareTheCache(t *testing.T) {
	t.Parallel()
	o := block.Options{CacheDir: pdftest.CacheDir(t)}
	stamp, err := code.Verify(o.CacheDir)
	if err != nil {
		t.Fatal(err)
	}
	raw := pdftest.Simple([]string{"shared"})
	var wg sync.WaitGroup
	for i := range 3 {
		o := o
		if i > 0 {
			o.CodeStamp = stamp
		}
		r := NewReader()
		defer r.Close()
		f := blocktest.File(t, raw)
		wg.Go(func() {
			var s blocktest.Sink
			if err := r.Parse(t.Context(), f, int64(len(raw)), o, &s); err != nil || len(s.Blocks) != 1 {
				t.Errorf("blocks %v, error %v", s.Blocks, err)
			}
		})
	}
	wg.Wait()
	if after, err := code.Stamp(o.CacheDir); err != nil || after != stamp {
		t.Errorf("readers changed the cache: %v", err)
	}
}

// Code that was put there by somebody else is not executed.
func TestAReaderRefusesCodeThatIsNotRight(t *testing.T) {
	t.Parallel()
	from, base := code.Dir(pdftest.CacheDir(t)), t.TempDir()
	if err := code.Prepare(base); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(code.Dir(base), os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	private(t, code.Dir(base))
	r := NewReader()
	defer r.Close()
	if err := r.Warm(t.Context(), block.Options{CacheDir: base}); err != nil {
		t.Fatalf("a copy: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(code.Dir(base), "wazero-*", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 1
	if err := os.WriteFile(files[0], raw, 0o600); err != nil {
		t.Fatal(err)
	}
	other := NewReader()
	defer other.Close()
	for _, stamp := range []string{"", "of before"} {
		if err := other.Warm(t.Context(), block.Options{CacheDir: base, CodeStamp: stamp}); !errors.Is(err, code.ErrNotCompiled) {
			t.Errorf("stamp %q: error %v", stamp, err)
		}
	}
	if err := other.Warm(t.Context(), block.Options{CacheDir: t.TempDir()}); !errors.Is(err, code.ErrNotCompiled) {
		t.Errorf("no code at all: error %v", err)
	}
}

// private makes a copied tree this user's alone.
func private(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAReaderCanBeClosedAndUsedAgain(t *testing.T) {
	t.Parallel()
	r := NewReader()
	if err := r.Close(); err != nil {
		t.Errorf("closing one that was never used: %v", err)
	}
	for range 2 {
		if d := blocktest.Parse(t, r.Parse, pdftest.Simple([]string{"text"}), options(t)); len(d.Blocks) != 1 {
			t.Errorf("%+v", d)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
