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

func TestQueueInfoCountsAndOnlyReads(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:a enqueued_at 2026-11-23T11:59:30.250000Z
			HSET rq:job:b created_at 2026-11-23T11:58:00.250000Z
			RPUSH rq:queue:q gone a b
			ZADD rq:failed:q 1795435200 expired 1795435201 x -1 ever
			ZADD rq:finished:q 5 expired +inf ever 1795439999 x
			ZADD rq:wip:q 5 j:e
			ZADD rq:deferred:q 5 x 6 y
			ZADD rq:scheduled:q 5 x
			ZADD rq:canceled:q 5 x 6 y 7 z
			SADD rq:workers:q rq:worker:live rq:worker:dead rq:worker:lapsed rq:worker:ours
			HSET rq:worker:live pid 1
			HSET rq:worker:lapsed pid 1
			HSET docsvc:worker:lapsed lease 1795435200250
			HSET rq:worker:ours pid 1
			HSET docsvc:worker:ours lease 1795435200251
			SET rq:queue:bad x
			SET rq:wip:bad x`)
		var got []QueueInfo
		wantChange(t, f.change(func() {
			var err error
			if got, err = f.QueueInfo(context.Background(), []string{"q", "none", "bad"}); err != nil {
				t.Fatal(err)
			}
		}), "")
		want := []QueueInfo{
			{Name: "q", Length: 3, Failed: 2, Started: 1, Finished: 2, Deferred: 2, Scheduled: 1, Canceled: 3, Workers: 2,
				OldestAge: 2 * time.Minute},
			{Name: "none"}, {Name: "bad"},
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if got, err := f.QueueInfo(context.Background(), nil); err != nil || got != nil {
			t.Errorf("no names: %v %v", got, err)
		}
	})
}

func TestQueueNames(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("SADD rq:queues rq:queue:b rq:queue:a noprefix rq:queue:")
		got, err := f.QueueNames(context.Background())
		if err != nil || fmt.Sprint(got) != "[a b]" {
			t.Errorf("%v %v", got, err)
		}
	})
}

func TestJobsReadsAnything(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed(`
			HSET rq:job:good status queued origin q data {call} own field retries_left 2 retry_intervals [10,60]
			HSET rq:job:odd status rate_limited data junk timeout 1h created_at yesterday retry_intervals {} meta zz retries_left x
			SET rq:job:text x`)
		f.rdb.HSet(ctx, "rq:job:huge", "data", strings.Repeat("x", loadLimit+1), "status", "queued")
		many := []any{}
		for i := range 700 {
			many = append(many, fmt.Sprintf("f%d", i), "x")
		}
		f.rdb.HSet(ctx, "rq:job:many", append(many, "status", "failed", "origin", "q")...)

		jobs, err := f.Jobs(ctx, []string{"good", "odd", "text", "missing", "huge", "many", "with:colon", ""})
		if err != nil {
			t.Fatal(err)
		}
		good, odd, huge, wide := jobs[0], jobs[1], jobs[4], jobs[5]
		if good.Func != "app.work" || good.Extra["own"] != "field" || *good.RetriesLeft != 2 || len(good.RetryIntervals) != 2 || good.PayloadErr != nil {
			t.Errorf("good = %+v", good)
		}
		if odd.Status != "rate_limited" || odd.PayloadErr == nil || odd.Timeout != DefaultTimeout || odd.Extra["timeout"] != "1h" ||
			odd.Extra["created_at"] != "yesterday" || odd.Extra["meta"] != "zz" || odd.Extra["retry_intervals"] != "{}" || odd.RetriesLeft != nil {
			t.Errorf("odd = %+v", odd)
		}
		if !errors.Is(huge.PayloadErr, ErrDataTooLarge) || huge.Status != StatusQueued {
			t.Errorf("huge = %+v", huge)
		}
		if wide.Status != StatusFailed || wide.Queue != "q" || len(wide.Extra) > 40 {
			t.Errorf("many fields = %+v", wide)
		}
		for _, i := range []int{2, 3, 6, 7} {
			if jobs[i] != nil {
				t.Errorf("%d = %+v", i, jobs[i])
			}
		}
		if _, err := f.Job(ctx, "missing"); !errors.Is(err, ErrNoJob) {
			t.Errorf("missing: %v", err)
		}
	})
}

func TestListPages(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		for i := range 5 {
			id := fmt.Sprintf("j%d", i)
			f.seed(strings.NewReplacer("ID", id, "N", fmt.Sprint(i)).Replace(`
				HSET rq:job:ID status x origin q data {call}
				RPUSH rq:queue:q ID
				ZADD rq:failed:q N ID
				ZADD rq:scheduled:q N ID
				ZADD rq:wip:q N ID:e`))
		}
		f.seed("RPUSH rq:queue:q gone\nSET rq:finished:q x")
		f.rdb.HSet(ctx, "rq:job:j1", "data", strings.Repeat("x", headLimit+1))
		for reg, want := range map[Registry]string{
			RegistryQueued: "j0 j1|j2 j3|j4 gone|", RegistryFailed: "j4 j3|j2 j1|j0", RegistryScheduled: "j0 j1|j2 j3|j4",
			RegistryStarted: "j4 j3|j2 j1|j0", RegistryFinished: "", RegistryDeferred: "", RegistryCanceled: "",
		} {
			var pages []string
			cursor := ""
			for {
				jobs, next, err := f.List(ctx, "q", reg, cursor, 2)
				if err != nil {
					t.Fatal(err)
				}
				var page []string
				for _, j := range jobs {
					page = append(page, j.ID)
					if j.ID == "j1" && !errors.Is(j.PayloadErr, ErrDataTooLarge) || j.ID == "j2" && j.Func != "app.work" ||
						j.ID == "gone" && j.Status != "" {
						t.Errorf("%s: %+v", reg, j)
					}
				}
				pages = append(pages, strings.Join(page, " "))
				if cursor = next; cursor == "" {
					break
				}
			}
			if got := strings.Join(pages, "|"); got != want {
				t.Errorf("%s: %q, want %q", reg, got, want)
			}
		}
		for _, bad := range []string{"x", "-1"} {
			if _, _, err := f.List(ctx, "q", RegistryQueued, bad, 2); err == nil {
				t.Errorf("cursor %q was taken", bad)
			}
		}
		if _, _, err := f.List(ctx, "q", "none", "", 2); err == nil {
			t.Error("no error for an unknown registry")
		}
	})
}

func TestPosition(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		ids := make([]any, 2*positionDepth+2)
		for i := range ids {
			ids[i] = fmt.Sprint(i)
		}
		f.rdb.RPush(ctx, "rq:queue:q", ids...)
		for id, want := range map[int]bool{0: true, positionDepth - 1: true, positionDepth: false, positionDepth + 2: true, len(ids) - 1: true} {
			n, ok := f.Position(ctx, &Job{ID: fmt.Sprint(id), Queue: "q"})
			if ok != want || ok && n != id {
				t.Errorf("position of %d = %d, %v", id, n, ok)
			}
		}
		if _, ok := f.Position(ctx, &Job{ID: "none", Queue: "q"}); ok {
			t.Error("found what is not there")
		}
	})
}

func TestLatestResultReadsWhatItCan(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if r, err := f.LatestResult(ctx, "j1"); r != nil || err != nil {
			t.Errorf("none: %+v %v", r, err)
		}
		f.seed("XADD rq:results:j1 1700000000123-0 type 1 return_value gAVLAy4= worker_name w execution_id e execution_started_at 1795440017.576416")
		r, err := f.LatestResult(ctx, "j1")
		if err != nil || r.Type != ResultSuccessful || fmt.Sprint(r.Value) != "3" || r.WorkerName != "w" || r.ExecutionID != "e" ||
			r.CreatedAt.UnixMilli() != 1700000000123 || r.StartedAt.UnixMicro() != 1795440017576416 || !r.EndedAt.IsZero() {
			t.Errorf("result = %+v, %v", r, err)
		}
		f.seed("XADD rq:results:j1 1700000000124-0 type 2 exc_string !!")
		if r, err = f.LatestResult(ctx, "j1"); err != nil || r.Type != ResultFailed || !strings.Contains(r.Error, "cannot be decoded") {
			t.Errorf("bad error text = %+v, %v", r, err)
		}
		f.seed("XADD rq:results:j1 1700000000125-0 type x return_value AAAA")
		if r, err = f.LatestResult(ctx, "j1"); err != nil || r.ValueErr == nil {
			t.Errorf("bad value = %+v, %v", r, err)
		}
	})
}
