package document

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
)

// linkLife is how long a URL works that a reader is redirected to.
const linkLife = 15 * time.Minute

// maxChunkLine bounds one line of chunks.jsonl, in bytes.
const maxChunkLine = 4 << 20

// Content is a file to answer with: either Body, to be closed, or a URL to
// redirect to.
type Content struct {
	Body        io.ReadCloser
	Size        int64 // bytes
	URL         string
	ContentType string
	Filename    string
	ETag        string
}

// ChunkPage is a piece of chunks.jsonl.
type ChunkPage struct {
	Items      []json.RawMessage
	NextCursor string // "" at the end
	Total      int    // of the whole document
}

// Text returns the document's text as Markdown; of a duplicate, that of the
// document it is a duplicate of. Errors: NotFound, Conflict not_ready,
// Gone duplicate_gone, Unavailable.
func (s *Service) Text(ctx context.Context, id string) (*Content, error) {
	d, err := s.readable(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.content(ctx, d, source{key: ArtifactPrefix(d.ID, d.ExecutionID) + TextName,
		contentType: "text/markdown; charset=utf-8", filename: d.ID + ".md"})
}

// Thumbnail returns a picture of the document's first page, a PNG file; of a
// duplicate, that of the document it is a duplicate of. Errors: as Text, and
// NotFound no_thumbnail.
func (s *Service) Thumbnail(ctx context.Context, id string) (*Content, error) {
	d, err := s.readable(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := s.content(ctx, d, source{key: ArtifactPrefix(d.ID, d.ExecutionID) + ThumbnailName,
		contentType: "image/png", filename: d.ID + ".png"})
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, &Error{Kind: NotFound, Code: CodeNoThumbnail, State: d.Status, Detail: fmt.Sprintf(
			"There is no thumbnail of document %s (%s). They are made of PDFs and images whose first page can be drawn, when these are processed.", d.ID, d.Format)}
	}
	return c, err
}

// readable returns the document that has the text and chunks of document id.
func (s *Service) readable(ctx context.Context, id string) (*Document, error) {
	d, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.Status == Duplicate {
		return s.first(ctx, d)
	}
	if d.Status != Completed {
		return nil, notReady(d)
	}
	return d, nil
}

// first returns the document that d is a duplicate of.
func (s *Service) first(ctx context.Context, d *Document) (*Document, error) {
	of, err := s.Get(ctx, d.DuplicateOf)
	var e *Error
	if errors.As(err, &e) && e.Kind == NotFound || err == nil && of.Status != Completed {
		return nil, &Error{Kind: Gone, Code: CodeDuplicateGone, State: d.Status, Detail: fmt.Sprintf(
			"Document %s is a duplicate of %s, which is no longer there. Upload the file again as a new document.", d.ID, d.DuplicateOf)}
	}
	return of, err
}

func notReady(d *Document) *Error {
	e := &Error{Kind: Conflict, Code: CodeNotReady, State: d.Status}
	switch d.Status {
	case AwaitingUpload:
		e.Detail = fmt.Sprintf("Document %s has no text yet: its file has not been processed. Upload it and ask for processing.", d.ID)
	case Failed:
		e.Detail = fmt.Sprintf("Document %s has no text: processing failed (%s). %s", d.ID, d.ErrorCode, d.Error)
	case Canceled:
		e.Detail = fmt.Sprintf("Document %s has no text: its processing was canceled. Ask for processing again.", d.ID)
	default:
		e.Detail = fmt.Sprintf("Document %s has no text yet: it is %s. Wait until its status is completed.", d.ID, d.Status)
	}
	return e
}

// source is an object to answer with.
type source struct {
	store                 *objstore.Store // nil: docsvc's own
	key, etag, version    string
	contentType, filename string
}

// content opens an object, or signs a URL when it is large.
func (s *Service) content(ctx context.Context, d *Document, from source) (*Content, error) {
	store := cmp.Or(from.store, s.store)
	object, err := store.Stat(ctx, from.key)
	if err != nil {
		return nil, missingArtifact(d, from.key, err)
	}
	c := &Content{Size: object.Size, ContentType: from.contentType, Filename: from.filename, ETag: object.ETag}
	if object.Size > s.c.InlineLimit {
		if from.etag != "" && object.ETag != from.etag {
			return nil, missingArtifact(d, from.key, objstore.ErrChanged)
		}
		if c.URL, err = store.PresignGet(ctx, from.key, linkLife, c.Filename, c.ContentType); err != nil {
			return nil, storageError("signing a URL of document "+d.ID, err)
		}
		return c, nil
	}
	if from.etag == "" {
		from.etag = object.ETag
	}
	body, _, err := store.Get(ctx, from.key, objstore.GetOptions{ETag: from.etag, VersionID: from.version})
	if err != nil {
		return nil, missingArtifact(d, from.key, err)
	}
	c.Body = body
	return c, nil
}

func missingArtifact(d *Document, key string, err error) error {
	if errors.Is(err, objstore.ErrNotFound) {
		return &Error{Kind: Internal, Code: CodeArtifactMissing, State: d.Status, Err: err, Detail: fmt.Sprintf(
			"Document %s is %s, but its file %s is missing from storage. Restore it from a backup or upload the document again.", d.ID, d.Status, key)}
	}
	return storageError("reading "+key, err)
}

// Original returns the file as it was uploaded, while it is in storage, or the
// object that the document was made of, while that is the same. Errors:
// NotFound, Conflict (not uploaded yet), Gone original_removed, Unavailable.
func (s *Service) Original(ctx context.Context, id string) (*Content, error) {
	d, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	from := source{contentType: originalType(d), filename: d.Filename}
	switch {
	case d.SourceKey != "":
		return s.originalObject(ctx, d, from)
	case d.OriginalKey != "":
		from.key = d.OriginalKey
	case d.Status == AwaitingUpload:
		return nil, notReady(d)
	case d.Status.Succeeded() || d.UploadRemoved:
		if of := s.sameBytes(ctx, d); of != nil {
			from.key = of.OriginalKey
			break
		}
		return nil, originalRemoved(d)
	default:
		from.key, from.etag, from.version = d.UploadKey, d.ETag, d.VersionID
	}
	c, err := s.content(ctx, d, from)
	if from.key == d.UploadKey && (errors.Is(err, objstore.ErrChanged) || errors.Is(err, objstore.ErrNotFound)) {
		return nil, originalRemoved(d)
	}
	return c, err
}

// originalObject answers the object that the document was made of.
func (s *Service) originalObject(ctx context.Context, d *Document, from source) (*Content, error) {
	from.store, from.key, from.etag, from.version = s.bucket, d.SourceKey, d.ETag, d.VersionID
	c, err := s.content(ctx, d, from)
	if errors.Is(err, objstore.ErrChanged) || errors.Is(err, objstore.ErrNotFound) {
		return nil, &Error{Kind: Gone, Code: CodeOriginalRemoved, State: d.Status, Err: err, Detail: fmt.Sprintf(
			"Document %s was made of object %q of bucket %s, which was changed or removed since.", d.ID, d.SourceKey, s.bucket.Bucket())}
	}
	return c, err
}

// sameBytes returns the document with the same file whose original is kept.
func (s *Service) sameBytes(ctx context.Context, d *Document) *Document {
	if d.Status != Duplicate {
		return nil
	}
	of, err := s.first(ctx, d)
	if err != nil || of.SHA256 != d.SHA256 || of.OriginalKey == "" {
		return nil
	}
	return of
}

func originalType(d *Document) string {
	if d.MIME != "" {
		return d.MIME
	}
	if d.ContentType != "" {
		return d.ContentType
	}
	return "application/octet-stream"
}

func originalRemoved(d *Document) *Error {
	e := &Error{Kind: Gone, Code: CodeOriginalRemoved, State: d.Status}
	if d.Status.Succeeded() {
		e.Detail = fmt.Sprintf("The original of document %s was removed after processing. Set storage.keep_original to keep the originals of documents processed from then on.", d.ID)
	} else {
		e.Detail = fmt.Sprintf("The original of document %s was removed from storage.", d.ID)
	}
	return e
}

// Chunks returns up to limit chunks from cursor on, "" being the beginning. A
// cursor is the byte offset of a line in chunks.jsonl. Errors: as Text, and
// Invalid cursor.
func (s *Service) Chunks(ctx context.Context, id string, limit int, cursor string) (*ChunkPage, error) {
	offset, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	d, err := s.readable(ctx, id)
	if err != nil {
		return nil, err
	}
	key := ArtifactPrefix(d.ID, d.ExecutionID) + ChunksName
	// One byte more, to see that a line ends right before the offset.
	body, _, err := s.store.Get(ctx, key, objstore.GetOptions{Offset: max(0, offset-1)})
	if err != nil {
		return nil, missingArtifact(d, key, err)
	}
	defer func() { _ = body.Close() }()
	lines := bufio.NewReaderSize(body, 64<<10)
	if offset > 0 {
		if b, err := lines.ReadByte(); err != nil && err != io.EOF {
			return nil, storageError("reading "+key, err)
		} else if err == io.EOF || b != '\n' {
			return nil, badCursor(cursor)
		}
	}
	return readChunks(lines, offset, limit, d.TotalChunks, key)
}

func readChunks(lines *bufio.Reader, offset int64, limit, total int, key string) (*ChunkPage, error) {
	page := &ChunkPage{Items: []json.RawMessage{}, Total: total}
	for len(page.Items) < limit {
		line, err := readLine(lines)
		if err == io.EOF && len(line) == 0 {
			return page, nil
		}
		if err != nil && err != io.EOF {
			return nil, storageError("reading "+key, err)
		}
		offset += int64(len(line))
		item := bytes.TrimSuffix(line, []byte("\n"))
		if !json.Valid(item) {
			return nil, &Error{Kind: Internal, Code: CodeArtifactMissing,
				Detail: fmt.Sprintf("The file %s is damaged before byte %d. Restore it from a backup or process the document again.", key, offset)}
		}
		page.Items = append(page.Items, json.RawMessage(item))
	}
	if _, err := lines.Peek(1); err == nil {
		page.NextCursor = strconv.FormatInt(offset, 10)
	} else if err != io.EOF {
		return nil, storageError("reading "+key, err)
	}
	return page, nil
}

// readLine reads up to and with the next line break, in a buffer of its own.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
		if len(line) > maxChunkLine {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxChunkLine)
		}
	}
}

func parseCursor(cursor string) (int64, error) {
	if cursor == "" {
		return 0, nil
	}
	offset, err := strconv.ParseInt(cursor, 10, 64)
	if err != nil || offset < 0 {
		return 0, badCursor(cursor)
	}
	return offset, nil
}

func badCursor(cursor string) *Error {
	return invalid("cursor", "cursor %s is not one that this list gave: use next_cursor as it came.", printable(cursor))
}
