package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// A work directory that fills up in the middle of a download, and has no room
// for the next one either: the document waits without losing a retry, nothing
// is left of the file that did not fit, and it goes on once there is room.
func TestAWorkDirectoryThatFillsUp(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	if err := unix.Mount("tmpfs", r.dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("a file system of its own can't be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(r.dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(r.dir, "filler")
	fill := func() {
		f, err := os.Create(filler)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = f.Close() }()
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("filling the disk: %v", err)
		}
	}
	text := strings.TrimSpace(strings.Repeat(sample+"\n\n", 400<<10/len(sample)))
	u := r.upload("a.txt", text)
	r.process(u)
	var once sync.Once
	r.work(func(c *Config) {
		wrap(c, func(point string) {
			if point == "after get" { // room for it was found, none of it is written
				once.Do(fill)
			}
		})
	})
	for _, want := range []string{"disk is full", "has no room"} {
		r.until("a document that waits and says: "+want, func() bool {
			d := r.doc(u.DocumentID)
			return d.Status == document.Uploaded && strings.Contains(d.Error, want) && d.ErrorCode == CodeDiskFull
		})
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "*", "upload-*")); len(left) > 0 {
		t.Errorf("%v is left of what did not fit", left)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	d := r.committed(u.DocumentID, text)
	if j, err := r.queue.Job(t.Context(), d.JobID); err != nil || *j.RetriesLeft != 2 {
		t.Errorf("%v retries left, %v; want both", *j.RetriesLeft, err)
	}
}
