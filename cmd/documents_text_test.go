package cmd

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What --out names is written as cp would write it, and whole.
func TestWriteWhole(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	say := func(text string) func(io.Writer) error {
		return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
	}
	ok := func(path, text string) {
		t.Helper()
		if err := writeWhole(t.Context(), path, say(text)); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name, text string, mode os.FileMode) {
		t.Helper()
		got, err := os.ReadFile(at(name))
		if err != nil || string(got) != text {
			t.Errorf("%s: %q, %v; want %q", name, got, err, text)
		}
		if info, err := os.Lstat(at(name)); err != nil || info.Mode() != mode {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, mode)
		}
	}
	if err := os.WriteFile(at("private"), []byte("old and longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"link": "private", "dangling": "new"} {
		if err := os.Symlink(to, at(name)); err != nil {
			t.Fatal(err)
		}
	}
	ok(at("private"), "one")
	has("private", "one", 0o600)
	ok(at("link"), "two")
	has("private", "two", 0o600)
	ok(at("dangling"), "three")
	has("new", "three", 0o644)
	for _, name := range []string{"link", "dangling"} {
		if _, err := os.Readlink(at(name)); err != nil {
			t.Errorf("%s is no link any more: %v", name, err)
		}
	}

	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() { text, _ := os.ReadFile(at("pipe")); read <- string(text) }()
	ok(at("pipe"), "four")
	if got := <-read; got != "four" {
		t.Errorf("the pipe gave %q", got)
	}

	broken := errors.New("broken")
	if err := writeWhole(t.Context(), at("private"), func(io.Writer) error { return broken }); err != broken {
		t.Errorf("got %v", err)
	}
	has("private", "two", 0o600)
	for path, want := range map[string]string{dir: dir + " is a directory", at("none/x"): "writing " + at("none/x") + ": no such file or directory"} {
		called := false
		err := writeWhole(t.Context(), path, func(io.Writer) error { called = true; return nil })
		if err == nil || err.Error() != want || called {
			t.Errorf("%s: %v, called %v; want %s", path, err, called, want)
		}
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".docsvc") {
			t.Errorf("%s is left", e.Name())
		}
	}
}
