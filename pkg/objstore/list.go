package objstore

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/minio/minio-go/v7"
)

// List yields the objects whose key begins with prefix, in the order of their
// keys, from the one after startAfter ("" from the first). It holds one page
// of 1000 at a time. An error is yielded once, last. Objects of a listing have
// no content type or version.
func (s *Store) List(ctx context.Context, prefix, startAfter string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		// minio-go's listing must be told through its context that nobody
		// reads any more.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		opts := minio.ListObjectsOptions{Prefix: s.full(prefix), Recursive: true}
		if startAfter != "" {
			opts.StartAfter = s.full(startAfter)
		}
		noOwner := false
		opts.FetchOwner = &noOwner
		for info := range s.internal.ListObjectsIter(ctx, s.bucket, opts) {
			if info.Err != nil {
				yield(Object{}, s.wrap(ctx, "list", prefix, info.Err))
				return
			}
			key := strings.TrimPrefix(info.Key, s.prefix)
			if !yield(s.object(info, key), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Object{}, s.wrap(ctx, "list", prefix, err))
		}
	}
}

// Delete removes objects and returns the error of each that may still be
// there. An object that is not there is no error.
func (s *Store) Delete(ctx context.Context, keys ...string) (failed map[string]error) {
	failed = map[string]error{}
	if len(keys) == 1 {
		if err := s.deleteOne(ctx, keys[0]); err != nil {
			failed[keys[0]] = err
		}
		return failed
	}
	for batch := range slices.Chunk(keys, 1000) {
		s.deleteBatch(ctx, batch, failed)
	}
	return failed
}

func (s *Store) deleteOne(ctx context.Context, key string) error {
	err := s.internal.RemoveObject(ctx, s.bucket, s.full(key), minio.RemoveObjectOptions{})
	if err = s.wrap(ctx, "delete", key, err); err == nil || isNotFound(err) {
		return nil
	}
	return err
}

func isNotFound(err error) bool {
	e, ok := err.(*Error)
	return ok && e.Kind == ErrNotFound
}

// deleteBatch deletes in one request. A key counts as deleted only if the
// answer says so: one that is missing in a malformed answer stays failed.
func (s *Store) deleteBatch(ctx context.Context, keys []string, failed map[string]error) {
	left := make(map[string]bool, len(keys))
	for _, key := range keys {
		left[key] = true
	}
	objects := func(yield func(minio.ObjectInfo) bool) {
		for _, key := range keys {
			if !yield(minio.ObjectInfo{Key: s.full(key)}) {
				return
			}
		}
	}
	var last error
	results, err := s.internal.RemoveObjectsWithIter(ctx, s.bucket, objects, minio.RemoveObjectsOptions{})
	if err != nil {
		last = s.wrap(ctx, "delete", "", err)
	} else {
		for r := range results {
			key := strings.TrimPrefix(r.ObjectName, s.prefix)
			if r.Err == nil {
				delete(left, key)
				continue
			}
			last = s.wrap(ctx, "delete", key, r.Err)
			if isNotFound(last) {
				delete(left, key)
			} else if r.ObjectName != "" {
				failed[key] = last
				delete(left, key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(left)) {
		if last == nil {
			last = s.wrap(ctx, "delete", key, context.Cause(ctx))
		}
		if last == nil {
			last = &Error{Op: "delete", Key: key, Kind: ErrUnavailable, Code: "NoResult"}
		}
		failed[key] = last
	}
}
