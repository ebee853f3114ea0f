package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestRunsAJobAndLogsItsIDs(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		h := Handler{
			Func: "double",
			Run: func(_ context.Context, task *Task) (Result, error) {
				task.Log.Info().Msg("in the handler")
				return Result{Value: task.Job.Args[0].(int64) * 2}, nil
			},
			Fields: func(j *rq.Job) map[string]string { return map[string]string{"document": fmt.Sprint(j.Args[0])} },
		}
		r.start(r.config(h))
		id := r.enqueue(rq.Spec{Func: "double", Args: []any{int64(21)}})
		r.await(id, rq.StatusFinished)
		res, err := r.q.LatestResult(context.Background(), id)
		if err != nil || res == nil || res.Value != int64(42) {
			t.Fatalf("result %+v, %v; want 42", res, err)
		}
		r.until("the last line of the job", func() bool { return len(r.log.lines("job finished")) == 1 })
		for _, msg := range []string{"job started", "in the handler", "job finished"} {
			lines := r.log.lines(msg)
			if len(lines) != 1 || lines[0]["job"] != id || lines[0]["document"] != "21" {
				t.Errorf("%q: lines %v; want one with job %s and document 21", msg, lines, id)
			}
		}
	})
}

func TestSlotsRunAtOnceUnderTheirOwnNames(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		c := r.config(g.handler("f"))
		c.Concurrency = 3
		w := r.start(c)
		var ids []string
		for range 4 {
			ids = append(ids, r.enqueue(rq.Spec{Func: "f"}))
		}
		names := map[string]bool{}
		for range 3 {
			names[wait(t, "a job to begin", g.begun).Execution.Worker] = true
		}
		if len(names) != 3 || !names["w.1"] || !names["w.2"] || !names["w.3"] {
			t.Errorf("jobs ran under %v; want w.1, w.2 and w.3", names)
		}
		for name := range names {
			if info := r.worker(name); info == nil || info.State != rq.WorkerBusy || info.CurrentJob == "" {
				t.Errorf("worker %s shows %+v; want busy with a job", name, info)
			}
		}
		if j := r.job(ids[3]); j.Status != rq.StatusQueued {
			t.Errorf("the fourth job is %s with three slots; want queued", j.Status)
		}
		close(g.open)
		for _, id := range ids {
			r.await(id, rq.StatusFinished)
		}
		r.until("idle slots", func() bool {
			for name := range names {
				if r.worker(name).State != rq.WorkerIdle {
					return false
				}
			}
			return true
		})
		w.Stop()
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		for name := range names {
			if n := r.rdb.SIsMember(context.Background(), "rq:workers", "rq:worker:"+name).Val(); n {
				t.Errorf("%s is still registered after Run returned", name)
			}
		}
	})
}

func TestJobsAreNotRunLongerThanTheirTimeout(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		r.start(r.config(g.handler("f")))
		id := r.enqueue(rq.Spec{Func: "f", Timeout: time.Second, Retry: &rq.Retry{Max: 3}})
		if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrTimeout) {
			t.Errorf("the context ended with %v; want ErrTimeout", cause)
		}
		r.await(id, rq.StatusFailed)
		if text := r.lastError(id); !strings.Contains(text, "longer than its timeout of 1s") {
			t.Errorf("error %q does not name the timeout", text)
		}
	})
}

func TestHowErrorsAreTreated(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		err  error
		runs int64
	}{
		{"a plain error is transient", errors.New("oops"), 3},
		{"transient", &Failure{Class: Transient, Code: "x", Err: errors.New("oops")}, 3},
		{"permanent", &Failure{Class: Permanent, Code: "x", Err: errors.New("oops")}, 1},
		{"wrapped permanent", fmt.Errorf("around: %w", &Failure{Class: Permanent, Code: "x", Err: errors.New("oops")}), 1},
		{"resource", &Failure{Class: Resource, Code: "x", Err: errors.New("oops")}, 1},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var c Config
		counts := make([]atomic.Int64, len(cases))
		for i, tc := range cases {
			c.Handlers = append(c.Handlers, Handler{Func: fmt.Sprint("f", i), Run: func(context.Context, *Task) (Result, error) {
				counts[i].Add(1)
				return Result{}, tc.err
			}})
		}
		r.start(r.config(c.Handlers...))
		for i, tc := range cases {
			id := r.enqueue(rq.Spec{Func: fmt.Sprint("f", i), Retry: &rq.Retry{Max: 2}})
			r.await(id, rq.StatusFailed)
			if n := counts[i].Load(); n != tc.runs {
				t.Errorf("%s: ran %d times; want %d", tc.name, n, tc.runs)
			}
			if text := r.lastError(id); !strings.Contains(text, "oops") {
				t.Errorf("%s: error %q; want the handler's", tc.name, text)
			}
		}
	})
}

