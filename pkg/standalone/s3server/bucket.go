package s3server

import (
	"context"
	"os"
	"path/filepath"

	"github.com/rclone/gofakes3"
)

// ListBuckets implements gofakes3.Backend.
func (s *store) ListBuckets(context.Context) ([]gofakes3.BucketInfo, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]gofakes3.BucketInfo, 0, len(s.buckets))
	for name, created := range s.buckets {
		out = append(out, gofakes3.BucketInfo{Name: name, CreationDate: gofakes3.NewContentTime(created)})
	}
	return out, nil
}

// BucketExists implements gofakes3.Backend.
func (s *store) BucketExists(_ context.Context, name string) (bool, error) {
	return s.hasBucket(name), nil
}

// CreateBucket implements gofakes3.Backend.
func (s *store) CreateBucket(_ context.Context, name string) error {
	if err := gofakes3.ValidateBucketName(name); err != nil {
		return err
	}
	s.tree.Lock()
	defer s.tree.Unlock()
	if s.hasBucket(name) {
		return gofakes3.ResourceError(gofakes3.ErrBucketAlreadyExists, name)
	}
	if err := os.MkdirAll(s.objectsDir(name), 0o700); err != nil {
		return s.failed("creating a bucket", err)
	}
	if err := syncDirs(filepath.Dir(s.objectsDir(name)), s.bucketsDir()); err != nil {
		return s.failed("creating a bucket", err)
	}
	s.mu.Lock()
	s.buckets[name] = s.clock()
	s.mu.Unlock()
	return nil
}

// DeleteBucket implements gofakes3.Backend.
func (s *store) DeleteBucket(_ context.Context, name string) error {
	s.tree.Lock()
	defer s.tree.Unlock()
	if !s.hasBucket(name) {
		return gofakes3.BucketNotFound(name)
	}
	some, err := anyObject(s.objectsDir(name))
	if err != nil {
		return s.failed("deleting a bucket", err)
	}
	if some {
		return gofakes3.ResourceError(gofakes3.ErrBucketNotEmpty, name)
	}
	if err := os.RemoveAll(filepath.Join(s.bucketsDir(), name)); err != nil {
		return s.failed("deleting a bucket", err)
	}
	s.mu.Lock()
	delete(s.buckets, name)
	s.mu.Unlock()
	if err := syncDirs(s.bucketsDir()); err != nil {
		return s.failed("deleting a bucket", err)
	}
	return nil
}
