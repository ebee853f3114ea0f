package document

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

const (
	// afterDelete is how long a deleted document is remembered at least, after
	// its upload URL stopped working: an upload or a run that had begun before
	// then may still write objects.
	afterDelete = time.Hour
	// removeGrace is how long Delete has to remove the objects before Keep
	// helps, and the time between two tries of Keep.
	removeGrace = 30 * time.Second
	// maxRemove is how many objects of one document are removed at a time.
	maxRemove = 5000
)

// Delete ends and deletes the document's job, takes the record with all that names it out
// of Redis, in one script, and then removes its objects. The object of a
// source_key stays: it is not docsvc's. What can't be removed now, Keep
// removes. From the script on the document is unknown everywhere: a worker
// that is still at it is fenced, its duplicates have lost their text, its
// bytes may be uploaded anew. Errors: NotFound, also when it was deleted
// before, Conflict busy, Unavailable (nothing was deleted).
func (s *Service) Delete(ctx context.Context, id string) error {
	for range raceLimit {
		d, err := s.Get(ctx, id)
		if isNotFound(err) {
			return s.deleteLost(ctx, id, err)
		}
		if err != nil {
			return err
		}
		if !d.Status.Final() {
			canceled, err := s.endJob(ctx, d)
			if err != nil {
				return err
			}
			if canceled {
				continue // which changed the record
			}
		}
		// Its job goes first, or a retry of that later would end as failed, and
		// of a docsvc.process_object job make the document again.
		if _, err := s.queue.Delete(ctx, d.JobID, false); err != nil && !errors.Is(err, rq.ErrNoJob) {
			return redisError("deleting the job of document "+id, err)
		}
		err = s.withdrawDeleted(ctx, d)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			continue
		}
		if err != nil {
			return redisError("deleting document "+id, err)
		}
		if err := s.removeDeleted(ctx, id); err != nil {
			s.c.Log.Warn().Err(err).Str("document", id).Msg("removing the objects of a deleted document: it is tried again")
		}
		return nil
	}
	return busy(id)
}

// deleteLost deletes what is left of a document whose record was lost; any
// other without a record is missing.
func (s *Service) deleteLost(ctx context.Context, id string, missing error) error {
	lost, err := s.giveUpLost(ctx, id)
	if err != nil {
		return err
	}
	if !lost {
		return missing
	}
	if err := s.removeDeleted(ctx, id); err != nil {
		s.c.Log.Warn().Err(err).Str("document", id).Msg("removing the objects of a deleted document: it is tried again")
	}
	return nil
}

// endJob cancels the document's job and reports whether that was to be done.
func (s *Service) endJob(ctx context.Context, d *Document) (canceled bool, err error) {
	_, err = s.queue.Cancel(ctx, d.JobID)
	var ended *rq.StateError
	if errors.Is(err, rq.ErrNoJob) || errors.As(err, &ended) {
		return false, nil
	}
	return err == nil, redisError("canceling the job of document "+d.ID, err)
}

// withdrawDeleted makes the document unknown and notes that its objects are
// to be removed. A *rq.ConditionError says that its record changed meanwhile.
func (s *Service) withdrawDeleted(ctx context.Context, d *Document) error {
	now := s.c.Clock()
	until := now
	if d.UploadExpiresAt.After(until) {
		until = d.UploadExpiresAt
	}
	e := s.withdraw(d, ledgerDeleted)
	e.list = append(e.list,
		rq.ZAdd(s.k.deleted(), float64(until.Add(afterDelete).UnixMilli()), d.ID),
		rq.ZAdd(s.k.removing(), float64(now.Add(removeGrace).UnixMilli()), d.ID))
	return s.queue.Apply(ctx, s.asRead(d), e.list, event(d.ID, d.Status, "", "deleted"))
}

