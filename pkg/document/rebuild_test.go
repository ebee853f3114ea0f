package document

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// After Redis was lost, documents answer byte for byte what they did before,
// and everything that finds them is there again.
func TestRebuild(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids := f.archiveOf()
		if kept := f.mustKeep(); kept.Saved != 8 {
			t.Errorf("kept %+v", kept) // all but those that completed as their document.json says
		}
		before, records := map[string]string{}, f.records()
		for name, id := range ids {
			before[name] = f.answers(id)
		}
		f.rdb.FlushDB(t.Context())
		wantError(t, f.CheckInstallation(t.Context()), Conflict, CodeRecordsMissing)

		n := int64(len(ids))
		if r := f.mustRebuild(RebuildOptions{DryRun: true}); r.Seen != n || r.Rebuilt != n || f.rdb.DBSize(t.Context()).Val() != 0 {
			t.Errorf("dry: %+v", r)
		}
		if r := f.mustRebuild(RebuildOptions{}); r.Seen != n || r.Rebuilt != n || r.RecordLost+r.Failed+r.Incomplete+r.Present != 0 {
			t.Errorf("%+v", r)
		}
		if err := f.CheckInstallation(t.Context()); err != nil {
			t.Error(err)
		}
		for name, id := range ids {
			if got := f.answers(id); got != before[name] {
				t.Errorf("%s: before\n%safter\n%s", name, before[name], got)
			}
		}
		if diff := difference(records, f.records()); diff != "" {
			t.Errorf("Redis differs at %s", diff)
		}
		if kept := f.mustKeep(); kept.Saved != 0 {
			t.Errorf("saved again: %+v", kept)
		}
		// Run again it has nothing to do.
		if r := f.mustRebuild(RebuildOptions{}); r.Present != n || r.Rebuilt != 0 {
			t.Errorf("again: %+v", r)
		}
		if diff := difference(records, f.records()); diff != "" {
			t.Errorf("run again, Redis differs at %s", diff)
		}
		// The failed one can be processed, its upload being kept.
		f.process(&Upload{DocumentID: ids["failed"], UploadID: f.get(ids["failed"]).UploadID}, nil)
	})
}

// The commit leaves in Redis what document.json says of the record.
func TestSealedManifestIsTheRecord(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.queued()
		d, _ := f.complete("s1", "t1")
		d = f.get(d.ID)
		m, err := f.readManifest(t.Context(), d.ID, manifestKey(d.ID, d.ExecutionID))
		if err != nil {
			t.Fatal(err)
		}
		if got := filled(f.hash(d.ID)); !maps.Equal(got, m.Record) {
			t.Errorf("record:\n%s", compare(m.Record, got))
		}
		if n := f.rdb.ZCard(t.Context(), f.k.unsaved()).Val(); n != 0 {
			t.Errorf("%d documents are unsaved", n)
		}
	})
}

// A document.json from before it held the record is enough.
func TestRebuildFromAnOldManifest(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.queued()
		d, _ := f.complete("s1", "t1")
		d = f.get(d.ID)
		m, err := f.readManifest(t.Context(), d.ID, manifestKey(d.ID, d.ExecutionID))
		if err != nil {
			t.Fatal(err)
		}
		m.Record, m.Status, m.Attempts, m.StartedAt, m.StoredBytes = nil, "", 0, time.Time{}, 0
		b, _ := json.Marshal(m)
		f.object(manifestKey(d.ID, d.ExecutionID), string(b))
		text, err := f.Text(t.Context(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		_ = text.Body.Close()
		f.rdb.FlushDB(t.Context())
		f.mustRebuild(RebuildOptions{})
		got := f.wantState(d.ID, Completed)
		if got.Title != d.Title || got.SHA256 != "s1" || got.Pages != 3 || got.JobID != d.JobID || !got.FinishedAt.Equal(d.FinishedAt) || got.ProcessingTime != 1250*time.Millisecond {
			t.Errorf("%+v", got)
		}
		if text, err = f.Text(t.Context(), d.ID); err != nil {
			t.Fatal(err)
		}
		_ = text.Body.Close()
		if f.rdb.Get(t.Context(), f.k.sha256(DefaultOwner, "s1")).Val() != d.ID || f.mustKeep().Saved != 1 {
			t.Error("not claimed, or not saved as it is now")
		}
	})
}

// Records of before there were counters are counted, once.
func TestRebuildCounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.queued()
		d, _ := f.complete("s1", "t1")
		f.rdb.HDel(t.Context(), f.k.document(d.ID), "stored_bytes")
		f.rdb.Del(t.Context(), f.k.counts())
		for range 2 {
			f.mustRebuild(RebuildOptions{})
			if sums := f.sums(); sums["format:pdf"] != "1" || sums["chunks"] != "2" {
				t.Errorf("counters %v", sums)
			}
		}
		f.mustDelete(d.ID)
		if sums := f.sums(); len(sums) > 0 {
			t.Errorf("counters %v", sums)
		}
	})
}

