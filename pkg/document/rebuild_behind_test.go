package document

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// put back the keyspace of documents as it was, as a backup of Redis does.
func (f *fixture) putBack(dump map[string]string) {
	f.t.Helper()
	f.rdb.FlushDB(f.t.Context())
	for key, content := range dump {
		if err := f.rdb.RestoreReplace(f.t.Context(), key, 0, content).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fixture) backUp() map[string]string {
	f.t.Helper()
	dump := map[string]string{}
	for _, key := range f.rdb.Keys(f.t.Context(), f.c.Namespace+"*").Val() {
		dump[key] = f.rdb.Dump(f.t.Context(), key).Val()
	}
	return dump
}

// Redis is put back from a backup of before the document was completed: its
// record says that it failed or awaits its upload, and its text lies in the
// bucket. What failed in the same attempt that left a manifest stays failed.
func TestRebuildOfAnOlderRedis(t *testing.T) {
	t.Parallel()
	srv := startRedis(t) // the in-process engine has no DUMP
	f := newFixture(t, srv, nil)
	if err := f.EnsureInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	waits := f.presign(5, nil)
	f.put(waits, "hello")
	bad := f.failedOne()
	stays := func() *Document {
		f.queued()
		c, d := f.begin()
		f.stored(d, f.manifest(d, c.Execution.ID, "s9", "t9"))
		f.finish(c, rq.Outcome{Kind: rq.OutcomeFail, Error: "lost", ErrorCode: "conflict"})
		return d
	}()
	f.mustKeep()
	backup := f.backUp()
	f.process(waits, nil)
	f.complete("s1", "t1")
	f.process(&Upload{DocumentID: bad.ID, UploadID: bad.UploadID}, nil)
	f.complete("s2", "t2")
	f.mustKeep()
	before := f.records()
	answers := f.answers(waits.DocumentID) + f.answers(bad.ID) + f.answers(stays.ID)

	f.putBack(backup)
	if r := f.mustRebuild(RebuildOptions{DryRun: true}); r.Rebuilt != 2 || r.Present != 1 || f.get(bad.ID).Status != Failed {
		t.Errorf("dry: %+v", r)
	}
	if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != 2 || r.Present != 1 {
		t.Errorf("%+v", r)
	}
	if got := f.answers(waits.DocumentID) + f.answers(bad.ID) + f.answers(stays.ID); got != answers {
		t.Errorf("before\n%safter\n%s", answers, got)
	}
	if after := f.records(); !maps.Equal(before, after) {
		t.Errorf("Redis differs at %s", difference(before, after))
	}
	if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != 0 || r.Present != 3 {
		t.Errorf("again: %+v", r)
	}
}

// After Redis has forgotten the run, a client gives the document another title:
// that was acknowledged, and stays when the run is found in the bucket. What was
// said before the run, and forgotten with it, comes back.
func TestRebuildKeepsWhatWasSaidSince(t *testing.T) {
	t.Parallel()
	f := newFixture(t, startRedis(t), nil)
	if err := f.EnsureInstallation(t.Context()); err != nil {
		t.Fatal(err)
	}
	patch := func(id string, p Patch) {
		t.Helper()
		f.clock.forward(time.Second)
		if _, err := f.Patch(t.Context(), id, p); err != nil {
			t.Fatal(err)
		}
	}
	up := f.presign(5, func(n *NewUpload) { n.Title, n.Tags = "", nil })
	expires := f.presign(6, nil)
	f.put(up, "hello")
	f.put(expires, "hello!")
	backup := f.backUp()
	before, since, tags := "said before the run", "said since", []string{"since"}
	patch(up.DocumentID, Patch{Title: &before, Description: &before})
	patch(expires.DocumentID, Patch{Title: &before})
	f.process(up, nil)
	f.complete("s1", "t1")
	f.process(expires, nil)
	f.complete("s2", "t2")

	f.putBack(backup)
	patch(up.DocumentID, Patch{Title: &since, Tags: &tags})
	f.clock.forward(48 * time.Hour)
	f.rdb.Del(t.Context(), f.k.openUploads()) // nobody looks in the bucket before it fails
	d := f.get(expires.DocumentID)
	if err := f.expire(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if r := f.mustRebuild(RebuildOptions{}); r.Rebuilt != 2 {
		t.Errorf("%+v", r)
	}
	d = f.wantState(up.DocumentID, Completed)
	if d.Title != since || d.Description != before || !slices.Equal(d.Tags, tags) {
		t.Errorf("title %q, description %q, tags %q", d.Title, d.Description, d.Tags)
	}
	if ids := f.rdb.ZRange(t.Context(), f.k.byTag("since"), 0, -1).Val(); !slices.Equal(ids, []string{up.DocumentID}) {
		t.Errorf("with the tag: %q", ids)
	}
	if d := f.wantState(expires.DocumentID, Completed); d.Title != before {
		t.Errorf("title %q of a document that nobody changed since", d.Title)
	}
	if l, err := f.Ledger(t.Context()); err != nil || l.Unaccounted != 0 {
		t.Errorf("the ledger: %+v, %v", l, err)
	}
}