// withdraw takes a document's record and all that names it out of Redis. It
// belongs into a script with the conditions of asRead. The counter is the
// ledger's that says where the document went.
func (s *Service) withdraw(d *Document, counter string) *effects {
	e := s.outcome(d)
	e.list = append(e.list, s.leave(d.ID, counter)...)
	for _, key := range s.keysNaming(d) {
		e.list = append(e.list, rq.Del(key).When(rq.Guard{Key: key, Is: d.ID}))
	}
	indexes := []string{s.k.all(), s.k.byOwner(d.Owner), s.k.openUploads(), s.k.expiredUploads(), s.k.unsaved(), s.k.copyAgain()}
	for _, state := range States() {
		indexes = append(indexes, s.k.byState(state))
	}
	for _, tag := range d.Tags {
		indexes = append(indexes, s.k.byTag(tag))
	}
	for _, index := range indexes {
		e.list = append(e.list, rq.ZRem(index, d.ID))
	}
	e.list = append(e.list, rq.ZRem(s.k.copying(), copyName(d.ID, RecordExecution), copyName(d.ID, ArchivedExecution)))
	e.list = append(e.list, rq.Del(s.k.password(d.ID)), rq.Del(s.k.upload(d.UploadID)))
	if d.ArchivedAt.IsZero() { // else Redis has neither
		e.count(d.counted(), -1)
		e.list = append(e.list, rq.Del(s.k.document(d.ID)))
	}
	return e
}

// keysNaming are the keys that may hold the document's id.
func (s *Service) keysNaming(d *Document) []string {
	var names []string
	if d.SHA256 != "" {
		names = append(names, s.k.sha256(d.Owner, d.SHA256))
	}
	if d.TextSHA256 != "" {
		names = append(names, s.k.text(d.Owner, d.TextSHA256))
	}
	if d.UploadHash != "" {
		names = append(names, s.k.file(d.Owner, d.UploadHash))
	}
	if d.SourceKey != "" {
		names = append(names, s.k.object(d.SourceKey))
	}
	return names
}

// asRead are conditions that hold while the record is in Redis as it was read,
// in all that anybody changes once it is final; of an archived one, while
// Redis has none.
func (s *Service) asRead(d *Document) []rq.Condition {
	key := s.k.document(d.ID)
	if !d.ArchivedAt.IsZero() {
		return []rq.Condition{{Guard: rq.Guard{Key: key, Not: true}}}
	}
	var same []rq.Condition
	for _, field := range []string{"status", "job_id", "updated_at", "s3_file_deleted", "title", "description", "tags", "upload_expires_at", "stored_bytes"} {
		same = append(same, rq.Condition{Guard: rq.Guard{Key: key, Field: field, Is: d.hash[field]}})
	}
	return same
}

// removeDeleted removes the objects of a deleted document.
func (s *Service) removeDeleted(ctx context.Context, id string) error {
	if _, err := s.removeObjects(ctx, id); err != nil {
		return err
	}
	return redisError("noting that the objects of document "+id+" are gone", s.rdb.ZRem(ctx, s.k.removing(), id).Err())
}

// removeObjects removes what is below the document's two prefixes and returns
// how many objects there were. Records go first: what is left if it ends in
// between can then not be taken for a document any more.
func (s *Service) removeObjects(ctx context.Context, id string) (removed int, err error) {
	for {
		var names []string
		more := false
		for _, prefix := range []string{DocumentPrefix(id), UploadsPrefix + id + "/"} {
			for o, err := range s.store.List(ctx, prefix, "") {
				if err != nil {
					return removed, storageError("listing the objects of document "+id, err)
				}
				if names = append(names, o.Key); len(names) >= maxRemove {
					more = true
					break
				}
			}
		}
		isRecord := func(key string) bool { return strings.HasSuffix(key, "/"+ManifestName) }
		records := slices.DeleteFunc(slices.Clone(names), func(key string) bool { return !isRecord(key) })
		for _, batch := range [][]string{records, slices.DeleteFunc(names, isRecord)} {
			if err := s.removeKeys(ctx, batch); err != nil {
				return removed, err
			}
			removed += len(batch)
		}
		if !more {
			return removed, nil
		}
	}
}

func (s *Service) removeKeys(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	for key, err := range s.store.Delete(ctx, names...) {
		if !errors.Is(err, objstore.ErrNotFound) {
			return storageError("removing "+key, err)
		}
	}
	return nil
}
