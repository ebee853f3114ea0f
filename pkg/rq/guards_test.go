package rq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// guard is a rule of a script that only a rare state shows.
type guard struct {
	name string
	seed string
	do   func(f *fixture) string
	want string // what do answers
}

// answer runs a script by itself and answers what it replied.
func (f *fixture) answer(x call) string {
	f.t.Helper()
	r, err := f.run(context.Background(), x)
	if err != nil {
		f.t.Fatal(err)
	}
	return fmt.Sprint(r.v)
}

// command answers what Redis says to one.
func (f *fixture) command(words string) string {
	f.t.Helper()
	var args []any
	for _, w := range strings.Fields(words) {
		args = append(args, w)
	}
	v, err := f.rdb.Do(context.Background(), args...).Result()
	if err != nil {
		return "nothing"
	}
	return fmt.Sprint(v)
}

// eventWorker answers the worker that the last event names.
func (f *fixture) eventWorker() string {
	f.t.Helper()
	list, err := f.rdb.XRevRangeN(context.Background(), f.keyEvents(), "+", "-", 1).Result()
	if err != nil || len(list) != 1 {
		return "no event"
	}
	return fmt.Sprint("worker ", list[0].Values["worker"])
}

func checkGuards(t *testing.T, list []guard) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, g := range list {
			f := newFixture(t, s, Options{})
			f.seed(g.seed)
			if got := g.do(f); got != g.want {
				t.Errorf("%s: %s, want %s", g.name, got, g.want)
			}
		}
	})
}

func TestApply(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed("SET docsvc:a 1")
		guarded := Set("docsvc:c", "x", 0).When(Guard{Key: "docsvc:b", Is: "2", Not: true})
		wantChange(t, f.change(func() {
			if err := f.Apply(ctx, []Condition{{Guard: Guard{Key: "docsvc:a", Is: "1"}}, {ClaimKey: "docsvc:claim", ClaimValue: "me"}},
				[]Effect{Set("docsvc:b", "2", 0), guarded}, map[string]string{"reason": "test"}); err != nil {
				t.Error(err)
			}
		}), `
			+ docsvc:b = 2
			+ docsvc:c = x
			+ docsvc:claim = me
			+ docsvc:events #0 reason=test
			+ docsvc:receipts <id> 1795435200250`)
		wantChange(t, without(f.change(func() {
			if err := f.Apply(ctx, nil, []Effect{Set("docsvc:d", "1", 0)}, nil); err != nil {
				t.Error(err)
			}
		}), "receipts"), "+ docsvc:d = 1")
		wantChange(t, f.change(func() {
			var broken *ConditionError
			err := f.Apply(ctx, []Condition{{Guard: Guard{Key: "docsvc:a", Is: "2"}}}, []Effect{Set("docsvc:b", "3", 0)}, map[string]string{"reason": "test"})
			if !errors.As(err, &broken) || broken.Actual != "1" {
				t.Error(err)
			}
		}), "")
	})
}

// The same call sent again after a lost reply does nothing.
func TestApplyRepeatedDoesItOnce(t *testing.T) {
	checkGuards(t, []guard{{"a counter", "", func(f *fixture) string {
		x := call{scriptApply, nil, f.tape().str("token").labels(nil).conditions(nil).effects([]Effect{HIncrBy("docsvc:n", "n", 1)})}
		return f.answer(x) + f.answer(x) + f.command("HGET docsvc:n n")
	}, "[ok][ok]1"}})
}

func TestCancelRareStates(t *testing.T) {
	cancel := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			if _, err := f.Cancel(context.Background(), "j1"); err != nil {
				return err.Error()
			}
			if then == "" {
				return f.eventWorker()
			}
			return f.command(then)
		}
	}
	checkGuards(t, []guard{
		{"a job without a queue", "HSET rq:job:j1 status queued data x", cancel("EXISTS rq:canceled:"), "0"},
		{"a job that waits for a retry has no worker", "HSET rq:job:j1 status queued origin q worker_name w1\nRPUSH rq:queue:q j1", cancel(""), "worker <nil>"},
	})
}