// What is not whole, not readable, not wanted or somebody else's is left
// alone, and said.
func TestRebuildLeavesAlone(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := func() string {
			f.clock.forward(time.Millisecond)
			id, err := newID(f.clock.now())
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		half, newer, broken, textless, deleted := id(), id(), id(), id(), id()
		f.object(ArtifactPrefix(half, "e1")+TextName, "half")
		f.object(manifestKey(newer, "e1"), `{"schema":"2","document_id":"`+newer+`"}`)
		f.object(manifestKey(broken, "e1"), "{")
		f.object(manifestKey(textless, RecordExecution), `{"schema":"1","document_id":"`+textless+`","record":{"schema":"1","status":"completed","execution_id":"e9"}}`)
		f.object(manifestKey(deleted, RecordExecution), `{"schema":"1","document_id":"`+deleted+`","record":{"schema":"1","status":"failed"}}`)
		f.object("documents/notes.txt", "mine")
		f.object("temp/stray", "mine")
		f.rdb.ZAdd(t.Context(), f.k.deleted(), redis.Z{Score: float64(f.clock.now().UnixMilli()), Member: deleted})
		r := f.mustRebuild(RebuildOptions{})
		if r.Seen != 5 || r.Incomplete != 2 || r.Failed != 2 || r.Deleted != 1 || r.Rebuilt != 0 || len(r.Problems) != 4 {
			t.Errorf("%+v", r)
		}
		for _, p := range r.Problems {
			if p.DocumentID == newer && !strings.Contains(p.Reason, "Update docsvc") {
				t.Errorf("%+v", p)
			}
		}
		if n := f.rdb.ZCard(t.Context(), f.k.all()).Val(); n != 0 {
			t.Errorf("%d records", n)
		}
		_, err := f.Rebuild(t.Context(), RebuildOptions{ID: deleted})
		wantError(t, err, NotFound, CodeDocumentNotFound)
		_, err = f.Rebuild(t.Context(), RebuildOptions{ID: id()})
		wantError(t, err, NotFound, CodeDocumentNotFound)
	})
}

// An upload whose record is lost comes back as a failed document that can be
// processed.
func TestRebuildOfUploads(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		up := f.presign(5, nil)
		_, err := f.store.Put(t.Context(), UploadKey(up.DocumentID, up.UploadID), strings.NewReader("hello"), 5, objstore.PutOptions{
			ContentType: "application/pdf", ContentDisposition: objstore.Disposition("Über uns.pdf")})
		if err != nil {
			t.Fatal(err)
		}
		created := f.get(up.DocumentID).CreatedAt
		f.rdb.FlushDB(t.Context())
		if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != 1 || r.RecordLost != 1 {
			t.Errorf("%+v", r)
		}
		d := f.wantState(up.DocumentID, Failed)
		if d.ErrorCode != CodeRecordLost || d.Filename != "Über uns.pdf" || d.FileSize != 5 || d.ContentType != "application/pdf" ||
			d.UploadID != up.UploadID || !d.CreatedAt.Equal(created) {
			t.Errorf("%+v", d)
		}
		f.process(up, nil)
		if d, done := f.complete("s1", "t1"); done.Err != nil || f.get(d.ID).Status != Completed {
			t.Errorf("%v", done.Err)
		}
	})
}

// Ended anywhere it is run again; while it was not ended well, Redis is not
// taken for the bucket's.
func TestRebuildInterrupted(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		if err := f.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		ids := f.archiveOf()
		f.mustKeep()
		records := f.records()
		f.rdb.FlushDB(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := f.Rebuild(ctx, RebuildOptions{}); err == nil {
			t.Error("a canceled run ended well")
		}
		_, err := f.Rebuild(t.Context(), RebuildOptions{ID: ids["failed"]})
		wantError(t, err, Conflict, CodeRecordsMissing)
		f.s3.Stop()
		_, err = f.Rebuild(t.Context(), RebuildOptions{})
		wantError(t, err, Unavailable, CodeStorageUnavailable)
		f.s3.Restart(t)
		wantError(t, f.CheckInstallation(t.Context()), Conflict, CodeRecordsMissing)
		_, err = f.withoutRedis().Rebuild(t.Context(), RebuildOptions{})
		wantError(t, err, Unavailable, CodeQueueUnavailable)
		f.mustRebuild(RebuildOptions{})
		if diff := difference(records, f.records()); diff != "" {
			t.Errorf("Redis differs at %s", diff)
		}
		// A part of it again: one lost record, by its id.
		f.rdb.Del(t.Context(), f.k.document(ids["failed"]))
		if r := f.mustRebuild(RebuildOptions{ID: ids["failed"]}); r.Seen != 1 || r.Rebuilt != 1 {
			t.Errorf("%+v", r)
		}
	})
}

// A bucket of which it is not known whose it is, is refused.
func TestRebuildRefuses(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, nil)
		if r := f.mustRebuild(RebuildOptions{}); r.Seen != 0 {
			t.Errorf("%+v", r)
		}
		id, _ := newID(f.clock.now())
		f.object(manifestKey(id, "e1"), "{}")
		_, err := f.Rebuild(t.Context(), RebuildOptions{})
		wantError(t, err, Conflict, CodeRecordsMissing)
		f.object(installationObject, `{"installation":"one"}`)
		f.rdb.Set(t.Context(), f.k.installation(), "another", 0)
		_, err = f.Rebuild(t.Context(), RebuildOptions{})
		wantError(t, err, Conflict, CodeOtherInstallation)
	})
}
