package code

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// made is a cache with two files in it.
func made(t *testing.T) (base string) {
	t.Helper()
	base = t.TempDir()
	fresh, err := Make(base, false, compile)
	if err != nil || !fresh {
		t.Fatalf("fresh %v, error %v", fresh, err)
	}
	return base
}

func compile(dir string) error {
	if err := os.Mkdir(filepath.Join(dir, "wazero"), 0o700); err != nil && !os.IsExist(err) {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "wazero", "a"), []byte("machine"), 0o600),
		os.WriteFile(filepath.Join(dir, "wazero", "b"), []byte("code"), 0o600))
}

func TestCodeIsMadeOnceAndThisUsersAlone(t *testing.T) {
	t.Parallel()
	base := made(t)
	stamp, err := Verify(base)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := Make(base, false, func(string) error { return errors.New("compiled twice") })
	if err != nil || fresh {
		t.Errorf("fresh %v, error %v", fresh, err)
	}
	if again, err := Stamp(base); err != nil || again != stamp {
		t.Errorf("the stamp changed: %v", err)
	}
	if n := Size(base); n < int64(len("machinecode")) {
		t.Errorf("size %d", n)
	}
	for _, dir := range []string{Dir(base), filepath.Dir(Dir(base))} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
	// For another processor: what was there stays.
	fresh, err = Make(base, true, func(dir string) error { return os.WriteFile(filepath.Join(dir, "wazero", "c"), nil, 0o600) })
	if err != nil || !fresh {
		t.Errorf("again: fresh %v, error %v", fresh, err)
	}
	if _, err := Verify(base); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(Dir(base), "wazero", "a")); err != nil {
		t.Error(err)
	}
}

// Processes that start together must not all compile.
func TestOneOfManyMakesIt(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	var compiled atomic.Int32
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := Make(base, false, func(dir string) error {
				compiled.Add(1)
				return compile(dir)
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := compiled.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
}

// What lies in the cache is executed: whatever is not as it was made is not
// used, and made anew.
func TestWhatWasChangedIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"a flipped byte": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "wazero", "a"), "Machine") },
		"a planted file": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "wazero", "planted"), "x") },
		"a file gone":    func(t *testing.T, dir string) { remove(t, filepath.Join(dir, "wazero", "b")) },
		"cut short":      func(t *testing.T, dir string) { write(t, filepath.Join(dir, "wazero", "a"), "mach") },
		"no sums":        func(t *testing.T, dir string) { remove(t, filepath.Join(dir, sumsName)) },
		"empty sums":     func(t *testing.T, dir string) { write(t, filepath.Join(dir, sumsName), "") },
		"nothing at all": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "wazero"))
			write(t, filepath.Join(dir, sumsName), "")
		},
		"a link": func(t *testing.T, dir string) { link(t, "/etc/passwd", filepath.Join(dir, "wazero", "link")) },
		"a link for a file": func(t *testing.T, dir string) {
			remove(t, filepath.Join(dir, "wazero", "b"))
			link(t, "a", filepath.Join(dir, "wazero", "b"))
		},
		"a file others may write": func(t *testing.T, dir string) { chmod(t, filepath.Join(dir, "wazero", "a"), 0o666) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := made(t)
			before, err := Stamp(base)
			if err != nil {
				t.Fatal(err)
			}
			spoil(t, Dir(base))
			if after, err := Stamp(base); err == nil && after == before {
				t.Error("the stamp is the same")
			}
			if _, err := Verify(base); !errors.Is(err, ErrNotCompiled) {
				t.Errorf("error %v", err)
			}
			if fresh, err := Make(base, false, compile); err != nil || !fresh {
				t.Errorf("made anew: fresh %v, error %v", fresh, err)
			}
			if _, err := Verify(base); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestADirectoryThatOthersCanGetAtIsNotUsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"others may enter":    {func(t *testing.T, dir string) { chmod(t, dir, 0o755) }, "chmod 700"},
		"others may write":    {func(t *testing.T, dir string) { chmod(t, dir, 0o777) }, "mode"},
		"a link in its place": {func(t *testing.T, dir string) { remove(t, dir); link(t, t.TempDir(), dir) }, "not a directory"},
		"a file in its place": {func(t *testing.T, dir string) { remove(t, dir); write(t, dir, "") }, "not a directory"},
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
		for at, dirOf := range map[string]func(base string) string{"the build's": Dir, "the cache's": func(base string) string { return filepath.Join(base, cacheName) }} {
			t.Run(name+", "+at, func(t *testing.T) {
				t.Parallel()
				base := made(t)
				c.spoil(t, dirOf(base))
				for what, err := range map[string]error{"prepare": Prepare(base), "make": made2(base)} {
					if err == nil || !strings.Contains(err.Error(), c.want) {
						t.Errorf("%s: error %v, want one with %q", what, err, c.want)
					}
				}
			})
		}
	}
}

func made2(base string) error {
	_, err := Make(base, false, compile)
	return err
}

func TestCodeOfOldVersionsIsRemoved(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	old, recent := filepath.Join(base, cacheName, "old"), filepath.Join(base, cacheName, "recent")
	for _, dir := range []string{old, recent} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	chmod(t, filepath.Join(base, cacheName), 0o700)
	longAgo := time.Now().Add(-2 * staleAfter)
	if err := os.Chtimes(old, longAgo, longAgo); err != nil {
		t.Fatal(err)
	}
	if err := made2(base); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old one: %v", err)
	}
	if _, err := os.Stat(recent); err != nil {
		t.Error(err)
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
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
