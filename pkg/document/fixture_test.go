package document

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	flags "flag" // the package has a function flag
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// The model takes the same steps every time, unless flags say otherwise, as
// "make model" does.
func TestMain(m *testing.M) {
	for name, value := range map[string]string{"rapid.seed": "5", "rapid.checks": "15", "rapid.steps": "60", "rapid.nofailfile": "true"} {
		if err := flags.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// fixture is a service with a Redis and a store of its own.
type fixture struct {
	*Service
	t     *testing.T
	redis *redistest.Server
	s3    *s3test.Server
	rdb   *redis.Client
	clock *clock
}

// forget empties Redis but for whose it is, as between two tests.
func (f *fixture) forget() {
	f.t.Helper()
	id := f.rdb.Get(f.t.Context(), f.k.installation()).Val()
	f.rdb.FlushDB(f.t.Context())
	if id != "" {
		f.rdb.Set(f.t.Context(), f.k.installation(), id, 0)
	}
}

func newFixture(t *testing.T, srv *redistest.Server, change func(*Config)) *fixture {
	t.Helper()
	f := &fixture{t: t, redis: srv, s3: s3test.Start(t), rdb: srv.Client(t)}
	f.clock = &clock{t: time.Now().UTC().Truncate(time.Millisecond)}
	sc := f.s3.StoreConfig(t)
	sc.Attempts = 1
	store, err := objstore.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	queue := rq.New(f.rdb, rq.Options{Clock: f.clock.now, Effects: Effects(""),
		Idempotent: func(fn string) bool { return fn == ProcessFunc },
		Queues: map[string]rq.QueueDefaults{"document_processing": {Timeout: time.Minute,
			Retry: &rq.Retry{Max: 2, Intervals: []time.Duration{10 * time.Second, time.Minute}}}}})
	c := Config{Queue: queue, Store: store, Clock: f.clock.now}
	if change != nil {
		change(&c)
	}
	f.Service = New(c)
	// The reader of events ends within a second of its last waiter.
	t.Cleanup(func() {
		for f.watching() {
			time.Sleep(time.Millisecond)
		}
	})
	return f
}

func (f *fixture) watching() bool {
	f.watch.mu.Lock()
	defer f.watch.mu.Unlock()
	return f.watch.running
}

// each runs f on every engine.
func each(t *testing.T, f func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) { f(t, newFixture(t, srv, nil)) })
}

// startRedis starts a redis-server, which can be killed.
func startRedis(t *testing.T) *redistest.Server {
	t.Helper()
	return redistest.Start(t, redistest.RedisServer)
}

// withoutRedis is the same service, with nothing listening where its Redis was.
func (f *fixture) withoutRedis() *Service {
	rdb := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1, DisableIdentity: true})
	f.t.Cleanup(func() { _ = rdb.Close() })
	c := f.c
	c.Queue = rq.New(rdb, rq.Options{Clock: f.clock.now, Effects: Effects("")})
	return New(c)
}

// presign makes a document of that many bytes.
func (f *fixture) presign(size int64, change func(*NewUpload)) *Upload {
	f.t.Helper()
	n := NewUpload{Filename: "manual.pdf", FileSize: size, ContentType: "application/pdf", Title: "Manual", Tags: []string{"a", "b"}}
	if change != nil {
		change(&n)
	}
	up, err := f.Presign(f.t.Context(), n)
	if err != nil {
		f.t.Fatal(err)
	}
	return up
}

// put stores the upload's bytes.
func (f *fixture) put(up *Upload, body string) {
	f.t.Helper()
	f.object(UploadKey(up.DocumentID, up.UploadID), body)
}

