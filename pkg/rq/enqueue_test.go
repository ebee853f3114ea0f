package rq

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

const blankFields = `
	+ rq:job:j1 ended_at =
	+ rq:job:j1 failure_callback_name =
	+ rq:job:j1 group_id =
	+ rq:job:j1 last_heartbeat =
	+ rq:job:j1 started_at =
	+ rq:job:j1 stopped_callback_name =
	+ rq:job:j1 success_callback_name =
	+ rq:job:j1 worker_name =
	+ rq:job:j1 created_at = 2026-11-23T12:00:00.250000Z
	+ rq:job:j1 origin = q
	+ rq:queues rq:queue:q
	+ docsvc:receipts <id>:1 1795435200250
`

func TestEnqueue(t *testing.T) {
	t.Parallel()
	minute, forever := time.Minute, time.Duration(-1)
	cases := []struct {
		name, seed string
		spec       Spec
		options    Options
		want       string
	}{{
		name: "plain", spec: Spec{Func: "app.work", Args: []any{1, "x"}, Kwargs: map[string]any{"k": nil}},
		want: `
			+ docsvc:events #0 job=j1 queue=q reason=enqueued to=queued
			+ rq:job:j1 data = pickle app.work(1, 'x', k=None)
			+ rq:job:j1 description = app.work(1, 'x', k=None)
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:job:j1 timeout = 180
			+ rq:queue:q [j1]`,
	}, {
		name: "every setting", seed: "HSET rq:job:j0 status queued\nRPUSH rq:queue:q j0",
		spec: Spec{
			Func: "app.work", Serializer: JSON, Description: "d", Meta: map[string]any{"k": 1}, Timeout: -1, AtFront: true,
			ResultTTL: &forever, FailureTTL: ptr(90 * time.Second), TTL: &minute,
			Retry:   &Retry{Max: 3, Intervals: []time.Duration{10 * time.Second, time.Minute}, AtFront: true},
			Effects: []Effect{HSet("doc", "a", "b")}, Conditions: []Condition{{ClaimKey: "claim", ClaimValue: "me"}},
		},
		want: `
			- rq:queue:q [j0]
			+ claim = me
			+ doc a = b
			+ docsvc:events #0 job=j1 queue=q reason=enqueued to=queued
			+ rq:job:j1 data = json app.work()
			+ rq:job:j1 description = d
			+ rq:job:j1 enqueue_at_front_on_retry = 1
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 failure_ttl = 90
			+ rq:job:j1 meta = json {'k': 1}
			+ rq:job:j1 result_ttl = -1
			+ rq:job:j1 retries_left = 3
			+ rq:job:j1 retry_intervals = [10, 60]
			+ rq:job:j1 status = queued
			+ rq:job:j1 timeout = -1
			+ rq:job:j1 ttl = 60
			+ rq:job:j1 ttl 60
			+ rq:queue:q [j1 j0]`,
	}, {
		name: "the queue's defaults", spec: Spec{Func: "app.work"},
		options: Options{Queues: map[string]QueueDefaults{"q": {
			Timeout: 30 * time.Minute, ResultTTL: 24 * time.Hour, FailureTTL: 30 * 24 * time.Hour,
			Retry: &Retry{Max: 2},
		}}},
		want: `
			+ docsvc:events #0 job=j1 queue=q reason=enqueued to=queued
			+ rq:job:j1 data = pickle app.work()
			+ rq:job:j1 description = app.work()
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 failure_ttl = 2592000
			+ rq:job:j1 result_ttl = 86400
			+ rq:job:j1 retries_left = 2
			+ rq:job:j1 retry_intervals = [0]
			+ rq:job:j1 status = queued
			+ rq:job:j1 timeout = 1800
			+ rq:queue:q [j1]`,
	}, {
		name: "for later", spec: Spec{Func: "app.work", At: noon.Add(90 * time.Second), AtFront: true},
		want: `
			+ docsvc:events #0 job=j1 queue=q reason=scheduled to=scheduled
			+ rq:job:j1 data = pickle app.work()
			+ rq:job:j1 description = app.work()
			+ rq:job:j1 enqueue_at_front = 1
			+ rq:job:j1 status = scheduled
			+ rq:job:j1 timeout = 180
			+ rq:scheduled:q j1 1795435290`,
	}, {
		name: "again after a final job of that id", spec: Spec{Func: "app.work", Unique: UniqueActive},
		seed: `
			HSET rq:job:j1 status failed origin q ended_at then retries_left 0
			EXPIRE rq:job:j1 1000
			ZADD rq:failed:q 5 j1 6 j2
			HSET docsvc:recovered j1 4`,
		want: `
			- docsvc:recovered j1 = 4
			- rq:failed:q j1 5
			- rq:job:j1 ended_at = then
			- rq:job:j1 retries_left = 0
			- rq:job:j1 status = failed
			- rq:job:j1 ttl 1000
			+ docsvc:events #0 from=failed job=j1 queue=q reason=enqueued to=queued
			+ rq:job:j1 data = pickle app.work()
			+ rq:job:j1 description = app.work()
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:job:j1 timeout = 180
			+ rq:queue:q [j1]`,
	}, {
		name: "over an active job of that id, as RQ does it", spec: Spec{Func: "app.work"},
		seed: "HSET rq:job:j1 status started origin q own x",
		want: `
			- rq:job:j1 status = started
			+ docsvc:events #0 from=started job=j1 queue=q reason=enqueued to=queued
			+ rq:job:j1 data = pickle app.work()
			+ rq:job:j1 description = app.work()
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:job:j1 timeout = 180
			+ rq:queue:q [j1]`,
	}}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, c.options)
				f.seed(c.seed)
				spec := c.spec
				spec.ID, spec.Queue = "j1", "q"
				got := f.change(func() {
					j, err := f.Enqueue(context.Background(), spec)
					if err != nil {
						t.Fatal(err)
					}
					read, err := f.Job(context.Background(), "j1")
					if err != nil {
						t.Fatal(err)
					}
					if j.Status != read.Status || j.Timeout != read.Timeout || !j.CreatedAt.Equal(read.CreatedAt) ||
						!j.EnqueuedAt.Equal(read.EnqueuedAt) || fmt.Sprint(j.RetryIntervals) != fmt.Sprint(read.RetryIntervals) {
						t.Errorf("returned %+v\nread back %+v", j, read)
					}
				})
				blanks := blankFields
				if strings.Contains(c.seed, "origin") {
					blanks = without(blanks, "origin")
				}
				wantChange(t, got, blanks+c.want)
			})
		}
	})
}

