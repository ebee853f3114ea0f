package rq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// progress applies effects to e1 and answers the change, less nothing.
func (f *fixture) progress(labels map[string]string, es ...Effect) string {
	f.t.Helper()
	return f.change(func() {
		if err := f.Progress(context.Background(), e1, es, labels); err != nil {
			f.t.Errorf("progress: %v", err)
		}
	})
}

func TestEffectsAreEachTheirCommand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + `
			HSET d:h a 1 b 2
			ZADD d:z 1 x 2 y
			SADD d:s x y
			SET d:gone x
			SET d:kept x
			SET d:ttl x EX 100
			SET d:nx old`)
		wantChange(t, f.progress(nil,
			HSet("d:h", "a", "9", "c", "3"), HIncrBy("d:h", "n", -2), HDel("d:h", "b"),
			ZAdd("d:z", 1.5, "z"), ZRem("d:z", "x"), SAdd("d:s", "z"), SRem("d:s", "x"),
			Set("d:set", "v", 0), Set("d:px", "v", 90*time.Second), SetNX("d:nx", "new"), SetNX("d:nx2", "new"),
			Del("d:gone"), Expire("d:kept", 50*time.Second), Persist("d:ttl"),
			XAdd("d:stream", 5, "f", "v"), XAdd("d:stream", 0, "f", "w"),
		), `
			- d:gone = x
			- d:h a = 1
			- d:h b = 2
			- d:s x
			- d:ttl ttl 100
			- d:z x 1
			+ d:h a = 9
			+ d:h c = 3
			+ d:h n = -2
			+ d:kept ttl 50
			+ d:nx2 = new
			+ d:px = v
			+ d:px ttl 90
			+ d:s z
			+ d:set = v
			+ d:stream #0 f=v
			+ d:stream #1 f=w
			+ d:z z 1.500`)
	})
}

func TestGuards(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + "\nHSET d:h status running\nSET d:s text")
		guards := []struct {
			g    Guard
			want bool
		}{
			{Guard{Key: "d:h"}, true},
			{Guard{Key: "d:none"}, false},
			{Guard{Key: "d:none", Not: true}, true},
			{Guard{Key: "d:h", Not: true}, false},
			{Guard{Key: "d:s", Is: "text"}, true},
			{Guard{Key: "d:s", Is: "other"}, false},
			{Guard{Key: "d:s", Is: "other", Not: true}, true},
			{Guard{Key: "d:none", Is: "text"}, false},
			{Guard{Key: "d:h", Field: "status", Is: "running"}, true},
			{Guard{Key: "d:h", Field: "status", Is: "done"}, false},
			{Guard{Key: "d:h", Field: "status", Is: "done", Not: true}, true},
			{Guard{Key: "d:h", Field: "absent"}, true},
			{Guard{Key: "d:none", Field: "absent"}, true},
			{Guard{Key: "d:h", Field: "status"}, false},
			{Guard{Key: "d:s", Field: "status", Is: "running"}, false}, // no hash
			{Guard{Key: "d:h", Is: "text"}, false},                     // no string
		}
		for i, x := range guards {
			key := fmt.Sprintf("out:%d", i)
			f.progress(nil, SetNX(key, "1").When(x.g))
			if got := f.rdb.Exists(context.Background(), key).Val() == 1; got != x.want {
				t.Errorf("%+v let its effect through: %v, want %v", x.g, got, x.want)
			}
			err := f.finishErr(Outcome{Kind: OutcomeReturnHead, Conditions: []Condition{{Guard: x.g}, {Guard: Guard{Key: "never"}}}})
			var broken *ConditionError
			if !errors.As(err, &broken) || (broken.Index == 1) != x.want {
				t.Errorf("%+v as a condition: %v, want it to hold: %v", x.g, err, x.want)
			}
		}
	})
}

func (f *fixture) finishErr(o Outcome) error { return f.finish(o).Err }

// All guards look at what was before the transition, so that a list of
// effects need not mind its own order.
func TestGuardsAreEvaluatedBeforeAnyEffect(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + "\nHSET d:h status running")
		running := Guard{Key: "d:h", Field: "status", Is: "running"}
		wantChange(t, f.progress(nil, HSet("d:h", "status", "done").When(running), ZAdd("d:done", 1, "x").When(running)), `
			- d:h status = running
			+ d:done x 1
			+ d:h status = done`)
	})
}

func TestEffectThatRedisRefusesIsCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + "\nSET d:s x")
		odd := HSet("d:h", "a", "b", "odd")
		wantChange(t, f.progress(nil, HSet("d:s", "a", "b"), odd, ZAdd("d:z", 1, "m")), `
			+ d:z m 1
			+ docsvc:refused HSET = 2`)
	})
}

// A stream with a bound is cut, as Redis does it: whole nodes of 100 entries.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob)
		entries := slices.Repeat([]Effect{XAdd("d:bounded", 5, "f", "v"), XAdd("d:endless", 0, "f", "v")}, maxEffects/2)
		for range 3 {
			f.progress(nil, entries...)
		}
		bounded, endless := f.rdb.XLen(t.Context(), "d:bounded").Val(), f.rdb.XLen(t.Context(), "d:endless").Val()
		if bounded < 5 || bounded > 110 || endless != 300 {
			t.Errorf("%d entries and %d", bounded, endless)
		}
	})
}

