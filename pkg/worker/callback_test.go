package worker

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TestCallbacksAsInRQ has Python enqueue jobs with callbacks and compares what
// a worker of either side calls and leaves, with the same expectation.
func TestCallbacksAsInRQ(t *testing.T) {
	t.Parallel()
	jobs := []asked{
		{"id": "fine", "func": "ok", "success": "succeeded", "failure": "failed"},
		{"id": "bad", "func": "boom", "success": "succeeded", "failure": "failed"},
		{"id": "twice", "func": "boom", "failure": "failed", "retry": 1},
		{"id": "refused", "func": "ok", "success": "choosy", "failure": "failed"},
		{"id": "refused-twice", "func": "ok", "success": "choosy", "retry": 1},
		{"id": "worse", "func": "boom", "failure": "clumsy"},
		{"id": "late", "func": "ok", "success": "slow", "callback_timeout": 1},
	}
	want := map[string][]string{ // first what stands in Redis, then what was called
		"fine":          {"finished, type 1, no retries left, value 42", "ran fine", "succeeded fine 42"},
		"bad":           {"failed, type 2, no retries left, value <nil>", "ran bad", "failed bad broken"},
		"twice":         {"failed, type 2, 0 retries left, value <nil>", "ran twice", "failed twice broken", "ran twice", "failed twice broken"},
		"refused":       {"failed, type 2, no retries left, value <nil>", "ran refused", "succeeded refused 42", "failed refused "},
		"refused-twice": {"failed, type 2, 0 retries left, value <nil>", "ran refused-twice", "succeeded refused-twice 42", "ran refused-twice", "succeeded refused-twice 42"},
		"worse":         {"failed, type 2, no retries left, value <nil>", "ran worse", "failed worse broken"},
		"late":          {"failed, type 2, no retries left, value <nil>", "ran late", "succeeded late 42"},
	}
	errorText := map[string][]string{"refused": {"not good enough"}, "refused-twice": {"not good enough"},
		"worse": {"broken", "and this, too"}, "late": {"timeout"}}
	eachSide(t, jobs, func(t *testing.T, r *rig, bin string, python bool) {
		r.drainQueue(bin, python, func(*Config) {})
		calls := r.calls()
		for id, w := range want {
			got := []string{r.ended(id)}
			for _, c := range calls {
				if strings.Fields(c)[1] == id {
					got = append(got, c)
				}
			}
			if id == "refused" && len(got) == 4 && strings.Contains(got[3], "not good enough") {
				got[3] = "failed refused " // in words of each side
			}
			if !slices.Equal(got, w) {
				t.Errorf("job %s: %q, want %q", id, got, w)
			}
			for _, text := range errorText[id] {
				if e := r.lastError(id); !strings.Contains(e, text) {
					t.Errorf("job %s: the error has no %q: %s", id, text, e)
				}
			}
		}
	})
}

func TestUnknownCallbackFailsBeforeTheFunctionRuns(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.start(r.likeJobs(r.config()))
		for _, spec := range []rq.Spec{
			{Func: "jobs.ok", OnSuccess: &rq.Callback{Func: "their.own"}, OnFailure: &rq.Callback{Func: "jobs.failed"}},
			{Func: "jobs.ok", OnStopped: &rq.Callback{Func: "their.own"}},
		} {
			id := r.enqueue(spec)
			before := r.rdb.HGet(context.Background(), "rq:job:"+id, "data").Val()
			r.await(id, rq.StatusFailed)
			if e := r.lastError(id); !strings.Contains(e, `"their.own"`) || !strings.Contains(e, "jobs.failed") || !strings.Contains(e, "Requeue") {
				t.Errorf("the error says %q", e)
			}
			if after := r.rdb.HGet(context.Background(), "rq:job:"+id, "data").Val(); after != before {
				t.Error("the payload is another")
			}
			for _, c := range r.calls() {
				if strings.HasPrefix(c, "ran") {
					t.Error("the function ran")
				}
			}
		}
	})
}

// TestUnknownCallbackOnAnotherQueue: somebody else's job is left to others.
func TestUnknownCallbackOnAnotherQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	c := r.likeJobs(r.config())
	c.Queues, c.Burst = []string{"theirs"}, true
	id := r.enqueue(rq.Spec{Queue: "theirs", Func: "jobs.ok", OnSuccess: &rq.Callback{Func: "their.own"}})
	if err := r.start(c).end(); err == nil || !strings.Contains(err.Error(), `"their.own"`) {
		t.Errorf("got %v", err)
	}
	if j := r.job(id); j.Status != rq.StatusQueued {
		t.Errorf("the job is %s", j.Status)
	}
}

