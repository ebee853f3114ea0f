package cleanup

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/s3test"
)

const day = 24 * time.Hour

func TestS3KeepsWhatIsNeeded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		failed := f.failed()
		done, prefix := f.completed()
		running, _, _ := f.running()
		queued := f.queued()
		open := f.presign(true)
		orphan := document.UploadKey(newID(t), uuid.NewString())
		f.object(orphan, "nobody's")
		f.object("temp/not-ours", "x")
		f.object("elsewhere/temp/x", "x")
		if r := f.dryThenWet(Task{Type: S3, OlderThan: day}); r.Deleted != 0 || r.Kept != 7 || r.Seen != 7 {
			t.Errorf("all is younger than a day: %+v", r)
		}
		f.clock.forward(day + time.Hour)
		young := f.presign(true) // as old as the others, but its URL works
		r := f.dryThenWet(Task{Type: S3, OlderThan: day})
		if r.Seen != 8 || r.Deleted != 4 || r.Kept != 4 || r.Failed != 0 || r.Bytes != 5+5+8+1 {
			t.Errorf("%+v", r)
		}
		f.wantKeys(append(f.prefixed(prefix), uploadKey(queued), uploadKey(running), uploadKey(failed), uploadKey(young), "elsewhere/temp/x")...)
		if got := f.state(open); got != document.Failed {
			t.Errorf("an upload whose URL ran out is %s", got)
		}
		if d, err := f.docs.Get(t.Context(), done.DocumentID); err != nil || !d.UploadRemoved || d.Status != document.Completed {
			t.Errorf("%+v, %v", d, err)
		}
		f.clock.forward(7 * day)
		if r := f.dryThenWet(Task{Type: S3, OlderThan: day}); r.Deleted != 2 { // failed and young
			t.Errorf("a week later: %+v", r)
		}
		if r := f.dryThenWet(Task{Type: S3, OlderThan: day}); r.Deleted != 0 {
			t.Errorf("again: %+v", r)
		}
	})
}

// A second object below a document is removed without touching the first.
func TestS3RemovesStrayUploads(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.queued()
		f.object(document.UploadKey(up.DocumentID, "stray"), "x")
		f.clock.forward(2 * day)
		if r := f.dryThenWet(Task{Type: S3, OlderThan: day}); r.Deleted != 1 || r.Kept != 1 {
			t.Errorf("%+v", r)
		}
		f.wantKeys(uploadKey(up))
		if d, err := f.docs.Get(t.Context(), up.DocumentID); err != nil || d.UploadRemoved {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func newID(t *testing.T) string {
	t.Helper()
	u, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	return u.String()
}

func (f *fixture) prefixed(prefix string) []string {
	return []string{prefix + document.TextName, prefix + document.ChunksName, prefix + document.ManifestName}
}

func TestExpired(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		never, late, queued := f.presign(false), f.presign(true), f.queued()
		swept := f.presign(true)
		f.clock.forward(30 * time.Minute)
		open := f.presign(true)
		if r := f.dryThenWet(Task{Type: Expired, OlderThan: day}); r.Seen != 0 || r.Expired != 0 {
			t.Errorf("nothing has run out: %+v", r)
		}
		f.clock.forward(30 * time.Minute)
		r := f.dryThenWet(Task{Type: Expired, OlderThan: day})
		if r.Expired != 3 || r.Deleted != 2 || r.Bytes != 10 {
			t.Errorf("%+v", r)
		}
		f.wantKeys(uploadKey(queued), uploadKey(open))
		for _, up := range []*document.Upload{never, late, swept} {
			d, err := f.docs.Get(t.Context(), up.DocumentID)
			if err != nil || d.Status != document.Failed || d.ErrorCode != document.CodeUploadExpired || !d.UploadRemoved {
				t.Errorf("%+v, %v", d, err)
			}
		}
		if r := f.dryThenWet(Task{Type: Expired}); r.Seen != 0 || r.Expired != 0 {
			t.Errorf("again: %+v", r)
		}
	})
}

// The sweep made it failed; its object goes, unless processing was asked for.
func TestExpiredAfterTheSweep(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		gone, back := f.presign(true), f.presign(true)
		f.clock.forward(time.Hour)
		if _, err := f.docs.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.docs.Process(t.Context(), back.DocumentID, document.ProcessRequest{UploadID: back.UploadID}); err != nil {
			t.Fatal(err)
		}
		if r := f.dryThenWet(Task{Type: Expired}); r.Deleted != 1 || r.Expired != 0 {
			t.Errorf("%+v", r)
		}
		f.wantKeys(uploadKey(back))
		if f.state(gone) != document.Failed || f.state(back) != document.Uploaded {
			t.Errorf("%s, %s", f.state(gone), f.state(back))
		}
	})
}

