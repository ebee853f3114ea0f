package rq_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// randomScenarios are sequences of operations drawn by a seed. The next one is
// chosen by what the last left in Redis, so that all runs of a seed take the
// same as long as they do not differ.
func randomScenarios() []scenario {
	n := 3
	if *full {
		n = 20
	}
	var out []scenario
	for seed := *firstSeed; seed < *firstSeed+uint64(n); seed++ {
		out = append(out, scenario{fmt.Sprintf("random %d", seed), either, func(r *interop) { r.wander(seed, 25) }})
	}
	return out
}

// wander does that many operations.
func (r *interop) wander(seed uint64, steps int) {
	r.t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &wanderer{interop: r, rng: rng, parents: map[int]bool{}}
	if r.turns.worker {
		// Who does what is drawn as well, apart from what is done.
		w.sides, r.turns = rand.New(rand.NewPCG(seed, uint64(len(r.producer)))), turns{}
	}
	for range steps {
		if w.sides != nil {
			r.producer, r.worker = w.side(), w.side()
		}
		label := w.step()
		r.dump(fmt.Sprintf("%d %s", len(r.labels)+1, label))
	}
	if r.who == "" { // the first run, of Python alone
		r.t.Logf("seed %d: %s", seed, strings.Join(r.labels, "; "))
	}
}

type wanderer struct {
	*interop
	rng, sides *rand.Rand
	made       int
	parents    map[int]bool // that have a child; two would be released in any order
}

func (w *wanderer) side() side { return []side{python, docsvc}[w.sides.IntN(2)] }

// step does one operation and names it.
func (w *wanderer) step() string {
	w.t.Helper()
	switch n := w.rng.IntN(22); {
	case n < 6 || w.made == 0:
		return w.enqueueOne()
	case n < 13:
		w.play()
		return "work"
	case n == 13:
		w.moveAllDue()
		return "due"
	case n == 14:
		return w.withOne("cancel", []string{"queued", "scheduled", "deferred"}, w.cancel)
	case n == 15:
		front := w.rng.IntN(2) == 0
		return w.withOne("requeue", []string{"failed"}, func(id string) { w.requeue(id, front) })
	case n == 16:
		w.requeueFailed()
		return "requeue all"
	case n == 17:
		dependents := w.rng.IntN(2) == 0
		return w.withOne("delete", []string{"queued", "scheduled", "finished", "failed", "canceled"}, func(id string) { w.delete(id, dependents) })
	case n == 18:
		if w.count("rq:deferred:"+interopQueue) > 0 {
			return "nothing" // docsvc's maintenance looks at deferred jobs again
		}
		w.clean()
		return "clean"
	case n == 19:
		n, err := w.rdb.LLen(w.t.Context(), "rq:queue:"+interopQueue).Result()
		w.must(err)
		w.empty(int(n))
		return "empty"
	case n == 20:
		return w.withOne("save the meta of", []string{"queued", "scheduled", "deferred", "finished", "failed", "canceled"},
			func(id string) { w.saveMeta(id, map[string]any{"saved": len(w.labels)}) })
	}
	if w.rng.IntN(2) == 0 {
		w.suspend(0)
		return "suspend"
	}
	w.resume()
	return "resume"
}

func (w *wanderer) count(registry string) int64 {
	w.t.Helper()
	n, err := w.rdb.ZCard(w.t.Context(), registry).Result()
	w.must(err)
	return n
}

func (w *wanderer) enqueueOne() string {
	w.t.Helper()
	w.made++
	pick := func(of ...*int) *int { return of[w.rng.IntN(len(of))] }
	e := enqueueing{
		ID: fmt.Sprintf("j%d", w.made), Func: "tasks.play", AtFront: w.rng.IntN(4) == 0, Timeout: []int{0, 60, -1}[w.rng.IntN(3)],
		ResultTTL: pick(nil, nil, of(700), of(-1), of(0)), FailureTTL: pick(nil, nil, of(800), of(-1)), TTL: pick(nil, nil, nil, of(900)),
	}
	outcomes := ""
	for range 1 + w.rng.IntN(4) {
		outcomes += []string{"ok ", "broken "}[w.rng.IntN(2)]
	}
	e.Args = []any{outcomes}
	switch w.rng.IntN(6) {
	case 0:
		e.Retry = []int{0}
		e.Retries, e.RetryAtFront = 1+w.rng.IntN(3), w.rng.IntN(2) == 0
	case 1:
		e.Retry = []int{60, 0}
	case 2:
		e.In = 600
	case 3:
		e.Meta = map[string]any{"n": w.made}
	}
	if parent := 1 + w.rng.IntN(w.made); parent < w.made && !w.parents[parent] && w.rng.IntN(3) == 0 {
		w.parents[parent] = true
		e.In, e.DependsOn = 0, []string{fmt.Sprintf("j%d", parent)}
		e.AllowFailure, e.ReleaseFront = w.rng.IntN(2) == 0, w.rng.IntN(4) == 0
	} else if e.In == 0 && w.rng.IntN(5) == 0 {
		e.Repeat = []int{[]int{0, 60}[w.rng.IntN(2)], 0}
		e.Repeats = 1 + w.rng.IntN(3)
	}
	e.Callbacks = w.rng.IntN(8) == 0
	w.enqueue(e)
	return "enqueue " + e.ID
}

// moveAllDue makes every scheduled job due, if there are any.
func (w *wanderer) moveAllDue() {
	w.t.Helper()
	if w.count("rq:scheduled:"+interopQueue) > 0 {
		w.due()
	}
}

// withOne does f with a job of one of the statuses, if there is one.
func (w *wanderer) withOne(what string, statuses []string, f func(id string)) string {
	w.t.Helper()
	var fit []string
	for i := range w.made {
		id := fmt.Sprintf("j%d", i+1)
		if s, _ := w.rdb.HGet(w.t.Context(), "rq:job:"+id, "status").Result(); slices.Contains(statuses, s) {
			fit = append(fit, id)
		}
	}
	if len(fit) == 0 {
		return "nothing"
	}
	id := fit[w.rng.IntN(len(fit))]
	f(id)
	return what + " " + id
}
