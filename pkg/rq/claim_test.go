package rq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func (f *fixture) claim(workers ...string) []Claimed {
	f.t.Helper()
	got, err := f.Claim(context.Background(), ClaimRequest{Worker: workers, Queues: []string{"high", "q"}})
	if err != nil {
		f.t.Fatal(err)
	}
	return got
}

func ids(cs []Claimed) string {
	var s []string
	for _, c := range cs {
		s = append(s, c.Execution.Worker+"="+c.Job.ID)
	}
	return strings.Join(s, " ")
}

func TestClaimStartsTheJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob + `
			EXPIRE rq:job:j1 100
			RPUSH rq:queue:q j2
			RPUSH rq:queue:q:intermediate j1 j9
			HSET rq:worker:w1 state idle`)
		var got []Claimed
		wantChange(t, f.change(func() { got = f.claim("w1") }), `
			- rq:job:j1 status = queued
			- rq:job:j1 ttl 100
			- rq:queue:q [j1 j2]
			- rq:queue:q:intermediate [j1 j9]
			- rq:worker:w1 state = idle
			+ docsvc:events #0 execution=<id> from=queued job=j1 queue=q reason=claimed to=started worker=w1
			+ docsvc:lease:q j1:<id> 1795435212250
			+ docsvc:worker:w1 execution = j1:<id>
			+ docsvc:worker:w1 queue = q
			+ docsvc:worker:w1 ttl 86400
			+ rq:execution:j1:<id> created_at = 1795435200.25
			+ rq:execution:j1:<id> id = <id>
			+ rq:execution:j1:<id> last_heartbeat = 1795435200.25
			+ rq:execution:j1:<id> ttl 90
			+ rq:execution:j1:<id> worker_name = w1
			+ rq:executions:j1 <id> 1795435350
			+ rq:executions:j1 ttl 150
			+ rq:job:j1 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 started_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = started
			+ rq:job:j1 worker_name = w1
			+ rq:queue:q [j2]
			+ rq:queue:q:intermediate [j9]
			+ rq:wip:q j1:<id> 1795435290
			+ rq:worker:w1 current_job = j1
			+ rq:worker:w1 current_job_working_time = 0
			+ rq:worker:w1 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w1 state = busy
			+ rq:worker:w1 ttl 90`)
		if len(got) != 1 {
			t.Fatalf("claimed %d jobs", len(got))
		}
		j, e := got[0].Job, got[0].Execution
		if j.ID != "j1" || j.Func != "app.work" || fmt.Sprint(j.Args) != "[1]" || j.Status != StatusStarted || j.PayloadErr != nil {
			t.Errorf("job = %+v", j)
		}
		if e.JobID != "j1" || e.Queue != "q" || e.Worker != "w1" || !e.StartedAt.Equal(f.now) || len(e.ID) != 32 {
			t.Errorf("execution = %+v", e)
		}
	})
}

// What the list holds is not always a job that waits to be started.
func TestClaimDropsEntriesThatMustNotStart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		dropped := 0
		for _, status := range []string{"started", "finished", "failed", "deferred", "scheduled", "stopped", "canceled", "ready_to_enqueue"} {
			f.seed("HSET rq:job:x status " + status + " data {call}\nRPUSH rq:queue:q x")
			before := f.change(func() {
				if got := f.claim("w1"); len(got) != 0 {
					t.Errorf("a %s job was started", status)
				}
			})
			dropped++
			want := fmt.Sprintf("- docsvc:dropped q = %d\n- rq:queue:q [x]\n+ docsvc:dropped q = %d", dropped-1, dropped)
			if dropped == 1 {
				want = "- rq:queue:q [x]\n+ docsvc:dropped q = 1"
			}
			wantChange(t, before, want)
		}
		f.rdb.FlushDB(context.Background())
		f.seed(queuedJob + `
			SET rq:job:text x
			LPUSH rq:queue:q missing text '' with:colon`)
		if got := ids(f.claim("w1")); got != "w1=j1" {
			t.Errorf("claimed %q", got)
		}
		if n := f.rdb.HGet(context.Background(), "docsvc:dropped", "q").Val(); n != "4" {
			t.Errorf("dropped = %s, want 4", n)
		}
	})
}

