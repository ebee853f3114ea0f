package document

import (
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

func xadd(stream, ms string) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, Values: []string{"ms", ms}}
}

func TestCommit(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		before := f.hash(up.DocumentID)
		c, d := f.begin()
		m := f.manifest(d, c.Execution.ID, "s1", "t1")
		m.Metadata = Metadata{Title: "In the file", Author: "Somebody", Language: "pt"}
		effects, conditions := f.Complete(d, m)
		f.clock.forward(2 * time.Second)
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
			t.Fatal(done.Err)
		}
		got := f.hash(up.DocumentID)
		want := maps.Clone(before)
		for field, value := range map[string]string{
			"status": "completed", "progress": "100", "current_step": "", "page": "", "chunks_processed": "2", "total_chunks": "2",
			"sha256": "s1", "text_sha256": "t1", "format": "pdf", "mime": "application/pdf", "text_title": "In the file", "author": "Somebody",
			"language": "pt", "pages": "3", "words": "40", "text_bytes": "11", "extractor_version": "test-1", "partial": "",
			"failed_pages": "[]", "warnings": "[]", "execution_id": c.Execution.ID, "duplicate_of": "", "original_key": "", "attempts": "1",
			"error": "", "error_code": "", "next_attempt_at": "", "stored_bytes": "0", "s3_file_deleted": "1",
			// Times of the run; what they must be is checked elsewhere.
			"started_at": got["started_at"], "finished_at": got["finished_at"], "processing_ms": got["processing_ms"], "updated_at": got["updated_at"],
		} {
			want[field] = value
		}
		if !maps.Equal(got, want) {
			t.Errorf("record:\n%s", compare(want, got))
		}
		f.wantState(up.DocumentID, Completed)
		if holder := f.rdb.Get(t.Context(), f.k.sha256("default", "s1")).Val(); holder != d.ID {
			t.Errorf("bytes are claimed by %q", holder)
		}
		if holder := f.rdb.Get(t.Context(), f.k.text("default", "t1")).Val(); holder != d.ID {
			t.Errorf("text is claimed by %q", holder)
		}
		if n := f.rdb.XLen(t.Context(), f.k.timings()).Val(); n != 1 {
			t.Errorf("%d timings", n)
		}
	})
}

// Of two with the same bytes, or the same text, one commits as completed.
func TestTwoAtOnceAreOneAndADuplicate(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, sums := range [][2][2]string{{{"s1", "t1"}, {"s1", "t1"}}, {{"s2", "t2"}, {"s3", "t2"}}} {
			var claimed [2]rq.Claimed
			var docs [2]*Document
			for i := range 2 {
				f.queued()
				claimed[i], docs[i] = f.begin()
			}
			var wg sync.WaitGroup
			for i := range 2 {
				wg.Go(func() { f.commit(claimed[i], docs[i], sums[i][0], sums[i][1]) })
			}
			wg.Wait()
			first, second := f.get(docs[0].ID), f.get(docs[1].ID)
			if first.Status == Duplicate {
				first, second = second, first
			}
			f.wantState(first.ID, Completed)
			f.wantState(second.ID, Duplicate)
			if second.DuplicateOf != first.ID {
				t.Errorf("duplicate of %q, not %q", second.DuplicateOf, first.ID)
			}
		}
	})
}

// commit finishes as the pipeline does: as completed, or else as a duplicate.
func (f *fixture) commit(c rq.Claimed, d *Document, sha, text string) {
	m := f.manifest(d, c.Execution.ID, sha, text)
	effects, conditions := f.Complete(d, m)
	done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
	var refused *rq.ConditionError
	if !errors.As(done.Err, &refused) {
		if done.Err != nil {
			f.t.Error(done.Err)
		}
		return
	}
	kind, holder := f.ConflictOf(d, refused)
	if kind != ClaimTaken {
		f.t.Errorf("conflict %d %q", kind, holder)
		return
	}
	effects, conditions = f.Duplicate(d, holder, m)
	if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
		f.t.Error(done.Err)
	}
}

func TestConflicts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		one, _ := f.queued()
		f.complete("s1", "t1")
		f.queued()
		c, d := f.begin()
		m := f.manifest(d, c.Execution.ID, "s1", "t1")
		refused := func(effects []rq.Effect, conditions []rq.Condition) (ConflictKind, string) {
			t.Helper()
			done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
			var e *rq.ConditionError
			if !errors.As(done.Err, &e) {
				t.Fatalf("got %v", done.Err)
			}
			return f.ConflictOf(d, e)
		}
		if kind, holder := refused(f.Complete(d, m)); kind != ClaimTaken || holder != one.DocumentID {
			t.Errorf("%d %q", kind, holder)
		}
		if released, err := f.ReleaseStaleClaim(t.Context(), d, one.DocumentID, "s1", "t1"); err != nil || released {
			t.Errorf("released a good claim: %v, %v", released, err)
		}
		// The first is deleted, its claims stayed behind.
		f.rdb.Del(t.Context(), f.k.document(one.DocumentID))
		if kind, _ := refused(f.Duplicate(d, one.DocumentID, m)); kind != HolderGone {
			t.Errorf("%d", kind)
		}
		if released, err := f.ReleaseStaleClaim(t.Context(), d, one.DocumentID, "s1", "t1"); err != nil || !released {
			t.Errorf("%v, %v", released, err)
		}
		// Another job's, or deleted.
		key := f.k.document(d.ID)
		f.rdb.HSet(t.Context(), key, "job_id", "another")
		if kind, _ := refused(f.Complete(d, m)); kind != RecordChanged {
			t.Errorf("%d", kind)
		}
		f.rdb.Del(t.Context(), key)
		if kind, _ := refused(f.Complete(d, m)); kind != RecordChanged {
			t.Errorf("%d", kind)
		}
		if kind, _ := refused(f.Duplicate(d, one.DocumentID, m)); kind != RecordChanged {
			t.Errorf("%d", kind)
		}
		if n := f.rdb.Exists(t.Context(), key).Val(); n != 0 {
			t.Error("a deleted record is back")
		}
	})
}

