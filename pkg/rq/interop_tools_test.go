package rq_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// exchanges are what one side does and the other sees.
var exchanges = []struct {
	name string
	run  func(*testing.T, *interop)
}{
	{"info", exchangeInfo},
	{"raw info", exchangeRawInfo},
	{"Python worker", exchangeSeesPythonWorker},
	{"values", exchangeValues},
	{"Python's jobs", exchangeReadsPythonJobs},
	{"many jobs", exchangeManyJobs},
	{"cancel on Python", exchangeCancelOnPython},
	{"cancel by Python", exchangeCancelByPython},
	{"delete by Python", exchangeDeleteByPython},
	{"commands", exchangeCommands},
	{"scheduler lock", exchangeSchedulerLock},
	{"clean up by Python", exchangePythonCleansUp},
	{"wake Python", exchangeWakePython},
	{"wake docsvc", exchangeWakeDocsvc},
	{"suspended", exchangeSuspended},
	{"unique", exchangeUnique},
	{"results", exchangeResults},
	{"waiting for a result", exchangeWaitsForResult},
	{"executions", exchangeExecutions},
	{"no time to wait", exchangeRefusedTTLs},
}

// register starts docsvc workers on the queue.
func (r *interop) register(names ...string) {
	r.t.Helper()
	var births []rq.WorkerBirth
	for i, n := range names {
		births = append(births, rq.WorkerBirth{Name: n, Queues: []string{interopQueue, "other"}, Host: "here", PID: 7 + i, Version: "1.2"})
	}
	r.must(r.client.RegisterWorkers(r.t.Context(), births))
}

func (r *interop) claim(names ...string) []rq.Claimed {
	r.t.Helper()
	claimed, err := r.client.Claim(r.t.Context(), rq.ClaimRequest{Worker: names, Queues: []string{interopQueue}})
	r.must(err)
	if len(claimed) != len(names) {
		r.t.Fatalf("claimed %d jobs for %d workers", len(claimed), len(names))
	}
	return claimed
}

func (r *interop) finish(outs ...rq.Outcome) {
	r.t.Helper()
	done, err := r.client.Finish(r.t.Context(), outs)
	r.must(err)
	for _, d := range done {
		r.must(d.Err)
	}
}

