package httpapi

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Jobs of Python producers, and jobs that nobody can read.
func TestForeignJobs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		ctx := t.Context()
		if _, err := f.Queue.Enqueue(ctx, rq.Spec{ID: "their_job-1", Queue: "emails", Func: "app.send",
			Args: []any{"a@example.com", int64(3)}, Kwargs: map[string]any{"cc": nil}}); err != nil {
			t.Fatal(err)
		}
		rdb := f.Queue.Redis()
		rdb.HSet(ctx, "rq:job:broken", "status", "queued", "origin", "emails", "data", "\x80\x05garbage", "created_at", "2026-01-02T03:04:05.678901Z")
		rdb.RPush(ctx, "rq:queue:emails", "broken", "gone")
		// cos.system('true') as a pickle: nothing is called.
		rdb.HSet(ctx, "rq:job:evil", "status", "queued", "origin", "emails", "data", "cos\nsystem\n(S'touch /nonexistent/x'\ntR.")
		var j Job
		f.get(t, "/api/v1/queue/job/their_job-1").into(t, 200, &j)
		if j.FuncName != "app.send" || len(j.Args) != 2 || j.Args[1] != 3.0 || j.Origin != "emails" || j.Position == nil {
			t.Errorf("job is %+v", j)
		}
		for _, id := range []string{"broken", "evil"} {
			j = Job{}
			f.get(t, "/api/v1/queue/job/"+id).into(t, 200, &j)
			if j.Status != "queued" || j.FuncName != "" || j.ExcInfo == nil {
				b, _ := json.Marshal(j)
				t.Errorf("%s is shown as %s", id, b)
			}
		}
		var queues []QueueInfo
		f.get(t, "/api/v1/queue/info").into(t, 200, &queues)
		if len(queues) != 3 || queues[2].Name != "emails" || queues[2].Length != 3 {
			t.Errorf("queues are %+v", queues)
		}
		var page JobList
		f.get(t, "/api/v1/queue/jobs?queue=emails&limit=2").into(t, 200, &page)
		if len(page.Jobs) != 2 || page.NextCursor == nil {
			t.Fatalf("first page is %+v", page)
		}
		f.get(t, "/api/v1/queue/jobs?queue=emails&limit=2&cursor="+*page.NextCursor).into(t, 200, &page)
		if len(page.Jobs) != 1 || page.Jobs[0].ID != "gone" || page.Jobs[0].Status != "" || page.NextCursor != nil {
			t.Errorf("second page is %+v", page)
		}
		var c Changed
		f.post(t, "/api/v1/queue/job/their_job-1/cancel", "").into(t, 200, &c)
		f.post(t, "/api/v1/queue/job/their_job-1/retry", "").into(t, 200, &c)
		f.get(t, "/api/v1/queue/info/nobodys").problem(t, 404, "queue_not_found")
		f.get(t, "/api/v1/queue/jobs?queue=nobodys").problem(t, 404, "queue_not_found")
	})
}

func TestCleanupIsEnqueuedOnce(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	for _, kind := range []string{"s3_cleanup", "orphaned_files", "expired_uploads", "daily"} {
		var a, b, dry CleanupAccepted
		f.post(t, "/api/v1/queue/cleanup", fmt.Sprintf(`{"task_type": %q, "older_than_hours": 48}`, kind)).into(t, 202, &a)
		f.post(t, "/api/v1/queue/cleanup", fmt.Sprintf(`{"task_type": %q}`, kind)).into(t, 202, &b)
		f.post(t, "/api/v1/queue/cleanup", fmt.Sprintf(`{"task_type": %q, "dry_run": true}`, kind)).into(t, 202, &dry)
		if a.TaskType != kind || a.Status != "queued" || a.JobID == "" || a.JobID != b.JobID {
			t.Errorf("asked for %s twice: %+v, %+v", kind, a, b)
		}
		if dry.JobID == a.JobID {
			t.Errorf("a dry run of %s stands for a real one", kind)
		}
		var j Job
		f.get(t, "/api/v1/queue/job/"+a.JobID).into(t, 200, &j)
		if j.FuncName != "docsvc.cleanup" || j.Origin != "cleanup_tasks" || j.Kwargs["older_than_hours"] != 48.0 {
			t.Errorf("the job is %+v", j)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		var h struct {
			Status string
			Queues map[string]struct {
				Available      bool
				Length, Failed int
			}
			Timestamp time.Time
		}
		f.get(t, "/api/v1/queue/health").into(t, 200, &h)
		if h.Status == "unhealthy" || len(h.Queues) != 2 || !h.Queues["document_processing"].Available || h.Timestamp.IsZero() {
			t.Errorf("health is %+v", h)
		}
		var ready Readiness
		f.get(t, "/readyz").into(t, 200, &ready)
		if ready != (Readiness{Status: "ready", Redis: true, Storage: true}) {
			t.Errorf("readiness is %+v", ready)
		}
	})
}
