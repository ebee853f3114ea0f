package pdf

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/blocktest"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

func TestTheCacheIsThisUsersAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, unlock, reason := openCache(dir)
	if reason != nil {
		t.Fatal(reason)
	}
	unlock()
	if err := cache.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, cacheName))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, error %v", info.Mode(), err)
	}
}

// What lies in the cache is executed.
func TestACacheThatOthersCanWriteToIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"others may enter": {func(t *testing.T, dir string) { chmod(t, dir, 0o755) }, "mode"},
		"others may write": {func(t *testing.T, dir string) { chmod(t, dir, 0o777) }, "mode"},
		"a file others may write": {func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "code"))
			chmod(t, filepath.Join(dir, "code"), 0o666)
		}, "mode"},
		"a link in it": {func(t *testing.T, dir string) {
			link(t, "/etc/passwd", filepath.Join(dir, "code"))
		}, "neither a file nor a directory"},
		"a link in its place": {func(t *testing.T, dir string) {
			other := t.TempDir()
			remove(t, dir)
			link(t, other, dir)
		}, "neither a file nor a directory"},
		"a link for a lock": {func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "lock"))
			link(t, filepath.Join(t.TempDir(), "lock"), filepath.Join(dir, "lock"))
		}, "neither a file nor a directory"},
		"a file in its place": {func(t *testing.T, dir string) { remove(t, dir); write(t, dir) }, "not a directory"},
		"another's": {func(t *testing.T, dir string) {
			if os.Geteuid() != 0 {
				chmod(t, dir, 0o711) // only root can give directories away
				return
			}
			if err := os.Chown(dir, 12345, 12345); err != nil {
				t.Fatal(err)
			}
		}, " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			dir := filepath.Join(base, cacheName)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, "lock"))
			c.spoil(t, dir)
			cache, unlock, reason := openCache(base)
			defer unlock()
			defer cache.Close(context.Background())
			if reason == nil || !strings.Contains(reason.Error(), c.want) {
				t.Errorf("reason %v, want one with %q", reason, c.want)
			}
		})
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func TestTheCacheCanBeUnwritable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file)
	for _, dir := range []string{"", filepath.Join(file, "below")} {
		cache, unlock, reason := openCache(dir)
		unlock()
		if reason == nil || cache == nil {
			t.Errorf("%q: cache %v, reason %v", dir, cache, reason)
		}
	}
}

// Processes that start together must not all compile.
func TestTheFirstUseLocksTheCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cache, unlock, reason := openCache(dir)
	if reason != nil {
		t.Fatal(reason)
	}
	defer cache.Close(context.Background())
	lock, err := os.Open(filepath.Join(dir, cacheName, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != syscall.EWOULDBLOCK {
		t.Errorf("the lock can be had meanwhile: %v", err)
	}
	unlock()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Errorf("the lock is not given back: %v", err)
	}
}

func TestReadersShareTheCache(t *testing.T) {
	t.Parallel()
	o := block.Options{CacheDir: pdftest.CacheDir(t)}
	count := func() int {
		files, err := filepath.Glob(filepath.Join(o.CacheDir, cacheName, "wazero-*", "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(files)
	}
	before := count()
	raw := pdftest.Simple([]string{"shared"})
	var wg sync.WaitGroup
	for range 3 {
		r := NewReader()
		defer r.Close()
		f := blocktest.File(t, raw)
		wg.Go(func() {
			var s blocktest.Sink
			if err := r.Parse(t.Context(), f, int64(len(raw)), o, &s); err != nil || len(s.Blocks) != 1 {
				t.Errorf("blocks %v, error %v", s.Blocks, err)
			}
			if r.engine == nil || r.engine.uncached != nil {
				t.Errorf("not from the cache: %+v", r.engine)
			}
		})
	}
	wg.Wait()
	if after := count(); before == 0 || after != before {
		t.Errorf("%d files in the cache before, %d after", before, after)
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
