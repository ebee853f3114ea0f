package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestRedisKilledInTheMiddleOfAJob(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	g := newGate()
	w := r.start(r.config(g.handler("f")))
	id := r.enqueue(rq.Spec{Func: "f"})
	wait(t, "the job", g.begun)
	r.settleDisk()
	s.Kill()
	r.until("the outage in the log", func() bool { return len(r.log.lines("redis cannot serve")) == 1 })
	close(g.open) // the handler is done while there is nobody to tell
	r.until("the result to be kept", func() bool { return slices.Contains(w.outages.waits(), "finishing job "+id) })
	s.Restart(t)
	r.await(id, rq.StatusFinished)
	r.until("the end of the outage in the log", func() bool { return len(r.log.lines("redis serves again")) == 1 })
	if n := len(r.log.lines("redis cannot serve")); n != 1 {
		t.Errorf("%d lines about one outage; want 1:\n%s", n, r.log)
	}
	// The worker takes jobs again, under its name.
	r.await(r.enqueue(rq.Spec{Func: "f"}), rq.StatusFinished)
	if info := r.worker("w"); info == nil || info.PID == 0 {
		t.Errorf("the worker shows %+v after the outage; want it registered", info)
	}
}

func TestRedisDownAtStart(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	id := r.enqueue(rq.Spec{Func: "f"})
	r.settleDisk()
	s.Kill()
	r.start(r.config(quick("f")))
	r.until("the outage in the log", func() bool {
		lines := r.log.lines("redis cannot serve")
		return len(lines) == 1 && lines[0]["waiting"] == "registering"
	})
	s.Restart(t)
	r.await(id, rq.StatusFinished)
}

func TestStopWhileRedisIsDown(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	s.Kill()
	w := r.start(r.config(quick("f")))
	r.until("the outage in the log", func() bool { return len(r.log.lines("redis cannot serve")) == 1 })
	w.Stop()
	if err := w.end(); err != nil {
		t.Errorf("Run ended with %v; want nil", err)
	}
	if n := len(r.log.lines("redis serves again")); n != 0 {
		t.Errorf("the worker said that Redis serves again, which it does not:\n%s", r.log)
	}
}

// A worker that was at work when Redis went, and is stopped before it is back,
// doesn't say that it is back.
func TestStopInAnOutageIsNoEndOfIt(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	c := r.config(quick("f"))
	c.GiveUp = 50 * time.Millisecond
	w := r.start(c)
	r.await(r.enqueue(rq.Spec{Func: "f"}), rq.StatusFinished)
	// Without the answer to its end the job would stay in hand.
	r.until("the job's end to be heard", func() bool { return len(r.log.lines("job finished")) == 1 })
	s.Kill()
	r.until("all to wait for Redis", func() bool { return len(w.outages.waits()) >= 4 })
	if text := w.Status(); !strings.HasPrefix(text, "waiting for Redis (") {
		t.Errorf("its status is %q", text)
	}
	if stuck := w.Stuck(time.Minute); stuck != "" {
		t.Errorf("the %s counts as stuck while Redis is away", stuck)
	}
	w.Stop()
	if err := w.end(); err != nil {
		t.Errorf("Run ended with %v; want nil", err)
	}
	if n := len(r.log.lines("redis serves again")); n != 0 {
		t.Errorf("the worker said that Redis serves again, which it does not:\n%s", r.log)
	}
}

func TestKillWhileRedisIsDownGivesUp(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	g := newGate()
	c := r.config(g.handler("f"))
	c.GiveUp = 100 * time.Millisecond
	w := r.start(c)
	id := r.enqueue(rq.Spec{Func: "f"})
	wait(t, "the job", g.begun)
	s.Kill()
	w.Kill()
	if err := w.end(); err != nil {
		t.Errorf("Run ended with %v; want nil", err)
	}
	lines := r.log.lines("giving up reporting")
	if len(lines) != 1 || lines[0]["job"] != id {
		t.Errorf("log %v; want one line that names the job", lines)
	}
}