func TestEnqueueUniqueRefusesAndReturnsTheJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for status, blocks := range map[string]map[Unique]bool{
			"queued": {UniqueActive: true, UniqueAny: true}, "started": {UniqueActive: true, UniqueAny: true},
			"scheduled": {UniqueActive: true, UniqueAny: true}, "deferred": {UniqueActive: true, UniqueAny: true},
			"rate_limited": {UniqueActive: true, UniqueAny: true},
			"finished":     {UniqueAny: true}, "failed": {UniqueAny: true}, "stopped": {UniqueAny: true}, "canceled": {UniqueAny: true},
		} {
			for _, u := range []Unique{UniqueNo, UniqueActive, UniqueAny} {
				f.rdb.FlushDB(context.Background())
				f.seed("HSET rq:job:j1 origin q own x data {call} status " + status)
				var j *Job
				var err error
				change := f.change(func() {
					j, err = f.Enqueue(context.Background(), Spec{ID: "j1", Queue: "q", Func: "app.other", Unique: u,
						Effects: []Effect{SetNX("effect", "1")}})
				})
				if blocks[u] != errors.Is(err, ErrActive) || (err != nil) != blocks[u] {
					t.Errorf("%s, unique %d: %v", status, u, err)
				}
				if blocks[u] && (change != "" || j == nil || j.Func != "app.work" || string(j.Status) != status) {
					t.Errorf("%s, unique %d: returned %+v and changed\n%s", status, u, j, change)
				}
			}
		}
	})
}

func TestEnqueueRefusesWrongTypesAndConditions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for seed, check := range map[string]func(error) bool{
			"SET rq:queue:q x": func(err error) bool { var k *KeyError; return errors.As(err, &k) && k.Key == "rq:queue:q" },
			"SET rq:job:j1 x":  func(err error) bool { var k *KeyError; return errors.As(err, &k) && k.Key == "rq:job:j1" },
			"SET claim other":  func(err error) bool { var c *ConditionError; return errors.As(err, &c) && c.Actual == "other" },
		} {
			f := newFixture(t, s, Options{})
			f.seed(seed)
			wantChange(t, f.change(func() {
				_, err := f.Enqueue(context.Background(), Spec{ID: "j1", Queue: "q", Func: "app.work",
					Conditions: []Condition{{ClaimKey: "claim", ClaimValue: "me"}}})
				if !check(err) {
					t.Errorf("%s: %v", seed, err)
				}
			}), "")
		}
	})
}