// exchangeInfo compares what rq info and Python's Worker.all show with
// QueueInfo and Workers, and looks that counting disturbs nothing.
func exchangeInfo(t *testing.T, r *interop) {
	for i := range 8 {
		r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.add", Args: []any{i}})
	}
	r.enqueue(enqueueing{ID: "later", Func: "tasks.add", In: 3600})
	r.cancel("j7")
	r.register("w.1", "w.2")
	first := r.claim("w.1", "w.2")
	r.finish(rq.Outcome{Execution: first[0].Execution, Job: first[0].Job, Kind: rq.OutcomeFinish, Result: 1},
		rq.Outcome{Execution: first[1].Execution, Job: first[1].Job, Kind: rq.OutcomeFail, Error: "broken"})
	second := r.claim("w.2")
	before := dumpKeyspace(t, r.rdb, r.start)

	var out string
	r.peer.ask(request{"op": "info", "queues": []string{interopQueue}}, &out)
	info, err := r.client.QueueInfo(t.Context(), []string{interopQueue})
	r.must(err)
	q := info[0]
	want := []string{
		fmt.Sprintf("queue default %d, %d executing, %d finished, %d failed", q.Length, q.Started, q.Finished, q.Failed),
		"worker w.1 (here unknown 7) idle default, other. jobs: 1 finished, 0 failed",
		"worker w.2 (here unknown 8) busy default, other. jobs: 0 finished, 1 failed",
	}
	got := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(got[1:])
	for i := range got {
		// The address is that of a connection, which differs.
		got[i] = strings.NewReplacer(ipAddress(t, r, "w.1"), "unknown", ipAddress(t, r, "w.2"), "unknown").Replace(got[i])
	}
	if !slices.Equal(got, want) {
		t.Errorf("rq info says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	q.OldestAge = 0
	if exact := (rq.QueueInfo{Name: interopQueue, Length: 4, Failed: 1, Started: 1, Finished: 1, Scheduled: 1, Canceled: 1, Workers: 2}); q != exact {
		t.Errorf("got %+v want %+v", q, exact)
	}

	var workers []struct {
		Name, State, Hostname, Job, Version string
		Queues                              []string
		PID, Successful, Failed             int
		Heartbeat                           bool
	}
	r.peer.ask(request{"op": "workers"}, &workers)
	if len(workers) != 2 || workers[1].Job != second[0].Job.ID || workers[0].Job != "" || workers[1].State != "busy" || workers[0].PID != 7 ||
		!slices.Equal(workers[0].Queues, []string{"default", "other"}) || !workers[0].Heartbeat {
		t.Errorf("Python sees workers %+v", workers)
	}
	var executing []int
	r.peer.ask(request{"op": "clean", "queues": []string{interopQueue}}, &executing)
	if !slices.Equal(executing, []int{1}) {
		t.Errorf("after cleaning %v executions are left", executing)
	}
	if lines := diff(before, dumpKeyspace(t, r.rdb, r.start)); len(lines) > 0 {
		t.Errorf("looking changed the keyspace:\n%s", strings.Join(lines, "\n"))
	}
	if j := r.peer.job(second[0].Job.ID); j.Status != "started" || j.Worker != "w.2" || j.Executions != 1 {
		t.Errorf("Python sees the running job as %+v", j)
	}
}

func ipAddress(t *testing.T, r *interop, worker string) string {
	t.Helper()
	v, err := r.rdb.HGet(t.Context(), "rq:worker:"+worker, "ip_address").Result()
	r.must(err)
	return v
}

// exchangeSeesPythonWorker reads a busy Python worker.
func exchangeSeesPythonWorker(t *testing.T, r *interop) {
	r.worker = python
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
	r.begin(false)
	workers, err := r.client.Workers(t.Context())
	r.must(err)
	if len(workers) != 1 {
		t.Fatalf("%d workers", len(workers))
	}
	w := workers[0]
	if w.Name != "worker-1" || w.State != rq.WorkerBusy || w.CurrentJob != "j1" || w.Version != "2.12.0" || w.PID == 0 || w.Docsvc || !w.Alive ||
		!slices.Equal(w.Queues, []string{interopQueue}) {
		t.Errorf("got %+v", w)
	}
	info, err := r.client.QueueInfo(t.Context(), []string{interopQueue})
	r.must(err)
	if info[0].Workers != 1 || info[0].Started != 1 {
		t.Errorf("got %+v", info[0])
	}
	if m, err := r.client.Maintenance(t.Context(), []string{interopQueue}); err != nil || !reflect.DeepEqual(m, rq.Maintained{Queues: 1}) {
		t.Errorf("%v: maintenance found something to do beside a live Python worker: %+v", err, m)
	}
	if claimed, err := r.client.Claim(t.Context(), rq.ClaimRequest{Worker: []string{"w"}, Queues: []string{interopQueue}}); err != nil || len(claimed) > 0 {
		t.Errorf("%v: claimed the job of a live Python worker", err)
	}
	r.end("x", "")
	if j, err := r.client.Job(t.Context(), "j1"); err != nil || j.Status != rq.StatusFinished {
		t.Errorf("%v: %+v", err, j)
	}
}

// exchangeValues sends values from either side to the other and back.
func exchangeValues(t *testing.T, r *interop) {
	for _, c := range []struct {
		json  bool
		value any
		repr  string
	}{
		{false, map[string]any{"a": []any{1, 2.5, nil, true}, "é": "漢😀"}, "{'a': [1, 2.5, None, True], 'é': '漢😀'}"},
		{false, pickle.Tuple{[]byte("\x00\xff"), pickle.Set{int64(1)}, pickle.Decimal("1.50")}, `(b'\x00\xff', {1}, Decimal('1.50'))`},
		{false, time.Date(2020, 1, 2, 3, 4, 5, 6000, time.UTC), "datetime.datetime(2020, 1, 2, 3, 4, 5, 6, tzinfo=datetime.timezone.utc)"},
		{false, nil, "None"},
		{false, strings.Repeat("x", 100000), "'" + strings.Repeat("x", 100000) + "'"},
	} {
		// As a result of docsvc, read by Python.
		r.enqueue(enqueueing{ID: "out", Func: "f"})
		got := r.claim("w")[0]
		r.finish(rq.Outcome{Execution: got.Execution, Job: got.Job, Kind: rq.OutcomeFinish, Result: c.value})
		if j := r.peer.job("out"); j.Result != c.repr || j.ResultType != "SUCCESSFUL" || j.Status != "finished" {
			t.Errorf("Python reads %.200s as %s, want %.200s", j.Result, j.ResultType, c.repr)
		}
		// As an argument from docsvc, returned by Python, read by docsvc.
		_, err := r.client.Enqueue(t.Context(), rq.Spec{ID: "back", Queue: interopQueue, Func: "tasks.echo", Args: []any{c.value}, Kwargs: map[string]any{"k": c.value}})
		r.must(err)
		r.peer.ask(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true}, nil)
		res, err := r.client.LatestResult(t.Context(), "back")
		r.must(err)
		if res == nil {
			t.Fatal("no result")
		}
		want := fmt.Sprintf("{'args': (%s,), 'kwargs': {'k': %s}}", c.repr, c.repr)
		if res.Type != rq.ResultSuccessful || res.ValueErr != nil || pickle.Repr(res.Value) != want || res.WorkerName != "worker-1" || res.ExecutionID == "" {
			t.Errorf("docsvc reads %v: %.300s, want %.300s", res.ValueErr, pickle.Repr(res.Value), want)
		}
	}
	// A failure, either way.
	r.enqueue(enqueueing{ID: "bad", Func: "tasks.fail", Args: []any{"sorry"}})
	r.peer.ask(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true}, nil)
	res, err := r.client.LatestResult(t.Context(), "bad")
	r.must(err)
	if res == nil || res.Type != rq.ResultFailed || lastLine(res.Error) != "ValueError: sorry" || !strings.HasPrefix(res.Error, "Traceback") {
		t.Errorf("got %+v", res)
	}
	r.enqueue(enqueueing{ID: "bad2", Func: "f"})
	got := r.claim("w")[0]
	r.finish(rq.Outcome{Execution: got.Execution, Job: got.Job, Kind: rq.OutcomeFail, Error: "the file é is broken"})
	if j := r.peer.job("bad2"); j.Status != "failed" || j.Exc != "the file é is broken" || j.ResultType != "FAILED" {
		t.Errorf("got %+v", j)
	}
}

