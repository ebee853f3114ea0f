package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/s3test"
)

const sample = "The first paragraph of the sample.\n\nThe second paragraph, which is a little longer."

// result is the job's return value as a map.
func (r *rig) result(jobID string) map[string]any {
	r.t.Helper()
	res, err := r.queue.LatestResult(context.Background(), jobID)
	if err != nil || res == nil {
		r.t.Fatalf("the result of job %s: %v, %v", jobID, res, err)
	}
	switch v := res.Value.(type) {
	case map[string]any:
		return v
	case pickle.Dict:
		m, _ := v.StringMap()
		return m
	}
	r.t.Fatalf("the result is %#v (error %q); want a dict", res.Value, res.Error)
	return nil
}

func TestADocumentIsProcessed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		u := r.upload("a.txt", sample)
		job := r.process(u)
		d := r.committed(u.DocumentID, sample)
		sum := sha256.Sum256([]byte(sample))
		if d.SHA256 != hex.EncodeToString(sum[:]) || d.TextSHA256 != textHash(sample) || d.Format != "text" || d.Words != 14 || d.Attempts != 1 {
			t.Errorf("record %+v", d)
		}
		r.until("the upload's removal", func() bool { return len(r.keys(d.UploadKey)) == 0 && r.doc(d.ID).UploadRemoved })
		res := r.result(job)
		if res["document_id"] != d.ID || res["status"] != "completed" || res["chunks"] != int64(d.TotalChunks) || res["words"] != int64(14) ||
			res["pages"] != int64(0) || res["duplicate_of"] != nil {
			t.Errorf("result %v", res)
		}
		if _, ok := res["seconds"].(float64); !ok {
			t.Errorf("seconds is %T; want a float", res["seconds"])
		}
		for line := range strings.Lines(r.logs.String()) {
			if strings.Contains(line, job) && strings.Contains(line, `"worker":"w"`) && !strings.Contains(line, `"document":"`+d.ID) && strings.Contains(line, `"execution"`) {
				t.Errorf("a line of the job without its document: %s", line)
			}
		}
	})
}

func TestTheSameBytesAreADuplicate(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var extracted atomic.Int64
		r.work(func(c *Config) {
			wrap(c, func(at string) {
				if at == "before extract" {
					extracted.Add(1)
				}
			})
		})
		first := r.upload("a.txt", sample)
		r.process(first)
		orig := r.committed(first.DocumentID, sample)
		second := r.upload("b.txt", sample)
		job := r.process(second)
		d := r.await(second.DocumentID, document.Duplicate)
		if d.DuplicateOf != first.DocumentID {
			t.Errorf("duplicate of %q; want %s", d.DuplicateOf, first.DocumentID)
		}
		if n := extracted.Load(); n != 1 {
			t.Errorf("extracted %d times; want once: the bytes are known", n)
		}
		r.until("the removal of upload and artifacts", func() bool {
			return len(r.keys(d.UploadKey)) == 0 && r.holdsOnly(d.ID, recordCopy(d.ID))
		})
		res := r.result(job)
		if res["status"] != "duplicate" || res["duplicate_of"] != first.DocumentID || res["chunks"] != int64(orig.TotalChunks) {
			t.Errorf("result %v", res)
		}

		// The same text in other bytes, and the same again with leave.
		third := r.upload("c.txt", strings.ReplaceAll(sample, "\n", "\r\n"))
		r.process(third)
		if d := r.await(third.DocumentID, document.Duplicate); d.DuplicateOf != first.DocumentID {
			t.Errorf("duplicate of %q; want %s", d.DuplicateOf, first.DocumentID)
		}
		fourth := r.upload("d.txt", sample)
		r.process(fourth, func(p *document.ProcessRequest) { p.AllowDuplicate = true })
		r.committed(fourth.DocumentID, sample)
	})
}

