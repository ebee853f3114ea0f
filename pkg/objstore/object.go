package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// partSize is how much goes up in one request; larger files go up in parts,
// each of which can be tried again by itself. Bytes.
const partSize = 64 << 20

// Object is what the store says of an object.
type Object struct {
	Key          string // relative to the store's prefix
	ETag         string // without quotes
	VersionID    string // empty in a bucket without versions
	ContentType  string
	Disposition  string // Content-Disposition; only Stat and Get tell it
	Size         int64  // bytes
	LastModified time.Time
}

// GetOptions narrows a Get.
type GetOptions struct {
	// ETag, when set, must be the object's, else the error is ErrChanged.
	ETag string
	// VersionID, when set, asks for that version.
	VersionID string
	// Offset and Length ask for a part, in bytes; Length 0 means to the end.
	Offset, Length int64
}

// PutOptions describe an object to store.
type PutOptions struct {
	ContentDisposition string
	ContentType        string
}

// Stat returns what the store knows of an object, ErrNotFound when there is
// none, and ErrUnavailable when it is the bucket that is missing.
func (s *Store) Stat(ctx context.Context, key string) (Object, error) {
	info, err := s.internal.StatObject(ctx, s.bucket, s.full(key), minio.StatObjectOptions{})
	if err == nil {
		return s.object(info, key), nil
	}
	wrapped := s.wrap(ctx, "stat", key, err)
	if minio.ToErrorResponse(err).StatusCode == 404 {
		// An answer to HEAD has no body that would tell the two apart.
		if ok, bucketErr := s.internal.BucketExists(ctx, s.bucket); bucketErr == nil && !ok {
			return Object{}, s.noBucket("stat", key)
		}
	}
	return Object{}, wrapped
}

// Get opens an object for reading; the caller closes the body. With Offset at
// or beyond the end the body is empty. Reading fails with ErrUnavailable when
// the connection breaks.
func (s *Store) Get(ctx context.Context, key string, o GetOptions) (io.ReadCloser, Object, error) {
	var opts minio.GetObjectOptions
	if o.ETag != "" {
		if err := opts.SetMatchETag(o.ETag); err != nil {
			return nil, Object{}, s.wrap(ctx, "get", key, err)
		}
	}
	if o.VersionID != "" && o.VersionID != "null" {
		opts.VersionID = o.VersionID
	}
	if err := setRange(&opts, o); err != nil {
		return nil, Object{}, fmt.Errorf("storage: get %q: %w", key, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	body, info, _, err := s.internal.GetObject(ctx, s.bucket, s.full(key), opts)
	if err != nil {
		err = s.wrap(ctx, "get", key, err)
		cancel(nil)
		var own *Error
		if errors.As(err, &own) && own.Code == minio.InvalidRange && o.Offset > 0 {
			return io.NopCloser(strings.NewReader("")), Object{Key: key}, nil
		}
		return nil, Object{}, err
	}
	r := &reader{ctx: ctx, cancel: cancel, key: key, body: body, idle: s.idle}
	object := s.object(info, key)
	if o.ETag != "" && object.ETag != o.ETag {
		// The store took no notice of If-Match.
		_ = r.Close()
		return nil, Object{}, &Error{Op: "get", Key: key, Kind: ErrChanged}
	}
	return r, object, nil
}

func setRange(opts *minio.GetObjectOptions, o GetOptions) error {
	switch {
	case o.Offset < 0 || o.Length < 0:
		return fmt.Errorf("offset %d and length %d must not be negative", o.Offset, o.Length)
	case o.Length > 0:
		return opts.SetRange(o.Offset, o.Offset+o.Length-1)
	case o.Offset > 0:
		return opts.SetRange(o.Offset, 0)
	}
	return nil
}

// errStalled ends the reading of a body from which nothing comes any more.
var errStalled = errors.New("the store stopped sending")

// reader gives the errors of a body their kind, and ends when a connection
// stands still: neither TCP nor net/http would.
type reader struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	key    string
	body   io.ReadCloser
	idle   time.Duration
}

func (r *reader) Read(p []byte) (int, error) {
	stalled := time.AfterFunc(r.idle, func() { r.cancel(errStalled) })
	n, err := r.body.Read(p)
	stalled.Stop()
	if err == nil || err == io.EOF {
		return n, err
	}
	if context.Cause(r.ctx) == errStalled {
		return n, &Error{Op: "get", Key: r.key, Kind: ErrUnavailable, Err: errStalled}
	}
	return n, wrap(r.ctx, "get", r.key, err)
}

func (r *reader) Close() error {
	defer r.cancel(nil)
	return r.body.Close()
}

// Put stores size bytes of r. When the store fails the call is only repeated
// if r is an io.Seeker, so give it one. r is never closed.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64, o PutOptions) (Object, error) {
	if size < 0 {
		return Object{}, fmt.Errorf("storage: put %q: size unknown", key)
	}
	info, err := s.internal.Client.PutObject(ctx, s.bucket, s.full(key), r, size, minio.PutObjectOptions{
		ContentType: o.ContentType, ContentDisposition: o.ContentDisposition, PartSize: partSize,
		// Chunked signing of an empty body leaves bytes unread on some
		// servers, which then break the next request on the connection.
		DisableContentSha256: size == 0,
	})
	if err != nil {
		return Object{}, s.wrap(ctx, "put", key, err)
	}
	return Object{Key: key, ETag: strings.Trim(info.ETag, `"`), VersionID: info.VersionID, Size: size,
		ContentType: o.ContentType, LastModified: info.LastModified}, nil
}

// maxCopy is the largest object that one copy request may move (S3's limit), in bytes.
const maxCopy = 5 << 30

// Copy copies an object within the bucket, on the store's side, with its
// content type and disposition. ETag and version, where o has them, must be
// the object's, else the error is ErrChanged; the other options do nothing.
func (s *Store) Copy(ctx context.Context, src, dst string, o GetOptions) error {
	from := minio.CopySrcOptions{Bucket: s.bucket, Object: s.full(src), MatchETag: o.ETag, VersionID: o.VersionID}
	to := minio.CopyDestOptions{Bucket: s.bucket, Object: s.full(dst)}
	object, err := s.Stat(ctx, src)
	if err != nil {
		return err
	}
	if o.ETag != "" && o.VersionID == "" && object.ETag != o.ETag {
		return &Error{Op: "copy", Key: src, Kind: ErrChanged} // also of a store that ignores the condition
	}
	if object.Size > maxCopy {
		_, err = s.internal.ComposeObject(ctx, to, from)
	} else {
		_, err = s.internal.Client.CopyObject(ctx, to, from)
	}
	return s.wrap(ctx, "copy", src, err)
}

func (s *Store) object(info minio.ObjectInfo, key string) Object {
	version := info.VersionID
	if version == "null" {
		version = "" // S3's name for the only version in a bucket without versions
	}
	return Object{Key: key, ETag: strings.Trim(info.ETag, `"`), VersionID: version,
		ContentType: info.ContentType, Disposition: info.Metadata.Get("Content-Disposition"), Size: info.Size, LastModified: info.LastModified}
}
