package worker

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// die has a worker claim all of these jobs and never be heard of again.
func (r *rig) die(specs ...rq.Spec) {
	r.t.Helper()
	var names []string
	for _, s := range specs {
		r.enqueue(s)
		names = append(names, "dead."+s.ID)
	}
	// A lease that is soon over; the workers that live have their usual ones.
	short := rq.New(r.rdb, rq.Options{Lease: 100 * time.Millisecond})
	got, err := short.Claim(context.Background(), rq.ClaimRequest{Worker: names, Queues: []string{queueName}})
	if err != nil || len(got) != len(specs) {
		r.t.Fatalf("claimed %v, %v", got, err)
	}
	// Redis was reached all the time: there was no outage to wait out.
	if err := r.rdb.Set(context.Background(), "docsvc:pulse", time.Now().UnixMilli(), 0).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// TestFailureCallbacksOfDeadWorkers has two workers find the jobs of a dead
// one: each is told once.
func TestFailureCallbacksOfDeadWorkers(t *testing.T) {
	t.Parallel()
	v := newReceiver(t)
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	on := &rq.Callback{Func: "jobs.failed"}
	hooks := []rq.Webhook{{URL: v.URL + "/failed", Status: rq.StatusFailed, Method: "POST"}, {URL: v.URL + "/finished", Status: rq.StatusFinished}}
	specs := []rq.Spec{
		{ID: "again", Func: "jobs.ok", OnFailure: on, Webhooks: hooks, Retry: &rq.Retry{Max: 1}},
		{ID: "idempotent", Func: "idem", OnFailure: on, Webhooks: hooks},
		{ID: "unknown", Func: "jobs.ok", OnFailure: &rq.Callback{Func: "their.own"}},
	}
	const many = 20
	for i := range many {
		specs = append(specs, rq.Spec{ID: "bad" + string(rune('a'+i)), Func: "jobs.ok", OnFailure: on, Webhooks: hooks[:1]})
	}
	r.die(specs...)
	for _, name := range []string{"one", "other"} {
		c := r.likeJobs(r.config())
		c.Handlers, c.Name, c.Webhooks = append(c.Handlers, quick("idem")), name, true
		r.start(c)
	}
	for _, s := range specs {
		want := rq.StatusFailed
		if s.ID == "again" || s.ID == "idempotent" {
			want = rq.StatusFinished
		}
		r.await(s.ID, want)
	}
	r.until("all calls", func() bool { return len(r.calls()) >= many+2 && len(v.all()) >= many+2 })
	told := map[string]int{}
	for _, line := range r.calls() {
		told[strings.Join(strings.Fields(line)[:2], " ")]++
		if strings.HasPrefix(line, "failed") && !strings.Contains(line, "the worker that ran the job is gone: dead.") {
			t.Errorf("told %q", line)
		}
	}
	for _, s := range specs[3:] {
		if told["failed "+s.ID] != 1 {
			t.Errorf("%s was told %d times", s.ID, told["failed "+s.ID])
		}
	}
	if told["failed again"] != 1 || told["ran again"] != 1 || told["failed idempotent"] != 0 || told["failed unknown"] != 0 {
		t.Errorf("told: %v", told)
	}
	finished := 0
	for _, line := range v.all() {
		if strings.HasPrefix(line, "GET /finished") {
			finished++
		} else if !strings.Contains(line, `"status": "failed"`) || !strings.Contains(line, "AbandonedJobError") {
			t.Errorf("received %q", line)
		}
	}
	if got := len(v.all()); finished != 2 || got != many+2 {
		t.Errorf("%d requests, %d of them of finished jobs; want %d and 2", got, finished, many+2)
	}
	if lines := r.log.lines("the job of a dead worker names"); len(lines) != 1 || lines[0]["callback"] != "their.own" {
		t.Errorf("log %v", lines)
	}
}

// TestFailureCallbackAtTheLimit: the job that killed too many workers has failed.
func TestFailureCallbackAtTheLimit(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer), func(o *rq.Options) { o.RecoveryLimit = 1 })
	r.die(rq.Spec{ID: "poison", Func: "idem", OnFailure: &rq.Callback{Func: "jobs.failed"}})
	r.start(r.likeJobs(r.config()))
	r.await("poison", rq.StatusFailed)
	r.until("the call", func() bool { return len(r.calls()) == 1 })
}

