package rq

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// Beside workers at work, with retries, delays, cancels and every periodic
// task, nothing is found that isn't there.
func TestFsckFindsNothingInALiveSystem(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		queues := []string{"high", "low"}
		o := Options{Idempotent: func(string) bool { return true }, Lease: 3 * time.Second}
		for i := range 3 {
			c := New(s.Client(t), o)
			name := fmt.Sprintf("w%d", i)
			if err := c.RegisterWorkers(ctx, []WorkerBirth{{Name: name, Queues: queues, Host: "h", PID: i + 1}}); err != nil {
				t.Fatal(err)
			}
			running.Go(func() { work(ctx, c, name, queues) })
		}
		producer := New(s.Client(t), o)
		running.Go(func() { produce(ctx, producer, queues) })
		running.Go(func() { tend(ctx, producer, queues) })

		c := New(s.Client(t), o)
		for range 4 {
			var undo bytes.Buffer
			r, err := c.Fsck(ctx, FsckOptions{Age: 400 * time.Millisecond, Rate: 50000, Fix: true, Undo: &undo})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Findings) > 0 || r.Jobs == 0 {
				t.Errorf("found in a healthy system (%d jobs seen):\n%s\n%+v", r.Jobs, findingTexts(r), r.Findings)
			}
		}
	})
}

func produce(ctx context.Context, c *Client, queues []string) {
	for i := 0; ctx.Err() == nil; i++ {
		s := Spec{Queue: queues[i%2], Func: "app.work", Retry: &Retry{Max: 2, Intervals: []time.Duration{time.Second}}}
		if i%5 == 0 {
			s.At = time.Now().Add(2 * time.Second)
		}
		j, err := c.Enqueue(ctx, s)
		if err == nil && i%7 == 0 {
			_, _ = c.Cancel(ctx, j.ID)
		}
		if i%50 == 0 {
			pause(ctx, 20*time.Millisecond)
		}
	}
}

func tend(ctx context.Context, c *Client, queues []string) {
	for ctx.Err() == nil {
		_, _, _ = c.MoveDue(ctx, queues, time.Time{})
		_, _ = c.RecoverExpired(ctx, queues)
		_, _ = c.Maintenance(ctx, queues)
		pause(ctx, 200*time.Millisecond)
	}
}

func work(ctx context.Context, c *Client, name string, queues []string) {
	for i := 0; ctx.Err() == nil; i++ {
		got, err := c.Claim(ctx, ClaimRequest{Worker: []string{name}, Queues: queues})
		if err != nil || len(got) == 0 {
			pause(ctx, 5*time.Millisecond)
			continue
		}
		beat := []Beat{{Execution: got[0].Execution, Timeout: got[0].Job.Timeout}}
		_, _ = c.Heartbeat(ctx, []WorkerBeat{{Name: name}}, beat)
		if i%20 == 0 {
			pause(ctx, 30*time.Millisecond)
		}
		kind := OutcomeFinish
		switch i % 6 {
		case 1:
			kind = OutcomeRetry
		case 2:
			kind = OutcomeReturnHead
		}
		_, _ = c.Finish(ctx, []Outcome{{Execution: got[0].Execution, Job: got[0].Job, Kind: kind, Error: "x"}})
	}
}

