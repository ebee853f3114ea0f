package document

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// failed makes a document that failed.
func (f *fixture) failedOne() *Document {
	f.t.Helper()
	f.queued()
	c, d := f.begin()
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
	return d
}

// onPut calls do once, when a document.json of that document is being stored.
func (f *fixture) onPut(id string, do func()) {
	var once sync.Once
	f.s3.Fail(func(r *http.Request) *s3test.Fault {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, DocumentPrefix(id)) {
			once.Do(do)
		}
		return nil
	})
	f.t.Cleanup(func() { f.s3.Fail(nil) })
}

func (f *fixture) unsaved() int64 { return f.rdb.ZCard(f.t.Context(), f.k.unsaved()).Val() }

// Of several processes that keep at the same time one does.
func TestKeepOneAtATime(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 3 {
			f.failedOne()
		}
		if kept, err := f.Keep(t.Context()); err != nil || kept.Saved != 3 {
			t.Errorf("%+v, %v", kept, err)
		}
		f.failedOne()
		if kept, err := f.Keep(t.Context()); err != nil || kept.Saved != 0 {
			t.Errorf("at once again: %+v, %v", kept, err)
		}
	})
}

// A record that changes while its copy is written is saved again as it then is.
func TestSaveRaced(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.failedOne()
		title := "later"
		f.onPut(d.ID, func() {
			if _, err := f.Patch(t.Context(), d.ID, Patch{Title: &title}); err != nil {
				t.Error(err)
			}
		})
		for f.unsaved() > 0 {
			f.mustKeep()
		}
		m, err := f.readManifest(t.Context(), d.ID, manifestKey(d.ID, RecordExecution))
		if err != nil || m.Title != title || m.Record["title"] != title {
			t.Errorf("%+v, %v", m, err)
		}
	})
}

// The copy of a record that is deleted while it is written goes as well.
func TestSaveOfADeletedRecord(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.failedOne()
		f.onPut(d.ID, func() { f.mustDelete(d.ID) })
		if _, err := f.keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := f.objects(); len(left) > 0 || f.unsaved() > 0 {
			t.Errorf("the bucket has %q; %d unsaved", left, f.unsaved())
		}
	})
}

// What can't be read is put off and doesn't hold up the others; what is not
// final is not saved; an outage of the storage loses nothing.
func TestSaveWhatCanBe(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		newer, again := f.failedOne(), f.failedOne()
		f.rdb.HSet(t.Context(), f.k.document(newer.ID), "schema", "2")
		f.process(&Upload{DocumentID: again.ID, UploadID: again.UploadID}, nil)
		f.clock.forward(time.Second)
		last := func() *Document { // not the one that is queued again
			f.claim()
			return f.failedOne()
		}()
		f.s3.Stop()
		if _, err := f.keep(t.Context()); err == nil {
			t.Error("keeping while the storage is away succeeded")
		}
		f.s3.Restart(t)
		kept, err := f.keep(t.Context())
		if err != nil || kept.Saved != 1 || !f.exists(manifestKey(last.ID, RecordExecution)) || f.exists(manifestKey(again.ID, RecordExecution)) {
			t.Errorf("%+v, %v", kept, err)
		}
		if f.unsaved() != 1 || f.rdb.ZScore(t.Context(), f.k.unsaved(), newer.ID).Err() != nil {
			t.Error("the record of a newer docsvc is not unsaved any more")
		}
		_, err = f.withoutRedis().Keep(t.Context())
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	})
}

// Whatever happens at the same moment, a deleted document is gone whole.
func TestDeleteRaced(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 8 {
			up := f.presign(5, nil)
			f.put(up, "hello")
			title := "x"
			var wg sync.WaitGroup
			var mu sync.Mutex
			deleted := 0
			for _, call := range []func() error{
				func() error {
					_, err := f.Process(t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID})
					return err
				},
				func() error { _, err := f.Patch(t.Context(), up.DocumentID, Patch{Title: &title}); return err },
				func() error { return f.deleteCounted(up.DocumentID, &mu, &deleted) },
				func() error { return f.deleteCounted(up.DocumentID, &mu, &deleted) },
			} {
				wg.Go(func() {
					var e *Error
					if err := call(); err != nil && (!errors.As(err, &e) || e.Kind != NotFound && e.Code != CodeUploadMissing && e.Code != CodeBusy) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if deleted != 1 {
				t.Errorf("deleted %d times", deleted)
			}
		}
		if left := f.left(); len(left) > 0 {
			t.Errorf("Redis has %q", left)
		}
		if left := f.objects(); len(left) > 0 {
			t.Errorf("the bucket has %q", left)
		}
	})
}

func (f *fixture) deleteCounted(id string, mu *sync.Mutex, n *int) error {
	err := f.Delete(f.t.Context(), id)
	if err == nil {
		mu.Lock()
		defer mu.Unlock()
		*n++
	}
	return err
}

// Documents that ended before there were copies of records are saved, once.
func TestKeepSavesEarlierDocuments(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		const n = 2*keepBatch + 1 // more than two pages
		f.rdb.Del(t.Context(), f.k.unsaved())
		f.seedMany(n, Canceled, nil)
		for more := true; more; {
			var err error
			if more, err = f.notePage(t.Context(), Canceled); err != nil {
				t.Fatal(err)
			}
		}
		if f.unsaved() != n {
			t.Errorf("%d of %d are noted", f.unsaved(), n)
		}
		f.rdb.Del(t.Context(), f.k.unsaved(), f.k.byState(Canceled))
		d := f.failedOne()
		f.rdb.Del(t.Context(), f.k.unsaved())
		if kept := f.mustKeep(); kept.Saved != 1 || !f.exists(manifestKey(d.ID, RecordExecution)) {
			t.Errorf("%+v", kept)
		}
		f.rdb.ZAdd(t.Context(), f.k.byState(Failed), redis.Z{Score: 1, Member: "another"})
		if kept := f.mustKeep(); kept != (Kept{}) {
			t.Errorf("again: %+v", kept)
		}
	})
}

// seedMany writes many small records of a state, a second apart, and returns
// their ids.
func (f *fixture) seedMany(n int, state State, more map[string]string) []string {
	f.t.Helper()
	var ids []string
	pipe := f.rdb.Pipeline()
	for range n {
		f.clock.forward(time.Second)
		at := f.clock.now()
		id, err := newID(at)
		if err != nil {
			f.t.Fatal(err)
		}
		ids = append(ids, id)
		fields := map[string]string{"schema": schema, "owner": DefaultOwner, "status": string(state), "created_at": stamp(at),
			"updated_at": stamp(at), "finished_at": stamp(at), "tags": "[]", "job_id": "job-" + id, "s3_file_deleted": "1"}
		maps.Copy(fields, more)
		pipe.HSet(f.t.Context(), f.k.document(id), fields)
		for _, index := range []string{f.k.all(), f.k.byState(state), f.k.byOwner(DefaultOwner)} {
			pipe.ZAdd(f.t.Context(), index, redis.Z{Score: score(id, at), Member: id})
		}
	}
	if _, err := pipe.Exec(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	return ids
}
