package s3server

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rclone/gofakes3"
)

// DeleteObject implements gofakes3.Backend. Deleting what is not there is not
// an error.
func (s *store) DeleteObject(_ context.Context, bucket, key string) (gofakes3.ObjectDeleteResult, error) {
	dir, err := s.remove(bucket, key)
	if err == nil {
		err = syncDirs(dir)
	}
	if err != nil {
		return gofakes3.ObjectDeleteResult{}, s.failed("deleting an object", err)
	}
	return gofakes3.ObjectDeleteResult{}, nil
}

// DeleteMulti implements gofakes3.Backend.
func (s *store) DeleteMulti(_ context.Context, bucket string, keys ...string) (gofakes3.MultiDeleteResult, error) {
	var out gofakes3.MultiDeleteResult
	dirs := map[string]error{}
	where := make([]string, len(keys))
	errs := make([]error, len(keys))
	for n, key := range keys {
		where[n], errs[n] = s.remove(bucket, key)
		dirs[where[n]] = nil
	}
	for d := range dirs {
		dirs[d] = syncDirs(d)
	}
	for n, key := range keys {
		err := errors.Join(errs[n], dirs[where[n]])
		if err == nil {
			out.Deleted = append(out.Deleted, gofakes3.ObjectID{Key: key})
			continue
		}
		r := gofakes3.ErrorResultFromError(s.failed("deleting an object", err))
		r.Key = key
		out.Error = append(out.Error, r)
	}
	return out, nil
}

// remove unlinks an object and the directories that this leaves empty. It
// returns the directory whose change must be synced.
func (s *store) remove(bucket, key string) (changed string, err error) {
	root := s.objectsDir(bucket)
	s.tree.Lock()
	defer s.tree.Unlock()
	if !s.hasBucket(bucket) {
		return root, gofakes3.BucketNotFound(bucket)
	}
	path := s.file(bucket, key)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	dir := filepath.Dir(path)
	for dir != root {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			break // not empty: the usual end
		}
		dir = filepath.Dir(dir)
	}
	return dir, nil
}
