package document

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// seed writes a record in a state, with values in every field that a
// transition may touch, and its place in the indexes.
func (f *fixture) seed(state State, jobID string) *Document {
	f.t.Helper()
	up := f.presign(5, nil)
	key := f.k.document(up.DocumentID)
	var e = effects{k: f.k, id: up.DocumentID, jobID: f.get(up.DocumentID).JobID, at: f.clock.now()}
	e.become(state, "progress", "40", "current_step", "before", "page", "7", "chunks_processed", "1", "total_chunks", "9",
		"error", "old error", "error_code", "old_code", "next_attempt_at", stamp(f.clock.now()), "queued_at", stamp(f.clock.now()),
		"started_at", stamp(f.clock.now()), "finished_at", stamp(f.clock.now()), "processing_ms", "77", "attempts", "2", "lost", "1", "from_newer", "kept")
	e.list = append(e.list, rq.HSet(key, "job_id", jobID), rq.Set(f.k.password(up.DocumentID), "secret", 0))
	if err := f.queue.Apply(f.t.Context(), nil, e.list, nil); err != nil {
		f.t.Fatal(err)
	}
	return f.get(up.DocumentID)
}

// TestEffects seeds a record, applies what one transition gives, and compares
// all that changed in docsvc's keyspace with what is said here.
func TestEffects(t *testing.T) {
	waiting := map[string]string{"status": "uploaded", "progress": "0", "page": "", "chunks_processed": "0", "total_chunks": "0"}
	with := func(base map[string]string, more ...string) map[string]string {
		m := maps.Clone(base)
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	fresh := with(waiting, "error", "", "error_code", "", "next_attempt_at", "", "queued_at", "NOW", "started_at", "", "finished_at", "",
		"processing_ms", "", "lost", "", "current_step", "waiting in the queue")
	ended := map[string]string{"current_step": "", "next_attempt_at": "", "finished_at": "NOW", "processing_ms": "1500"}
	retried := with(waiting, "error", "no room", "error_code", "disk_full", "next_attempt_at", "LATER", "current_step", "waiting to be tried again")
	tests := []struct {
		name     string
		from     State
		t        rq.Transition
		want     map[string]string // fields
		to       State             // index
		password bool              // still there
		timed    bool              // an entry in timings
	}{
		{"enqueued", AwaitingUpload, rq.Transition{To: rq.StatusQueued, Reason: rq.ReasonEnqueued}, fresh, Uploaded, true, false},
		{"requeued", Failed, rq.Transition{From: rq.StatusFailed, To: rq.StatusQueued, Reason: rq.ReasonRequeued}, fresh, Uploaded, true, false},
		{"requeued canceled", Canceled, rq.Transition{From: rq.StatusCanceled, To: rq.StatusQueued, Reason: rq.ReasonRequeued}, fresh, Uploaded, true, false},
		{"retry with delay", Extracting, rq.Transition{From: rq.StatusStarted, To: rq.StatusScheduled, Reason: rq.ReasonRetry, Error: " no room\n", ErrorCode: "disk_full", NextAttempt: time.Unix(1, 0)},
			retried, Uploaded, true, false},
		{"retry at once", Chunking, rq.Transition{From: rq.StatusStarted, To: rq.StatusQueued, Reason: rq.ReasonRetry, Error: "no room", ErrorCode: "disk_full"},
			with(retried, "next_attempt_at", ""), Uploaded, true, false},
		{"retry for free", Extracting, rq.Transition{From: rq.StatusStarted, To: rq.StatusScheduled, Reason: rq.ReasonRetryFree, Error: "no room", ErrorCode: "disk_full", NextAttempt: time.Unix(1, 0)},
			retried, Uploaded, true, false},
		{"abandoned", Extracting, rq.Transition{From: rq.StatusStarted, To: rq.StatusQueued, Reason: rq.ReasonAbandoned, Error: "gone"},
			with(retried, "next_attempt_at", "", "error", "gone", "error_code", CodeWorkerDied), Uploaded, true, false},
		{"drained", Extracting, rq.Transition{From: rq.StatusStarted, To: rq.StatusQueued, Reason: rq.ReasonDrained},
			with(waiting, "next_attempt_at", "", "current_step", "waiting: its worker was shut down, another one will take it"), Uploaded, true, false},
		{"recovered", CheckingDuplicates, rq.Transition{From: rq.StatusStarted, To: rq.StatusQueued, Reason: rq.ReasonRecovered},
			with(waiting, "next_attempt_at", "", "current_step", "waiting: its worker died, another one will take it"), Uploaded, true, false},
		{"failed", Extracting, rq.Transition{From: rq.StatusStarted, To: rq.StatusFailed, Reason: rq.ReasonFailed, Error: "The file is damaged.", ErrorCode: "corrupt", Duration: 1500 * time.Millisecond},
			with(ended, "status", "failed", "error", "The file is damaged.", "error_code", "corrupt"), Failed, false, false},
		{"failed without a word", Uploaded, rq.Transition{From: rq.StatusStarted, To: rq.StatusFailed, Reason: rq.ReasonLimit, Duration: 1500 * time.Millisecond},
			with(ended, "status", "failed", "error", "The job failed and said nothing about why.", "error_code", CodeWorkerDied), Failed, false, false},
		{"canceled", Uploaded, rq.Transition{From: rq.StatusQueued, To: rq.StatusCanceled, Reason: rq.ReasonCanceled, Duration: 1500 * time.Millisecond},
			with(ended, "status", "canceled", "error", "", "error_code", ""), Canceled, false, false},
		{"stopped", Chunking, rq.Transition{From: rq.StatusStarted, To: rq.StatusStopped, Reason: rq.ReasonStopped, Error: "Job stopped by user", Duration: 1500 * time.Millisecond},
			with(ended, "status", "canceled", "error", "", "error_code", ""), Canceled, false, false},
		{"finished", Chunking, rq.Transition{From: rq.StatusStarted, To: rq.StatusFinished, Reason: rq.ReasonFinished, Duration: 1500 * time.Millisecond},
			nil, Chunking, false, true}, // what it found comes with Complete or Duplicate
		{"claimed", Uploaded, rq.Transition{From: rq.StatusQueued, To: rq.StatusStarted, Reason: rq.ReasonClaimed}, nil, Uploaded, true, false},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) {
				f.t = t
				f.forget()
				d := f.seed(test.from, "job-1")
				bystander := f.seed(Uploaded, "job-2")
				before, record := f.keyspace(), f.hash(d.ID)
				f.clock.forward(time.Second)
				later := f.clock.now().Add(time.Minute)
				tr := test.t
				tr.Job = &rq.Job{ID: "job-1", Func: ProcessFunc, Args: []any{d.ID}}
				tr.At = f.clock.now()
				if !tr.NextAttempt.IsZero() {
					tr.NextAttempt = later
				}
				extra := Effects("docsvc:")(tr)
				if extra.Labels["document"] != d.ID {
					t.Errorf("labels %v", extra.Labels)
				}
				for range 2 { // applied twice it is the same, but for the stream
					if err := f.queue.Apply(t.Context(), nil, extra.Effects, nil); err != nil {
						t.Fatal(err)
					}
				}
				for field, value := range test.want {
					record[field] = strings.NewReplacer("NOW", stamp(tr.At), "LATER", stamp(later)).Replace(value)
				}
				if test.want != nil {
					record["updated_at"] = stamp(tr.At)
				}
				if got := f.hash(d.ID); !maps.Equal(got, record) {
					t.Errorf("record:\n%s", compare(record, got))
				}
				f.wantState(d.ID, f.get(d.ID).Status)
				want := maps.Clone(before)
				want[f.k.document(d.ID)] = f.content(f.k.document(d.ID)) // compared above
				for _, s := range States() {
					var ids []string
					for _, x := range []struct {
						id string
						s  State
					}{{d.ID, test.to}, {bystander.ID, Uploaded}} {
						if x.s == s {
							ids = append(ids, x.id+"\n")
						}
					}
					slices.Sort(ids)
					delete(want, f.k.byState(s))
					if len(ids) > 0 {
						want[f.k.byState(s)] = strings.Join(ids, "")
					}
				}
				if test.to == Failed || test.to == Canceled {
					want[f.k.unsaved()] = d.ID + "\n"
				}
				if !test.password {
					delete(want, f.k.password(d.ID))
				}
				if test.timed {
					want[f.k.timings()] = "ms ms "
				}
				if test.to == Uploaded && test.want != nil {
					want[f.k.openUploads()] = bystander.ID + "\n"
				}
				if diff := difference(want, f.keyspace()); diff != "" {
					t.Errorf("keyspace differs at %s", diff)
				}
			})
		}
	})
}

