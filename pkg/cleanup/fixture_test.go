package cleanup

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
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

// clock is a time that tests move. Objects are as old as the store says, so
// age is made by moving it forward.
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

type fixture struct {
	*Cleaner
	t     *testing.T
	docs  *document.Service
	store *objstore.Store
	queue *rq.Client
	rdb   *redis.Client
	s3    *s3test.Server
	clock *clock
}

func newFixture(t *testing.T, srv *redistest.Server) *fixture {
	t.Helper()
	f := &fixture{t: t, s3: s3test.Start(t), rdb: srv.Client(t), clock: &clock{t: time.Now().UTC().Truncate(time.Millisecond)}}
	var err error
	sc := f.s3.StoreConfig(t)
	sc.Attempts = 1
	f.store, err = objstore.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	f.queue = rq.New(f.rdb, rq.Options{Clock: f.clock.now, Effects: document.Effects(""), Idempotent: func(string) bool { return true }})
	f.docs = document.New(document.Config{Queue: f.queue, Store: f.store, Clock: f.clock.now})
	f.Cleaner = New(Config{Documents: f.docs, Store: f.store, Queue: f.queue, Clock: f.clock.now})
	if err := f.docs.EnsureInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	return f
}

func each(t *testing.T, f func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) { f(t, newFixture(t, srv)) })
}

func (f *fixture) object(key, body string) {
	f.t.Helper()
	if _, err := f.store.Put(f.t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) presign(uploaded bool) *document.Upload {
	f.t.Helper()
	up, err := f.docs.Presign(f.t.Context(), document.NewUpload{Filename: "a.txt", FileSize: 5})
	if err != nil {
		f.t.Fatal(err)
	}
	if uploaded {
		f.object(uploadKey(up), "hello")
	}
	return up
}

func uploadKey(up *document.Upload) string { return document.UploadKey(up.DocumentID, up.UploadID) }

func (f *fixture) queued() *document.Upload {
	f.t.Helper()
	up := f.presign(true)
	if _, err := f.docs.Process(f.t.Context(), up.DocumentID, document.ProcessRequest{UploadID: up.UploadID}); err != nil {
		f.t.Fatal(err)
	}
	return up
}

// running takes a document's job as a worker does and begins it.
func (f *fixture) running() (*document.Upload, rq.Claimed, *document.Document) {
	f.t.Helper()
	up := f.queued()
	c := f.claim("document_processing")
	d, err := f.docs.Begin(f.t.Context(), c.Job)
	if err != nil {
		f.t.Fatal(err)
	}
	effects, labels := f.docs.ProgressEffects(d, document.Progress{Status: document.Extracting, Attempt: true})
	if err := f.queue.Progress(f.t.Context(), c.Execution, effects, labels); err != nil {
		f.t.Fatal(err)
	}
	return up, c, d
}

func (f *fixture) claim(queue string) rq.Claimed {
	f.t.Helper()
	err := f.queue.RegisterWorkers(f.t.Context(), []rq.WorkerBirth{{Name: "w-" + queue, Queues: []string{queue}, Host: "h", BootID: "b", PID: 1}})
	var taken *rq.NameTakenError
	if err != nil && !errors.As(err, &taken) {
		f.t.Fatal(err)
	}
	list, err := f.queue.Claim(f.t.Context(), rq.ClaimRequest{Worker: []string{"w-" + queue}, Queues: []string{queue}})
	if err != nil || len(list) != 1 {
		f.t.Fatalf("claimed %d jobs, %v", len(list), err)
	}
	return list[0]
}

func (f *fixture) finish(c rq.Claimed, o rq.Outcome) {
	f.t.Helper()
	o.Execution, o.Job = c.Execution, c.Job
	list, err := f.queue.Finish(f.t.Context(), []rq.Outcome{o})
	if err != nil || list[0].Err != nil {
		f.t.Fatalf("%v, %v", list, err)
	}
}

func (f *fixture) failed() *document.Upload {
	f.t.Helper()
	up, c, _ := f.running()
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "no", ErrorCode: "corrupt"})
	return up
}

