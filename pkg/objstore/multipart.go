package objstore

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Parts are an upload in parts that was begun and neither ended nor given up:
// listings don't show it, and it takes room.
type Parts struct {
	Key      string // relative to the store's prefix
	UploadID string
	Begun    time.Time
	Size     int64 // bytes of its parts
}

// Unfinished yields the uploads in parts below prefix that were begun and
// neither ended nor given up. An error is yielded once, last. A store that has
// no such listing has none.
func (s *Store) Unfinished(ctx context.Context, prefix string) iter.Seq2[Parts, error] {
	return func(yield func(Parts, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		for info := range s.internal.ListIncompleteUploads(ctx, s.bucket, s.full(prefix), true) {
			if err := s.wrap(ctx, "list uploads", prefix, info.Err); err != nil {
				var own *Error
				if isNotFound(err) {
					continue // it ended meanwhile, or there is none: some stores say so by an error
				}
				if !errors.As(err, &own) || own.Code != "NotImplemented" {
					yield(Parts{}, err)
				}
				return
			}
			if info.UploadID == "" {
				continue // a prefix, of a store that folds keys
			}
			p := Parts{Key: strings.TrimPrefix(info.Key, s.prefix), UploadID: info.UploadID, Begun: info.Initiated, Size: info.Size}
			if !yield(p, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(Parts{}, s.wrap(ctx, "list uploads", prefix, err))
		}
	}
}

// GiveUp removes the parts of an unfinished upload. One that is gone is no error.
func (s *Store) GiveUp(ctx context.Context, p Parts) error {
	err := s.internal.AbortMultipartUpload(ctx, s.bucket, s.full(p.Key), p.UploadID)
	var answer minio.ErrorResponse
	if errors.As(err, &answer) && answer.Code == "NoSuchUpload" {
		return nil
	}
	return s.wrap(ctx, "give up", p.Key, err)
}
