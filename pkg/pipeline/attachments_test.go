package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/worker"
)

// family waits until a mail and all documents of its attachments are whole, and
// checks that each knows the others.
func (r *rig) family(id string, want ...string) *document.Document {
	r.t.Helper()
	d := r.await(id, document.Completed)
	var names []string
	for _, child := range d.Children {
		c := r.await(child, document.Completed)
		names = append(names, c.Filename)
		if c.ParentID != id || c.JobID == d.JobID {
			r.t.Errorf("child %s: parent %q, job %s", child, c.ParentID, c.JobID)
		}
	}
	if !slices.Equal(names, want) {
		r.t.Errorf("document %s has the attachments %q; want %q", id, names, want)
	}
	return d
}

// counted checks that the ledger knows n documents, and none too many.
func (r *rig) counted(n int64) {
	r.t.Helper()
	r.until(fmt.Sprintf("%d completed documents in the ledger", n), func() bool {
		l, err := r.docs.Ledger(context.Background())
		return err == nil && l.Accepted == n && l.Completed == n && l.Unaccounted == 0
	})
}

func TestAttachmentsBecomeDocuments(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		r.work()
		u := r.upload("a.eml", "mail\n\nfile one.txt:The first one.\n\nfile inner.eml:mail inside/file deep.txt:The deep one./warn left out\n\nwarn too large")
		r.process(u)
		d := r.family(u.DocumentID, "one.txt", "inner.eml")
		if !slices.Contains(d.Warnings, "warn too large") || d.ParentID != "" {
			t.Errorf("%+v", d)
		}
		inner := r.family(d.Children[1], "deep.txt")
		if !slices.Contains(inner.Warnings, "warn left out") {
			t.Errorf("warnings %q", inner.Warnings)
		}
		for _, id := range []string{d.Children[0], inner.Children[0]} {
			c := r.doc(id)
			r.until("the removal of what was uploaded", func() bool { return len(r.keys(c.UploadKey)) == 0 })
		}
		r.counted(4)
		// The mail goes, what was attached to it stays.
		if err := r.docs.Delete(context.Background(), d.ID); err != nil {
			t.Fatal(err)
		}
		if c := r.doc(d.Children[0]); c.Status != document.Completed {
			t.Errorf("the attachment of a deleted mail is %s", c.Status)
		}
	})
}

func TestAttachmentsStopAtTheirDepthAndWhereTheyAreOff(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	r.work(func(c *Config) { c.Attachments.MaxDepth = 1 })
	u := r.upload("a.eml", "mail\n\nfile inner.eml:mail inside/file deep.txt:The deep one.")
	r.process(u)
	d := r.family(u.DocumentID, "inner.eml")
	inner := r.family(d.Children[0])
	if len(inner.Warnings) != 1 || !strings.Contains(inner.Warnings[0], "max_depth") {
		t.Errorf("warnings %q", inner.Warnings)
	}
	r.counted(2)
}

func TestAttachmentsAreOffByDefault(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	r.work(func(c *Config) { c.Attachments = Attachments{} })
	u := r.upload("a.eml", "mail\n\nfile one.txt:The first one.")
	r.process(u)
	r.family(u.DocumentID)
	r.counted(1)
}

// A worker is killed at every step of taking attachments in. The next one
// brings mail and attachments to the same end: each is there once.
func TestKilledWhileAttachmentsAreTakenIn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := rigOf(t, s, soon)
		n := int64(0)
		for _, name := range []string{"unpack", "child", "put attachment", "take", "put document.json", "complete", "record"} {
			for _, when := range []string{"before ", "after "} {
				u := r.upload("a.eml", fmt.Sprintf("mail %s%s\n\nfile one.txt:One %s%s.\n\nfile two.txt:Two %s%s.", when, name, when, name, when, name))
				r.process(u)
				r.crash(when + name)
				r.redi.FastForward(2 * soon)
				r.attended(func() {
					r.family(u.DocumentID, "one.txt", "two.txt")
					n += 3
					r.counted(n)
				})
			}
		}
	})
}

// attended runs a worker while f waits for it.
func (r *rig) attended(f func()) {
	r.t.Helper()
	p, err := New(r.config(r.dir))
	if err != nil {
		r.t.Fatal(err)
	}
	w, err := worker.New(r.workerConfig("w", p.Handler(), p.ObjectHandler()))
	if err != nil {
		r.t.Fatal(err)
	}
	go func() {
		if err := w.Run(context.Background()); err != nil {
			r.t.Errorf("the worker ended: %v", err)
		}
	}()
	defer func() {
		w.Stop()
		<-w.Done()
		if err := p.Close(); err != nil {
			r.t.Errorf("closing the pipeline: %v", err)
		}
	}()
	f()
}
