package document

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// A job that ended can be run again; the object is then looked at anew.
func TestObjectJobRunAgain(t *testing.T) {
	t.Parallel()
	again := map[string]func(*fixture, *Document) error{
		"process": func(f *fixture, d *Document) error {
			_, err := f.Process(f.t.Context(), d.ID, ProcessRequest{UploadID: d.UploadID})
			return err
		},
		"retry": func(f *fixture, d *Document) error {
			_, err := f.Retry(f.t.Context(), d.JobID)
			return err
		},
	}
	for name, run := range again {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
				f := objectFixture(t, srv, "", nil)
				f.source("a.txt", "hello")
				j := f.enqueueObject(nil, "a.txt")
				f.fail()
				d := f.wantState(ObjectDocumentID(j), Failed)
				if err := f.bucket.Delete(t.Context(), "a.txt")["a.txt"]; err != nil {
					t.Fatal(err)
				}
				e := wantError(t, run(f, d), Conflict, CodeObjectMissing)
				if !strings.Contains(e.Detail, "a.txt") || strings.Contains(e.Detail, "pload") {
					t.Error(e.Detail)
				}
				f.wantState(d.ID, Failed)
				o := f.source("a.txt", "back, and longer")
				if err := run(f, d); err != nil {
					t.Fatal(err)
				}
				if d = f.wantState(d.ID, Uploaded); d.ETag != o.ETag || d.FileSize != 16 || d.Error != "" {
					t.Errorf("%+v", d)
				}
				f.cancel(d.JobID)
				f.wantState(d.ID, Canceled)
				if err := run(f, d); err != nil {
					t.Fatal(err)
				}
				if done, _ := f.complete("sha", "text"); done.ID != d.ID {
					t.Errorf("completed %s", done.ID)
				}
				f.wantState(d.ID, Completed)
			})
		})
	}
}

// Whoever puts a failed job back, the next run looks at the object anew. A
// Python tool tells nobody of it.
func TestObjectJobPutBack(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*fixture, string){
		"by the queue": func(f *fixture, id string) {
			if _, err := f.queue.Requeue(f.t.Context(), id, rq.RequeueOptions{}); err != nil {
				f.t.Fatal(err)
			}
		},
		"by Python": func(f *fixture, id string) {
			f.rdb.HSet(f.t.Context(), rq.JobKey(id), "status", "queued")
			f.rdb.ZRem(f.t.Context(), "rq:failed:document_processing", id)
			f.rdb.RPush(f.t.Context(), "rq:queue:document_processing", id)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			putBack(newObjectFixture(t, ""), back)
		})
	}
}

func putBack(f *fixture, back func(*fixture, string)) {
	t := f.t
	t.Helper()
	j := f.enqueueObject(nil, "a.txt")
	c := f.claim()
	_, err := f.Begin(t.Context(), c.Job)
	wantError(t, err, Conflict, CodeObjectMissing)
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "missing", ErrorCode: CodeObjectMissing})
	d := f.wantState(ObjectDocumentID(j), Failed)
	if d.ErrorCode != CodeObjectMissing || d.FileSize != 0 {
		t.Errorf("%+v", d)
	}
	for _, body := range []string{"hello", "hello again"} {
		o := f.source("a.txt", body)
		back(f, j.ID)
		c, d := f.begin()
		if d.ETag != o.ETag || d.FileSize != int64(len(body)) {
			t.Errorf("%+v, want ETag %s", d, o.ETag)
		}
		// An attempt of the same run reads what was pinned.
		f.source("a.txt", body+" replaced")
		f.finish(c, rq.Outcome{Kind: rq.OutcomeReturnHead})
		if c, d = f.begin(); d.ETag != o.ETag {
			t.Errorf("second attempt: %+v, want ETag %s", d, o.ETag)
		}
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "broken", ErrorCode: "corrupt"})
	}
}

// A retry of a job that ended before its first run, and of one whose document
// was deleted since.
func TestRetryOfObjectJobWithoutRecord(t *testing.T) {
	t.Parallel()
	f := newObjectFixture(t, "")
	f.source("a.txt", "hello")
	j := f.enqueueObject(nil, "a.txt")
	f.cancel(j.ID)
	if _, err := f.Retry(t.Context(), j.ID); err != nil {
		t.Fatal(err)
	}
	f.fail()
	id := ObjectDocumentID(j)
	f.wantState(id, Failed)
	f.rdb.Del(t.Context(), f.k.document(id))
	f.rdb.ZAdd(t.Context(), f.k.deleted(), redis.Z{Score: float64(f.clock.now().UnixMilli()), Member: id})
	_, err := f.Retry(t.Context(), j.ID)
	wantError(t, err, NotFound, CodeDocumentNotFound)
	if _, err := f.queue.Requeue(t.Context(), j.ID, rq.RequeueOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Begin(t.Context(), f.claim().Job)
	wantError(t, err, NotFound, CodeDocumentNotFound)
	if n := f.rdb.Exists(t.Context(), f.k.document(id)).Val(); n != 0 {
		t.Error("the deleted document is back")
	}
}

// The sweep puts a vanished job of an object back as the document's own, and
// ends the document when the object is gone, too.
func TestSweepOfObjects(t *testing.T) {
	t.Parallel()
	f := newObjectFixture(t, "team/a")
	f.source("a.txt", "hello")
	f.source("b.txt", "hello b")
	a, b := f.take(ObjectRequest{Key: "a.txt"}), f.take(ObjectRequest{Key: "b.txt"})
	f.bucket.Delete(t.Context(), "b.txt")
	f.rdb.Del(t.Context(), rq.JobKey(a.JobID), rq.JobKey(b.JobID), "rq:queue:document_processing")
	swept, err := f.Sweep(t.Context())
	if err != nil || swept.Requeued != 1 || swept.Failed != 1 {
		t.Errorf("%+v, %v", swept, err)
	}
	f.wantState(a.DocumentID, Uploaded)
	if d := f.wantState(b.DocumentID, Failed); d.ErrorCode != CodeObjectMissing || !strings.Contains(d.Error, `"b.txt"`) {
		t.Errorf("%s: %s", d.ErrorCode, d.Error)
	}
	if done, _ := f.complete("sha", "text"); done.ID != a.DocumentID {
		t.Error("another document was completed")
	}
}
