package rq_test

import (
	"errors"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// registries says in which registries of the queue a job is.
func (r *interop) registries(id string) string {
	r.t.Helper()
	in := ""
	for _, name := range []string{"finished", "failed", "canceled", "scheduled", "deferred"} {
		if err := r.rdb.ZScore(r.t.Context(), "rq:"+name+":"+interopQueue, id).Err(); err == nil {
			in += name + " "
		}
	}
	return in
}

func (r *interop) status(id string) rq.Status {
	r.t.Helper()
	j, err := r.client.Job(r.t.Context(), id)
	r.must(err)
	return j.Status
}

// exchangeCancelOnPython cancels a job while a Python worker runs it. That
// worker then records it as stopped, as after RQ's own cancel and stop-job.
func exchangeCancelOnPython(t *testing.T, r *interop) {
	r.worker = python
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
	r.begin(false)
	r.cancel("j1")
	// The work horse is killed, so nobody has to open the gate.
	r.must(r.peer.receive(nil))
	if got := r.status("j1"); got != rq.StatusStopped {
		t.Errorf("its worker left the job %s", got)
	}
	if wip, err := r.rdb.ZCard(t.Context(), "rq:wip:"+interopQueue).Result(); err != nil || wip != 0 {
		t.Errorf("%v: %d executions are left", err, wip)
	}
	r.requeue("j1", false)
	if got := r.registries("j1"); got != "" {
		t.Errorf("requeued, the job is still in %s", got)
	}
	if got := r.peer.job("j1"); got.Status != "queued" || got.Position == nil || *got.Position != 0 {
		t.Errorf("requeued, Python sees %+v", got)
	}
}

// exchangeCancelByPython has Python cancel a job that docsvc runs.
func exchangeCancelByPython(t *testing.T, r *interop) {
	r.register("w.1")
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	got := r.claim("w.1")[0]
	r.peer.ask(request{"op": "cancel", "id": "j1"}, nil)
	r.late(got)
	if in := r.registries("j1"); r.status("j1") != rq.StatusCanceled || in != "canceled " {
		t.Errorf("the job is %s, in %s", r.status("j1"), in)
	}
}

// late expects that an execution is known to be lost and cannot finish.
func (r *interop) late(c rq.Claimed) {
	r.t.Helper()
	lost, err := r.client.Heartbeat(r.t.Context(), []rq.WorkerBeat{{Name: "w.1"}}, []rq.Beat{{Execution: c.Execution, Timeout: time.Minute}})
	r.must(err)
	if len(lost) != 1 || lost[0].ID != c.Execution.ID {
		r.t.Errorf("heartbeat says %+v is lost", lost)
	}
	done, err := r.client.Finish(r.t.Context(), []rq.Outcome{{Execution: c.Execution, Job: c.Job, Kind: rq.OutcomeFinish, Result: 1}})
	r.must(err)
	if !errors.Is(done[0].Err, rq.ErrLateFinish) {
		r.t.Errorf("finish answers %+v", done[0])
	}
}

// exchangeDeleteByPython has Python delete a job that docsvc runs: it must
// not come back.
func exchangeDeleteByPython(t *testing.T, r *interop) {
	r.register("w.1")
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	got := r.claim("w.1")[0]
	r.peer.ask(request{"op": "delete", "id": "j1"}, nil)
	r.late(got)
	if n, err := r.rdb.Exists(t.Context(), "rq:job:j1", "rq:results:j1", "rq:executions:j1", "rq:execution:j1:"+got.Execution.ID).Result(); err != nil || n != 0 {
		t.Errorf("%v: %d keys of the deleted job are there", err, n)
	}
	if in := r.registries("j1"); in != "" {
		t.Errorf("the deleted job is in %s", in)
	}
}

var blockedClient = regexp.MustCompile(`(?m)^id=(\d+) .* flags=b `)

// blocked gives the ids of the clients that wait in a command.
func (r *interop) blocked() []string {
	r.t.Helper()
	text, err := r.rdb.ClientList(r.t.Context()).Result()
	r.must(err)
	var ids []string
	for _, m := range blockedClient.FindAllStringSubmatch(text, -1) {
		ids = append(ids, m[1])
	}
	return ids
}

// untilBlocked returns when another client waits than before. Waiting commands
// of an earlier test may last some seconds longer.
func (r *interop) untilBlocked(before []string) {
	r.t.Helper()
	waitFor(r.t, func() bool {
		return slices.ContainsFunc(r.blocked(), func(id string) bool { return !slices.Contains(before, id) })
	})
}

// exchangeWakePython enqueues for a Python worker that waits behind a docsvc
// one, which only looks.
func exchangeWakePython(t *testing.T, r *interop) {
	before := r.blocked()
	looked := make(chan error, 1)
	go func() { looked <- r.client.Wait(t.Context(), []string{interopQueue}) }()
	defer func() { r.must(<-looked) }()
	r.untilBlocked(before)
	before = r.blocked()
	r.peer.send(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true, "burst": false, "max_jobs": 1})
	r.untilBlocked(before)
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.add", Args: []any{1}})
	r.must(r.peer.receive(nil))
	if got := r.status("j1"); got != rq.StatusFinished {
		t.Errorf("the job is %s", got)
	}
}

