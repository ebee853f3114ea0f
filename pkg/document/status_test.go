package document

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestStatusThroughALife(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		status := func(id string) *Status {
			t.Helper()
			st, err := f.Status(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return st
		}
		up := f.presign(5, nil)
		st := status(up.DocumentID)
		if st.Status != AwaitingUpload || st.JobID != nil || st.CurrentStep != "waiting for the upload" || st.EstimatedTimeRemaining != nil ||
			st.Error != nil || st.ProcessingTime != nil || st.FailedPages == nil || st.Warnings == nil {
			t.Errorf("%+v", st)
		}
		f.put(up, "hello")
		a := f.process(up, nil)
		st = status(up.DocumentID)
		if st.Status != Uploaded || *st.JobID != a.JobID || st.CurrentStep != "waiting in the queue" || *st.EstimatedTimeRemaining != 150 {
			t.Errorf("%+v", st)
		}
		c := f.claim()
		if st = status(up.DocumentID); st.Status != Uploaded || st.CurrentStep != "starting" {
			t.Errorf("%+v", st)
		}
		d, err := f.Begin(t.Context(), c.Job)
		if err != nil {
			t.Fatal(err)
		}
		effects, labels := f.ProgressEffects(d, Progress{Status: Extracting, Percent: 20, Step: "page 2 of 10", Page: 2, Pages: 10, Attempt: true})
		if err := f.queue.Progress(t.Context(), c.Execution, effects, labels); err != nil {
			t.Fatal(err)
		}
		f.clock.forward(10 * time.Second)
		st = status(up.DocumentID)
		if st.Status != Extracting || st.Progress != 20 || st.CurrentStep != "page 2 of 10" || *st.ProcessingTime != 10 || *st.EstimatedTimeRemaining != 40 || st.Attempts != 1 {
			t.Errorf("%+v", st)
		}
		m := f.manifest(d, c.Execution.ID, "s1", "t1")
		m.Partial, m.FailedPages, m.Warnings = true, []int{3, 5}, []string{"a font is missing"}
		effects, conditions := f.Complete(d, m)
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err != nil {
			t.Fatal(done.Err)
		}
		st = status(up.DocumentID)
		if st.Status != Completed || st.Progress != 100 || st.ChunksProcessed != 2 || st.TotalChunks != 2 || st.EstimatedTimeRemaining != nil ||
			st.ProcessingTime == nil || !st.Partial || len(st.FailedPages) != 2 || len(st.Warnings) != 1 || !st.S3FileDeleted {
			t.Errorf("%+v", st)
		}
		if err := f.UploadRemoved(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		if st = status(up.DocumentID); !st.S3FileDeleted {
			t.Errorf("%+v", st)
		}
		b, err := json.Marshal(st)
		if err != nil {
			t.Fatal(err)
		}
		for _, field := range []string{`"document_id":"` + up.DocumentID, `"job_id":"`, `"status":"completed"`, `"progress":100`, `"current_step":""`, `"chunks_processed":2`,
			`"total_chunks":2`, `"processing_time":`, `"s3_file_deleted":true`, `"duplicate_of":null`, `"error":null`, `"error_code":null`,
			`"estimated_time_remaining":null`, `"attempts":1`, `"partial":true`, `"failed_pages":[3,5]`, `"warnings":["a font is missing"]`} {
			if !strings.Contains(string(b), field) {
				t.Errorf("no %s in %s", field, b)
			}
		}
	})
}

func TestProcessingTimeHasMilliseconds(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{7278*time.Millisecond + 999: "7.278", -time.Second: "0", 90 * time.Second: "90"} {
		if b, err := json.Marshal(inSeconds(d)); err != nil || string(b) != want {
			t.Errorf("%v: %s, %v", d, b, err)
		}
	}
}

func TestStatusOfNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	id, err := newID(f.clock.now())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{id, "", "x", "../" + id} {
		_, err := f.Status(t.Context(), id)
		wantError(t, err, NotFound, CodeDocumentNotFound)
		_, err = f.Get(t.Context(), id)
		wantError(t, err, NotFound, CodeDocumentNotFound)
		_, err = f.WaitStatus(t.Context(), id, time.Minute)
		wantError(t, err, NotFound, CodeDocumentNotFound)
	}
}