func TestDeleteRareStates(t *testing.T) {
	remove := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			if _, err := f.Delete(context.Background(), "j1", false); err != nil {
				return err.Error()
			}
			if then == "" {
				return f.eventWorker()
			}
			return f.command(then)
		}
	}
	checkGuards(t, []guard{
		{"one that does not run has no worker", "HSET rq:job:j1 status failed origin q worker_name w1", remove(""), "worker <nil>"},
		{"its worker has another job by now", startedJob + "\nHSET rq:worker:w1 current_job j2", remove("HGET rq:worker:w1 current_job"), "j2"},
	})
}

func TestClaimRareStates(t *testing.T) {
	claim := func(f *fixture) string {
		return f.answer(call{scriptClaim, nil, f.tape().num(loadLimit).list([]string{"q"}).num(1).str("w1", "e1")})
	}
	checkGuards(t, []guard{
		{"a dropped entry is told although nothing else stands there", "RPUSH rq:queue:q gone", claim, "[claimed [] 1 [] [gone]]"},
		{"ten dropped entries are named", "RPUSH rq:queue:q 1 2 3 4 5 6 7 8 9 10 11 12", claim, "[claimed [] 12 [] [1 2 3 4 5 6 7 8 9 10]]"},
		{"a slot that names a queue only", "HSET docsvc:worker:w1 queue q", claim, "[claimed [] 0 [] []]"},
		{"a slot that names an execution only", "HSET docsvc:worker:w1 execution j1:e1", claim, "[claimed [] 0 [] []]"},
	})
}

func TestMoveDueRareStates(t *testing.T) {
	due := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			n, _, err := f.MoveDue(context.Background(), []string{"q"}, time.Time{})
			return fmt.Sprint(n, err, " ", f.command(then))
		}
	}
	job := "HSET rq:job:j1 status scheduled origin q data x %s\nZADD rq:scheduled:q 1795435100 j1\nRPUSH rq:queue:q first"
	checkGuards(t, []guard{
		{"a lock of another type is somebody's", "HSET rq:scheduler-lock:q a b\n" + fmt.Sprintf(job, ""), due("TYPE rq:scheduler-lock:q"), "0 <nil> hash"},
		{"an entry without a hash, a minute old", "ZADD rq:scheduled:q 1795435140 j1", due("ZCARD rq:scheduled:q"), "0 <nil> 1"},
		{"an entry without a hash, older", "ZADD rq:scheduled:q 1795435139 j1", due("ZCARD rq:scheduled:q"), "0 <nil> 0"},
		{"a retry goes to the tail", fmt.Sprintf(job, "ended_at 2026-11-23T11:00:00.000000Z"), due("LRANGE rq:queue:q 0 -1"), "1 <nil> [first j1]"},
		{"a retry that asks for it to the head", fmt.Sprintf(job, "enqueue_at_front_on_retry 1 ended_at 2026-11-23T11:00:00.000000Z"), due("LRANGE rq:queue:q 0 -1"), "1 <nil> [j1 first]"},
		{"the first run is no retry", fmt.Sprintf(job, "enqueue_at_front_on_retry 1 ended_at ''"), due("LRANGE rq:queue:q 0 -1"), "1 <nil> [first j1]"},
		{"schedulers of long ago are forgotten", "ZADD docsvc:schedulers 1795435080250 old", due("ZSCORE docsvc:schedulers old"), "0 <nil> nothing"},
		{"the lease of a lock's owner ends now", "SET rq:scheduler-lock:q old\nZADD docsvc:schedulers 1795435200250 old\n" + fmt.Sprintf(job, ""), due("LLEN rq:queue:q"), "1 <nil> 2"},
	})
}

