package rq_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// The interop tests run the same steps with Python's RQ 2.12 and with this
// package in either role and compare the whole keyspace after each step.

type side string

const (
	python side = "python"
	docsvc side = "docsvc"
)

// interop is one run of a scenario.
type interop struct {
	t                *testing.T
	rdb              *redis.Client
	client           *rq.Client
	peer             *peer
	lane             *lane
	producer, worker side
	turns            turns
	who              string // for messages
	begins           int    // executions begun so far
	start            time.Time
	dumps            []keyspace
	labels           []string
	claimed          rq.Claimed
}

// turns says which roles the sides take in turn, so that what one of them
// began the other goes on with.
type turns struct{ producer, worker bool }

func (s side) other() side {
	if s == python {
		return docsvc
	}
	return python
}

const interopQueue = "default"

// dump records the keyspace after a step.
func (r *interop) dump(label string) {
	r.t.Helper()
	r.labels = append(r.labels, label)
	r.dumps = append(r.dumps, dumpKeyspace(r.t, r.rdb, r.start))
}

func (r *interop) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatalf("%s -> %s: %v", r.producer, r.worker, err)
	}
}

func (r *interop) enqueue(e enqueueing) {
	r.t.Helper()
	if r.turns.producer {
		r.producer = r.producer.other()
	}
	if r.producer == python {
		r.peer.ask(e.request(), nil)
		return
	}
	_, err := r.client.Enqueue(r.t.Context(), e.spec())
	r.must(err)
}

// begin has a new worker start the next job and returns while the job runs.
func (r *interop) begin(json bool) {
	r.t.Helper()
	r.begins++
	if r.turns.worker {
		r.worker = r.worker.other()
	}
	if r.worker == python {
		q := request{"op": "work", "queues": []string{interopQueue}, "name": "worker-1", "max_jobs": 1}
		if json {
			q["serializer"] = "json"
		}
		r.peer.send(q)
		r.must(r.rdb.BLPop(r.t.Context(), 30*time.Second, "at-gate").Err())
		return
	}
	r.must(r.client.RegisterWorkers(r.t.Context(), []rq.WorkerBirth{
		{Name: "worker-1", Queues: []string{interopQueue}, Host: "here", PID: 7, Version: "1"}}))
	claimed, err := r.client.Claim(r.t.Context(), rq.ClaimRequest{Worker: []string{"worker-1"}, Queues: []string{interopQueue}})
	r.must(err)
	if len(claimed) != 1 {
		r.t.Fatalf("%s -> %s: claimed %d jobs", r.producer, r.worker, len(claimed))
	}
	r.claimed = claimed[0]
}

// end has the running job return a value, or raise a ValueError of that text,
// and its worker leave.
func (r *interop) end(value any, raise string) {
	r.t.Helper()
	if r.worker == python {
		message := map[string]any{"return": value}
		if raise != "" {
			message = map[string]any{"raise": raise}
		}
		text, err := json.Marshal(message)
		r.must(err)
		r.must(r.rdb.RPush(r.t.Context(), "gate", text).Err())
		r.must(r.peer.receive(nil))
		return
	}
	o := rq.Outcome{Execution: r.claimed.Execution, Job: r.claimed.Job, Kind: rq.OutcomeFinish, Result: value}
	if raise != "" {
		o.Kind, o.Result, o.Error = rq.OutcomeRetry, nil, raise
	}
	done, err := r.client.Finish(r.t.Context(), []rq.Outcome{o})
	r.must(err)
	r.must(done[0].Err)
	r.must(r.client.UnregisterWorkers(r.t.Context(), []string{"worker-1"}))
}

