package rq_test

import "fmt"

func of(n int) *int { return &n }

// scenarios are steps with a dump after each.
var scenarios = []struct {
	name        string
	pythonWorks bool // the worker is always Python's
	steps       func(*interop)
}{
	{"success", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Args: []any{1, "a", nil, 1.5, []any{true}}, Kwargs: map[string]any{"b": "é", "c": map[string]any{"d": 2}}})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end(map[string]any{"text": "done", "n": 3}, "")
		r.dump("finished")
	}},
	{"success in JSON", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Args: []any{1, "é"}, Kwargs: map[string]any{"b": []any{}}, Meta: map[string]any{"k": []any{1, "v"}}, JSON: true})
		r.dump("queued")
		r.begin(true)
		r.end([]any{1, "é", nil}, "")
		r.dump("finished")
	}},
	{"every option", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Description: "what it is", Meta: map[string]any{"k": "v"}, ResultTTL: of(77), FailureTTL: of(88),
			TTL: of(99), Timeout: 20, Retry: []int{60, 120}, AtFront: true})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end(nil, "")
		r.dump("finished")
	}},
	{"kept for ever", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", ResultTTL: of(-1), Timeout: -1})
		r.dump("queued")
		r.begin(false)
		r.dump("started")
		r.end("x", "")
		r.dump("finished")
	}},
	{"not kept", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", ResultTTL: of(0)})
		r.begin(false)
		r.end("x", "")
		r.dump("finished")
	}},
	{"failure and requeue", false, func(r *interop) {
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
	{"failures kept for ever or a while", false, func(r *interop) {
		for i, n := range []*int{of(-1), of(66), of(0)} {
			r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.gate", FailureTTL: n})
			r.begin(false)
			r.end(nil, "broken")
			r.dump(fmt.Sprint("failed with ttl ", *n))
		}
	}},
	{"retry with intervals", false, func(r *interop) {
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
	{"retry at once", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0}})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate"})
		r.begin(false)
		r.end(nil, "once")
		r.dump("queued again")
	}},
	{"scheduled", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", In: 3600, TTL: of(9000)})
		r.dump("scheduled")
		r.due()
		r.dump("due")
		r.begin(false)
		r.end("x", "")
		r.dump("finished")
	}},
	{"canceled", false, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate", In: 3600})
		r.enqueue(enqueueing{ID: "j3", Func: "tasks.gate"})
		r.cancel("j1")
		r.dump("a queued job canceled")
		r.cancel("j2")
		r.dump("a scheduled job canceled")
	}},
	{"abandoned", true, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.abandon()
		r.dump("failed")
		r.end("late", "")
	}},
	{"abandoned with retries", true, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{60}})
		r.begin(false)
		r.abandon()
		r.dump("waits for its retry")
		r.end("late", "")
	}},
}
