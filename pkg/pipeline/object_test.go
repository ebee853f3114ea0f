package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// enqueueObject does what another producer does.
func (r *rig) enqueueObject(kwargs map[string]any, args ...any) *rq.Job {
	r.t.Helper()
	j, err := r.queue.Enqueue(context.Background(), rq.Spec{Queue: queueName, Func: document.ObjectFunc, Args: args, Kwargs: kwargs})
	if err != nil {
		r.t.Fatal(err)
	}
	return j
}

// ended waits until a job has that status, and returns what its last run said.
func (r *rig) ended(id string, want rq.Status) *rq.Result {
	r.t.Helper()
	r.until(fmt.Sprintf("%s job %s", want, id), func() bool {
		j, err := r.queue.Job(context.Background(), id)
		return err == nil && j.Status == want
	})
	res, err := r.queue.LatestResult(context.Background(), id)
	if err != nil || res == nil {
		r.t.Fatalf("result of job %s: %+v, %v", id, res, err)
	}
	return res
}

// A producer's object becomes a document and stays what and where it was; a
// second job of the same object finds that it was there.
func TestAnObjectIsProcessed(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s, func(c *document.Config) { c.KeepOriginal = true })
		r.work()
		const key = "inbox/ação/日本 1.txt"
		r.put(key, sample)
		j := r.enqueueObject(map[string]any{"tags": []any{"x"}}, key, "Title")
		res := r.ended(j.ID, rq.StatusFinished)
		id := document.ObjectDocumentID(j)
		if v := r.result(j.ID); v["document_id"] != id || v["status"] != "completed" {
			t.Errorf("result %v of %+v; want document %s", v, res, id)
		}
		d := r.committed(id, sample)
		if d.Title != "Title" || d.Filename != "日本 1.txt" || d.SourceKey != key || d.OriginalKey != "" || d.UploadRemoved || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
		again := r.enqueueObject(nil, key)
		r.ended(again.ID, rq.StatusFinished)
		second := r.doc(document.ObjectDocumentID(again))
		if second.Status != document.Duplicate || second.DuplicateOf != id || second.ID == id || second.OriginalKey != "" {
			t.Errorf("the second document: %+v", second)
		}
		// An upload of the same bytes keeps its own original: the object is not ours.
		up := r.upload("a.txt", sample)
		r.process(up)
		if d := r.await(up.DocumentID, document.Duplicate); d.OriginalKey == "" || r.object(d.OriginalKey) != sample {
			t.Errorf("the upload's original is %q", d.OriginalKey)
		}
		if got := r.object(key); got != sample {
			t.Errorf("the object holds %q", got)
		}
	})
}