func TestRetryAfterAnInterval(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var runs atomic.Int64
		h := Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) {
			if runs.Add(1) == 1 {
				return Result{}, errors.New("not yet")
			}
			return Result{}, nil
		}}
		r.start(r.config(h))
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 1, Intervals: []time.Duration{time.Second}}})
		r.await(id, rq.StatusFinished)
		if n := runs.Load(); n != 2 {
			t.Errorf("ran %d times; want 2", n)
		}
		lines := r.log.lines("job not finished")
		if len(lines) != 1 || lines[0]["next_attempt_at"] == nil {
			t.Errorf("log %v; want one line that says when it runs again", lines)
		}
	})
}

// An outage of something that every job needs spends nobody's retries.
func TestWaitingSpendsNoRetry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var runs atomic.Int64
		c := r.config(Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) {
			if runs.Add(1) <= 2 {
				return Result{}, &Failure{Class: Waiting, Code: "x", Err: errors.New("storage is away")}
			}
			return Result{}, nil
		}})
		c.WaitDelay = time.Second
		r.start(c)
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 1}})
		r.await(id, rq.StatusFinished)
		job := r.job(id)
		if job.RetriesLeft == nil || *job.RetriesLeft != 1 || runs.Load() != 3 {
			t.Errorf("after %d runs the job is %+v; want 3 runs and one retry left", runs.Load(), job)
		}
	})
}

func TestAPanicFailsTheJobAndKeepsTheStackInTheLog(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		h := Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) { panic("secret detail 17") }}
		r.start(r.config(h, quick("g")))
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 3}})
		r.await(id, rq.StatusFailed)
		text := r.lastError(id)
		if !strings.Contains(text, "panicked: secret detail 17") || strings.Contains(text, "goroutine") {
			t.Errorf("error %q; want the panic without its stack", text)
		}
		lines := r.log.lines("handler panicked")
		if len(lines) != 1 || lines[0]["job"] != id || !strings.Contains(fmt.Sprint(lines[0]["stack"]), "worker_test.go") {
			t.Errorf("log %v; want the stack with the job", lines)
		}
		r.await(r.enqueue(rq.Spec{Func: "g"}), rq.StatusFinished) // the worker lives
	})
}

func TestBurstEndsWhenTheQueuesAreEmpty(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		var runs atomic.Int64
		// The first run puts another job on the queue that must be run too.
		h := Handler{Func: "f", Run: func(ctx context.Context, task *Task) (Result, error) {
			if runs.Add(1) == 1 {
				_, err := task.Queue.Enqueue(ctx, rq.Spec{Queue: queueName, Func: "f"})
				return Result{}, err
			}
			return Result{}, nil
		}}
		for range 5 {
			r.enqueue(rq.Spec{Func: "f"})
		}
		c := r.config(h)
		c.Burst, c.Concurrency = true, 2
		if err := r.start(c).end(); err != nil {
			t.Fatal(err)
		}
		if n := runs.Load(); n != 6 {
			t.Errorf("%d jobs ran; want 6", n)
		}
	})
}

func TestUnknownFunctionOnAConfiguredQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.start(r.config(quick("known")))
		id := r.enqueue(rq.Spec{Func: "mod.other", Args: []any{"payload"}, Retry: &rq.Retry{Max: 3}})
		before := r.rdb.HGet(context.Background(), "rq:job:"+id, "data").Val()
		r.await(id, rq.StatusFailed)
		text := r.lastError(id)
		if !strings.Contains(text, `"mod.other"`) || !strings.Contains(text, "knows known") {
			t.Errorf("error %q; want the unknown name and the known ones", text)
		}
		if after := r.rdb.HGet(context.Background(), "rq:job:"+id, "data").Val(); after != before || after == "" {
			t.Error("the payload was changed")
		}
	})
}

func TestUnknownFunctionOnAForeignQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		c := r.config(quick("known"))
		c.Queues = []string{"foreign", queueName}
		r.start(c)
		first := r.enqueue(rq.Spec{Queue: "foreign", Func: "mod.other"})
		r.until("the reason in the log", func() bool { return len(r.log.lines("claiming nothing more from this queue")) == 1 })
		second := r.enqueue(rq.Spec{Queue: "foreign", Func: "known"})
		r.await(r.enqueue(rq.Spec{Func: "known"}), rq.StatusFinished) // its other queue is still served
		for _, id := range []string{first, second} {
			r.await(id, rq.StatusQueued)
		}
		if got := r.rdb.LRange(context.Background(), "rq:queue:foreign", 0, -1).Val(); fmt.Sprint(got) != fmt.Sprint([]string{first, second}) {
			t.Errorf("the foreign queue holds %v; want %v, the job back at its head", got, []string{first, second})
		}
		why := fmt.Sprint(r.log.lines("claiming nothing more from this queue")[0]["why"])
		if !strings.Contains(why, "mod.other") || !strings.Contains(why, "known") {
			t.Errorf("reason %q; want the unknown name and the known ones", why)
		}
	})
}

