package rq_test

import (
	"fmt"

	"github.com/docsvc/docsvc/pkg/rq"
)

func of(n int) *int { return &n }

// rolesAllowed says which sides can take part in a scenario.
type rolesAllowed int

const (
	either rolesAllowed = iota
	pythonProduces
	pythonWorks
)

type scenario struct {
	name  string
	roles rolesAllowed
	steps func(*interop)
}

// scenarios are steps with a dump after each.
var scenarios = []scenario{
	{"success", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Args: []any{1, "a", nil, 1.5, []any{true}}, Kwargs: map[string]any{"b": "é", "c": map[string]any{"d": 2}}})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end(map[string]any{"text": "done", "n": 3}, "")
		r.dump("finished")
	}},
	{"success in JSON", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Args: []any{1, "é"}, Kwargs: map[string]any{"b": []any{}}, Meta: map[string]any{"k": []any{1, "v"}}, JSON: true})
		r.dump("queued")
		r.begin(true)
		r.end([]any{1, "é", nil}, "")
		r.dump("finished")
	}},
	{"every option", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Description: "what it is", Meta: map[string]any{"k": "v"}, ResultTTL: of(77), FailureTTL: of(88),
			TTL: of(99), Timeout: 20, Retry: []int{60, 120}, AtFront: true})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end(nil, "")
		r.dump("finished")
	}},
	{"kept for ever", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", ResultTTL: of(-1), Timeout: -1})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end("x", "")
		r.dump("finished")
	}},
	{"not kept", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", ResultTTL: of(0)})
		r.begin(false)
		r.end("x", "")
		r.dump("finished")
	}},
	{"failure and requeue", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate"})
		r.dump("queued")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("failed")
		r.requeue("j1", true)
		r.dump("requeued to the front")
		r.begin(false)
		r.dump("started again")
		r.end("x", "")
		r.dump("finished")
	}},
	{"failures kept for ever or a while", either, func(r *interop) {
		for i, n := range []*int{of(-1), of(66), of(0)} {
			r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.gate", FailureTTL: n})
			r.begin(false)
			r.end(nil, "broken")
			r.dump(fmt.Sprint("failed with ttl ", *n))
		}
	}},
	{"retry with intervals", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{60, 120}})
		r.dump("queued")
		r.begin(false)
		r.end(nil, "once")
		r.dump("waits for its retry")
		r.due()
		r.dump("due")
		r.begin(false)
		r.dump("started again")
		r.end(nil, "twice")
		r.dump("waits again")
		r.due()
		r.begin(false)
		r.end(nil, "thrice")
		r.dump("failed")
	}},
	{"retry at once", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate"})
		r.begin(false)
		r.end(nil, "once")
		r.dump("queued again")
	}},
	{"scheduled", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", In: 3600, TTL: of(9000)})
		r.dump("scheduled")
		r.due()
		r.dump("due")
		r.begin(false)
		r.end("x", "")
		r.dump("finished")
	}},
	{"canceled", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate", In: 3600})
		r.enqueue(enqueueing{ID: "j3", Func: "tasks.gate"})
		r.cancel("j1")
		r.dump("a queued job canceled")
		r.cancel("j2")
		r.dump("a scheduled job canceled")
	}},
	{"abandoned", pythonWorks, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.abandon()
		r.dump("failed")
		r.end("late", "")
	}},
	{"abandoned with retries", pythonWorks, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{60}})
		r.begin(false)
		r.abandon()
		r.dump("waits for its retry")
		r.end("late", "")
	}},
	{"requeue after retries", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}})
		for range 2 {
			r.begin(false)
			r.end(nil, "broken")
		}
		r.dump("failed")
		r.client = rq.New(r.rdb, rq.Options{Queues: map[string]rq.QueueDefaults{interopQueue: {Retry: &rq.Retry{Max: 4}}}})
		r.requeue("j1", false)
		r.dump("requeued after its retries")
	}},
	{"more intervals than retries", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retries: 1, Retry: []int{30, 90}})
		r.begin(false)
		r.end(nil, "broken")
		r.dump("waits")
	}},
	{"more retries than intervals", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retries: 3, Retry: []int{30, 90}})
		r.begin(false)
		r.end(nil, "broken")
		r.dump("waits")
		r.due()
		r.begin(false)
		r.end(nil, "broken")
		r.dump("waits again")
	}},
	{"dependency", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}})
		r.dump("deferred")
		r.begin(false)
		r.end(1, "")
		r.dump("parent finished")
		r.begin(false)
		r.end(2, "")
		r.dump("child finished")
	}},
	{"dependency that fails", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}})
		r.begin(false)
		r.end(nil, "broken")
		r.dump("parent failed")
	}},
	{"dependency that may fail", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}, AllowFailure: true, TTL: of(900)})
		r.enqueue(enqueueing{ID: "other", Func: "tasks.gate", DependsOn: []string{"parent"}, AtFront: true})
		r.dump("deferred")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("parent failed")
		r.requeue("parent", true)
		r.begin(false)
		r.end(1, "")
		r.dump("parent finished after all")
	}},
	{"two parents", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "p1", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "p2", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"p1", "p2"}})
		for _, step := range []string{"one finished", "both finished"} {
			r.begin(false)
			r.end(1, "")
			r.dump(step)
		}
	}},
	{"repeat at once", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Repeat: []int{0, 0}})
		for _, step := range []string{"first", "second", "third"} {
			r.begin(false)
			r.dump(step + " started")
			r.end(step, "")
			r.dump(step + " finished")
		}
	}},
	{"repeat later", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Repeat: []int{50, 100, 150}})
		r.begin(false)
		r.end(1, "")
		r.dump("waits")
		r.due()
		r.dump("due")
		r.begin(false)
		r.end(2, "")
		r.dump("waits again")
	}},
	{"retry at the front", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}, RetryAtFront: true})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate"})
		r.dump("queued")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("queued again")
	}},
	{"stopped", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{60}})
		r.begin(false)
		r.dump("started")
		r.stop("j1")
		r.dump("stopped")
		r.requeue("j1", false)
		r.dump("stopped and requeued")
	}},
	{"all failed ones requeued", either, func(r *interop) {
		for i := range 3 {
			r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.gate", FailureTTL: of(900 + i)})
			r.begin(false)
			r.end(nil, map[bool]string{true: "broken"}[i != 1])
		}
		r.enqueue(enqueueing{ID: "waiting", Func: "tasks.gate"})
		r.dump("failed")
		r.requeueFailed()
		r.dump("requeued")
	}},
	{"suspended and resumed", either, func(r *interop) {
		r.suspend(100)
		r.dump("suspended for a while")
		r.suspend(0)
		r.dump("suspended for ever")
		r.resume()
		r.dump("resumed")
		r.resume()
		r.dump("resumed twice")
	}},
	{"emptied", either, func(r *interop) {
		r.empty(0)
		r.dump("nothing to empty")
		for i := range 3 {
			r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.gate", TTL: of(900)})
		}
		r.begin(false)
		r.end(nil, "broken")
		r.requeue("j0", false)
		r.enqueue(enqueueing{ID: "later", Func: "tasks.gate", In: 3600})
		r.begin(false)
		r.end(1, "")
		// Jobs whose hash is gone, and one that stands there twice.
		for _, id := range []string{"gone", "j2"} {
			r.must(r.rdb.RPush(r.t.Context(), "rq:queue:"+interopQueue, id).Err())
		}
		r.dump("full")
		r.empty(4)
		r.dump("empty")
	}},
	{"emptied with dependents", pythonProduces, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}})
		r.dump("full")
		r.producer = r.worker
		r.empty(1)
		r.dump("empty")
	}},
	{"deleted", either, func(r *interop) {
		for _, how := range []string{"finished", "failed", "queued", "scheduled", "canceled"} {
			e := enqueueing{ID: how, Func: "tasks.gate"}
			if how == "scheduled" {
				e.In = 3600
			}
			r.enqueue(e)
			switch how {
			case "finished", "failed":
				r.begin(false)
				r.end(nil, map[bool]string{true: "broken"}[how == "failed"])
			case "canceled":
				r.cancel("canceled")
			}
		}
		r.dump("all there")
		for _, id := range []string{"queued", "scheduled", "canceled", "failed", "finished"} {
			r.delete(id, false)
			r.dump("deleted the " + id + " one")
		}
	}},
	{"deleted with dependents", pythonProduces, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate"})
		for _, id := range []string{"child", "other"} {
			r.enqueue(enqueueing{ID: id, Func: "tasks.gate", DependsOn: []string{"parent"}})
		}
		r.enqueue(enqueueing{ID: "grandchild", Func: "tasks.gate", DependsOn: []string{"child"}})
		r.producer = r.worker
		r.delete("other", false)
		r.dump("one child deleted")
		r.delete("parent", true)
		r.dump("parent and child deleted")
	}},
	{"unique", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Unique: true, TTL: of(700)})
		r.dump("queued")
	}},
}