func TestWaitStatus(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		// Many waiters, far more than connections, all told by one reader.
		const waiters = 200
		answers := make(chan *Status, waiters)
		for range waiters {
			go func() {
				st, err := f.WaitStatus(t.Context(), up.DocumentID, time.Minute)
				if err != nil {
					t.Error(err)
				}
				answers <- st
			}()
		}
		for f.waiters(up.DocumentID) < waiters {
			time.Sleep(time.Millisecond)
		}
		if _, done := f.complete("s1", "t1"); done.Err != nil {
			t.Fatal(done.Err)
		}
		for range waiters {
			if st := <-answers; st == nil || st.Status != Completed {
				t.Fatalf("%+v", st)
			}
		}
		// A final one answers at once, one that isn't when the time is over or
		// the caller leaves.
		if st, err := f.WaitStatus(t.Context(), up.DocumentID, time.Hour); err != nil || st.Status != Completed {
			t.Fatalf("%+v, %v", st, err)
		}
		other, _ := f.queued()
		if st, err := f.WaitStatus(t.Context(), other.DocumentID, 10*time.Millisecond); err != nil || st.Status != Uploaded {
			t.Fatalf("%+v, %v", st, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for f.waiters(other.DocumentID) == 0 {
				time.Sleep(time.Millisecond)
			}
			cancel()
		}()
		if _, err := f.WaitStatus(ctx, other.DocumentID, time.Hour); !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v", err)
		}
	})
}

// waiters counts those who wait for a document.
func (f *fixture) waiters(id string) int {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return len(f.watch.waiting[id])
}

func TestEstimates(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for _, ms := range []int{4000, 60_000, 1000, 8000, 5000, 90_000_000, 5500} {
			if err := f.rdb.XAdd(t.Context(), xadd(f.k.timings(), strconv.Itoa(ms))).Err(); err != nil {
				t.Fatal(err)
			}
		}
		up := f.presign(5, nil)
		f.put(up, "hello")
		if a := f.process(up, nil); a.EstimatedSeconds != 6 || a.EstimatedTime != "0-1 minutes" {
			t.Errorf("empty queue: %+v", a) // the median, 5.5 s
		}
		for range 20 {
			f.queued()
		}
		up = f.presign(5, nil)
		f.put(up, "hello")
		if a := f.process(up, nil); a.EstimatedSeconds != 121 || a.EstimatedTime != "2-5 minutes" {
			t.Errorf("21 before it: %+v", a)
		}
		up = f.presign(5, nil)
		f.put(up, "hello")
		if a := f.process(up, func(r *ProcessRequest) { r.Priority = PriorityHigh }); a.EstimatedSeconds != 6 {
			t.Errorf("to the front: %+v", a)
		}
	})
	for d, want := range map[time.Duration]string{0: "0-1 minutes", time.Minute: "1-2 minutes", 150 * time.Second: "2-5 minutes", 9 * time.Minute: "5-10 minutes",
		15 * time.Minute: "10-30 minutes", 45 * time.Minute: "30-60 minutes", 100 * time.Minute: "1-2 hours", 5 * time.Hour: "2-6 hours", 100 * time.Hour: "more than 24 hours"} {
		if got := words(d); got != want {
			t.Errorf("%v: %q", d, got)
		}
	}
}

func TestRecordsOfOtherVersions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(5, nil)
		key := f.k.document(up.DocumentID)
		f.rdb.HSet(t.Context(), key, "schema", "1.7", "new_field", "x")
		if d := f.get(up.DocumentID); d.Extra["new_field"] != "x" || len(d.Extra) != 1 {
			t.Errorf("%v", d.Extra)
		}
		f.rdb.HSet(t.Context(), key, "schema", "2")
		_, err := f.Get(t.Context(), up.DocumentID)
		wantError(t, err, Internal, CodeNewerSchema)
		f.rdb.HSet(t.Context(), key, "schema", "1", "file_size", "many")
		_, err = f.Get(t.Context(), up.DocumentID)
		if e := wantError(t, err, Internal, CodeCorruptRecord); !strings.Contains(e.Detail, "file_size") {
			t.Error(e.Detail)
		}
	})
}
