package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestRequeue(t *testing.T) {
	t.Parallel()
	const common = `
		- docsvc:recovered j1 = 5
		- rq:job:j1 ended_at = then
		- rq:job:j1 started_at = then
		+ docsvc:receipts <id> 1795435200250
		+ rq:job:j1 ended_at =
		+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
		+ rq:job:j1 exc_info = packed ""
		+ rq:job:j1 started_at =
		+ rq:job:j1 status = queued
		+ rq:queues rq:queue:q
	`
	const final = `
		HSET rq:job:j1 origin q data {call} timeout 180 started_at then ended_at then worker_name w1
		HSET docsvc:recovered j1 5
		RPUSH rq:queue:q j2
		ZADD rq:failed:q 7 other
		ZADD rq:canceled:q 7 other
	`
	cases := []struct {
		name, seed string
		o          RequeueOptions
		defaults   QueueDefaults
		want       string
	}{{
		name: "failed", seed: "HSET rq:job:j1 status failed retries_left 0\nEXPIRE rq:job:j1 1000\nZADD rq:failed:q 8 j1",
		want: `
			- rq:failed:q j1 8
			- rq:job:j1 status = failed
			- rq:job:j1 ttl 1000
			- rq:queue:q [j2]
			+ docsvc:events #0 from=failed job=j1 queue=q reason=requeued to=queued
			+ rq:job:j1 ttl 31536000
			+ rq:queue:q [j2 j1]`,
	}, {
		name: "failed, retries refilled, to the front",
		seed: "HSET rq:job:j1 status failed retries_left 0 failure_ttl 900\nEXPIRE rq:job:j1 10\nZADD rq:failed:q 8 j1",
		o: RequeueOptions{AtFront: true, Effects: []Effect{HSet("doc", "a", "b")},
			Conditions: []Condition{{ClaimKey: "claim", ClaimValue: "me"}}},
		defaults: QueueDefaults{Retry: &Retry{Max: 3}},
		want: `
			- rq:failed:q j1 8
			- rq:job:j1 retries_left = 0
			- rq:job:j1 status = failed
			- rq:job:j1 ttl 10
			- rq:queue:q [j2]
			+ claim = me
			+ doc a = b
			+ docsvc:events #0 from=failed job=j1 queue=q reason=requeued to=queued
			+ rq:job:j1 retries_left = 3
			+ rq:job:j1 ttl 900
			+ rq:queue:q [j1 j2]`,
	}, {
		name: "stopped, never had retries", seed: "HSET rq:job:j1 status stopped\nZADD rq:failed:q 8 j1",
		defaults: QueueDefaults{Retry: &Retry{Max: 3}},
		want: `
			- rq:failed:q j1 8
			- rq:job:j1 status = stopped
			- rq:queue:q [j2]
			+ docsvc:events #0 from=stopped job=j1 queue=q reason=requeued to=queued
			+ rq:queue:q [j2 j1]`,
	}, {
		name: "canceled, ttl", seed: "HSET rq:job:j1 status canceled ttl 50\nZADD rq:canceled:q 8 j1",
		want: `
			- rq:canceled:q j1 8
			- rq:job:j1 status = canceled
			- rq:queue:q [j2]
			+ docsvc:events #0 from=canceled job=j1 queue=q reason=requeued to=queued
			+ rq:job:j1 ttl 50
			+ rq:queue:q [j2 j1]`,
	}}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{Queues: map[string]QueueDefaults{"q": c.defaults}})
				f.seed(final + c.seed)
				wantChange(t, f.change(func() {
					if _, err := f.Requeue(context.Background(), "j1", c.o); err != nil {
						t.Error(err)
					}
				}), common+c.want)
			})
		}
	})
}

func TestRequeueRefusedLeavesTheJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for seed, check := range map[string]func(error) bool{
			"SET claim other":              func(err error) bool { var c *ConditionError; return errors.As(err, &c) && c.Actual == "other" },
			"SET rq:queue:q x":             func(err error) bool { var k *KeyError; return errors.As(err, &k) && k.Key == "rq:queue:q" },
			"HSET rq:job:j1 origin ''":     func(err error) bool { return err != nil },
			"HSET rq:job:j1 origin a,b":    func(err error) bool { return err != nil },
			"HSET rq:job:j1 status queued": func(err error) bool { var e *StateError; return errors.As(err, &e) },
		} {
			f := newFixture(t, s, Options{})
			f.seed("HSET rq:job:j1 origin q data {call} status failed\nZADD rq:failed:q 8 j1\n" + seed)
			wantChange(t, f.change(func() {
				_, err := f.Requeue(context.Background(), "j1", RequeueOptions{Conditions: []Condition{{ClaimKey: "claim", ClaimValue: "me"}}})
				if !check(err) {
					t.Errorf("%s: %v", seed, err)
				}
			}), "")
		}
	})
}

// A job runs, fails and is requeued again and again; nothing piles up but its
// results, which are kept to ten.
func TestRequeueRoundAndRound(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if _, err := f.Enqueue(ctx, Spec{ID: "j1", Queue: "q", Func: "app.work"}); err != nil {
			t.Fatal(err)
		}
		for range 15 {
			f.now = f.now.Add(time.Second)
			c := f.mustClaim(t)
			f.finish(Outcome{Execution: c.Execution, Job: c.Job, Kind: OutcomeFail, Error: "boom"})
			if _, err := f.Requeue(ctx, "j1", RequeueOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := f.rdb.XLen(ctx, "rq:results:j1").Val(); n != 10 {
			t.Errorf("%d results", n)
		}
		for _, key := range []string{"rq:failed:q", "rq:wip:q", "rq:executions:j1", "docsvc:lease:q"} {
			if f.rdb.Exists(ctx, key).Val() != 0 {
				t.Errorf("%s is left behind", key)
			}
		}
	})
}