func TestEmptyRareStates(t *testing.T) {
	empty := func(status, then string) func(f *fixture) string {
		return func(f *fixture) string {
			x := call{scriptEmpty, nil, f.tape().str("token", "q").num(1).str("j1", status).labels(nil).effects(nil)}
			return f.answer(x) + f.command(then)
		}
	}
	job := "HSET rq:job:j1 status %s origin q data x\n"
	checkGuards(t, []guard{
		{"another entry came before it", fmt.Sprintf(job, "queued") + "RPUSH rq:queue:q other j1", empty("queued", "LRANGE rq:queue:q 0 -1"), "[removed][other]"},
		{"its entry is gone", fmt.Sprintf(job, "queued") + "RPUSH rq:queue:q other", empty("queued", "EXISTS rq:job:j1"), "[changed]1"},
		{"entry and job are gone", "RPUSH rq:queue:q other", empty("", "LLEN rq:queue:q"), "[changed]1"},
		{"it has another status by now", fmt.Sprintf(job, "started") + "RPUSH rq:queue:q j1", empty("queued", "LLEN rq:queue:q"), "[changed]1"},
		{"a created one waits, too", fmt.Sprintf(job, "created") + "RPUSH rq:queue:q j1", empty("created", "EXISTS rq:job:j1"), "[removed]0"},
		{"one that runs keeps who waits for it", fmt.Sprintf(job, "started") + "RPUSH rq:queue:q j1\nSADD rq:job:j1:dependents c", empty("started", "SCARD rq:job:j1:dependents"), "[dropped]1"},
	})
}

func TestEnqueueAgainRareStates(t *testing.T) {
	again := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			_, err := f.Enqueue(context.Background(), Spec{ID: "j1", Queue: "q", Func: "app.work", Unique: UniqueActive})
			return fmt.Sprint(err, " ", f.command(then))
		}
	}
	checkGuards(t, []guard{
		{"the one that ended has no queue", "HSET rq:job:j1 status finished data x", again("LLEN rq:queue:q"), "<nil> 1"},
		{"what ran when its hash was deleted is not the new one's", startedJob + "\nDEL rq:job:j1", again("EXISTS rq:wip:q docsvc:lease:q rq:execution:j1:e1 rq:executions:j1"), "<nil> 0"},
		{"nor what ran on another queue", strings.ReplaceAll(startedJob, ":q ", ":p ") + "\nHSET rq:job:j1 origin p status failed", again("EXISTS rq:wip:p"), "<nil> 0"},
		{"deaths of a job whose hash is gone are not the new one's", "HSET docsvc:recovered j1 4", again("HGET docsvc:recovered j1"), "<nil> nothing"},
	})
}

func TestFinishRareStates(t *testing.T) {
	finish := func(kind OutcomeKind, then string) func(f *fixture) string {
		return func(f *fixture) string {
			done := f.finish(Outcome{Kind: kind})
			return fmt.Sprint(done.Err, " ", f.command(then))
		}
	}
	checkGuards(t, []guard{
		{"late, and the slot's key is another's", startedJob + "\nZREM rq:wip:q j1:e1\nDEL docsvc:worker:w1\nSET docsvc:worker:w1 x", finish(OutcomeFinish, "HGET docsvc:late q"), ErrLateFinish.Error() + " 1"},
		{"deaths of one that finished are forgotten", startedJob + "\nHSET docsvc:recovered j1 2", finish(OutcomeFinish, "EXISTS docsvc:recovered"), "<nil> 0"},
		{"deaths of one that was stopped are forgotten", startedJob + "\nHSET docsvc:recovered j1 2", finish(OutcomeStop, "EXISTS docsvc:recovered"), "<nil> 0"},
		{"deaths of one that runs again are kept", startedJob + "\nHSET docsvc:recovered j1 2", finish(OutcomeReturnHead, "HGET docsvc:recovered j1"), "<nil> 2"},
		{"the slot goes by itself", startedJob + "\nPERSIST docsvc:worker:w1", finish(OutcomeFinish, "PERSIST docsvc:worker:w1"), "<nil> 1"},
		{"a clock that was set back makes no negative time", startedJob + "\nHSET rq:execution:j1:e1 created_at 1795435300.5", finish(OutcomeFinish, "HGET rq:worker:w1 total_working_time"), "<nil> 0"},
		{"the slot has another execution by now", startedJob + "\nHSET docsvc:worker:w1 execution j2:e2", finish(OutcomeFinish, "HGET docsvc:worker:w1 execution"), "<nil> j2:e2"},
	})
}