// Two of the same at once: both extract, one commits.
func TestTwoAtOnceOneCompletes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var both sync.WaitGroup
		both.Add(2)
		var n atomic.Int64
		r.work(func(c *Config) {
			wrap(c, func(at string) {
				if at == "after complete" && n.Add(1) <= 2 {
					both.Done() // nobody finishes before both are ready to
					both.Wait()
				}
			})
		})
		a, b := r.upload("a.txt", sample), r.upload("b.txt", sample)
		r.process(a)
		r.process(b)
		r.until("two final documents", func() bool { return r.doc(a.DocumentID).Status.Final() && r.doc(b.DocumentID).Status.Final() })
		x, y := r.doc(a.DocumentID), r.doc(b.DocumentID)
		if x.Status == document.Duplicate {
			x, y = y, x
		}
		if x.Status != document.Completed || y.Status != document.Duplicate || y.DuplicateOf != x.ID {
			t.Fatalf("%s is %s, %s is %s of %q", x.ID, x.Status, y.ID, y.Status, y.DuplicateOf)
		}
		r.committed(x.ID, sample)
		r.until("the removal of what the duplicate wrote", func() bool {
			return len(r.keys(y.UploadKey)) == 0 && r.holdsOnly(y.ID, recordCopy(y.ID))
		})
	})
}

// A claim whose document is gone is dropped, not followed.
func TestAStaleClaimDoesNotMakeADuplicate(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		first := r.upload("a.txt", sample)
		r.process(first)
		r.committed(first.DocumentID, sample)
		if err := r.rdb.Del(context.Background(), "docsvc:doc:"+first.DocumentID).Err(); err != nil {
			t.Fatal(err)
		}
		second := r.upload("b.txt", sample)
		r.process(second)
		r.committed(second.DocumentID, sample)
	})
}

func TestBadFilesFailAtOnceWithTheirCode(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		for _, c := range []struct{ body, code, text string }{
			{"!encrypted", "encrypted", "this file is encrypted"},
			{"!timeout", "timeout", "this file is timeout"},
			{"   \n\n  ", "no_text", "No text was found"},
		} {
			u := r.upload("a.txt", c.body)
			job := r.process(u)
			d := r.await(u.DocumentID, document.Failed)
			if d.ErrorCode != c.code || !strings.Contains(d.Error, c.text) || d.Attempts != 1 {
				t.Errorf("%q: code %q, error %q, %d attempts", c.body, d.ErrorCode, d.Error, d.Attempts)
			}
			if j, err := r.queue.Job(context.Background(), job); err != nil || j.Status != rq.StatusFailed {
				t.Errorf("%q: job %+v, %v; want failed", c.body, j, err)
			}
			if got := r.keys(d.UploadKey); len(got) != 1 {
				t.Errorf("%q: the upload is gone; a failed document keeps it", c.body)
			}
			if got := r.keys(document.DocumentPrefix(d.ID)); len(got) != 0 {
				t.Errorf("%q: artifacts %v are left", c.body, got)
			}
			r.until("no work file", func() bool {
				left, err := filepath.Glob(filepath.Join(r.dir, dirPrefix+"*", "upload-*"))
				return err == nil && len(left) == 0
			})
		}
	})
}

func TestWhatDoesNotMatchIsRefused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		other := strings.Repeat("0", 64)
		hash := r.upload("a.txt", "declared with another hash")
		changed := r.upload("b.txt", "replaced after process was called")
		gone := r.upload("c.txt", "removed after process was called")
		r.process(hash, func(p *document.ProcessRequest) { p.FileHash = other })
		r.process(changed)
		r.process(gone)
		r.put(document.UploadKey(changed.DocumentID, changed.UploadID), "replaced after process was CALLED")
		if failed := r.store.Delete(context.Background(), document.UploadKey(gone.DocumentID, gone.UploadID)); len(failed) > 0 {
			t.Fatal(failed)
		}
		r.work()
		for _, c := range []struct {
			u          *document.Upload
			code, text string
		}{
			{hash, CodeHashMismatch, other},
			{changed, CodeUploadChanged, "replaced after processing"},
			{gone, CodeUploadGone, "not in storage any more"},
		} {
			d := r.await(c.u.DocumentID, document.Failed)
			if d.ErrorCode != c.code || !strings.Contains(d.Error, c.text) || d.Attempts != 1 {
				t.Errorf("code %q, error %q, %d attempts; want %s at the first", d.ErrorCode, d.Error, d.Attempts, c.code)
			}
		}
	})
}