// The key is the bucket's, whatever the prefix, and each of S3's keys will do.
func TestKeysOfObjects(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	c := r.s3.StoreConfig(t)
	c.Prefix = "team/a"
	var err error
	if r.store, err = objstore.Open(c); err != nil {
		t.Fatal(err)
	}
	whole := r.store.WholeBucket()
	r.docs = document.New(document.Config{Queue: r.queue, QueueName: queueName, Store: r.store, Log: r.log})
	r.work()
	for i, key := range []string{"a.txt", "/abs.txt", "a//b.txt", "temp/x.txt", "team/a/own.txt", "with blank & + % ? #.txt", "ç/é.txt", "a\nb.txt", strings.Repeat("k", 1000) + ".txt"} {
		body := fmt.Sprintf("%s number %d", sample, i)
		if _, err := whole.Put(context.Background(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		j := r.enqueueObject(nil, key)
		r.ended(j.ID, rq.StatusFinished)
		if d := r.committed(document.ObjectDocumentID(j), body); d.SourceKey != key {
			t.Errorf("%q: source %q", key, d.SourceKey)
		}
		if _, err := whole.Stat(context.Background(), key); err != nil {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// What can't be taken in fails at once and says why.
func TestObjectsThatFail(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s, func(c *document.Config) { c.MaxFileSize = 1 << 20 })
		r.work()
		r.put("a.txt", sample)
		r.put("large.txt", strings.Repeat("x", 1<<20+1))
		r.put("corrupt.txt", "!corrupt")
		for name, test := range map[string]struct {
			args   []any
			kwargs map[string]any
			says   string
			code   string // of the document; "" for none
		}{
			"no arguments":     {says: "key is missing"},
			"a number":         {args: []any{int64(5)}, says: "key must be text, got an int"},
			"twice":            {args: []any{"a.txt"}, kwargs: map[string]any{"key": "a.txt"}, says: "key is given twice"},
			"unknown argument": {args: []any{"a.txt"}, kwargs: map[string]any{"owner": "me"}, says: `no argument \"owner\"`},
			"a bad tag":        {args: []any{"a.txt"}, kwargs: map[string]any{"tags": []any{""}}, says: "A tag must not be empty"},
			"a bad sha256":     {args: []any{"a.txt", nil, nil, "12"}, says: "sha256 must be"},
			"docsvc's own":     {args: []any{"docsvc.json"}, says: "docsvc itself keeps"},
			"a folder":         {args: []any{"in/"}, says: "folders"},
			"missing":          {args: []any{"/none.txt"}, says: `"none.txt" meant?`, code: "object_missing"},
			"too large":        {args: []any{"large.txt"}, says: "uploads.max_size", code: "too_large"},
			"another sha256":   {args: []any{"a.txt"}, kwargs: map[string]any{"sha256": strings.Repeat("0", 64)}, says: "another file", code: "hash_mismatch"},
			"corrupt":          {args: []any{"corrupt.txt"}, says: "corrupt", code: "corrupt"},
		} {
			j := r.enqueueObject(test.kwargs, test.args...)
			res := r.ended(j.ID, rq.StatusFailed)
			if !strings.Contains(res.Error, strings.ReplaceAll(test.says, `\"`, `"`)) {
				t.Errorf("%s: %s; want it to say %q", name, res.Error, test.says)
			}
			d, err := r.docs.Get(context.Background(), document.ObjectDocumentID(j))
			switch {
			case test.code == "" && err == nil:
				t.Errorf("%s: there is a document", name)
			case test.code != "" && (err != nil || d.Status != document.Failed || d.ErrorCode != test.code || d.JobID != j.ID):
				t.Errorf("%s: document %+v, %v", name, d, err)
			}
		}
		if r.object("a.txt") != sample {
			t.Error("an object was changed")
		}
	})
}

// The object that was pinned is read, or none.
func TestObjectsThatChangeMeanwhile(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for name, test := range map[string]struct {
			change func(*rig)
			code   string
		}{
			"replaced": {func(r *rig) { r.put("a.txt", sample+" and more") }, CodeObjectChanged},
			"removed":  {func(r *rig) { r.store.Delete(context.Background(), "a.txt") }, CodeObjectMissing},
		} {
			r := newRig(t, s)
			s.Client(t).FlushAll(context.Background())
			r.put("a.txt", sample)
			a, err := r.docs.TakeObject(context.Background(), document.ObjectRequest{Key: "a.txt"})
			if err != nil {
				t.Fatal(err)
			}
			test.change(r)
			w := r.work()
			res := r.ended(a.JobID, rq.StatusFailed)
			d := r.await(a.DocumentID, document.Failed)
			if d.ErrorCode != test.code || !strings.Contains(d.Error, `"a.txt"`) || strings.Contains(d.Error, "pload") || d.Attempts != 1 {
				t.Errorf("%s: %s: %s, %d attempts; %s", name, d.ErrorCode, d.Error, d.Attempts, res.Error)
			}
			body := sample + " at last"
			r.put("a.txt", body)
			if _, err := r.docs.Retry(context.Background(), a.JobID); err != nil {
				t.Fatal(err)
			}
			d = r.await(a.DocumentID, document.Completed)
			if got := r.object(document.ArtifactPrefix(d.ID, d.ExecutionID) + document.TextName); d.FileSize != int64(len(body)) || strings.TrimSpace(got) != body {
				t.Errorf("%s: size %d, text %q", name, d.FileSize, got)
			}
			w.Stop()
			<-w.Done()
		}
	})
}