func (f *fixture) hash(id string) map[string]string {
	f.t.Helper()
	return f.rdb.HGetAll(f.t.Context(), f.k.document(id)).Val()
}

func compare(want, got map[string]string) string {
	var b strings.Builder
	for _, field := range slices.Sorted(maps.Keys(want)) {
		if got[field] != want[field] {
			fmt.Fprintf(&b, "%s = %q, want %q\n", field, got[field], want[field])
		}
	}
	for field, value := range got {
		if _, ok := want[field]; !ok {
			fmt.Fprintf(&b, "%s = %q is new\n", field, value)
		}
	}
	return b.String()
}

// No transition may bring a deleted document back, or change one that names
// another job.
func TestEffectsLeaveOthersAlone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		mine := f.seed(Extracting, "job-1")
		deleted, err := newID(f.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		before := f.keyspace()
		f.clock.forward(time.Second)
		for _, to := range []rq.Status{rq.StatusQueued, rq.StatusScheduled, rq.StatusStarted, rq.StatusFinished, rq.StatusFailed, rq.StatusStopped, rq.StatusCanceled} {
			for _, job := range []*rq.Job{
				{ID: "job-other", Func: ProcessFunc, Args: []any{mine.ID}},
				{ID: "job-1", Func: ProcessFunc, Args: []any{deleted}},
				{ID: "job-1", Func: ProcessFunc, Args: []any{"not-an-id"}},
				{ID: "job-1", Func: ProcessFunc, Args: []any{mine.ID, "and more"}},
				{ID: "job-1", Func: "some.other", Args: []any{mine.ID}},
				{ID: "job-1", Func: "", Description: "some.other('" + mine.ID + "')"},
			} {
				for _, reason := range []string{rq.ReasonEnqueued, rq.ReasonRetry, rq.ReasonRecovered} {
					extra := Effects("")(rq.Transition{Job: job, To: to, Reason: reason, At: f.clock.now()})
					if err := f.queue.Apply(t.Context(), nil, extra.Effects, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if diff := difference(before, f.keyspace()); diff != "" {
			t.Errorf("changed %s", diff)
		}
	})
}

func TestIDFromJob(t *testing.T) {
	t.Parallel()
	const id = "01936b5e-7a52-7c3e-8f1d-0123456789ab"
	for name, test := range map[string]struct {
		job *rq.Job
		ok  bool
	}{
		"argument":          {&rq.Job{Func: ProcessFunc, Args: []any{id}}, true},
		"keyword":           {&rq.Job{Func: ProcessFunc, Kwargs: map[string]any{"document_id": id}}, true},
		"other keyword":     {&rq.Job{Func: ProcessFunc, Kwargs: map[string]any{"id": id}}, false},
		"both":              {&rq.Job{Func: ProcessFunc, Args: []any{id}, Kwargs: map[string]any{"document_id": id}}, false},
		"none":              {&rq.Job{Func: ProcessFunc}, false},
		"number":            {&rq.Job{Func: ProcessFunc, Args: []any{int64(7)}}, false},
		"upper case":        {&rq.Job{Func: ProcessFunc, Args: []any{strings.ToUpper(id)}}, false},
		"other function":    {&rq.Job{Func: "x.y", Args: []any{id}}, false},
		"not loaded":        {&rq.Job{Description: "docsvc.process_document('" + id + "')"}, true},
		"not loaded, named": {&rq.Job{Description: "docsvc.process_document(document_id='" + id + "')"}, true},
		"other call":        {&rq.Job{Description: "docsvc.process_document('" + id + "', 1)"}, false},
		"nothing":           {&rq.Job{}, false},
		"nil":               {nil, false},
		"unreadable":        {&rq.Job{PayloadErr: errTest, Description: "docsvc.process_document('" + id + "')"}, false},
		"a child function":  {&rq.Job{Func: ProcessFunc + "_later", Args: []any{id}}, false},
	} {
		if got, ok := IDFromJob(test.job); ok != test.ok || (ok && got != id) {
			t.Errorf("%s: %q, %v", name, got, ok)
		}
	}
}

var errTest = fmt.Errorf("test")

// The same through the queue itself: a job that fails, waits, is recovered
// after its worker died, and fails for good.
func TestDocumentFollowsItsJob(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, _ := f.queued()
		c, _ := f.begin()
		d := f.wantState(up.DocumentID, Extracting)
		if d.Attempts != 1 || d.StartedAt.IsZero() || d.CurrentStep != "extracting text" {
			t.Errorf("%+v", d)
		}
		done := f.finish(c, rq.Outcome{Kind: rq.OutcomeRetry, Error: "storage answered 503", ErrorCode: "storage_unavailable"})
		if done.Status != rq.StatusScheduled {
			t.Fatalf("%+v", done)
		}
		d = f.wantState(up.DocumentID, Uploaded)
		if d.Error != "storage answered 503" || d.ErrorCode != "storage_unavailable" || d.NextAttemptAt.IsZero() {
			t.Errorf("%+v", d)
		}
		st, err := f.Status(t.Context(), up.DocumentID)
		if err != nil || st.NextAttemptAt == nil || *st.Error != "storage answered 503" || st.CurrentStep != "waiting to be tried again" || st.Attempts != 1 {
			t.Errorf("%+v, %v", st, err)
		}
		if n, _, err := f.queue.MoveDue(t.Context(), []string{"document_processing"}, f.clock.now().Add(time.Hour)); err != nil || n != 1 {
			t.Fatalf("moved %d, %v", n, err)
		}
		c, _ = f.begin()
		if d := f.wantState(up.DocumentID, Extracting); d.Attempts != 2 || d.Error != "" {
			t.Errorf("%+v", d)
		}
		f.finish(c, rq.Outcome{Kind: rq.OutcomeReturnHead})
		f.wantState(up.DocumentID, Uploaded)
		c, d = f.begin()
		// Fenced: canceled while it runs. What comes later changes nothing.
		if _, err := f.queue.Cancel(t.Context(), c.Job.ID); err != nil {
			t.Fatal(err)
		}
		f.wantState(up.DocumentID, Canceled)
		effects, conditions := f.Complete(d, f.manifest(d, c.Execution.ID, "s", "t"))
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); done.Err == nil {
			t.Error("a late finish was accepted")
		}
		progress, labels := f.ProgressEffects(d, Progress{Status: Chunking, Percent: 90})
		if err := f.queue.Progress(t.Context(), c.Execution, progress, labels); err == nil {
			t.Error("late progress was accepted")
		}
		f.wantState(up.DocumentID, Canceled)
	})
}

func TestShorten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"short": "short", "ääääää": "ää...", "ab\xffcd": "ab\ufffdcd"} {
		if got := shorten(text, 8); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
