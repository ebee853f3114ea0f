package document

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func (f *fixture) explains(id, want string) *Explanation {
	f.t.Helper()
	x, err := f.Explain(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	if !strings.Contains(x.Text, want) || !strings.HasSuffix(x.Text, ".") {
		f.t.Errorf("says %q, want %q", x.Text, want)
	}
	return x
}

// A document is explained in each state of its life.
func TestExplain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, nil)
		up := f.presign(5, nil)
		f.explains(up.DocumentID, "Its file has not come yet; the upload URL works until ")
		f.put(up, "hello")
		f.explains(up.DocumentID, "Its file is there (5 bytes), but nobody has asked for processing; until ")

		queued, _ := f.queued()
		x := f.explains(queued.DocumentID, "It waits in queue document_processing since ")
		if x.Job == nil || x.Job.Cause != rq.CauseNoWorker || x.Job.LastEvent.Document != queued.DocumentID {
			t.Errorf("job %+v", x.Job)
		}
		f.worker()
		c, d := f.begin()
		f.explains(d.ID, "It is running on worker ")
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "ValueError: boom", ErrorCode: "corrupt"})
		f.explains(d.ID, "boom (corrupt); its file is kept, so that asking for processing again tries it again.")

		f.queued()
		done, _ := f.complete("aa", "bb")
		f.explains(done.ID, "It was completed at ")
		f.mustDelete(done.ID)
		f.explains(done.ID, "It was deleted")
		if _, err := f.Explain(t.Context(), "00000000-0000-4000-8000-000000000000"); !isNotFound(err) {
			t.Errorf("one that never was: %v", err)
		}
	})
}

// A document whose job says started, with nothing left of its execution, is
// put back with the job, and both are as before when that is undone.
func TestFsckTakesTheDocumentAlong(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, nil)
		f.queued()
		f.worker()
		c, d := f.begin()
		ctx := t.Context()
		f.rdb.Del(ctx, "rq:wip:document_processing", "docsvc:lease:document_processing")
		f.rdb.HSet(ctx, rq.JobKey(d.JobID), "started_at", "2026-01-01T00:00:00.000000Z")
		record := f.hash(d.ID)

		queue := rq.New(f.rdb, rq.Options{Effects: Effects(""), Idempotent: func(fn string) bool { return fn == ProcessFunc }})
		var undo bytes.Buffer
		r, err := queue.Fsck(ctx, rq.FsckOptions{Age: time.Millisecond, Fix: true, Undo: &undo})
		if err != nil || r.Fixed != 1 || r.Remaining != 0 || r.Findings[0].Kind != rq.FsckStartedLost {
			t.Fatalf("%+v, %v", r, err)
		}
		if got := f.wantState(d.ID, Uploaded); !strings.Contains(got.CurrentStep, "its worker died") {
			t.Errorf("step %q", got.CurrentStep)
		}
		if late := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish}); late.Err == nil {
			t.Error("the old execution could end the job")
		}
		back, err := queue.FsckRestore(ctx, &undo)
		if err != nil || back.Restored != 1 {
			t.Fatalf("%+v, %v", back, err)
		}
		f.wantState(d.ID, Extracting)
		now := f.hash(d.ID)
		for field, v := range record {
			if now[field] != v {
				t.Errorf("%s is %q, was %q", field, now[field], v)
			}
		}
		if len(now) != len(record) {
			t.Errorf("fields %v, were %v", now, record)
		}
	})
}
