package rq_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

func allScenarios() []scenario {
	return slices.Concat(scenarios, moreScenarios, producerScenarios, commandLineScenarios, differing, workerScenarios, randomScenarios())
}

var moreScenarios = []scenario{
	{"retry begun by one and ended by the other", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate", Retry: []int{0, 30, 0}, Meta: map[string]any{"k": 1}})
		for _, step := range []string{"first", "second"} {
			r.begin(false)
			r.end(nil, "broken")
			r.dump(step + " failed")
			r.due()
		}
		r.begin(false)
		r.dump("third started")
		r.end(map[string]any{"a": []any{1, "é"}}, "")
		r.dump("finished")
	}},
	{"many at once", either, func(r *interop) {
		r.enqueueMany("m1", "m2", "m3")
		r.dump("queued")
		for range 3 {
			r.play()
		}
		r.dump("finished")
	}},
	{"one transaction", pythonProduces, func(r *interop) {
		r.peer.ask(request{"op": "enqueue_piped", "queue": interopQueue, "func": "tasks.play", "ids": []string{"p1", "p2"}}, nil)
		r.play()
		r.play()
		r.dump("finished")
	}},
	{"many with a dependent", either, func(r *interop) {
		r.enqueueWithChild("", "child", "p1", "p2")
		r.dump("queued")
		for _, step := range []string{"one finished", "two finished", "child finished"} {
			r.play()
			r.dump(step)
		}
	}},
	{"cron", pythonProduces, func(r *interop) {
		r.peer.ask(request{"op": "cron", "queue": interopQueue}, nil)
		r.dump("queued")
		r.play()
		r.dump("finished")
	}},
	{"result that cannot be serialised", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.gate"})
		r.begin(false)
		r.endUnserializable()
		r.dump("finished")
	}},
	{"an id used again", either, func(r *interop) {
		for range 2 {
			r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"broken ok"}, Meta: map[string]any{"k": 1}, FailureTTL: of(300)})
			r.play()
		}
		r.dump("run again")
	}},
	{"unique and finished", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}, Unique: true})
		r.play()
		r.dump("finished")
	}},
	{"unique and scheduled", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", Args: []any{"ok"}, Unique: true, In: 600})
		r.dump("scheduled")
	}},
	{"front and back", either, func(r *interop) {
		for i, front := range []bool{false, true, false, true} {
			r.enqueue(enqueueing{ID: "j" + strconv.Itoa(i), Func: "tasks.play", Args: []any{"ok"}, AtFront: front})
		}
		r.dump("queued")
		r.play()
		r.play()
		r.dump("two run")
	}},
	{"scheduled to the front", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "j1", Func: "tasks.play", In: 60})
		r.enqueue(enqueueing{ID: "j2", Func: "tasks.play", In: 60, AtFront: true})
		r.dump("scheduled")
		r.due()
		r.dump("due")
	}},
	{"maintenance", either, func(r *interop) {
		for i, raise := range []string{"", "broken", "", "broken"} {
			e := enqueueing{ID: "j" + strconv.Itoa(i), Func: "tasks.gate"}
			if i > 1 {
				e.ResultTTL, e.FailureTTL = of(-1), of(-1)
			}
			r.enqueue(e)
			r.begin(false)
			r.end(nil, raise)
		}
		ctx := r.t.Context()
		for _, reg := range []string{"finished", "failed"} {
			for _, id := range []string{"j0", "j1", "gone"} {
				r.must(r.rdb.ZAddArgs(ctx, "rq:"+reg+":"+interopQueue, redis.ZAddArgs{XX: id != "gone",
					Members: []redis.Z{{Score: float64(time.Now().Unix() - 1), Member: id}}}).Err())
			}
		}
		r.must(r.rdb.SAdd(ctx, "rq:workers", "rq:worker:dead").Err())
		r.must(r.rdb.SAdd(ctx, "rq:workers:"+interopQueue, "rq:worker:dead").Err())
		r.must(r.rdb.RPush(ctx, "rq:queue:"+interopQueue+":intermediate", "gone").Err())
		r.dump("to clean")
		r.clean()
		r.dump("clean")
	}},
	{"large and odd arguments", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "a-b_C9", Func: "tasks.gate", Args: []any{"", "'", "\"'\n\\", "漢字😀", -1, 1 << 40, 0.1, 1e300, []any{[]any{}}, map[string]any{}},
			Kwargs: map[string]any{"z": nil, "a": false}})
		var many []any
		for i := range 300 {
			many = append(many, strconv.Itoa(1000000+i))
		}
		r.enqueue(enqueueing{ID: "many", Func: "tasks.gate", Args: many})
		r.dump("queued")
		r.begin(false)
		r.end(slices.Repeat([]any{1, 2.5}, 400), "")
		r.dump("finished")
	}},
	{"dependency on what has ended", either, func(r *interop) {
		for i, raise := range []string{"", "broken"} {
			r.enqueue(enqueueing{ID: "p" + strconv.Itoa(i), Func: "tasks.gate"})
			r.begin(false)
			r.end(nil, raise)
		}
		r.enqueue(enqueueing{ID: "c0", Func: "tasks.play", DependsOn: []string{"p0"}})
		r.enqueue(enqueueing{ID: "c1", Func: "tasks.play", DependsOn: []string{"p1"}})
		r.enqueue(enqueueing{ID: "c2", Func: "tasks.play", DependsOn: []string{"p0"}})
		r.dump("enqueued")
		r.producer = r.worker
		r.requeue("p1", false)
		r.play()
		r.play()
		r.begin(false)
		r.end(1, "")
		r.dump("parent run again")
		r.play()
		r.dump("all run")
	}},
	{"deferred and canceled", either, func(r *interop) {
		r.enqueue(enqueueing{ID: "p", Func: "tasks.play", Args: []any{"ok"}})
		r.enqueue(enqueueing{ID: "c", Func: "tasks.play", DependsOn: []string{"p"}})
		r.producer = r.worker
		r.cancel("c")
		r.dump("child canceled")
		r.play()
		r.dump("parent finished")
	}},
}