func TestOrphaned(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		done, prefix := f.completed()
		lost, lostPrefix := f.completed()
		f.object(document.ArtifactPrefix(done.DocumentID, "killed-execution")+document.TextName, "half")
		running, c, _ := f.running()
		f.object(document.ArtifactPrefix(running.DocumentID, c.Execution.ID)+document.TextName, "so far")
		complete := document.ArtifactPrefix(newID(t), "e1")
		f.artifacts(complete)
		partial := document.ArtifactPrefix(newID(t), "e1")
		f.object(partial+document.TextName, "half")
		orphan := document.UploadKey(newID(t), uuid.NewString())
		f.object(orphan, "nobody's")
		f.object("documents/readme.txt", "not ours")
		for _, key := range f.prefixed(lostPrefix) {
			f.store.Delete(t.Context(), key)
		}
		r := f.dryThenWet(Task{Type: Orphaned, OlderThan: day})
		if r.Deleted != 0 || r.RebuildableCount != 1 || r.MissingCount != 1 || r.Missing[0] != lost.DocumentID {
			t.Errorf("all is younger than a day: %+v", r)
		}
		f.clock.forward(day + time.Hour)
		r = f.dryThenWet(Task{Type: Orphaned, OlderThan: day})
		if r.Deleted != 3 || r.Bytes != 4+4+8 || r.RebuildableCount != 1 || !strings.Contains(complete, r.Rebuildable[0]) || !r.NeedsAttention() {
			t.Errorf("%+v", r)
		}
		left := append(f.prefixed(prefix), f.prefixed(complete)...)
		left = append(left, uploadKey(done), uploadKey(lost), uploadKey(running),
			document.ArtifactPrefix(running.DocumentID, c.Execution.ID)+document.TextName, "documents/readme.txt")
		f.wantKeys(left...)
		r = f.dryThenWet(Task{Type: Orphaned, OlderThan: day, IncludeDocuments: true})
		if r.Deleted != 3 || r.RebuildableCount != 1 {
			t.Errorf("with documents: %+v", r)
		}
		if r = f.dryThenWet(Task{Type: Orphaned, OlderThan: day}); r.Deleted != 0 || r.RebuildableCount != 0 || r.MissingCount != 1 {
			t.Errorf("again: %+v", r)
		}
	})
}

// A complete document is deleted with its document.json first: an interrupted
// run leaves what the next one deletes, not something that looks complete.
func TestOrphanedDeletesTheManifestFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis))
	f.artifacts(document.ArtifactPrefix(newID(t), "e1"))
	r := &sweep{c: f.Cleaner, task: Task{Type: Orphaned, IncludeDocuments: true}, before: f.clock.now().Add(day)}
	if err := r.artifacts(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(r.batch) != 3 || !strings.HasSuffix(r.batch[0].Key, document.ManifestName) {
		t.Errorf("%+v", r.batch)
	}
}

func TestMissingIsFoundAnywhere(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var lost []string
		for i := range 9 { // first, in the middle, last
			up, prefix := f.completed()
			switch {
			case i%4 == 0:
				f.store.Delete(t.Context(), f.prefixed(prefix)...)
				lost = append(lost, up.DocumentID)
			case i == 5: // not complete without it
				f.store.Delete(t.Context(), prefix+document.ManifestName)
				lost = append(lost, up.DocumentID)
			}
			f.clock.forward(time.Millisecond)
		}
		if r := f.run(Task{Type: Orphaned, OlderThan: day}); strings.Join(r.Missing, " ") != strings.Join(lost, " ") {
			t.Errorf("missing %v, want %v", r.Missing, lost)
		}
	})
}

func TestDaily(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		expired := f.presign(true)
		_, prefix := f.completed()
		f.object(document.UploadKey(newID(t), "u"), "nobody's")
		f.object(document.ArtifactPrefix(newID(t), "e1")+document.TextName, "half")
		f.clock.forward(2 * day)
		r := f.run(Task{Type: Daily, OlderThan: day})
		if r.Expired != 1 || r.Deleted != 4 || len(r.Tasks) != 3 || r.NeedsAttention() {
			t.Errorf("%+v", r)
		}
		for i, want := range []Type{Expired, S3, Orphaned} {
			if r.Tasks[i].TaskType != want {
				t.Errorf("task %d is %s", i, r.Tasks[i].TaskType)
			}
		}
		f.wantKeys(f.prefixed(prefix)...)
		if f.state(expired) != document.Failed {
			t.Error(f.state(expired))
		}
	})
}

