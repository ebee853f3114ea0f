package worker

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// tallied counts how often each job was run.
type tallied struct {
	mu   sync.Mutex
	runs map[string]int
}

func (c *tallied) count(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.runs == nil {
		c.runs = map[string]int{}
	}
	c.runs[id]++
}

func (c *tallied) of(id string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[id]
}

// full takes a redis-server to its maxmemory, and gives it room again.
func (r *rig) full(full bool) {
	r.t.Helper()
	limit := map[bool]string{true: "1", false: "0"}[full]
	if err := r.rdb.ConfigSet(context.Background(), "maxmemory", limit).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// lease is until when the execution of a job may not be taken from its worker.
func (r *rig) lease(e rq.Execution) float64 {
	return r.rdb.ZScore(context.Background(), "docsvc:lease:"+e.Queue, e.Member()).Val()
}

// Redis is full for longer than a lease, while jobs run and end: their results
// are kept until there is room, nobody takes them from their worker, and none
// runs or counts twice. The log says once what is the matter and what to do.
func TestAFullRedisLosesAndRepeatsNothing(t *testing.T) {
	t.Parallel()
	const lease = 3 * time.Second
	r := newRig(t, redistest.Start(t, redistest.RedisServer), func(o *rq.Options) { o.Lease = lease })
	g := newGate()
	var runs tallied
	h := g.handler("f")
	run := h.Run
	h.Run = func(ctx context.Context, task *Task) (Result, error) { runs.count(task.Job.ID); return run(ctx, task) }
	c := r.config(h)
	c.Concurrency = 2
	w := r.start(c)
	other := r.config(h) // looks for expired leases, too
	other.Name, other.Concurrency = "other", 1
	r.start(other)
	var ids []string
	for range 3 {
		ids = append(ids, r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 1}}))
	}
	begun := []*Task{wait(t, "a job", g.begun), wait(t, "a job", g.begun), wait(t, "a job", g.begun)}
	waits := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 1}})
	r.full(true)
	if _, err := r.q.Enqueue(context.Background(), rq.Spec{Queue: queueName, Func: "f"}); !rq.IsUnavailable(err) || !rq.IsFull(err) {
		t.Errorf("enqueueing: %v; want to hear that Redis is full", err)
	}
	before := r.lease(begun[0].Execution)
	close(g.open) // all are done while nothing can be stored
	mine := slices.DeleteFunc(slices.Clone(begun), func(task *Task) bool { return task.Execution.Worker == "other" })
	for _, task := range mine {
		r.until("the result to be kept", func() bool { return slices.Contains(w.outages.waits(), "finishing job "+task.Job.ID) })
	}
	r.until("leases to be renewed for two leases", func() bool {
		return r.lease(begun[0].Execution) > before+float64(2*lease.Milliseconds())
	})
	for _, id := range append(ids, waits) {
		if j := r.job(id); j.Status.Final() || j.Status == rq.StatusScheduled {
			t.Errorf("job %s became %s in a Redis that takes nothing", id, j.Status)
		}
	}
	r.full(false)
	for _, id := range append(ids, waits) {
		j := r.await(id, rq.StatusFinished)
		if *j.RetriesLeft != 1 || runs.of(id) != 1 {
			t.Errorf("job %s ran %d times and has %d retries left; want 1 and 1", id, runs.of(id), *j.RetriesLeft)
		}
	}
	r.until("the end of it in the log", func() bool { return len(r.log.lines("redis serves again")) == 2 })
	if n := len(r.log.lines("redis is full (maxmemory)")); n != 2 {
		t.Errorf("%d lines of two workers about one outage; want 2:\n%s", n, r.log)
	}
	tally, err := r.q.Tally(context.Background())
	if err != nil || tally != (rq.Tally{}) {
		t.Errorf("counted %+v, %v; want nothing to have gone wrong", tally, err)
	}
}

// Memory that comes and goes under load: what was accepted ends, once for each
// time that it was not taken from its worker.
func TestMemoryThatComesAndGoes(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	var runs tallied
	h := Handler{Func: "idem", Idempotent: true, Run: func(_ context.Context, task *Task) (Result, error) {
		runs.count(task.Job.ID)
		return Result{Effects: []rq.Effect{rq.HIncrBy("effects", task.Job.ID, 1)}}, nil
	}}
	for i := range 2 {
		c := r.config(h)
		c.Name, c.Concurrency = fmt.Sprint("w", i), 3
		r.start(c)
	}
	var accepted []string
	refused := 0
	for i := 0; len(accepted) < 150; i++ {
		r.full(i%5 < 2)
		id := fmt.Sprint("j", i)
		_, err := r.q.Enqueue(context.Background(), rq.Spec{ID: id, Queue: queueName, Func: "idem"})
		switch {
		case err == nil:
			accepted = append(accepted, id)
		case !rq.IsFull(err):
			t.Fatal(err)
		default:
			refused++
			if _, err := r.q.Job(context.Background(), id); err == nil {
				t.Errorf("job %s was refused and is there", id)
			}
		}
	}
	r.full(false)
	ran := 0
	for _, id := range accepted {
		r.await(id, rq.StatusFinished)
		ran += runs.of(id)
		if n, err := r.rdb.HGet(context.Background(), "effects", id).Int(); err != nil || n != 1 {
			t.Errorf("the effects of job %s were made %d times, %v", id, n, err)
		}
	}
	tally, err := r.q.Tally(context.Background())
	if err != nil || refused == 0 || int64(ran) != int64(len(accepted))+tally.Recovered {
		t.Errorf("%d jobs ran %d times, %d were taken from their workers, %d refused, %v", len(accepted), ran, tally.Recovered, refused, err)
	}
}
