package rq

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// strays makes one call of SeekStrays.
func (f *fixture) strays(c *Client) Strays {
	f.t.Helper()
	s, err := c.SeekStrays(context.Background(), []string{"q"})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// seekTwice walks, lets the time pass after which a stray counts, and walks again.
func (f *fixture) seekTwice() Strays {
	f.t.Helper()
	f.strays(f.Client)
	f.now = f.now.Add(pythonWindow + time.Second)
	return f.strays(f.Client)
}

// lostJobs stand nowhere, though their hashes say that they wait or run.
const lostJobs = `
	HSET rq:job:queued status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:50:00.000000Z
	HSET rq:job:started status started origin q data {call} timeout 180 worker_name w1 started_at 2026-11-23T11:50:00.000000Z
	HSET rq:job:scheduled status scheduled origin q data {call} timeout 180 enqueued_at 2026-11-23T11:50:00.000000Z`

func TestStraysArePutBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		f.seed(lostJobs)
		if s := f.strays(f.Client); s.Suspected != 3 || len(s.Mended) != 0 || !s.Ended {
			t.Fatalf("the first look: %+v", s)
		}
		f.now = f.now.Add(pythonWindow - time.Second)
		if s := f.strays(f.Client); len(s.Mended) != 0 {
			t.Fatalf("put back too early: %+v", s)
		}
		f.now = f.now.Add(2 * time.Second)
		if s := f.strays(f.Client); len(s.Mended) != 3 {
			t.Fatalf("the second look: %+v", s)
		}
		for _, id := range []string{"queued", "started", "scheduled"} {
			at := f.rdb.LPos(context.Background(), "rq:queue:q", id, redis.LPosArgs{}).Err()
			if status := f.rdb.HGet(context.Background(), "rq:job:"+id, "status").Val(); at != nil || status != "queued" {
				t.Errorf("job %s says %s, in its queue: %v", id, status, at)
			}
		}
		if n := f.rdb.HGet(context.Background(), "docsvc:strays", "q").Val(); n != "3" {
			t.Errorf("counted %q", n)
		}
		events, err := f.rdb.XRange(context.Background(), "docsvc:events", "-", "+").Result()
		if err != nil || len(events) != 3 || events[0].Values["reason"] != ReasonStray {
			t.Errorf("events %v, %v", events, err)
		}
		f.now = f.now.Add(10 * time.Minute)
		if s := f.seekTwice(); len(s.Mended) != 0 {
			t.Errorf("put back once more: %+v", s)
		}
	})
}

// A function that may not simply run again goes by RQ's rules.
func TestStrayStartedJobFollowsRQ(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for retries, want := range map[string]Status{"": StatusFailed, "retries_left 2 number_of_retries 0": StatusQueued} {
			f := newFixture(t, s, Options{})
			f.seed("HSET rq:job:started status started origin q data {call} timeout 180 worker_name w1 started_at 2026-11-23T11:50:00.000000Z " + retries)
			mended := f.seekTwice().Mended
			if len(mended) != 1 || mended[0].Status != want || mended[0].Worker != "w1" || mended[0].Job == nil || (mended[0].Error != "") != (want == StatusFailed) {
				t.Fatalf("with %q: %+v", retries, mended)
			}
			if want == StatusFailed && f.rdb.ZCard(context.Background(), "rq:failed:q").Val() != 1 {
				t.Error("it is not in the registry of failed jobs")
			}
		}
	})
}

// What is held, may be held, or isn't ours is left alone.
func TestStraysLeaveWhatMayBeHeld(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		const queued = "HSET rq:job:j1 status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:50:00.000000Z\n"
		for name, lines := range map[string]string{
			"in its queue":                     queued + "RPUSH rq:queue:q j0 j1",
			"taken by a worker of RQ":          queued + "RPUSH rq:queue:q:intermediate j1",
			"in another queue":                 queued + "SADD rq:queues rq:queue:p\nRPUSH rq:queue:p j1",
			"running":                          startedJob,
			"of a queue that nobody serves":    strings.ReplaceAll(queued, "origin q", "origin other"),
			"run by its own producer":          "HSET rq:job:j1 status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:59:00.000000Z",
			"run by its own producer, started": "HSET rq:job:j1 status queued origin q data {call} worker_name sync enqueued_at 2026-11-23T11:50:00.000000Z",
			"finished":                         "HSET rq:job:j1 status finished origin q data {call}",
		} {
			f := newFixture(t, s, Options{})
			f.seed(lines)
			before := f.keyspace()
			if s := f.seekTwice(); len(s.Mended) != 0 {
				t.Errorf("%s: %+v", name, s.Mended)
			}
			var after []string
			for _, line := range f.keyspace() {
				if !strings.Contains(line, "docsvc:strays") {
					after = append(after, line)
				}
			}
			if d := lineDiff(strings.Join(after, "\n"), strings.Join(before, "\n")); d != "" {
				t.Errorf("%s: changed\n%s", name, d)
			}
		}
	})
}

