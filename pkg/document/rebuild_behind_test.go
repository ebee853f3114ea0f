package document

import (
	"maps"
	"testing"

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
