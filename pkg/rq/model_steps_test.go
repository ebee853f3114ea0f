package rq

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"
)

func modelID(n int) string { return fmt.Sprintf("j%02d", n) }

// newSpec draws a job of id and what the model makes of it.
func (x *machine) newSpec(id string) (Spec, *modelJob) {
	j := &modelJob{id: id, queue: pick(x, "queue", modelQueues), fn: pick(x, "func", []string{"app.again", "app.once"}), retries: -1}
	s := Spec{ID: id, Queue: j.queue, Func: j.fn}
	every := func(what string) int { return pick(x, what, []int{0, 10}) }
	if x.flag("retries") {
		j.retries, j.retryEvery = 2, every("retry after")
		s.Retry = &Retry{Max: 2, Intervals: []time.Duration{time.Duration(j.retryEvery) * time.Second}}
	}
	if rapid.IntRange(0, 4).Draw(x.t, "repeats") == 0 {
		j.repeats, j.repeatEvery = 2, every("repeat after")
		s.Repeat = &Repeat{Times: 2, Intervals: []time.Duration{time.Duration(j.repeatEvery) * time.Second}}
	}
	s.AtFront = x.flag("front")
	return s, j
}

// place puts a new job where its spec says. The caller has made the hash.
func (x *machine) place(s Spec, j *modelJob) {
	m := x.m
	parent := m.jobs[j.parent]
	switch {
	case !s.At.IsZero():
		j.front = s.AtFront
		m.schedule(j, s.At.Unix())
	case j.parent != "" && parent != nil && parent.status != StatusFinished:
		j.status, j.waiting = StatusDeferred, true
		m.deferred[j.queue][j.id] = x.sec()
		m.children[j.parent] = append(m.children[j.parent], j.id)
	default:
		m.push(j, s.AtFront)
	}
	m.jobs[j.id] = j
	m.made++
}

func (x *machine) enqueue() {
	x.id++
	s, j := x.newSpec(modelID(x.id))
	switch rapid.IntRange(0, 5).Draw(x.t, "kind") {
	case 0:
		s.At = x.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(x.t, "in")) * time.Second).Truncate(time.Second)
	case 1:
		// One child each: Redis has several in no order.
		var parents []string
		for n := 1; n < x.id; n++ {
			if len(x.m.children[modelID(n)]) == 0 {
				parents = append(parents, modelID(n))
			}
		}
		if len(parents) > 0 {
			j.parent, j.tolerant = pick(x, "parent", parents), x.flag("tolerant")
			s.DependsOn, s.AllowFailure = []string{j.parent}, j.tolerant
		}
	}
	if _, err := x.Enqueue(context.Background(), s); err != nil {
		x.t.Fatalf("enqueue: %v", err)
	}
	x.place(s, j)
}

// enqueueAgain uses an id a second time, which only a job that has ended allows.
func (x *machine) enqueueAgain() {
	m, id := x.m, x.someJob()
	s, j := x.newSpec(id)
	for _, r := range m.runs {
		if e := r.c.Execution; (r.holds || r.leased) && e.JobID == id && e.Queue != s.Queue && m.jobs[id] == nil {
			x.t.Skip("its hash was deleted by another tool while it runs, and what it ran on is not known")
		}
	}
	s.Unique = UniqueActive
	old := m.jobs[id]
	_, err := x.Enqueue(context.Background(), s)
	if old != nil && !old.status.Final() {
		if !errors.Is(err, ErrActive) {
			x.t.Fatalf("enqueueing %s again, which is %s: %v", id, old.status, err)
		}
		return
	}
	if err != nil {
		x.t.Fatalf("enqueueing %s again: %v", id, err)
	}
	was := s.Queue
	if old != nil {
		was, j.waiting = old.queue, old.waiting
		m.gone++
	}
	for _, reg := range []map[string]map[string]int64{m.results, m.failed, m.canceled} {
		delete(reg[was], id)
	}
	for _, r := range m.runs {
		if r.c.Execution.JobID == id {
			r.end()
		}
	}
	delete(m.deaths, id)
	x.place(s, j)
}

