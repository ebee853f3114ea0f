package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestDelete(t *testing.T) {
	t.Parallel()
	const job = "- rq:job:j1 data = pickle app.work(1)\n- rq:job:j1 origin = q\n+ docsvc:receipts <id> 1795435200250\n"
	hash := func(status string) string { return "HSET rq:job:j1 origin q data {call} status " + status + "\n" }
	ended := func(status string) string {
		return job + "- rq:job:j1 status = " + status + "\n+ docsvc:events #0 from=" + status + " job=j1 queue=q reason=deleted\n"
	}
	canceled := func(status string) string {
		return job + "- rq:job:j1 status = " + status + "\n+ docsvc:events #0 from=" + status + " job=j1 queue=q reason=deleted to=canceled\n"
	}
	cases := []struct{ name, seed, want string }{
		{"queued, once of twice", hash("queued") + "RPUSH rq:queue:q j2 j1 j3 j1\nHSET docsvc:recovered j1 1", canceled("queued") + `
			- docsvc:recovered j1 = 1
			- rq:queue:q [j2 j1 j3 j1]
			+ rq:queue:q [j2 j3 j1]`},
		{"scheduled, with an entry left in the queue", hash("scheduled") + "ZADD rq:scheduled:q 1 j1\nRPUSH rq:queue:q j2 j1 j1", canceled("scheduled") + `
			- rq:scheduled:q j1 1
			- rq:queue:q [j2 j1 j1]
			+ rq:queue:q [j2 j1]`},
		{"scheduled", hash("scheduled") + "ZADD rq:scheduled:q 1 j1 2 j2", canceled("scheduled") + "- rq:scheduled:q j1 1"},
		{"deferred", hash("deferred") + "ZADD rq:deferred:q 1 j1\nSADD rq:job::j1:dependencies p\nSADD rq:job:p:dependents j1", canceled("deferred") + `
			- rq:deferred:q j1 1
			- rq:job::j1:dependencies p`},
		{"finished, with results", hash("finished") + "ZADD rq:finished:q 1 j1\nXADD rq:results:j1 1-1 type 1\nSADD rq:job:j1:dependents c", ended("finished") + `
			- rq:finished:q j1 1
			- rq:job:j1:dependents c`},
		{"failed, of a group", hash("failed") + "ZADD rq:failed:q 1 j1\nHSET rq:job:j1 group_id g\nSADD rq:group:g j1 j2", ended("failed") + `
			- rq:failed:q j1 1
			- rq:group:g j1
			- rq:job:j1 group_id = g`},
		{"stopped", hash("stopped") + "ZADD rq:failed:q 1 j1", ended("stopped") + "- rq:failed:q j1 1"},
		{"canceled", hash("canceled") + "ZADD rq:canceled:q 1 j1", ended("canceled") + "- rq:canceled:q j1 1"},
		{"without queue and status", "HSET rq:job:j1 data {call}", `
			- rq:job:j1 data = pickle app.work(1)
			+ docsvc:receipts <id> 1795435200250
			+ docsvc:events #0 job=j1 reason=deleted to=canceled`},
		{"started", startedJob, job + `
			- docsvc:lease:q j1:e1 1795435202250
			- rq:execution:j1:e1 created_at = 1795435190.25
			- rq:execution:j1:e1 id = e1
			- rq:execution:j1:e1 last_heartbeat = 1795435190.25
			- rq:execution:j1:e1 worker_name = w1
			- rq:executions:j1 e1 1795435340
			- rq:job:j1 started_at = 2026-11-23T11:59:50.250000Z
			- rq:job:j1 status = started
			- rq:job:j1 timeout = 180
			- rq:job:j1 worker_name = w1
			- rq:wip:q j1:e1 1795435280
			- rq:worker:w1 current_job = j1
			+ docsvc:events #0 from=started job=j1 queue=q reason=deleted to=canceled worker=w1`},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(c.seed)
				wantChange(t, f.change(func() {
					if _, err := f.Delete(context.Background(), "j1", false); err != nil {
						t.Error(err)
					}
				}), c.want)
			})
		}
	})
}

// In a long queue only a job that waits is looked for everywhere.
func TestDeleteInALongQueue(t *testing.T) {
	t.Parallel()
	const long, near = 30000, 10000
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range []struct {
			status string
			at     int
			stays  bool
		}{
			{"queued", long / 2, false}, {"created", long / 2, false}, {"''", long / 2, false},
			{"finished", near - 1, false}, {"finished", near, true}, {"finished", long - near - 1, true}, {"finished", long - near, false},
			{"started", long / 2, true}, {"scheduled", long - 1, false},
		} {
			f := newFixture(t, s, Options{})
			entries := make([]any, long)
			for i := range entries {
				entries[i] = "j2"
			}
			entries[c.at] = "j1"
			ctx := context.Background()
			f.rdb.RPush(ctx, "rq:queue:q", entries...)
			f.seed("HSET rq:job:j1 origin q data {call} status " + c.status)
			if _, err := f.Delete(ctx, "j1", false); err != nil {
				t.Fatal(err)
			}
			left := f.rdb.LRem(ctx, "rq:queue:q", 0, "j1").Val() == 1
			if n := f.rdb.LLen(ctx, "rq:queue:q").Val(); left != c.stays || n != long-1 {
				t.Errorf("%s at %d: left %t, %d others", c.status, c.at, left, n)
			}
		}
	})
}

