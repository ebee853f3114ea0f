package rq

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// Of a job hash everything is loaded but fields that are too long, and of one
// with hundreds of fields those that RQ knows.
func TestReadRareStates(t *testing.T) {
	read := func(limit int64) func(f *fixture) string {
		return func(f *fixture) string {
			return f.answer(call{scriptRead, nil, f.tape().num(limit).list([]string{"j1"})})
		}
	}
	var many strings.Builder
	many.WriteString("HSET rq:job:j1 status queued")
	for i := range 500 {
		fmt.Fprintf(&many, " x%d y", i)
	}
	checkGuards(t, []guard{
		{"a field of just the length", "HSET rq:job:j1 data 12345", read(5), "[[[data 12345] []]]"},
		{"a field that is longer", "HSET rq:job:j1 data 123456", read(5), "[[[] [data]]]"},
		{"another beside it", "HSET rq:job:j1 data 123456 origin q", read(5), "[[[origin q] [data]]]"},
		{"one that RQ does not know", "HSET rq:job:j1 data 123456 custom 1", read(5), "[[[custom 1] [data]]]"},
		{"501 fields", many.String(), read(64), "[[[status queued] []]]"},
		{"501 fields, one of them long", many.String() + "\nHSET rq:job:j1 data 123456", read(5), "[[[status queued] [data]]]"},
		{"500 fields", strings.Replace(many.String(), " x499 y", "", 1), func(f *fixture) string {
			return fmt.Sprint(strings.Contains(read(64)(f), "x1 y"))
		}, "true"},
		{"no such job", "SET other x", read(5), "[[[] []]]"},
		{"only one that is longer", "HSET rq:job:j1 data 123456", read(0), "[[[] [data]]]"},
	})
}

// A field that is not to be large may have 1 MiB, or the limit of those that
// are where that is more.
func TestReadLargeFields(t *testing.T) {
	const mib = 1 << 20
	read := func(limit int64) func(f *fixture) string {
		return func(f *fixture) string {
			r, err := f.run(context.Background(), call{scriptRead, nil, f.tape().num(limit).list([]string{"j1"})})
			if err != nil {
				return err.Error()
			}
			hash := r.at(0).at(0).texts()
			if len(hash) == 0 {
				return fmt.Sprint("left out ", r.at(0).at(1).texts())
			}
			return fmt.Sprint(hash[0], " of ", len(hash[1]))
		}
	}
	field := func(name string, size int) string { return "HSET rq:job:j1 " + name + " " + strings.Repeat("x", size) }
	checkGuards(t, []guard{
		{"1 MiB", field("origin", mib), read(64), "origin of 1048576"},
		{"more", field("origin", mib+1), read(64), "left out [origin]"},
		{"more, and the limit is higher", field("origin", mib+1), read(2 * mib), "origin of 1048577"},
		{"one that is to be large, and the limit is higher", field("data", mib+1), read(2 * mib), "data of 1048577"},
	})
}

