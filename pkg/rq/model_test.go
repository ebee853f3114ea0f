package rq

import (
	"context"
	"maps"
	"slices"
	"sort"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// model is what the queue should be, worked out without Redis. Times are of
// the scripts, which the test moves; nothing expires by itself within a run.
type model struct {
	jobs                                           map[string]*modelJob
	queues, between                                map[string][]string         // entries, head first; between: RQ's intermediate lists
	scheduled, deferred, failed, canceled, results map[string]map[string]int64 // registries by queue; results: rq:finished
	children                                       map[string][]string         // rq:job:J:dependents
	seen                                           map[string]time.Time        // first_seen of queue/job
	now                                            func() time.Time
	deaths                                         map[string]int
	late, dropped                                  map[string]int
	runs                                           []*modelRun
	foreign                                        map[string]bool // jobs that another tool has touched
	made, gone, effects                            int
	suspended                                      bool
	pulse, quiet                                   time.Time
}

type modelJob struct {
	id, queue, fn            string
	status                   Status
	retries, retryEvery      int // retries -1: none asked for
	repeats, repeatEvery     int
	returned                 int
	tolerant, front, waiting bool // waiting: its own set of dependencies exists
	parent                   string
	enqueued                 time.Time // when it was last put on its queue
}

// modelRun is one execution. It holds its job while it is in rq:wip; a lease
// may stand longer.
type modelRun struct {
	c             Claimed
	retries       int // that the worker read
	returned      int
	holds, leased bool
	traced        bool // it has its hash, and stands among its job's executions
	lease         time.Time
	busy          bool // its worker still works on it
}

func (r *modelRun) GoString() string {
	return r.c.Execution.Member()[:8] + " of " + r.c.Execution.Worker
}

func newModel(now func() time.Time) *model {
	m := &model{now: now, jobs: map[string]*modelJob{}, children: map[string][]string{}, seen: map[string]time.Time{}, deaths: map[string]int{},
		late: map[string]int{}, dropped: map[string]int{}, foreign: map[string]bool{}}
	m.queues, m.between = map[string][]string{}, map[string][]string{}
	for _, r := range []*map[string]map[string]int64{&m.scheduled, &m.deferred, &m.failed, &m.canceled, &m.results} {
		*r = map[string]map[string]int64{}
		for _, q := range modelQueues {
			(*r)[q] = map[string]int64{}
		}
	}
	return m
}

var (
	modelQueues  = []string{"high", "low"}
	modelWorkers = []string{"w1", "w2", "w3"}
)

// machine drives the queue and its model through the same steps.
type machine struct {
	*fixture
	t  *rapid.T
	m  *model
	id int
	// last are ends that workers reported, to be repeated as after a lost reply.
	last map[string]lastEnd
}

type lastEnd struct {
	outcome Outcome
	answer  Finished
}

// After every step the keys are what the model says, and agree with one
// another. The same seed gives the same steps (make model runs many).
func TestModel(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		rapid.Check(t, func(t *rapid.T) {
			x := newMachine(t, f)
			t.Repeat(map[string]func(*rapid.T){
				"":              func(*rapid.T) { x.check() },
				"advance":       x.step(x.advance),
				"cancel":        x.step(x.cancel),
				"claim":         x.step(x.claim),
				"claim more":    x.step(x.claim), // twice as often as others
				"delete":        x.step(x.remove),
				"die":           x.step(x.die),
				"due":           x.step(x.due),
				"enqueue":       x.step(x.enqueue),
				"enqueue again": x.step(x.enqueueAgain),
				"enqueue more":  x.step(x.enqueue),
				"finish":        x.step(x.finish),
				"finish more":   x.step(x.finish),
				"finish twice":  x.step(x.finishTwice),
				"foreign":       x.step(x.foreign),
				"heartbeat":     x.step(x.heartbeat),
				"maintain":      x.step(x.maintain),
				"progress":      x.step(x.progress),
				"recover":       x.step(x.recoverExpired),
				"requeue":       x.step(x.requeue),
				"suspend":       x.step(x.suspend),
			})
		})
	})
}

