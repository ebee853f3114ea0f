package rq_test

import (
	"encoding/json"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// workerScenarios show what workers do beyond running a function once.
var workerScenarios = []scenario{
	{"returned Retry", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", FailureTTL: of(300)})
		for _, step := range []string{"asked once", "asked twice", "asked too often"} {
			r.begin(false)
			r.endRetry(2, 0, 30, 60)
			r.dump(step)
			r.due()
		}
	}},
	{"returned Retry and success", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}})
		r.begin(false)
		r.endRetry(1, 0)
		r.dump("asked")
		r.begin(false)
		r.end(nil, "broken") // its own retry is another count
		r.dump("failed")
		r.begin(false)
		r.end(1, "")
		r.dump("finished")
	}},
	{"returned Retry in JSON", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", JSON: true})
		r.begin(true)
		r.endRetry(1, 0)
		r.dump("asked")
	}},
}

// endRetry has the running job return a Retry, and its worker leave.
func (r *interop) endRetry(times int, intervals ...int) {
	r.t.Helper()
	if r.worker == python {
		text, err := json.Marshal(map[string]any{"retry": map[string]any{"max": times, "interval": intervals}})
		r.must(err)
		r.must(r.rdb.RPush(r.t.Context(), "gate", text).Err())
		r.must(r.peer.receive(nil))
		return
	}
	retry := &rq.Retry{Max: times}
	for _, n := range intervals {
		retry.Intervals = append(retry.Intervals, time.Duration(n)*time.Second)
	}
	done, err := r.client.Finish(r.t.Context(), []rq.Outcome{
		{Execution: r.claimed.Execution, Job: r.claimed.Job, Kind: rq.OutcomeReturned, Retry: retry}})
	r.must(err)
	r.must(done[0].Err)
	r.must(r.client.UnregisterWorkers(r.t.Context(), []string{"worker-1"}))
}