func TestFinishRareLifetimes(t *testing.T) {
	finish := func(o Outcome, then string) func(f *fixture) string {
		return func(f *fixture) string {
			done := f.finish(o)
			return fmt.Sprint(done.Err, " ", done.Status, " ", f.command(then))
		}
	}
	with := func(fields string) string { return startedJob + "\nHSET rq:job:j1 " + fields }
	ok, fail := Outcome{Kind: OutcomeFinish}, Outcome{Kind: OutcomeFail, Error: "x"}
	results := "\nXADD rq:results:j1 1-1 type 2\nEXPIRE rq:results:j1 100"
	checkGuards(t, []guard{
		{"a result that is kept for ever loses its time to live", with("result_ttl -1") + results, finish(ok, "PERSIST rq:results:j1"), "<nil> finished 0"},
		{"a failure that is kept for ever, too", with("failure_ttl -1") + results, finish(fail, "PERSIST rq:results:j1"), "<nil> failed 0"},
		{"a negative time to live is the score", with("result_ttl -7"), finish(ok, "ZSCORE rq:finished:q j1"), "<nil> finished -7"},
		{"for ever is at the end", with("result_ttl -1"), finish(ok, "ZRANGE rq:finished:q (1e15 +inf BYSCORE"), "<nil> finished [j1]"},
		{"a number that cannot be counted with is none", with("result_ttl 1e15"), finish(ok, "ZSCORE rq:finished:q j1"), "<nil> finished 1.7954357e+09"},
		{"nor a negative one", with("failure_ttl -1e15"), finish(fail, "ZSCORE rq:failed:q j1"), "<nil> failed 1.8269712e+09"},
		{"the results of a job that was kept forever", with("result_ttl 500") + "\nXADD rq:results:j1 1-1 type 2", finish(ok, "XLEN rq:results:j1"), "<nil> finished 2"},
		{"one with nothing left to repeat has ended", with("repeats_left 0 repeat_intervals [10]"), finish(ok, "EXISTS rq:scheduled:q"), "<nil> finished 0"},
		{"repeats without an interval", with("repeats_left 1"), finish(ok, "LLEN rq:queue:q"), "<nil> queued 1"},
		{"intervals that are none", with("repeats_left 1 repeat_intervals nonsense"), finish(ok, "LLEN rq:queue:q"), "<nil> queued 1"},
		{"intervals that are a number", with("repeats_left 1 repeat_intervals 10"), finish(ok, "LLEN rq:queue:q"), "<nil> queued 1"},
		{"no intervals at all", with("repeats_left 1 repeat_intervals []"), finish(ok, "LLEN rq:queue:q"), "<nil> queued 1"},
		{"a list of nothing", with("repeats_left 1 repeat_intervals [null]"), finish(ok, "LLEN rq:queue:q"), "<nil> queued 1"},
		{"a ttl of nothing deletes nothing that waits", with("ttl 0"), finish(Outcome{Kind: OutcomeReturnHead}, "EXISTS rq:job:j1"), "<nil> queued 1"},
		{"nor what is scheduled", with("ttl 0"), finish(Outcome{Kind: OutcomeRetryFree, Delay: ptr(10 * time.Second)}, "EXISTS rq:job:j1"), "<nil> scheduled 1"},
		{"a negative ttl neither", with("ttl -5"), finish(Outcome{Kind: OutcomeReturnHead}, "EXISTS rq:job:j1"), "<nil> queued 1"},
		{"nor of what is scheduled", with("ttl -5"), finish(Outcome{Kind: OutcomeRetryFree, Delay: ptr(10 * time.Second)}, "EXISTS rq:job:j1"), "<nil> scheduled 1"},
		{"a returned Retry is a result", startedJob, finish(Outcome{Kind: OutcomeReturned, Retry: &Retry{Max: 1}}, "XLEN rq:results:j1"), "<nil> queued 1"},
		{"a retry is none", with("retries_left 1"), finish(Outcome{Kind: OutcomeRetry, Error: "x"}, "EXISTS rq:results:j1"), "<nil> queued 0"},
	})
}

// What becomes of a job that is to run again stands in its event.
func TestEventsOfRepeatedJobs(t *testing.T) {
	finish := func(f *fixture) string {
		f.finish(Outcome{Kind: OutcomeFinish})
		list, err := f.rdb.XRevRangeN(context.Background(), f.keyEvents(), "+", "-", 1).Result()
		if err != nil || len(list) != 1 {
			return "no event"
		}
		return fmt.Sprint(list[0].Values["reason"], ": ", list[0].Values["to"])
	}
	checkGuards(t, []guard{
		{"at once", startedJob + "\nHSET rq:job:j1 repeats_left 1 repeat_intervals [0]", finish, "repeat: queued"},
		{"in a while", startedJob + "\nHSET rq:job:j1 repeats_left 1 repeat_intervals [1]", finish, "repeat: scheduled"},
	})
}

// A result takes Redis a tenth of what a stream's first entry usually does.
func TestResultsTakeLittleMemory(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{})
	f.seed(startedJob)
	f.finish(Outcome{Kind: OutcomeFinish, Result: 1})
	if n := f.rdb.MemoryUsage(t.Context(), "rq:results:j1").Val(); n == 0 || n > 2000 {
		t.Errorf("%d bytes", n)
	}
}

