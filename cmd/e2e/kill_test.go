package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// hold makes the S3 server keep the first matching request waiting: reached
// is closed when it arrives, and release lets it go on.
func (s *site) hold(method, keyPart string) (reached <-chan struct{}, release func()) {
	arrived, gate := make(chan struct{}), make(chan struct{})
	var first, once sync.Once
	s.s3.Fail(func(r *http.Request) *s3test.Fault {
		if r.Method != method || !strings.Contains(r.URL.Path, keyPart) {
			return nil
		}
		first.Do(func() { close(arrived) })
		return &s3test.Fault{Wait: gate}
	})
	release = func() { once.Do(func() { s.s3.Fail(nil); close(gate) }) }
	s.t.Cleanup(release)
	return arrived, release
}

func (s *site) wait(what string, c <-chan struct{}) {
	s.t.Helper()
	s.until(what, func() error {
		select {
		case <-c:
			return nil
		default:
			return errors.New("not yet")
		}
	})
}

// artifacts lists the executions that left objects of a document.
func (s *site) artifacts(id string) map[string]int {
	s.t.Helper()
	found := map[string]int{}
	for o := range s.s3.Client(s.t).ListObjectsIter(context.Background(), s.s3.Bucket, listBelow("documents/"+id+"/")) {
		if o.Err != nil {
			s.t.Fatal(o.Err)
		}
		found[strings.Split(o.Key, "/")[2]]++
	}
	return found
}

// executions is artifacts without the saved copy of the record, which the
// keeper may write at any time.
func (s *site) executions(id string) map[string]int {
	s.t.Helper()
	found := s.artifacts(id)
	delete(found, document.RecordExecution)
	return found
}

// A worker killed with SIGKILL at different moments of a job: another one
// under the same name takes over at once and the document is completed once.
func TestKilledWorker(t *testing.T) {
	t.Parallel()
	moments := []struct{ name, method, key string }{
		{"while it fetches the upload", http.MethodGet, "/temp/"},
		{"while it stores the text", http.MethodPut, "/text.md"},
		{"while it stores the manifest", http.MethodPut, "/document.json"},
		{"while it removes the upload", http.MethodDelete, "/temp/"},
	}
	for _, m := range moments {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, redistest.Miniredis)
			s.serve()
			reached, release := s.hold(m.method, m.key)
			id := s.submit("manual.txt", "text/plain", bigText(20_000))
			w := s.start("worker", "--name", "worker-1")
			s.wait("the worker to reach the moment", reached)
			w.kill()
			release()
			s.start("worker", "--name", "worker-1")
			s.reach(id, "completed")
			// What the killed run stored stays for cleanup; the record
			// names the run that stored everything.
			execution := s.redis.Client(t).HGet(t.Context(), "docsvc:doc:"+id, "execution_id").Val()
			if left := s.executions(id); left[execution] != 3 || len(left) > 2 { // text, chunks, manifest
				t.Errorf("execution %q committed; artifacts of executions %v", execution, left)
			}
		})
	}
}

// Redis is killed in the middle of a job and comes back: the job ends, and
// nothing that was acknowledged is gone.
func TestKilledRedis(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	reached, release := s.hold(http.MethodGet, "/temp/")
	first := s.submit("a.txt", "text/plain", bigText(20_000))
	second := s.submit("b.txt", "text/plain", bigText(21_000))
	s.start("worker", "--name", "worker-1")
	s.wait("the worker to be in the middle of a job", reached)
	s.until("the append-only file to be written", func() error {
		info, err := s.redis.Client(t).Info(context.Background(), "persistence").Result()
		if err == nil && !strings.Contains(info, "aof_pending_bio_fsync:0") {
			err = errors.New("fsync pending")
		}
		return err
	})
	s.redis.Kill()
	a, err := s.call(http.MethodGet, s.api+"/api/v1/documents/"+first+"/status", nil, "")
	if err != nil || a.status != http.StatusServiceUnavailable {
		t.Errorf("status without Redis: %v %v, want 503", a, err)
	}
	if a, err := s.call(http.MethodGet, s.api+"/livez", nil, ""); err != nil || a.status != http.StatusOK {
		t.Errorf("livez without Redis: %v %v, want 200", a, err)
	}
	release()
	s.redis.Restart(t)
	s.reach(first, "completed")
	s.reach(second, "completed")
}

// Storage answers 503 for a while: the job is retried and the document says
// why it waits.
func TestStorageAway(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.serve()
	id := s.submit("a.txt", "text/plain", bigText(20_000))
	s.s3.Fail(func(r *http.Request) *s3test.Fault { return &s3test.Fault{Status: 503} })
	s.start("worker", "--name", "worker-1")
	s.until("the document to say why it waits", func() error {
		st, err := s.status(id)
		if err != nil {
			return err
		}
		if st.Status != "uploaded" || !strings.Contains(st.Step, "tried again") || st.Error == "" {
			return fmt.Errorf("%+v", *st)
		}
		return nil
	})
	s.s3.Fail(nil)
	if st := s.reach(id, "completed"); st.Attempts < 2 {
		t.Errorf("attempts = %d, want at least 2", st.Attempts)
	}
}

