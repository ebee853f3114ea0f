package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"os"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// maxResumes bounds how often a download that breaks without getting on is
// taken up again.
const maxResumes = 3

// fetch downloads the pinned file and checks size and hash. done closes and
// removes the file and may be called twice.
func (e *execution) fetch(ctx context.Context) (file *os.File, done func(), err error) {
	file, done, err = e.p.dir.create(e.doc.FileSize)
	if err != nil {
		return nil, nil, err
	}
	e.progress.set(document.Progress{Status: document.Extracting, Percent: 1, Step: "fetching the file"})
	sum := sha256.New()
	n, err := e.download(ctx, file, sum)
	if err == nil {
		err = e.checkContent(n, sum)
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return file, done, nil
}

// download copies the object, going on where a broken connection left it.
func (e *execution) download(ctx context.Context, file *os.File, sum hash.Hash) (n int64, err error) {
	for stalled := 0; stalled <= maxResumes; stalled++ {
		var got int64
		got, err = e.downloadFrom(ctx, n, io.MultiWriter(file, sum))
		n += got
		if err == nil || !errors.Is(err, objstore.ErrUnavailable) || n == 0 {
			return n, err
		}
		if got > 0 {
			stalled = 0
		}
		select {
		case <-ctx.Done():
			return n, err
		case <-time.After(100 * time.Millisecond << stalled):
		}
	}
	return n, err
}

func (e *execution) downloadFrom(ctx context.Context, offset int64, to io.Writer) (int64, error) {
	body, object, err := e.open(ctx, offset)
	if err != nil {
		return 0, err
	}
	defer func() { _ = body.Close() }()
	if offset == 0 && object.Size != e.doc.FileSize {
		return 0, sizeMismatch(e.doc.FileSize, object.Size)
	}
	// One byte more than expected is enough to know that it is too much.
	return io.Copy(to, io.LimitReader(body, e.doc.FileSize-offset+1))
}

// open opens the file that was pinned: the upload, or the object that the
// document is made of.
func (e *execution) open(ctx context.Context, offset int64) (io.ReadCloser, objstore.Object, error) {
	if e.doc.SourceKey == "" {
		return e.p.c.Store.Get(ctx, e.doc.UploadKey,
			objstore.GetOptions{ETag: e.doc.ETag, VersionID: e.doc.VersionID, Offset: offset})
	}
	return e.p.c.Documents.OpenObject(ctx, e.doc, offset)
}

// unreadable words the error of a fetch for a document that was made of an
// object, which nobody uploads again.
func (e *execution) unreadable(err error) error {
	switch {
	case e.doc.SourceKey == "":
	case errors.Is(err, objstore.ErrNotFound):
		return permanent(CodeObjectMissing, "Object %q is not in the bucket any more. Put it there, then ask for processing again.", e.doc.SourceKey)
	case errors.Is(err, objstore.ErrChanged):
		return permanent(CodeObjectChanged, "Object %q was replaced after processing had been asked for. Ask again to take in what is there now.", e.doc.SourceKey)
	}
	return err
}

func sizeMismatch(want, got int64) error {
	return permanent(CodeHashMismatch, "The uploaded file has %d bytes and %d were declared. Upload it again as a new document.", got, want)
}

// checkContent compares what came with what was declared.
func (e *execution) checkContent(n int64, sum hash.Hash) error {
	if n != e.doc.FileSize {
		return sizeMismatch(e.doc.FileSize, n)
	}
	e.manifest.SHA256 = hex.EncodeToString(sum.Sum(nil))
	want := strings.ToLower(e.doc.FileHash)
	switch {
	case want == "" || want == e.manifest.SHA256:
	case e.doc.SourceKey != "":
		return permanent(CodeHashMismatch, "The sha256 of object %q is %s and %s was asked for. It is another file: check which one is meant and take it in again.",
			e.doc.SourceKey, e.manifest.SHA256, want)
	default:
		return permanent(CodeHashMismatch, "The uploaded file's sha256 is %s and %s was declared. It was damaged on the way or is another file: upload it again as a new document.",
			e.manifest.SHA256, want)
	}
	e.manifest.FileSize = n
	return nil
}

// seconds is how long this execution has run, to the millisecond.
func (e *execution) seconds() float64 {
	return e.p.c.Clock().Sub(e.began).Round(time.Millisecond).Seconds()
}
