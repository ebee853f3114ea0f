package rq_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TestBothWorkOnOneQueue has Python and docsvc enqueue in turn, chains of
// dependents among it, and work at the same time: each job runs once.
func TestBothWorkOnOneQueue(t *testing.T) {
	t.Parallel()
	l := openLane(t, redistest.Python(t), redistest.RedisServer)
	r := l.fresh(t, python, docsvc)
	r.turns.producer = true
	const jobs = 60
	for i := range jobs {
		e := enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.play", Args: []any{"ok"}}
		if i%3 == 0 {
			e.Args, e.Retry = []any{"broken ok"}, []int{0}
		}
		if i%4 == 1 {
			e.DependsOn = []string{fmt.Sprintf("j%d", i-1)}
		}
		r.enqueue(e)
	}
	ctx := t.Context()
	var wg sync.WaitGroup
	byUs, rounds := 0, 0
	claim := func(workers ...string) []rq.Claimed {
		claimed, err := r.client.Claim(ctx, rq.ClaimRequest{Worker: workers, Queues: []string{interopQueue}})
		if err != nil {
			t.Error(err)
		}
		return claimed
	}
	// We have one before Python begins, and go on when Python has ended one: on a
	// busy machine either could have done all before the other is awake.
	claimed := claim("w.1")
	for left := jobs; left > 0 && rounds < 20; rounds++ {
		// A burst worker leaves when the queue is empty, though dependents may follow.
		r.peer.send(request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "simple": true})
		wg.Go(func() {
			deadline := time.Now().Add(2 * time.Minute)
			for rounds == 0 && r.rdb.ZCard(ctx, "rq:finished:"+interopQueue).Val() == 0 && time.Now().Before(deadline) {
				time.Sleep(time.Millisecond)
			}
			for ; len(claimed) > 0; claimed = claim("w.1", "w.2") {
				for _, c := range claimed {
					o := rq.Outcome{Execution: c.Execution, Job: c.Job, Kind: rq.OutcomeFinish, Result: "ours"}
					if n := r.rdb.Incr(ctx, "runs:"+c.Job.ID).Val(); n == 1 && slices.Equal(c.Job.Args, []any{"broken ok"}) {
						o.Kind, o.Result, o.Error = rq.OutcomeRetry, nil, "broken"
					}
					if _, err := r.client.Finish(ctx, []rq.Outcome{o}); err != nil {
						t.Error(err)
					}
					byUs++
				}
			}
		})
		wg.Wait()
		r.must(r.peer.receive(nil))
		claimed = claim("w.1", "w.2")
		done, err := r.rdb.ZCard(ctx, "rq:finished:"+interopQueue).Result()
		r.must(err)
		left = jobs - int(done)
	}
	byPython := 0
	for i := range jobs {
		id := fmt.Sprintf("j%d", i)
		want := 1
		if i%3 == 0 {
			want = 2
		}
		if n, err := r.rdb.Get(ctx, "runs:"+id).Int(); err != nil || n != want {
			t.Errorf("%v: %s ran %d times, want %d", err, id, n, want)
		}
		if n, err := r.rdb.XLen(ctx, "rq:results:"+id).Result(); err != nil || n != 1 || r.status(id) != rq.StatusFinished {
			t.Errorf("%v: %s is %s and has %d results", err, id, r.status(id), n)
		}
		if res, err := r.client.LatestResult(ctx, id); err == nil && res != nil && res.WorkerName == "worker-1" {
			byPython++
		}
	}
	if byUs == 0 || byPython == 0 {
		t.Errorf("docsvc ended %d executions, Python %d", byUs, byPython)
	}
}
