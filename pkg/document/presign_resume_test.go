package document

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// sumOfHello is the sha256 of "hello".
const sumOfHello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func hello(resume bool) func(*NewUpload) {
	return func(n *NewUpload) { n.SHA256, n.Resume = sumOfHello, resume }
}

// A document that awaits these bytes is answered again, with a URL that works
// for as long as a new one.
func TestResume(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, nil)
		first := f.presign(5, hello(false))
		f.clock.forward(50 * time.Minute)
		second := f.presign(5, func(n *NewUpload) {
			hello(true)(n)
			n.SHA256, n.Title, n.Filename, n.Tags = strings.ToUpper(n.SHA256), "Another", "other.pdf", nil
		})
		if second.DocumentID != first.DocumentID || second.UploadID != first.UploadID || second.UploadURL == "" ||
			!strings.Contains(second.Headers["Content-Disposition"], "manual.pdf") || second.Headers["Content-Length"] != "5" {
			t.Fatalf("first %+v, second %+v", first, second)
		}
		d := f.wantState(first.DocumentID, AwaitingUpload)
		until := f.clock.now().Add(time.Hour)
		if !d.UploadExpiresAt.Equal(until) || d.Title != "Manual" || len(d.Tags) != 2 {
			t.Errorf("%+v", d)
		}
		if got := f.rdb.ZScore(t.Context(), f.k.openUploads(), d.ID).Val(); got != float64(until.UnixMilli()) {
			t.Errorf("it expires at %v, want %d", got, until.UnixMilli())
		}
		if got := f.rdb.HGet(t.Context(), f.k.upload(d.UploadID), "expires_at").Val(); got != stamp(until) {
			t.Errorf("the upload expires at %s", got)
		}
		f.clock.forward(20 * time.Minute) // past the first URL's end
		if n, _, err := f.ExpireUploads(t.Context(), 10); n != 0 || err != nil {
			t.Errorf("expired %d, %v", n, err)
		}
		f.put(second, "hello")
		f.process(second, nil)
		f.complete(sumOfHello, "text")
		f.wantState(d.ID, Completed)
		if n := f.rdb.Exists(t.Context(), f.k.file(DefaultOwner, sumOfHello)).Val(); n != 0 {
			t.Error("the file index outlives the claim")
		}
	})
}

// What is answered with a new document, and whether the last one announced is
// still found by its bytes.
func TestResumeOfOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		between func(*fixture, *Upload)
		size    int64
		same    bool
		indexed bool // before the second call
	}{
		"awaits":           {same: true, indexed: true},
		"another size":     {size: 6, indexed: true},
		"in the queue":     {between: func(f *fixture, up *Upload) { f.put(up, "hello"); f.process(up, nil) }, indexed: true},
		"in work":          {between: func(f *fixture, up *Upload) { f.put(up, "hello"); f.process(up, nil); f.begin() }, indexed: true},
		"completed":        {between: func(f *fixture, up *Upload) { f.put(up, "hello"); f.process(up, nil); f.complete(sumOfHello, "") }},
		"failed":           {between: func(f *fixture, up *Upload) { f.put(up, "hello"); f.process(up, nil); f.fail() }, indexed: true},
		"canceled":         {between: func(f *fixture, up *Upload) { f.put(up, "hello"); f.cancel(f.process(up, nil).JobID) }, indexed: true},
		"ran out, unswept": {between: func(f *fixture, _ *Upload) { f.clock.forward(2 * time.Hour) }, same: true, indexed: true},
		"ran out and swept": {between: func(f *fixture, _ *Upload) {
			f.clock.forward(2 * time.Hour)
			_, _, _ = f.ExpireUploads(f.t.Context(), 10)
		}},
		"record gone":       {between: func(f *fixture, up *Upload) { f.rdb.Del(f.t.Context(), f.k.document(up.DocumentID)) }, indexed: true},
		"record unreadable": {between: func(f *fixture, up *Upload) { f.rdb.HSet(f.t.Context(), f.k.document(up.DocumentID), "schema", "99") }, indexed: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
			first := f.presign(5, hello(false))
			if test.between != nil {
				test.between(f, first)
			}
			key := f.k.file(DefaultOwner, sumOfHello)
			if got := f.rdb.Get(t.Context(), key).Val(); (got == first.DocumentID) != test.indexed {
				t.Errorf("the index names %q, the document is %s", got, first.DocumentID)
			}
			size := int64(5)
			if test.size != 0 {
				size = test.size
			}
			second := f.presign(size, hello(true))
			if (second.DocumentID == first.DocumentID) != test.same || (second.UploadID == first.UploadID) != test.same {
				t.Errorf("first %+v, second %+v", first, second)
			}
			if got := f.rdb.Get(t.Context(), key).Val(); got != second.DocumentID {
				t.Errorf("the index names %q, want the second, %s", got, second.DocumentID)
			}
			if third := f.presign(size, hello(true)); third.DocumentID != second.DocumentID {
				t.Errorf("third %+v, second %+v", third, second)
			}
			if plain := f.presign(size, hello(false)); plain.DocumentID == second.DocumentID {
				t.Error("without resume the document was answered again")
			}
		})
	}
}

func TestResumeNeedsSHA256(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	_, err := f.Presign(t.Context(), NewUpload{Filename: "a.pdf", FileSize: 5, Resume: true})
	if e := wantError(t, err, Invalid, CodeInvalid); e.Field != "resume" {
		t.Errorf("field %q", e.Field)
	}
}

// Any number of clients that resume at the same time get one document, with
// and without one to resume.
func TestResumeAtOnce(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, nil)
		for _, there := range []bool{false, true} {
			var mu sync.Mutex
			ids := map[string]bool{}
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					up, err := f.Presign(t.Context(), NewUpload{Filename: "a.pdf", FileSize: 5, SHA256: sumOfHello, Resume: true})
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					ids[up.DocumentID+" "+up.UploadID] = true
				})
			}
			all.Wait()
			if len(ids) != 1 || f.rdb.ZCard(t.Context(), f.k.all()).Val() != 1 {
				t.Errorf("one was there: %v; answers: %v", there, ids)
			}
		}
	})
}

// The sweep and a client that resumes at the same moment: the document isn't
// failed under a URL that has just been given.
func TestResumeWinsOverExpiry(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), nil)
	first := f.presign(5, hello(false))
	f.clock.forward(2 * time.Hour)
	read := f.get(first.DocumentID) // what the sweep has read
	if again := f.presign(5, hello(true)); again.DocumentID != first.DocumentID {
		t.Fatal("another document")
	}
	err := f.expire(t.Context(), read)
	if _, raced := err.(*rq.ConditionError); !raced {
		t.Errorf("expiring answers %v", err)
	}
	f.wantState(first.DocumentID, AwaitingUpload)
}
