package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestWarmStopFinishesTheJobInHandAndNoOther(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		w := r.start(r.config(g.handler("f")))
		first, second := r.enqueue(rq.Spec{Func: "f"}), r.enqueue(rq.Spec{Func: "f"})
		wait(t, "the first job", g.begun)
		w.Stop()
		r.until("the shutdown to be shown", func() bool { return !r.worker("w").ShutdownRequested.IsZero() })
		close(g.open)
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if a, b := r.job(first).Status, r.job(second).Status; a != rq.StatusFinished || b != rq.StatusQueued {
			t.Errorf("the jobs are %s and %s; want finished and queued", a, b)
		}
	})
}

func TestColdStopReturnsTheJobToTheHead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		w := r.start(r.config(g.handler("f")))
		first, second := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 2}}), r.enqueue(rq.Spec{Func: "f"})
		wait(t, "the first job", g.begun)
		w.Stop()
		w.Kill()
		if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrKilled) {
			t.Errorf("the context ended with %v; want ErrKilled", cause)
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if got := r.rdb.LRange(context.Background(), "rq:queue:"+queueName, 0, -1).Val(); len(got) != 2 || got[0] != first || got[1] != second {
			t.Errorf("the queue holds %v; want %v", got, []string{first, second})
		}
		if j := r.job(first); j.Status != rq.StatusQueued || j.RetriesLeft == nil || *j.RetriesLeft != 2 {
			t.Errorf("the job is %s with %v retries left; want queued with both", j.Status, j.RetriesLeft)
		}
	})
}

// What is still running when the grace period is over goes back to the head,
// marked as given back: that is no death of its worker.
func TestAJobLongerThanTheGraceGoesBackToTheHead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		c := r.config(g.handler("idem.f"))
		c.Grace = 50 * time.Millisecond
		w := r.start(c)
		first, second := r.enqueue(rq.Spec{Func: "idem.f"}), r.enqueue(rq.Spec{Func: "idem.f"})
		wait(t, "the first job", g.begun)
		w.Stop()
		if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrKilled) {
			t.Errorf("the context ended with %v; want ErrKilled", cause)
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if got := r.rdb.LRange(context.Background(), "rq:queue:"+queueName, 0, -1).Val(); len(got) != 2 || got[0] != first || got[1] != second {
			t.Errorf("the queue holds %v; want %v", got, []string{first, second})
		}
		if lines := r.log.lines("stopping: these jobs run for longer"); len(lines) != 1 || !strings.Contains(fmt.Sprint(lines[0]["jobs"]), first) {
			t.Errorf("the log says %v; want one line that names the job", lines)
		}
		x, err := r.q.Explain(context.Background(), first)
		if err != nil || x.Recovered != 0 || x.LastEvent == nil || x.LastEvent.Reason != rq.ReasonDrained || !strings.Contains(x.Text, "worker w gave it back") {
			t.Errorf("it is explained as %+v, %v", x, err)
		}
	})
}

func TestAMisspeltQueueIsNamedAtStart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.enqueue(rq.Spec{Queue: "foreign", Func: "f"})
		c := r.config(quick("f"))
		c.Queues = []string{queueName, "foreign", "wrok"}
		r.start(c)
		r.until("the warning", func() bool { return len(r.log.lines("this queue isn't in the configuration")) > 0 })
		if lines := r.log.lines("this queue isn't in the configuration"); len(lines) != 1 || lines[0]["queue"] != "wrok" {
			t.Errorf("warned of %v; want wrok alone", lines)
		}
	})
}

func TestStopBeforeRun(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		w, err := New(r.config(quick("f")))
		if err != nil {
			t.Fatal(err)
		}
		w.Stop()
		if err := w.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := w.Run(context.Background()); err == nil {
			t.Error("a second Run did not fail")
		}
	})
}

func TestTheEndOfRunsContextIsWarm(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		w, err := New(r.config(g.handler("f")))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		ended := make(chan error, 1)
		go func() { ended <- w.Run(ctx) }()
		id := r.enqueue(rq.Spec{Func: "f"})
		wait(t, "the job", g.begun)
		cancel()
		close(g.open)
		if err := wait(t, "Run to return", ended); err != nil {
			t.Fatal(err)
		}
		if j := r.job(id); j.Status != rq.StatusFinished {
			t.Errorf("the job in hand is %s; want finished", j.Status)
		}
	})
}

func TestAHandlerThatIgnoresItsEndIsReported(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		begun, open := make(chan struct{}, 1), make(chan struct{})
		h := Handler{Func: "f", Run: func(context.Context, *Task) (Result, error) {
			begun <- struct{}{}
			<-open
			return Result{}, nil
		}}
		c := r.config(h)
		c.CancelGrace, c.GiveUp = 50*time.Millisecond, 3*time.Second
		w := r.start(c)
		id := r.enqueue(rq.Spec{Func: "f"})
		wait(t, "the job", begun)
		w.Kill()
		if err := w.end(); err == nil || !strings.Contains(err.Error(), "job "+id) {
			t.Errorf("Run ended with %v; want an error that names the job", err)
		}
		r.await(id, rq.StatusQueued)
		close(open)
		r.until("the handler's slot", func() bool { busy, _ := w.working(); return !busy })
	})
}

