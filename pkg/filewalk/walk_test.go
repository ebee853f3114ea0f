package filewalk_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/filewalk"
)

// tree makes files (a name ending in / is a directory) and returns its root.
func tree(t *testing.T, names ...string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		path := filepath.Join(dir, n)
		if strings.HasSuffix(n, "/") {
			err = os.MkdirAll(path, 0o700)
		} else if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = os.WriteFile(path, []byte(n), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// walk lists what was found as "path", "path: skip" or "path! error", with dir
// taken off.
func walk(t *testing.T, dir string, args ...string) []string {
	t.Helper()
	var got []string
	for i := range args {
		args[i] = filepath.Join(dir, args[i])
	}
	err := filewalk.Walk(context.Background(), args, func(e filewalk.Entry) error {
		line := filewalk.Printable(strings.TrimPrefix(e.Path, dir+"/"))
		switch {
		case e.Err != nil:
			line += "! " + e.Err.Error()
		case e.Skip != "":
			line += ": " + e.Skip
		case !e.Info.Mode().IsRegular():
			t.Errorf("%s is given as a file and is none", e.Path)
		}
		if want := filepath.Join(e.Root, e.Rel); want != e.Path {
			t.Errorf("Root and Rel of %s make %s", e.Path, want)
		}
		got = append(got, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("found\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func TestWalkOrderAndHidden(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/b.txt", "d/a/z.txt", "d/.hidden", "d/.git/config", "d/empty/", "d/a.txt")
	equal(t, walk(t, dir, "d"), "d/.git/config", "d/.hidden", "d/a/z.txt", "d/a.txt", "d/b.txt")
}

func TestEachFileOnce(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/a.txt", "d/sub/b.txt", "e.txt")
	if err := os.Symlink("d", filepath.Join(dir, "l")); err != nil {
		t.Fatal(err)
	}
	equal(t, walk(t, dir, "d", "d", "d/sub", "l", "d/sub/b.txt", "d/../d"), "d/a.txt", "d/sub/b.txt")
	equal(t, walk(t, dir, "d/sub", "d"), "d/sub/b.txt", "d/a.txt")
	equal(t, walk(t, dir, "e.txt", "d/a.txt", "e.txt", "d"), "e.txt", "d/a.txt", "d/sub/b.txt")
	equal(t, walk(t, dir, "l", "d"), "l/a.txt", "l/sub/b.txt")
}

func TestLinks(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/a.txt", "outside/o.txt")
	for name, target := range map[string]string{
		"d/file": "a.txt", "d/up": "..", "d/here": ".", "d/out": "../outside", "d/gone": "nowhere", "d/loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	const skipped = ": a link to a directory; name it to have it walked"
	equal(t, walk(t, dir, "d"), "d/a.txt", "d/file", "d/gone! a link to nowhere, which is not there", "d/here"+skipped,
		"d/loop! a link that leads back to itself", "d/out"+skipped, "d/up"+skipped)
	equal(t, walk(t, dir, "d/out"), "d/out/o.txt")
}

func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/")
	if err := syscall.Mkfifo(filepath.Join(dir, "d/pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mknod(filepath.Join(dir, "d/sock"), syscall.S_IFSOCK|0o600, 0); err != nil { // net.Listen takes short paths only
		t.Fatal(err)
	}
	equal(t, walk(t, dir, "d"), "d/pipe: a named pipe", "d/sock: a socket")
	if _, _, err := filewalk.Open(filepath.Join(dir, "d/pipe")); err == nil {
		t.Error("a named pipe could be opened")
	}
	var null string
	_ = filewalk.Walk(context.Background(), []string{"/dev/null"}, func(e filewalk.Entry) error { null = e.Skip; return nil })
	if null != "a device" {
		t.Errorf("/dev/null is skipped as %q", null)
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := tree(t, "d/a.txt", "d/shut/b.txt", "d/z.txt")
	if err := os.Chmod(filepath.Join(dir, "d/shut"), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "d/shut"), 0o700) })
	equal(t, walk(t, dir, "d"), "d/a.txt", "d/shut! permission denied", "d/z.txt")
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/a.pdf", "d/b.pdf", "d/c.txt", "d/[x].pdf", "d/sub/e.pdf")
	equal(t, walk(t, dir, "d/*.pdf"), "d/[x].pdf", "d/a.pdf", "d/b.pdf")
	equal(t, walk(t, dir, "d/[x].pdf"), "d/[x].pdf")
	equal(t, walk(t, dir, "d/s*"), "d/sub/e.pdf")
	equal(t, walk(t, dir, "d/*.md"), "d/*.md! nothing matches")
	equal(t, walk(t, dir, "d/[a"), "d/[a! not a pattern: syntax error in pattern")
	equal(t, walk(t, dir, "d/none.pdf"), "d/none.pdf! no such file or directory")
	if got := walk(t, dir, "d/**/x.pdf"); len(got) != 1 || !strings.Contains(got[0], "** is not understood") {
		t.Errorf("** found %v", got)
	}
}

func TestOddNames(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/\xff.txt", "d/a\nb.txt", "d/exe\u202etxt.pdf", "d/çã.txt", `d/a\b.txt`, "d/ ", "d/-o")
	equal(t, walk(t, dir, "d"), "d/ ", "d/-o", `d/a\nb.txt`, `d/a\b.txt`, `d/exe\u202etxt.pdf`, "d/çã.txt", `d/\xff.txt`)
}

func TestWalkEndsEarly(t *testing.T) {
	t.Parallel()
	dir := tree(t, "d/a", "d/b", "d/c")
	enough, n := errors.New("enough"), 0
	err := filewalk.Walk(context.Background(), []string{filepath.Join(dir, "d")}, func(filewalk.Entry) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Errorf("%v after %d entries", err, n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err = filewalk.Walk(ctx, []string{filepath.Join(dir, "d")}, func(filewalk.Entry) error { return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a canceled walk ended with %v", err)
	}
}
