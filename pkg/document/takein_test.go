package document

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// newObjectFixture is a service below a prefix of its bucket.
func newObjectFixture(t *testing.T, prefix string) *fixture {
	t.Helper()
	return objectFixture(t, redistest.Start(t, redistest.Miniredis), prefix, nil)
}

func objectFixture(t *testing.T, srv *redistest.Server, prefix string, change func(*Config)) *fixture {
	t.Helper()
	f := newFixture(t, srv, nil)
	sc := f.s3.StoreConfig(t)
	sc.Attempts, sc.Prefix = 1, prefix
	store, err := objstore.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	c := f.c
	c.Store = store
	if change != nil {
		change(&c)
	}
	f.Service = New(c)
	return f
}

// source puts an object of somebody else's into the bucket.
func (f *fixture) source(key, body string) objstore.Object {
	f.t.Helper()
	o, err := f.bucket.Put(f.t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{ContentType: "text/plain"})
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

func (f *fixture) take(r ObjectRequest) *Accepted {
	f.t.Helper()
	a, err := f.TakeObject(f.t.Context(), r)
	if err != nil {
		f.t.Fatal(err)
	}
	return a
}

// A document of an object is one like any other, in one script with its job.
func TestTakeObject(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := objectFixture(t, srv, "team/a", nil)
		o := f.source("inbox/relatório.txt", "hello")
		tokens := 100
		a := f.take(ObjectRequest{Key: "inbox/relatório.txt", Title: " A title ", Tags: []string{"x", "x"}, ChunkTokens: &tokens, Password: "secret"})
		d := f.wantState(a.DocumentID, Uploaded)
		if d.SourceKey != "inbox/relatório.txt" || d.Filename != "relatório.txt" || d.Title != "A title" || len(d.Tags) != 1 || d.FileSize != 5 ||
			d.ContentType != "text/plain" || d.ETag != o.ETag || d.UploadKey != "" || d.UploadRemoved || !d.UploadExpiresAt.IsZero() ||
			!isUUID.MatchString(d.UploadID) || d.QueuedAt.IsZero() || *d.ChunkTokens != 100 {
			t.Errorf("%+v", d)
		}
		for key, content := range f.keyspace() {
			if strings.HasPrefix(key, "docsvc:upload") || strings.Contains(content, "secret") != strings.HasPrefix(key, "docsvc:password:") {
				t.Errorf("%s holds %q", key, content)
			}
		}
		job, err := f.queue.Job(t.Context(), a.JobID)
		if err != nil || job.Func != ProcessFunc || job.Args[0] != d.ID || strings.Contains(job.Description, "secret") {
			t.Errorf("job %+v, %v", job, err)
		}
		st, err := f.Status(t.Context(), d.ID)
		if err != nil || st.JobID == nil || st.CurrentStep != "waiting in the queue" || a.EstimatedSeconds == 0 {
			t.Errorf("status %+v, %v; accepted %+v", st, err, a)
		}
		f.complete("sha", "text")
		d = f.wantState(a.DocumentID, Completed)
		if d.UploadRemoved || d.SourceKey == "" {
			t.Errorf("%+v", d)
		}
		if again := f.take(ObjectRequest{Key: "inbox/relatório.txt"}); again.DocumentID != a.DocumentID || again.JobID != a.JobID || again.Status != Completed {
			t.Errorf("asked again: %+v, before %+v", again, a)
		}
	})
}

