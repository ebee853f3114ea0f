package cleanup

import (
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
)

// What orphaned_files and daily leave is measured; other tasks and dry runs
// say nothing of it.
func TestUsageIsMeasured(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		usage := func() *document.Usage {
			t.Helper()
			u, err := f.docs.Usage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return u
		}
		up, prefix := f.completed() // three artifacts of 10 bytes; its upload is for s3_cleanup
		f.queued()                  // its upload stays: 5 bytes
		f.object(prefix+"original", "hello hello")
		f.object("temp/stray", "12") // not docsvc's, and old enough to go
		f.object("documents/notes.txt", "123")
		f.object(document.ArtifactPrefix(up.DocumentID, "died")+document.TextName, "half")
		f.clock.forward(48 * time.Hour)

		f.run(Task{Type: S3})
		f.run(Task{Type: Expired})
		f.run(Task{Type: Orphaned, OlderThan: time.Hour, DryRun: true})
		if u := usage(); u.MeasuredAt != nil {
			t.Fatalf("measured: %+v", u)
		}
		for _, kind := range []Type{Orphaned, Daily} {
			f.clock.forward(time.Hour)
			f.run(Task{Type: kind, OlderThan: time.Hour})
			u := usage()
			if u.MeasuredAt == nil || !u.MeasuredAt.Equal(f.clock.now()) {
				t.Errorf("%s: measured at %v", kind, u.MeasuredAt)
			}
			got := [4]document.Objects{u.Uploads, u.Artifacts, u.Originals, u.Other}
			if want := [4]document.Objects{{Objects: 1, Bytes: 5}, {Objects: 3, Bytes: 30}, {Objects: 1, Bytes: 11}, {Objects: 1, Bytes: 3}}; got != want {
				t.Errorf("%s: %+v, want %+v; the bucket has %v", kind, got, want, f.keys())
			}
		}
	})
}
