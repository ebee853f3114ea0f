package document

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

const retention = 30 * 24 * time.Hour

// eachKept runs f on every engine with a retention.
func eachKept(t *testing.T, f func(t *testing.T, f *fixture)) {
	t.Helper()
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f(t, newFixture(t, srv, func(c *Config) { c.Retention = retention }))
	})
}

// An old record leaves Redis with all that names it, can still be read as
// before, and comes back when it is asked for.
func TestArchive(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids := f.archiveOf()
		f.mustKeep()
		before, records := map[string]string{}, f.records()
		for name, id := range ids {
			before[name] = f.answers(id)
		}
		f.clock.forward(retention - 3*time.Hour)
		if kept := f.mustKeep(); kept.Archived != 0 {
			t.Fatalf("too early: %+v", kept)
		}
		f.clock.forward(4 * time.Hour)
		young, _ := f.queuedAs("young")
		if kept := f.mustKeep(); kept.Archived != len(ids) {
			t.Fatalf("%+v", kept)
		}
		if got, err := f.List(t.Context(), ListQuery{Limit: 100}); err != nil || len(got.Documents) != 1 || got.Documents[0].ID != young.DocumentID {
			t.Errorf("%+v, %v", got, err)
		}
		if sums := f.sums(); len(sums) > 0 {
			t.Errorf("counters %v", sums)
		}
		for name, id := range ids {
			d := f.get(id)
			if d.ArchivedAt.IsZero() {
				t.Errorf("%s: %+v", name, d)
			}
			archived := `,"archived_at":"` + d.ArchivedAt.Format(time.RFC3339Nano) + `"`
			got := strings.ReplaceAll(f.answers(id), archived, "")
			if want := withoutUpload(before[name]); withoutUpload(got) != want {
				t.Errorf("%s: before\n%sarchived\n%s", name, want, got)
			}
			for _, call := range []func() error{
				func() error { _, err := f.Process(t.Context(), id, ProcessRequest{UploadID: d.UploadID}); return err },
				func() error { title := "x"; _, err := f.Patch(t.Context(), id, Patch{Title: &title}); return err },
			} {
				if e := wantError(t, call(), Conflict, CodeArchived); !strings.Contains(e.Detail, "documents rebuild --id "+id) {
					t.Error(e.Detail)
				}
			}
		}
		// Nothing brings them back by the way, not even the loss of Redis.
		f.mustDelete(young.DocumentID)
		if r := f.mustRebuild(RebuildOptions{}); r.Archived != int64(len(ids)) || r.Rebuilt != 0 {
			t.Errorf("%+v", r)
		}
		if r := f.mustRebuild(RebuildOptions{ID: ids["completed"]}); r.Rebuilt != 1 {
			t.Errorf("%+v", r)
		}
		if r := f.mustRebuild(RebuildOptions{Archived: true}); r.Rebuilt != int64(len(ids)-1) || r.Present != 1 {
			t.Errorf("%+v", r)
		}
		for name, id := range ids {
			if got := f.answers(id); withoutUpload(got) != withoutUpload(before[name]) {
				t.Errorf("%s: before\n%sback again\n%s", name, before[name], got)
			}
		}
		for key := range f.records() {
			if _, was := records[key]; !was && !strings.HasPrefix(key, f.k.removing()) && key != f.k.deleted() {
				t.Errorf("Redis has %s", key)
			}
		}
		// They stay for a retention of their own.
		if kept := f.mustKeep(); kept.Archived != 0 || kept.Saved != len(ids) {
			t.Errorf("%+v", kept)
		}
		for _, key := range f.objects() {
			if strings.Contains(key, "/"+ArchivedExecution+"/") {
				t.Errorf("%s is still there", key)
			}
		}
		f.rdb.FlushDB(t.Context())
		if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != int64(len(ids)) || r.Archived != 0 {
			t.Errorf("after the loss of Redis: %+v", r)
		}
		f.clock.forward(2 * retention)
		if kept := f.mustKeep(); kept.Archived != len(ids) {
			t.Errorf("%+v", kept)
		}
	})
}

// withoutUpload takes what archiving changes out of answers: the upload goes.
func withoutUpload(answers string) string {
	lines := strings.Split(strings.TrimSpace(answers), "\n")
	if last := len(lines) - 1; strings.Contains(lines[last], "manual.pdf") || strings.Contains(lines[last], "was removed") {
		lines = lines[:last]
	}
	return strings.ReplaceAll(strings.Join(lines, "\n"), `"s3_file_deleted":false`, `"s3_file_deleted":true`)
}