func TestClaimTakesCreatedAndStatuslessJobs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:a status created data {call}
			HSET rq:job:b data {call}
			HSET rq:job:c status '' data {call}
			HSET rq:job:d last_heartbeat x
			RPUSH rq:queue:q a b c d`)
		got := f.claim("w1", "w2", "w3", "w4", "w5")
		if ids(got) != "w1=a w2=b w3=c w4=d" {
			t.Errorf("claimed %q", ids(got))
		}
		if got[3].Job.PayloadErr == nil || got[0].Job.Queue != "q" {
			t.Errorf("jobs = %+v %+v", got[3].Job, got[0].Job)
		}
	})
}

func TestClaimGoesByPriorityAndFillsSlots(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for _, id := range []string{"q1", "q2", "h1", "h2"} {
			q := map[byte]string{'q': "q", 'h': "high"}[id[0]]
			f.seed("HSET rq:job:" + id + " status queued data {call}\nRPUSH rq:queue:" + q + " " + id)
		}
		if got := ids(f.claim("w1", "w2", "w3")); got != "w1=h1 w2=h2 w3=q1" {
			t.Errorf("claimed %q", got)
		}
		if got := f.rdb.LRange(context.Background(), "rq:queue:q", 0, -1).Val(); fmt.Sprint(got) != "[q2]" {
			t.Errorf("left %v", got)
		}
	})
}

func TestClaimTakesNothingWhileSuspended(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob + "\nSET rq:suspended 1")
		wantChange(t, f.change(func() { f.claim("w1") }), "")
	})
}

func TestClaimPassesByAQueueKeyOfAnotherTypeAndSaysSo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		var log bytes.Buffer
		f := newFixture(t, s, Options{Log: zerolog.New(&log)})
		f.seed(queuedJob + "\nSET rq:queue:high x")
		if got := ids(f.claim("w1", "w2")); got != "w1=j1" {
			t.Errorf("claimed %q", got)
		}
		if got := log.String(); strings.Count(got, "rq:queue:high") != 1 {
			t.Errorf("logged %q", got)
		}
	})
}

// Keys of the wrong type beside the job are counted and do not stop it.
func TestClaimSurvivesWrongTypes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob + `
			SET rq:worker:w1 x
			SET rq:executions:j1 x
			SET docsvc:events x
			SET docsvc:worker:w1 x
			SET rq:queue:q:intermediate x`)
		if got := ids(f.claim("w1")); got != "w1=j1" {
			t.Errorf("claimed %q", got)
		}
		ctx := context.Background()
		if n := f.rdb.ZCard(ctx, "rq:wip:q").Val(); n != 1 {
			t.Errorf("rq:wip has %d", n)
		}
		if n := f.rdb.HLen(ctx, "docsvc:refused").Val(); n == 0 {
			t.Error("the refused writes were not counted")
		}
	})
}

func TestClaimTTLFollowsTheTimeout(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for timeout, want := range map[string]float64{"5": 65, "30": 90, "3600": 90, "-1": 90, "0": 90, "1h": 90, "zz": 90, "''": 90} {
			f.rdb.FlushDB(context.Background())
			f.seed("HSET rq:job:j1 status queued data {call} timeout " + timeout + "\nRPUSH rq:queue:q j1")
			c := f.claim("w1")
			if got := f.rdb.ZScore(context.Background(), "rq:wip:q", c[0].Execution.Member()).Val() - noonSec; got != want {
				t.Errorf("timeout %s: wip score is now+%v, want now+%v", timeout, got, want)
			}
		}
	})
}

// A reply that got lost: the client asks again with the same execution ids.
func TestClaimRepeatedGivesTheSameJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(queuedJob + "\nHSET rq:job:j2 status queued data {call}\nRPUSH rq:queue:q j2")
		first := f.claim("w1")
		f.slots.asked["w1"] = first[0].Execution.ID // as if the answer had not come
		f.now = f.now.Add(time.Second)
		wantChange(t, f.change(func() {
			again := f.claim("w1")
			if len(again) != 1 || again[0].Execution.Member() != first[0].Execution.Member() {
				t.Errorf("second claim gave %q", ids(again))
			}
		}), `
			- docsvc:lease:q j1:<id> 1795435212250
			+ docsvc:lease:q j1:<id> 1795435213250`)

		// Once the job was taken away it is not given back.
		f.rdb.ZRem(context.Background(), "rq:wip:q", first[0].Execution.Member())
		f.slots.asked["w1"] = first[0].Execution.ID
		if got := ids(f.claim("w1")); got != "w1=j2" {
			t.Errorf("third claim gave %q", got)
		}
	})
}

func TestClaimKeepsItsExecutionIDUntilAnswered(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Miniredis)
	f := newFixture(t, s, Options{})
	f.seed(queuedJob)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w1"}, Queues: []string{"q"}}); err == nil {
		t.Fatal("no error from a canceled claim")
	}
	asked := f.slots.asked["w1"]
	got := f.claim("w1")
	if asked == "" || len(got) != 1 || got[0].Execution.ID != asked {
		t.Errorf("asked as %q, then claimed %+v", asked, got)
	}
	if f.slots.asked["w1"] != "" {
		t.Error("the id is still kept after the answer")
	}
}

func TestClaimDoesNotLoadHugePayloads(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed(queuedJob)
		f.rdb.HSet(ctx, "rq:job:j1", "data", strings.Repeat("x", loadLimit+1), "meta", strings.Repeat("y", loadLimit+1))
		c := f.claim("w1")
		if len(c) != 1 || !c[0].DataTooLarge || c[0].Job.Func != "" || c[0].Job.Extra["data"] != "" || c[0].Job.Extra["meta"] != "" {
			t.Fatalf("claimed %+v", c)
		}
		if c[0].Job.Timeout != 3*time.Minute {
			t.Errorf("the other fields are missing: %+v", c[0].Job)
		}
		if n := f.rdb.HStrLen(ctx, "rq:job:j1", "data").Val(); n != loadLimit+1 {
			t.Errorf("payload is now %d bytes", n)
		}
	})
}

func TestManyClaimersStartEachJobOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		const jobs, claimers = 200, 8
		f := newFixture(t, s, Options{})
		specs := make([]Spec, jobs)
		for i := range specs {
			specs[i] = Spec{ID: fmt.Sprintf("j%d", i), Queue: "q", Func: "app.work"}
		}
		if _, err := f.EnqueueMany(context.Background(), specs); err != nil {
			t.Fatal(err)
		}
		// Every id is in the list twice, as after a careless producer.
		for i := range specs {
			f.rdb.RPush(context.Background(), "rq:queue:q", specs[i].ID)
		}
		var mu sync.Mutex
		started := map[string]int{}
		var wg sync.WaitGroup
		for n := range claimers {
			c := New(s.Client(t), Options{})
			wg.Go(func() {
				for {
					got, err := c.Claim(context.Background(), ClaimRequest{
						Worker: []string{fmt.Sprintf("a%d", n), fmt.Sprintf("b%d", n)}, Queues: []string{"q"},
					})
					if err != nil {
						t.Error(err)
						return
					}
					if len(got) == 0 {
						return
					}
					mu.Lock()
					for _, x := range got {
						started[x.Job.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if len(started) != jobs {
			t.Errorf("%d jobs were started, want %d", len(started), jobs)
		}
		for id, n := range started {
			if n != 1 {
				t.Errorf("%s was started %d times", id, n)
			}
		}
	})
}

// RQ's registries go by a job's origin, wherever it was taken from. Whoever
// cancels it looks there for its execution.
func TestClaimOfAJobFromAnotherQueueIsOfItsOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed("HSET rq:job:j1 status queued origin own data {call} timeout 180\nRPUSH rq:queue:other j1\nRPUSH rq:queue:own j2\nRPUSH rq:queue:other:intermediate j1")
		got, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w1"}, Queues: []string{"other"}})
		if err != nil || len(got) != 1 || got[0].Execution.Queue != "own" {
			t.Fatalf("claimed %+v, %v", got, err)
		}
		member := got[0].Execution.Member()
		if f.rdb.ZScore(ctx, keyWIP("own"), member).Err() != nil || f.rdb.ZScore(ctx, f.keyLease("own"), member).Err() != nil {
			t.Error("the execution is not of the job's own queue")
		}
		if n := f.rdb.Exists(ctx, keyWIP("other"), f.keyLease("other"), keyQueue("other"), keyIntermediate("other")).Val(); n != 0 {
			t.Errorf("%d keys of the other queue are left", n)
		}
		if n := f.rdb.LLen(ctx, keyQueue("own")).Val(); n != 1 {
			t.Errorf("its own queue has %d entries, want the one of another job", n)
		}
		if _, err := f.Cancel(ctx, "j1"); err != nil {
			t.Fatal(err)
		}
		done, err := f.Finish(ctx, []Outcome{{Execution: got[0].Execution, Job: got[0].Job, Kind: OutcomeFinish}})
		if err != nil || !errors.Is(done[0].Err, ErrLateFinish) {
			t.Errorf("a canceled job was finished: %+v, %v", done, err)
		}
	})
}
