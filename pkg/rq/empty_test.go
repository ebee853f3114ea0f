package rq

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestEmpty(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + `
			HSET rq:job:a status queued origin q data {call}
			SADD rq:job:a:dependents c
			SADD rq:job::a:dependencies p
			XADD rq:results:a 1-1 type 2
			HSET rq:job:b origin q
			HSET docsvc:recovered b 2
			HSET rq:job:later status scheduled origin q
			ZADD rq:scheduled:q 5 later
			HSET rq:job:odd status rate_limited origin q
			SADD rq:job:gone:dependents c
			SADD rq:queues rq:queue:q
			RPUSH rq:queue:q a gone b j1 a odd
			RPUSH rq:queue:other x`)
		var got Emptied
		wantChange(t, f.change(func() {
			var err error
			if got, err = f.Empty(context.Background(), "q"); err != nil {
				t.Fatal(err)
			}
		}), `
			- docsvc:recovered b = 2
			- rq:job:a data = pickle app.work(1)
			- rq:job:a origin = q
			- rq:job:a status = queued
			- rq:job:a:dependents c
			- rq:job:b origin = q
			- rq:job:gone:dependents c
			- rq:queue:q [a gone b j1 a odd]
			+ docsvc:events #0 from=queued job=a queue=q reason=emptied to=canceled
			+ docsvc:events #1 job=b queue=q reason=emptied to=canceled
			+ docsvc:receipts <id>:1 1795435200250
			+ docsvc:receipts <id>:3 1795435200250`)
		if got != (Emptied{Removed: 2, Dropped: 4}) {
			t.Errorf("%+v", got)
		}
		if got, err := f.Empty(context.Background(), "q"); err != nil || got != (Emptied{}) {
			t.Errorf("again: %+v, %v", got, err)
		}
		f.seed("SET rq:queue:text x")
		if _, err := f.Empty(context.Background(), "text"); err == nil {
			t.Error("a key that is no list: no error")
		}
	})
}

// Several pages, with effects, while a worker claims and a producer enqueues.
func TestEmptyLeavesWhatIsClaimedOrComesMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		var specs []Spec
		for i := range 2*emptyPage + 7 {
			specs = append(specs, Spec{ID: fmt.Sprintf("j%03d", i), Queue: "q", Func: "app.work"})
		}
		if _, err := f.EnqueueMany(ctx, specs); err != nil {
			t.Fatal(err)
		}
		calls := 0
		f.o.Effects = func(tr Transition) Extra {
			if calls++; calls == emptyPage+3 {
				New(f.rdb, Options{}).mustClaim(t)
				if _, err := New(f.rdb, Options{}).Enqueue(ctx, Spec{ID: "new", Queue: "q", Func: "app.work"}); err != nil {
					t.Fatal(err)
				}
			}
			return Extra{Effects: []Effect{HIncrBy("doc", string(tr.To), 1)}}
		}
		got, err := f.Empty(ctx, "q")
		if err != nil || got.Dropped != 0 {
			t.Errorf("%+v, %v", got, err)
		}
		// One was claimed, and in its place the new one goes or stays.
		left := f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val()
		if got.Removed+len(left)+1 != len(specs)+1 || len(left) > 1 {
			t.Errorf("removed %d, left %v", got.Removed, left)
		}
		if n := f.rdb.HGet(ctx, "doc", "canceled").Val(); n != fmt.Sprint(got.Removed) {
			t.Errorf("%s documents canceled of %d jobs", n, got.Removed)
		}
		started, _, err := f.List(ctx, "q", RegistryStarted, "", 10)
		if err != nil || len(started) != 1 || !strings.HasPrefix(started[0].ID, "j2") || started[0].Status != StatusStarted {
			t.Errorf("started %+v, %v", started, err)
		}
	})
}