func TestFinishRareDependents(t *testing.T) {
	finish := func(kind OutcomeKind) func(f *fixture) string {
		return func(f *fixture) string {
			done := f.finish(Outcome{Kind: kind, Error: "x"})
			return fmt.Sprint(done.Err, " ", f.command("LRANGE rq:queue:q 0 -1"), " ", f.command("SMEMBERS rq:job:j1:dependents"))
		}
	}
	child := "\nSADD rq:job:j1:dependents c\nSADD rq:job::c:dependencies j1 p\nZADD rq:deferred:q 1 c\nHSET rq:job:c status deferred data x "
	checkGuards(t, []guard{
		{"the other parent failed, which counts for none", startedJob + child + "origin q\nHSET rq:job:p status failed", finish(OutcomeFinish), "<nil> [] [c]"},
		{"the other parent failed, which will do", startedJob + child + "origin q allow_dependency_failures 1\nHSET rq:job:p status failed", finish(OutcomeFinish), "<nil> [c] []"},
		{"the other parent was stopped, which won't", startedJob + child + "origin q allow_dependency_failures 1\nHSET rq:job:p status stopped", finish(OutcomeFinish), "<nil> [] [c]"},
		{"what it depends on is of another type", startedJob + strings.Replace(child, "SADD rq:job::c:dependencies j1 p", "SET rq:job::c:dependencies x", 1) + "origin q", finish(OutcomeFinish), "<nil> [c] []"},
		{"a child without a queue stays", startedJob + child, finish(OutcomeFinish), "<nil> [] [c]"},
		{"one that was stopped releases none", startedJob + child + "origin q allow_dependency_failures 1", finish(OutcomeStop), "<nil> [] [c]"},
	})
}

func TestMaintenanceRareStates(t *testing.T) {
	maintain := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			_, err := f.Maintenance(context.Background(), []string{"q"})
			return fmt.Sprint(err, " ", f.command(then))
		}
	}
	waits := "RPUSH rq:queue:q:intermediate j1\nSET rq:queue:q:intermediate:first_seen:j1 %d\nHSET rq:job:j1 origin q data x status %s"
	list := "LRANGE rq:queue:q 0 -1"
	checkGuards(t, []guard{
		{"seen a minute ago", fmt.Sprintf(waits, noonSec-60, "queued"), maintain(list), "<nil> []"},
		{"seen longer ago", fmt.Sprintf(waits, noonSec-61, "queued"), maintain(list), "<nil> [j1]"},
		{"a created one waits, too", fmt.Sprintf(waits, noonSec-61, "created"), maintain(list), "<nil> [j1]"},
		{"an execution that is in no rq:wip is none", fmt.Sprintf(waits, noonSec-61, "queued") + "\nZADD rq:executions:j1 9999999999 e1", maintain(list), "<nil> [j1]"},
		{"the mark of one whose job is gone goes", "RPUSH rq:queue:q:intermediate j1\nSET rq:queue:q:intermediate:first_seen:j1 1", maintain("EXISTS rq:queue:q:intermediate:first_seen:j1"), "<nil> 0"},
		{"seen for the first time", "RPUSH rq:queue:q:intermediate j1\nHSET rq:job:j1 origin q data x status queued", maintain("EXISTS rq:queue:q:intermediate:first_seen:j1"), "<nil> 1"},
		{"deferred, and a failed parent will do", "ZADD rq:deferred:q 1 j1\nHSET rq:job:j1 origin q data x status deferred allow_dependency_failures 1\nSADD rq:job::j1:dependencies p\nHSET rq:job:p status failed",
			maintain(list), "<nil> [j1]"},
		{"deferred, and has no queue", "ZADD rq:deferred:q 1 j1\nHSET rq:job:j1 data x status deferred\nSADD rq:job::j1:dependencies p\nSADD rq:job:p:dependents j1", maintain("SCARD rq:job:p:dependents"), "<nil> 1"},
	})
}