func (f *fixture) object(key, body string) {
	f.t.Helper()
	if _, err := f.store.Put(f.t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) exists(key string) bool {
	f.t.Helper()
	_, err := f.store.Stat(f.t.Context(), key)
	if err != nil && !errors.Is(err, objstore.ErrNotFound) {
		f.t.Fatal(err)
	}
	return err == nil
}

// process asks for the document, which must be accepted.
func (f *fixture) process(up *Upload, change func(*ProcessRequest)) *Accepted {
	f.t.Helper()
	r := ProcessRequest{UploadID: up.UploadID}
	if change != nil {
		change(&r)
	}
	a, err := f.Process(f.t.Context(), up.DocumentID, r)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// queued makes a document whose job is in the queue.
func (f *fixture) queued() (*Upload, *Accepted) {
	f.t.Helper()
	up := f.presign(5, nil)
	f.put(up, "hello")
	return up, f.process(up, nil)
}

// get reads a record that must be there.
func (f *fixture) get(id string) *Document {
	f.t.Helper()
	d, err := f.Get(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// claim takes the next job as a worker does.
func (f *fixture) claim() rq.Claimed {
	f.t.Helper()
	f.worker()
	list, err := f.queue.Claim(f.t.Context(), rq.ClaimRequest{Worker: []string{"w1"}, Queues: []string{"document_processing"}})
	if err != nil || len(list) != 1 {
		f.t.Fatalf("claimed %d jobs, %v", len(list), err)
	}
	return list[0]
}

func (f *fixture) worker() {
	f.t.Helper()
	err := f.queue.RegisterWorkers(f.t.Context(), []rq.WorkerBirth{{Name: "w1", Queues: []string{"document_processing"}, Host: "h", BootID: "b", PID: 1}})
	var taken *rq.NameTakenError
	if err != nil && !errors.As(err, &taken) {
		f.t.Fatal(err)
	}
}

// begin claims the next job and begins its document as the pipeline does.
func (f *fixture) begin() (rq.Claimed, *Document) {
	f.t.Helper()
	c := f.claim()
	d, err := f.Begin(f.t.Context(), c.Job)
	if err != nil {
		f.t.Fatal(err)
	}
	effects, labels := f.ProgressEffects(d, Progress{Status: Extracting, Percent: 10, Step: "extracting text", Attempt: true})
	if err := f.queue.Progress(f.t.Context(), c.Execution, effects, labels); err != nil {
		f.t.Fatal(err)
	}
	return c, d
}

// finish ends an execution and returns what became of it.
func (f *fixture) finish(c rq.Claimed, o rq.Outcome) rq.Finished {
	f.t.Helper()
	o.Execution, o.Job = c.Execution, c.Job
	list, err := f.queue.Finish(f.t.Context(), []rq.Outcome{o})
	if err != nil {
		f.t.Fatal(err)
	}
	return list[0]
}

// manifest is what a run of the document found.
func (f *fixture) manifest(d *Document, execution, sha, text string) *Manifest {
	m := f.NewManifest(d, execution)
	m.SHA256, m.TextSHA256, m.Format, m.MIME, m.Extractor = sha, text, "pdf", "application/pdf", "test-1"
	m.Pages, m.Words, m.Chunks, m.TextBytes = 3, 40, 2, 11
	return m
}

// complete runs the next job to its end: artifacts, then the commit.
func (f *fixture) complete(sha, text string) (*Document, rq.Finished) {
	f.t.Helper()
	c, d := f.begin()
	m := f.stored(d, f.manifest(d, c.Execution.ID, sha, text))
	effects, conditions := f.Complete(d, m)
	done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
	return d, done
}

// stored writes the artifacts of a run, as the pipeline does before its commit.
func (f *fixture) stored(d *Document, m *Manifest) *Manifest {
	f.t.Helper()
	prefix := ArtifactPrefix(d.ID, m.ExecutionID)
	f.object(prefix+TextName, "hello world")
	f.object(prefix+ChunksName, "{\"index\":0}\n{\"index\":1}\n")
	m.StartedAt, m.Attempts, m.Seconds, m.StoredBytes = f.clock.now(), d.Attempts+1, 1.25, 35
	f.Seal(d, m)
	b, err := json.Marshal(m)
	if err != nil {
		f.t.Fatal(err)
	}
	f.object(prefix+ManifestName, string(b))
	return m
}

// wantError fails unless err is an *Error of that kind and code.
func wantError(t *testing.T, err error, kind Kind, code string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Kind != kind || e.Code != code {
		t.Fatalf("got %v (%+v), want kind %d, code %s", err, e, kind, code)
	}
	if e.Detail == "" || strings.TrimSpace(e.Detail) != e.Detail {
		t.Errorf("detail %q", e.Detail)
	}
	return e
}

// states returns the members of all indexes by state that have any.
func (f *fixture) states() map[State][]string {
	f.t.Helper()
	all := map[State][]string{}
	for _, s := range States() {
		ids, err := f.rdb.ZRange(f.t.Context(), f.k.byState(s), 0, -1).Result()
		if err != nil {
			f.t.Fatal(err)
		}
		if len(ids) > 0 {
			all[s] = ids
		}
	}
	return all
}

// wantState checks a document's state in record and indexes.
func (f *fixture) wantState(id string, want State) *Document {
	f.t.Helper()
	d := f.get(id)
	if d.Status != want {
		f.t.Fatalf("state is %s, want %s (%s: %s)", d.Status, want, d.ErrorCode, d.Error)
	}
	for s, ids := range f.states() {
		if slices.Contains(ids, id) != (s == want) {
			f.t.Fatalf("index %s has %v, the document is %s", s, ids, want)
		}
	}
	return d
}

// keyspace returns all of docsvc's own keys with their content, but for those
// that the queue keeps, as text.
func (f *fixture) keyspace() map[string]string {
	f.t.Helper()
	ctx := context.Background()
	all := map[string]string{}
	names, err := f.rdb.Keys(ctx, f.c.Namespace+"*").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, key := range names {
		for _, own := range []string{"doc:", "docs", "upload", "password:", "sha256:", "text:", "file:", "object:", "timings"} {
			if strings.HasPrefix(key, f.c.Namespace+own) {
				all[key] = f.content(key)
			}
		}
	}
	return all
}

func (f *fixture) content(key string) string {
	f.t.Helper()
	ctx := context.Background()
	var b bytes.Buffer
	switch kind := f.rdb.Type(ctx, key).Val(); kind {
	case "hash":
		hash := f.rdb.HGetAll(ctx, key).Val()
		for _, field := range slices.Sorted(maps.Keys(hash)) {
			b.WriteString(field + "=" + hash[field] + "\n")
		}
	case "zset":
		for _, z := range f.rdb.ZRangeWithScores(ctx, key, 0, -1).Val() {
			b.WriteString(z.Member.(string) + "\n")
		}
	case "string":
		b.WriteString(f.rdb.Get(ctx, key).Val())
	case "stream":
		for _, m := range f.rdb.XRange(ctx, key, "-", "+").Val() {
			for _, field := range slices.Sorted(maps.Keys(m.Values)) {
				b.WriteString(field + " ")
			}
		}
	}
	return b.String()
}
