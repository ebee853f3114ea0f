package document

import (
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

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
		case strings.HasPrefix(key, f.k.upload("")), key == f.k.timings(), key == f.k.unsaved(), key == f.k.copying(), key == f.k.copyAgain():
			delete(all, key)
		case strings.HasPrefix(key, f.k.document("")):
			fields := strings.Split(content, "\n") // an empty field is none
			all[key] = strings.Join(slices.DeleteFunc(fields, func(s string) bool { return strings.HasSuffix(s, "=") }), "\n")
		}
	}
	all["counts"] = f.content(f.k.counts())
	return all
}