func TestRecoverRareStates(t *testing.T) {
	expired := without(startedJob, "docsvc:lease") + "SET docsvc:pulse 1795435200250\n"
	again := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			got, err := f.RecoverExpired(context.Background(), []string{"q"})
			return fmt.Sprint(len(got), err, " ", f.command(then))
		}
	}
	checkGuards(t, []guard{
		{"a lease that ends now", expired + "ZADD docsvc:lease:q 1795435200250 j1:e1", again("LLEN docsvc:none"), "1 <nil> 0"},
		{"a lease that ends later", expired + "ZADD docsvc:lease:q 1795435200251 j1:e1", again("LLEN docsvc:none"), "0 <nil> 0"},
		{"its worker's slot has another execution", expired + "ZADD docsvc:lease:q 1 j1:e1\nHSET docsvc:worker:w1 execution j2:e2", again("HGET docsvc:worker:w1 execution"), "1 <nil> j2:e2"},
		{"a silence of half a lease is none", strings.Replace(expired, "1795435200250", "1795435194250", 1) + "ZADD docsvc:lease:q 1 j1:e1", again("EXISTS docsvc:quiet_until"), "1 <nil> 0"},
		{"a longer one is an outage", strings.Replace(expired, "1795435200250", "1795435194249", 1) + "ZADD docsvc:lease:q 1 j1:e1", again("GET docsvc:quiet_until"), "0 <nil> 1795435212250"},
		{"quiet for just a lease", expired + "SET docsvc:quiet_until 1795435212250\nZADD docsvc:lease:q 1 j1:e1", again("GET docsvc:quiet_until"), "0 <nil> 1795435212250"},
	})
}

func TestRequeueRareStates(t *testing.T) {
	requeue := func(then string) func(f *fixture) string {
		return func(f *fixture) string {
			_, err := f.Requeue(context.Background(), "j1", RequeueOptions{})
			return fmt.Sprint(err, " ", f.command(then))
		}
	}
	checkGuards(t, []guard{
		{"failures are not kept: it must not vanish", "HSET rq:job:j1 status failed origin q data x failure_ttl 0\nEXPIRE rq:job:j1 1000", requeue("EXISTS rq:job:j1"), "<nil> 1"},
		{"nor when they are kept for ever", "HSET rq:job:j1 status failed origin q data x failure_ttl -1\nEXPIRE rq:job:j1 1000", requeue("EXISTS rq:job:j1"), "<nil> 1"},
		{"one that lives for ever still does", "HSET rq:job:j1 status failed origin q data x failure_ttl 100", requeue("PERSIST rq:job:j1"), "<nil> 0"},
	})
}

func TestWorkerRareStates(t *testing.T) {
	ctx := context.Background()
	state := func(s WorkerState, then string) func(f *fixture) string {
		return func(f *fixture) string {
			return fmt.Sprint(f.SetWorkerState(ctx, s, []string{"w1"}), " ", f.command(then))
		}
	}
	checkGuards(t, []guard{
		{"idle, and never worked", "HSET rq:worker:w1 state busy", state("idle", "HEXISTS rq:worker:w1 current_job_working_time"), "<nil> 0"},
		{"idle after work", "HSET rq:worker:w1 state busy current_job_working_time 8", state("idle", "HGET rq:worker:w1 current_job_working_time"), "<nil> 0"},
		{"no shutdown was asked for", "HSET rq:worker:w1 state busy", state("suspended", "HEXISTS rq:worker:w1 shutdown_requested_date"), "<nil> 0"},
		{"the slot of one that leaves is free", "", func(f *fixture) string {
			if err := f.register(birth("w1")); err != nil {
				return err.Error()
			}
			return fmt.Sprint(f.UnregisterWorkers(ctx, []string{"w1"}), " ", f.command("EXISTS docsvc:worker:w1"))
		}, "<nil> 0"},
		{"receipts of long ago go", "ZADD docsvc:receipts 1795435080250 old", func(f *fixture) string {
			return fmt.Sprint(f.Apply(ctx, nil, nil, nil), " ", f.command("ZSCORE docsvc:receipts old"))
		}, "<nil> nothing"},
		{"later ones stay", "ZADD docsvc:receipts 1795435080251 new", func(f *fixture) string {
			return fmt.Sprint(f.Apply(ctx, nil, nil, nil), " ", f.command("EXISTS docsvc:receipts"))
		}, "<nil> 1"},
		{"a page of jobs is not one of executions", "RPUSH rq:queue:q a:b", func(f *fixture) string {
			return f.answer(call{scriptList, []string{keyQueue("q")}, f.tape().str("LRANGE", "0", "9").flag(false).num(9)})
		}, "[1 [[a:b [] []]]]"},
	})
}

