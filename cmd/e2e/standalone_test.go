package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

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
