package document

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/s3test"
)

// copyIs checks the title that the saved record has.
func (f *fixture) copyIs(id, title string) {
	f.t.Helper()
	m, err := f.readManifest(f.t.Context(), id, manifestKey(id, RecordExecution))
	if err != nil || m.Title != title || m.Record["title"] != title {
		f.t.Errorf("the copy has %+v, %v; want title %q", m, err, title)
	}
}

// A store that carries a PUT out long after its keeper gave up leaves the older
// copy, but not for good.
func TestAnOlderCopyThatComesLate(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		d := f.failedOne()
		late := copyOf(f.get(d.ID))
		f.s3.Fail(func(r *http.Request) *s3test.Fault {
			if r.Method == http.MethodPut {
				return &s3test.Fault{Reset: true}
			}
			return nil
		})
		if _, err := f.keep(t.Context()); err == nil {
			t.Error("a store that doesn't answer has saved a record")
		}
		f.s3.Fail(nil)
		f.patched(d.ID, Patch{Title: ptr("newer")})
		if kept := f.mustKeep(); kept.Saved != 1 || f.unsaved() != 0 {
			t.Errorf("kept %+v, %d are unsaved", kept, f.unsaved())
		}
		f.copyIs(d.ID, "newer")
		if err := f.putManifest(t.Context(), manifestKey(d.ID, RecordExecution), late); err != nil {
			t.Fatal(err)
		}
		if kept := f.mustKeep(); kept.Saved != 0 {
			t.Errorf("before the time is over: %+v", kept)
		}
		f.clock.forward(lateAnswers)
		if kept := f.mustKeep(); kept.Saved != 1 {
			t.Errorf("when nothing can come late any more: %+v", kept)
		}
		f.copyIs(d.ID, "newer")
		f.clock.forward(lateAnswers)
		if kept := f.mustKeep(); kept.Saved != 0 {
			t.Errorf("once more: %+v", kept)
		}
		if f.rdb.Exists(t.Context(), f.k.copyAgain()).Val() != 0 {
			t.Error("it is to be written yet again")
		}
	})
}

// A DELETE that the store carries out late must not take the only copy of an
// archived document: nothing is archived before that can't happen any more.
func TestADeletionThatComesLate(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.c.Retention = time.Hour
		d := f.failedOne()
		f.mustKeep()
		f.clock.forward(f.c.FailedUploadTTL + f.c.Retention)
		archived := manifestKey(d.ID, ArchivedExecution)
		f.s3.Fail(func(r *http.Request) *s3test.Fault {
			switch {
			case !strings.Contains(r.URL.Path, archived) && r.Method != http.MethodPost:
				return nil
			case r.Method == http.MethodPut:
				f.rdb.HSet(t.Context(), f.k.document(d.ID), "title", "meanwhile") // so that it goes again
				return nil
			}
			return &s3test.Fault{Reset: true}
		})
		if _, err := f.keep(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.s3.Fail(nil)
		if kept := f.mustKeep(); kept.Archived != 0 {
			t.Errorf("archived at once, while its removal may yet come: %+v", kept)
		}
		if err := f.removeKeys(t.Context(), []string{archived}); err != nil {
			t.Fatal(err)
		}
		f.clock.forward(lateAnswers)
		if kept := f.mustKeep(); kept.Archived != 1 || !f.exists(archived) {
			t.Errorf("afterwards: %+v", kept)
		}
		if got := f.get(d.ID); got.Title != "meanwhile" || got.ArchivedAt.IsZero() {
			t.Errorf("it reads as %+v", got)
		}
	})
}