// enqueueMany enqueues jobs in one call.
func (r *interop) enqueueMany(ids ...string) {
	r.t.Helper()
	if r.turns.producer {
		r.producer = r.producer.other()
	}
	if r.producer == python {
		r.peer.ask(request{"op": "enqueue_many", "queue": interopQueue, "func": "tasks.play", "ids": ids}, nil)
		return
	}
	var specs []rq.Spec
	for i, id := range ids {
		specs = append(specs, rq.Spec{ID: id, Queue: interopQueue, Func: "tasks.play", Args: []any{i}})
	}
	_, err := r.client.EnqueueMany(r.t.Context(), specs)
	r.must(err)
}

// endUnserializable has the running job return what cannot be serialised.
func (r *interop) endUnserializable() {
	r.t.Helper()
	if r.worker == docsvc {
		r.end(func() {}, "")
		return
	}
	text, err := json.Marshal(map[string]any{"unserializable": true})
	r.must(err)
	r.must(r.rdb.RPush(r.t.Context(), "gate", text).Err())
	r.must(r.peer.receive(nil))
}

// play has a worker run the next job, a tasks.play, to its end, if there is
// one, and leave.
func (r *interop) play() {
	r.t.Helper()
	r.begins++
	if r.turns.worker {
		r.worker = r.worker.other()
	}
	if r.worker == python {
		r.peer.ask(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true, "max_jobs": 1}, nil)
		return
	}
	ctx := r.t.Context()
	r.must(r.client.RegisterWorkers(ctx, []rq.WorkerBirth{{Name: "worker-1", Queues: []string{interopQueue}, Host: "here", PID: 7, Version: "1"}}))
	claimed, err := r.client.Claim(ctx, rq.ClaimRequest{Worker: []string{"worker-1"}, Queues: []string{interopQueue}})
	r.must(err)
	if suspended := r.rdb.Exists(ctx, "rq:suspended").Val() == 1; len(claimed) == 0 && !suspended {
		r.must(r.client.SetWorkerState(ctx, rq.WorkerIdle, []string{"worker-1"}))
	}
	for _, c := range claimed {
		n, err := r.rdb.Incr(ctx, "runs:"+c.Job.ID).Result()
		r.must(err)
		o := rq.Outcome{Execution: c.Execution, Job: c.Job, Kind: rq.OutcomeFinish, Result: n}
		outcomes := strings.Fields(fmt.Sprint(append(c.Job.Args, "ok")[0]))
		if outcomes[min(int(n), len(outcomes))-1] == "broken" {
			o.Kind, o.Result, o.Error = rq.OutcomeRetry, nil, "broken"
		}
		r.finish(o)
	}
	r.must(r.client.UnregisterWorkers(ctx, []string{"worker-1"}))
}

// clean has the producer's side maintain the queue.
func (r *interop) clean() {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "clean", "queues": []string{interopQueue}}, nil)
		return
	}
	_, err := r.client.Maintenance(r.t.Context(), []string{interopQueue})
	r.must(err)
}

// moveDue has the worker's side move what is due.
func (r *interop) moveDue() {
	r.t.Helper()
	if r.worker == python {
		r.peer.ask(request{"op": "move_due", "queues": []string{interopQueue}}, nil)
		return
	}
	_, _, err := r.client.MoveDue(r.t.Context(), []string{interopQueue}, time.Time{})
	r.must(err)
	r.must(r.client.ReleaseScheduler(r.t.Context(), []string{interopQueue}))
}

// expireExecutions lets the scores of all executions pass.
func (r *interop) expireExecutions() {
	r.t.Helper()
	key := "rq:wip:" + interopQueue
	members, err := r.rdb.ZRange(r.t.Context(), key, 0, -1).Result()
	r.must(err)
	for _, m := range members {
		r.must(r.rdb.ZAdd(r.t.Context(), key, redis.Z{Score: float64(time.Now().Unix() - 1), Member: m}).Err())
	}
}
