package rq_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// producerScenarios are what a producer may ask for beyond the plain.
var producerScenarios = []scenario{
	{"repeat more often than intervals", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Repeats: 3, Repeat: []int{30, 90}, ResultTTL: of(-1)})
		r.dump("queued")
		for _, step := range []string{"first", "second", "third"} {
			r.begin(false)
			r.end(nil, "")
			r.dump(step + " finished")
			r.due()
		}
		r.begin(false)
		r.end(4, "")
		r.dump("finished")
	}},
	{"repeat without a result", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Repeats: 1, Repeat: []int{}, ResultTTL: of(0), TTL: of(900)})
		for _, step := range []string{"first", "last"} {
			r.begin(false)
			r.end(step, "")
			r.dump(step + " finished")
		}
	}},
	{"repeat that fails", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Repeat: []int{0, 0}, Retry: []int{0}})
		for _, raise := range []string{"", "broken", "", "broken"} {
			r.begin(false)
			r.end(nil, raise)
			r.dump("ended " + raise)
		}
	}},
	{"dependents released to the front", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "other", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}, ReleaseFront: true})
		r.dump("deferred")
		r.begin(false)
		r.end(1, "")
		r.dump("parent finished")
	}},
	{"one of two parents fails", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "p1", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "p2", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"p1", "p2"}, AllowFailure: true, ReleaseFront: true})
		r.begin(false)
		r.end(nil, "broken")
		r.dump("one failed")
		r.begin(false)
		r.end(1, "")
		r.dump("the other finished")
	}},
	{"allowed failure of what has ended", either, func(r *interop) {
		for i, raise := range []string{"", "broken"} {
			n := strconv.Itoa(i)
			r.enqueue(enqueueing{ID: "p" + n, Func: "tasks.gate"})
			r.begin(false)
			r.end(1, raise)
			r.enqueue(enqueueing{ID: "c" + n, Func: "tasks.play", DependsOn: []string{"p" + n}, AllowFailure: true, ReleaseFront: true})
			r.dump("ended " + raise)
			r.play()
			r.dump("worked on")
		}
	}},
	{"canceled with dependents", either, func(r *interop) {
		for _, id := range []string{"parent", "other"} {
			r.enqueue(enqueueing{ID: id, Func: "tasks.gate"})
		}
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}})
		r.enqueue(enqueueing{ID: "both", Func: "tasks.gate", DependsOn: []string{"parent", "other"}})
		r.cancelWith("parent", rq.CancelOptions{EnqueueDependents: true})
		r.dump("canceled")
		r.begin(false)
		r.end(1, "")
		r.dump("the other finished")
	}},
	{"canceled and forgotten", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}})
		r.cancelWith("child", rq.CancelOptions{RemoveFromDependencies: true})
		r.dump("canceled")
		r.begin(false)
		r.end(1, "")
		r.dump("parent finished")
	}},
	{"group", either, func(r *interop) {
		r.enqueueGroup("g", "g1", "g2")
		r.dump("queued")
		r.play()
		r.dump("one finished")
		r.delete("g2", false)
		r.dump("one deleted")
		r.enqueueGroup("g", "g3")
		r.dump("one more")
		r.must(r.rdb.Del(r.t.Context(), "rq:job:g1").Err()) // as if it had expired
		r.groupJobs("g", "g3")
		r.dump("listed")
	}},
	{"groups cleaned", either, func(r *interop) {
		r.enqueueGroup("g", "g1", "g2")
		r.enqueueGroup("h", "h1")
		r.must(r.rdb.Del(r.t.Context(), "rq:job:g1", "rq:job:h1").Err())
		r.must(r.rdb.SAdd(r.t.Context(), "rq:groups", "gone").Err())
		r.cleanGroups()
		r.dump("clean")
	}},
	{"callbacks", either, func(r *interop) {
		// Python calls them; docsvc leaves the job as if it had.
		for i, raise := range []string{"", "broken"} {
			r.enqueue(enqueueing{ID: "j" + strconv.Itoa(i), Func: "tasks.gate", Callbacks: true})
			r.dump("queued")
			r.begin(false)
			r.end(nil, raise)
			r.dump("ended")
		}
	}},
	{"not kept, with a dependent", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate", ResultTTL: of(0), TTL: of(800)})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}, TTL: of(900), ResultTTL: of(60)})
		r.dump("enqueued")
		r.begin(false)
		r.end(1, "")
		r.dump("parent finished")
		r.begin(false)
		r.end(1, "")
		r.dump("child finished")
	}},
	{"not kept while it is retried", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{60}, FailureTTL: of(0), TTL: of(900)})
		r.begin(false)
		r.end(nil, "broken")
		r.dump("waits")
		r.due()
		r.dump("due")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("failed")
	}},
	{"kept for ever and requeued", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", ResultTTL: of(-1), FailureTTL: of(-1), TTL: of(900)})
		r.dump("queued")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("failed")
		r.requeue("j1", false)
		r.begin(false)
		r.end(1, "")
		r.dump("finished")
	}},
	{"meta saved", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Meta: map[string]any{"k": 1}})
		r.saveMeta("j1", map[string]any{"k": 2, "l": []any{"é"}})
		r.dump("saved while queued")
		r.begin(false)
		r.meanwhile(func() { r.saveMeta("j1", map[string]any{"m": nil}) })
		r.dump("saved while it runs")
		r.end(1, "")
		r.dump("finished")
		r.saveMeta("j1", map[string]any{})
		r.dump("emptied")
	}},
	{"told to kill its horse", pythonWorks, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}})
		for _, step := range []string{"killed", "killed again"} {
			r.begin(false)
			r.meanwhile(func() { r.command("kill_horse", r.client.SendKillHorse) })
			r.must(r.peer.receive(nil))
			r.dump(step)
		}
	}},
	{"told to shut down", pythonWorks, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.meanwhile(func() { r.command("shutdown", r.client.SendShutdown) })
		waitFor(r.t, func() bool {
			return r.rdb.HExists(r.t.Context(), "rq:worker:worker-1", "shutdown_requested_date").Val()
		})
		r.dump("told")
		r.end(1, "")
		r.dump("left")
	}},
	{"webhooks", either, func(r *interop) {
		for i, raise := range []string{"", "broken"} {
			// Nobody listens there.
			r.enqueue(enqueueing{ID: "j" + strconv.Itoa(i), Func: "tasks.gate", Webhook: "http://127.0.0.1:1/"})
			r.dump("queued")
			r.begin(false)
			r.end(nil, raise)
			r.dump("ended")
		}
	}},
}

