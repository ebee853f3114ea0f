package rq

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// awake says that Redis was reached all the time, so that nothing has to wait.
const awake = "\nSET docsvc:pulse 1795435202000\n"

// afterLease moves the scripts' clock past the lease of startedJob.
func (f *fixture) afterLease() { f.now = noon.Add(3 * time.Second) }

func (f *fixture) recovered() []Recovered {
	f.t.Helper()
	got, err := f.RecoverExpired(context.Background(), []string{"other", "q"})
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

func idempotent(fn string) bool { return fn == "app.work" }

// taken is what every recovery of startedJob changes.
const taken = `
	- docsvc:lease:q j1:e1 1795435202250
	- docsvc:pulse = 1795435202000
	- docsvc:worker:w1 execution = j1:e1
	- docsvc:worker:w1 queue = q
	- rq:execution:j1:e1 created_at = 1795435190.25
	- rq:execution:j1:e1 id = e1
	- rq:execution:j1:e1 last_heartbeat = 1795435190.25
	- rq:execution:j1:e1 worker_name = w1
	- rq:executions:j1 e1 1795435340
	- rq:job:j1 status = started
	- rq:wip:q j1:e1 1795435280
	+ docsvc:pulse = 1795435203250
	+ docsvc:recoveries q = 1
`

func TestRecoverExpired(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, seed string
		options    Options
		want       string
		got        Recovered
	}{{
		name: "idempotent goes to the head", seed: "HSET rq:job:j1 retries_left 1 retry_intervals [60]\nRPUSH rq:queue:q j2",
		options: Options{Idempotent: idempotent, Effects: func(tr Transition) Extra {
			return Extra{Effects: []Effect{HSet("doc", "reason", tr.Reason)}, Labels: map[string]string{"document": "d1"}}
		}},
		want: `
			- rq:queue:q [j2]
			+ doc reason = recovered
			+ docsvc:events #0 document=d1 execution=e1 from=started job=j1 queue=q reason=recovered to=queued worker=w1
			+ docsvc:deaths q = 1
			+ docsvc:recovered j1 = 1
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:03.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1 j2]`,
		got: Recovered{Status: StatusQueued, Reason: ReasonRecovered, Deaths: 1},
	}, {
		name: "idempotent at the limit fails", seed: "HSET docsvc:recovered j1 4",
		options: Options{Idempotent: idempotent},
		want: `
			- docsvc:recovered j1 = 4
			+ docsvc:deaths q = 1
			+ docsvc:events #0 error_code=worker_died execution=e1 from=started job=j1 queue=q reason=recovery_limit to=failed worker=w1
			+ rq:failed:q j1 1826971203
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 31536000
			+ rq:results:j1 #0 exc_string="The worker died 5 times while it ran this job; it is not tried again by itself. Last worker: w1. Requeue it once the cause is found." execution_id=e1 execution_started_at=1795435190.25 type=2 worker_name=w1`,
		got: Recovered{Status: StatusFailed, Reason: ReasonLimit, Deaths: 5},
	}, {
		name: "other with a retry left", seed: "HSET rq:job:j1 retries_left 1 retry_intervals [60]",
		want: `
			- rq:job:j1 retries_left = 1
			+ docsvc:events #0 execution=e1 from=started job=j1 queue=q reason=abandoned to=scheduled worker=w1
			+ rq:job:j1 retries_left = 0
			+ rq:job:j1 status = scheduled
			+ rq:queues rq:queue:q
			+ rq:scheduled:q j1 1795435263`,
		got: Recovered{Status: StatusScheduled, Reason: ReasonAbandoned},
	}, {
		name: "other without", seed: "HSET rq:job:j1 retries_left 0",
		want: `
			+ docsvc:events #0 error_code=worker_died execution=e1 from=started job=j1 queue=q reason=abandoned to=failed worker=w1
			+ rq:failed:q j1 1826971203
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 31536000
			+ rq:results:j1 #0 exc_string="Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-11-23 12:00:03.250000+00:00" type=2 worker_name=`,
		got: Recovered{Status: StatusFailed, Reason: ReasonAbandoned},
	}}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, c.options)
				f.seed(startedJob + awake + c.seed)
				f.afterLease()
				var got []Recovered
				wantChange(t, f.change(func() { got = f.recovered() }), taken+c.want)
				want := c.got
				want.JobID, want.Func, want.Execution, want.Queue, want.Worker = "j1", "app.work", "e1", "q", "w1"
				if len(got) != 1 || got[0].Job == nil || got[0].At.IsZero() || (got[0].Error != "") != (want.Status == StatusFailed) {
					t.Fatalf("recovered %+v", got)
				}
				want.Job, want.Error, want.At = got[0].Job, got[0].Error, got[0].At
				if got[0] != want || want.Job.ID != "j1" || want.Job.Func != "app.work" {
					t.Errorf("recovered %+v, want %+v", got, want)
				}
			})
		}
	})
}

