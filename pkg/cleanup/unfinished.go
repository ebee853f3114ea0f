package cleanup

import (
	"context"

	"github.com/docsvc/docsvc/pkg/document"
)

// unfinished gives up uploads in parts that nobody goes on with: a worker that
// was killed while it stored a long text leaves one. No listing of objects
// shows it, and the store keeps it for ever. Uploads of clients have no parts.
func (r *sweep) unfinished(ctx context.Context) error {
	for p, err := range r.c.c.Store.Unfinished(ctx, document.DocumentsPrefix) {
		if err != nil {
			return err
		}
		r.Seen++
		r.tick()
		if !p.Begun.Before(r.before) {
			r.Kept++
			continue
		}
		if !r.task.DryRun {
			if err := r.c.c.Store.GiveUp(ctx, p); err != nil {
				if ctx.Err() != nil {
					return err
				}
				r.log.Warn().Err(err).Str("key", p.Key).Msg("giving up an upload in parts")
				r.Failed++
				continue
			}
		}
		r.log.Info().Str("key", p.Key).Time("begun", p.Begun).Msg("gave up an upload in parts that nobody goes on with")
		r.Deleted++
		r.Bytes += p.Size
	}
	return nil
}
