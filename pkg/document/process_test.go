package document

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestProcessEnqueuesOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		f.put(up, "hello")
		a := f.process(up, nil)
		d := f.wantState(up.DocumentID, Uploaded)
		if a.JobID != d.JobID || a.Status != Uploaded || a.DocumentID != d.ID || a.EstimatedTime != "2-5 minutes" || a.EstimatedSeconds != 150 {
			t.Errorf("%+v", a)
		}
		object, err := f.store.Stat(t.Context(), d.UploadKey)
		if err != nil || d.ETag != object.ETag || d.ETag == "" || d.QueuedAt.IsZero() {
			t.Errorf("pinned %q, stored %q, %v", d.ETag, object.ETag, err)
		}
		job, err := f.queue.Job(t.Context(), a.JobID)
		if err != nil || job.Func != ProcessFunc || len(job.Args) != 1 || job.Args[0] != d.ID || job.Status != rq.StatusQueued {
			t.Fatalf("%+v, %v", job, err)
		}
		if open := f.rdb.ZCard(t.Context(), f.k.openUploads()).Val(); open != 0 {
			t.Error("the upload still counts as open")
		}
		again := f.process(up, func(r *ProcessRequest) { r.Priority = PriorityHigh })
		if again.JobID != a.JobID {
			t.Errorf("asked twice: job %s, then %s", a.JobID, again.JobID)
		}
		if n := f.rdb.LLen(t.Context(), rq.QueueKey("document_processing")).Val(); n != 1 {
			t.Errorf("%d entries in the queue", n)
		}
		if f.events()[1]["document"] != d.ID {
			t.Errorf("events %v", f.events())
		}
	})
}

func TestProcessManyAtOnceIsOneJob(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		f.put(up, "hello")
		ids := make(chan string, 16)
		var wg sync.WaitGroup
		for range cap(ids) {
			wg.Go(func() {
				a, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
				if err != nil {
					t.Error(err)
					return
				}
				ids <- a.JobID
			})
		}
		wg.Wait()
		close(ids)
		for id := range ids {
			if id != f.get(up.DocumentID).JobID {
				t.Errorf("job %s", id)
			}
		}
		if n := f.rdb.LLen(t.Context(), rq.QueueKey("document_processing")).Val(); n != 1 {
			t.Errorf("%d entries in the queue", n)
		}
	})
}

func TestProcessPriorityAndOptions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queued()
		up := f.presign(5, nil)
		f.put(up, "hello")
		tokens, overlap := 200, 20
		a := f.process(up, func(r *ProcessRequest) {
			r.Priority, r.AllowDuplicate, r.ChunkTokens, r.ChunkOverlap = PriorityHigh, true, &tokens, &overlap
			r.FileHash = strings.Repeat("AB", 32)
		})
		if first := f.rdb.LIndex(t.Context(), rq.QueueKey("document_processing"), 0).Val(); first != a.JobID {
			t.Error("not at the front")
		}
		d := f.get(up.DocumentID)
		if !d.AllowDuplicate || *d.ChunkTokens != 200 || *d.ChunkOverlap != 20 || d.FileHash != strings.Repeat("ab", 32) {
			t.Errorf("%+v", d)
		}
	})
}

// What must never be anywhere but in its own key.
func TestPasswordIsOnlyInItsOwnKey(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const secret = "correct horse"
		up := f.presign(5, nil)
		f.put(up, "hello")
		f.process(up, func(r *ProcessRequest) { r.Password = secret })
		if got, err := f.Password(t.Context(), up.DocumentID); err != nil || got != secret {
			t.Fatalf("%q, %v", got, err)
		}
		if ttl := f.rdb.TTL(t.Context(), f.k.password(up.DocumentID)).Val(); ttl <= 0 || ttl > 24*time.Hour {
			t.Errorf("time to live %v", ttl)
		}
		for _, key := range f.rdb.Keys(t.Context(), "*").Val() {
			text := key + f.content(key)
			if key != f.k.password(up.DocumentID) && strings.Contains(text, secret) {
				t.Errorf("%s holds it", key)
			}
		}
		job, err := f.queue.Job(t.Context(), f.get(up.DocumentID).JobID)
		if err != nil || len(job.Args) != 1 || len(job.Kwargs) != 0 || len(job.Meta) != 0 {
			t.Errorf("%+v, %v", job, err)
		}
		f.complete("s1", "t1")
		if got, err := f.Password(t.Context(), up.DocumentID); err != nil || got != "" {
			t.Errorf("after the end: %q, %v", got, err)
		}
	})
}

func TestProcessBeforeTheUpload(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		before := f.keyspace()
		_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
		if e := wantError(t, err, Conflict, CodeUploadMissing); e.State != AwaitingUpload {
			t.Errorf("state %s", e.State)
		}
		f.put(up, "hello world")
		_, err = f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
		e := wantError(t, err, Conflict, CodeSizeMismatch)
		if e.DeclaredSize != 5 || e.ActualSize != 11 || !strings.Contains(e.Detail, "11 bytes") || !strings.Contains(e.Detail, " 5") {
			t.Errorf("%+v", e)
		}
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("refused requests changed %s", diff)
		}
		f.put(up, "hello") // again, while the URL works
		f.process(up, nil)
		f.wantState(up.DocumentID, Uploaded)
	})
}