// due makes every scheduled job due and has the scheduler move it.
func (r *interop) due() {
	r.t.Helper()
	key := "rq:scheduled:" + interopQueue
	ids, err := r.rdb.ZRange(r.t.Context(), key, 0, -1).Result()
	r.must(err)
	for _, id := range ids {
		r.must(r.rdb.ZAdd(r.t.Context(), key, redis.Z{Score: float64(time.Now().Unix() - 1), Member: id}).Err())
	}
	if r.worker == python {
		r.peer.ask(request{"op": "move_due", "queues": []string{interopQueue}}, nil)
		return
	}
	moved, _, err := r.client.MoveDue(r.t.Context(), []string{interopQueue}, time.Time{})
	r.must(err)
	if moved != len(ids) {
		r.t.Fatalf("moved %d of %d jobs", moved, len(ids))
	}
	r.must(r.client.ReleaseScheduler(r.t.Context(), []string{interopQueue}))
}

// abandon lets the lease of the running job, which a Python worker has, run
// out, and has the registries cleaned by the producer's side.
func (r *interop) abandon() {
	r.t.Helper()
	key := "rq:wip:" + interopQueue
	members, err := r.rdb.ZRange(r.t.Context(), key, 0, -1).Result()
	r.must(err)
	for _, m := range members {
		r.must(r.rdb.ZAdd(r.t.Context(), key, redis.Z{Score: float64(time.Now().Unix() - 1), Member: m}).Err())
	}
	if r.producer == python {
		r.second().ask(request{"op": "clean", "queues": []string{interopQueue}}, nil)
		return
	}
	m, err := r.client.Maintenance(r.t.Context(), []string{interopQueue})
	r.must(err)
	if len(m.Abandoned) != len(members) {
		r.t.Fatalf("of %d executions %d were abandoned", len(members), len(m.Abandoned))
	}
}

func (r *interop) cancel(id string) { r.cancelWith(id, rq.CancelOptions{}) }

func (r *interop) cancelWith(id string, o rq.CancelOptions) {
	r.t.Helper()
	if r.producer == python {
		q := request{"op": "cancel", "id": id}
		if o != (rq.CancelOptions{}) {
			q["options"] = request{"enqueue_dependents": o.EnqueueDependents, "remove_from_dependencies": o.RemoveFromDependencies}
		}
		r.peer.ask(q, nil)
		return
	}
	_, err := r.client.CancelWith(r.t.Context(), id, o)
	r.must(err)
}

func (r *interop) requeue(id string, atFront bool) {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "requeue", "id": id, "at_front": atFront}, nil)
		return
	}
	_, err := r.client.Requeue(r.t.Context(), id, rq.RequeueOptions{AtFront: atFront})
	r.must(err)
}

// requeueFailed requeues all failed jobs of the queue.
func (r *interop) requeueFailed() {
	r.t.Helper()
	if r.producer == python {
		r.rqCLI("requeue", "--queue", interopQueue, "--all")
		return
	}
	_, err := r.client.RequeueFailed(r.t.Context(), interopQueue, rq.RequeueOptions{}, nil)
	r.must(err)
}

// rqCLI runs a command of rq's command line.
func (r *interop) rqCLI(args ...string) (printed string) {
	r.t.Helper()
	r.peer.ask(request{"op": "cli", "args": args}, &printed)
	return printed
}

func (r *interop) delete(id string, dependents bool) {
	r.t.Helper()
	if r.producer == python {
		r.peer.ask(request{"op": "delete", "id": id, "dependents": dependents}, nil)
		return
	}
	_, err := r.client.Delete(r.t.Context(), id, dependents)
	r.must(err)
}

// empty empties the queue and expects that many entries.
func (r *interop) empty(n int) {
	r.t.Helper()
	if r.producer == python {
		if got, want := r.rqCLI("empty", interopQueue), fmt.Sprintf("%d jobs removed from %s queue\n", n, interopQueue); got != want {
			r.t.Errorf("rq empty says %q, want %q", got, want)
		}
		return
	}
	e, err := r.client.Empty(r.t.Context(), interopQueue)
	r.must(err)
	if e.Removed+e.Dropped != n {
		r.t.Errorf("emptied %+v, want %d", e, n)
	}
}

