package pipeline

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// Unpacker is what the pipeline needs of an *extract.Pool to make documents of
// what a document carries.
type Unpacker interface {
	Unpack(ctx context.Context, r extract.Request, format string, u extract.Unpacking, take func(extract.Carried) error) (warnings []string, err error)
}

// Attachments says which attachments of mails become documents of their own.
type Attachments struct {
	From     Unpacker // nil for none
	Images   bool     // images become some, too
	MaxDepth int      // of mails within mails: those attached to a mail that was uploaded are at 1
	MaxFiles int      // of one mail
	MaxSize  int64    // of one attachment, in bytes
}

// allSizes is how many times MaxSize the attachments of one mail may have together.
const allSizes = 10

// carried is an attachment in the work directory.
type carried struct {
	document.Attachment
	file *os.File
	done func()
}

// unpack writes the attachments that are to become documents into the work
// directory. release removes them.
func (e *execution) unpack(ctx context.Context, file *os.File, format string) (all []carried, warnings []string, release func(), err error) {
	release = func() {
		for _, c := range all {
			c.done()
		}
	}
	a := e.p.c.Attachments
	switch {
	case a.From == nil || !extract.Carries(format):
		return nil, nil, release, nil
	case e.doc.Depth >= a.MaxDepth:
		return nil, []string{fmt.Sprintf("attachments of this mail did not become documents of their own: it is attached itself, %d deep (attachments.max_depth)", e.doc.Depth)}, release, nil
	}
	req := extract.Request{File: file, Name: e.doc.Filename, DeclaredType: e.doc.ContentType, Password: e.password}
	limits := extract.Unpacking{Images: a.Images, MaxFiles: a.MaxFiles, MaxSize: a.MaxSize, MaxTotal: allSizes * a.MaxSize}
	var taken error // of the work directory
	warnings, err = a.From.Unpack(ctx, req, format, limits, func(c extract.Carried) error {
		var f *os.File
		var done func()
		if f, done, taken = e.p.dir.create(int64(len(c.Data))); taken != nil {
			return taken
		}
		all = append(all, carried{file: f, done: done, Attachment: document.Attachment{
			Path: c.Path, Filename: c.Name, ContentType: c.MediaType, Size: int64(len(c.Data))}})
		_, taken = f.Write(c.Data)
		return taken
	})
	if err != nil && ctx.Err() == nil && taken == nil {
		err = transient(CodeExtractor, "The attachments could not be taken out by a parser process: %w", err)
	}
	return all, warnings, release, err
}

// takeIn makes documents of attachments. Each is made once, however often the
// mail's job runs: its bytes are stored before its record is made.
func (e *execution) takeIn(ctx context.Context, all []carried) error {
	for i, c := range all {
		e.progress.set(document.Progress{Status: document.Chunking, Percent: 72, Step: fmt.Sprintf("taking in attachment %d of %d", i+1, len(all))})
		var child document.Child
		err := waitForRedis(ctx, func() (err error) {
			child, err = e.p.c.Documents.Child(ctx, e.doc, c.Path)
			return err
		})
		if err != nil {
			return err
		}
		if !child.Known {
			if err := e.takeOne(ctx, c, child); err != nil {
				return err
			}
		}
		e.manifest.Children = append(e.manifest.Children, child.DocumentID)
	}
	return nil
}

func (e *execution) takeOne(ctx context.Context, c carried, child document.Child) error {
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading an attachment: %w", err)
	}
	object, err := e.p.c.Store.Put(ctx, child.UploadKey(), c.file, c.Size, objstore.PutOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return fmt.Errorf("storing an attachment: %w", err)
	}
	return waitForRedis(ctx, func() error {
		return e.p.c.Documents.TakeAttachment(ctx, e.doc, c.Attachment, child, object)
	})
}