// difference names the first key that differs.
func difference(a, b map[string]string) string {
	for key, text := range a {
		if b[key] != text {
			return key + "\nfrom " + text + "\nto " + b[key]
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			return key + " (new)"
		}
	}
	return ""
}

func TestProcessRefusesBadInput(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	up := f.presign(5, nil)
	f.put(up, "hello")
	before := f.keyspace()
	n := func(i int) *int { return &i }
	for name, test := range map[string]struct {
		field, code string
		change      func(*ProcessRequest)
	}{
		"no upload_id":    {"upload_id", CodeInvalid, func(r *ProcessRequest) { r.UploadID = "" }},
		"other upload_id": {"upload_id", CodeWrongUpload, func(r *ProcessRequest) { r.UploadID = up.DocumentID }},
		"hash":            {"file_hash", CodeInvalid, func(r *ProcessRequest) { r.FileHash = "xyz" }},
		"priority":        {"priority", CodeInvalid, func(r *ProcessRequest) { r.Priority = "urgent" }},
		"few tokens":      {"chunk_tokens", CodeInvalid, func(r *ProcessRequest) { r.ChunkTokens = n(MinChunkTokens - 1) }},
		"many tokens":     {"chunk_tokens", CodeInvalid, func(r *ProcessRequest) { r.ChunkTokens = n(MaxChunkTokens + 1) }},
		"overlap":         {"chunk_overlap", CodeInvalid, func(r *ProcessRequest) { r.ChunkOverlap = n(-1) }},
		"all overlap":     {"chunk_overlap", CodeInvalid, func(r *ProcessRequest) { r.ChunkTokens, r.ChunkOverlap = n(100), n(51) }},
		"password":        {"password", CodeInvalid, func(r *ProcessRequest) { r.Password = strings.Repeat("x", 1025) }},
	} {
		r := ProcessRequest{UploadID: up.UploadID}
		test.change(&r)
		_, err := f.Process(t.Context(), up.DocumentID, r)
		if e := wantError(t, err, Invalid, test.code); e.Field != test.field {
			t.Errorf("%s: field %q", name, e.Field)
		}
	}
	for _, id := range []string{up.UploadID, "no-uuid", "", strings.ToUpper(up.DocumentID), "*"} {
		_, err := f.Process(t.Context(), id, ProcessRequest{UploadID: up.UploadID})
		wantError(t, err, NotFound, CodeDocumentNotFound)
	}
	if diff := difference(before, f.keyspace()); diff != "" {
		t.Errorf("refused requests changed %s", diff)
	}
}

func TestProcessAfterTheURLRanOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		none, wrong, right := f.presign(5, nil), f.presign(5, nil), f.presign(5, nil)
		f.put(wrong, "too long")
		f.put(right, "hello")
		f.clock.forward(time.Hour)
		for _, up := range []*Upload{none, wrong} {
			for range 2 {
				_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
				wantError(t, err, Conflict, CodeUploadExpired)
			}
			if d := f.wantState(up.DocumentID, Failed); d.ErrorCode != CodeUploadExpired || d.Error == "" {
				t.Errorf("%s: %s", d.ErrorCode, d.Error)
			}
		}
		// What arrived in time is taken, before and after the sweep saw it.
		f.process(right, nil)
		f.wantState(right.DocumentID, Uploaded)
		late := f.presign(5, nil)
		f.put(late, "hello")
		f.clock.forward(time.Hour)
		if _, err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantState(late.DocumentID, Failed)
		f.process(late, nil)
		if d := f.wantState(late.DocumentID, Uploaded); d.Error != "" || d.ErrorCode != "" {
			t.Errorf("%s: %s", d.ErrorCode, d.Error)
		}
		if n := f.rdb.ZScore(t.Context(), f.k.expiredUploads(), late.DocumentID); n.Err() == nil {
			t.Error("still counts as expired")
		}
	})
}

func TestProcessAgainAfterFailureAndCancel(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		c, _ := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "The file is damaged.", ErrorCode: "corrupt"})
		if d := f.wantState(up.DocumentID, Failed); d.Error != "The file is damaged." || d.ErrorCode != "corrupt" || d.Attempts != 1 {
			t.Fatalf("%+v", d)
		}
		f.put(up, "HELLO") // another file of the same size, while the URL works
		etag := f.get(up.DocumentID).ETag
		if again := f.process(up, nil); again.JobID != a.JobID || again.Status != Uploaded {
			t.Errorf("%+v", again)
		}
		if d := f.wantState(up.DocumentID, Uploaded); d.ETag == etag || d.Error != "" {
			t.Errorf("pinned %s as before, error %q", d.ETag, d.Error)
		}
		if _, err := f.queue.Cancel(t.Context(), a.JobID); err != nil {
			t.Fatal(err)
		}
		f.wantState(up.DocumentID, Canceled)
		f.process(up, nil)
		f.wantState(up.DocumentID, Uploaded)
		d, done := f.complete("s1", "t1")
		if done.Err != nil {
			t.Fatal(done.Err)
		}
		f.wantState(d.ID, Completed)
		if again := f.process(up, nil); again.JobID != a.JobID || again.Status != Completed {
			t.Errorf("of a completed one: %+v", again)
		}
		f.wantState(d.ID, Completed)
		if n := f.rdb.LLen(t.Context(), rq.QueueKey("document_processing")).Val(); n != 0 {
			t.Errorf("%d entries in the queue", n)
		}
	})
}

