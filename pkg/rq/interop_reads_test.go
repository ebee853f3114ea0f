package rq_test

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TestReadsWhatOnlyPythonDoes reads jobs that docsvc would not make itself.
func TestReadsWhatOnlyPythonDoes(t *testing.T) {
	t.Parallel()
	l := openLane(t, redistest.Python(t), redistest.RedisServer)

	t.Run("returned Retry", func(t *testing.T) {
		r := l.fresh(t, docsvc, python)
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.again", Args: []any{1}})
		for _, want := range []rq.ResultType{rq.ResultRetried, rq.ResultMaxRetries} {
			r.peer.ask(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true, "max_jobs": 1}, nil)
			res, err := r.client.LatestResult(t.Context(), "j1")
			r.must(err)
			if res == nil || res.Type != want || res.WorkerName != "worker-1" {
				t.Errorf("got %+v, want type %d", res, want)
			}
		}
		j, err := r.client.Job(t.Context(), "j1")
		r.must(err)
		if j.Status != rq.StatusFailed || j.NumberOfRetries == nil || *j.NumberOfRetries != 1 {
			t.Errorf("got %+v", j)
		}
	})

	t.Run("synchronous queue", func(t *testing.T) {
		r := l.fresh(t, docsvc, docsvc)
		r.peer.ask(request{"op": "sync", "queue": interopQueue, "id": "j1"}, nil)
		res, err := r.client.LatestResult(t.Context(), "j1")
		r.must(err)
		if j, err := r.client.Job(t.Context(), "j1"); err != nil || j.Status != rq.StatusFinished || res == nil || res.Value != int64(3) {
			t.Errorf("%v: %+v, %+v", err, j, res)
		}
	})
}

// TestPythonSeesExecutions has Python look at a job while docsvc runs it.
func TestPythonSeesExecutions(t *testing.T) {
	t.Parallel()
	l := openLane(t, redistest.Python(t), redistest.RedisServer)
	r := l.fresh(t, docsvc, docsvc)
	r.register("w.1")
	r.enqueue(enqueueing{ID: "j0", Func: "f"})
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	got := r.claim("w.1")[0]
	if j := r.peer.job("j0"); j.Status != "started" || j.Executions != 1 || j.Worker != "w.1" || j.Position != nil {
		t.Errorf("got %+v", j)
	}
	if j := r.peer.job("j1"); j.Executions != 0 || j.Position == nil || *j.Position != 0 {
		t.Errorf("got %+v", j)
	}
	r.finish(rq.Outcome{Execution: got.Execution, Job: got.Job, Kind: rq.OutcomeFinish})
	if j := r.peer.job("j0"); j.Status != "finished" || j.Executions != 0 || !j.Ended {
		t.Errorf("got %+v", j)
	}
}
