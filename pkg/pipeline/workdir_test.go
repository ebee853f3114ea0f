package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestWorkDirIsSweptOfTheDeadOnly(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "a [b] *c") // nothing in a path may act as a pattern
	live, err := openWorkDir(parent, 0, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	f, done, err := live.create(10)
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	dead, err := openWorkDir(parent, 0, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := dead.create(10); err != nil {
		t.Fatal(err)
	}
	_ = dead.lock.Close() // what the kernel does when a process is killed
	unfinished := filepath.Join(parent, "new-"+dirPrefix+"1")
	fresh := filepath.Join(parent, "new-"+dirPrefix+"2")
	foreign := filepath.Join(parent, "somebody-elses")
	for _, d := range []string{unfinished, fresh, foreign} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(unfinished, old, old); err != nil {
		t.Fatal(err)
	}

	next, err := openWorkDir(parent, 0, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	// A process that another test is just starting has a copy of the lock until
	// it is another program.
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dead.path); err != nil {
			break
		}
		again, err := openWorkDir(parent, 0, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		_ = again.close()
	}
	for path, want := range map[string]bool{f.Name(): true, dead.path: false, unfinished: false, fresh: true, foreign: true} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s: %v; want it kept: %v", path, err, want)
		}
	}
	if err := next.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(next.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is still there after close: %v", err)
	}
}

func TestWorkFilesAreRemovedAndTheirSpaceGivenBack(t *testing.T) {
	t.Parallel()
	d, err := openWorkDir(t.TempDir(), 0, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	f, done, err := d.create(1000)
	if err != nil {
		t.Fatal(err)
	}
	if d.reserved != 1000 {
		t.Errorf("%d bytes reserved; want 1000", d.reserved)
	}
	done()
	done()
	if d.reserved != 0 {
		t.Errorf("%d bytes reserved after done; want 0", d.reserved)
	}
	if _, err := os.Stat(f.Name()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestADownloadThatDoesNotFitIsRefused(t *testing.T) {
	t.Parallel()
	d, err := openWorkDir(t.TempDir(), 1<<20, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	var space *spaceError
	if _, _, err := d.create(1 << 60); !errors.As(err, &space) || !strings.Contains(err.Error(), "MiB") {
		t.Fatalf("got %v; want an error with both sizes", err)
	}
	if d.reserved != 0 {
		t.Errorf("%d bytes reserved; want 0", d.reserved)
	}
	// What other downloads are going to write counts too.
	d.reserved = 1 << 60
	if _, _, err := d.create(1); !errors.As(err, &space) {
		t.Errorf("got %v; want a refusal beside a large download", err)
	}
}

func TestAWorkDirThatCannotBeWrittenSaysSo(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openWorkDir(filepath.Join(file, "dir"), 0, zerolog.Nop()); err == nil || !strings.Contains(err.Error(), "work directory") {
		t.Errorf("got %v; want an error that names the work directory", err)
	}
}