// A partial document is nobody's original, and doesn't keep a full one from
// becoming it.
func TestAPartialDocumentClaimsNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		commit := func(partial bool) *Document {
			f.queued()
			c, d := f.begin()
			m := f.manifest(d, c.Execution.ID, "s1", "t1")
			m.Partial = partial
			effects, conditions := f.Complete(d, m)
			if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
				t.Fatal(done.Err)
			}
			f.wantState(d.ID, Completed)
			return d
		}
		bytes, text := f.k.sha256("default", "s1"), f.k.text("default", "t1")
		first := commit(true)
		if n := f.rdb.Exists(t.Context(), bytes, text).Val(); n != 0 {
			t.Errorf("%d claims of a partial document", n)
		}
		// As a version before this one left it.
		f.rdb.Set(t.Context(), bytes, first.ID, 0)
		if released, err := f.ReleaseStaleClaim(t.Context(), first, first.ID, "s1", "t1"); err != nil || !released {
			t.Errorf("released %v, error %v", released, err)
		}
		full := commit(false)
		if holder := f.rdb.Get(t.Context(), bytes).Val(); holder != full.ID {
			t.Errorf("bytes are claimed by %q", holder)
		}
		if released, err := f.ReleaseStaleClaim(t.Context(), full, full.ID, "s1", "t1"); err != nil || released {
			t.Errorf("a full document's claim: released %v, error %v", released, err)
		}
	})
}

func TestAllowDuplicate(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		one, _ := f.queued()
		f.complete("s1", "t1")
		up := f.presign(5, nil)
		f.put(up, "hello")
		f.process(up, func(r *ProcessRequest) { r.AllowDuplicate = true })
		if _, done := f.complete("s1", "t1"); done.Err != nil {
			t.Fatal(done.Err)
		}
		f.wantState(up.DocumentID, Completed)
		if holder := f.rdb.Get(t.Context(), f.k.sha256("default", "s1")).Val(); holder != one.DocumentID {
			t.Errorf("claimed by %q", holder)
		}
		up = f.presign(5, nil)
		f.put(up, "hello")
		f.process(up, func(r *ProcessRequest) { r.AllowDuplicate = true })
		f.complete("s9", "t9")
		if holder := f.rdb.Get(t.Context(), f.k.sha256("default", "s9")).Val(); holder != up.DocumentID {
			t.Errorf("claimed by %q", holder)
		}
	})
}

func TestBeginOfPythonsJobs(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		enqueue := func(id string) *rq.Job {
			t.Helper()
			job, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "document_processing", Func: ProcessFunc, Kwargs: map[string]any{"document_id": id}})
			if err != nil {
				t.Fatal(err)
			}
			return job
		}
		up := f.presign(5, nil)
		// Nothing uploaded: refused, and its failure is not the document's.
		job := enqueue(up.DocumentID)
		_, err := f.Begin(t.Context(), job)
		wantError(t, err, Conflict, CodeUploadMissing)
		c := f.claim()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: CodeUploadMissing})
		f.wantState(up.DocumentID, AwaitingUpload)
		// Uploaded, but never accepted by process: checked and pinned.
		f.put(up, "hello")
		job = enqueue(up.DocumentID)
		d, err := f.Begin(t.Context(), job)
		if err != nil || d.JobID != job.ID || d.ETag == "" || d.QueuedAt.IsZero() {
			t.Fatalf("%+v, %v", d, err)
		}
		// A second one beside it is refused while the first is active.
		other := enqueue(up.DocumentID)
		_, err = f.Begin(t.Context(), other)
		wantError(t, err, Conflict, CodeOtherJob)
		c, d = f.begin()
		effects, conditions := f.Complete(d, f.manifest(d, c.Execution.ID, "s1", "t1"))
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
			t.Fatal(done.Err)
		}
		f.wantState(up.DocumentID, Completed)
		// Afterwards there is nothing to do for it.
		if d, err := f.Begin(t.Context(), other); err != nil || d.Status != Completed || d.JobID != job.ID {
			t.Errorf("%+v, %v", d, err)
		}
		c = f.claim()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish})
		f.wantState(up.DocumentID, Completed)
		for name, j := range map[string]*rq.Job{
			"no document":  {ID: "x", Func: ProcessFunc, Args: []any{"01936b5e-7a52-7c3e-8f1d-0123456789ab"}},
			"no arguments": {ID: "x", Func: ProcessFunc},
		} {
			if _, err := f.Begin(t.Context(), j); err == nil {
				t.Errorf("%s: taken", name)
			}
		}
	})
}
