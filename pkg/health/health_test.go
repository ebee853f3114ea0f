package health

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fixture struct {
	*Checker
	t     *testing.T
	redis *redistest.Server
	s3    *s3test.Server
	rdb   *redis.Client
	queue *rq.Client
}

func newFixture(t *testing.T, srv *redistest.Server, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, redis: srv, s3: s3test.Start(t), rdb: srv.Client(t)}
	sc := f.s3.StoreConfig(t)
	sc.Attempts = 1
	store, err := objstore.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	f.queue = rq.New(f.rdb, rq.Options{})
	docs := document.New(document.Config{Queue: f.queue, Store: store})
	if err := docs.EnsureInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := Config{Documents: docs, Queue: f.queue, Queues: []string{"document_processing", "cleanup_tasks"}, Store: store, Timeout: time.Minute}
	if change != nil {
		change(&c)
	}
	f.Checker = New(c)
	return f
}

func each(t *testing.T, f func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) { f(t, newFixture(t, srv, nil)) })
}

// want checks the status, and that each reason has one of the words.
func (f *fixture) want(status Status, words ...string) Report {
	f.t.Helper()
	r := f.Check(f.t.Context())
	if r.Status != status || len(r.Reasons) != len(words) {
		f.t.Fatalf("%s %q, want %s with %q", r.Status, r.Reasons, status, words)
	}
	for i, word := range words {
		if !strings.Contains(r.Reasons[i], word) {
			f.t.Errorf("reason %q, want one with %q", r.Reasons[i], word)
		}
	}
	return r
}

func (f *fixture) enqueue(queue string) {
	f.t.Helper()
	if _, err := f.queue.Enqueue(f.t.Context(), rq.Spec{Queue: queue, Func: "x.y"}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) worker(queues ...string) {
	f.t.Helper()
	err := f.queue.RegisterWorkers(f.t.Context(), []rq.WorkerBirth{{Name: "w1", Queues: queues, Host: "here", BootID: "b", PID: 7, Version: "v1"}})
	if err != nil {
		f.t.Fatal(err)
	}
}

func TestHealthy(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		r := f.want(Healthy)
		if !r.Redis.Available || !r.Storage.Available || r.Storage.Bucket != f.s3.Bucket || r.Timestamp.IsZero() || len(r.Queues) != 2 || !r.Queues["cleanup_tasks"].Available {
			t.Errorf("%+v", r)
		}
		if f.redis.Engine == redistest.RedisServer && (r.Redis.Version == "" || r.Redis.EvictPolicy != "noeviction" || r.Redis.UsedMemory == 0) {
			t.Errorf("%+v", r.Redis)
		}
		f.worker("document_processing")
		f.enqueue("document_processing")
		r = f.want(Healthy)
		if q := r.Queues["document_processing"]; q.Length != 1 || q.Workers != 1 {
			t.Errorf("%+v", q)
		}
		if len(r.Workers) != 1 || r.Workers[0].Name != "w1" || r.Workers[0].Hostname != "here" || r.Workers[0].PID != 7 {
			t.Errorf("%+v", r.Workers)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{`"status":"healthy"`, `"reasons":[]`, `"queues":{`, `"document_processing":{"available":true,"length":1,"failed":0`, `"redis":{`, `"storage":{`, `"workers":[{`, `"timestamp":"`} {
			if !strings.Contains(string(b), part) {
				t.Errorf("no %s in %s", part, b)
			}
		}
		if warnings, _, err := f.RedisSettings(t.Context()); err != nil || len(warnings) > 0 {
			t.Errorf("%q, %v", warnings, err)
		}
		if ready := f.Ready(t.Context()); !ready.OK() {
			t.Errorf("%+v", ready)
		}
	})
}

func TestNoWorker(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.worker("cleanup_tasks")
		f.enqueue("document_processing")
		f.enqueue("somebody_elses")
		f.want(Degraded, "Queue document_processing has 1 jobs and no worker")
	})
}

func TestSuspended(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for d, want := range map[time.Duration]string{0: "Workers are suspended and start no jobs", 100 * time.Hour: "Workers are suspended for another "} {
			if err := f.queue.Suspend(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			f.want(Degraded, want)
		}
		if _, err := f.queue.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.want(Healthy)
	})
}