// When the same object asked for again is the same document.
func TestTakeObjectAgain(t *testing.T) {
	t.Parallel()
	const key, sum = "in/a.txt", "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for name, test := range map[string]struct {
		between func(*fixture, *Accepted)
		ask     func(*ObjectRequest)
		same    bool
	}{
		"waiting":        {same: true},
		"in work":        {between: func(f *fixture, _ *Accepted) { f.begin() }, same: true},
		"completed":      {between: func(f *fixture, _ *Accepted) { f.complete(sum, "text") }, same: true},
		"the same hash":  {between: func(f *fixture, _ *Accepted) { f.complete(sum, "text") }, ask: func(r *ObjectRequest) { r.SHA256 = strings.ToUpper(sum) }, same: true},
		"another hash":   {between: func(f *fixture, _ *Accepted) { f.complete(sum, "text") }, ask: func(r *ObjectRequest) { r.SHA256 = strings.Repeat("0", 64) }},
		"replaced":       {between: func(f *fixture, _ *Accepted) { f.source(key, "other") }},
		"allowed twice":  {ask: func(r *ObjectRequest) { r.AllowDuplicate = true }},
		"failed":         {between: func(f *fixture, _ *Accepted) { f.fail() }},
		"canceled":       {between: func(f *fixture, a *Accepted) { f.cancel(a.JobID) }},
		"record deleted": {between: func(f *fixture, a *Accepted) { f.rdb.Del(t.Context(), f.k.document(a.DocumentID)) }},
		"another key":    {between: func(f *fixture, _ *Accepted) { f.source("in/b.txt", "hello") }, ask: func(r *ObjectRequest) { r.Key = "in/b.txt" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newObjectFixture(t, "")
			f.source(key, "hello")
			first := f.take(ObjectRequest{Key: key})
			if test.between != nil {
				test.between(f, first)
			}
			r := ObjectRequest{Key: key}
			if test.ask != nil {
				test.ask(&r)
			}
			second := f.take(r)
			if (second.DocumentID == first.DocumentID) != test.same || (second.JobID == first.JobID) != test.same {
				t.Errorf("first %+v, second %+v", first, second)
			}
			if n, _ := f.rdb.ZCard(t.Context(), f.k.all()).Result(); test.same && n != 1 {
				t.Errorf("%d documents", n)
			}
		})
	}
}

// fail ends the next job for good.
func (f *fixture) fail() {
	f.t.Helper()
	c, _ := f.begin()
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "broken", ErrorCode: "corrupt"})
}

func (f *fixture) cancel(jobID string) {
	f.t.Helper()
	if _, err := f.queue.Cancel(f.t.Context(), jobID); err != nil {
		f.t.Fatal(err)
	}
}

// Any number of callers at the same time get one document.
func TestTakeObjectAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := objectFixture(t, srv, "", nil)
		f.source("a.txt", "hello")
		var mu sync.Mutex
		ids := map[string]int{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				a, err := f.TakeObject(t.Context(), ObjectRequest{Key: "a.txt"})
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
					return
				}
				ids[a.DocumentID+" "+a.JobID]++
			})
		}
		all.Wait()
		if len(ids) != 1 {
			t.Errorf("documents and jobs: %v", ids)
		}
		if n := f.rdb.LLen(t.Context(), rq.QueueKey("document_processing")).Val(); n != 1 {
			t.Errorf("%d jobs", n)
		}
	})
}

func TestTakeObjectRefuses(t *testing.T) {
	t.Parallel()
	f := objectFixture(t, redistest.Start(t, redistest.Miniredis), "", func(c *Config) { c.MaxFileSize = 5 })
	f.source("empty", "")
	f.source("large", "123456")
	f.source("a", "hello")
	for name, test := range map[string]struct {
		r           ObjectRequest
		kind        Kind
		code, field string
	}{
		"missing":  {ObjectRequest{Key: "none"}, NotFound, CodeObjectNotFound, "key"},
		"empty":    {ObjectRequest{Key: "empty"}, Invalid, CodeInvalid, "key"},
		"large":    {ObjectRequest{Key: "large"}, Invalid, CodeTooLarge, "key"},
		"title":    {ObjectRequest{Key: "a", Title: "a\x01"}, Invalid, CodeInvalid, "title"},
		"tags":     {ObjectRequest{Key: "a", Tags: []string{""}}, Invalid, CodeInvalid, "tags"},
		"sha256":   {ObjectRequest{Key: "a", SHA256: "1234"}, Invalid, CodeInvalid, "sha256"},
		"priority": {ObjectRequest{Key: "a", Priority: "now"}, Invalid, CodeInvalid, "priority"},
		"password": {ObjectRequest{Key: "a", Password: strings.Repeat("p", 2000)}, Invalid, CodeInvalid, "password"},
	} {
		_, err := f.TakeObject(t.Context(), test.r)
		if e := wantError(t, err, test.kind, test.code); e.Field != test.field {
			t.Errorf("%s: field %q: %s", name, e.Field, e.Detail)
		}
	}
	if _, err := f.withoutRedis().TakeObject(t.Context(), ObjectRequest{Key: "a"}); err == nil {
		t.Error("without Redis it was taken")
	} else {
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	}
	if got := f.keyspace(); len(got) != 0 {
		t.Errorf("refused requests left %v", got)
	}
}

// enqueueObject does what a Python producer does.
func (f *fixture) enqueueObject(kwargs map[string]any, args ...any) *rq.Job {
	f.t.Helper()
	j, err := f.queue.Enqueue(f.t.Context(), rq.Spec{Queue: "document_processing", Func: ObjectFunc, Args: args, Kwargs: kwargs})
	if err != nil {
		f.t.Fatal(err)
	}
	return j
}

