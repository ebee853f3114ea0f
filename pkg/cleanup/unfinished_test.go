package cleanup

import (
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// Parts that a killed worker left go once they are old enough; a dry run only
// counts them.
func TestOrphanedGivesUpUnfinishedUploads(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		core := minio.Core{Client: f.s3.Client(t)}
		if _, err := core.NewMultipartUpload(t.Context(), f.s3.Bucket, "documents/d/e/text.md", minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
		left := func() (n int) {
			for _, err := range f.store.Unfinished(t.Context(), "documents/") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			return n
		}
		task := Task{Type: Orphaned, OlderThan: 24 * time.Hour}
		if r, err := f.Run(t.Context(), task); err != nil || r.Kept != 1 || r.Deleted != 0 || left() != 1 {
			t.Errorf("a young one: %+v, %v; %d left", r, err, left())
		}
		f.clock.forward(25 * time.Hour)
		dry := task
		dry.DryRun = true
		if r, err := f.Run(t.Context(), dry); err != nil || r.Deleted != 1 || left() != 1 {
			t.Errorf("a dry run: %+v, %v; %d left", r, err, left())
		}
		if r, err := f.Run(t.Context(), task); err != nil || r.Deleted != 1 || left() != 0 {
			t.Errorf("an old one: %+v, %v; %d left", r, err, left())
		}
	})
}