func TestOldJob(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.worker("document_processing", "cleanup_tasks")
		job, err := f.queue.Enqueue(t.Context(), rq.Spec{Queue: "cleanup_tasks", Func: "x.y"})
		if err != nil {
			t.Fatal(err)
		}
		f.want(Healthy)
		f.rdb.HSet(t.Context(), rq.JobKey(job.ID), "enqueued_at", time.Now().Add(-time.Hour).UTC().Format("2006-01-02T15:04:05.000000Z"))
		if r := f.want(Degraded, "A job of queue cleanup_tasks has been waiting"); r.Queues["cleanup_tasks"].OldestAgeSeconds < 3500 {
			t.Errorf("%+v", r.Queues)
		}
	})
}

func TestRedisMayEvict(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), nil)
	set := func(name, value string) {
		t.Helper()
		if err := f.rdb.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("maxmemory-policy", "allkeys-lru")
	f.want(Degraded, "maxmemory-policy is allkeys-lru")
	if warnings, _, err := f.RedisSettings(t.Context()); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "noeviction") {
		t.Errorf("%q, %v", warnings, err)
	}
	set("maxmemory-policy", "noeviction")
	set("maxmemory", "1")
	f.want(Degraded, "Redis uses")
}

func TestStorageDown(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.enqueue("cleanup_tasks")
		f.s3.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Status: http.StatusServiceUnavailable} })
		r := f.want(Unhealthy, "Storage can't be used", "Queue cleanup_tasks") // the worst first
		if r.Storage.Available || r.Storage.Error == "" || !r.Redis.Available {
			t.Errorf("%+v", r)
		}
		if ready := f.Ready(t.Context()); ready.OK() || !ready.Redis || ready.Storage {
			t.Errorf("%+v", ready)
		}
		f.s3.Fail(nil)
		f.want(Degraded, "Queue cleanup_tasks")
	})
}

func TestRedisDown(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
	t.Cleanup(func() { _ = rdb.Close() })
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), func(c *Config) {
		c.Queue = rq.New(rdb, rq.Options{})
		c.Documents = document.New(document.Config{Queue: c.Queue, Store: c.Store})
	})
	r := f.want(Unhealthy, "Redis can't be reached")
	if r.Redis.Available || !r.Storage.Available || len(r.Queues) != 2 || r.Queues["cleanup_tasks"].Available {
		t.Errorf("%+v", r)
	}
	if ready := f.Ready(t.Context()); ready.OK() || ready.Redis || !ready.Storage {
		t.Errorf("%+v", ready)
	}
	if _, _, err := f.RedisSettings(t.Context()); err == nil {
		t.Error("a Redis that is down was found good")
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || !strings.Contains(b.String(), "redis    not reachable") || !strings.Contains(b.String(), "unknown") {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestWrongInstallation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.rdb.Set(t.Context(), "docsvc:installation", "another", 0)
		f.want(Unhealthy, "is of installation")
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	r := Report{Status: Degraded, Reasons: []string{"Look here."}, Redis: Redis{Available: true, LatencyMS: 0.25, Version: "7.0.15"},
		Storage: Storage{Available: true, LatencyMS: 1.5, Bucket: "docs"},
		Queues:  map[string]Queue{"b": {Available: true, Length: 2, OldestAgeSeconds: 61.4}, "a": {Available: true, Workers: 1}},
		Workers: []Worker{{Name: "w1", State: "busy", Queues: []string{"a", "b"}, Hostname: "h", PID: 7, RSS: 3 << 20, CPU: 0.5, CurrentJob: "j"}, {Name: "python", State: "idle"}}}
	const want = `status: degraded
  - Look here.

redis    ok, 0.2 ms  7.0.15
storage  ok, 1.5 ms  bucket docs

QUEUE  WAITING  RUNNING  SCHEDULED  FAILED  WORKERS  OLDEST
a      0        0        0          0       1        -
b      2        0        0          0       0        1m1s

WORKER  STATE  QUEUES  HOST  PID  MEMORY  CPU  JOB
w1      busy   a,b     h     7    3 MiB   0.5  j
python  idle                 0    -       -    -
`
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, b.String())
	}
}

func TestOlder(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"6.0.16": true, "5.0": true, "6.2.0": false, "7.0.15": false, "8.0": false, "": false, "unknown": false, "x.y": false} {
		if got := older(version, 6, 2); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}