func TestCancelReachesARunningHandler(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		c := r.config(g.handler("f"))
		c.Heartbeat = time.Hour // only the command can bring it
		r.start(c)
		r.untilSubscribed("w")
		id := r.enqueue(rq.Spec{Func: "f"})
		wait(t, "the job", g.begun)
		if _, err := r.q.Cancel(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		wait(t, "the handler's end", g.cause)
		r.until("the dropped result", func() bool { return len(r.log.lines("late: ")) == 1 })
		if j := r.job(id); j.Status != rq.StatusCanceled {
			t.Errorf("the job is %s; want canceled", j.Status)
		}
	})
}

func TestALostLeaseEndsTheHandlerAndDropsItsResult(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		settled := make(chan bool, 1)
		h := g.handler("f")
		inner := h.Run
		h.Run = func(ctx context.Context, task *Task) (Result, error) {
			_, err := inner(ctx, task)
			return Result{Settled: func(_ context.Context, accepted bool) { settled <- accepted }}, err
		}
		r.start(r.config(h))
		id := r.enqueue(rq.Spec{Func: "f"})
		task := wait(t, "the job", g.begun)
		// What a cancel does whose message was lost.
		if n := r.rdb.ZRem(context.Background(), "rq:wip:"+queueName, task.Execution.Member()).Val(); n != 1 {
			t.Fatal("the execution is not in rq:wip")
		}
		if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrLeaseLost) {
			t.Errorf("the context ended with %v; want ErrLeaseLost", cause)
		}
		if wait(t, "Settled", settled) {
			t.Error("a dropped result was called accepted")
		}
		r.until("the log line", func() bool { return len(r.log.lines("the job was taken from this worker")) == 1 })
		r.untilLate(1)
		if text := r.lastError(id); text != "" {
			t.Errorf("the fenced execution wrote a result: %q", text)
		}
	})
}

// untilSubscribed waits until commands to the slot are heard.
func (r *rig) untilSubscribed(slot string) {
	r.t.Helper()
	r.until("a subscription", func() bool {
		n := r.rdb.PubSubNumSub(context.Background(), "rq:pubsub:"+slot).Val()
		return n["rq:pubsub:"+slot] > 0
	})
}

func (r *rig) command(slot string, fields map[string]string) {
	r.t.Helper()
	r.untilSubscribed(slot)
	body, err := json.Marshal(fields)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := r.rdb.Publish(context.Background(), "rq:pubsub:"+slot, body).Err(); err != nil {
		r.t.Fatal(err)
	}
}

func TestStopJobCommand(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		r.start(r.config(g.handler("f")))
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 3}})
		wait(t, "the job", g.begun)
		r.command("w", map[string]string{"command": "stop-job", "job_id": "another"})
		r.until("the command for another job", func() bool { return len(r.log.lines("stop-job")) == 1 })
		if r.log.lines("stop-job")[0]["running"] != false || len(g.cause) != 0 {
			t.Error("the command for another job ended this one")
		}
		r.command("w", map[string]string{"command": "stop-job", "job_id": id})
		if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrStopped) {
			t.Errorf("the context ended with %v; want ErrStopped", cause)
		}
		r.await(id, rq.StatusStopped)
		if text := r.lastError(id); !strings.Contains(text, "Job stopped by user, work-horse terminated.") {
			t.Errorf("error %q; want RQ's", text)
		}
	})
}

func TestKillHorseCommandSpendsARetry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		r.start(r.config(g.handler("f")))
		id := r.enqueue(rq.Spec{Func: "f", Retry: &rq.Retry{Max: 1}})
		for range 2 {
			wait(t, "the job", g.begun)
			r.command("w", map[string]string{"command": "kill-horse"})
			if cause := wait(t, "the handler's end", g.cause); !errors.Is(cause, ErrHorseKilled) {
				t.Errorf("the context ended with %v; want ErrHorseKilled", cause)
			}
		}
		r.await(id, rq.StatusFailed)
	})
}

func TestShutdownCommandRetiresOneSlotAndTheLastEndsTheWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		g := newGate()
		c := r.config(g.handler("f"))
		c.Concurrency = 2
		w := r.start(c)
		first := r.enqueue(rq.Spec{Func: "f"})
		busy := wait(t, "the job", g.begun).Execution.Worker
		other := map[string]string{"w.1": "w.2", "w.2": "w.1"}[busy]
		r.command(other, map[string]string{"command": "shutdown"})
		r.until("the name to leave", func() bool {
			return !r.rdb.SIsMember(context.Background(), "rq:workers", "rq:worker:"+other).Val()
		})
		second := r.enqueue(rq.Spec{Func: "f"})
		r.command(busy, map[string]string{"command": "shutdown"})
		r.until("the command to be obeyed", func() bool { _, open := w.working(); return !open })
		close(g.open)
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if a, b := r.job(first).Status, r.job(second).Status; a != rq.StatusFinished || b != rq.StatusQueued {
			t.Errorf("the jobs are %s and %s; want finished and queued", a, b)
		}
	})
}