func TestHeartbeatRareStates(t *testing.T) {
	beat := func(timeout, working time.Duration, then string) func(f *fixture) string {
		return func(f *fixture) string {
			_, err := f.Heartbeat(context.Background(), []WorkerBeat{{Name: "w1"}}, []Beat{{Execution: e1, Timeout: timeout, Working: working}})
			return fmt.Sprint(err, " ", f.command(then))
		}
	}
	wip, state := "ZSCORE rq:wip:q j1:e1", "HGET rq:worker:w1 state"
	checkGuards(t, []guard{
		{"no time limit", startedJob, beat(-1, 0, wip), "<nil> 1.79543529e+09"},
		{"a limit of nothing is none", startedJob, beat(0, 10*time.Second, wip), "<nil> 1.79543529e+09"},
		{"a long one", startedJob, beat(time.Hour, 0, wip), "<nil> 1.79543529e+09"},
		{"little of it is left", startedJob, beat(30*time.Second, 20*time.Second, wip), "<nil> 1.79543527e+09"},
		{"it is over", startedJob, beat(30*time.Second, time.Minute, wip), "<nil> 1.79543526e+09"},
		{"an execution keeps its beginning", startedJob + "\nHSET rq:execution:j1:e1 created_at 1", beat(-1, 0, "HGET rq:execution:j1:e1 created_at"), "<nil> 1"},
		{"a worker keeps its state", startedJob + "\nHSET docsvc:worker:w1 token ''\nHSET rq:worker:w1 last_heartbeat x state suspended", beat(-1, 0, state), "<nil> suspended"},
		{"one that expired is busy", startedJob + "\nHSET docsvc:worker:w1 token ''\nDEL rq:worker:w1", beat(-1, 0, state), "<nil> busy"},
	})
}

func TestHeartbeatOfAnIdleWorkerThatExpired(t *testing.T) {
	checkGuards(t, []guard{{"it is idle", "", func(f *fixture) string {
		_, err := f.Heartbeat(context.Background(), []WorkerBeat{{Name: "w1"}}, nil)
		return fmt.Sprint(err, " ", f.command("HGET rq:worker:w1 state"))
	}, "<nil> idle"}})
}

func TestRegisterRareStates(t *testing.T) {
	register := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			err := f.register(birth("w1"))
			return fmt.Sprint(err != nil, " ", f.command(then))
		}
	}
	dead := "HSET docsvc:worker:w1 token other lease 1 %s"
	checkGuards(t, []guard{
		{"its key is of another type", "SET rq:worker:w1 x", register("GET rq:worker:w1"), "true x"},
		{"what the dead one ran loses its lease", "ZADD docsvc:lease:q 1795435202250 j1:e1\n" + fmt.Sprintf(dead, "execution j1:e1 queue q"), register("ZSCORE docsvc:lease:q j1:e1"), "false 0"},
		{"what had no lease gets none", fmt.Sprintf(dead, "execution j1:e1 queue q"), register("EXISTS docsvc:lease:q"), "false 0"},
		{"the slot is free", fmt.Sprintf(dead, "execution j1:e1 queue q"), register("HGET docsvc:worker:w1 execution"), "false nothing"},
		{"the dead one ran nothing", fmt.Sprintf(dead, "queue q"), register("EXISTS docsvc:lease:q"), "false 0"},
		{"its queue is not known", fmt.Sprintf(dead, "execution j1:e1"), register("EXISTS docsvc:lease:q"), "false 0"},
		{"the slot's key is of another type", "SET docsvc:worker:w1 x", register("GET docsvc:worker:w1"), "false x"},
	})
}

func TestGroupsRareStates(t *testing.T) {
	checkGuards(t, []guard{{"a group with members stays", "SADD rq:groups g\nSADD rq:group:g j1 gone\nHSET rq:job:j1 status queued", func(f *fixture) string {
		n, err := f.CleanGroups(context.Background())
		return fmt.Sprint(n, err, f.command("SMEMBERS rq:group:g"), f.command("SMEMBERS rq:groups"))
	}, "1 <nil>[j1][g]"}})
}

func TestQueueInfoPassesNamesThatAreNoWorkers(t *testing.T) {
	checkGuards(t, []guard{{"a member of another kind", "SET junk x\nSADD rq:queues rq:queue:q\nSADD rq:workers:q junk", func(f *fixture) string {
		infos, err := f.QueueInfo(context.Background(), []string{"q"})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(infos[0].Workers)
	}, "0"}})
}
