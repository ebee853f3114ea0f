package objstore

import (
	"context"
	"fmt"

	"github.com/minio/minio-go/v7"
)

// EnsureBucket makes the bucket when it isn't there.
func (s *Store) EnsureBucket(ctx context.Context) error {
	ok, err := s.internal.BucketExists(ctx, s.bucket)
	if err != nil {
		return s.wrap(ctx, "ping", "", err)
	}
	if ok {
		return nil
	}
	err = s.internal.MakeBucket(ctx, s.bucket, minio.MakeBucketOptions{Region: s.region})
	if minio.ToErrorResponse(err).Code == minio.BucketAlreadyOwnedByYou {
		return nil // another process was faster
	}
	return s.wrap(ctx, "make bucket", "", err)
}

// Ping tries once whether the bucket can be reached with these credentials.
func (s *Store) Ping(ctx context.Context) error {
	ok, err := s.once.BucketExists(ctx, s.bucket)
	if err != nil {
		return s.wrap(ctx, "ping", "", err)
	}
	if !ok {
		return s.noBucket("ping", "")
	}
	return nil
}

func (s *Store) noBucket(op, key string) error {
	return &Error{Op: op, Key: key, Kind: ErrUnavailable, Code: minio.NoSuchBucket, HTTP: 404,
		Err: fmt.Errorf("bucket %q does not exist", s.bucket)}
}
