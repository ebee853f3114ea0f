package rq_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// differing are scenarios in which docsvc is meant to do something else than
// RQ; see intended.
var differing = []scenario{
	{"canceled while it runs", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.meanwhile(func() { r.cancel("j1") })
		r.dump("canceled")
		r.endAnyway(r.producer == docsvc)
		r.dump("its worker left")
	}},
	{"deleted while it runs", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.meanwhile(func() { r.delete("j1", false) })
		r.dump("deleted")
		r.endAnyway(false)
		r.dump("its worker left")
	}},
	{"ended after it was abandoned", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.expireExecutions()
		r.second().ask(request{"op": "clean", "queues": []string{interopQueue}}, nil)
		r.dump("abandoned")
		r.endAnyway(false)
		r.dump("ended late")
	}},
	{"an id twice in the queue", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}})
		r.must(r.rdb.RPush(r.t.Context(), "rq:queue:"+interopQueue, "j1").Err())
		r.play()
		r.dump("run")
		r.play()
		r.dump("run twice")
	}},
	{"an id without a job", either, func(r *interop) {
		r.must(r.rdb.RPush(r.t.Context(), "rq:queue:"+interopQueue, "gone").Err())
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}})
		r.play()
		r.dump("run")
	}},
	{"scheduled without a job", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", In: 3600})
		r.must(r.rdb.ZAdd(r.t.Context(), "rq:scheduled:"+interopQueue, redis.Z{Score: float64(time.Now().Unix() - 2), Member: "gone"}).Err())
		r.moveDue()
		r.dump("looked at")
	}},
	{"stuck in the intermediate list", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play"})
		r.must(r.rdb.LMove(r.t.Context(), "rq:queue:"+interopQueue, "rq:queue:"+interopQueue+":intermediate", "LEFT", "RIGHT").Err())
		r.clean()
		r.dump("found")
		first := "rq:queue:" + interopQueue + ":intermediate:first_seen:j1"
		r.must(r.rdb.Set(r.t.Context(), first, fmt.Sprint(time.Now().Unix()-100, ".5"), time.Hour).Err())
		r.clean()
		r.must(r.rdb.Del(r.t.Context(), first).Err()) // RQ leaves it
		r.dump("found again")
	}},
	{"stopped ones are not requeued", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.stop("j1")
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.gate"})
		r.begin(false)
		r.end(nil, "broken")
		r.requeueFailed()
		r.dump("stopped ones stay")
	}},
	{"the rest of a life", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", FailureTTL: of(900)})
		r.begin(false)
		r.end(nil, "broken")
		r.must(r.rdb.Expire(r.t.Context(), "rq:job:j1", 100*time.Second).Err())
		r.requeue("j1", false)
		r.dump("requeued")
	}},
	{"group with a dependent", either, func(r *interop) {
		r.enqueueWithChild("g", "child", "p1", "p2")
		r.dump("queued")
	}},
	{"failure not kept, with a dependent", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "parent", Func: "tasks.gate", FailureTTL: of(0)})
		r.enqueue(enqueueing{ID: "child", Func: "tasks.gate", DependsOn: []string{"parent"}, AllowFailure: true, TTL: of(900)})
		r.dump("enqueued")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("parent failed")
	}},
	{"more than ten results", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}, Repeat: make([]int, 11)})
		for range 12 {
			r.play()
		}
		r.dump("run twelve times")
	}},
	{"scheduled in the past", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", In: -10})
		r.dump("scheduled")
		r.moveDue()
		r.dump("due")
	}},
	{"unreadable", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}})
		r.must(r.rdb.HSet(r.t.Context(), "rq:job:j1", "created_at", "long ago").Err())
		r.play()
		r.dump("worked")
	}},
}

// meanwhile does f while the Python worker may be at work.
func (r *interop) meanwhile(f func()) {
	r.t.Helper()
	if r.worker == python {
		defer func(p *peer) { r.peer = p }(r.peer)
		r.peer = r.second()
	}
	f()
}

// endAnyway ends the running job that is no longer what it was. When its
// worker was told to stop, a Python one ends by itself.
func (r *interop) endAnyway(told bool) {
	r.t.Helper()
	switch {
	case r.worker == python && told:
		r.must(r.peer.receive(nil))
	case r.worker == python:
		r.end("late", "")
	default:
		done, err := r.client.Finish(r.t.Context(), []rq.Outcome{{Execution: r.claimed.Execution, Job: r.claimed.Job, Kind: rq.OutcomeFinish, Result: "late"}})
		r.must(err)
		if !errors.Is(done[0].Err, rq.ErrLateFinish) {
			r.t.Errorf("the late finish says %+v", done[0])
		}
		r.must(r.client.UnregisterWorkers(r.t.Context(), []string{"worker-1"}))
	}
}