// exchangeReadsPythonJobs reads the hash of a job that Python enqueued.
func exchangeReadsPythonJobs(t *testing.T, r *interop) {
	r.producer = python
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.add", Args: []any{1, []any{"x"}}, Kwargs: map[string]any{"b": nil}, Meta: map[string]any{"m": 1},
		Timeout: 33, ResultTTL: of(-1), FailureTTL: of(5), TTL: of(600), Retry: []int{1, 2}})
	j, err := r.client.Job(t.Context(), "j1")
	r.must(err)
	if j.Func != "tasks.add" || j.Description != "tasks.add(1, ['x'], b=None)" || !reflect.DeepEqual(j.Args, []any{int64(1), []any{"x"}}) ||
		!reflect.DeepEqual(j.Kwargs, map[string]any{"b": nil}) || !reflect.DeepEqual(j.Meta, map[string]any{"m": int64(1)}) || j.Timeout != 33*time.Second ||
		j.ResultTTL == nil || *j.ResultTTL >= 0 || *j.FailureTTL != 5*time.Second || *j.TTL != 600*time.Second || *j.RetriesLeft != 2 ||
		!slices.Equal(j.RetryIntervals, []time.Duration{time.Second, 2 * time.Second}) || j.Status != rq.StatusQueued || j.CreatedAt.IsZero() || j.EnqueuedAt.IsZero() {
		t.Errorf("got %+v", j)
	}
	r.peer.ask(request{"op": "enqueue_many", "queue": interopQueue, "func": "tasks.add", "ids": []string{"m1", "m2", "m3"}}, nil)
	claimed := r.claim("w.1", "w.2", "w.3", "w.4")
	var ids []string
	for _, c := range claimed {
		ids = append(ids, c.Job.ID)
	}
	if !slices.Equal(ids, []string{"j1", "m1", "m2", "m3"}) {
		t.Errorf("claimed %v", ids)
	}
}