// settleDisk waits until the append-only file holds everything written so far.
func (r *rig) settleDisk() {
	r.t.Helper()
	ctx := context.Background()
	if err := r.rdb.ConfigSet(ctx, "appendfsync", "always").Err(); err != nil {
		r.t.Fatal(err)
	}
	if err := r.rdb.Set(ctx, "sync", 1, 0).Err(); err != nil {
		r.t.Fatal(err)
	}
}

// lossy does what it is asked and loses the first acknowledgements.
type lossy struct {
	*rq.Client
	lose atomic.Int64
}

var errLost = errors.New("the answer was lost")

func (l *lossy) Finish(ctx context.Context, o []rq.Outcome) ([]rq.Finished, error) {
	fin, err := l.Client.Finish(ctx, o)
	if err == nil && l.lose.Add(-1) >= 0 {
		return nil, errLost
	}
	return fin, err
}

func TestALostAcknowledgementIsNoLateFinish(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		settled := make(chan bool, 2)
		h := Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) {
			return Result{Value: "once", Settled: func(_ context.Context, accepted bool) { settled <- accepted }}, nil
		}}
		q := &lossy{Client: r.q}
		q.lose.Store(2)
		r.startOn(r.config(h), q)
		id := r.enqueue(rq.Spec{Func: "f"})
		if !wait(t, "Settled", settled) {
			t.Error("an accepted finish was called refused")
		}
		r.await(id, rq.StatusFinished)
		if n := r.rdb.XLen(context.Background(), "rq:results:"+id).Val(); n != 1 {
			t.Errorf("%d results; want 1", n)
		}
	})
}

func TestAResultThatCannotBeStoredFailsTheJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		h := Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) { return Result{Value: make(chan int)}, nil }}
		r.start(r.config(h))
		id := r.enqueue(rq.Spec{Func: "f"})
		r.until("the job's end", func() bool { return r.job(id).Status.Final() })
		// RQ stores "Unserializable return value" and calls the job finished;
		// either way it must end, and the worker must live.
		r.await(r.enqueue(rq.Spec{Func: "unknown"}), rq.StatusFailed)
	})
}

func TestOnConflictGivesAnotherResult(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		settled := make(chan string, 4)
		result := func(value, mark string, conds ...rq.Condition) Result {
			return Result{Value: value, Conditions: conds, Effects: []rq.Effect{rq.Set("mark", mark, 0)},
				Settled: func(_ context.Context, ok bool) { settled <- value }}
		}
		h := Handler{Func: "f", Run: func(_ context.Context, task *Task) (Result, error) {
			first := result("first", task.Job.ID, rq.Condition{ClaimKey: "claim", ClaimValue: task.Job.ID})
			first.OnConflict = func(_ context.Context, c *rq.ConditionError) (Result, error) {
				return result("second to "+c.Actual, "loser"), nil
			}
			return first, nil
		}}
		r.start(r.config(h))
		a := r.enqueue(rq.Spec{Func: "f"})
		r.await(a, rq.StatusFinished)
		b := r.enqueue(rq.Spec{Func: "f"})
		r.await(b, rq.StatusFinished)
		if x, y := wait(t, "Settled", settled), wait(t, "Settled", settled); x != "first" || y != "second to "+a {
			t.Errorf("settled %q and %q; want first and second to %s", x, y, a)
		}
		if got := r.rdb.Get(context.Background(), "mark").Val(); got != "loser" {
			t.Errorf("mark is %q; want the second result's effect", got)
		}
	})
}