func TestRefusesAnotherInstallation(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.completed()
		f.object(document.UploadKey(newID(t), "u"), "nobody's")
		before := f.keys()
		f.clock.forward(30 * day)
		refused := func(code string) {
			t.Helper()
			for _, kind := range Types() {
				_, err := f.Run(t.Context(), Task{Type: kind})
				var e *document.Error
				if !errors.As(err, &e) || e.Kind != document.Conflict || e.Code != code {
					t.Errorf("%s: %v", kind, err)
				}
			}
			f.wantKeys(before...)
		}
		f.rdb.Set(t.Context(), "docsvc:installation", "another", 0)
		refused(document.CodeOtherInstallation)
		f.rdb.FlushDB(t.Context())
		refused(document.CodeRecordsMissing)
	})
}

func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up := f.presign(true)
		f.completed()
		f.object(document.UploadKey(newID(t), "u"), "nobody's")
		f.object(document.ArtifactPrefix(newID(t), "e1")+document.TextName, "half")
		f.clock.forward(2 * day)
		// Everything fails: nothing is lost, and the error says why.
		f.s3.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Status: http.StatusServiceUnavailable} })
		for _, kind := range Types() {
			if _, err := f.Run(t.Context(), Task{Type: kind, OlderThan: day}); err == nil {
				t.Errorf("%s succeeded without storage", kind)
			}
		}
		// Only deletions fail: counted, and done by the next run.
		f.s3.Fail(func(r *http.Request) *s3test.Fault {
			if r.Method == http.MethodDelete || (r.Method == http.MethodPost && r.URL.Query().Has("delete")) {
				return &s3test.Fault{Status: http.StatusInternalServerError}
			}
			return nil
		})
		before := f.keys()
		r := f.run(Task{Type: Daily, OlderThan: day})
		if r.Deleted != 0 || r.Failed == 0 || !r.NeedsAttention() {
			t.Errorf("%+v", r)
		}
		f.wantKeys(before...)
		if _, err := f.docs.Process(t.Context(), up.DocumentID, document.ProcessRequest{UploadID: up.UploadID}); err == nil {
			t.Error("an upload whose removal was begun was accepted")
		}
		f.s3.Fail(nil)
		if r := f.run(Task{Type: Daily, OlderThan: day}); r.Deleted != 4 || r.Failed != 0 {
			t.Errorf("%+v", r)
		}
		if left := f.keys(); len(left) != 3 {
			t.Errorf("left %v", left)
		}
	})
}

func TestCancelAndAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		for range 20 {
			f.object(document.UploadKey(newID(t), "u"), "nobody's")
		}
		f.clock.forward(2 * day)
		ctx, cancel := context.WithCancel(t.Context())
		f.s3.Fail(func(r *http.Request) *s3test.Fault {
			if r.Method == http.MethodPost {
				cancel() // while it deletes
			}
			return nil
		})
		if _, err := f.Run(ctx, Task{Type: S3, OlderThan: day}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		f.s3.Fail(nil)
		f.run(Task{Type: S3, OlderThan: day})
		f.wantKeys()
	})
}

// Two runs at once, and a request for processing between: nothing is lost.
func TestRunsBesideOthers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		var ups []*document.Upload
		for range 30 {
			ups = append(ups, f.failed())
		}
		f.clock.forward(10 * day)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := f.Run(t.Context(), Task{Type: S3, OlderThan: day}); err != nil {
					t.Error(err)
				}
			})
		}
		accepted := make([]bool, len(ups))
		for i, up := range ups {
			_, err := f.docs.Process(t.Context(), up.DocumentID, document.ProcessRequest{UploadID: up.UploadID})
			accepted[i] = err == nil
		}
		wg.Wait()
		left := map[string]bool{}
		for _, key := range f.keys() {
			left[key] = true
		}
		for i, up := range ups {
			if accepted[i] && !left[uploadKey(up)] {
				t.Errorf("document %s was accepted, and its file deleted", up.DocumentID)
			}
			if want := map[bool]document.State{true: document.Uploaded, false: document.Failed}[accepted[i]]; f.state(up) != want {
				t.Errorf("accepted: %v, but %s", accepted[i], f.state(up))
			}
		}
	})
}

// A record that can't be read keeps its own objects, and no others, from being
// cleaned.
func TestGoesPastBadRecords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		bad, late := f.presign(true), f.presign(true)
		artifact := document.ArtifactPrefix(bad.DocumentID, "execution") + document.TextName
		f.object(artifact, "x")
		stray, orphan := document.UploadKey(late.DocumentID, "stray"), document.UploadKey(newID(t), "orphan")
		f.object(stray, "x")
		f.object(orphan, "x")
		f.clock.forward(2 * day)
		if n, _, err := f.docs.ExpireUploads(t.Context(), 10); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		f.rdb.HSet(t.Context(), "docsvc:doc:"+bad.DocumentID, "file_size", "many")
		r := f.run(Task{Type: Daily, OlderThan: day})
		if !r.NeedsAttention() {
			t.Errorf("nobody is told: %+v", r)
		}
		f.wantKeys(uploadKey(bad), artifact)
	})
}