// A repair is not made when anything it rests on changed after it was planned.
func TestFsckLooksAgainBeforeItRepairs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:j1 status queued origin q data {call} enqueued_at 2026-11-23T11:00:00.000000Z
			HSET rq:job:j2 status queued origin q data {call} enqueued_at 2026-11-23T11:00:00.000000Z
			SADD rq:queues rq:queue:q`)
		ctx := context.Background()
		undo := &interfering{f: f, commands: "RPUSH rq:queue:q j1"}
		r, err := f.Fsck(ctx, FsckOptions{Age: time.Millisecond, Fix: true, NoOwnRuns: true, Undo: undo})
		if err != nil {
			t.Fatal(err)
		}
		var states []string
		for _, x := range r.Findings {
			states = append(states, x.JobID+" "+string(x.State))
		}
		if got := tidy(strings.Join(states, "\n")); got != "j1 changed\nj2 fixed" {
			t.Errorf("got %s", got)
		}
		if got := f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val(); fmt.Sprint(got) != "[j2 j1]" {
			t.Errorf("the queue is %v", got)
		}
		// What was not repaired is not undone; what has run on isn't either.
		f.seed(`LPOP rq:queue:q`)
		back, err := f.FsckRestore(ctx, strings.NewReader(undo.String()))
		if err != nil || back.Restored != 0 || len(back.Skipped) != 1 || !strings.Contains(back.Skipped[0], "rq:job:j2") {
			t.Errorf("restored %+v, %v", back, err)
		}
	})
}

// interfering changes Redis when the undo of j1's repair is written.
type interfering struct {
	bytes.Buffer
	f        *fixture
	commands string
}

func (x *interfering) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(`"job_id":"j1"`)) {
		x.f.seed(x.commands)
	}
	return x.Buffer.Write(b)
}

// What belongs to a job changes with it, and is undone with it: effects.
func TestFsckMovesWithEffects(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		o := Options{Idempotent: func(string) bool { return true }, Effects: func(tr Transition) Extra {
			mine := Guard{Key: "docsvc:doc:d", Field: "job_id", Is: tr.Job.ID}
			return Extra{Labels: map[string]string{"document": "d"}, Effects: []Effect{
				HSet("docsvc:doc:d", "status", string(tr.To), "step", tr.Reason).When(mine),
				ZRem("docsvc:docs:started", "d").When(mine), ZAdd("docsvc:docs:queued", 5, "d").When(mine),
			}}
		}}
		seed := `
			HSET rq:job:j1 status started origin q data {call} started_at 2026-11-23T11:00:00.000000Z worker_name w1
			SADD rq:queues rq:queue:q
			ZADD docsvc:docs:started 5 d`
		for owner, want := range map[string]string{
			"j1": `
				+ docsvc:doc:d status = queued
				+ docsvc:doc:d step = recovered
				+ docsvc:docs:queued d 5
				+ docsvc:events #0 document=d from=started job=j1 queue=q reason=fsck to=queued worker=w1
				+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
				+ rq:job:j1 status = queued
				+ rq:queue:q [j1]
				- docsvc:doc:d status = started
				- docsvc:docs:started d 5
				- rq:job:j1 status = started`,
			"another": `
				+ docsvc:events #0 document=d from=started job=j1 queue=q reason=fsck to=queued worker=w1
				+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
				+ rq:job:j1 status = queued
				+ rq:queue:q [j1]
				- rq:job:j1 status = started`,
		} {
			f := newFixture(t, s, o)
			f.seed(seed + "\nHSET docsvc:doc:d status started job_id " + owner)
			var undo string
			change := f.change(func() { _, undo = f.fsck(FsckOptions{Fix: true}) })
			wantChange(t, without(change, "docsvc:receipts"), want)
			change = f.change(func() {
				if _, err := f.FsckRestore(context.Background(), strings.NewReader(undo)); err != nil {
					t.Error(err)
				}
			})
			for _, l := range strings.Split(want, "\n") {
				if l = strings.TrimSpace(l); l == "" || strings.Contains(l, "docsvc:events") {
					continue
				}
				turned := map[byte]string{'+': "-", '-': "+"}[l[0]] + l[1:]
				if !strings.Contains(change, turned) {
					t.Errorf("undoing did not bring %q", turned)
				}
			}
		}
	})
}

// Only the queues asked for are looked at.
func TestFsckOfSomeQueues(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for _, q := range []string{"a", "b"} {
			f.seed(strings.ReplaceAll(`
				RPUSH rq:queue:Q gone
				ZADD rq:scheduled:Q 1795435900 gone
				ZADD rq:wip:Q 1795435000 jQ:e1
				ZADD docsvc:lease:Q 1795435000000 jQ:e2
				HSET rq:job:jQ status queued origin Q data {call}`, "Q", q))
		}
		r, _ := f.fsck(FsckOptions{Queues: []string{"b"}})
		want := tidy(`
			entry_without_job rq:queue:b gone
			entry_without_job rq:scheduled:b gone
			execution_of_other_state rq:wip:b jb
			lease_without_execution docsvc:lease:b jb
			queue_unlisted rq:queue:b`)
		if got := findingTexts(r); got != want {
			t.Errorf("found\n%s\nwant\n%s", got, want)
		}
	})
}

// The sieve never forgets, and is seldom wrong.
func TestSieve(t *testing.T) {
	t.Parallel()
	s := newSieve(20000)
	for i := range 20000 {
		s.add(fmt.Sprint("in", i))
	}
	wrong := 0
	for i := range 20000 {
		if !s.has(fmt.Sprint("in", i)) {
			t.Fatalf("forgot %d", i)
		}
		if s.has(fmt.Sprint("out", i)) {
			wrong++
		}
	}
	if wrong > 2 {
		t.Errorf("%d of 20000 taken for known", wrong)
	}
}

// That Redis may drop keys is named once, also beside other findings.
func TestFsckNamesTheEvictionPolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{})
	if err := f.rdb.ConfigSet(context.Background(), "maxmemory-policy", "allkeys-lru").Err(); err != nil {
		t.Fatal(err)
	}
	f.seed(`ZADD rq:canceled:q 5 gone`)
	r, _ := f.fsck(FsckOptions{Fix: true})
	if got := findingTexts(r); got != "entry_without_job rq:canceled:q gone\neviction_policy maxmemory-policy" || r.Remaining != 1 || r.Jobs != 0 {
		t.Errorf("found %s, %+v", got, r)
	}
}
