package rq

import (
	"context"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// Every script builds key names in Lua; this is the one place that holds them
// to the names that Go declares.
func TestKeyNamesAreTheSameInLua(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Miniredis)
	c := New(s.Client(t), Options{Namespace: "ns:"})
	names := map[string]string{
		"K.queues": keyQueues, "K.workers": keyWorkers, "K.suspended": keySuspended, "K.groups": keyGroups,
		"K.job('j')": keyJob("j"), "K.dependents('j')": keyDependents("j"), "K.dependencies('j')": keyDependencies("j"),
		"K.results('j')": keyResults("j"), "K.executions('j')": keyExecutions("j"), "K.execution('j','e')": keyExecution("j", "e"),
		"K.queue('q')": keyQueue("q"), "K.intermediate('q')": keyIntermediate("q"), "K.first_seen('q','j')": keyFirstSeen("q", "j"),
		"K.wip('q')": keyWIP("q"), "K.finished('q')": keyFinished("q"), "K.failed('q')": keyFailed("q"),
		"K.deferred('q')": keyDeferred("q"), "K.scheduled('q')": keyScheduled("q"), "K.canceled('q')": keyCanceled("q"),
		"K.cleaning('q')": keyCleaning("q"), "K.scheduler_lock('q')": keySchedulerLock("q"), "K.scheduler('n')": keyScheduler("n"),
		"K.worker('w')": keyWorker("w"), "K.workers_of('q')": keyWorkersOf("q"), "K.pubsub('w')": keyPubSub("w"), "K.group('g')": keyGroup("g"),
		"K.events": c.keyEvents(), "K.recovered": c.keyRecovered(), "K.recoveries": c.keyRecoveries(), "K.deaths": c.keyDeaths(), "K.dropped": c.keyDropped(), "K.late": c.keyLate(),
		"K.refused": c.keyRefused(), "K.receipts": c.keyReceipts(), "K.pulse": c.keyPulse(), "K.quiet_until": c.keyQuietUntil(),
		"K.schedulers": c.keySchedulers(),
		"K.lease('q')": c.keyLease("q"), "K.slot('w')": c.keySlot("w"), "K.scratch('j')": c.keyScratch("j"),
	}
	prelude, err := luaFiles.ReadFile("lua/prelude.lua")
	if err != nil {
		t.Fatal(err)
	}
	for expr, want := range names {
		got, err := c.rdb.Eval(context.Background(), string(prelude)+"\nreturn "+expr, nil, c.tape().args...).Text()
		if err != nil || got != want {
			t.Errorf("%s = %q (%v), in Go it is %q", expr, got, err, want)
		}
	}
}

func TestScriptsReadErrorsOfRedis62(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), Options{})
	prelude, err := luaFiles.ReadFile("lua/prelude.lua")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"@user_script: 5: -OOM command not allowed when used memory > 'maxmemory'.\r\n": "OOM command not allowed when used memory > 'maxmemory'.",
		"@user_script: 12: Wrong number of args calling Redis command From Lua script":  "ERR @user_script: 12: Wrong number of args calling Redis command From Lua script",
		"WRONGTYPE Operation against a key":                                             "WRONGTYPE Operation against a key",
	} {
		r, err := f.run(context.Background(), call{compileText(string(prelude) + "return failed({ err = take() })"), nil, f.tape().str(text)})
		if err != nil || r.text() != want {
			t.Errorf("%q is read as %q, %v", text, r.text(), err)
		}
	}
}

func TestScriptTimesAreWrittenAsRQWritesThem(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		prelude, err := luaFiles.ReadFile("lua/prelude.lua")
		if err != nil {
			t.Fatal(err)
		}
		for _, us := range []int64{951782399_999999, 951782400_000000, 951868800_000001, 1709164800_120000,
			1795435200_250000, 4102444799_999999, 1735689599_000010} {
			f.now = fromMicro(us)
			r, err := f.run(context.Background(), call{compileText(string(prelude) + "return { iso(), float() }"), nil, f.tape()})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := r.at(0).text(), stamp(f.now); got != want {
				t.Errorf("iso() at %d = %s, want %s", us, got, want)
			}
			if got := parseFloatStamp(r.at(1).text()); !got.Equal(f.now) {
				t.Errorf("float() at %d = %s, which reads as %s", us, r.at(1).text(), got)
			}
		}
	})
}
