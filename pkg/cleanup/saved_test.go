package cleanup

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/document"
)

// Documents whose record is among their objects stay, whole: archived ones
// without a word, even where complete documents without a record are to go;
// others are reported. What is left of deleted ones goes.
func TestOrphanedKeepsRecords(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.completed() // so that Redis is not empty
		f.run(Task{Type: S3})
		id := func(up *document.Upload) string { // one that Redis never heard of
			f.rdb.Del(t.Context(), "docsvc:doc:"+up.DocumentID)
			return up.DocumentID
		}
		before := len(f.keys())
		archived, lost, deleted := id(f.presign(false)), id(f.presign(false)), id(f.presign(false))
		original := document.OriginalKey(lost, "run")
		for _, key := range []string{
			document.ArtifactPrefix(archived, document.ArchivedExecution) + document.ManifestName,
			document.ArtifactPrefix(archived, "run") + document.TextName,
			document.ArtifactPrefix(lost, document.RecordExecution) + document.ManifestName,
			original, // of a duplicate, which has no other artifacts
		} {
			f.object(key, "0123456789")
		}
		late := document.ArtifactPrefix(deleted, "run") + document.ManifestName
		f.object(late, "0123456789")
		f.rdb.ZAdd(t.Context(), "docsvc:docs:deleted", redis.Z{Score: 1, Member: deleted})
		f.clock.forward(48 * time.Hour)
		r := f.dryThenWet(Task{Type: Orphaned, OlderThan: time.Hour})
		if r.Deleted != 1 || r.RebuildableCount != 1 || r.Rebuildable[0] != lost || len(f.keys()) != before+4 {
			t.Errorf("%+v; the bucket has %v", r, f.keys())
		}
		r = f.dryThenWet(Task{Type: Orphaned, OlderThan: time.Hour, IncludeDocuments: true})
		if r.Deleted != 2 || len(f.keys()) != before+2 {
			t.Errorf("%+v; the bucket has %v", r, f.keys())
		}
	})
}

// Copies of a record stay as long as there is the record.
func TestOrphanedKeepsCopies(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		up, prefix := f.completed()
		copied := document.ArtifactPrefix(up.DocumentID, document.RecordExecution) + document.ManifestName
		moved := document.ArtifactPrefix(up.DocumentID, document.ArchivedExecution) + document.ManifestName
		f.object(copied, "{}")
		f.object(moved, "{}")
		f.clock.forward(48 * time.Hour)
		f.run(Task{Type: Daily, OlderThan: time.Hour})
		f.wantKeys(copied, moved, prefix+document.TextName, prefix+document.ChunksName, prefix+document.ManifestName)
	})
}
