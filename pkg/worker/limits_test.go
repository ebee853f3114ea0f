package worker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TestLimitsAndStrategiesAsInRQ has a worker of either side run the same jobs
// and compares which it runs, in which order, before it ends by itself.
func TestLimitsAndStrategiesAsInRQ(t *testing.T) {
	t.Parallel()
	var jobs []asked
	for queue, n := range map[string]int{"a": 4, "b": 2, "c": 3} {
		for i := range n {
			jobs = append(jobs, asked{"queue": queue, "id": fmt.Sprint(queue, i), "func": "ok"})
		}
	}
	slices.SortFunc(jobs, func(x, y asked) int { return strings.Compare(x["id"].(string), y["id"].(string)) })
	for name, x := range map[string]struct {
		ask    asked
		change func(*Config)
		want   string
	}{
		"default":  {asked{}, func(c *Config) {}, "a0 a1 a2 a3 b0 b1 c0 c1 c2"},
		"rotating": {asked{"strategy": "round_robin"}, func(c *Config) { c.Strategy = StrategyRoundRobin }, "a0 b0 c0 a1 b1 c1 a2 c2 a3"},
		"three jobs": {asked{"strategy": "round_robin", "max_jobs": 3},
			func(c *Config) { c.Strategy, c.MaxJobs = StrategyRoundRobin, 3 }, "a0 b0 c0"},
		"burst does not wait": {asked{"max_idle_time": 600, "max_jobs": 50}, func(c *Config) { c.MaxIdle, c.MaxJobs = 10*time.Minute, 50 },
			"a0 a1 a2 a3 b0 b1 c0 c1 c2"},
		"two jobs without burst": {asked{"burst": false, "max_jobs": 2}, func(c *Config) { c.Burst, c.MaxJobs = false, 2 }, "a0 a1"},
		"idle": {asked{"burst": false, "max_idle_time": 1}, func(c *Config) { c.Burst, c.MaxIdle = false, time.Second },
			"a0 a1 a2 a3 b0 b1 c0 c1 c2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSide(t, jobs, func(t *testing.T, r *rig, bin string, python bool) {
				queues := []string{"a", "b", "c"}
				if python {
					x.ask["queues"] = queues
					r.python(bin, "work", x.ask)
				} else {
					c := r.likeJobs(r.config())
					c.Queues, c.KnownQueues, c.Burst = queues, queues, true
					x.change(&c)
					if err := r.start(c).end(); err != nil {
						t.Error(err)
					}
				}
				if got := strings.ReplaceAll(strings.Join(r.calls(), " "), "ran ", ""); got != x.want {
					t.Errorf("ran %s, want %s", got, x.want)
				}
			})
		})
	}
}

func TestRandomStrategyTakesFromAllQueues(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	c := r.likeJobs(r.config())
	c.Queues, c.Burst, c.Strategy, c.Concurrency = []string{"a", "b"}, true, StrategyRandom, 2
	c.KnownQueues = c.Queues
	for range 40 {
		for _, q := range c.Queues {
			r.enqueue(rq.Spec{Queue: q, Func: "jobs.ok", Description: q})
		}
	}
	if err := r.start(c).end(); err != nil {
		t.Error(err)
	}
	calls := r.calls()
	if len(calls) != 80 {
		t.Fatalf("%d jobs ran", len(calls))
	}
	first := map[string]int{}
	for _, line := range calls[:40] {
		first[r.job(strings.Fields(line)[1]).Queue]++
	}
	if first["a"] < 5 || first["b"] < 5 { // one in ten million by chance
		t.Errorf("of the first 40 jobs: %v", first)
	}
}

// TestMaxJobsOfSeveralSlots: the number is that of the worker, and the jobs in
// hand are finished.
func TestMaxJobsOfSeveralSlots(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		c := r.likeJobs(r.config())
		c.Concurrency, c.MaxJobs = 3, 4
		for range 9 {
			r.enqueue(rq.Spec{Func: "jobs.ok"})
		}
		if err := r.start(c).end(); err != nil {
			t.Error(err)
		}
		if n := len(r.calls()); n != 4 {
			t.Errorf("%d jobs ran", n)
		}
		info, err := r.q.QueueInfo(context.Background(), []string{queueName})
		if err != nil || len(info) != 1 || info[0].Length != 5 || info[0].Finished != 4 {
			t.Errorf("left: %+v, %v", info, err)
		}
		if all, err := r.q.Workers(context.Background()); err != nil || len(all) != 0 {
			t.Errorf("workers left: %+v, %v", all, err)
		}
	})
}

// TestIdleTimeStandsStill while a job runs and while workers are suspended.
func TestIdleTimeStandsStill(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	ctx := context.Background()
	g := newGate()
	c := r.config(g.handler("f"))
	c.MaxIdle, c.Concurrency = time.Second, 2
	id := r.enqueue(rq.Spec{Func: "f"})
	w := r.start(c)
	wait(t, "the job to begin", g.begun)
	still := func(while string) {
		t.Helper()
		select {
		case <-w.Done():
			t.Errorf("it ended %s", while)
		case <-time.After(1500 * time.Millisecond):
		}
	}
	still("while a job runs")
	if err := r.q.Suspend(ctx, 0); err != nil {
		t.Fatal(err)
	}
	close(g.open)
	r.await(id, rq.StatusFinished)
	still("while it is suspended")
	if _, err := r.q.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if len(r.log.lines("stopping: idle")) != 1 {
		t.Errorf("the log:\n%s", r.log)
	}
}

func TestLimitsAreChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	for want, change := range map[string]func(*Config){
		"-1":             func(c *Config) { c.MaxJobs = -1 },
		"-1s":            func(c *Config) { c.MaxIdle = -time.Second },
		"round_robin or": func(c *Config) { c.Strategy = "fair" },
	} {
		c := r.config()
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
