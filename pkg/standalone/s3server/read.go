package s3server

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"

	"github.com/rclone/gofakes3"
)

// open returns an object's file and metadata.
func (s *store) open(bucket, key string) (*os.File, *info, error) {
	if !s.hasBucket(bucket) {
		return nil, nil, gofakes3.BucketNotFound(bucket)
	}
	f, i, err := openObject(s.file(bucket, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, gofakes3.KeyNotFound(key)
	}
	if err != nil {
		return nil, nil, s.failed("reading an object", err)
	}
	return f, i, nil
}

// GetObject implements gofakes3.Backend.
func (s *store) GetObject(_ context.Context, bucket, key string, want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	f, i, err := s.open(bucket, key)
	if err != nil {
		return nil, err
	}
	o, err := i.object(want)
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	offset, length := int64(0), i.Size
	if o.Range != nil {
		offset, length = o.Range.Start, o.Range.Length
	}
	b, err := newBody(f, offset, length)
	if err != nil {
		_ = f.Close()
		return nil, s.failed("reading an object", err)
	}
	o.Contents = b
	return o, nil
}

// HeadObject implements gofakes3.Backend.
func (s *store) HeadObject(_ context.Context, bucket, key string) (*gofakes3.Object, error) {
	f, i, err := s.open(bucket, key)
	if err != nil {
		return nil, err
	}
	_ = f.Close()
	o, err := i.object(nil)
	if err != nil {
		return nil, err
	}
	o.Contents = http.NoBody
	return o, nil
}

func (i *info) object(want *gofakes3.ObjectRangeRequest) (*gofakes3.Object, error) {
	// "the last N bytes" of a shorter object is all of it (RFC 9110, 14.1.2).
	if want != nil && want.FromEnd && want.End > i.Size {
		all := *want
		all.End = i.Size
		want = &all
	}
	r, err := want.Range(i.Size)
	if err != nil {
		return nil, err
	}
	return &gofakes3.Object{Name: i.Key, Metadata: i.Headers, Size: i.Size, Hash: i.hash(), Range: r}, nil
}
