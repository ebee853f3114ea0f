package cleanup

import (
	"context"
	"errors"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// page is how many documents are read from Redis at a time.
const page = 200

// uploads goes through all objects below temp/ and removes those that are old
// enough and that judge gives up.
func (r *sweep) uploads(ctx context.Context, judge func(ctx context.Context, docID, uploadID string) (document.Verdict, error)) error {
	for o, err := range r.c.c.Store.List(ctx, document.UploadsPrefix, "") {
		if err != nil {
			return err
		}
		r.Seen++
		r.found.count(o, 1)
		r.tick()
		if !o.LastModified.Before(r.before) {
			r.Kept++
			continue
		}
		docID, uploadID, ok := document.ParseUploadKey(o.Key)
		verdict := document.NoRecord // no upload of docsvc has such a name
		if ok {
			verdict, err = judge(ctx, docID, uploadID)
			if r.unreadable(ctx, docID, err) {
				r.Failed++
				continue
			}
			if err != nil {
				return err
			}
		}
		switch verdict {
		case document.Keep:
			r.Kept++
		case document.NoRecord:
			err = r.remove(ctx, o, "")
		default:
			err = r.remove(ctx, o, docID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// judgeUpload gives an upload up that nobody will process any more.
func (r *sweep) judgeUpload(ctx context.Context, docID, uploadID string) (document.Verdict, error) {
	return r.c.c.Documents.Release(ctx, docID, uploadID, r.task.DryRun)
}

// judgeOrphan gives an upload up that has no record.
func (r *sweep) judgeOrphan(ctx context.Context, docID, uploadID string) (document.Verdict, error) {
	verdict, err := r.c.c.Documents.Release(ctx, docID, uploadID, true)
	if verdict == document.Remove {
		verdict = document.Keep // has a record: that is the other task's
	}
	return verdict, err
}

// expired makes documents failed whose URL ran out, and removes their objects.
func (r *sweep) expired(ctx context.Context) error {
	if r.task.DryRun {
		if err := r.wouldExpire(ctx); err != nil {
			return err
		}
	} else {
		for more := true; more; {
			n, again, err := r.c.c.Documents.ExpireUploads(ctx, page)
			r.Expired += int64(n)
			if err != nil {
				return err
			}
			more = again && ctx.Err() == nil
			r.tick()
		}
	}
	return r.each(ctx, r.c.c.Documents.ExpiredUploads, func(d *document.Document) (bool, error) {
		verdict, err := r.c.c.Documents.Release(ctx, d.ID, d.UploadID, r.task.DryRun)
		if err != nil || verdict != document.Remove {
			return true, err
		}
		return r.removeUpload(ctx, d)
	})
}

// wouldExpire counts what a run that is not dry would make failed and remove.
func (r *sweep) wouldExpire(ctx context.Context) error {
	return r.each(ctx, r.c.c.Documents.OverdueUploads, func(d *document.Document) (bool, error) {
		if d.Status == document.AwaitingUpload {
			r.Expired++
		}
		return r.removeUpload(ctx, d)
	})
}

// each calls f with the documents of a list; f reports whether the document
// is still in that list afterwards.
func (r *sweep) each(ctx context.Context, list func(ctx context.Context, skip, limit int64) ([]string, error), f func(*document.Document) (stays bool, err error)) error {
	var skip int64
	for {
		ids, err := list(ctx, skip, page)
		if err != nil {
			return err
		}
		for _, id := range ids {
			r.tick()
			d, err := r.c.c.Documents.Record(ctx, id)
			if isNotFound(err) || r.unreadable(ctx, id, err) {
				skip++
				continue
			}
			if err != nil {
				return err
			}
			stays, err := f(d)
			if err != nil {
				return err
			}
			if stays {
				skip++
			}
		}
		if len(ids) < page {
			return ctx.Err()
		}
	}
}

// removeUpload removes a document's upload at once, if there is one.
func (r *sweep) removeUpload(ctx context.Context, d *document.Document) (stays bool, err error) {
	o, err := r.c.c.Store.Stat(ctx, d.UploadKey)
	if errors.Is(err, objstore.ErrNotFound) {
		if r.task.DryRun {
			return true, nil
		}
		return false, r.c.c.Documents.UploadRemoved(ctx, d)
	}
	if err != nil {
		return true, err
	}
	r.Seen++
	failed := r.Failed
	if err := r.remove(ctx, o, d.ID); err != nil {
		return true, err
	}
	err = r.flush(ctx)
	return r.task.DryRun || r.Failed > failed, err
}