// A job that came back between the two looks, or changed, begins anew.
func TestStrayThatChangesIsSeenAnew(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for name, change := range map[string]string{
			"pushed":  "RPUSH rq:queue:q queued",
			"started": "HSET rq:job:queued status started started_at 2026-11-23T12:00:30.000000Z\nZADD rq:wip:q 1795439999 queued:e9\nZADD rq:executions:queued 1795439999 e9",
			"touched": "HSET rq:job:queued enqueued_at 2026-11-23T11:51:00.000000Z",
			"deleted": "DEL rq:job:queued",
		} {
			f := newFixture(t, s, Options{Idempotent: idempotent})
			f.seed(strings.Split(lostJobs, "\n")[1])
			f.strays(f.Client)
			f.seed(change)
			f.now = f.now.Add(pythonWindow + time.Second)
			if s := f.strays(f.Client); len(s.Mended) != 0 {
				t.Errorf("%s: %+v", name, s.Mended)
			}
		}
	})
}

// The walk is one for all processes, and goes on where a dead one left it.
func TestStraysAreSoughtByOneAndGoneOnWithByAnother(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		other := New(s.Client(t), Options{Idempotent: idempotent})
		other.fixedTime = f.fixedTime
		for i := range 20 {
			f.seed(fmt.Sprintf("HSET rq:job:lost%d status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:50:00.000000Z", i))
		}
		if s := f.strays(f.Client); s.Suspected != 20 {
			t.Fatalf("the first process: %+v", s)
		}
		if s := f.strays(other); s.Looked+int64(s.Suspected) != 0 {
			t.Fatalf("two walk at a time: %+v", s)
		}
		f.now = f.now.Add(pythonWindow + time.Second)
		f.rdb.Del(context.Background(), "docsvc:strays:owner") // as when its time has passed
		if s := f.strays(other); len(s.Mended) != 20 {
			t.Fatalf("the second process: %+v", s)
		}
		if n := f.rdb.LLen(context.Background(), "rq:queue:q").Val(); n != 20 {
			t.Errorf("%d entries in the queue", n)
		}
	})
}

// Two that believe to be the one put each job back once.
func TestTwoThatSeekStraysPutEachBackOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{Idempotent: idempotent})
	for i := range 50 {
		f.seed(fmt.Sprintf("HSET rq:job:lost%d status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:50:00.000000Z", i))
	}
	f.strays(f.Client)
	f.now = f.now.Add(pythonWindow + time.Second)
	done := make(chan int)
	for range 3 {
		c := New(f.rdb, Options{Idempotent: idempotent})
		c.fixedTime = f.fixedTime
		go func() {
			var s Strays
			if err := c.mendStrays(context.Background(), []string{"q"}, &s); err != nil {
				t.Error(err)
			}
			done <- len(s.Mended)
		}()
	}
	sum := <-done + <-done + <-done
	if n := f.rdb.LLen(context.Background(), "rq:queue:q").Val(); sum != 50 || n != 50 {
		t.Errorf("put back %d, %d entries in the queue", sum, n)
	}
}

// One call looks at a share of the keys only, and the next one goes on.
func TestStraysWalkInBoundedSteps(t *testing.T) {
	t.Parallel()
	const jobs = 6000
	ctx := context.Background()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{Idempotent: idempotent})
	_, err := f.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range jobs {
			p.HSet(ctx, fmt.Sprintf("rq:job:done%d", i), "status", "finished", "origin", "q", "data", "x")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.seed(lostJobs)
	looked, suspected := int64(0), 0
	for steps := 1; ; steps++ {
		c := New(f.rdb, Options{Idempotent: idempotent}) // each time another process
		c.fixedTime = f.fixedTime
		f.rdb.Del(ctx, "docsvc:strays:owner")
		s := f.strays(c)
		if s.Looked > jobs/2 {
			t.Fatalf("one call looked at %d jobs", s.Looked)
		}
		looked, suspected = looked+s.Looked, suspected+s.Suspected
		if s.Ended {
			break
		}
		if steps > 100 {
			t.Fatal("the walk does not end")
		}
		f.now = f.now.Add(5 * time.Second)
	}
	if looked < jobs || suspected != 3 {
		t.Errorf("looked at %d of %d jobs, suspected %d of 3", looked, jobs, suspected)
	}
}