func TestUnknownFunctionPolicyFail(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		c := r.config(quick("known"))
		c.Queues, c.Unknown = []string{"foreign"}, UnknownFail
		r.start(c)
		r.await(r.enqueue(rq.Spec{Queue: "foreign", Func: "mod.other"}), rq.StatusFailed)
		r.await(r.enqueue(rq.Spec{Queue: "foreign", Func: "known"}), rq.StatusFinished)
	})
}

func TestUndecodablePayloadFails(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 3}})
		if err := r.rdb.HSet(context.Background(), "rq:job:"+id, "data", "garbage").Err(); err != nil {
			t.Fatal(err)
		}
		r.start(r.config(quick("f")))
		r.await(id, rq.StatusFailed)
		if text := r.lastError(id); !strings.Contains(text, "payload cannot be read") {
			t.Errorf("error %q; want that the payload cannot be read", text)
		}
		r.await(r.enqueue(rq.Spec{Func: "f"}), rq.StatusFinished)
	})
}

func TestALiveNameIsRefused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		// Another process of this host has the name: one that surely lives.
		other := birth("w", r.config())
		other.PID = os.Getppid()
		if err := rq.New(r.rdb, rq.Options{}).RegisterWorkers(context.Background(), []rq.WorkerBirth{other}); err != nil {
			t.Fatal(err)
		}
		var taken *rq.NameTakenError
		if err := r.start(r.config(quick("f"))).end(); !errors.As(err, &taken) || taken.PID != other.PID {
			t.Fatalf("the second worker of that name ended with %v; want a NameTakenError with host and pid", err)
		}
		if info := r.worker("w"); info == nil || info.PID != other.PID {
			t.Errorf("the name shows %+v; want the first worker's", info)
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	q := &rq.Client{}
	for want, c := range map[string]Config{
		"queue client":     {Queues: []string{"a"}},
		"at least one":     {Queue: q},
		"concurrency":      {Queue: q, Queues: []string{"a"}, Concurrency: -1},
		"unknown policy":   {Queue: q, Queues: []string{"a"}, Unknown: "maybe"},
		"two handlers":     {Queue: q, Queues: []string{"a"}, Handlers: []Handler{quick("f"), quick("f")}},
		"something to run": {Queue: q, Queues: []string{"a"}, Handlers: []Handler{{Func: "f"}}},
		"time between":     {Queue: q, Queues: []string{"a"}, Loops: []Loop{{Name: "l", Run: func(context.Context) error { return nil }}}},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New gave %v; want an error about %q", err, want)
		}
	}
	if w, err := New(Config{Queue: q, Queues: []string{"a"}}); err != nil || w.c.Name == "" {
		t.Errorf("a minimal configuration gave name %q, %v", w.c.Name, err)
	}
}

func TestABurstWorkerSaysWhatItLeft(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		c := r.config(quick("known"))
		c.Queues, c.Burst = []string{"foreign"}, true
		id := r.enqueue(rq.Spec{Queue: "foreign", Func: "mod.other"})
		if err := r.start(c).end(); err == nil || !strings.Contains(err.Error(), "foreign") || !strings.Contains(err.Error(), "mod.other") {
			t.Errorf("Run ended with %v; want an error that names the queue and the function", err)
		}
		if j := r.job(id); j.Status != rq.StatusQueued {
			t.Errorf("the job is %s; want queued", j.Status)
		}
	})
}

func TestARefusedProgressDropsTheResult(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		begun, goOn := make(chan *Task, 1), make(chan struct{})
		h := Handler{Func: "f", Run: func(ctx context.Context, task *Task) (Result, error) {
			begun <- task
			<-goOn
			err := task.Queue.Progress(ctx, task.Execution, []rq.Effect{rq.Set("mark", "1", 0)}, nil)
			return Result{}, fmt.Errorf("writing progress: %w", err)
		}}
		c := r.config(h)
		c.Heartbeat = time.Hour // only the progress can tell
		r.start(c)
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 2}})
		task := wait(t, "the job", begun)
		r.rdb.ZRem(context.Background(), "rq:wip:"+queueName, task.Execution.Member())
		close(goOn)
		r.until("the dropped result", func() bool { return len(r.log.lines("the job was taken from this worker")) == 1 })
		r.untilLate(1)
		if n := r.rdb.Exists(context.Background(), "mark").Val(); n != 0 {
			t.Error("a fenced execution's progress was written")
		}
		if j := r.job(id); j.RetriesLeft == nil || *j.RetriesLeft != 2 {
			t.Errorf("%v retries left; want 2", j.RetriesLeft)
		}
	})
}