// What was decided from a record that has changed since is not done.
func TestStaleDecisionsAreRefused(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		stale, err := f.view(t.Context(), up.DocumentID)
		if err != nil {
			t.Fatal(err)
		}
		waiting := *stale.Document
		waiting.Status = AwaitingUpload
		if _, done := f.complete("s1", "t1"); done.Err != nil {
			t.Fatal(done.Err)
		}
		before := f.dump()
		finished := &rq.Job{ID: a.JobID, Status: rq.StatusFinished}
		var swept Swept
		for name, call := range map[string]func() error{
			"enqueue": func() error { _, err := f.run(t.Context(), stale.Document, nil, nil, false); return err },
			"requeue": func() error { _, err := f.run(t.Context(), stale.Document, finished, nil, false); return err },
			"expire":  func() error { return f.expire(t.Context(), &waiting) },
			"release": func() error { return f.mark(t.Context(), stale) },
			"revive":  func() error { return f.revive(t.Context(), stale, &swept, "test") },
			"give up": func() error { return f.giveUp(t.Context(), stale, CodeJobLost, "test") },
			"adopt":   func() error { return f.adopt(t.Context(), stale.Document, &rq.Job{ID: a.JobID}) },
		} {
			var raced *rq.ConditionError
			if err := call(); !errors.As(err, &raced) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if diff := difference(before, f.dump()); diff != "" {
			t.Errorf("changed %s", diff)
		}
	})
}

// The job's hash lives shorter than the document's record.
func TestProcessAgainWhenTheJobIsGone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		c, _ := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
		f.rdb.Del(t.Context(), rq.JobKey(a.JobID))
		if again := f.process(up, nil); again.JobID != a.JobID {
			t.Errorf("%+v", again)
		}
		if _, done := f.complete("s1", ""); done.Err != nil {
			t.Fatal(done.Err)
		}
		f.wantState(up.DocumentID, Completed)
	})
}

func TestProcessAndRetryWhenTheFileIsGone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		c, _ := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
		f.store.Delete(t.Context(), UploadKey(up.DocumentID, up.UploadID))
		before := f.keyspace()
		_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
		if e := wantError(t, err, Conflict, CodeUploadGone); e.State != Failed {
			t.Errorf("state %s", e.State)
		}
		_, err = f.Retry(t.Context(), a.JobID)
		wantError(t, err, Conflict, CodeUploadGone)
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("changed %s", diff)
		}
	})
}

func TestRetry(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		var state *rq.StateError
		if _, err := f.Retry(t.Context(), a.JobID); !errors.As(err, &state) || state.Status != rq.StatusQueued {
			t.Errorf("of a queued job: %v", err)
		}
		c, _ := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
		job, err := f.Retry(t.Context(), a.JobID)
		if err != nil || job.ID != a.JobID {
			t.Fatalf("%+v, %v", job, err)
		}
		f.wantState(up.DocumentID, Uploaded)
		if _, done := f.complete("s1", ""); done.Err != nil {
			t.Fatal(done.Err)
		}
		if _, err := f.Retry(t.Context(), a.JobID); !errors.As(err, &state) || state.Status != rq.StatusFinished {
			t.Errorf("of a finished job: %v", err)
		}
		if _, err := f.Retry(t.Context(), "never-there"); !errors.Is(err, rq.ErrNoJob) {
			t.Errorf("of no job: %v", err)
		}
		other, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "other", Func: "some.function"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.queue.Cancel(t.Context(), other.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Retry(t.Context(), other.ID); err != nil {
			t.Errorf("of another function's job: %v", err)
		}
	})
}

func TestCancelAgainstProcess(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 20 {
			up, a := f.queued()
			var wg sync.WaitGroup
			wg.Go(func() {
				var state *rq.StateError
				if _, err := f.queue.Cancel(t.Context(), a.JobID); err != nil && !errors.As(err, &state) {
					t.Error(err)
				}
			})
			wg.Go(func() {
				if _, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID}); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			job, err := f.queue.Job(t.Context(), a.JobID)
			if err != nil {
				t.Fatal(err)
			}
			want := map[rq.Status]State{rq.StatusQueued: Uploaded, rq.StatusCanceled: Canceled}[job.Status]
			f.wantState(up.DocumentID, want)
		}
	})
}
