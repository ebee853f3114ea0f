package cleanup

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// Redis loses everything while a cleanup is under way: all that it looks at
// then seems to be an orphan.
func TestRedisIsEmptiedDuringACleanup(t *testing.T) {
	t.Parallel()
	for _, task := range []Task{{Type: Orphaned, OlderThan: day}, {Type: Orphaned, OlderThan: day, IncludeDocuments: true}, {Type: S3, OlderThan: day}} {
		redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
			f := newFixture(t, srv)
			failed, queued := f.failed(), f.queued()
			_, prefix := f.completed()
			f.clock.forward(2 * day)
			calls := 0
			f.c.Clock = func() time.Time {
				if calls++; calls == 2 { // the run has begun
					f.rdb.FlushAll(t.Context())
				}
				return f.clock.now()
			}
			r, err := f.Run(t.Context(), task)
			if err == nil {
				t.Errorf("%+v ended well", r)
			}
			for _, key := range []string{uploadKey(failed), uploadKey(queued), prefix + document.TextName} {
				if !slices.Contains(f.keys(), key) {
					t.Errorf("%s, all %v: %s is gone", task.Type, task.IncludeDocuments, key)
				}
			}
		})
	}
}

// A document is archived between the listing of its objects and the verdict.
func TestArchivedDuringACleanup(t *testing.T) {
	t.Parallel()
	for _, include := range []bool{false, true} {
		redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
			f := newFixture(t, srv)
			f.docs = document.New(document.Config{Queue: f.queue, Store: f.store, Clock: f.clock.now, Retention: 30 * day})
			f.Cleaner = New(Config{Documents: f.docs, Store: f.store, Queue: f.queue, Clock: f.clock.now})
			up, _ := f.completed()
			f.run(Task{Type: Daily, OlderThan: day})
			f.clock.forward(31 * day)
			var done atomic.Bool
			calls := 0
			f.c.Clock = func() time.Time { // once for each listed object
				if calls++; calls > 4 && done.CompareAndSwap(false, true) {
					if k, err := f.docs.Keep(t.Context()); err != nil || k.Archived != 1 {
						t.Errorf("%+v, %v", k, err)
					}
				}
				return f.clock.now()
			}
			r := f.run(Task{Type: Orphaned, OlderThan: day, IncludeDocuments: include})
			if content, err := f.docs.Text(t.Context(), up.DocumentID); err != nil {
				t.Errorf("all %v: %v; bucket %v", include, err, f.keys())
			} else {
				_ = content.Body.Close()
			}
			if r.RebuildableCount > 0 {
				t.Errorf("reported as without a record: %v", r.Rebuildable)
			}
		})
	}
}
