package cleanup

import (
	"context"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// usage adds up what the listings of a run found and its deletions left.
type usage struct{ document.Measured }

// count adds an object, or takes it away again with sign -1.
func (u *usage) count(o objstore.Object, sign int64) {
	kind := u.kind(o.Key)
	kind.Objects += sign
	kind.Bytes += sign * o.Size
}

func (u *usage) kind(key string) *document.Objects {
	if _, _, ok := document.ParseUploadKey(key); ok {
		return &u.Uploads
	}
	_, _, name, ok := document.ParseArtifactKey(key)
	switch {
	case !ok:
		return &u.Other
	case name == document.OriginalName:
		return &u.Originals
	}
	return &u.Artifacts
}

// measured stores what a run found that went through everything. It is no
// reason for a run to fail: the next one measures again.
func (r *sweep) measured(ctx context.Context) {
	if r.task.Type != Orphaned || r.task.DryRun {
		return
	}
	now := r.c.c.Clock().UTC().Truncate(time.Millisecond)
	r.found.MeasuredAt = &now
	if err := r.c.c.Documents.SaveMeasured(ctx, r.found.Measured); err != nil {
		r.log.Warn().Err(err).Msg("storing what the documents take up")
	}
}