// enqueueGroup enqueues jobs into a group.
func (r *interop) enqueueGroup(group string, ids ...string) { r.enqueueWithChild(group, "", ids...) }

// enqueueWithChild enqueues jobs, and one that waits for them if it has an id,
// in one call.
func (r *interop) enqueueWithChild(group, child string, ids ...string) {
	r.t.Helper()
	if r.producer == python {
		q := request{"op": "enqueue_many", "queue": interopQueue, "func": "tasks.play", "ids": ids}
		for name, v := range map[string]string{"group": group, "child": child} {
			if v != "" {
				q[name] = v
			}
		}
		r.peer.ask(q, nil)
		return
	}
	var specs []rq.Spec
	for i, id := range ids {
		specs = append(specs, rq.Spec{ID: id, Queue: interopQueue, Func: "tasks.play", Args: []any{i}, Group: group})
	}
	if child != "" {
		specs = append(specs, rq.Spec{ID: child, Queue: interopQueue, Func: "tasks.play", DependsOn: ids, Group: group})
	}
	_, err := r.client.EnqueueMany(r.t.Context(), specs)
	r.must(err)
}

// groupJobs lists a group and expects these.
func (r *interop) groupJobs(group string, want ...string) {
	r.t.Helper()
	var got []string
	if r.producer == python {
		r.peer.ask(request{"op": "group_jobs", "group": group}, &got)
	} else {
		jobs, err := r.client.GroupJobs(r.t.Context(), group)
		r.must(err)
		for _, j := range jobs {
			got = append(got, j.ID)
		}
	}
	if !slices.Equal(got, want) {
		r.t.Errorf("%s finds %q in the group, want %q", r.producer, got, want)
	}
}

func (r *interop) cleanGroups() {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "clean_groups"}, nil)
		return
	}
	_, err := r.client.CleanGroups(r.t.Context())
	r.must(err)
}

