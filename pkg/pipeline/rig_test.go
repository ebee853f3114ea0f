package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
	"github.com/docsvc/docsvc/pkg/worker"
)

// TestMain runs the tests, or, in a process that a crash test started, the
// worker that is going to be killed.
func TestMain(m *testing.M) {
	if point := os.Getenv("DOCSVC_TEST_CRASH_AT"); point != "" {
		crashingWorker(point)
		return
	}
	if os.Getenv(childVariable) != "" {
		os.Exit(extract.RunChild(context.Background()))
	}
	redis.SetLogger(silence{}) // outages are made on purpose here
	goleak.VerifyTestMain(m)
}

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// childVariable makes this test binary an extraction process.
const childVariable = "DOCSVC_TEST_EXTRACT"

// patience is how long a test waits for something that must happen.
const patience = 90 * time.Second

const (
	queueName = "document_processing"
	lease     = 20 * time.Second // nobody loses it to a busy machine
	soon      = time.Second      // the lease where workers are killed; what they lose there is done again
)

// services are docsvc's parts on one Redis and one S3 server.
type services struct {
	rdb   *redis.Client
	queue *rq.Client
	store *objstore.Store
	docs  *document.Service
	log   zerolog.Logger
}

// connect makes the services as every process of an installation does.
func connect(rdb *redis.Client, c objstore.Config, log zerolog.Logger, lease time.Duration, configure ...func(*document.Config)) (*services, error) {
	store, err := objstore.Open(c)
	if err != nil {
		return nil, err
	}
	queue := rq.New(rdb, rq.Options{
		Effects: document.Effects("docsvc:"), Log: log, Lease: lease,
		Idempotent: func(fn string) bool { return fn == document.ProcessFunc || fn == document.ObjectFunc },
		Queues: map[string]rq.QueueDefaults{queueName: {Timeout: time.Minute,
			Retry: &rq.Retry{Max: 2, Intervals: []time.Duration{time.Second}}}},
	})
	dc := document.Config{Queue: queue, QueueName: queueName, Store: store, Log: log}
	for _, f := range configure {
		f(&dc)
	}
	return &services{rdb: rdb, queue: queue, store: store, docs: document.New(dc), log: log}, nil
}

// rig is an installation of its own.
type rig struct {
	*services
	t    *testing.T
	s3   *s3test.Server
	redi *redistest.Server
	logs *journal
	dir  string
}

func newRig(t *testing.T, server *redistest.Server, configure ...func(*document.Config)) *rig {
	t.Helper()
	return rigOf(t, server, lease, configure...)
}

