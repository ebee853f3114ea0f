package rq

import (
	"context"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// Children wait on j1, which docsvc finishes; rq/queue.py, enqueue_dependents.
func TestFinishReleasesDependents(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		seed     string
		kind     OutcomeKind
		released bool
	}{
		{"parent finished", "", OutcomeFinish, true},
		{"parent failed", "", OutcomeFail, false},
		{"parent failed, failures allowed", "HSET rq:job:c1 allow_dependency_failures 1", OutcomeFail, true},
		{"parent failed, failures not allowed", "HSET rq:job:c1 allow_dependency_failures 0", OutcomeFail, false},
		{"parent stopped", "HSET rq:job:c1 allow_dependency_failures 1", OutcomeStop, false},
		{"parent goes back to the queue", "", OutcomeReturnHead, false},
		{"other parent still queued", "SADD rq:job::c1:dependencies p2\nHSET rq:job:p2 status queued", OutcomeFinish, false},
		{"other parent finished", "SADD rq:job::c1:dependencies p2\nHSET rq:job:p2 status finished", OutcomeFinish, true},
		{"other parent failed", "SADD rq:job::c1:dependencies p2\nHSET rq:job:p2 status failed", OutcomeFinish, false},
		{"other parent failed, allowed", "SADD rq:job::c1:dependencies p2\nHSET rq:job:p2 status failed\nHSET rq:job:c1 allow_dependency_failures 1", OutcomeFinish, true},
		{"other parent missing", "SADD rq:job::c1:dependencies p2", OutcomeFinish, true},
		{"child canceled", "HSET rq:job:c1 status canceled", OutcomeFinish, false},
		{"child ran already", "HSET rq:job:c1 status finished", OutcomeFinish, false},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(startedJob + `
					HSET rq:job:c1 status deferred origin other data {call}
					ZADD rq:deferred:other 1 c1
					SADD rq:job:j1:dependents c1
					SADD rq:job::c1:dependencies j1
					` + c.seed)
				f.finish(Outcome{Kind: c.kind})
				ctx := context.Background()
				queued := len(f.rdb.LRange(ctx, "rq:queue:other", 0, -1).Val()) == 1
				if queued != c.released {
					t.Errorf("child on its queue: %v, want %v", queued, c.released)
				}
				waiting := f.rdb.SIsMember(ctx, "rq:job:j1:dependents", "c1").Val()
				if waiting == c.released {
					t.Errorf("child still among the parent's dependents: %v", waiting)
				}
			})
		}
	})
}

func TestReleasedDependentIsQueuedAsRQQueuesIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + `
			HSET rq:job:c1 status deferred origin q data {call} enqueue_at_front 1 ttl 70
			HSET rq:job:c2 status deferred origin q data {call} timeout 60
			ZADD rq:deferred:q 1 c1 1 c2
			SADD rq:job:j1:dependents c1 c2 gone
			SADD rq:job::c1:dependencies j1
			SADD rq:job::c2:dependencies j1
			RPUSH rq:queue:q x`)
		got := f.change(func() { f.finish(Outcome{Kind: OutcomeFinish}) })
		want := without(ended, "") + nextNever + workedTime + `
			- rq:deferred:q c1 1
			- rq:deferred:q c2 1
			- rq:job:c1 status = deferred
			- rq:job:c2 status = deferred
			- rq:job:j1:dependents c1
			- rq:job:j1:dependents c2
			- rq:queue:q [x]
			+ docsvc:worker:w1 finished_status = finished
			+ rq:finished:q j1 1795435700
			+ rq:job:c1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:c1 status = queued
			+ rq:job:c1 timeout = 180
			+ rq:job:c1 ttl 70
			+ rq:job:c2 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:c2 status = queued
			+ rq:job:j1 status = finished
			+ rq:job:j1 ttl 500
			+ rq:job:j1:dependents ttl 500
			+ rq:job::c1:dependencies ttl 70
			+ rq:queue:q [c1 x c2]
			+ rq:results:j1 #0 execution_ended_at=1795435200.25 execution_id=e1 execution_started_at=1795435190.25 type=1 worker_name=w1
			+ rq:results:j1 ttl 500
			+ rq:worker:w1 successful_job_count = 1`
		// The order in which a set gives its members differs between engines.
		events := f.rdb.XLen(context.Background(), "docsvc:events").Val()
		if events != 3 {
			t.Errorf("%d events, want one for the parent and one for each child", events)
		}
		wantChange(t, without(got, "docsvc:events"), want)
	})
}
