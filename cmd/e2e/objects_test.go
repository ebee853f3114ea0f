package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func (s *site) putObject(key string, data []byte) {
	s.t.Helper()
	_, err := s.s3.Client(s.t).PutObject(context.Background(), s.s3.Bucket, key, bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
}

// untouched checks that an object is as it was put there.
func (s *site) untouched(key string, want []byte) {
	s.t.Helper()
	o, err := s.s3.Client(s.t).GetObject(context.Background(), s.s3.Bucket, key, minio.GetObjectOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	if got, err := io.ReadAll(o); err != nil || !bytes.Equal(got, want) {
		s.t.Errorf("%s: %d bytes, %v; want its %d bytes as they were", key, len(got), err, len(want))
	}
}

// Objects of a bucket in which docsvc lives below a prefix. Whatever is
// canceled, retried or cleaned up, they stay as they were.
func TestObjectsOfABucket(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.env = append(s.env, "DOCSVC_STORAGE_PREFIX=team/a", "DOCSVC_STORAGE_KEEP_ORIGINAL=true")
	s.serve()
	for key, size := range map[string]int{"inbox/ação 1.txt": 20_000, "temp/x/2.txt": 30_000} {
		data := bigText(size)
		s.putObject(key, data)
		var a struct {
			JobID      string `json:"job_id"`
			DocumentID string `json:"document_id"`
		}
		if err := s.post("/api/v1/documents/objects", map[string]any{"key": key}, &a); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"cancel", a.JobID}, {"retry", a.JobID}} {
			if _, err := s.run(append([]string{"queue"}, args...)...); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.run("worker", "--burst"); err != nil {
			t.Fatal(err)
		}
		s.reach(a.DocumentID, "completed")
		r, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+a.DocumentID+"/original", nil, "")
		if err != nil || r.status != http.StatusOK || !bytes.Equal(r.body, data) {
			t.Errorf("%s: original %v, %v", key, r, err)
		}
		for _, task := range []string{"s3", "orphaned", "expired", "daily"} {
			if _, err := s.run("cleanup", task, "--now"); err != nil {
				t.Error(err)
			}
		}
		s.untouched(key, data)
	}
}

const enqueueObject = `
import sys
from redis import Redis
from rq import Queue
q = Queue("document_processing", connection=Redis.from_url(sys.argv[1]))
print(q.enqueue("docsvc.process_object", sys.argv[2], title="From Python", tags=["python"]).id)
`

// A Python producer's object, and the worker killed while it reads it: the
// next one makes the same document of it, once.
func TestObjectOfPythonAndAKilledWorker(t *testing.T) {
	t.Parallel()
	python := redistest.Python(t)
	s := newSite(t, redistest.RedisServer)
	s.serve()
	data := bigText(20_000)
	s.putObject("inbox/1.txt", data)
	reached, release := s.hold(http.MethodGet, "/inbox/")
	out, err := exec.Command(python, "-I", "-c", enqueueObject, s.redis.URL, "inbox/1.txt").Output()
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(string(out))
	w := s.start("worker", "--name", "worker-1")
	s.wait("the worker to read the object", reached)
	w.kill()
	release()
	s.start("worker", "--name", "worker-1")
	var job struct {
		Status string
		Result struct {
			DocumentID string `json:"document_id"`
			Status     string
		}
	}
	s.until("the job to be finished", func() error {
		if err := s.get("/api/v1/queue/job/"+id, &job); err != nil || job.Status != "finished" {
			return fmt.Errorf("%+v: %w", job, errors.Join(err, errors.New("not yet")))
		}
		return nil
	})
	st := s.reach(job.Result.DocumentID, "completed")
	if st.JobID != id || job.Result.Status != "completed" {
		t.Errorf("document %+v, job %+v", st, job)
	}
	if n := s.redis.Client(t).ZCard(context.Background(), "docsvc:docs").Val(); n != 1 {
		t.Errorf("%d documents; want 1", n)
	}
	if left := s.executions(job.Result.DocumentID); len(left) != 1 {
		t.Errorf("artifacts of executions %v", left)
	}
	s.untouched("inbox/1.txt", data)
}
