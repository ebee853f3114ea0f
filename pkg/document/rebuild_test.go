package document

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// answers are what the API says of a document: its record, status, text and
// chunks, or why it has none.
func (f *fixture) answers(id string) string {
	f.t.Helper()
	var b strings.Builder
	say := func(v any, err error) {
		if err != nil {
			v = err.Error()
		}
		text, err := json.Marshal(v)
		if err != nil {
			f.t.Fatal(err)
		}
		b.Write(append(text, '\n'))
	}
	ctx := f.t.Context()
	d, err := f.Get(ctx, id)
	say(d, err)
	st, err := f.Status(ctx, id)
	say(st, err)
	text, err := f.Text(ctx, id)
	if err == nil {
		content, readErr := io.ReadAll(text.Body)
		_ = text.Body.Close()
		say(string(content), readErr)
	} else {
		say(nil, err)
	}
	chunks, err := f.Chunks(ctx, id, 10, "")
	say(chunks, err)
	original, err := f.Original(ctx, id)
	if err == nil {
		content, readErr := io.ReadAll(original.Body)
		_ = original.Body.Close()
		say(original.Filename+original.ContentType+string(content), readErr)
	} else {
		say(nil, err)
	}
	return b.String()
}

// archiveOf makes one document of each kind that ends, and returns their ids.
func (f *fixture) archiveOf() map[string]string {
	f.t.Helper()
	ctx, ids := f.t.Context(), map[string]string{}
	fail := func(title string) *Document {
		f.queuedAs(title)
		c, d := f.begin()
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "The file is damaged.", ErrorCode: "corrupt"})
		return d
	}
	f.queuedAs("first")
	first, _ := f.complete("s1", "t1")
	ids["completed"] = first.ID

	f.queuedAs("copy")
	c, d := f.begin()
	f.clock.forward(1500 * time.Millisecond)
	m := f.manifest(d, c.Execution.ID, "s1", "t1")
	m.Seconds = 1.5
	effects, conditions := f.Duplicate(d, first.ID, m)
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
	ids["duplicate"] = d.ID

	ids["failed"] = fail("bad").ID
	_, a := f.queuedAs("unwanted")
	if _, err := f.queue.Cancel(ctx, a.JobID); err != nil {
		f.t.Fatal(err)
	}
	ids["canceled"] = a.DocumentID

	f.queuedAs("patched")
	patched, _ := f.complete("s2", "t2")
	title, tags := "Another title", []string{"b", "c"}
	if _, err := f.Patch(ctx, patched.ID, Patch{Title: &title, Tags: &tags}); err != nil {
		f.t.Fatal(err)
	}
	ids["patched"] = patched.ID

	f.queuedAs("patched in work")
	c, d = f.begin()
	m = f.stored(d, f.manifest(d, c.Execution.ID, "s3", "t3"))
	if _, err := f.Patch(ctx, d.ID, Patch{Title: &title}); err != nil {
		f.t.Fatal(err)
	}
	effects, conditions = f.Complete(d, m)
	f.finish(c, rq.Outcome{Kind: rq.OutcomeFinish, Effects: effects, Conditions: conditions})
	ids["patched in work"] = d.ID

	retried := fail("bad at first")
	f.process(&Upload{DocumentID: retried.ID, UploadID: retried.UploadID}, func(r *ProcessRequest) { n := 60; r.ChunkTokens = &n })
	d, _ = f.complete("s4", "t4")
	ids["completed at last"] = d.ID

	d = fail("of a newer docsvc")
	f.rdb.HSet(ctx, f.k.document(d.ID), "schema", "1.7", "colour", "green")
	ids["with fields unknown here"] = d.ID

	f.object("incoming/scan.pdf", "hello")
	taken, err := f.TakeObject(ctx, ObjectRequest{Key: "incoming/scan.pdf", Title: "taken", SHA256: strings.Repeat("cd", 32)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.complete("s5", "t5")
	ids["made of an object"] = taken.DocumentID

	up := f.presign(5, func(n *NewUpload) { n.SHA256 = strings.Repeat("ab", 32) })
	f.clock.forward(2 * time.Hour)
	if n, _, err := f.ExpireUploads(ctx, 10); err != nil || n != 1 {
		f.t.Fatal(n, err)
	}
	ids["expired"] = up.DocumentID
	return ids
}

func (f *fixture) queuedAs(title string) (*Upload, *Accepted) {
	f.t.Helper()
	up := f.presign(5, func(n *NewUpload) { n.Title, n.Tags = title, []string{"a", title} })
	f.put(up, "hello")
	f.clock.forward(time.Second)
	return up, f.process(up, nil)
}

// mustKeep keeps until there is nothing left to do: on a slow machine that
// takes more than one round.
func (f *fixture) mustKeep() Kept {
	f.t.Helper()
	var sum Kept
	for {
		kept, err := f.keep(context.Background())
		if err != nil || kept.Failed > 0 {
			f.t.Fatalf("kept %+v, %v", kept, err)
		}
		if kept == (Kept{}) {
			return sum
		}
		sum.Saved, sum.Archived = sum.Saved+kept.Saved, sum.Archived+kept.Archived
		sum.Removed, sum.Forgotten = sum.Removed+kept.Removed, sum.Forgotten+kept.Forgotten
	}
}

func (f *fixture) mustRebuild(o RebuildOptions) RebuildReport {
	f.t.Helper()
	r, err := f.Rebuild(f.t.Context(), o)
	if err != nil {
		f.t.Fatalf("%+v, %v", r, err)
	}
	return r
}

// records is what Redis holds of documents: what a rebuild has to restore.
func (f *fixture) records() map[string]string {
	all := f.keyspace()
	for key, content := range all {
		switch {
		case strings.HasPrefix(key, f.k.upload("")), key == f.k.timings(), key == f.k.unsaved():
			delete(all, key)
		case strings.HasPrefix(key, f.k.document("")):
			fields := strings.Split(content, "\n") // an empty field is none
			all[key] = strings.Join(slices.DeleteFunc(fields, func(s string) bool { return strings.HasSuffix(s, "=") }), "\n")
		}
	}
	all["counts"] = f.content(f.k.counts())
	return all
}

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