func TestStoppedCallback(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	g := newGate()
	c := r.likeJobs(r.config())
	c.Handlers = append(c.Handlers, g.handler("f"))
	c.Callbacks["gone"] = func(ctx context.Context, j *rq.Job, e Ending) error {
		if ctx.Err() != nil {
			t.Error("its context has ended with the job's")
		}
		r.call("%s %s", e.Status, j.ID)
		return errors.New("is only logged")
	}
	r.start(c)
	id := r.enqueue(rq.Spec{Func: "f", OnStopped: &rq.Callback{Func: "gone"}, OnFailure: &rq.Callback{Func: "jobs.failed"}})
	wait(t, "the job to begin", g.begun)
	r.until("the stop to be heard", func() bool {
		_, listening, err := r.q.Stop(context.Background(), id, 0)
		return err == nil && listening == 1
	})
	r.await(id, rq.StatusStopped)
	if got := r.calls(); !slices.Equal(got, []string{"stopped " + id}) {
		t.Errorf("called: %q", got)
	}
	if e := r.lastError(id); !strings.HasPrefix(e, "Job stopped by user") {
		t.Errorf("the error says %q", e)
	}
}

// TestKilledWorkerEndsACallback: the job goes back, as if it hadn't run.
func TestKilledWorkerEndsACallback(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	w := r.start(r.likeJobs(r.config()))
	id := r.enqueue(rq.Spec{Func: "jobs.ok", OnSuccess: &rq.Callback{Func: "jobs.slow"}, Retry: &rq.Retry{Max: 1}})
	r.until("the callback to begin", func() bool { return len(r.calls()) == 2 })
	time.Sleep(soon)
	if j := r.job(id); j.Status != rq.StatusStarted {
		t.Errorf("the job is %s while its callback runs", j.Status)
	}
	w.Kill()
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if j := r.job(id); j.Status == rq.StatusStarted || j.Status == rq.StatusFailed {
		t.Errorf("the job is %s", j.Status)
	}
}

func TestReturnedRetry(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	settled := make(chan bool, 10)
	c := r.likeJobs(r.config())
	c.Handlers = append(c.Handlers,
		Handler{Func: "again", Run: func(context.Context, *Task) (Result, error) {
			return Result{Retry: &rq.Retry{Max: 2, Intervals: []time.Duration{0, time.Second}},
				Settled: func(_ context.Context, accepted bool) { settled <- accepted }}, nil
		}},
		Handler{Func: "wrong", Run: func(context.Context, *Task) (Result, error) { return Result{Retry: &rq.Retry{}}, nil }})
	r.start(c)
	id := r.enqueue(rq.Spec{Func: "again", OnSuccess: &rq.Callback{Func: "jobs.succeeded"}, OnFailure: &rq.Callback{Func: "jobs.failed"}})
	j := r.await(id, rq.StatusFailed)
	if j.NumberOfRetries == nil || *j.NumberOfRetries != 2 {
		t.Errorf("retries: %v", j.NumberOfRetries)
	}
	for range 3 {
		if !wait(t, "an answer", settled) {
			t.Error("refused")
		}
	}
	if res, err := r.q.LatestResult(context.Background(), id); err != nil || res.Type != rq.ResultMaxRetries {
		t.Errorf("got %+v, %v", res, err)
	}
	if calls := r.calls(); len(calls) != 0 {
		t.Errorf("called back: %q", calls)
	}
	id = r.enqueue(rq.Spec{Func: "wrong"})
	r.await(id, rq.StatusFailed)
	if e := r.lastError(id); !strings.Contains(e, "Max of at least 1") {
		t.Errorf("the error says %q", e)
	}
}

// TestResultThatIsNotStored: a job whose result Redis or its writer refuses
// has failed, and everybody is told so.
func TestResultThatIsNotStored(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	v := newReceiver(t)
	settled := make(chan bool, 10)
	c := r.likeJobs(r.config())
	c.Webhooks = true
	c.Handlers = append(c.Handlers, Handler{Func: "wrong", Run: func(context.Context, *Task) (Result, error) {
		return Result{Effects: []rq.Effect{{Op: "FLUSHALL", Key: "k"}}, Settled: func(_ context.Context, accepted bool) { settled <- accepted }}, nil
	}})
	w := r.start(c)
	id := r.enqueue(rq.Spec{Func: "wrong", OnSuccess: &rq.Callback{Func: "jobs.succeeded"}, OnFailure: &rq.Callback{Func: "jobs.failed"},
		Webhooks: []rq.Webhook{{URL: v.URL + "/finished", Status: rq.StatusFinished}, {URL: v.URL + "/failed", Status: rq.StatusFailed}}})
	r.await(id, rq.StatusFailed)
	if wait(t, "an answer", settled) {
		t.Error("the handler was told that its result was accepted")
	}
	w.Stop()
	if err := w.end(); err != nil {
		t.Error(err)
	}
	if got := v.all(); len(got) != 1 || !strings.HasPrefix(got[0], "GET /failed ") {
		t.Errorf("webhooks: %q", got)
	}
	if got := r.calls(); len(got) != 2 || !strings.HasPrefix(got[0], "succeeded "+id) || !strings.HasPrefix(got[1], "failed "+id) {
		t.Errorf("callbacks: %q", got)
	}
	if done, failed := r.log.lines("job finished"), r.log.lines("job failed"); len(done) != 0 || len(failed) != 1 || failed[0]["code"] != CodeBadResult {
		t.Errorf("the log says %v, %v", done, failed)
	}
}