// exchangeManyJobs enqueues with docsvc in one call for Python to run.
func exchangeManyJobs(t *testing.T, r *interop) {
	var specs []rq.Spec
	for i := range 20 {
		specs = append(specs, rq.Spec{ID: fmt.Sprintf("m%d", i), Queue: interopQueue, Func: "tasks.add", Args: []any{i, 100}})
	}
	_, err := r.client.EnqueueMany(t.Context(), specs)
	r.must(err)
	r.peer.ask(request{"op": "work", "queues": []string{interopQueue, "other"}, "name": "worker-1", "simple": true}, nil)
	for i := range 20 {
		res, err := r.client.LatestResult(t.Context(), fmt.Sprintf("m%d", i))
		r.must(err)
		if res == nil || res.Value != int64(100+i) {
			t.Errorf("m%d: got %+v", i, res)
		}
	}
}

// exchangeCommands sends RQ's commands to a docsvc worker.
func exchangeCommands(t *testing.T, r *interop) {
	r.register("w.1")
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	r.claim("w.1")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	commands, err := r.client.Commands(ctx, []string{"w.1"})
	r.must(err)
	waitFor(t, func() bool {
		subscribed, err := r.rdb.PubSubNumSub(t.Context(), "rq:pubsub:w.1").Result()
		return err == nil && subscribed["rq:pubsub:w.1"] == 1
	})
	for _, c := range []struct {
		ask  request
		want rq.Command
	}{
		{request{"op": "stop_job", "id": "j1"}, rq.Command{Worker: "w.1", Name: rq.CommandStopJob, JobID: "j1"}},
		{request{"op": "kill_horse", "worker": "w.1"}, rq.Command{Worker: "w.1", Name: rq.CommandKillHorse}},
		{request{"op": "shutdown", "worker": "w.1"}, rq.Command{Worker: "w.1", Name: rq.CommandShutdown}},
	} {
		r.peer.ask(c.ask, nil)
		select {
		case got := <-commands:
			if got != c.want {
				t.Errorf("got %+v want %+v", got, c.want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%v did not arrive", c.ask)
		}
	}
}

// exchangeSchedulerLock lets each side hold the lock before the other.
func exchangeSchedulerLock(t *testing.T, r *interop) {
	queues := []string{interopQueue}
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.add", In: 3600})
	_, _, err := r.client.MoveDue(t.Context(), queues, time.Time{})
	r.must(err)
	var locked []string
	r.peer.ask(request{"op": "move_due", "queues": queues}, &locked)
	if len(locked) != 0 {
		t.Errorf("Python took the lock that docsvc holds: %v", locked)
	}
	r.must(r.client.ReleaseScheduler(t.Context(), queues))
	r.peer.ask(request{"op": "move_due", "queues": queues, "keep": true}, &locked)
	if !slices.Equal(locked, queues) {
		t.Errorf("Python could not take the released lock: %v", locked)
	}
	moved, _, err := r.client.MoveDue(t.Context(), queues, time.Now().Add(2*time.Hour))
	if err != nil || moved != 0 {
		t.Errorf("%v: moved %d jobs under Python's lock", err, moved)
	}
}

// exchangePythonCleansUp lets Python's cleaner find a docsvc execution
// whose score has passed; the late finish is refused.
func exchangePythonCleansUp(t *testing.T, r *interop) {
	r.register("w.1")
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	got := r.claim("w.1")[0]
	r.must(r.rdb.ZIncrBy(t.Context(), "rq:wip:"+interopQueue, -1000, got.Execution.Member()).Err())
	r.peer.ask(request{"op": "clean", "queues": []string{interopQueue}}, nil)
	j := r.peer.job("j1")
	if j.Status != "failed" || !strings.HasPrefix(j.Exc, "Moved to FailedJobRegistry, due to AbandonedJobError") {
		t.Fatalf("got %+v", j)
	}
	done, err := r.client.Finish(t.Context(), []rq.Outcome{{Execution: got.Execution, Job: got.Job, Kind: rq.OutcomeFinish, Result: 1}})
	r.must(err)
	if !errors.Is(done[0].Err, rq.ErrLateFinish) {
		t.Errorf("got %+v", done[0])
	}
	if j := r.peer.job("j1"); j.Status != "failed" || j.Results != 1 {
		t.Errorf("after the late finish: %+v", j)
	}
}
