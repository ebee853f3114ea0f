package rq

import (
	"context"
	"errors"
	"slices"
	"time"
)

func (x *machine) cancel() {
	m, id := x.m, x.someJob()
	_, err := x.Cancel(context.Background(), id)
	j := m.jobs[id]
	if !x.allowed("cancel", j, err, j != nil && !j.status.Final()) {
		return
	}
	m.canceled[j.queue][id] = x.sec()
	switch j.status {
	case StatusStarted:
		m.fence(id)
	case StatusDeferred:
		delete(m.deferred[j.queue], id)
	case StatusScheduled:
		delete(m.scheduled[j.queue], id)
	default:
		m.queues[j.queue] = without1(m.queues[j.queue], id)
	}
	j.status = StatusCanceled
	delete(m.deaths, id)
}

// allowed checks the error of what a job's status may forbid.
func (x *machine) allowed(what string, j *modelJob, err error, ok bool) bool {
	var state *StateError
	switch {
	case j == nil && !errors.Is(err, ErrNoJob):
		x.t.Fatalf("%s of a job that is gone: %v", what, err)
	case j != nil && !ok && !errors.As(err, &state):
		x.t.Fatalf("%s of job %s, which is %s: %v", what, j.id, j.status, err)
	case ok && err != nil:
		x.t.Fatalf("%s of job %s, which is %s: %v", what, j.id, j.status, err)
	}
	return ok
}

func (x *machine) remove() {
	m, id := x.m, x.someJob()
	_, err := x.Delete(context.Background(), id, false)
	j := m.jobs[id]
	if !x.allowed("delete", j, err, j != nil) {
		return
	}
	m.queues[j.queue] = without1(m.queues[j.queue], id)
	switch j.status {
	case StatusFinished:
		delete(m.results[j.queue], id)
	case StatusFailed, StatusStopped:
		delete(m.failed[j.queue], id)
	case StatusDeferred:
		delete(m.deferred[j.queue], id)
	case StatusScheduled:
		delete(m.scheduled[j.queue], id)
	case StatusCanceled:
		delete(m.canceled[j.queue], id)
	}
	for _, r := range m.runs {
		if r.c.Execution.JobID == id {
			r.end()
		}
	}
	delete(m.deaths, id)
	delete(m.children, id)
	delete(m.jobs, id)
	m.gone++
}

func (x *machine) requeue() {
	m, id, front := x.m, x.someJob(), x.flag("front")
	_, err := x.Requeue(context.Background(), id, RequeueOptions{AtFront: front})
	j := m.jobs[id]
	if !x.allowed("requeue", j, err, j != nil && j.status.Final() && j.status != StatusFinished) {
		return
	}
	delete(m.failed[j.queue], id)
	delete(m.canceled[j.queue], id)
	delete(m.deaths, id)
	m.push(j, front)
}

func (x *machine) due() {
	m, want := x.m, 0
	for _, q := range modelQueues {
		for _, id := range inOrder(m.scheduled[q]) {
			score, j := m.scheduled[q][id], m.jobs[id]
			switch {
			case score > x.sec():
			case j == nil && x.sec()-score <= 60: // perhaps its hash is still being written
			case j == nil || j.status != StatusScheduled:
				delete(m.scheduled[q], id)
			default:
				delete(m.scheduled[q], id)
				m.push(j, j.front)
				want++
			}
		}
	}
	moved, _, err := x.MoveDue(context.Background(), modelQueues, time.Time{})
	if err != nil || moved != want {
		x.t.Fatalf("moved %d, want %d: %v", moved, want, err)
	}
}