func (x *machine) claim() {
	m := x.m
	workers := m.freeWorkers()
	if len(workers) == 0 {
		x.t.Skip("no free worker")
	}
	workers = workers[:rapid.IntRange(1, len(workers)).Draw(x.t, "slots")]
	queues := slices.Clone(modelQueues)
	if x.flag("low first") {
		slices.Reverse(queues)
	}
	got, err := x.Claim(context.Background(), ClaimRequest{Worker: workers, Queues: queues})
	if err != nil {
		x.t.Fatalf("claim: %v", err)
	}
	var want []string
	for range workers {
		if id := m.next(&queues); id != "" && !m.suspended {
			want = append(want, id)
		}
	}
	var ids []string
	for i, c := range got {
		ids = append(ids, c.Job.ID)
		j := m.jobs[c.Job.ID]
		if j == nil || c.Execution.Worker != workers[i] {
			x.t.Fatalf("claim gave %s to %s", c.Job.ID, c.Execution.Worker)
		}
		m.runs = append(m.runs, &modelRun{c: c, retries: j.retries, returned: j.returned, holds: true, leased: true, traced: true,
			lease: x.now.Add(12 * time.Second), busy: true})
	}
	if !slices.Equal(ids, want) {
		x.t.Fatalf("claim of %v from %v gave %v, want %v", workers, queues, ids, want)
	}
}

// next takes the entry that a claim must take; entries before it that no
// waiting job stands behind are dropped.
func (m *model) next(queues *[]string) string {
	if m.suspended {
		return ""
	}
	for len(*queues) > 0 {
		q := (*queues)[0]
		for len(m.queues[q]) > 0 {
			id := m.queues[q][0]
			m.queues[q] = m.queues[q][1:]
			if j := m.jobs[id]; j != nil && j.status == StatusQueued {
				j.status = StatusStarted
				m.between[q] = without1(m.between[q], id)
				return id
			}
			m.dropped[q]++
		}
		*queues = (*queues)[1:]
	}
	return ""
}

// finish ends an execution in any way, whether it still holds its job or not.
func (x *machine) finish() {
	m := x.m
	run := pick(x, "run", m.busy())
	o := Outcome{Execution: run.c.Execution, Job: run.c.Job, Kind: OutcomeKind(rapid.IntRange(int(OutcomeFinish), int(OutcomeReturned)).Draw(x.t, "outcome")),
		Result: int64(1), Error: "error", Effects: []Effect{HIncrBy("docsvc:model", "ends", 1)}}
	var delay int
	switch o.Kind {
	case OutcomeRetryFree:
		if delay = pick(x, "delay", []int{0, 10}); delay > 0 {
			d := time.Duration(delay) * time.Second
			o.Delay = &d
		}
	case OutcomeReturned:
		o.Retry = &Retry{Max: 1}
	}
	done, err := x.Finish(context.Background(), []Outcome{o})
	if err != nil {
		x.t.Fatalf("finish: %v", err)
	}
	run.busy = false
	q, j := run.c.Execution.Queue, m.jobs[run.c.Execution.JobID]
	if !run.holds || j == nil {
		if !errors.Is(done[0].Err, ErrLateFinish) {
			x.t.Fatalf("a finish of %s, which %s does not hold, answered %+v", run.c.Execution.JobID, run.c.Execution.Member(), done[0])
		}
		m.late[q]++
		if run.holds { // the job is gone: nothing of the execution stays
			run.end()
		}
		return
	}
	if done[0].Err != nil {
		x.t.Fatalf("finish of %s: %v", j.id, done[0].Err)
	}
	run.end()
	m.effects++
	x.settle(run, j, o.Kind, delay)
	x.last[run.c.Execution.Worker] = lastEnd{o, done[0]}
}

func (x *machine) settle(run *modelRun, j *modelJob, kind OutcomeKind, delay int) {
	m := x.m
	switch kind {
	case OutcomeFinish:
		m.succeed(j, x.sec())
	case OutcomeFail:
		m.fail(j, StatusFailed)
	case OutcomeStop:
		m.fail(j, StatusStopped)
	case OutcomeReturnHead:
		m.push(j, true)
	case OutcomeRetryFree:
		m.again(j, x.sec(), delay, false)
	case OutcomeReturned:
		if run.returned > 0 {
			m.fail(j, StatusFailed)
			return
		}
		j.returned = run.returned + 1
		m.push(j, false)
	case OutcomeRetry:
		x.spend(j, run.retries)
	}
}

// spend uses up one of the retries that whoever decides has read.
func (x *machine) spend(j *modelJob, left int) {
	if left <= 0 {
		x.m.fail(j, StatusFailed)
		return
	}
	j.retries = left - 1
	x.m.again(j, x.sec(), j.retryEvery, false)
}

