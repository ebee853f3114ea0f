package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestCancel(t *testing.T) {
	t.Parallel()
	const receipt = "+ docsvc:receipts <id> 1795435200250\n+ rq:canceled:q j1 1795435200\n+ rq:job:j1 status = canceled\n"
	cases := []struct{ name, seed, want string }{
		{"queued", queuedJob + "\nRPUSH rq:queue:q j2 j1\nHSET docsvc:recovered j1 1", `
			- docsvc:recovered j1 = 1
			- rq:job:j1 status = queued
			- rq:queue:q [j1 j2 j1]
			+ docsvc:events #0 from=queued job=j1 queue=q reason=canceled to=canceled
			+ rq:queue:q [j2 j1]`},
		{"without a status", "HSET rq:job:j1 origin q data {call}\nRPUSH rq:queue:q j1", `
			- rq:queue:q [j1]
			+ docsvc:events #0 job=j1 queue=q reason=canceled to=canceled`},
		{"deferred", "HSET rq:job:j1 origin q status deferred\nZADD rq:deferred:q 1 j1 2 j2", `
			- rq:deferred:q j1 1
			- rq:job:j1 status = deferred
			+ docsvc:events #0 from=deferred job=j1 queue=q reason=canceled to=canceled`},
		{"scheduled", "HSET rq:job:j1 origin q status scheduled\nZADD rq:scheduled:q 1 j1 2 j2", `
			- rq:job:j1 status = scheduled
			- rq:scheduled:q j1 1
			+ docsvc:events #0 from=scheduled job=j1 queue=q reason=canceled to=canceled`},
		{"started by docsvc", startedJob, `
			- docsvc:lease:q j1:e1 1795435202250
			- rq:execution:j1:e1 created_at = 1795435190.25
			- rq:execution:j1:e1 id = e1
			- rq:execution:j1:e1 last_heartbeat = 1795435190.25
			- rq:execution:j1:e1 worker_name = w1
			- rq:executions:j1 e1 1795435340
			- rq:job:j1 status = started
			- rq:wip:q j1:e1 1795435280
			+ docsvc:events #0 from=started job=j1 queue=q reason=canceled to=canceled worker=w1`},
		{"started by Python", startedJob + "\nZREM docsvc:lease:q j1:e1", `
			- rq:job:j1 status = started
			- rq:wip:q j1:e1 1795435280
			+ docsvc:events #0 from=started job=j1 queue=q reason=canceled to=canceled worker=w1`},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(c.seed)
				wantChange(t, f.change(func() {
					if _, err := f.Cancel(context.Background(), "j1"); err != nil {
						t.Error(err)
					}
				}), receipt+c.want)
			})
		}
	})
}

func TestCancelOfAStartedJobFencesItAndTellsItsWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		f.seed(startedJob)
		j := f.running()
		commands, err := f.Commands(ctx, []string{"w1", "w2"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Cancel(ctx, "j1"); err != nil {
			t.Fatal(err)
		}
		if got := <-commands; got != (Command{Worker: "w1", Name: CommandStopJob, JobID: "j1"}) {
			t.Errorf("command %+v", got)
		}
		if err := f.finishErr(Outcome{Job: j, Result: 1}); !errors.Is(err, ErrLateFinish) {
			t.Errorf("finish after the cancel: %v", err)
		}
		if got := f.running().Status; got != StatusCanceled {
			t.Errorf("the job is %s", got)
		}
		lost, err := f.Heartbeat(ctx, nil, []Beat{{Execution: e1}})
		if err != nil || len(lost) != 1 || lost[0] != e1 {
			t.Errorf("heartbeat after the cancel: %v %v", lost, err)
		}
	})
}

func TestCancelAndRequeueRefuseOtherStates(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		for status, op := range map[string]string{
			"finished": "neither", "failed": "requeue", "stopped": "requeue", "canceled": "requeue",
			"queued": "cancel", "started": "cancel", "scheduled": "cancel", "deferred": "cancel", "rate_limited": "cancel",
		} {
			for _, try := range []string{"cancel", "requeue"} {
				f.rdb.FlushDB(ctx)
				f.seed("HSET rq:job:j1 origin q data {call} status " + status)
				var err error
				change := f.change(func() {
					if try == "cancel" {
						_, err = f.Cancel(ctx, "j1")
					} else {
						_, err = f.Requeue(ctx, "j1", RequeueOptions{})
					}
				})
				var state *StateError
				if try == op {
					if err != nil || change == "" {
						t.Errorf("%s of a %s job: %v", try, status, err)
					}
				} else if !errors.As(err, &state) || string(state.Status) != status || state.Op != try || change != "" {
					t.Errorf("%s of a %s job: %v, changed\n%s", try, status, err, change)
				}
			}
		}
		if _, err := f.Cancel(ctx, "none"); !errors.Is(err, ErrNoJob) {
			t.Errorf("cancel of no job: %v", err)
		}
		if _, err := f.Requeue(ctx, "none", RequeueOptions{}); !errors.Is(err, ErrNoJob) {
			t.Errorf("requeue of no job: %v", err)
		}
	})
}

