package document

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// mail is a document whose job runs.
func (f *fixture) mail() *Document {
	f.t.Helper()
	up := f.presign(4, func(n *NewUpload) { n.Filename, n.ContentType = "a.eml", "message/rfc822" })
	f.putAttached(UploadKey(up.DocumentID, up.UploadID), "mail")
	if _, err := f.Process(f.t.Context(), up.DocumentID, ProcessRequest{UploadID: up.UploadID}); err != nil {
		f.t.Fatal(err)
	}
	d, err := f.Record(f.t.Context(), up.DocumentID)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

func (f *fixture) putAttached(key, body string) objstore.Object {
	f.t.Helper()
	o, err := f.store.Put(f.t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return o
}

// attach does what a run does with one attachment.
func (f *fixture) attach(parent *Document, path string) (Child, error) {
	f.t.Helper()
	c, err := f.Child(f.t.Context(), parent, path)
	if err != nil || c.Known {
		return c, err
	}
	o := f.putAttached(c.UploadKey(), "attached "+path)
	return c, f.TakeAttachment(f.t.Context(), parent, Attachment{Path: path, Filename: "x/notes " + path + ".txt", ContentType: "text/plain", Size: o.Size}, c, o)
}

func (f *fixture) accepted(want int64) {
	f.t.Helper()
	l, err := f.Ledger(f.t.Context())
	if err != nil || l.Accepted != want || l.Unaccounted != 0 {
		f.t.Errorf("the ledger has %+v, %v; want %d accepted", l, err, want)
	}
}

func TestTakeAttachment(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		parent := f.mail()
		c, err := f.attach(parent, "1")
		if err != nil || c.Known {
			t.Fatalf("%+v, %v", c, err)
		}
		d, err := f.Get(t.Context(), c.DocumentID)
		if err != nil {
			t.Fatal(err)
		}
		if d.ParentID != parent.ID || d.Depth != 1 || d.Filename != "notes 1.txt" || d.FileSize != 10 || d.Status != Uploaded || d.UploadKey != c.UploadKey() ||
			!d.isPinned(d.JobID) || strings.Join(d.Tags, " ") != "a b" || d.CurrentStep == "" {
			t.Errorf("%+v", d)
		}
		job, err := f.queue.Job(t.Context(), d.JobID)
		if err != nil || job.Status != rq.StatusQueued || len(job.Args) != 1 || job.Args[0] != d.ID {
			t.Errorf("its job: %+v, %v", job, err)
		}
		// Another path is another document, the same one the same, whoever asks.
		again, err := f.attach(parent, "1")
		other, err2 := f.attach(parent, "2")
		if err != nil || err2 != nil || !again.Known || again.DocumentID != c.DocumentID || other.Known || other.DocumentID == c.DocumentID {
			t.Errorf("again %+v, %v; another %+v, %v", again, err, other, err2)
		}
		f.accepted(3)
		if n := f.rdb.LLen(t.Context(), "rq:queue:document_processing").Val(); n != 3 {
			t.Errorf("%d jobs in the queue; want 3", n)
		}
	})
}

// Two runs of the mail's job at once (one lost its lease and does not know yet) make
// one document.
func TestTakeAttachmentAtOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		parent := f.mail()
		c, err := f.Child(t.Context(), parent, "1")
		if err != nil {
			t.Fatal(err)
		}
		o := f.putAttached(c.UploadKey(), "attached")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := f.TakeAttachment(t.Context(), parent, Attachment{Path: "1", Size: o.Size}, c, o); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		f.accepted(2)
		if n := f.rdb.LLen(t.Context(), "rq:queue:document_processing").Val(); n != 2 {
			t.Errorf("%d jobs in the queue; want 2", n)
		}
		if d, err := f.Get(t.Context(), c.DocumentID); err != nil || d.Filename != "attachment" {
			t.Errorf("%+v, %v", d, err)
		}
	})
}

func TestAttachmentsThatAreNotTaken(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		parent := f.mail()
		c, err := f.attach(parent, "1")
		if err != nil {
			t.Fatal(err)
		}
		// What was deleted stays so.
		if err := f.Delete(t.Context(), c.DocumentID); err != nil {
			t.Fatal(err)
		}
		if again, err := f.Child(t.Context(), parent, "1"); err != nil || !again.Known {
			t.Errorf("a deleted one: %+v, %v", again, err)
		}
		if err := f.TakeAttachment(t.Context(), parent, Attachment{Path: "1", Size: 1}, c, objstore.Object{ETag: "x"}); err != nil {
			t.Error(err)
		}
		if _, err := f.Get(t.Context(), c.DocumentID); !isNotFound(err) {
			t.Errorf("a deleted one is back: %v", err)
		}
		// A mail that is gone has none any more.
		if err := f.Delete(t.Context(), parent.ID); err != nil {
			t.Fatal(err)
		}
		_, err = f.attach(parent, "2")
		var e *Error
		if !errors.As(err, &e) || e.Kind != Conflict || e.Code != CodeOtherJob {
			t.Errorf("of a deleted mail: %v", err)
		}
		f.accepted(2) // and both deleted
	})
}

// The mail's record names its attachments, and so does what the bucket has.
func TestChildrenAreOfTheRecord(t *testing.T) {
	t.Parallel()
	m := &Manifest{Children: []string{"a", "b"}, DocumentID: "x"}
	hash := m.committed(&Document{ID: "x", hash: map[string]string{"parent_id": "p", "depth": "2"}})
	hash["schema"], hash["created_at"], hash["updated_at"] = schema, "", ""
	d, err := parse("x", hash)
	if err != nil || strings.Join(d.Children, " ") != "a b" || d.ParentID != "p" || d.Depth != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	if c := copyOf(d); strings.Join(c.Children, " ") != "a b" || c.ParentID != "p" {
		t.Errorf("%+v", c)
	}
	if _, ok := (&Manifest{}).committed(&Document{})["children"]; ok {
		t.Error("a document without attachments has a field for them")
	}
}