func TestRecoverLeavesTheLivingAlone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(startedJob + awake)
		f.now = noon.Add(1999 * time.Millisecond) // 1 ms before the lease ends
		if got := f.recovered(); len(got) != 0 {
			t.Errorf("recovered %+v", got)
		}
	})
}

// Between looking and taking the worker sent its heartbeat, or finished, or
// another recoverer was faster.
func TestRecoverChecksAgainWhenItTakes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, meanwhile := range []string{
			"ZADD docsvc:lease:q 1795435999000 j1:e1", "ZREM docsvc:lease:q j1:e1", "HSET docsvc:recovered j1 1",
		} {
			f := newFixture(t, s, Options{Idempotent: idempotent})
			f.seed(startedJob + awake)
			f.afterLease()
			f.o.Effects = func(Transition) Extra {
				f.seed(meanwhile)
				return Extra{}
			}
			if got := f.recovered(); len(got) != 0 {
				t.Errorf("after %s: recovered %+v", meanwhile, got)
			}
			if got := f.running().Status; got != StatusStarted {
				t.Errorf("after %s: the job is %s", meanwhile, got)
			}
		}
	})
}

// Leases whose job is gone, or ended without them, are only removed.
func TestRecoverRemovesStaleLeases(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(startedJob + awake + `
			HSET rq:job:j1 status finished
			ZADD docsvc:lease:q 5 gone:e2 5 nocolon 5 a:b:c
			ZADD rq:wip:q 9999999999 gone:e2`)
		f.afterLease()
		if got := f.recovered(); len(got) != 0 {
			t.Errorf("recovered %+v", got)
		}
		for _, key := range []string{"docsvc:lease:q", "rq:wip:q", "rq:execution:j1:e1", "rq:queue:q", "rq:failed:q"} {
			if f.rdb.Exists(context.Background(), key).Val() != 0 {
				t.Errorf("%s is left: %v", key, f.keyspace())
			}
		}
	})
}

// The job runs elsewhere under another execution: only the old one goes.
func TestRecoverDoesNotTakeWhatAnotherExecutionHolds(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(startedJob + awake + "ZREM rq:wip:q j1:e1\nZADD rq:wip:q 1795439999 j1:e2\nZADD docsvc:lease:q 1795439999000 j1:e2")
		f.afterLease()
		if got := f.recovered(); len(got) != 0 || f.running().Status != StatusStarted {
			t.Errorf("recovered %+v, the job is %s", got, f.running().Status)
		}
		if n := f.rdb.ZCard(context.Background(), "docsvc:lease:q").Val(); n != 1 {
			t.Errorf("%d leases are left", n)
		}
	})
}

func TestRecoverKnowsTheFunctionOfALongPayload(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		noise := make([]byte, 3*headLimit) // not compressible
		for i := range noise {
			noise[i] = byte(rand.IntN(256))
		}
		data, err := encodePayload(Pickle, "app.work", []any{noise}, nil)
		if err != nil || len(data) < headLimit {
			t.Fatalf("%d bytes, %v", len(data), err)
		}
		f.seed(startedJob + awake)
		f.rdb.HSet(context.Background(), "rq:job:j1", "data", data)
		f.afterLease()
		if got := f.recovered(); len(got) != 1 || got[0].Reason != ReasonRecovered || got[0].Func != "app.work" {
			t.Errorf("recovered %+v", got)
		}
	})
}