// The effects were computed from what was read; the script refuses when the
// job changed since, and the call reads again.
func TestCancelReadsAgainWhenTheJobMoved(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob)
		moved := false
		f.o.Effects = func(tr Transition) Extra {
			if !moved { // a worker claims it between reading and canceling
				moved = true
				New(f.rdb, Options{}).mustClaim(t)
			}
			return Extra{Effects: []Effect{HSet("doc", "canceled_from", string(tr.From))}}
		}
		if _, err := f.Cancel(context.Background(), "j1"); err != nil {
			t.Fatal(err)
		}
		if got := f.rdb.HGet(context.Background(), "doc", "canceled_from").Val(); got != "started" {
			t.Errorf("canceled from %q, want started", got)
		}
		if n := f.rdb.ZCard(context.Background(), "rq:wip:q").Val(); n != 0 {
			t.Error("the execution still holds the job")
		}
	})
}

func TestCancelAndRequeueCheckWhatTheyReadAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range []struct{ name, op, seed, meanwhile, want string }{
			{"deleted", "cancel", "HSET rq:job:j1 data {call}", "DEL rq:job:j1", "- rq:job:j1 data = pickle app.work(1)"},
			{"moved to another queue", "cancel", "HSET rq:job:j1 origin q status queued", "HSET rq:job:j1 origin p", `
				- rq:job:j1 origin = q
				- rq:job:j1 status = queued
				+ docsvc:events #0 from=queued job=j1 queue=p reason=canceled to=canceled
				+ docsvc:receipts <id> 1795435200250
				+ rq:canceled:p j1 1795435200
				+ rq:job:j1 origin = p
				+ rq:job:j1 status = canceled`},
			{"deleted", "requeue", "HSET rq:job:j1 origin q status failed", "DEL rq:job:j1", "- rq:job:j1 origin = q\n- rq:job:j1 status = failed"},
			{"requeued by another", "requeue", "HSET rq:job:j1 origin q status failed", "HSET rq:job:j1 status queued\nRPUSH rq:queue:q j1", `
				- rq:job:j1 status = failed
				+ rq:job:j1 status = queued
				+ rq:queue:q [j1]`},
		} {
			f := newFixture(t, s, Options{})
			f.seed(c.seed)
			f.o.Effects = func(Transition) Extra {
				f.seed(c.meanwhile)
				c.meanwhile = ""
				return Extra{}
			}
			wantChange(t, f.change(func() {
				var err error
				if c.op == "cancel" {
					_, err = f.Cancel(context.Background(), "j1")
				} else {
					_, err = f.Requeue(context.Background(), "j1", RequeueOptions{})
				}
				if c.name == "deleted" && !errors.Is(err, ErrNoJob) {
					t.Errorf("%s of a job just deleted: %v", c.op, err)
				}
			}), c.want)
		}
	})
}

func (c *Client) mustClaim(t *testing.T) Claimed {
	t.Helper()
	got, err := c.Claim(context.Background(), ClaimRequest{Worker: []string{"w9"}, Queues: []string{"q"}})
	if err != nil || len(got) != 1 {
		t.Fatalf("claimed %d jobs: %v", len(got), err)
	}
	return got[0]
}

// The same script call twice, as go-redis repeats it when the reply is lost.
func TestCancelAndRequeueRepeatedDoItOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob)
		count := []Effect{HIncrBy("n", "n", 1)}
		cancel := func() string {
			r, err := f.run(context.Background(), call{scriptCancel, nil,
				f.tape().str("t1", "j1", "queued", "q").flag(false).flag(false).labels(nil).effects(count)})
			return r.at(0).text() + errText(err)
		}
		requeue := func() string {
			r, err := f.run(context.Background(), call{scriptRequeue, nil,
				f.tape().str("t2", "j1", "canceled", "q").flag(false).str("", "").labels(nil).conditions(nil).effects(count)})
			return r.at(0).text() + errText(err)
		}
		for _, do := range []func() string{cancel, requeue} {
			if got := do(); got != "ok" {
				t.Errorf("first: %s", got)
			}
			wantChange(t, f.change(func() {
				if got := do(); got != "ok" {
					t.Errorf("again: %s", got)
				}
			}), "")
		}
	})
}

func errText(err error) string {
	if err != nil {
		return err.Error()
	}
	return ""
}