// What a key holds, in a digest that fsck compares: nothing of it may change
// without that being seen.
func TestFsckDigestSeesEveryChange(t *testing.T) {
	digest := func(change string) func(f *fixture) string {
		return func(f *fixture) string {
			probes := []probe{{Read: cmd("CONTENT", "k"), Is: "any"}}
			before := f.answer(f.editCall("", probes, nil, nil, nil, nil))
			same := before == f.answer(f.editCall("", probes, nil, nil, nil, nil))
			f.seed(change)
			return fmt.Sprint(same, before != f.answer(f.editCall("", probes, nil, nil, nil, nil)))
		}
	}
	members := make([]string, 100)
	for i := range members {
		members[i] = fmt.Sprint("m", i)
	}
	reversed := slices.Clone(members)
	slices.Reverse(reversed)
	checkGuards(t, []guard{
		{"no key", "", digest("SET k x"), "true true"},
		{"a text", "SET k x", digest("SET k y"), "true true"},
		{"a list", "RPUSH k a b", digest("LSET k 1 c"), "true true"},
		{"a set", "SADD k a b", digest("SADD k c"), "true true"},
		{"a hash", "HSET k a 1 b 2", digest("HSET k b 3"), "true true"},
		{"a sorted set", "ZADD k 1 a 2 b", digest("ZADD k 3 b"), "true true"},
		{"a stream", "XADD k 1-1 a b", digest("XADD k 1-2 a b"), "true true"},
		{"the words of a list run into one another", "RPUSH k ab c", digest("DEL k\nRPUSH k a bc"), "true true"},
		{"another type of the same words", "RPUSH k a", digest("DEL k\nSADD k a"), "true true"},
		{"a set in another order", "SADD k " + strings.Join(members, " "), func(f *fixture) string {
			probes := []probe{{Read: cmd("CONTENT", "k"), Is: "any"}}
			before := f.answer(f.editCall("", probes, nil, nil, nil, nil))
			f.seed("DEL k\nSADD k " + strings.Join(reversed, " "))
			return fmt.Sprint(before == f.answer(f.editCall("", probes, nil, nil, nil, nil)))
		}, "true"},
		{"a hash in another order", "HSET k a 1 b 2 c 3 d 4", func(f *fixture) string {
			probes := []probe{{Read: cmd("CONTENT", "k"), Is: "any"}}
			before := f.answer(f.editCall("", probes, nil, nil, nil, nil))
			f.seed("DEL k\nHSET k d 4 c 3 b 2 a 1")
			return fmt.Sprint(before == f.answer(f.editCall("", probes, nil, nil, nil, nil)))
		}, "true"},
	})
}

func TestFsckLookRareStates(t *testing.T) {
	look := func(f *fixture) string {
		return f.answer(call{scriptFsckLook, nil, f.tape().list([]string{"status"}).list([]string{"j1"})})
	}
	child := "HSET rq:job:j1 status deferred origin q data x dependency_ids "
	checkGuards(t, []guard{
		{"no such job", "SET other x", look, "[[]]"},
		{"another type", "SET rq:job:j1 x", look, "[[string]]"},
		{"no status", "HSET rq:job:j1 data 123", look, "[[ [<nil>] 3 <nil> <nil> [] []]]"},
		{"an ended one", "HSET rq:job:j1 status finished origin q\nZADD rq:executions:j1 1 e1\nZADD rq:scheduled:q 1 j1", look, "[[ [finished] -1 <nil> <nil> [] []]]"},
		{"parents of both", child + `["p","o"]` + "\nSADD rq:job::j1:dependencies p", look, "[[ [deferred] 1 <nil> <nil> [] [[p ] [o ]]]]"},
		{"parents that are none", child + `[1,"o"]`, look, "[[ [deferred] 1 <nil> <nil> [] [[o ]]]]"},
		{"a list that is none", child + "nonsense", look, "[[ [deferred] 1 <nil> <nil> [] []]]"},
		{"a list that is a number", child + "1", look, "[[ [deferred] 1 <nil> <nil> [] []]]"},
		{"one that is queued waits for none", "HSET rq:job:j1 status queued origin q data x\nSADD rq:job::j1:dependencies p", look, "[[ [queued] 1 <nil> <nil> [] []]]"},
	})
}