// Nobody could keep a lease alive while Redis was away: wait a whole one.
func TestRecoverWaitsALeaseAfterAnOutage(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(startedJob + "\nSET docsvc:pulse 1795435197000") // 6.25 s ago
		f.afterLease()
		back := f.now
		for f.now.Before(back.Add(12 * time.Second)) {
			if got := f.recovered(); len(got) != 0 {
				t.Fatalf("recovered %+v %s after Redis came back", got, f.now.Sub(back))
			}
			f.now = f.now.Add(4 * time.Second)
		}
		if got := f.recovered(); len(got) != 1 {
			t.Errorf("recovered %+v a lease after Redis came back", got)
		}
	})
}

func TestTwoRecoverersTakeEachJobOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		const jobs = 60
		f := newFixture(t, s, Options{})
		for i := range jobs {
			f.seed(strings.ReplaceAll(startedJob, "j1", fmt.Sprintf("j%d", i)))
		}
		f.seed(awake)
		f.afterLease()
		var mu sync.Mutex
		var wg sync.WaitGroup
		n := 0
		for range 4 {
			c := New(s.Client(t), Options{Idempotent: idempotent})
			c.fixedTime = func() time.Time { return f.now }
			wg.Go(func() {
				got, err := c.RecoverExpired(context.Background(), []string{"q"})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				n += len(got)
				mu.Unlock()
			})
		}
		wg.Wait()
		list := f.rdb.LRange(context.Background(), "rq:queue:q", 0, -1).Val()
		once := map[string]bool{}
		for _, id := range list {
			once[id] = true
		}
		if n != jobs || len(list) != jobs || len(once) != jobs {
			t.Errorf("recovered %d, queued %d entries of %d jobs, want %d", n, len(list), len(once), jobs)
		}
	})
}

// The worker was only slow: its finish comes after the job was given back.
func TestFinishAfterRecoveryIsRefused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(startedJob + awake)
		slow := f.running()
		f.afterLease()
		f.recovered()
		second := f.mustClaim(t)
		if err := f.finishErr(Outcome{Job: slow, Result: "late"}); err != ErrLateFinish {
			t.Errorf("late finish: %v", err)
		}
		if err := f.finishErr(Outcome{Execution: second.Execution, Job: second.Job, Result: "good"}); err != nil {
			t.Errorf("finish: %v", err)
		}
		r, err := f.LatestResult(context.Background(), "j1")
		if err != nil || r.Value != "good" || r.Type != ResultSuccessful {
			t.Errorf("result = %+v, %v", r, err)
		}
	})
}

// A worker takes back what died on queues that it doesn't listen to, as far
// as such a job may simply run again: nobody else may be left to do so.
func TestRecoverLooksAfterOtherQueues(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for may, want := range map[bool]int{true: 1, false: 0} {
			f := newFixture(t, s, Options{Idempotent: func(string) bool { return may }})
			f.seed(startedJob + "\nSADD rq:queues rq:queue:q\nSET docsvc:pulse 1795435203000")
			f.afterLease()
			got, err := f.RecoverExpired(context.Background(), []string{"elsewhere"})
			if err != nil || len(got) != want {
				t.Errorf("may run again %t: took %+v, %v", may, got, err)
			}
		}
	})
}

func TestRecoverComesRoundToEveryQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{Idempotent: idempotent})
	for i := range 2*recoverOthers + 7 {
		f.seed(fmt.Sprintf("SADD rq:queues rq:queue:a%03d", i))
	}
	f.seed(startedJob + "\nSADD rq:queues rq:queue:q\nSET docsvc:pulse 1795435203000")
	f.afterLease()
	for range 5 {
		got, err := f.RecoverExpired(context.Background(), []string{"elsewhere"})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 0 {
			return
		}
	}
	t.Error("the job of the last queue was not taken back")
}