func rigOf(t *testing.T, server *redistest.Server, lease time.Duration, configure ...func(*document.Config)) *rig {
	t.Helper()
	r := &rig{t: t, s3: s3test.Start(t), redi: server, logs: &journal{}, dir: t.TempDir()}
	c := r.s3.StoreConfig(t)
	c.Attempts = 2
	var err error
	r.services, err = connect(server.Client(t), c, zerolog.New(r.logs), lease, configure...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// config is a pipeline's, with an extractor that needs no child process.
func (s *services) config(dir string) Config {
	return Config{Documents: s.docs, Store: s.store, Pool: paragraphs{}, WorkDir: dir, Log: s.log, MinFree: 1,
		Attachments:   Attachments{From: paragraphs{}, MaxDepth: 2, MaxFiles: 10, MaxSize: 1 << 20},
		ProgressEvery: 5 * time.Millisecond, Chunk: chunk.Options{MaxTokens: 50, Overlap: 5}}
}

func (s *services) workerConfig(name string, h ...worker.Handler) worker.Config {
	return worker.Config{Name: name, Queue: s.queue, Queues: []string{queueName}, KnownQueues: []string{queueName}, Concurrency: 2,
		Handlers: h, Log: s.log, Heartbeat: soon / 10, RecoverEvery: soon / 10, MoveEvery: 20 * time.Millisecond,
		WaitDelay: 2 * time.Second}
}

// work starts a worker until the test ends. change may put faults in.
func (r *rig) work(change ...func(*Config)) *worker.Worker {
	r.t.Helper()
	c := r.config(r.dir)
	for _, f := range change {
		f(&c)
	}
	p, err := New(c)
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := worker.New(r.workerConfig("w", p.Handler(), p.ObjectHandler()))
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		if err := w.Run(context.Background()); err != nil {
			r.t.Errorf("the worker ended: %v", err)
		}
	}()
	r.t.Cleanup(func() {
		w.Kill()
		<-w.Done()
		if err := p.Close(); err != nil {
			r.t.Errorf("closing the pipeline: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, "*")); len(left) > 0 {
			r.t.Errorf("the work directory still holds %v", left)
		}
	})
	return w
}

// upload takes a file in and puts its bytes where its client would.
func (r *rig) upload(name, body string, change ...func(*document.NewUpload)) *document.Upload {
	r.t.Helper()
	ctx := context.Background()
	n := document.NewUpload{Filename: name, FileSize: int64(len(body)), ContentType: "text/plain"}
	for _, f := range change {
		f(&n)
	}
	u, err := r.docs.Presign(ctx, n)
	if err != nil {
		r.t.Fatalf("presigning: %v", err)
	}
	r.put(document.UploadKey(u.DocumentID, u.UploadID), body)
	return u
}

func (r *rig) put(key, body string) {
	r.t.Helper()
	if _, err := r.store.Put(context.Background(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		r.t.Fatalf("uploading: %v", err)
	}
}

// process asks for an uploaded document.
func (r *rig) process(u *document.Upload, change ...func(*document.ProcessRequest)) string {
	r.t.Helper()
	req := document.ProcessRequest{UploadID: u.UploadID}
	for _, f := range change {
		f(&req)
	}
	a, err := r.docs.Process(context.Background(), u.DocumentID, req)
	if err != nil {
		r.t.Fatalf("asking for processing: %v", err)
	}
	return a.JobID
}

func (r *rig) doc(id string) *document.Document {
	r.t.Helper()
	d, err := r.docs.Get(context.Background(), id)
	if err != nil {
		r.t.Fatalf("reading document %s: %v", id, err)
	}
	return d
}

// await waits until the document has the state.
func (r *rig) await(id string, want document.State) *document.Document {
	r.t.Helper()
	var d *document.Document
	r.until(fmt.Sprintf("%s document %s", want, id), func() bool {
		d = r.doc(id)
		if d.Status != want && d.Status.Final() {
			r.t.Fatalf("document %s is %s (%s: %s); want %s\nlog:\n%s", id, d.Status, d.ErrorCode, d.Error, want, r.logs)
		}
		return d.Status == want
	})
	return d
}

func (r *rig) until(what string, cond func() bool) {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	r.t.Fatalf("waited in vain for: %s\nlog:\n%s", what, r.logs)
}

// keys lists the objects below prefix.
func (r *rig) keys(prefix string) []string {
	r.t.Helper()
	keys := []string{}
	for o, err := range r.store.List(context.Background(), prefix, "") {
		if err != nil {
			r.t.Fatalf("listing: %v", err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// holdsOnly reports whether the bucket has these objects of the document and no
// other.
func (r *rig) holdsOnly(id string, want ...string) bool {
	r.t.Helper()
	slices.Sort(want)
	return slices.Equal(r.keys(document.DocumentPrefix(id)), want)
}

// recordCopy is where the copy of a document's record stands.
func recordCopy(id string) string {
	return document.ArtifactPrefix(id, document.RecordExecution) + document.ManifestName
}

func (r *rig) object(key string) string {
	r.t.Helper()
	body, _, err := r.store.Get(context.Background(), key, objstore.GetOptions{})
	if err != nil {
		r.t.Fatalf("reading %s: %v", key, err)
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(body)
	if err != nil {
		r.t.Fatalf("reading %s: %v", key, err)
	}
	return string(b)
}

// committed checks that the document is whole: its three artifacts below the
// committed execution, agreeing with record and job. What other executions left
// is cleanup's.
func (r *rig) committed(id, text string) *document.Document {
	r.t.Helper()
	d := r.await(id, document.Completed)
	prefix := document.ArtifactPrefix(id, d.ExecutionID)
	want := []string{prefix + "chunks.jsonl", prefix + "document.json", prefix + "text.md"}
	r.until("exactly the committed artifacts", func() bool {
		return slices.Equal(r.keys(prefix), want)
	})
	if got := strings.TrimSpace(r.object(prefix + "text.md")); got != strings.TrimSpace(text) {
		r.t.Errorf("text.md holds %q; want %q", got, text)
	}
	var m document.Manifest
	if err := json.Unmarshal([]byte(r.object(prefix+"document.json")), &m); err != nil {
		r.t.Fatal(err)
	}
	lines := strings.Count(r.object(prefix+"chunks.jsonl"), "\n")
	if lines == 0 || m.Chunks != lines || d.TotalChunks != lines || m.ExecutionID != d.ExecutionID || m.SHA256 != d.SHA256 {
		r.t.Errorf("chunks: %d lines, %d in the manifest, %d in the record; execution %s and %s; sha256 %s and %s: they differ",
			lines, m.Chunks, d.TotalChunks, m.ExecutionID, d.ExecutionID, m.SHA256, d.SHA256)
	}
	r.until("the finished job", func() bool {
		j, err := r.queue.Job(context.Background(), d.JobID)
		return err == nil && j.Status == rq.StatusFinished
	})
	if n := r.rdb.XLen(context.Background(), "rq:results:"+d.JobID).Val(); n != 1 {
		r.t.Errorf("%d results of the job; want 1", n)
	}
	return d
}

// paragraphs extracts in this process: one block per paragraph. Lines of one
// word that begin with "!" make it fail.
type paragraphs struct{}

func (paragraphs) Extract(ctx context.Context, req extract.Request, progress func(extract.Progress)) (*extract.Document, error) {
	body, err := io.ReadAll(io.NewSectionReader(req.File, 0, 1<<30))
	if err != nil {
		return nil, err
	}
	text := string(bytes.TrimSpace(body))
	if code, ok := strings.CutPrefix(text, "!"); ok {
		return nil, block.Errorf(code, "this file is %s", code)
	}
	d := &extract.Document{Format: "text", MIME: "text/plain", Version: "test"}
	if strings.HasPrefix(text, "mail") {
		d.Format, d.MIME = "eml", "message/rfc822"
	}
	parts := strings.Split(text, "\n\n")
	for i, part := range parts {
		progress(extract.Progress{Page: i + 1, Pages: len(parts)})
		if strings.TrimSpace(part) != "" {
			d.Blocks = append(d.Blocks, extract.Block{Kind: block.Paragraph, Text: part})
		}
	}
	d.Meta.Words = len(strings.Fields(text))
	return d, ctx.Err()
}

// Unpack takes a paragraph that begins with "file NAME:" for an attachment.
func (paragraphs) Unpack(_ context.Context, req extract.Request, _ string, _ extract.Unpacking, take func(extract.Carried) error) ([]string, error) {
	body, err := io.ReadAll(io.NewSectionReader(req.File, 0, 1<<30))
	if err != nil {
		return nil, err
	}
	var warnings []string
	for i, part := range strings.Split(string(body), "\n\n") {
		name, text, ok := strings.Cut(part, ":")
		if name, isFile := strings.CutPrefix(name, "file "); ok && isFile {
			c := extract.Carried{Path: fmt.Sprint(i), Name: name, MediaType: "text/plain", Data: []byte(strings.ReplaceAll(text, "/", "\n\n"))}
			if err := take(c); err != nil {
				return nil, err
			}
		} else if strings.HasPrefix(part, "warn ") {
			warnings = append(warnings, part)
		}
	}
	return warnings, nil
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
