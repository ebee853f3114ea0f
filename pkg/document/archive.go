package document

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// archived reads the record of a document that was moved out of Redis. Ids
// that docsvc has not made cost no request to the store.
func (s *Service) archived(ctx context.Context, id string) (*Document, error) {
	if !madeHere(id) {
		return nil, notFound(id)
	}
	if gone, err := s.wasDeleted(ctx, id); err != nil || gone {
		if err == nil {
			err = notFound(id)
		}
		return nil, err
	}
	m, err := s.readManifest(ctx, id, manifestKey(id, ArchivedExecution))
	if isGone(err) {
		return nil, notFound(id)
	}
	if err != nil {
		return nil, err
	}
	if m.ArchivedAt.IsZero() {
		m.ArchivedAt = m.stamp()
	}
	return m.document()
}

// madeHere reports whether id may be one that docsvc made.
func madeHere(id string) bool {
	u, err := uuid.Parse(id)
	return err == nil && u.Version() == 7 && u.String() == id
}

// changeable returns the record of a document that is to be changed: one that
// is archived is Conflict archived.
func (s *Service) changeable(ctx context.Context, id string) (*Document, error) {
	d, err := s.Record(ctx, id)
	if !isNotFound(err) {
		return d, err
	}
	if d, err = s.archived(ctx, id); err != nil {
		return nil, err
	}
	return nil, archivedError(d)
}

func archivedError(d *Document) *Error {
	return &Error{Kind: Conflict, Code: CodeArchived, State: d.Status, Detail: fmt.Sprintf(
		"Document %s was archived at %s and can only be read. Bring it back with: docsvc documents rebuild --id %s",
		d.ID, d.ArchivedAt.Format(time.RFC3339), d.ID)}
}

// archivePage is how many documents one look for old ones takes in.
const archivePage = 1000

// keepArchiving moves records out of Redis whose time is over. It goes round
// the final documents, the oldest first, from where the last round ended: one
// that has to stay does not hold up those after it.
func (s *Service) keepArchiving(ctx context.Context, r *round) error {
	if s.c.Retention <= 0 {
		return nil
	}
	for _, state := range []State{Completed, Duplicate, Failed, Canceled} {
		for more := true; more; {
			var err error
			if more, err = s.archivePage(ctx, r, state); err != nil {
				return err
			}
		}
	}
	return nil
}

// archivePage archives what it can of the next documents of a state, and
// reports whether there are others that may be old enough.
func (s *Service) archivePage(ctx context.Context, r *round, state State) (more bool, err error) {
	from, err := s.rdb.HGet(ctx, s.k.keepCursor(), string(state)).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, redisError("reading where archiving was", err)
	}
	ids, err := s.rdb.ZRange(ctx, s.k.byState(state), from, from+archivePage-1).Result()
	if err != nil {
		return false, redisError("listing old documents", err)
	}
	cutoff := float64(s.c.Clock().Add(-s.c.Retention).UnixMilli())
	n := 0
	for n < len(ids) && score(ids[n], time.Time{}) < cutoff {
		n++
	}
	before := r.Archived
	err = r.each(ctx, "", ids[:n], func(ctx context.Context, id string) error {
		archived, err := s.archive(ctx, id)
		if archived {
			r.done(&r.Archived)
		}
		return err
	})
	if err != nil {
		return false, err
	}
	// By rank: those that left have shifted the others.
	next := from + int64(n-(r.Archived-before))
	if n < archivePage {
		next = 0
	}
	// A page of which all stays says that there is little to do: the next round
	// goes on behind it.
	more = n == archivePage && r.Archived > before
	return more, redisError("noting where archiving is", s.rdb.HSet(ctx, s.k.keepCursor(), string(state), next).Err())
}

// archive moves one record into the bucket, if its time is over: first the
// copy, then, if the record still is as it was read, its removal from Redis.
// Ended in between it is done again.
func (s *Service) archive(ctx context.Context, id string) (done bool, err error) {
	v, err := s.view(ctx, id)
	var e *Error
	switch {
	case errors.As(err, &e) && (e.Kind == NotFound || e.Kind == Internal):
		return false, nil // no record, or one that can't be read: it stays where it is
	case err != nil:
		return false, err
	case !s.isOld(v) || !madeHere(id):
		return false, nil
	}
	if may, err := s.mayArchive(ctx, id); !may {
		return false, err
	}
	m := copyOf(v.Document)
	m.ArchivedAt = s.c.Clock().UTC().Truncate(time.Millisecond)
	uploaded := !v.UploadRemoved && v.SourceKey == ""
	if uploaded {
		m.Record["s3_file_deleted"] = "1" // below
	}
	key := manifestKey(id, ArchivedExecution)
	if err := s.putManifest(ctx, key, m); err != nil {
		return false, err
	}
	err = s.queue.Apply(ctx, append(s.asRead(v.Document), sameJob(v)), s.withdraw(v.Document, ledgerArchived).list, event(id, v.Status, "", "archived"))
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		s.dropArchived(ctx, id, key)
	}
	if err != nil {
		return false, err
	}
	if uploaded {
		if err := s.removeKeys(ctx, []string{v.UploadKey}); err != nil {
			s.c.Log.Warn().Err(err).Str("document", id).Msg("removing the upload of an archived document: cleanup does it")
		}
	}
	return true, nil
}

// dropArchived removes the copy of a record that was not moved after all: it
// was changed or deleted meanwhile. Where Redis has none and it was not
// deleted, another process has moved it.
func (s *Service) dropArchived(ctx context.Context, id, key string) {
	_, err := s.Record(ctx, id)
	switch {
	case isNotFound(err):
		s.dropCopy(ctx, id, key)
		return
	case err == nil:
		err = s.removeKeys(ctx, []string{key})
	}
	if err != nil {
		s.c.Log.Warn().Err(err).Str("document", id).Str("key", key).Msg("removing a copy of a record")
	}
}

// isOld reports whether a record is to be moved out of Redis: nothing happened
// to the document for long enough, and nobody can have it processed again.
func (s *Service) isOld(v view) bool {
	ended, now := v.FinishedAt, s.c.Clock()
	if ended.IsZero() {
		ended = v.UpdatedAt
	}
	since := ended
	if v.restored.After(since) {
		since = v.restored
	}
	switch {
	case !v.Status.Final(), v.job != "" && !v.job.Final(), now.Before(since.Add(s.c.Retention)):
		return false
	case v.Status.Succeeded(), v.UploadRemoved:
		return true
	}
	return !now.Before(ended.Add(s.c.FailedUploadTTL))
}