// The first run of a producer's job makes the record; each later one finds it.
func TestObjectJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := objectFixture(t, srv, "team/a", nil)
		o := f.source("in/a.txt", "hello")
		j := f.enqueueObject(map[string]any{"tags": []any{"x"}}, "in/a.txt", "Title")
		if _, err := f.Get(t.Context(), ObjectDocumentID(j)); err == nil {
			t.Fatal("there is a record before the first run")
		}
		f.clock.forward(time.Minute)
		c, d := f.begin()
		if d.ID != ObjectDocumentID(j) || d.JobID != j.ID || d.Title != "Title" || d.ETag != o.ETag || d.FileSize != 5 || d.SourceKey != "in/a.txt" ||
			d.UploadKey != "" || d.UploadID != objectUploadID(j) || !d.CreatedAt.Equal(j.CreatedAt.Truncate(time.Millisecond)) || d.Attempts != 0 {
			t.Errorf("%+v", d)
		}
		f.wantState(d.ID, Extracting)
		if got := f.rdb.ZRange(t.Context(), f.k.byTag("x"), 0, -1).Val(); !slices.Equal(got, []string{d.ID}) {
			t.Errorf("tag index has %v", got)
		}
		// The worker ends; another takes the job, and it finds the same record.
		f.finish(c, rq.Outcome{Kind: rq.OutcomeReturnHead})
		f.wantState(d.ID, Uploaded)
		f.source("in/a.txt", "replaced meanwhile")
		if _, again := f.begin(); again.ID != d.ID || again.ETag != o.ETag || again.UploadID != d.UploadID || again.Attempts != 1 {
			t.Errorf("run again: %+v", again)
		}
		f.cancel(j.ID) // while it runs
		f.wantState(d.ID, Canceled)
		if n := f.rdb.ZCard(t.Context(), f.k.all()).Val(); n != 1 {
			t.Errorf("%d records", n)
		}
	})
}

// The original of such a document is the object, while it is the same.
func TestOriginalOfObject(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		f := objectFixture(t, redistest.Start(t, redistest.Miniredis), "team/a", func(c *Config) { c.KeepOriginal, c.InlineLimit = keep, 10 })
		f.source("a.txt", "hello")
		f.source("large.txt", "hello, this is longer")
		a, large := f.take(ObjectRequest{Key: "a.txt"}), f.take(ObjectRequest{Key: "large.txt"})
		read := func() string {
			t.Helper()
			c, err := f.Original(t.Context(), a.DocumentID)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Body.Close() }()
			b, err := io.ReadAll(c.Body)
			return fmt.Sprint(string(b), " ", c.Filename, " ", err)
		}
		if got := read(); got != "hello a.txt <nil>" {
			t.Error(got)
		}
		f.complete("sha", "text")
		if got := read(); got != "hello a.txt <nil>" {
			t.Error(got)
		}
		if c, err := f.Original(t.Context(), large.DocumentID); err != nil || !strings.Contains(c.URL, "/large.txt?") || strings.Contains(c.URL, "team") {
			t.Errorf("%+v, %v", c, err)
		}
		for _, id := range []string{a.DocumentID, large.DocumentID} {
			key := f.get(id).SourceKey
			f.source(key, "something else entirely")
			_, err := f.Original(t.Context(), id)
			wantError(t, err, Gone, CodeOriginalRemoved)
			f.bucket.Delete(t.Context(), key)
			_, err = f.Original(t.Context(), id)
			wantError(t, err, Gone, CodeOriginalRemoved)
		}
	}
}

// Deleting such a document leaves the object, which can be taken in anew.
func TestDeleteOfObject(t *testing.T) {
	t.Parallel()
	f := newObjectFixture(t, "team/a")
	f.source("a.txt", "hello")
	a := f.take(ObjectRequest{Key: "a.txt", SHA256: sumOfHello})
	f.complete(sumOfHello, "text")
	if err := f.Delete(t.Context(), a.DocumentID); err != nil {
		t.Fatal(err)
	}
	if _, err := f.bucket.Stat(t.Context(), "a.txt"); err != nil {
		t.Error(err)
	}
	if n := f.rdb.Exists(t.Context(), f.k.object("a.txt"), f.k.document(a.DocumentID), f.k.file(DefaultOwner, sumOfHello)).Val(); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	if again := f.take(ObjectRequest{Key: "a.txt"}); again.DocumentID == a.DocumentID {
		t.Error("the deleted document is back")
	}
}
