package pipeline

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
)

// A bucket disappears while a document of it is processed, is made anew without
// anything in it, and gets its content back: the document waits and says for
// what, and is processed in the end, with all its retries.
func TestABucketThatDisappears(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		ctx := context.Background()
		client := r.s3.Client(t)
		u, other := r.upload("a.txt", sample), r.upload("b.txt", sample+" More.")
		saved := map[string]string{}
		for _, key := range r.keys("") {
			saved[key] = r.object(key)
		}
		var once sync.Once
		remove := func() {
			for _, key := range r.keys("") {
				if err := client.RemoveObject(ctx, r.s3.Bucket, key, minio.RemoveObjectOptions{}); err != nil {
					t.Error(err)
				}
			}
			if err := client.RemoveBucket(ctx, r.s3.Bucket); err != nil {
				t.Error(err)
			}
		}
		r.process(u)
		r.work(func(c *Config) {
			wrap(c, func(point string) {
				if point == "before put text.md" {
					once.Do(remove)
				}
			})
		})
		waits := func(missing string) {
			t.Helper()
			r.until("a document that waits and says: "+missing, func() bool {
				d := r.doc(u.DocumentID)
				return d.Status == document.Uploaded && strings.Contains(d.Error, missing) && !d.NextAttemptAt.IsZero()
			})
		}
		waits(`bucket "` + r.s3.Bucket + `" does not exist`)
		_, err := r.docs.Process(ctx, other.DocumentID, document.ProcessRequest{UploadID: other.UploadID})
		var e *document.Error
		if !errors.As(err, &e) || e.Code != document.CodeStorageUnavailable {
			t.Errorf("process without a bucket: %v; want %s", err, document.CodeStorageUnavailable)
		}
		if err := client.MakeBucket(ctx, r.s3.Bucket, minio.MakeBucketOptions{}); err != nil {
			t.Fatal(err)
		}
		waits("has lost its docsvc.json")
		for key, body := range saved { // in any order: it may run as soon as its upload is there
			r.put(key, body)
		}
		d := r.committed(u.DocumentID, sample)
		j, err := r.queue.Job(ctx, d.JobID)
		if err != nil || j.RetriesLeft == nil || *j.RetriesLeft != 2 {
			t.Errorf("%+v retries left, %v; want both", j.RetriesLeft, err)
		}
		r.process(other)
		r.committed(other.DocumentID, sample+" More.")
	})
}

// In a bucket that is otherwise there, a missing upload is one that is gone.
func TestAMissingUploadIsGone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		u := r.upload("a.txt", sample)
		r.process(u)
		for key, err := range r.store.Delete(context.Background(), document.UploadKey(u.DocumentID, u.UploadID)) {
			t.Fatal(key, err)
		}
		r.work()
		if d := r.await(u.DocumentID, document.Failed); d.ErrorCode != CodeUploadGone {
			t.Errorf("failed with %s: %s", d.ErrorCode, d.Error)
		}
	})
}