// Repairs are made while what they rest on is as it was read.
// sameContent reports whether fsck's digest of k is the same after commands.
func sameContent(commands ...string) func(f *fixture) string {
	return func(f *fixture) string {
		x := f.editCall("", []probe{{cmd("CONTENT", "k"), "any", word("")}}, nil, nil, nil, nil)
		before := f.answer(x)
		for _, c := range commands {
			f.command(c)
		}
		return fmt.Sprint(f.answer(x) == before)
	}
}

func TestFsckEditRareStates(t *testing.T) {
	probe1 := func(is, text string, words ...string) func(f *fixture) string {
		return func(f *fixture) string {
			return f.answer(f.editCall("", []probe{{cmd(words...), is, word(text)}}, nil, nil, nil, nil))
		}
	}
	put := func(force string) func(f *fixture) string {
		return func(f *fixture) string {
			x := f.editCall("token", nil, []command{cmd("PUTBACK", "l", "new", "b", "7", force)}, nil, nil, nil)
			return f.answer(x) + f.command("LRANGE l 0 -1")
		}
	}
	checkGuards(t, []guard{
		{"no key has no content", "", probe1("none", "", "CONTENT", "k"), "[ok [<nil>]]"},
		{"a member of the job", "ZADD z 1 a:1 2 j1:e", probe1("=", "j1:e", "HOLDS", "z", "j1"), "[ok [j1:e]]"},
		{"no member of the job", "ZADD z 1 j11:e", probe1("none", "", "HOLDS", "z", "j1"), "[ok [<nil>]]"},
		{"nothing stands behind what is not there", "RPUSH l a b", probe1("none", "", "AFTER", "l", "x"), "[ok [<nil>]]"},
		{"what stands behind", "RPUSH l a b", probe1("=", "b", "AFTER", "l", "a"), "[ok [b]]"},
		{"another text", "SET k x", probe1("=", "y", "GET", "k"), "[changed 0 x]"},
		{"some where none should be", "SET k x", probe1("none", "", "GET", "k"), "[changed 0 x]"},
		{"the same set, filled in another order", "SADD k a b c", sameContent("SREM k a", "SADD k a"), "true"},
		{"the same hash, filled in another order", "HSET k a 1 b 2", sameContent("HDEL k a", "HSET k a 1"), "true"},
		{"an empty text where none should be", "HSET k f ''", probe1("none", "", "HGET", "k", "f"), "[changed 0 ]"},
		{"none where some should be", "", probe1("some", "", "GET", "k"), "[changed 0 ]"},
		{"before its successor", "RPUSH l a b c", put("0"), "[ok []][a new b c]"},
		{"its successor is gone", "RPUSH l a c", put("0"), "[later][a c]"},
		{"its successor is gone, and it must be put back", "RPUSH l a c", put("1"), "[ok []][new a c]"},
		{"all are gone, and it must be put back", "", put("1"), "[ok []][new]"},
		{"its successor is there, and it must be put back", "RPUSH l a b c", put("1"), "[ok []][a new b c]"},
		{"sent again", "", func(f *fixture) string {
			x := f.editCall("token", nil, []command{cmd("INCR", "n")}, nil, nil, []Effect{HIncrBy("h", "n", 1)})
			return f.answer(x) + f.answer(x) + f.command("GET n") + f.command("HGET h n")
		}, "[ok []][ok []]11"},
	})
}