func TestBadArgumentsArePermanent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		for _, spec := range []rq.Spec{
			{},
			{Args: []any{"not a uuid"}},
			{Args: []any{int64(5)}},
			{Args: []any{"2f1c8c5e-0f7e-4c5e-9d5d-0a8f0f1e2d3c", "more"}},
			{Kwargs: map[string]any{"document_id": "2f1c8c5e-0f7e-4c5e-9d5d-0a8f0f1e2d3c", "force": true}},
			{Args: []any{"2f1c8c5e-0f7e-4c5e-9d5d-0a8f0f1e2d3c"}}, // no such document
		} {
			spec.Queue, spec.Func = queueName, document.ProcessFunc
			j, err := r.queue.Enqueue(context.Background(), spec)
			if err != nil {
				t.Fatal(err)
			}
			r.until("the failed job", func() bool {
				got, err := r.queue.Job(context.Background(), j.ID)
				return err == nil && got.Status == rq.StatusFailed
			})
			if res, err := r.queue.LatestResult(context.Background(), j.ID); err != nil || res == nil || !strings.Contains(res.Error, "document") {
				t.Errorf("%v %v: result %+v, %v", spec.Args, spec.Kwargs, res, err)
			}
		}
	})
}

// While storage answers 503 the job waits for its next attempt and the
// document says why; then it goes on.
func TestStorageAwayAndBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, method := range []string{http.MethodGet, http.MethodPut} {
			r := newRig(t, s)
			u := r.upload("a.txt", sample+method)
			r.process(u)
			r.s3.Fail(func(q *http.Request) *s3test.Fault {
				if q.Method == method {
					return &s3test.Fault{Status: http.StatusServiceUnavailable}
				}
				return nil
			})
			w := r.work()
			r.until("a document that says why it waits", func() bool {
				d := r.doc(u.DocumentID)
				return d.Status == document.Uploaded && d.Attempts > 0 && strings.Contains(d.Error, "Waiting for storage") && !d.NextAttemptAt.IsZero()
			})
			r.s3.Fail(nil)
			d := r.committed(u.DocumentID, sample+method)
			if d.Attempts < 2 || d.Error != "" {
				t.Errorf("%d attempts, error %q; want two or more and none", d.Attempts, d.Error)
			}
			w.Stop()
			<-w.Done()
		}
	})
}

// A broken download is taken up where it broke.
func TestABrokenDownloadGoesOn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		text := strings.TrimSpace(strings.Repeat("All work and no play. ", 5000))
		u := r.upload("a.txt", text)
		r.process(u)
		var breaks atomic.Int64
		var ranges sync.Map
		r.s3.Fail(func(q *http.Request) *s3test.Fault {
			if q.Method == http.MethodGet && strings.Contains(q.URL.Path, "/temp/") {
				n := breaks.Add(1)
				ranges.Store(n, q.Header.Get("Range"))
				if n <= 2 {
					return &s3test.Fault{Truncate: 20000}
				}
			}
			return nil
		})
		r.work()
		if d := r.committed(u.DocumentID, text); d.Attempts != 1 {
			t.Errorf("%d attempts; want 1: the download goes on within it", d.Attempts)
		}
		if got, _ := ranges.Load(int64(3)); got == "" || got == nil {
			t.Errorf("the third request asks for range %v; want the rest only", got)
		}
	})
}

// Two executions of one document: the first is fenced while it works and
// removes what it wrote, the second commits.
func TestAFencedExecutionRemovesItsArtifacts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		reached, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		r.work(func(c *Config) {
			wrap(c, func(at string) {
				if at == "after put document.json" {
					once.Do(func() { close(reached); <-goOn })
				}
			})
		})
		u := r.upload("a.txt", sample)
		job := r.process(u)
		<-reached
		late := r.keys(document.DocumentPrefix(u.DocumentID))
		if len(late) != 3 {
			t.Fatalf("the first execution wrote %v; want three objects", late)
		}
		ctx := context.Background()
		if _, err := r.queue.Cancel(ctx, job); err != nil {
			t.Fatal(err)
		}
		r.await(u.DocumentID, document.Canceled)
		close(goOn)
		r.until("the removal of the fenced execution's artifacts", func() bool { return len(r.keys(document.DocumentPrefix(u.DocumentID))) == 0 })
		if got := r.keys(r.doc(u.DocumentID).UploadKey); len(got) != 1 {
			t.Error("the upload of a canceled document is gone; it is kept for a retry")
		}
		if _, err := r.docs.Retry(ctx, job); err != nil {
			t.Fatal(err)
		}
		r.committed(u.DocumentID, sample)
	})
}