func TestEnqueueRefusesBadSpecs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.Miniredis)
	f := newFixture(t, s, Options{})
	negative := -time.Second
	for name, spec := range map[string]Spec{
		"id with a colon":   {ID: "a:b", Queue: "q", Func: "f"},
		"no queue":          {Func: "f"},
		"comma in queue":    {Queue: "a,b", Func: "f"},
		"no function":       {Queue: "q"},
		"ttl":               {Queue: "q", Func: "f", TTL: &negative},
		"negative interval": {Queue: "q", Func: "f", Retry: &Retry{Max: 1, Intervals: []time.Duration{-1}}},
		"argument":          {Queue: "q", Func: "f", Args: []any{make(chan int)}},
		"meta":              {Queue: "q", Func: "f", Meta: map[string]any{"a": make(chan int)}},
	} {
		wantChange(t, f.change(func() {
			if _, err := f.Enqueue(context.Background(), spec); err == nil {
				t.Errorf("%s: no error", name)
			}
		}), "")
	}
}

// The same script call twice, as go-redis repeats it when the reply is lost.
func TestEnqueueRepeatedEnqueuesOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		fields := []string{"origin", "q", "data", "x"}
		send := func() reply {
			tp := f.tape().str("token").num(2)
			for _, id := range []string{"j1", "j2"} {
				tp.str(id, "q", "active", "").flag(false).str("").list(nil).list(fields).str("enqueued").labels(nil)
				var cond []Condition
				if id == "j2" {
					cond = []Condition{{Guard: Guard{Key: "never"}}}
				}
				tp.conditions(cond).effects([]Effect{HIncrBy("n", id, 1)})
			}
			r, err := f.run(context.Background(), call{scriptEnqueue, nil, tp})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		first := send()
		wantChange(t, f.change(func() {
			again := send()
			if fmt.Sprint(first) != fmt.Sprint(again) || again.at(0).at(0).text() != "ok" || again.at(1).at(0).text() != "condition" {
				t.Errorf("first %v, then %v", first, again)
			}
		}), "")
	})
}

func TestEnqueueManyInOrder(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed("HSET rq:job:j7 status queued")
		specs := make([]Spec, batch+20)
		for i := range specs {
			specs[i] = Spec{ID: fmt.Sprintf("j%d", i), Queue: "q", Func: "app.work", Args: []any{i}, Unique: UniqueActive}
		}
		jobs, err := f.EnqueueMany(ctx, specs)
		if !errors.Is(err, ErrActive) || len(jobs) != len(specs) || jobs[7] != nil || jobs[8] == nil {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		list := f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val()
		if len(list) != len(specs)-1 || list[0] != "j0" || list[7] != "j8" || list[len(list)-1] != fmt.Sprintf("j%d", len(specs)-1) {
			t.Errorf("%d on the queue: %v...", len(list), list[:10])
		}
	})
}

// weighing notes how many bytes each script was given.
type weighing struct{ sent *[]int }

func (h weighing) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h weighing) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h weighing) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		n := 0
		for _, arg := range cmd.Args() {
			if text, ok := arg.(string); ok {
				n += len(text)
			}
		}
		*h.sent = append(*h.sent, n)
		return next(ctx, cmd)
	}
}

// Redis holds what a script is given in memory, and drops a client that sends
// too much at once.
func TestEnqueueManyLargeJobs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		noise := make([]byte, 3<<20) // payloads are packed
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		specs := make([]Spec, 8)
		for i := range specs {
			specs[i] = Spec{ID: fmt.Sprintf("j%d", i), Queue: "q", Func: "app.work", Args: []any{noise}}
		}
		specs[3].Args = []any{bytes.Repeat(noise, 3)} // more than a round trip takes
		var sent []int
		f.rdb.AddHook(weighing{sent: &sent})
		jobs, err := f.EnqueueMany(ctx, specs)
		if err != nil || len(jobs) != len(specs) {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		over := 0
		for _, n := range sent {
			if n > 10<<20 {
				t.Errorf("a script was given %d bytes", n)
			} else if n > batchBytes {
				over++
			}
		}
		if over > 2 { // the large job, sent again where Redis did not know the script
			t.Errorf("bytes sent: %v", sent)
		}
		list := f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val()
		if len(list) != len(specs) {
			t.Fatalf("%d on the queue", len(list))
		}
		for i, id := range list {
			if jobs[i].ID != id || id != specs[i].ID {
				t.Errorf("%d on the queue is %s, %s was answered", i, id, jobs[i].ID)
			}
		}
	})
}
