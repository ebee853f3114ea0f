package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/filewalk"
)

// opened is a file as it was when its sum was computed.
type opened struct {
	*os.File
	info os.FileInfo
}

// same reports whether nobody wrote to the file since.
func (f opened) same() bool {
	now, err := f.Stat()
	return err == nil && now.Size() == f.info.Size() && now.ModTime().Equal(f.info.ModTime())
}

// file takes in a local file.
func (r *run) file(ctx context.Context, t *task) {
	handle, info, err := filewalk.Open(t.Candidate.Path)
	if err != nil {
		r.fail(ctx, t, unreadable(err))
		return
	}
	defer func() { _ = handle.Close() }()
	f := opened{handle, info}
	t.Candidate.Size, t.Result.Size = info.Size(), info.Size()
	if reason, kind := t.refuse(); reason != "" {
		r.skip(t, reason, kind)
		return
	}
	if _, known := typeOf(t.base()); !known {
		var refused *block.Error
		err := checkContent(handle, info.Size())
		if errors.As(err, &refused) {
			r.skip(t, refused.Error(), "content that docsvc doesn't read")
			return
		}
		if err != nil {
			r.fail(ctx, t, unreadable(err))
			return
		}
	}
	if err := r.reachable(ctx); err != nil {
		r.fail(ctx, t, err)
		return
	}
	if err := r.sum(ctx, t, f); err != nil {
		r.fail(ctx, t, err)
		return
	}
	twin := r.follows(t)
	if twin && !r.o.AllowDuplicate {
		return
	}
	if err := r.bring(ctx, t, f, twin); err != nil {
		r.fail(ctx, t, err)
	}
}

// sum reads the file once.
func (r *run) sum(ctx context.Context, t *task, f opened) error {
	h, buffer, done := sha256.New(), make([]byte, 256<<10), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(buffer)
		h.Write(buffer[:n])
		done += int64(n)
		r.o.Watch.Moved(Progress{Path: t.Result.Path, Phase: Reading, Done: done, Total: t.Result.Size})
		if err == io.EOF {
			break
		}
		if err != nil {
			return unreadable(err)
		}
		if done > t.Result.Size {
			return changed()
		}
	}
	if done != t.Result.Size || !f.same() {
		return changed()
	}
	t.SHA256 = hex.EncodeToString(h.Sum(nil))
	return nil
}

// bring does what is missing until the server has the file and works on it.
func (r *run) bring(ctx context.Context, t *task, f opened, twin bool) error {
	if twin {
		return r.upload(ctx, t, f, false)
	}
	d, err := r.lookup(ctx, t.SHA256)
	switch {
	case err != nil:
		return err
	case d == nil, d.Status.Succeeded() && r.o.AllowDuplicate:
		return r.upload(ctx, t, f, d == nil)
	}
	t.DocumentID = d.ID
	switch {
	case d.Status.Succeeded():
		t.Outcome, t.JobID, t.DuplicateOf = Present, d.JobID, d.DuplicateOf
		t.Partial, t.Warnings = d.Partial, d.Warnings
		r.end(t)
		return nil
	case d.Status.Active():
		t.JobID = d.JobID
		r.handedOver(t)
		return nil
	case !d.Status.Final(), d.ErrorCode == document.CodeUploadExpired, r.o.Retry:
		return r.goOn(ctx, t, f, d)
	case d.Status == document.Canceled:
		return &fileError{"canceled", "its processing was canceled in an earlier run; --retry processes it again"}
	default:
		return &fileError{d.ErrorCode, "it failed in an earlier run: " + d.Error + " --retry processes it again"}
	}
}

// goOn takes up a document whose processing was never asked for, or failed:
// what was uploaded already isn't sent again.
func (r *run) goOn(ctx context.Context, t *task, f opened, d *client.Record) error {
	err := r.process(ctx, t, d.UploadID)
	if client.HasCode(err, document.CodeUploadMissing, document.CodeSizeMismatch, document.CodeUploadExpired,
		document.CodeUploadGone, document.CodeWrongUpload, document.CodeDocumentNotFound) {
		return r.upload(ctx, t, f, true)
	}
	return err
}

// lookup finds what the server knows of these bytes: of several documents the
// one that is furthest. Nil when there is none.
func (r *run) lookup(ctx context.Context, sum string) (*client.Record, error) {
	page, err := r.api.List(ctx, client.ListQuery{SHA256: sum})
	if err != nil {
		return nil, err
	}
	var best *client.Record
	for i := range page.Documents {
		if d := &page.Documents[i]; best == nil || far(d.Status) > far(best.Status) {
			best = d
		}
	}
	return best, nil
}

func far(s document.State) int {
	switch {
	case s.Succeeded():
		return 4
	case s.Active():
		return 3
	case s == document.AwaitingUpload:
		return 2
	default:
		return 1
	}
}

// upload announces and sends the file, then hands it over. A URL that is
// refused is asked for once more: it may have run out while the file waited.
func (r *run) upload(ctx context.Context, t *task, f opened, resume bool) error {
	contentType, _ := typeOf(t.base())
	for again := false; ; again = true {
		up, err := r.api.Presign(ctx, client.NewUpload{
			Filename: sentName(t.base()), FileSize: t.Result.Size, ContentType: contentType, Title: r.o.Title,
			Description: r.o.Description, Tags: r.o.Tags, SHA256: t.SHA256, Resume: resume,
		})
		if err != nil {
			return err
		}
		t.DocumentID = up.DocumentID
		err = r.api.Put(ctx, up, f, t.Result.Size, func(sent int64) {
			r.o.Watch.Moved(Progress{Path: t.Result.Path, Phase: Uploading, Done: sent, Total: t.Result.Size})
		})
		if err == nil {
			t.Uploaded = t.Result.Size
			return r.process(ctx, t, up.UploadID)
		}
		if ctx.Err() == nil && !f.same() {
			return changed()
		}
		var refused *client.StorageError
		if again || !errors.As(err, &refused) || refused.Status != 403 {
			return err
		}
		resume = true
	}
}

// graceTime is how long a file that has arrived may take to be handed over
// after the run was ended.
const graceTime = 5 * time.Second

func (r *run) process(ctx context.Context, t *task, uploadID string) error {
	late, cancel := outliving(ctx, graceTime)
	defer cancel()
	a, err := r.api.Process(late, t.DocumentID, client.ProcessRequest{UploadID: uploadID, AllowDuplicate: r.o.AllowDuplicate})
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}
	t.JobID = a.JobID
	r.handedOver(t)
	return nil
}

// object takes in an object of the bucket.
func (r *run) object(ctx context.Context, t *task) {
	a, err := r.api.TakeObject(ctx, client.ObjectRequest{
		Key: t.Object, Title: r.o.Title, Description: r.o.Description, Tags: r.o.Tags, AllowDuplicate: r.o.AllowDuplicate,
	})
	if err != nil {
		r.fail(ctx, t, err)
		return
	}
	t.DocumentID, t.JobID = a.DocumentID, a.JobID
	if a.Status.Succeeded() {
		t.Outcome = Present
		r.end(t)
		return
	}
	r.handedOver(t)
}

// handedOver leaves the rest to the server.
func (r *run) handedOver(t *task) {
	if r.o.NoWait {
		t.Outcome = Queued
		r.end(t)
		return
	}
	r.o.Watch.Moved(Progress{Path: t.Result.Path, Phase: Waiting, Total: 100, Step: "waiting in the queue"})
	r.waiting.push(t)
}

// outliving returns a context that ends a while after ctx does.
func outliving(ctx context.Context, while time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(while, cancel) })
	return late, func() {
		stop()
		cancel()
	}
}
