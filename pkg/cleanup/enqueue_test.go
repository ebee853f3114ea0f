package cleanup

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// work takes the next cleanup job and runs it with the handler.
func (f *fixture) work() (rq.Claimed, error) {
	f.t.Helper()
	c := f.claim("cleanup_tasks")
	h := f.Handler()
	result, err := h.Run(f.t.Context(), &worker.Task{Job: c.Job, Execution: c.Execution, Log: zerolog.Nop(), Queue: f.queue})
	if err != nil {
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: err.Error()})
		return c, err
	}
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Result: result.Value})
	return c, nil
}

func TestEnqueueRunWait(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.object(document.UploadKey(newID(t), "u"), "nobody's")
		f.clock.forward(2 * day)
		q, err := f.Enqueue(t.Context(), Task{Type: Daily, OlderThan: 36 * time.Hour})
		if err != nil || q.JobID == "" || q.Existing || !q.NoWorker || q.Queue != "cleanup_tasks" || q.Status != rq.StatusQueued || q.TaskType != Daily {
			t.Fatalf("%+v, %v", q, err)
		}
		job, err := f.queue.Job(t.Context(), q.JobID)
		if err != nil || job.Func != Func || job.Description != "docsvc.cleanup('daily', dry_run=False, older_than_hours=36)" {
			t.Errorf("%+v, %v", job, err)
		}
		done := make(chan Report, 1)
		go func() {
			r, err := f.Wait(t.Context(), q.JobID)
			if err != nil {
				t.Error(err)
			}
			done <- r
		}()
		if _, err := f.work(); err != nil {
			t.Fatal(err)
		}
		if r := <-done; r.TaskType != Daily || r.Deleted != 1 || r.Bytes != 8 || len(r.Tasks) != 3 || r.Tasks[1].Deleted != 1 {
			t.Errorf("%+v", r)
		}
		if q, err = f.Enqueue(t.Context(), Task{Type: Daily}); err != nil || q.NoWorker || q.Existing {
			t.Errorf("with a worker, after the first ended: %+v, %v", q, err)
		}
	})
}

func TestOneOfAKind(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ids := make(chan string, 12)
		var wg sync.WaitGroup
		for range cap(ids) {
			wg.Go(func() {
				q, err := f.Enqueue(t.Context(), Task{Type: S3, OlderThan: day})
				if err != nil {
					t.Error(err)
				}
				ids <- q.JobID
			})
		}
		wg.Wait()
		close(ids)
		first := <-ids
		for id := range ids {
			if id != first {
				t.Errorf("jobs %s and %s", first, id)
			}
		}
		// A dry run, or another kind, is not the same.
		for _, other := range []Task{{Type: S3, DryRun: true}, {Type: Orphaned}, {Type: Orphaned, IncludeDocuments: true}} {
			if q, err := f.Enqueue(t.Context(), other); err != nil || q.Existing || q.JobID == first {
				t.Errorf("%+v: %+v, %v", other, q, err)
			}
		}
		// While it runs it is still the one; afterwards there is a new one.
		c := f.claim("cleanup_tasks")
		if q, err := f.Enqueue(t.Context(), Task{Type: S3}); err != nil || !q.Existing || q.JobID != first || q.Status != rq.StatusStarted {
			t.Errorf("%+v, %v", q, err)
		}
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no"})
		q, err := f.Enqueue(t.Context(), Task{Type: S3})
		if err != nil || q.Existing || q.JobID == first {
			t.Errorf("%+v, %v", q, err)
		}
		// Its hash vanished: no reason to wait for it for ever.
		f.rdb.Del(t.Context(), rq.JobKey(q.JobID))
		if again, err := f.Enqueue(t.Context(), Task{Type: S3}); err != nil || again.Existing || again.JobID == q.JobID {
			t.Errorf("%+v, %v", again, err)
		}
	})
}

func TestHandlerRefuses(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		permanent := func(code string) {
			t.Helper()
			_, err := f.work()
			var failure *worker.Failure
			if !errors.As(err, &failure) || failure.Class != worker.Permanent || failure.Code != code {
				t.Errorf("got %v (%+v)", err, failure)
			}
		}
		for _, args := range [][]any{{}, {"everything"}, {int64(3)}, {"daily", int64(-1)}, {"daily", "24"}, {"daily", int64(24), "yes"}, {"daily", int64(24), true, false, "more"}} {
			if _, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "cleanup_tasks", Func: Func, Args: args}); err != nil {
				t.Fatal(err)
			}
			permanent("bad_arguments")
		}
		if _, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "cleanup_tasks", Func: Func, Args: []any{"daily"}, Kwargs: map[string]any{"force": true}}); err != nil {
			t.Fatal(err)
		}
		permanent("bad_arguments")
		f.rdb.Set(t.Context(), "docsvc:installation", "another", 0)
		q, err := f.Enqueue(t.Context(), Task{Type: Daily})
		if err != nil {
			t.Fatal(err)
		}
		permanent(document.CodeOtherInstallation)
		if _, err := f.Wait(t.Context(), q.JobID); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("waiting for a failed job: %v", err)
		}
		if _, err := f.Wait(t.Context(), "never-there"); !errors.Is(err, rq.ErrNoJob) {
			t.Errorf("got %v", err)
		}
	})
}

func TestTaskFromJob(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		job  *rq.Job
		want Task
	}{
		"defaults":   {&rq.Job{Args: []any{"daily"}}, Task{Type: Daily, OlderThan: day}},
		"positional": {&rq.Job{Args: []any{"s3_cleanup", int64(48), true}}, Task{Type: S3, OlderThan: 2 * day, DryRun: true}},
		"named":      {&rq.Job{Kwargs: map[string]any{"task_type": "orphaned_files", "older_than_hours": 0.5}}, Task{Type: Orphaned, OlderThan: 30 * time.Minute}},
		"zero hours": {&rq.Job{Args: []any{"expired_uploads", int64(0)}}, Task{Type: Expired}},
		"none":       {&rq.Job{Args: []any{"daily", nil, nil}}, Task{Type: Daily, OlderThan: day}},
		"documents":  {&rq.Job{Args: []any{"orphaned_files"}, Kwargs: map[string]any{"include_documents": true}}, Task{Type: Orphaned, OlderThan: day, IncludeDocuments: true}},
	} {
		got, err := TaskFromJob(test.job)
		if err != nil || got != test.want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		args, kwargs := got.args()
		if again, err := TaskFromJob(&rq.Job{Args: args, Kwargs: kwargs}); err != nil || again != got {
			t.Errorf("%s: written and read again %+v, %v", name, again, err)
		}
	}
}

func TestEnqueueRefusesBadTasks(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis))
	for field, task := range map[string]Task{"task_type": {Type: "everything"}, "older_than_hours": {Type: S3, OlderThan: -1}} {
		_, err := f.Enqueue(t.Context(), task)
		var e *document.Error
		if !errors.As(err, &e) || e.Kind != document.Invalid || e.Field != field {
			t.Errorf("%s: %v", field, err)
		}
		if _, err := f.Run(t.Context(), task); err == nil {
			t.Errorf("%s: ran", field)
		}
	}
}