func (x *machine) suspend() {
	var err error
	if x.m.suspended {
		_, err = x.Resume(context.Background())
	} else {
		err = x.Suspend(context.Background(), 0)
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.m.suspended = !x.m.suspended
}

func (x *machine) maintain() {
	m := x.m
	if _, err := x.Maintenance(context.Background(), modelQueues); err != nil {
		x.t.Fatalf("maintenance: %v", err)
	}
	for _, q := range modelQueues {
		x.maintainBetween(q)
		for id := range m.canceled[q] {
			if m.jobs[id] == nil {
				delete(m.canceled[q], id)
			}
		}
		x.maintainDeferred(q)
	}
}

func (x *machine) maintainBetween(q string) {
	m := x.m
	for _, id := range slices.Clone(m.between[q]) {
		j, at := m.jobs[id], q+"/"+id
		held := slices.ContainsFunc(m.runs, func(r *modelRun) bool { return r.holds && r.c.Execution.JobID == id && r.c.Execution.Queue == q })
		seen, known := m.seen[at]
		switch {
		case held:
		case j == nil:
			m.between[q] = without1(m.between[q], id)
			delete(m.seen, at)
		case !known, j.enqueued.After(seen): // another entry of it was seen
			m.seen[at] = x.now
		case x.sec()-seen.Unix() > 60:
			// One of an earlier life of the job is only removed.
			if j.status == StatusQueued && j.queue == q && !slices.Contains(m.queues[q], id) {
				m.push(j, true)
			}
			m.between[q] = without1(m.between[q], id)
			delete(m.seen, at)
		}
	}
}

// maintainDeferred releases what waits for nothing any more. The order is the
// scan's, so it is taken from what happened.
func (x *machine) maintainDeferred(q string) {
	m, due := x.m, map[string]bool{}
	for id := range m.deferred[q] {
		j, parent := m.jobs[id], (*modelJob)(nil)
		if j != nil {
			parent = m.jobs[j.parent]
		}
		switch {
		case j == nil:
			delete(m.deferred[q], id)
		case j.status != StatusDeferred || !j.waiting:
		case parent == nil || parent.status == StatusFinished || (j.tolerant && parent.status == StatusFailed):
			due[id] = true
		}
	}
	list, err := x.rdb.LRange(context.Background(), keyQueue(q), -int64(len(due)), -1).Result()
	if err != nil {
		x.t.Fatal(err)
	}
	if len(due) == 0 {
		return
	}
	for _, id := range list {
		if !due[id] {
			x.t.Fatalf("maintenance left the end of %s as %v, where %v should be", q, list, due)
		}
		delete(m.deferred[q], id)
		m.children[m.jobs[id].parent] = without1(m.children[m.jobs[id].parent], id)
		m.push(m.jobs[id], false)
	}
}

// foreign is what other tools do to the keys behind everybody's back.
func (x *machine) foreign() {
	m, q := x.m, pick(x, "queue", modelQueues)
	do := func(args ...any) {
		if err := x.rdb.Do(context.Background(), args...).Err(); err != nil {
			x.t.Fatalf("%v: %v", args, err)
		}
	}
	switch pick(x, "tool", []string{"pop", "take", "push", "unwip", "delete", "unschedule"}) {
	case "pop":
		if len(m.queues[q]) == 0 {
			x.t.Skip("the queue is empty")
		}
		do("LPOP", keyQueue(q))
		m.foreign[m.queues[q][0]] = true
		m.queues[q] = m.queues[q][1:]
	case "take": // as a Python worker does, which then dies
		if len(m.queues[q]) == 0 {
			x.t.Skip("the queue is empty")
		}
		do("LMOVE", keyQueue(q), keyIntermediate(q), "LEFT", "RIGHT")
		m.foreign[m.queues[q][0]] = true
		m.between[q] = append(slices.Clone(m.between[q]), m.queues[q][0])
		m.queues[q] = m.queues[q][1:]
	case "push":
		id := x.someJob()
		do("RPUSH", keyQueue(q), id)
		m.foreign[id] = true
		m.queues[q] = append(slices.Clone(m.queues[q]), id)
	case "unwip":
		r := pick(x, "run", m.busy())
		do("ZREM", keyWIP(r.c.Execution.Queue), r.c.Execution.Member())
		m.foreign[r.c.Execution.JobID] = true
		r.holds = false
	case "delete":
		id := x.someJob()
		do("DEL", keyJob(id))
		m.foreign[id] = true
		if m.jobs[id] != nil {
			m.gone++
		}
		delete(m.jobs, id)
	case "unschedule":
		id := x.someJob()
		do("ZREM", keyScheduled(q), id)
		m.foreign[id] = true
		delete(m.scheduled[q], id)
	}
}
