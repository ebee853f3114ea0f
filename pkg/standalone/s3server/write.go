package s3server

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rclone/gofakes3"
)

// copyBuffer is the memory used for receiving one body, in bytes.
const copyBuffer = 256 << 10

// defaultType is what S3 answers for an object that was stored without a type.
const defaultType = "binary/octet-stream"

// PutObject implements gofakes3.Backend.
func (s *store) PutObject(ctx context.Context, bucket, key string, meta map[string]string, input io.Reader, size int64) (gofakes3.PutObjectResult, error) {
	if !s.hasBucket(bucket) {
		return gofakes3.PutObjectResult{}, gofakes3.BucketNotFound(bucket)
	}
	i := s.newInfo(key, meta)
	return gofakes3.PutObjectResult{}, s.write(ctx, bucket, i, size, func(w io.Writer) error {
		sum, err := receive(w, input)
		i.Size, i.MD5 = sum.n, sum.md5()
		return err
	})
}

func (s *store) newInfo(key string, meta map[string]string) *info {
	i := &info{Key: key, Modified: s.clock().UTC(), Headers: map[string]string{"Content-Type": defaultType}}
	for k, v := range meta {
		i.Headers[k] = v
	}
	// For a multipart upload the one in meta is from its beginning.
	i.Headers["Last-Modified"] = i.Modified.Format(http.TimeFormat)
	return i
}

// write makes the object i: body writes its bytes and completes i, size is
// what the client promised (-1: nothing). On any error nothing is visible and
// nothing is left.
func (s *store) write(ctx context.Context, bucket string, i *info, size int64, body func(io.Writer) error) error {
	tmp, err := s.create(s.tmpDir())
	if err != nil {
		return s.failed("storing an object", err)
	}
	err = body(tmp)
	if err == nil && size >= 0 && i.Size != size {
		err = gofakes3.ErrIncompleteBody
	}
	if err == nil {
		err = finish(tmp, i)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = s.commit(ctx, tmp.Name(), bucket, i.Key)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return s.failed("storing an object", err)
	}
	return nil
}

// finish appends the metadata and makes the file durable.
func finish(tmp tempFile, i *info) error {
	footer, err := i.footer()
	if err != nil {
		return err
	}
	if _, err := tmp.Write(footer); err != nil {
		return err
	}
	return tmp.Sync()
}

// commit gives a finished file its name, if the request's conditions hold, and
// makes that durable.
//
// Every directory up to the bucket is synced, not only those made here: a
// concurrent write may have made one and not synced it yet.
func (s *store) commit(ctx context.Context, tmp, bucket, key string) error {
	target := s.file(bucket, key)
	if err := s.rename(ctx, tmp, target, bucket); err != nil {
		return err
	}
	return syncDirs(parents(s.objectsDir(bucket), objectPath(key))...)
}

func (s *store) rename(ctx context.Context, tmp, target, bucket string) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	if !s.hasBucket(bucket) {
		return gofakes3.BucketNotFound(bucket)
	}
	if gofakes3.HasWriteConditions(ctx) {
		i, err := statObject(target)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		etag := ""
		if i != nil {
			etag = i.MD5
		}
		if err := gofakes3.CheckWriteConditions(ctx, i != nil, etag); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	return os.Rename(tmp, target)
}

// CopyObject implements gofakes3.Backend.
func (s *store) CopyObject(ctx context.Context, srcBucket, srcKey, dstBucket, dstKey string, meta map[string]string) (gofakes3.CopyObjectResult, error) {
	var none gofakes3.CopyObjectResult
	if !s.hasBucket(dstBucket) {
		return none, gofakes3.BucketNotFound(dstBucket)
	}
	src, from, err := s.open(srcBucket, srcKey)
	if err != nil {
		return none, err
	}
	defer func() { _ = src.Close() }()
	b, err := newBody(src, 0, from.Size)
	if err != nil {
		return none, s.failed("copying an object", err)
	}
	i := s.newInfo(dstKey, meta)
	i.MD5 = from.MD5
	err = s.write(ctx, dstBucket, i, from.Size, func(w io.Writer) error {
		var err error
		i.Size, err = b.WriteTo(w)
		return err
	})
	if err != nil {
		return none, err
	}
	return gofakes3.CopyObjectResult{ETag: `"` + i.MD5 + `"`, LastModified: gofakes3.NewContentTime(i.Modified)}, nil
}

// received is what came in.
type received struct {
	n   int64 // bytes
	sum interface{ Sum([]byte) []byte }
}

func (r received) md5() string { return hex.EncodeToString(r.sum.Sum(nil)) }

// receive copies a body with bounded memory and digests it. gofakes3 hands the
// body over through a reader that computes the same MD5 already; where that is
// the outermost reader its result is used.
func receive(w io.Writer, r io.Reader) (received, error) {
	var out received
	if s, ok := r.(interface{ Sum([]byte) []byte }); ok {
		out.sum = s
	} else {
		h := md5.New()
		out.sum = h
		r = digesting{r, h}
	}
	// Hiding every other method keeps io.CopyBuffer to the given buffer.
	src := &source{r: r}
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, src, make([]byte, copyBuffer))
	out.n = n
	if src.err != nil {
		err = src.err
	}
	return out, err
}

// source tells the client's failures (it left, it stalled) from the disk's.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	s.err = gofakes3.ErrIncompleteBody
	var known gofakes3.Error
	if errors.As(err, &known) {
		s.err = known
	}
	return n, s.err
}

// digesting adds what is read through it to a digest.
type digesting struct {
	r io.Reader
	h hash.Hash
}

func (d digesting) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	_, _ = d.h.Write(p[:n])
	return n, err
}

// failed turns an error into what the S3 client is told. Errors that are the
// client's doing pass; the disk's are logged, since they are the operator's.
func (s *store) failed(doing string, err error) error {
	var known gofakes3.Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, syscall.ENAMETOOLONG) {
		return gofakes3.ErrKeyTooLong
	}
	s.log.Error().Err(err).Msg(doing)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return gofakes3.ErrorMessage(gofakes3.ErrInternal, "the disk that holds the objects is full; free some space and try again")
	}
	var damaged *damagedError
	if errors.As(err, &damaged) {
		return gofakes3.ErrorMessage(gofakes3.ErrInternal, "the stored object is damaged; the server's log names its file")
	}
	return gofakes3.ErrorMessage(gofakes3.ErrInternal, fmt.Sprintf("%s failed; the server's log says why", doing))
}