// Killed at every step and run again, a producer's job makes one document.
func TestObjectJobKilledAnywhere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := rigOf(t, s, soon)
		for i, name := range points {
			if name == "delete" || name == "removed" {
				continue // nothing of an object is removed
			}
			key := fmt.Sprintf("in/%d.txt", i)
			body := fmt.Sprintf("%s number %d", sample, i)
			r.put(key, body)
			j := r.enqueueObject(nil, key)
			r.crash("after " + name)
			id := document.ObjectDocumentID(j)
			r.recovered(id, "after "+name, body)
			if d := r.doc(id); d.JobID != j.ID || r.object(key) != body {
				t.Errorf("after a crash after %s: %+v", name, d)
			}
			if n := r.rdb.ZCard(context.Background(), "docsvc:docs").Val(); n != int64(i+1) {
				t.Fatalf("after a crash after %s: %d records, want %d", name, n, i+1)
			}
		}
	})
}

// objectProducer enqueues as docs/queue-protocol.md tells, waits for the
// results, and prints them.
const objectProducer = `
import json, sys, time
from redis import Redis
from rq import Queue
from rq.serializers import DefaultSerializer, JSONSerializer

r = Redis.from_url(sys.argv[1])
out = {}
for name, serializer in (("pickle", DefaultSerializer), ("json", JSONSerializer)):
    q = Queue("document_processing", connection=r, serializer=serializer)
    jobs = {
        "position": q.enqueue("docsvc.process_object", name + "/a.txt"),
        "names": q.enqueue("docsvc.process_object", key=name + "/b.txt", title="Título", tags=["x", "y"]),
        "both": q.enqueue("docsvc.process_object", name + "/c.txt", "Title", tags=("x",) if name == "pickle" else ["x"]),
        "own id": q.enqueue("docsvc.process_object", name + "/d.txt", job_id="own-" + name, description="what I like"),
        "wrong": q.enqueue("docsvc.process_object", 7),
        "missing": q.enqueue("docsvc.process_object", "none.txt"),
    }
    for what, job in jobs.items():
        until = time.time() + 60
        while job.get_status(refresh=True).value not in ("finished", "failed"):
            if time.time() > until:
                sys.exit("job %s of %s is still %s" % (job.id, what, job.get_status()))
            time.sleep(0.02)
        result = job.latest_result()
        out[name + " " + what] = {"id": job.id, "status": job.get_status().value, "created": job.created_at.isoformat(),
                                  "value": result.return_value, "error": result.exc_string}
print(json.dumps(out))
`

// Python's RQ enqueues and reads the results.
func TestObjectsFromPython(t *testing.T) {
	t.Parallel()
	python := redistest.Python(t)
	s := redistest.Start(t, redistest.RedisServer)
	r := newRig(t, s)
	for _, serializer := range []string{"pickle", "json"} {
		for _, name := range []string{"a", "b", "c", "d"} {
			r.put(serializer+"/"+name+".txt", sample+" of "+serializer+" "+name)
		}
	}
	r.work()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(python, "-I", "-c", objectProducer, s.URL)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\nlog:\n%s", err, &stderr, r.logs)
	}
	var got map[string]struct {
		ID, Status, Error string
		Value             map[string]any
	}
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || len(got) != 12 {
		t.Fatalf("%v: %s", err, &stdout)
	}
	for what, g := range got {
		j, err := r.queue.Job(context.Background(), g.ID)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasSuffix(what, "wrong"):
			if g.Status != "failed" || !strings.Contains(g.Error, "key must be text, got an int") {
				t.Errorf("%s: %+v", what, g)
			}
		case strings.HasSuffix(what, "missing"):
			d := r.doc(document.ObjectDocumentID(j))
			if g.Status != "failed" || !strings.Contains(g.Error, `"none.txt"`) || d.ErrorCode != "object_missing" {
				t.Errorf("%s: %+v; %+v", what, g, d)
			}
		default:
			d := r.doc(document.ObjectDocumentID(j))
			if g.Status != "finished" || g.Value["document_id"] != d.ID || d.Status != document.Completed || d.JobID != g.ID {
				t.Errorf("%s: %+v; %+v", what, g, d)
			}
			if strings.HasSuffix(what, "names") && (d.Title != "Título" || strings.Join(d.Tags, ",") != "x,y") {
				t.Errorf("%s: %+v", what, d)
			}
		}
	}
}
