package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silence{}) // outages are made on purpose here
	// A pool that was closed while its server was away looks once more, a second later.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// patience is how long a test waits for something that must happen.
const patience = 90 * time.Second

// rig is a queue of its own with whatever workers a test starts on it.
type rig struct {
	t      *testing.T
	server *redistest.Server
	rdb    *redis.Client
	q      *rq.Client
	log    *journal
}

const queueName = "work"

func newRig(t *testing.T, s *redistest.Server, options ...func(*rq.Options)) *rig {
	t.Helper()
	r := &rig{t: t, server: s, rdb: s.Client(t), log: &journal{}}
	o := rq.Options{Log: zerolog.New(r.log), Idempotent: func(fn string) bool { return strings.HasPrefix(fn, "idem") }}
	for _, f := range options {
		f(&o)
	}
	r.q = rq.New(r.rdb, o)
	return r
}

func (r *rig) config(handlers ...Handler) Config {
	return Config{
		Name: "w", Queue: r.q, Queues: []string{queueName}, KnownQueues: []string{queueName}, Handlers: handlers,
		Log: zerolog.New(r.log), Heartbeat: 100 * time.Millisecond, RecoverEvery: 100 * time.Millisecond, MoveEvery: 50 * time.Millisecond,
	}
}

// start runs a worker until the test ends.
func (r *rig) start(c Config) *started {
	r.t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	return r.startOn(c, c.Queue)
}

func (r *rig) startOn(c Config, q queue) *started {
	r.t.Helper()
	c, err := c.withDefaults()
	if err != nil {
		r.t.Fatal(err)
	}
	s := &started{Worker: newWorker(c, q), t: r.t, ended: make(chan error, 1)}
	go func() { s.ended <- s.Run(context.Background()) }()
	r.t.Cleanup(func() {
		s.Kill()
		select {
		case <-s.Done():
		case <-time.After(patience):
			r.t.Error("the worker did not end")
		}
	})
	return s
}

type started struct {
	*Worker
	t     *testing.T
	ended chan error
}

// end waits for Run and returns its error.
func (s *started) end() error {
	s.t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		s.t.Fatal("Run did not return")
		return nil
	}
}

func (r *rig) enqueue(spec rq.Spec) string {
	r.t.Helper()
	if spec.Queue == "" {
		spec.Queue = queueName
	}
	j, err := r.q.Enqueue(context.Background(), spec)
	if err != nil {
		r.t.Fatalf("enqueueing: %v", err)
	}
	return j.ID
}

func (r *rig) job(id string) *rq.Job {
	r.t.Helper()
	j, err := r.q.Job(context.Background(), id)
	if err != nil {
		r.t.Fatalf("reading job %s: %v", id, err)
	}
	return j
}

// await waits until the job has the status.
func (r *rig) await(id string, want rq.Status) *rq.Job {
	r.t.Helper()
	var j *rq.Job
	r.until(string(want)+" job "+id, func() bool {
		var err error
		j, err = r.q.Job(context.Background(), id)
		return err == nil && j.Status == want
	})
	return j
}

// until waits for a condition.
func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	r.t.Fatalf("waited in vain for: %s\nlog:\n%s", what, r.log)
}

// untilLate waits until so many ends of executions were refused and counted.
func (r *rig) untilLate(want int64) {
	r.t.Helper()
	r.until("late finishes to be counted", func() bool {
		tally, err := r.q.Tally(context.Background())
		return err == nil && tally.LateFinishes == want
	})
}

// lastError is the error text of the job's newest result.
func (r *rig) lastError(id string) string {
	r.t.Helper()
	res, err := r.q.LatestResult(context.Background(), id)
	if err != nil {
		r.t.Fatalf("reading the result of %s: %v", id, err)
	}
	if res == nil {
		return ""
	}
	return res.Error
}

func (r *rig) worker(name string) *rq.WorkerInfo {
	r.t.Helper()
	all, err := r.q.Workers(context.Background())
	if err != nil {
		r.t.Fatalf("reading workers: %v", err)
	}
	i := slices.IndexFunc(all, func(w rq.WorkerInfo) bool { return w.Name == name })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// quick is a handler that succeeds.
func quick(name string) Handler {
	return Handler{Func: name, Run: func(context.Context, *Task) (Result, error) { return Result{Value: "done"}, nil }}
}

// gate is a handler that says when it begins and goes on until it is let go or
// its context ends.
type gate struct {
	begun chan *Task
	open  chan struct{}
	cause chan error
}

func newGate() *gate {
	return &gate{begun: make(chan *Task, 100), open: make(chan struct{}), cause: make(chan error, 100)}
}

func (g *gate) handler(name string) Handler {
	return Handler{Func: name, Run: func(ctx context.Context, t *Task) (Result, error) {
		g.begun <- t
		select {
		case <-g.open:
			return Result{Value: "done"}, nil
		case <-ctx.Done():
			g.cause <- context.Cause(ctx)
			return Result{}, ctx.Err()
		}
	}}
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for: %s", what)
		panic("unreachable")
	}
}

// journal keeps log lines.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

// lines returns the log lines whose message begins with msg.
func (j *journal) lines(msg string) []map[string]any {
	var out []map[string]any
	for line := range strings.Lines(j.String()) {
		var m map[string]any
		if json.Unmarshal([]byte(line), &m) == nil {
			if text, _ := m["message"].(string); strings.HasPrefix(text, msg) {
				out = append(out, m)
			}
		}
	}
	return out
}