func TestProgressTellsEventsAndIsFenced(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob)
		wantChange(t, f.progress(map[string]string{"document": "d1", "empty": ""}, HSet("d:h", "p", "5")), `
			+ d:h p = 5
			+ docsvc:events #0 document=d1 execution=e1 from=started job=j1 queue=q reason=progress to=started worker=w1`)
		f.seed("ZREM rq:wip:q j1:e1")
		wantChange(t, f.change(func() {
			err := f.Progress(context.Background(), e1, []Effect{HSet("d:h", "p", "6")}, map[string]string{"a": "b"})
			if !errors.Is(err, ErrLateFinish) {
				t.Errorf("progress of a lost execution: %v", err)
			}
		}), "")
	})
}

// A condition that does not hold leaves everything as it was.
func TestConditionsRefuseTheWholeTransition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + "\nSET sha:1 other\nHSET d:h status gone\nSADD sha:3 x")
		for _, c := range []struct {
			cond   Condition
			key    string
			actual string
		}{
			{Condition{ClaimKey: "sha:1", ClaimValue: "me"}, "sha:1", "other"},
			{Condition{ClaimKey: "sha:3", ClaimValue: "me"}, "sha:3", ""},
			{Condition{Guard: Guard{Key: "d:h", Field: "status", Is: "ok"}}, "d:h", "gone"},
		} {
			o := Outcome{Result: 1, Effects: []Effect{SetNX("never", "1")}}
			o.Conditions = []Condition{{ClaimKey: "sha:2", ClaimValue: "me"}, c.cond}
			wantChange(t, f.change(func() {
				var broken *ConditionError
				if err := f.finishErr(o); !errors.As(err, &broken) {
					t.Errorf("finished with %v", err)
				} else if broken.Index != 1 || broken.Key != c.key || broken.Actual != c.actual {
					t.Errorf("refused with %+v", broken)
				}
			}), "")
		}
	})
}

func TestClaimedKeysAreSetWithTheTransition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Effects: func(tr Transition) Extra {
			return Extra{Effects: []Effect{HSet("doc", "state", string(tr.To))}, Labels: map[string]string{"document": "d1"}}
		}})
		f.seed(startedJob + "\nSET sha:mine me")
		got := f.change(func() {
			done := f.finish(Outcome{
				Result: 1, Effects: []Effect{HSet("doc", "state", "mine", "pages", "3")},
				Conditions: []Condition{{ClaimKey: "sha:1", ClaimValue: "me"}, {ClaimKey: "sha:mine", ClaimValue: "me"},
					{ClaimKey: "sha:2", ClaimValue: "me", TTL: time.Minute}},
			})
			if done.Err != nil {
				t.Errorf("finished with %v", done.Err)
			}
		})
		for _, l := range []string{"+ sha:1 = me", "+ sha:2 = me", "+ sha:2 ttl 60", "+ doc pages = 3", "+ doc state = mine", "document=d1"} {
			if !strings.Contains(got, l) {
				t.Errorf("missing %q in\n%s", l, got)
			}
		}
	})
}

func TestWritesOutOfBoundsAreRefusedBeforeRedis(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Miniredis)
	f := newFixture(t, s, Options{})
	f.seed(startedJob)
	many := make([]Effect, maxEffects+1)
	for i := range many {
		many[i] = SetNX("k", "v")
	}
	for name, es := range map[string][]Effect{
		"too many":     many,
		"no such op":   {{Op: "FLUSHALL", Key: "k"}},
		"no key":       {{Op: OpDel}},
		"too long":     {HSet("k", make([]string, maxEffectArgs+2)...)},
		"not a write":  {{Op: "GET", Key: "k"}},
		"empty effect": {{}},
	} {
		wantChange(t, f.change(func() {
			if err := f.Progress(context.Background(), e1, es, nil); err == nil {
				t.Errorf("%s: no error", name)
			}
		}), "")
	}
	if err := checkWrites(nil, []Condition{{}}); err == nil {
		t.Error("an empty condition was taken")
	}
}

type recorder struct{ got []Transition }

func (r *recorder) Transition(t Transition) { r.got = append(r.got, t) }

func TestObserverIsToldOfWhatHappened(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Miniredis)
	seen := &recorder{}
	f := newFixture(t, s, Options{Observer: seen})
	ctx := context.Background()
	if _, err := f.Enqueue(ctx, Spec{ID: "j1", Queue: "q", Func: "app.work"}); err != nil {
		t.Fatal(err)
	}
	c := f.claim("w1")
	f.now = f.now.Add(3 * time.Second)
	f.finish(Outcome{Execution: c[0].Execution, Job: c[0].Job, Kind: OutcomeFail, Error: "boom", ErrorCode: "bad"})
	f.finish(Outcome{Execution: Execution{ID: "x", JobID: "j1", Queue: "q"}, Job: c[0].Job}) // late: not told
	if _, err := f.Requeue(ctx, "j1", RequeueOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Cancel(ctx, "j1"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range seen.got {
		got = append(got, fmt.Sprintf("%s:%s>%s", x.Reason, x.From, x.To))
	}
	want := "[enqueued:>queued claimed:queued>started failed:started>failed requeued:failed>queued canceled:queued>canceled]"
	if fmt.Sprint(got) != want {
		t.Errorf("told %v\nwant %s", got, want)
	}
	if x := seen.got[2]; x.Duration != 3*time.Second || x.Error != "boom" || x.ErrorCode != "bad" || x.Worker != "w1" || x.Job.Func != "app.work" {
		t.Errorf("failed transition = %+v", x)
	}
}
