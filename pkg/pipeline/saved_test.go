package pipeline

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// record reads the hash of a document, without its empty fields.
func (r *rig) record(id string) map[string]string {
	hash := r.rdb.HGetAll(context.Background(), "docsvc:doc:"+id).Val()
	maps.DeleteFunc(hash, func(_, text string) bool { return text == "" })
	return hash
}

// What document.json says of the record is what the record says after the
// commit, to the letter: nothing else has to be saved. Of a document that was
// changed while it was in work it is not, and that is noted.
func TestTheManifestHoldsTheRecord(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		for _, changed := range []bool{false, true} {
			u := r.upload("a.txt", sample, func(n *document.NewUpload) { n.Title, n.Tags = "Title", []string{"a"} })
			r.process(u, func(q *document.ProcessRequest) { n := 60; q.ChunkTokens, q.AllowDuplicate = &n, changed })
			task, res, err := r.byHand(p)
			if err != nil {
				t.Fatal(err)
			}
			if changed {
				title := "Another"
				if _, err := r.docs.Patch(context.Background(), u.DocumentID, document.Patch{Title: &title}); err != nil {
					t.Fatal(err)
				}
			}
			if c := r.finish(task, res); c != nil {
				t.Fatal(c)
			}
			res.Settled(context.Background(), true)
			var m document.Manifest
			text := r.object(document.ArtifactPrefix(u.DocumentID, task.Execution.ID) + document.ManifestName)
			if err := json.Unmarshal([]byte(text), &m); err != nil {
				t.Fatal(err)
			}
			if got := r.record(u.DocumentID); maps.Equal(got, m.Record) == changed {
				t.Errorf("changed %v: the record is\n%v\nand was saved as\n%v", changed, got, m.Record)
			}
			if m.StoredBytes == 0 || m.Status != document.Completed || m.Attempts != 1 {
				t.Errorf("%s", text)
			}
			unsaved := r.rdb.ZRange(context.Background(), "docsvc:docs:unsaved", 0, -1).Val()
			if slices.Contains(unsaved, u.DocumentID) != changed {
				t.Errorf("changed %v: unsaved are %v", changed, unsaved)
			}
		}
	})
}

// A document that is deleted while a worker is at it stays deleted, and what
// the worker wrote goes.
func TestADocumentDeletedInWork(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		r.process(u)
		task, res, err := r.byHand(p) // its artifacts are written
		if err != nil {
			t.Fatal(err)
		}
		if err := r.docs.Delete(context.Background(), u.DocumentID); err != nil {
			t.Fatal(err)
		}
		// What an upload that was under way leaves.
		r.put(document.ArtifactPrefix(u.DocumentID, task.Execution.ID)+document.TextName, "late")
		res.Settled(context.Background(), false)
		for _, prefix := range []string{document.DocumentsPrefix, document.UploadsPrefix} {
			if left := r.keys(prefix); len(left) != 0 {
				t.Errorf("the bucket has %v", left)
			}
		}
		if _, err := r.docs.Get(context.Background(), u.DocumentID); !isMissing(err) {
			t.Errorf("the document: %v", err)
		}
		if keys := r.rdb.Keys(context.Background(), "docsvc:doc:*").Val(); len(keys) != 0 {
			t.Errorf("Redis has %v", keys)
		}
	})
}

// A commit removes nothing that it did not write: neither a copy of the record,
// which is no result of a run either, nor what is left of other runs, which
// cleanup takes.
func TestWhatOthersWroteStays(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		p := r.pipeline()
		u := r.upload("a.txt", sample)
		copied := document.ArtifactPrefix(u.DocumentID, document.RecordExecution) + document.ManifestName
		r.put(copied, `{"schema":"1","status":"failed","document_id":"`+u.DocumentID+`","execution_id":"record","upload_id":"`+u.UploadID+`"}`)
		died := document.ArtifactPrefix(u.DocumentID, "died") + document.TextName
		r.put(died, "half")
		r.process(u)
		task, res, err := r.byHand(p)
		if err != nil {
			t.Fatal(err)
		}
		if c := r.finish(task, res); c != nil {
			t.Fatal(c)
		}
		res.Settled(context.Background(), true)
		r.committed(u.DocumentID, sample)
		if len(r.keys(copied)) != 1 || len(r.keys(died)) != 1 {
			t.Errorf("left are %q", r.keys(document.DocumentPrefix(u.DocumentID)))
		}
	})
}
