package rq

import (
	"context"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestEnqueueDependent(t *testing.T) {
	t.Parallel()
	const hash = `
		+ docsvc:receipts <id>:1 1795435200250
		+ rq:job:c created_at = 2026-11-23T12:00:00.250000Z
		+ rq:job:c data = pickle app.work()
		+ rq:job:c description = app.work()
		+ rq:job:c ended_at =
		+ rq:job:c failure_callback_name =
		+ rq:job:c group_id =
		+ rq:job:c last_heartbeat =
		+ rq:job:c origin = q
		+ rq:job:c started_at =
		+ rq:job:c stopped_callback_name =
		+ rq:job:c success_callback_name =
		+ rq:job:c timeout = 180
		+ rq:job:c worker_name =
		+ rq:queues rq:queue:q
		`
	const queued = hash + `
		+ docsvc:events #0 job=c queue=q reason=enqueued to=queued
		+ rq:job:c enqueued_at = 2026-11-23T12:00:00.250000Z
		+ rq:job:c status = queued
		+ rq:queue:q [c]
		`
	const deferred = hash + `
		+ docsvc:events #0 job=c queue=q reason=enqueued to=deferred
		+ rq:deferred:q c 1795435200
		+ rq:job:c status = deferred
		`
	cases := []struct {
		name, seed string
		spec       Spec
		status     Status
		want       string
	}{
		{"on a queued and a finished one", "HSET rq:job:p1 status queued\nHSET rq:job:p2 status finished", Spec{DependsOn: []string{"p1", "p2"}}, StatusDeferred, deferred + `
			+ rq:job:c dependency_id = p1
			+ rq:job:c dependency_ids = ["p1", "p2"]
			+ rq:job::c:dependencies p1
			+ rq:job::c:dependencies p2
			+ rq:job:p1:dependents c
			+ rq:job:p2:dependents c`},
		{"on a failed one, to the front, with a life time", "HSET rq:job:p1 status failed", Spec{DependsOn: []string{"p1"}, AtFront: true, TTL: ptr(90 * time.Second)}, StatusDeferred, deferred + `
			+ rq:job:c dependency_id = p1
			+ rq:job:c dependency_ids = ["p1"]
			+ rq:job:c ttl 90
			+ rq:job:c ttl = 90
			+ rq:job::c:dependencies p1
			+ rq:job::c:dependencies ttl 90
			+ rq:job:p1:dependents c`},
		{"on one without a status", "HSET rq:job:p1 origin q", Spec{DependsOn: []string{"p1"}}, StatusDeferred, deferred + `
			+ rq:job:c dependency_id = p1
			+ rq:job:c dependency_ids = ["p1"]
			+ rq:job::c:dependencies p1
			+ rq:job:p1:dependents c`},
		{"on finished and missing ones", "HSET rq:job:p1 status finished\nSET rq:job:text x", Spec{DependsOn: []string{"p1", "gone", "text"}}, StatusQueued, queued + `
			+ rq:job:c dependency_id = p1
			+ rq:job:c dependency_ids = ["p1", "gone", "text"]`},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(c.seed)
				c.spec.ID, c.spec.Queue, c.spec.Func = "c", "q", "app.work"
				wantChange(t, f.change(func() {
					j, err := f.Enqueue(context.Background(), c.spec)
					if err != nil || j.Status != c.status || j.EnqueuedAt.IsZero() != (c.status == StatusDeferred) {
						t.Errorf("%+v, %v", j, err)
					}
				}), c.want)
			})
		}
	})
}

// From deferred to finished, by this package alone.
func TestDependentRunsAfterItsParents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		for _, spec := range []Spec{{ID: "p1"}, {ID: "p2"}, {ID: "c", DependsOn: []string{"p1", "p2"}}} {
			spec.Queue, spec.Func = "q", "app.work"
			if _, err := f.Enqueue(ctx, spec); err != nil {
				t.Fatal(err)
			}
		}
		for _, id := range []string{"p1", "p2", "c"} {
			c := f.mustClaim(t)
			if c.Job.ID != id {
				t.Fatalf("claimed %s, want %s", c.Job.ID, id)
			}
			f.finish(Outcome{Execution: c.Execution, Job: c.Job, Kind: OutcomeFinish})
		}
		if n := f.rdb.ZCard(ctx, "rq:deferred:q").Val(); n != 0 {
			t.Errorf("%d are still deferred", n)
		}
	})
}