// exchangeRefusedTTLs has both refuse what is no time to wait.
func exchangeRefusedTTLs(t *testing.T, r *interop) {
	for _, n := range []int{0, -1} {
		e := enqueueing{ID: "j1", Func: "f", TTL: of(n)}
		if err := r.peer.try(e.request(), nil); err == nil || !strings.Contains(err.Error(), "greater than 0") {
			t.Errorf("ttl %d: Python says %v", n, err)
		}
		if _, err := r.client.Enqueue(t.Context(), e.spec()); err == nil || !strings.Contains(err.Error(), "must be positive") {
			t.Errorf("ttl %d: docsvc says %v", n, err)
		}
	}
	if n, err := r.rdb.Exists(t.Context(), "rq:job:j1", "rq:queue:"+interopQueue).Result(); err != nil || n != 0 {
		t.Errorf("%v: %d keys of what was refused", err, n)
	}
}

func (r *interop) saveMeta(id string, meta map[string]any) {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "save_meta", "id": id, "meta": meta}, nil)
		return
	}
	r.must(r.client.SaveMeta(r.t.Context(), id, meta))
}

// command has the producer's side send one to the worker.
func (r *interop) command(op string, send func(context.Context, string) (int, error)) {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": op, "worker": "worker-1"}, nil)
		return
	}
	n, err := send(r.t.Context(), "worker-1")
	r.must(err)
	if n != 1 {
		r.t.Errorf("%d listen for the worker", n)
	}
}

// exchangeResults has each side read the results that both left.
func exchangeResults(t *testing.T, r *interop) {
	r.turns.worker = true
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok ok broken"}, Repeat: []int{0, 0}})
	for range 3 {
		r.play()
	}
	var theirs []struct {
		Type  int
		Value string
	}
	r.peer.ask(request{"op": "results", "id": "j1"}, &theirs)
	ours, err := r.client.Results(t.Context(), "j1")
	r.must(err)
	if len(ours) != 3 || len(theirs) != 3 {
		t.Fatalf("docsvc reads %d results, Python %d", len(ours), len(theirs))
	}
	for i, want := range []any{nil, int64(2), int64(1)} {
		value := map[any]string{nil: "None", int64(2): "2", int64(1): "1"}[want]
		if ours[i].Value != want || int(ours[i].Type) != theirs[i].Type || theirs[i].Value != value {
			t.Errorf("result %d: %+v, Python reads %+v", i, ours[i], theirs[i])
		}
	}
	if !strings.Contains(ours[0].Error, "broken") {
		t.Errorf("the error is %q", ours[0].Error)
	}
}

// exchangeWaitsForResult waits for what a Python worker returns.
func exchangeWaitsForResult(t *testing.T, r *interop) {
	r.worker = python
	r.enqueue(enqueueing{ID: "j1", Func: "tasks.play"})
	if res, err := r.client.WaitResult(t.Context(), "j1", 10*time.Millisecond); res != nil || err != nil {
		t.Errorf("before it ran: %+v, %v", res, err)
	}
	before := r.blocked()
	type answer struct {
		res *rq.Result
		err error
	}
	got := make(chan answer, 1)
	go func() {
		res, err := r.client.WaitResult(t.Context(), "j1", 30*time.Second)
		got <- answer{res, err}
	}()
	r.untilBlocked(before)
	r.play()
	if a := <-got; a.err != nil || a.res == nil || a.res.Value != int64(1) || a.res.WorkerName != "worker-1" {
		t.Errorf("got %+v, %v", a.res, a.err)
	}
}

// exchangeExecutions has each side look at what the other runs.
func exchangeExecutions(t *testing.T, r *interop) {
	for _, r.worker = range []side{python, docsvc} {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		ours, err := r.client.Executions(t.Context(), "j1")
		r.must(err)
		var theirs []struct{ ID, Worker string }
		r.second().ask(request{"op": "executions", "id": "j1"}, &theirs)
		if len(ours) != 1 || len(theirs) != 1 || ours[0].ID != theirs[0].ID || ours[0].Worker != "worker-1" || theirs[0].Worker != "worker-1" ||
			ours[0].Queue != interopQueue || time.Since(ours[0].StartedAt) > time.Minute || time.Since(ours[0].LastHeartbeat) > time.Minute {
			t.Errorf("%s runs it: docsvc sees %+v, Python %+v", r.worker, ours, theirs)
		}
		r.end(1, "")
		if ours, err := r.client.Executions(t.Context(), "j1"); err != nil || len(ours) != 0 {
			t.Errorf("%s ended it: %+v, %v", r.worker, ours, err)
		}
	}
}