// finishTwice repeats what a worker slot ended last: the answer is the same,
// and nothing changes, unless the slot has a job again and forgot.
func (x *machine) finishTwice() {
	w := pick(x, "worker", modelWorkers)
	e, ok := x.last[w]
	if !ok {
		x.t.Skip("it has ended nothing")
	}
	done, err := x.Finish(context.Background(), []Outcome{e.outcome})
	if err != nil || done[0].Err != nil || done[0].Status != e.answer.Status || !done[0].NextAttempt.Equal(e.answer.NextAttempt) {
		x.t.Fatalf("the finish of %s was repeated: %+v, %v; the first was answered %+v", e.outcome.Execution.Member(), done, err, e.answer)
	}
}

func (x *machine) progress() {
	run := pick(x, "run", x.m.busy())
	err := x.Progress(context.Background(), run.c.Execution, []Effect{HIncrBy("docsvc:model", "progress", 1)}, nil)
	if run.holds == (err != nil) || (err != nil && !errors.Is(err, ErrLateFinish)) {
		x.t.Fatalf("progress of %s (holds its job: %v): %v", run.c.Execution.Member(), run.holds, err)
	}
}

// die has a worker forget its execution, as a process that was killed and
// started again under the same name.
func (x *machine) die() {
	pick(x, "run", x.m.busy()).busy = false
}

func (x *machine) beat() {
	m := x.m
	if m.pulse.IsZero() || x.now.Sub(m.pulse) > 6*time.Second {
		m.quiet = x.now.Add(12 * time.Second)
	}
	m.pulse = x.now
}

func (x *machine) heartbeat() {
	m := x.m
	var beats []Beat
	var workers []WorkerBeat
	for _, w := range modelWorkers {
		workers = append(workers, WorkerBeat{Name: w})
	}
	var want []string
	for _, r := range m.busy() {
		if !x.flag("beats") {
			continue
		}
		beats = append(beats, Beat{Execution: r.c.Execution, Timeout: r.c.Job.Timeout})
		if r.holds && m.jobs[r.c.Execution.JobID] != nil {
			r.lease, r.leased = x.now.Add(12*time.Second), true
			continue
		}
		want = append(want, r.c.Execution.Member())
		if r.holds { // the job is gone
			r.end()
		}
		r.leased = false
	}
	lost, err := x.Heartbeat(context.Background(), workers, beats)
	if err != nil {
		x.t.Fatalf("heartbeat: %v", err)
	}
	x.beat()
	var got []string
	for _, e := range lost {
		got = append(got, e.Member())
	}
	if !slices.Equal(got, want) {
		x.t.Fatalf("heartbeat says lost %v, want %v", got, want)
	}
}

func (x *machine) recoverExpired() {
	m := x.m
	got, err := x.RecoverExpired(context.Background(), modelQueues)
	if err != nil {
		x.t.Fatalf("recover: %v", err)
	}
	x.beat()
	var want []string
	if !m.quiet.After(x.now) {
		for _, q := range modelQueues {
			want = append(want, x.recoverQueue(q)...)
		}
	}
	var ids []string
	for _, r := range got {
		ids = append(ids, r.JobID)
	}
	if !slices.Equal(ids, want) {
		x.t.Fatalf("recovered %v, want %v", ids, want)
	}
}

func (x *machine) recoverQueue(q string) (taken []string) {
	m, leases, runs := x.m, map[string]int64{}, map[string]*modelRun{}
	for _, r := range m.runs {
		if r.leased && r.c.Execution.Queue == q && !r.lease.After(x.now) {
			leases[r.c.Execution.Member()], runs[r.c.Execution.Member()] = r.lease.UnixMilli(), r
		}
	}
	for _, member := range inOrder(leases) {
		r := runs[member]
		j := m.jobs[r.c.Execution.JobID]
		held := r.holds
		r.end()
		if !held || j == nil || j.status != StatusStarted {
			continue
		}
		taken = append(taken, j.id)
		switch {
		case j.fn == "app.again" && m.deaths[j.id] == 4:
			m.fail(j, StatusFailed)
		case j.fn == "app.again":
			m.deaths[j.id]++
			m.push(j, true)
		default:
			x.spend(j, j.retries)
		}
	}
	return taken
}