func TestAConflictWithoutAnAnswerIsTransient(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var asked atomic.Int64
		conflict := rq.Condition{Guard: rq.Guard{Key: "missing"}}
		never := Handler{Func: "never", Run: func(context.Context, *Task) (Result, error) {
			return Result{Conditions: []rq.Condition{conflict}}, nil
		}}
		always := Handler{Func: "always", Run: func(context.Context, *Task) (Result, error) {
			res := Result{Conditions: []rq.Condition{conflict}}
			res.OnConflict = func(context.Context, *rq.ConditionError) (Result, error) { asked.Add(1); return res, nil }
			return res, nil
		}}
		r.start(r.config(never, always))
		for _, fn := range []string{"never", "always"} {
			id := r.enqueue(rq.Spec{Func: fn})
			r.await(id, rq.StatusFailed)
			if text := r.lastError(id); !strings.Contains(text, "could not be committed") {
				t.Errorf("%s: error %q", fn, text)
			}
		}
		if n := asked.Load(); n != maxConflicts {
			t.Errorf("asked %d times; want %d", n, maxConflicts)
		}
	})
}

func TestLoopsGoOnAfterErrorsAndPanics(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		runs := make(chan int, 100)
		var n int
		c := r.config(quick("f"))
		c.Loops = []Loop{{Name: "mine", Every: time.Millisecond, Run: func(context.Context) error {
			n++
			switch n {
			case 1:
				panic("first")
			case 2:
				return errors.New("second")
			case 3:
				runs <- n
			}
			return nil
		}}}
		r.start(c)
		wait(t, "the third run", runs)
		if len(r.log.lines("loop panicked")) != 1 || len(r.log.lines("loop failed")) != 1 {
			t.Errorf("log:\n%s\nwant one panic and one failure", r.log)
		}
	})
}

func TestSuspendedWorkersClaimNothingAndShowIt(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		ctx := context.Background()
		if err := r.rdb.Set(ctx, "rq:suspended", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		r.start(r.config(quick("f")))
		id := r.enqueue(rq.Spec{Func: "f"})
		r.until("the suspended state", func() bool { w := r.worker("w"); return w != nil && w.State == rq.WorkerSuspended })
		if j := r.job(id); j.Status != rq.StatusQueued {
			t.Errorf("the job is %s; want queued", j.Status)
		}
		if err := r.rdb.Del(ctx, "rq:suspended").Err(); err != nil {
			t.Fatal(err)
		}
		r.await(id, rq.StatusFinished)
		r.until("the idle state", func() bool { return r.worker("w").State == rq.WorkerIdle })
	})
}

func TestTakesOverFromADeadWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s, func(o *rq.Options) { o.Lease = 3 * time.Second })
		ctx := context.Background()
		idem := r.enqueue(rq.Spec{Func: "idem", Retry: &rq.Retry{Max: 2}})
		if got, err := r.q.Claim(ctx, rq.ClaimRequest{Worker: []string{"dead"}, Queues: []string{queueName}}); err != nil || len(got) != 1 {
			t.Fatalf("claimed %v, %v", got, err)
		}
		s.FastForward(4 * time.Second)
		var mu sync.Mutex
		left := -1
		h := Handler{Func: "idem", Idempotent: true, Run: func(_ context.Context, task *Task) (Result, error) {
			mu.Lock()
			defer mu.Unlock()
			left = *task.Job.RetriesLeft
			return Result{}, nil
		}}
		r.start(r.config(h))
		r.await(idem, rq.StatusFinished)
		mu.Lock()
		defer mu.Unlock()
		if left != 2 {
			t.Errorf("%d retries left; want 2, none spent", left)
		}
		r.until("the line of the recovery", func() bool { return len(r.log.lines("took a job back")) > 0 }) // which may come after the job's end
		r.until("the line of the recovery", func() bool { return len(r.log.lines("took a job back")) > 0 }) // which may come after the job's end
		if lines := r.log.lines("took a job back"); len(lines) != 1 || lines[0]["dead_worker"] != "dead" {
			t.Errorf("log %v; want one line that names the dead worker", lines)
		}
	})
}