// suspend suspends all workers, for ever with 0 seconds.
func (r *interop) suspend(seconds int) {
	r.t.Helper()
	if r.producer == python {
		args := []string{"suspend"}
		if seconds > 0 {
			args = append(args, "--duration", strconv.Itoa(seconds))
		}
		r.rqCLI(args...)
		return
	}
	r.must(r.client.Suspend(r.t.Context(), time.Duration(seconds)*time.Second))
}

func (r *interop) resume() {
	r.t.Helper()
	if r.producer == python {
		r.rqCLI("resume")
		return
	}
	_, err := r.client.Resume(r.t.Context())
	r.must(err)
}

// stop has the producer's side stop a running job, and its worker leave.
func (r *interop) stop(id string) {
	r.t.Helper()
	send := func() {
		if r.producer == python {
			r.second().ask(request{"op": "stop_job", "id": id}, nil)
			return
		}
		_, listening, err := r.client.Stop(r.t.Context(), id, 0)
		r.must(err)
		if listening != 1 {
			r.t.Errorf("%d listen for the worker", listening)
		}
	}
	if r.worker == python {
		send()
		r.must(r.peer.receive(nil))
		return
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	commands, err := r.client.Commands(ctx, []string{"worker-1"})
	r.must(err)
	send()
	if got := <-commands; got.Name != rq.CommandStopJob || got.JobID != id {
		r.t.Errorf("got %+v", got)
	}
	done, err := r.client.Finish(r.t.Context(), []rq.Outcome{{Execution: r.claimed.Execution, Job: r.claimed.Job, Kind: rq.OutcomeStop}})
	r.must(err)
	r.must(done[0].Err)
	r.must(r.client.UnregisterWorkers(r.t.Context(), []string{"worker-1"}))
}

func TestInterop(t *testing.T) {
	t.Parallel()
	bin := redistest.Python(t)
	lanes := make(chan *lane, min(4, runtime.GOMAXPROCS(0)))
	for range cap(lanes) {
		lanes <- openLane(t, bin, redistest.RedisServer)
	}
	onLane := func(f func(*testing.T, *lane)) func(*testing.T) {
		return func(sub *testing.T) {
			sub.Parallel()
			l := <-lanes
			defer func() {
				if sub.Failed() {
					l = openLane(t, bin, redistest.RedisServer) // the old one's Python may still be at work
				}
				lanes <- l
			}()
			f(sub, l)
		}
	}
	met := newDifferences()
	t.Run("all", func(t *testing.T) {
		for _, s := range allScenarios() {
			t.Run(s.name, onLane(func(t *testing.T, l *lane) { compareSides(t, l, s, met) }))
		}
		for _, e := range exchanges {
			t.Run(e.name, onLane(func(t *testing.T, l *lane) { e.run(t, l.fresh(t, docsvc, docsvc)) }))
		}
	})
	// With -run only some of the scenarios may have been asked for.
	if whole := flag.Lookup("test.run").Value.String(); !t.Failed() && !strings.Contains(whole, "/") {
		for _, line := range met.unused() {
			t.Errorf("%s: this difference does not occur any more; take it out of the table", line)
		}
	}
	met.summarize(t)
}

// compareSides runs a scenario in every mix of roles and compares with Python
// alone. Where there are several executions the sides also take turns.
func compareSides(t *testing.T, l *lane, s scenario, met *differences) {
	want := l.fresh(t, python, python)
	s.steps(want)
	run := func(producer, worker side, u turns) {
		r := l.fresh(t, producer, worker)
		r.turns, r.who = u, fmt.Sprintf("%s -> %s", producer, worker)
		if u.worker {
			r.who = "in turns"
		}
		s.steps(r)
		met.compare(t, s.name, want, r)
	}
	for _, roles := range [][2]side{{python, docsvc}, {docsvc, python}, {docsvc, docsvc}} {
		if s.roles == pythonProduces && roles[0] != python || s.roles == pythonWorks && roles[1] != python {
			continue
		}
		run(roles[0], roles[1], turns{})
	}
	if want.begins > 1 && s.roles != pythonWorks {
		u := turns{producer: s.roles == either, worker: true}
		run(python, docsvc, u) // Python begins: each turn changes the side first
		run(python, python, u)
	}
}
