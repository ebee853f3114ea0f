package pipeline

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/worker"
)

// crashingWorker is a worker process that kills itself at a point of its first
// job. It never returns.
func crashingWorker(point string) {
	fatal := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	rdb := redis.NewClient(&redis.Options{Addr: os.Getenv("DOCSVC_TEST_REDIS"), DisableIdentity: true})
	s, err := connect(rdb, objstore.Config{
		Endpoint: os.Getenv("DOCSVC_TEST_S3"), Bucket: os.Getenv("DOCSVC_TEST_BUCKET"), PathStyle: true,
		Credentials: credentials.NewStaticV4(os.Getenv("DOCSVC_TEST_KEY"), os.Getenv("DOCSVC_TEST_SECRET"), ""),
	}, zerolog.New(os.Stderr), soon)
	if err != nil {
		fatal(err)
	}
	c := s.config(os.Getenv("DOCSVC_TEST_DIR"))
	wrap(&c, func(at string) {
		if at == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	})
	p, err := New(c)
	if err != nil {
		fatal(err)
	}
	wc := s.workerConfig("w", p.Handler(), p.ObjectHandler())
	wc.Burst = true
	w, err := worker.New(wc)
	if err == nil {
		err = w.Run(context.Background())
	}
	fatal(fmt.Errorf("the point %q was not reached: %v", point, err))
}

// crash runs a worker process until it has killed itself at the point.
func (r *rig) crash(point string) {
	r.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(),
		"DOCSVC_TEST_CRASH_AT="+point, "DOCSVC_TEST_REDIS="+r.redi.Addr, "DOCSVC_TEST_DIR="+r.dir,
		"DOCSVC_TEST_S3="+r.s3.Endpoint, "DOCSVC_TEST_BUCKET="+r.s3.Bucket, "DOCSVC_TEST_KEY="+r.s3.AccessKey, "DOCSVC_TEST_SECRET="+r.s3.SecretKey)
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		r.t.Fatalf("the worker process ended with %v:\n%s", err, out)
	}
}

// A worker is killed at every step. The next one, under the same name, brings
// the document to the same end.
func TestKilledAnywhereAndRunAgainItEndsTheSame(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := rigOf(t, s, soon)
		const text = "The first paragraph.\n\nThe second paragraph, which is longer."
		var ids []string
		for i, name := range points {
			for _, when := range []string{"before ", "after "} {
				body := fmt.Sprintf("%s\n\nNumber %d %s.", text, i, when) // no duplicates
				u := r.upload("a.txt", body)
				r.process(u)
				r.crash(when + name)
				left, err := filepath.Glob(filepath.Join(r.dir, dirPrefix+"*"))
				if err != nil || len(left) != 1 {
					t.Fatalf("after a crash %s%s the work directory holds %v, %v; want the dead worker's directory", when, name, left, err)
				}
				r.recovered(u.DocumentID, when+name, body)
				ids = append(ids, u.DocumentID)
			}
		}
		if d := r.doc(ids[0]); d.Attempts < 1 {
			t.Errorf("%d attempts counted; want at least one", d.Attempts)
		}
	})
}

// recovered runs another worker until the document is whole.
func (r *rig) recovered(id, point, body string) {
	r.t.Helper()
	r.redi.FastForward(2 * soon)
	c := r.config(r.dir)
	p, err := New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			r.t.Errorf("closing the pipeline: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, "*")); len(left) > 0 {
			r.t.Errorf("after a crash %s the work directory still holds %v", point, left)
		}
	}()
	w, err := worker.New(r.workerConfig("w", p.Handler(), p.ObjectHandler()))
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		if err := w.Run(context.Background()); err != nil {
			r.t.Errorf("the worker ended: %v", err)
		}
	}()
	defer func() { w.Stop(); <-w.Done() }()
	d := r.committed(id, body)
	gone := d.UploadKey == "" || len(r.keys(d.UploadKey)) == 0 // the object of a key stays
	// A worker killed after the commit leaves the upload to cleanup.
	after := strings.HasSuffix(point, " record") || point == "before delete"
	if !gone && !after {
		r.until("the upload's removal", func() bool { return len(r.keys(d.UploadKey)) == 0 })
	}
	if d.Error != "" || d.DuplicateOf != "" {
		r.t.Errorf("after a crash %s the document says %q, duplicate of %q", point, d.Error, d.DuplicateOf)
	}
	if d.Status != document.Completed {
		r.t.Errorf("after a crash %s the document is %s", point, d.Status)
	}
}