// exchangeWakeDocsvc enqueues with Python while docsvc waits.
func exchangeWakeDocsvc(t *testing.T, r *interop) {
	queues := []string{"first", interopQueue}
	claimed := make(chan error, 1)
	before := r.blocked()
	go func() {
		for {
			got, err := r.client.Claim(t.Context(), rq.ClaimRequest{Worker: []string{"w.1"}, Queues: queues})
			if err != nil || len(got) > 0 {
				claimed <- err
				return
			}
			if err := r.client.Wait(t.Context(), queues); err != nil {
				claimed <- err
				return
			}
		}
	}()
	r.untilBlocked(before)
	r.producer = python
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	select {
	case err := <-claimed:
		r.must(err)
	case <-time.After(30 * time.Second):
		t.Fatal("the job was not claimed")
	}
	if got := r.status("j1"); got != rq.StatusStarted {
		t.Errorf("the job is %s", got)
	}
}

// exchangeSuspended suspends and resumes all workers with Python.
func exchangeSuspended(t *testing.T, r *interop) {
	r.enqueue(enqueueing{ID: "j1", Func: "f"})
	r.peer.ask(request{"op": "suspend"}, nil)
	got, err := r.client.Claim(t.Context(), rq.ClaimRequest{Worker: []string{"w.1"}, Queues: []string{interopQueue}})
	r.must(err)
	if len(got) != 0 {
		t.Errorf("claimed %s while suspended", got[0].Job.ID)
	}
	r.peer.ask(request{"op": "resume"}, nil)
	r.claim("w.1")
}

// exchangeUnique has each side meet the other's job under a unique id.
func exchangeUnique(t *testing.T, r *interop) {
	unique := rq.Spec{ID: "j1", Queue: interopQueue, Func: "f", Unique: rq.UniqueAny}
	if _, err := r.client.Enqueue(t.Context(), unique); err != nil {
		t.Fatal(err)
	}
	err := r.peer.try(request{"op": "enqueue", "queue": interopQueue, "id": "j1", "func": "f", "unique": true}, nil)
	if err == nil || err.Error() != "DuplicateJobError: Job with ID 'j1' already exists" {
		t.Errorf("Python says %v", err)
	}
	r.must(r.rdb.FlushAll(t.Context()).Err())
	r.peer.ask(request{"op": "enqueue", "queue": interopQueue, "id": "j1", "func": "f", "unique": true}, nil)
	for _, rule := range []rq.Unique{rq.UniqueAny, rq.UniqueActive} {
		unique.Unique = rule
		if j, err := r.client.Enqueue(t.Context(), unique); !errors.Is(err, rq.ErrActive) || j == nil || j.ID != "j1" {
			t.Errorf("docsvc says %v", err)
		}
	}
	if n, err := r.rdb.LLen(t.Context(), "rq:queue:"+interopQueue).Result(); err != nil || n != 1 {
		t.Errorf("%v: the job stands %d times in its queue", err, n)
	}
}
