package document

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// left are the keys that docsvc still has of documents, but for the memory of
// what was deleted.
func (f *fixture) left() []string {
	all := f.keyspace()
	for _, key := range []string{f.k.deleted(), f.k.removing(), f.k.timings()} {
		delete(all, key)
	}
	return slices.Sorted(maps.Keys(all))
}

// objects are the keys of all objects below the two prefixes.
func (f *fixture) objects() []string {
	f.t.Helper()
	var names []string
	for _, prefix := range []string{DocumentsPrefix, UploadsPrefix} {
		for o, err := range f.store.List(f.t.Context(), prefix, "") {
			if err != nil {
				f.t.Fatal(err)
			}
			names = append(names, o.Key)
		}
	}
	return names
}

// sums are the counters that are not zero.
func (f *fixture) sums() map[string]string {
	all := f.rdb.HGetAll(f.t.Context(), f.k.counts()).Val()
	maps.DeleteFunc(all, func(_, n string) bool { return n == "0" })
	return all
}

func (f *fixture) mustDelete(id string) {
	f.t.Helper()
	if err := f.Delete(f.t.Context(), id); err != nil {
		f.t.Fatal(err)
	}
}

// A document in any state goes with all that it left in Redis and storage.
func TestDelete(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	tests := []struct {
		name string
		make func(f *fixture) string
	}{
		{"awaiting its upload", func(f *fixture) string {
			up := f.presign(5, func(n *NewUpload) { n.SHA256 = hash })
			f.put(up, "hello")
			return up.DocumentID
		}},
		{"queued", func(f *fixture) string {
			up := f.presign(5, nil)
			f.put(up, "hello")
			f.process(up, func(r *ProcessRequest) { r.Password = "secret" })
			return up.DocumentID
		}},
		{"in work", func(f *fixture) string { f.queued(); _, d := f.begin(); return d.ID }},
		{"completed", func(f *fixture) string { f.queued(); d, _ := f.complete("s1", "t1"); return d.ID }},
		{"failed", func(f *fixture) string {
			f.queued()
			c, d := f.begin()
			f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
			return d.ID
		}},
	}
	each(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			f.forget()
			id := test.make(f)
			f.mustDelete(id)
			if left := f.left(); len(left) > 0 {
				t.Errorf("%s: Redis still has %q", test.name, left)
			}
			if left := f.objects(); len(left) > 0 {
				t.Errorf("%s: the bucket still has %q", test.name, left)
			}
			if sums := f.sums(); len(sums) > 0 {
				t.Errorf("%s: counters %v", test.name, sums)
			}
			if n := f.rdb.ZCard(t.Context(), f.k.deleted()).Val(); n != 1 {
				t.Errorf("%s: %d documents are remembered", test.name, n)
			}
			for _, call := range []func() error{
				func() error { return f.Delete(t.Context(), id) },
				func() error { _, err := f.Get(t.Context(), id); return err },
				func() error { _, err := f.Status(t.Context(), id); return err },
				func() error { _, err := f.Text(t.Context(), id); return err },
				func() error { _, err := f.Process(t.Context(), id, ProcessRequest{UploadID: "x"}); return err },
			} {
				wantError(t, call(), NotFound, CodeDocumentNotFound)
			}
		}
		wantError(t, f.Delete(t.Context(), "01890a5d-ac96-774b-bcce-b302099a8057"), NotFound, CodeDocumentNotFound)
		wantError(t, f.Delete(t.Context(), "nonsense"), NotFound, CodeDocumentNotFound)
	})
}

