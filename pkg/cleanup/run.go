package cleanup

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// deleteBatch is how many objects are deleted in one request.
const deleteBatch = 500

// logEvery is the time between two lines that say how far a run is.
const logEvery = 10 * time.Second

// Run cleans in place. The report is of what was done also when an error ends
// it; run again, it goes on with what is left. Errors: *document.Error of kind
// Conflict when bucket and Redis don't belong together, Unavailable, or ctx's.
func (c *Cleaner) Run(ctx context.Context, t Task) (Report, error) {
	return c.run(ctx, t, c.c.Log)
}

func (c *Cleaner) run(ctx context.Context, t Task, log zerolog.Logger) (Report, error) {
	if err := t.Validate(); err != nil {
		return Report{}, err
	}
	if err := c.c.Documents.CheckInstallation(ctx); err != nil {
		return empty(t), err
	}
	if t.Type != Daily {
		return c.part(ctx, t, log)
	}
	began, total := c.c.Clock(), empty(t)
	for _, kind := range []Type{Expired, S3, Orphaned} {
		part := t
		part.Type = kind
		r, err := c.part(ctx, part, log)
		total.add(r)
		total.Seconds = c.since(began)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// since is the time from began on, in seconds with milliseconds.
func (c *Cleaner) since(began time.Time) float64 {
	return float64(c.c.Clock().Sub(began).Milliseconds()) / 1000
}

func empty(t Task) Report {
	return Report{TaskType: t.Type, DryRun: t.DryRun, Rebuildable: []string{}, Missing: []string{}}
}

// part runs one task that is not made of others.
func (c *Cleaner) part(ctx context.Context, t Task, log zerolog.Logger) (Report, error) {
	began := c.c.Clock()
	r := &sweep{
		c: c, task: t, Report: empty(t), logged: began, before: began.Add(-t.OlderThan),
		log: log.With().Str("task", string(t.Type)).Bool("dry_run", t.DryRun).Logger(),
	}
	var err error
	switch t.Type {
	case Expired:
		err = r.expired(ctx)
	case S3:
		err = r.uploads(ctx, r.judgeUpload)
	default:
		if err = r.uploads(ctx, r.judgeOrphan); err == nil {
			err = r.artifacts(ctx)
		}
		if err == nil {
			err = r.unfinished(ctx)
		}
	}
	if flushed := r.flush(ctx); err == nil {
		err = flushed
	}
	if err == nil {
		r.measured(ctx)
	}
	r.Seconds = c.since(began)
	r.progress("cleaned", err)
	return r.Report, err
}

// sweep is one run of one task.
type sweep struct {
	Report
	c      *Cleaner
	task   Task
	before time.Time // only objects older than this are deleted
	log    zerolog.Logger
	logged time.Time
	batch  []doomed
	found  usage
}

// doomed is an object that is to be deleted.
type doomed struct {
	objstore.Object
	document string // whose record is to learn that its upload is gone, or ""
}

// tick says from time to time how far the run is.
func (r *sweep) tick() {
	if now := r.c.c.Clock(); now.Sub(r.logged) >= logEvery {
		r.logged = now
		r.progress("cleaning", nil)
	}
}

func (r *sweep) progress(message string, err error) {
	e := r.log.Info()
	if err != nil {
		e = r.log.Warn().Err(err)
	}
	e.Int64("seen", r.Seen).Int64("deleted", r.Deleted).Int64("kept", r.Kept).Int64("failed", r.Failed).
		Int64("bytes", r.Bytes).Int64("expired", r.Expired).Msg(message)
}

// remove puts an object on the list of those to be deleted.
func (r *sweep) remove(ctx context.Context, o objstore.Object, document string) error {
	r.batch = append(r.batch, doomed{o, document})
	if len(r.batch) >= deleteBatch {
		return r.flush(ctx)
	}
	return nil
}

// flush deletes what is on the list. In a dry run it only counts.
func (r *sweep) flush(ctx context.Context) error {
	batch := r.batch
	r.batch = nil
	if len(batch) == 0 {
		return nil
	}
	failed := map[string]error{}
	if !r.task.DryRun {
		// Verdicts rest on the records: of a Redis that was emptied since the
		// run began, everything is an orphan.
		if err := r.c.c.Documents.CheckInstallation(ctx); err != nil {
			return err
		}
		names := make([]string, 0, len(batch))
		for _, d := range batch {
			names = append(names, d.Key)
		}
		failed = r.c.c.Store.Delete(ctx, names...)
	}
	for _, d := range batch {
		if err := failed[d.Key]; err != nil {
			r.Failed++
			r.log.Warn().Err(err).Str("object", d.Key).Msg("deleting an object")
			continue
		}
		r.Deleted++
		r.Bytes += d.Size
		r.found.count(d.Object, -1)
		if err := r.tell(ctx, d); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// tell lets the record know that its upload is gone.
func (r *sweep) tell(ctx context.Context, d doomed) error {
	if d.document == "" || r.task.DryRun {
		return nil
	}
	record, err := r.c.c.Documents.Record(ctx, d.document)
	if isNotFound(err) {
		return nil
	}
	if err != nil || record.UploadKey != d.Key {
		return err // another upload than the one that the record names
	}
	return r.c.c.Documents.UploadRemoved(ctx, record)
}

func isNotFound(err error) bool {
	var e *document.Error
	return errors.As(err, &e) && e.Kind == document.NotFound
}

// unreadable reports whether err says that a record is damaged or of a newer
// version. What belongs to it is left alone and counts as failed, and the run
// goes on: one such record must not keep all others from being cleaned.
func (r *sweep) unreadable(ctx context.Context, id string, err error) bool {
	var coded *document.Error
	if err == nil || ctx.Err() != nil || !errors.As(err, &coded) || coded.Kind != document.Internal {
		return false
	}
	r.log.Warn().Err(err).Str("document", id).Msg("its record can't be read: left alone")
	return true
}
