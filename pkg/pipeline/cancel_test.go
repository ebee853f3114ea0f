package pipeline

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// Cancelling a document whose parser hangs ends that process at once, and its
// slot takes the next document.
func TestCancelEndsAHangingParser(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("children can't be listed on this system")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		mark := "DOCSVC_TEST_MARK=" + t.TempDir()
		pool, err := extract.NewPool(extract.PoolOptions{Executable: exe, Args: []string{"_extract"}, Env: []string{childVariable + "=1", mark}, Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = pool.Close() })
		if _, err := pool.Cage(t.Context()); err != nil { // starts the child
			t.Fatal(err)
		}
		var parser int
		for _, pid := range children(t) {
			if isMarked(pid, mark) {
				parser = pid
			}
		}
		if parser == 0 {
			t.Skip("the parser process can't be told from others")
		}
		if err := syscall.Kill(parser, syscall.SIGSTOP); err != nil { // from here on it hangs
			t.Fatal(err)
		}
		r := newRig(t, s)
		r.work(func(c *Config) { c.Pool = pool })
		u := r.upload("a.md", "# Hangs\n\nText.\n", func(n *document.NewUpload) { n.ContentType = "text/markdown" })
		r.process(u)
		wait(t, "the parser to have the document", func() bool { return pool.Stats().Busy == 1 })
		d, err := r.docs.Record(t.Context(), u.DocumentID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.queue.Cancel(t.Context(), d.JobID); err != nil {
			t.Fatal(err)
		}
		r.await(u.DocumentID, document.Canceled)
		wait(t, "the parser to be gone", func() bool { return errors.Is(syscall.Kill(parser, 0), syscall.ESRCH) })
		next := r.upload("b.md", "# Next\n\nText.\n", func(n *document.NewUpload) { n.ContentType = "text/markdown" })
		r.process(next)
		r.await(next.DocumentID, document.Completed)
	})
}

// children lists the processes that this one has started.
func children(t *testing.T) (pids []int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		b, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// isMarked reports whether a process has this variable: other tests have parsers, too.
func isMarked(pid int, variable string) bool {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	return strings.Contains(string(b), variable)
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