// Deleting frees the bytes and leaves the duplicates without their text.
func TestDeleteOfAnOriginal(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queued()
		first, _ := f.complete("s1", "t1")
		f.queued()
		c, d := f.begin()
		effects, conditions := f.Duplicate(d, first.ID, f.manifest(d, c.Execution.ID, "s1", "t1"))
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
		if sums := f.sums(); sums["format:pdf"] != "2" || sums["chunks"] != "2" {
			t.Errorf("counters %v", sums)
		}
		f.mustDelete(first.ID)
		_, err := f.Text(t.Context(), d.ID)
		wantError(t, err, Gone, CodeDuplicateGone)
		f.queued()
		if _, done := f.complete("s1", "t1"); done.Err != nil {
			t.Errorf("the bytes are not free: %v", done.Err)
		}
		f.mustDelete(d.ID)
		if holder := f.rdb.Get(t.Context(), f.k.sha256(DefaultOwner, "s1")).Val(); holder == "" || holder == d.ID {
			t.Errorf("the claim of another document is %q", holder)
		}
	})
}

// A worker that is at it is fenced: its commit is refused, and nothing that
// its job goes through afterwards makes anything of the document again.
func TestDeleteUnderAWorker(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, a := f.queued()
		c, d := f.begin()
		m := f.manifest(d, c.Execution.ID, "s1", "t1")
		effects, conditions := f.Complete(d, m)
		f.mustDelete(d.ID)
		if done := f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions}); !errors.Is(done.Err, rq.ErrLateFinish) {
			t.Errorf("the commit gave %v", done.Err)
		}
		if _, err := f.Retry(t.Context(), a.JobID); !errors.Is(err, rq.ErrNoJob) {
			t.Errorf("retry gave %v", err)
		}
		// As a producer of Python's can.
		if _, err := f.queue.Enqueue(t.Context(), rq.Spec{ID: a.JobID, Queue: "document_processing", Func: ProcessFunc, Args: []any{d.ID}}); err != nil {
			t.Fatal(err)
		}
		again := f.claim()
		_, err := f.Begin(t.Context(), again.Job)
		wantError(t, err, NotFound, CodeDocumentNotFound)
		f.finish(again, rq.Outcome{Kind: rq.OutcomeFail, Error: "no document", ErrorCode: CodeDocumentNotFound})
		if _, err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := f.left(); len(left) > 0 {
			t.Errorf("Redis has %q", left)
		}
		// It wrote on for a while, and the client did as well.
		f.object(ArtifactPrefix(d.ID, c.Execution.ID)+TextName, "late")
		f.put(up, "hello")
		f.clock.forward(time.Minute)
		if kept, err := f.keep(t.Context()); err != nil || kept != (Kept{}) {
			t.Errorf("kept %+v, %v", kept, err)
		}
		f.clock.forward(2 * time.Hour)
		if kept, err := f.keep(t.Context()); err != nil || kept != (Kept{Removed: 1}) || len(f.objects()) > 0 {
			t.Errorf("kept %+v, %v; the bucket has %q", kept, err, f.objects())
		}
		f.clock.forward(2 * time.Hour)
		if kept, err := f.keep(t.Context()); err != nil || kept != (Kept{Forgotten: 1}) {
			t.Errorf("kept %+v, %v", kept, err)
		}
		if n := f.rdb.Exists(t.Context(), f.k.deleted(), f.k.removing()).Val(); n != 0 {
			t.Error("the deleted document is still remembered")
		}
	})
}

// What can't be removed from storage is removed when the storage is back.
func TestDeleteWhileStorageIsAway(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queued()
		d, _ := f.complete("s1", "t1")
		f.s3.Stop()
		f.mustDelete(d.ID)
		if left := f.left(); len(left) > 0 {
			t.Errorf("Redis has %q", left)
		}
		f.clock.forward(removeGrace)
		if _, err := f.keep(t.Context()); err == nil {
			t.Error("keeping while the storage is away succeeded")
		}
		f.s3.Restart(t)
		for f.rdb.Exists(t.Context(), f.k.removing()).Val() != 0 { // a slow machine needs more than one round
			f.mustKeep()
		}
		if len(f.objects()) > 0 {
			t.Errorf("the bucket has %q", f.objects())
		}
	})
}