// TestBadFailureCallbacksOfDeadWorkers: whatever they do the worker works on,
// and waits for them before it goes.
func TestBadFailureCallbacksOfDeadWorkers(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	var specs []rq.Spec
	for _, name := range []string{"panics", "hangs", "clumsy"} {
		specs = append(specs, rq.Spec{ID: name, Func: "jobs.ok", OnFailure: &rq.Callback{Func: "jobs." + name, Timeout: time.Second}})
	}
	r.die(specs...)
	c := r.likeJobs(r.config())
	hanging := make(chan string, 1)
	c.Callbacks["jobs.panics"] = func(context.Context, *rq.Job, Ending) error { panic("on purpose") }
	c.Callbacks["jobs.hangs"] = func(ctx context.Context, j *rq.Job, _ Ending) error {
		hanging <- j.ID
		<-ctx.Done()
		return context.Cause(ctx)
	}
	w := r.start(c)
	wait(t, "the callback that hangs", hanging)
	r.await(r.enqueue(rq.Spec{Func: "jobs.ok"}), rq.StatusFinished)
	w.Stop()
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if got := r.log.lines("callback failed"); len(got) != 3 {
		t.Errorf("log %v; want three callbacks that failed", got)
	}
}

// TestKilledWorkerTellsNobody: a cold stop does not wait for what is to be told.
func TestKilledWorkerTellsNobody(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	var specs []rq.Spec
	for _, id := range strings.Split("abcdefgh", "") {
		specs = append(specs, rq.Spec{ID: id, Func: "jobs.ok", OnFailure: &rq.Callback{Func: "jobs.hangs", Timeout: time.Hour}})
	}
	r.die(specs...)
	c := r.likeJobs(r.config())
	hanging := make(chan string, len(specs))
	c.Callbacks["jobs.hangs"] = func(ctx context.Context, j *rq.Job, _ Ending) error {
		hanging <- j.ID
		<-ctx.Done()
		return context.Cause(ctx)
	}
	w := r.start(c)
	for range mournersAtOnce {
		wait(t, "a callback", hanging)
	}
	for _, s := range specs {
		r.await(s.ID, rq.StatusFailed)
	}
	w.Kill()
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if n := len(hanging); n != 0 {
		t.Errorf("%d more were called", n)
	}
}

// TestAbandonedJobsCallBackAsInRQ has a cleaner of either side find executions
// whose worker of Python's died.
func TestAbandonedJobsCallBackAsInRQ(t *testing.T) {
	t.Parallel()
	jobs := []asked{{"id": "bad", "func": "ok", "failure": "failed"}, {"id": "again", "func": "ok", "failure": "failed", "retry": 1}}
	eachSide(t, jobs, func(t *testing.T, r *rig, bin string, python bool) {
		ctx := context.Background()
		for _, j := range jobs {
			id := j["id"].(string)
			_, err := r.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.LRem(ctx, "rq:queue:work", 0, id)
				p.HSet(ctx, "rq:job:"+id, "status", "started", "worker_name", "dead")
				p.ZAdd(ctx, "rq:wip:work", redis.Z{Score: 1, Member: id + ":e1"})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if python {
			r.python(bin, "work", asked{})
		} else {
			r.start(r.likeJobs(r.config()))
		}
		r.await("bad", rq.StatusFailed)
		r.await("again", rq.StatusFinished)
		r.until("all calls", func() bool { return len(r.calls()) >= 3 })
		var got []string
		for _, line := range r.calls() {
			got = append(got, strings.Join(strings.Fields(line)[:2], " "))
		}
		slices.Sort(got)
		if want := []string{"failed again", "failed bad", "ran again"}; !slices.Equal(got, want) {
			t.Errorf("called %q, want %q", got, want)
		}
	})
}