// What has ended stays as it was in the caller's records; what has not is
// canceled there.
func TestDeleteBringsEffectsOnlyOfJobsThatHadNotEnded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		seen := []string{}
		f := newFixture(t, s, Options{})
		f.o.Effects = func(tr Transition) Extra {
			seen = append(seen, string(tr.From)+" "+string(tr.To)+" "+tr.Reason)
			return Extra{Effects: []Effect{HSet("doc", tr.Job.ID, string(tr.To))}, Labels: map[string]string{"document": "d"}}
		}
		f.seed(queuedJob + "\nHSET rq:job:done origin q status finished")
		for _, id := range []string{"j1", "done"} {
			if _, err := f.Delete(context.Background(), id, false); err != nil {
				t.Error(err)
			}
		}
		if len(seen) != 1 || seen[0] != "queued canceled deleted" {
			t.Errorf("effects for %v", seen)
		}
		if doc := f.rdb.HGetAll(context.Background(), "doc").Val(); len(doc) != 1 || doc["j1"] != "canceled" {
			t.Errorf("doc %v", doc)
		}
		if _, err := f.Delete(context.Background(), "j1", false); !errors.Is(err, ErrNoJob) {
			t.Errorf("again: %v", err)
		}
	})
}

func TestDeleteWithDependents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:p origin q status failed
			SADD rq:job:p:dependents c1 c2 gone
			HSET rq:job:c1 origin q status deferred
			HSET rq:job:c2 origin r status deferred
			ZADD rq:deferred:q 1 c1 1 other
			ZADD rq:deferred:r 1 c2`)
		if _, err := f.Delete(context.Background(), "p", true); err != nil {
			t.Fatal(err)
		}
		if keys := f.rdb.Keys(context.Background(), "rq:*").Val(); len(keys) != 1 || keys[0] != "rq:deferred:q" {
			t.Errorf("left %v", keys)
		}
	})
}

func TestDeleteReadsAgainWhenTheJobMoved(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob)
		var held Claimed
		f.o.Effects = func(tr Transition) Extra {
			if tr.From == StatusQueued { // a worker claims it between reading and deleting
				held = New(f.rdb, Options{}).mustClaim(t)
			}
			return Extra{}
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		commands, err := f.Commands(ctx, []string{"w9"})
		if err != nil {
			t.Fatal(err)
		}
		if j, err := f.Delete(ctx, "j1", false); err != nil || j.Status != StatusStarted {
			t.Fatalf("%+v, %v", j, err)
		}
		if got := <-commands; got != (Command{Worker: "w9", Name: CommandStopJob, JobID: "j1"}) {
			t.Errorf("command %+v", got)
		}
		if err := f.finishErr(Outcome{Execution: held.Execution, Job: held.Job, Kind: OutcomeFinish}); !errors.Is(err, ErrLateFinish) {
			t.Errorf("finish of a deleted job: %v", err)
		}
		if keys := f.rdb.Keys(ctx, "rq:*j1*").Val(); len(keys) != 0 {
			t.Errorf("the job is back: %v", keys)
		}
	})
}

// The same script call twice, as go-redis repeats it when the reply is lost.
func TestDeleteAndEmptyRepeatedDoItOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		count := []Effect{HIncrBy("n", "n", 1)}
		for _, x := range []call{
			{scriptDelete, nil, f.tape().str("t1", "j1", "queued", "q", "canceled").labels(nil).effects(count)},
			{scriptEmpty, nil, f.tape().str("t2", "q").num(1).str("j1", "queued").labels(nil).effects(count)},
		} {
			f.rdb.FlushDB(context.Background())
			f.seed(queuedJob)
			var first, again reply
			var err error
			if first, err = f.run(context.Background(), x); err != nil {
				t.Fatal(err)
			}
			wantChange(t, f.change(func() {
				if again, err = f.run(context.Background(), x); err != nil {
					t.Fatal(err)
				}
			}), "")
			if a, b := first.at(0).text(), again.at(0).text(); a != b || a != "ok" && a != "removed" {
				t.Errorf("answered %q, then %q", a, b)
			}
			if f.rdb.Exists(context.Background(), "rq:job:j1").Val() != 0 {
				t.Error("the job is still there")
			}
		}
	})
}
