package rq_test

import (
	"slices"
	"strconv"

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
		r.enqueue(enqueueing{ID: "p", Func: "tasks.gate"})
		r.begin(false)
		r.end(1, "")
		r.enqueue(enqueueing{ID: "c", Func: "tasks.gate", DependsOn: []string{"p"}, AllowFailure: true})
		r.dump("queued at once")
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
func (r *interop) enqueueGroup(group string, ids ...string) {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "enqueue_many", "queue": interopQueue, "func": "tasks.play", "ids": ids, "group": group}, nil)
		return
	}
	var specs []rq.Spec
	for i, id := range ids {
		specs = append(specs, rq.Spec{ID: id, Queue: interopQueue, Func: "tasks.play", Args: []any{i}, Group: group})
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