// The first signal lets the job in hand finish, the second gives it back.
func TestWarmAndColdStop(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.serve()

	reached, release := s.hold(http.MethodGet, "/temp/")
	warm := s.submit("warm.txt", "text/plain", bigText(20_000))
	w := s.start("worker", "--name", "worker-1")
	s.wait("the job to run", reached)
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	s.until("the worker to say that it is stopping", func() error {
		if !strings.Contains(w.out.String(), "stopping after the jobs in hand") {
			return errors.New("not yet")
		}
		return nil
	})
	release()
	w.stop(syscall.Signal(0))
	if st, err := s.status(warm); err != nil || st.Status != "completed" {
		t.Errorf("after a warm stop: %+v, %v", st, err)
	}

	reached, release = s.hold(http.MethodGet, "/temp/")
	cold := s.submit("cold.txt", "text/plain", bigText(21_000))
	w = s.start("worker", "--name", "worker-1")
	s.wait("the job to run", reached)
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	s.until("the worker to say that it is stopping", func() error {
		if !strings.Contains(w.out.String(), "stopping after the jobs in hand") {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(time.Second) // two signals at once are one request
	w.stop(syscall.SIGTERM)
	release()
	if n, err := s.redis.Client(t).LLen(context.Background(), "rq:queue:document_processing").Result(); err != nil || n != 1 {
		t.Errorf("after a cold stop %d jobs wait, %v; want 1", n, err)
	}
	s.start("worker", "--name", "worker-1")
	s.reach(cold, "completed")
}

// A worker that was given another installation's bucket refuses to start:
// every upload would seem to be gone.
func TestWorkerWithAnotherBucket(t *testing.T) {
	t.Parallel()
	s, other := newSite(t, redistest.Miniredis), newSite(t, redistest.Miniredis)
	other.serve()
	other.submit("there.txt", "text/plain", bigText(2000))
	s.serve()
	id := s.submit("here.txt", "text/plain", bigText(2000))
	right := s.env
	s.env = append(s.env, "DOCSVC_STORAGE_ENDPOINT="+other.s3.Endpoint, "DOCSVC_STORAGE_BUCKET="+other.s3.Bucket,
		"DOCSVC_STORAGE_ACCESS_KEY="+other.s3.AccessKey, "DOCSVC_STORAGE_SECRET_KEY="+other.s3.SecretKey)
	out, err := s.run("worker", "--name", "worker-1", "--burst")
	if err == nil || !strings.Contains(err.Error(), "installation") {
		t.Errorf("the worker ended with %v, want a word on the installation\n%s", err, out)
	}
	if st, err := s.status(id); err != nil || st.Status != "uploaded" {
		t.Errorf("the document is %+v, %v; want it untouched", st, err)
	}
	s.env = right
	s.start("worker", "--name", "worker-1")
	s.reach(id, "completed")
}

// A work directory that takes no file of this size (here by ulimit -f, which
// ends a process by a signal): the document waits and says why, the worker
// lives, and nothing is left behind.
func TestWorkDirectoryThatTakesNoSuchFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.Miniredis)
	s.serve()
	large := s.submit("large.txt", "text/plain", bigText(3_000_000))
	w := s.startLimited("ulimit -f 1024; exec", "worker", "--name", "worker-1") // 512 KiB or 1 MiB
	s.until("the document to say why it waits", func() error {
		st, err := s.status(large)
		if err == nil && (st.Status != "uploaded" || !strings.Contains(st.Error, "ulimit")) {
			err = fmt.Errorf("%+v", *st)
		}
		return err
	})
	small := s.submit("small.txt", "text/plain", bigText(2000))
	s.reach(small, "completed")
	if n := s.redis.Client(t).HLen(context.Background(), "docsvc:recovered").Val(); n != 0 {
		t.Errorf("%d jobs count deaths of their worker", n)
	}
	w.stop(syscall.SIGTERM)
	s.start("worker", "--name", "worker-1")
	s.reach(large, "completed")
}

// SIGTERM under load, again and again, as in a rolling restart: nothing is
// lost, and nothing runs twice.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	var ids []string
	for i := range 40 {
		ids = append(ids, s.submit(fmt.Sprintf("%d.txt", i), "text/plain", fmt.Appendf(bigText(2000), "\n\nNumber %d.", i)))
	}
	ctx, rdb := context.Background(), s.redis.Client(t)
	for i := 1; i <= 4; i++ {
		w := s.start("worker", "--name", fmt.Sprintf("worker-%d", i), "--concurrency", "4")
		s.until("some jobs to be done", func() error {
			if n := rdb.ZCard(ctx, "rq:finished:document_processing").Val(); n < int64(8*i) {
				return fmt.Errorf("%d", n)
			}
			return nil
		})
		w.stop(syscall.SIGTERM)
	}
	s.start("worker", "--name", "worker-5")
	for _, id := range ids {
		if st := s.reach(id, "completed"); st.Attempts != 1 {
			t.Errorf("document %s took %d attempts, want 1", id, st.Attempts)
		} else if n := rdb.XLen(ctx, "rq:results:"+st.JobID).Val(); n != 1 {
			t.Errorf("job %s has %d results, want 1", st.JobID, n)
		}
	}
}