func newMachine(t *rapid.T, f *fixture) *machine {
	ctx := context.Background()
	if err := f.rdb.FlushDB(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	f.now = noon
	day := 24 * time.Hour
	o := Options{Clock: func() time.Time { return f.now }, Idempotent: func(fn string) bool { return fn == "app.again" }}
	o.Queues = map[string]QueueDefaults{}
	for _, q := range modelQueues {
		o.Queues[q] = QueueDefaults{ResultTTL: day}
	}
	f.Client = New(f.rdb, o)
	f.fixedTime = func() time.Time { return f.now }
	x := &machine{fixture: f, t: t, m: newModel(f.fixedTime), last: map[string]lastEnd{}}
	var births []WorkerBirth
	for i, w := range modelWorkers {
		births = append(births, WorkerBirth{Name: w, Queues: modelQueues, Host: "h", BootID: "b", PID: i + 1})
	}
	if err := f.RegisterWorkers(ctx, births); err != nil {
		t.Fatal(err)
	}
	return x
}

// step gives an action the *rapid.T of its run.
func (x *machine) step(do func()) func(*rapid.T) {
	return func(t *rapid.T) {
		x.t = t
		do()
	}
}

func (x *machine) sec() int64 { return x.now.Unix() }

func pick[T any](x *machine, what string, from []T) T {
	if len(from) == 0 {
		x.t.Skip("nothing to " + what)
	}
	return rapid.SampledFrom(from).Draw(x.t, what)
}

func (x *machine) flag(what string) bool { return rapid.Bool().Draw(x.t, what) }

// someJob is any that was ever made.
func (x *machine) someJob() string {
	if x.id == 0 {
		x.t.Skip("no job yet")
	}
	return modelID(rapid.IntRange(1, x.id).Draw(x.t, "job"))
}

func (x *machine) advance() {
	x.now = x.now.Add(rapid.SampledFrom([]time.Duration{time.Second, 5 * time.Second, 7 * time.Second, 12 * time.Second, 61 * time.Second}).Draw(x.t, "time"))
}

// --- what happens to a job, as prelude.lua and job.lua have it

func without1(list []string, id string) []string {
	if i := slices.Index(list, id); i >= 0 {
		return slices.Delete(slices.Clone(list), i, i+1)
	}
	return list
}

func (m *model) push(j *modelJob, front bool) {
	j.status, j.enqueued = StatusQueued, m.now()
	if front {
		m.queues[j.queue] = append([]string{j.id}, m.queues[j.queue]...)
	} else {
		m.queues[j.queue] = append(slices.Clone(m.queues[j.queue]), j.id)
	}
}

func (m *model) schedule(j *modelJob, at int64) {
	j.status = StatusScheduled
	m.scheduled[j.queue][j.id] = at
}

// again is where a job goes that runs once more.
func (m *model) again(j *modelJob, now int64, every int, head bool) {
	if every > 0 {
		m.schedule(j, now+int64(every))
	} else {
		m.push(j, head)
	}
}

func (m *model) succeed(j *modelJob, now int64) {
	j.status = StatusFinished
	m.results[j.queue][j.id] = 0
	m.release(j)
	if j.repeats > 0 {
		j.repeats--
		m.again(j, now, j.repeatEvery, false)
	}
	delete(m.deaths, j.id)
}

func (m *model) fail(j *modelJob, to Status) {
	j.status = to
	m.failed[j.queue][j.id] = 0
	if to == StatusFailed {
		m.release(j)
	}
	delete(m.deaths, j.id)
}

// release puts children of a job that has ended on their queues.
func (m *model) release(parent *modelJob) {
	for _, id := range m.children[parent.id] {
		c := m.jobs[id]
		if c == nil || c.status != StatusDeferred || (parent.status == StatusFailed && !c.tolerant) {
			continue
		}
		delete(m.deferred[c.queue], id)
		m.push(c, c.front)
		m.children[parent.id] = without1(m.children[parent.id], id)
	}
}

// fence takes all executions of a job away. Those that had lost their lease
// keep their traces for a while, as a Python worker's.
func (m *model) fence(id string) {
	for _, r := range m.runs {
		if r.c.Execution.JobID == id {
			r.traced = r.traced && !r.leased
			r.holds, r.leased = false, false
		}
	}
}

// end leaves nothing of an execution.
func (r *modelRun) end() { r.holds, r.leased, r.traced = false, false, false }

// busy are runs that a worker still works on, whether it holds the job or not.
func (m *model) busy() (list []*modelRun) {
	for _, r := range m.runs {
		if r.busy {
			list = append(list, r)
		}
	}
	return list
}

func (m *model) freeWorkers() []string {
	free := slices.Clone(modelWorkers)
	for _, r := range m.busy() {
		free = without1(free, r.c.Execution.Worker)
	}
	return free
}

// inOrder are members by score and then by name, as a sorted set has them.
func inOrder(set map[string]int64) []string {
	ids := slices.Collect(maps.Keys(set))
	sort.Slice(ids, func(a, b int) bool {
		if set[ids[a]] != set[ids[b]] {
			return set[ids[a]] < set[ids[b]]
		}
		return ids[a] < ids[b]
	})
	return ids
}