// completed makes a document with its artifacts; the upload is still there, as
// when the worker was killed right after the commit.
func (f *fixture) completed() (*document.Upload, string) {
	f.t.Helper()
	up, c, d := f.running()
	prefix := document.ArtifactPrefix(d.ID, c.Execution.ID)
	f.artifacts(prefix)
	m := f.docs.NewManifest(d, c.Execution.ID)
	effects, conditions := f.docs.Complete(d, m)
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
	return up, prefix
}

func (f *fixture) artifacts(prefix string) {
	f.t.Helper()
	for _, name := range []string{document.TextName, document.ChunksName, document.ManifestName} {
		f.object(prefix+name, "0123456789")
	}
}

// keys lists all objects but the installation's.
func (f *fixture) keys() []string {
	f.t.Helper()
	var all []string
	for o, err := range f.store.List(context.Background(), "", "") {
		if err != nil {
			f.t.Fatal(err)
		}
		if o.Key != "docsvc.json" {
			all = append(all, o.Key)
		}
	}
	return all
}

// wantKeys checks what is left in the bucket.
func (f *fixture) wantKeys(want ...string) {
	f.t.Helper()
	slices.Sort(want)
	if got := f.keys(); !slices.Equal(got, want) {
		f.t.Fatalf("the bucket has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (f *fixture) run(t Task) Report {
	f.t.Helper()
	r, err := f.Run(f.t.Context(), t)
	if err != nil {
		f.t.Fatal(err)
	}
	if r.Seen != r.Deleted+r.Kept+r.Failed {
		f.t.Errorf("seen %d is not deleted %d + kept %d + failed %d", r.Seen, r.Deleted, r.Kept, r.Failed)
	}
	return r
}

// dryThenWet runs the task dry, which must change nothing, and then for real:
// both must report the same.
func (f *fixture) dryThenWet(t Task) Report {
	f.t.Helper()
	before := f.keys()
	records := f.records()
	t.DryRun = true
	dry := f.run(t)
	if after := f.keys(); !slices.Equal(before, after) {
		f.t.Errorf("a dry run changed the bucket: %v", after)
	}
	if after := f.records(); after != records {
		f.t.Errorf("a dry run changed Redis:\n%s\n%s", records, after)
	}
	t.DryRun = false
	wet := f.run(t)
	if dry.Seen != wet.Seen || dry.Deleted != wet.Deleted || dry.Kept != wet.Kept || dry.Bytes != wet.Bytes || dry.Expired != wet.Expired ||
		dry.RebuildableCount != wet.RebuildableCount || dry.MissingCount != wet.MissingCount {
		f.t.Errorf("dry %+v\nwet %+v", dry, wet)
	}
	return wet
}

// records are all records and indexes as text.
func (f *fixture) records() string {
	f.t.Helper()
	var b strings.Builder
	names := f.rdb.Keys(f.t.Context(), "docsvc:*").Val()
	slices.Sort(names)
	for _, key := range names {
		switch f.rdb.Type(f.t.Context(), key).Val() {
		case "hash":
			hash := f.rdb.HGetAll(f.t.Context(), key).Val()
			fields := make([]string, 0, len(hash))
			for field, value := range hash {
				fields = append(fields, field+"="+value)
			}
			slices.Sort(fields)
			b.WriteString(key + " " + strings.Join(fields, " ") + "\n")
		case "zset":
			if !strings.HasSuffix(key, "receipts") {
				b.WriteString(key + " " + strings.Join(f.rdb.ZRange(f.t.Context(), key, 0, -1).Val(), " ") + "\n")
			}
		}
	}
	return b.String()
}

func (f *fixture) state(up *document.Upload) document.State {
	f.t.Helper()
	d, err := f.docs.Get(f.t.Context(), up.DocumentID)
	if err != nil {
		f.t.Fatal(err)
	}
	return d.Status
}