// A duplicate can be read while its first is archived, and an archived
// document can be deleted.
func TestArchivedFirst(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		ids := f.archiveOf()
		f.clock.forward(retention - time.Hour)
		f.rdb.HSet(t.Context(), f.k.document(ids["duplicate"]), "restored_at", stamp(f.clock.now()))
		f.clock.forward(2 * time.Hour)
		if kept := f.mustKeep(); kept.Archived != len(ids)-1 {
			t.Errorf("%+v", kept)
		}
		text, err := f.Text(t.Context(), ids["duplicate"])
		if err != nil {
			t.Fatal(err)
		}
		_ = text.Body.Close()
		for name, id := range ids {
			if name != "duplicate" {
				f.mustDelete(id)
				wantError(t, f.Delete(t.Context(), id), NotFound, CodeDocumentNotFound)
			}
		}
		_, err = f.Text(t.Context(), ids["duplicate"])
		wantError(t, err, Gone, CodeDuplicateGone)
		for _, key := range f.objects() {
			if !strings.Contains(key, ids["duplicate"]) {
				t.Errorf("the bucket has %s", key)
			}
		}
	})
}

// A record that changes while its copy is written stays, and the copy goes:
// after a loss of Redis it would be taken for an archived one.
func TestArchiveRaced(t *testing.T) {
	tests := []struct {
		name    string
		between func(f *fixture, d *Document) error
		gone    bool
	}{
		{"patched", func(f *fixture, d *Document) error {
			title := "new"
			_, err := f.Patch(f.t.Context(), d.ID, Patch{Title: &title})
			return err
		}, false},
		{"retried", func(f *fixture, d *Document) error {
			_, err := f.Process(f.t.Context(), d.ID, ProcessRequest{UploadID: d.UploadID})
			return err
		}, false},
		{"deleted", func(f *fixture, d *Document) error { return f.Delete(f.t.Context(), d.ID) }, true},
	}
	eachKept(t, func(t *testing.T, f *fixture) {
		for _, test := range tests {
			f.forget()
			f.queued()
			c, d := f.begin()
			f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
			f.mustKeep()
			f.clock.forward(2 * retention)
			key, once := manifestKey(d.ID, ArchivedExecution), true
			f.s3.Fail(func(r *http.Request) *s3test.Fault {
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, key) && once {
					once = false
					if err := test.between(f, d); err != nil {
						t.Errorf("%s: %v", test.name, err)
					}
				}
				return nil
			})
			done, err := f.archive(t.Context(), d.ID)
			f.s3.Fail(nil)
			var raced *rq.ConditionError
			if done || !errors.As(err, &raced) {
				t.Errorf("%s: %v, %v", test.name, done, err)
			}
			if slices.Contains(f.objects(), key) {
				t.Errorf("%s: its copy is still there", test.name)
			}
			if _, err := f.Record(t.Context(), d.ID); isNotFound(err) != test.gone {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	})
}

// What may still be processed again is not archived before its upload goes.
func TestArchiveKeepsWhatCanBeRetried(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, func(c *Config) { c.Retention = 24 * time.Hour })
		f.queued()
		c, d := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "damaged", ErrorCode: "corrupt"})
		f.clock.forward(6 * 24 * time.Hour)
		if kept := f.mustKeep(); kept.Archived != 0 {
			t.Errorf("%+v", kept)
		}
		f.clock.forward(2 * 24 * time.Hour)
		if kept := f.mustKeep(); kept.Archived != 1 || !f.get(d.ID).UploadRemoved || f.exists(d.UploadKey) {
			t.Errorf("%+v, %+v", kept, f.get(d.ID))
		}
		// An id that docsvc never made costs the store nothing.
		f.s3.Stop()
		_, err := f.Get(t.Context(), "5f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10")
		wantError(t, err, NotFound, CodeDocumentNotFound)
		_, err = f.Get(t.Context(), d.ID)
		wantError(t, err, Unavailable, CodeStorageUnavailable)
	})
}

// Documents that have to stay don't hold up those that came after them.
func TestArchiveGoesRound(t *testing.T) {
	eachKept(t, func(t *testing.T, f *fixture) {
		stay := f.seedMany(archivePage+10, Completed, nil)
		old := f.seedMany(3, Completed, nil)
		f.clock.forward(2 * retention)
		pipe := f.rdb.Pipeline()
		for _, id := range stay {
			pipe.HSet(t.Context(), f.k.document(id), "restored_at", stamp(f.clock.now()))
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		archived, rounds := 0, 0
		for ; archived < len(old) && rounds < 10; rounds++ {
			archived += f.mustKeep().Archived
		}
		if left := f.rdb.ZCard(t.Context(), f.k.all()).Val(); archived != len(old) || left != int64(len(stay)) {
			t.Errorf("%d archived in %d rounds, %d left", archived, rounds, left)
		}
	})
}
