package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

func listBelow(prefix string) minio.ListObjectsOptions {
	return minio.ListObjectsOptions{Prefix: prefix, Recursive: true}
}

// newStandalone makes a directory with a blank in its name for one
// serve --standalone, on the engine that PATH offers or the in-process one.
func newStandalone(t *testing.T) *site {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return &site{t: t, dir: dir, env: append(baseEnv(t), "DOCSVC_WORKER_WORK_DIR="+filepath.Join(dir, "work"))}
}

// Stopped and started again, documents and jobs are there; other commands in
// the directory find the server.
func TestStandaloneRestart(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	p := s.serve("--standalone")
	done := s.submit("done.md", "text/markdown", []byte("# Done\n\nThis was processed before the stop.\n"))
	s.reach(done, "completed")
	p.stop(os.Interrupt)

	p = s.serve("--standalone", "--without-worker")
	if st, err := s.status(done); err != nil || st.Status != "completed" {
		t.Errorf("after a restart: %+v, %v", st, err)
	}
	waiting := s.submit("waiting.md", "text/markdown", []byte("# Waiting\n\nThis was enqueued before the stop.\n"))
	p.stop(syscall.SIGTERM)

	s.serve("--standalone", "--without-worker")
	if st, err := s.status(waiting); err != nil || st.Status != "uploaded" {
		t.Errorf("after a restart: %+v, %v", st, err)
	}
	if out, err := s.run("worker", "--all", "--burst"); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if st, err := s.status(waiting); err != nil || st.Status != "completed" {
		t.Errorf("after a burst worker in the same directory: %+v, %v", st, err)
	}
	a, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+waiting+"/text", nil, "")
	if err != nil || !strings.Contains(string(a.body), "enqueued before the stop") {
		t.Errorf("text: %v %v", a, err)
	}
}

// A server whose worker cannot begin ends and says why, instead of taking
// documents in that nobody processes.
func TestStandaloneWithoutItsWorker(t *testing.T) {
	t.Parallel()
	s := newStandalone(t)
	p := s.serve("--standalone", "--without-worker")
	name := "standalone"
	if runtime.NumCPU() > 1 {
		name += ".1"
	}
	other := s.start("worker", "--name", name)
	s.until("the other worker to have the name", func() error {
		if strings.Contains(other.out.String(), "worker started") {
			return nil
		}
		return other.running()
	})
	p.stop(os.Interrupt)

	p = s.start("serve", "--addr", "127.0.0.1:0", "--standalone")
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatal("it goes on without its worker")
	}
	if p.err == nil || !strings.Contains(p.out.String(), "is taken by a live worker") {
		t.Errorf("it ended with %v and said %s", p.err, p.out.String())
	}
}
