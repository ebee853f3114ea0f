package rq

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// What cancel does to jobs that wait for it, and to those that it waits for,
// is asked for one by one.
func TestCancelWithOptions(t *testing.T) {
	const family = `
		HSET rq:job:j1 status deferred origin q data x
		ZADD rq:deferred:q 1 j1 2 child
		SADD rq:job:parent:dependents j1
		SADD rq:job::j1:dependencies parent
		HSET rq:job:child status deferred origin q data x dependency_ids ["j1"]
		SADD rq:job:j1:dependents child
		SADD rq:job::child:dependencies j1`
	cancel := func(o CancelOptions) func(f *fixture) string {
		return func(f *fixture) string {
			if _, err := f.CancelWith(context.Background(), "j1", o); err != nil {
				return err.Error()
			}
			return f.command("HGET rq:job:child status") + f.command("LRANGE rq:queue:q 0 -1") + f.command("SMEMBERS rq:job:parent:dependents")
		}
	}
	checkGuards(t, []guard{
		{"nothing", family, cancel(CancelOptions{}), "deferred[][j1]"},
		{"what waits for it", family, cancel(CancelOptions{EnqueueDependents: true}), "queued[child][j1]"},
		{"what it waits for", family, cancel(CancelOptions{RemoveFromDependencies: true}), "deferred[][]"},
		{"both", family, cancel(CancelOptions{EnqueueDependents: true, RemoveFromDependencies: true}), "queued[child][]"},
	})
}

func TestHeartbeatOfSlots(t *testing.T) {
	beat := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			x := call{scriptHeartbeat, nil, f.tape().str("token").num(1).str("w1", "0", "0", "0").num(0)}
			return f.answer(x) + f.command(then)
		}
	}
	checkGuards(t, []guard{
		{"a slot that Redis forgot is its own again, named once", "HSET rq:worker:w1 last_heartbeat x", beat("HGET docsvc:worker:w1 token"), "[[] [w1] []]token"},
		{"both keys forgotten, named once", "DEL rq:worker:w1", beat("HGET docsvc:worker:w1 token"), "[[] [w1] []]token"},
		{"its own, known to RQ no more", "HSET docsvc:worker:w1 token token", beat("HGET docsvc:worker:w1 token"), "[[] [w1] []]token"},
		{"its own", "HSET rq:worker:w1 last_heartbeat x\nHSET docsvc:worker:w1 token token", beat("HGET docsvc:worker:w1 token"), "[[] [] []]token"},
		{"back from another, named once", "HSET docsvc:worker:w1 token other lease 1", beat("HGET docsvc:worker:w1 token"), "[[] [w1] []]token"},
	})
}

func TestRecoverOfExecutionsWithoutALease(t *testing.T) {
	take := func(f *fixture) string {
		x := f.tape().str("wip", "j1:e1", "j1", "e1", "q", "0", "failed").num(0).list(nil).list(nil).flag(false).str("abandoned").labels(nil).effects(nil)
		return f.answer(call{scriptRecover, nil, x})
	}
	python := startedJob + "\nZREM docsvc:lease:q j1:e1\nZADD rq:wip:q "
	checkGuards(t, []guard{
		{"its score is in the past", python + "0 j1:e1", take, "[ok failed 0]"},
		{"it never expires", python + "-1 j1:e1", take, "[alive]"},
	})
}

// The time to live that a failed job keeps while it waits is never ended here.
func TestRequeueKeepsJobsThatFailForGood(t *testing.T) {
	requeue := func(f *fixture) string {
		if _, err := f.Requeue(context.Background(), "j1", RequeueOptions{}); err != nil {
			return err.Error()
		}
		return f.command("EXISTS rq:job:j1 rq:job:j1:dependents")
	}
	failed := "HSET rq:job:j1 status failed origin q data x failure_ttl %s\nSADD rq:job:j1:dependents c\nEXPIRE rq:job:j1 1000\nEXPIRE rq:job:j1:dependents 1000"
	checkGuards(t, []guard{
		{"failures are kept for ever", fmt.Sprintf(failed, "-1"), requeue, "2"},
		{"failures are not kept", fmt.Sprintf(failed, "0"), requeue, "2"},
	})
}

func TestRegisterGivesSlots(t *testing.T) {
	register := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			x := f.tape().str("token").list(nil).num(1).str("w1").list([]string{"q"}).list([]string{"pid", "1"}).list([]string{"pid", "1"})
			return f.answer(call{scriptRegister, nil, x}) + f.command(then)
		}
	}
	slot := "ZADD docsvc:lease:q 5 j1:e1\nHSET docsvc:worker:w1 execution j1:e1 queue q lease 1 token "
	checkGuards(t, []guard{
		{"its own keeps its lease", slot + "token", register("ZSCORE docsvc:lease:q j1:e1"), "[ok]5"},
		{"a given-up one loses it", slot + "other", register("ZSCORE docsvc:lease:q j1:e1"), "[ok]0"},
		{"no hash", "SET rq:worker:w1 x", register("GET rq:worker:w1"), "[type rq:worker:w1]x"},
	})
}

// A failed job that has less than a second to live, when it is requeued, lives
// on. The in-process engine's time stands still.
func TestRequeueInTheLastSecond(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), Options{})
	f.seed("HSET rq:job:j1 status failed origin q data x\nPEXPIRE rq:job:j1 400")
	if _, err := f.Requeue(t.Context(), "j1", RequeueOptions{}); err != nil {
		t.Fatal(err)
	}
	if ttl := f.rdb.TTL(t.Context(), "rq:job:j1").Val(); ttl < time.Hour {
		t.Errorf("it has %v to live", ttl)
	}
}

// Times are written as RQ reads them, in every month and on whole seconds.
func TestTimesOfScripts(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("HSET rq:job:j1 status queued origin q data x")
		for month := time.January; month <= time.December; month++ {
			for _, day := range []int{1, 28} {
				f.now = time.Date(2028, month, day, 3, 4, 5, 0, time.UTC)
				f.seed("DEL rq:queue:q:intermediate rq:queue:q:intermediate:first_seen:j1 rq:worker:w1\nRPUSH rq:queue:q:intermediate j1")
				f.answer(call{scriptHeartbeat, nil, f.tape().str("token").num(1).str("w1", "0", "0", "0").num(0)})
				if got, want := f.command("HGET rq:worker:w1 last_heartbeat"), f.now.Format("2006-01-02T15:04:05.000000Z"); got != want {
					t.Errorf("written as %s, want %s", got, want)
				}
				f.maintain()
				if got, want := f.command("GET rq:queue:q:intermediate:first_seen:j1"), fmt.Sprint(f.now.Unix(), ".0"); got != want {
					t.Errorf("seen at %s, want %s", got, want)
				}
			}
		}
	})
}
