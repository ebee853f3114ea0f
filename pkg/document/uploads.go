package document

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// sweepUploads makes documents failed whose URL ran out unprocessed.
func (s *Service) sweepUploads(ctx context.Context, swept *Swept) error {
	n, _, err := s.ExpireUploads(ctx, sweepPage)
	swept.Expired += n
	return err
}

// ExpireUploads looks at up to limit documents whose upload URL ran out before
// they were processed and makes them failed, code upload_expired. It returns
// how many became so, and whether another call will find more. Their objects
// stay: see ExpiredUploads. A record that can't be read is left as it is and
// does not hide those after it.
func (s *Service) ExpireUploads(ctx context.Context, limit int64) (expired int, more bool, err error) {
	for skip := int64(0); limit > 0; {
		ids, err := s.OverdueUploads(ctx, skip, min(limit, sweepBatch))
		if err != nil || len(ids) == 0 {
			return expired, false, err
		}
		for _, id := range ids {
			stays, became, err := s.expireOne(ctx, id)
			if err != nil {
				return expired, false, err
			}
			if stays {
				skip++
				continue
			}
			limit--
			if became {
				expired++
			}
		}
	}
	return expired, true, nil
}

// expireOne does ExpireUploads's work on one document, which stays in the list
// when its record can't be read or was changed meanwhile.
func (s *Service) expireOne(ctx context.Context, id string) (stays, expired bool, err error) {
	d, err := s.Record(ctx, id)
	var e *Error
	switch {
	case errors.As(err, &e) && e.Kind == NotFound:
		return !s.dropStale(ctx, id, err, &Swept{}), false, nil
	case err != nil && (ctx.Err() != nil || rq.IsUnavailable(err)):
		return false, false, err
	case err != nil:
		s.c.Log.Warn().Err(err).Str("document", id).Msg("its upload URL ran out, but its record can't be read")
		return true, false, nil
	}
	if d.Status == AwaitingUpload {
		resumed, err := s.resume(ctx, d)
		if err != nil {
			s.c.Log.Warn().Err(err).Str("document", id).Msg("its upload URL ran out, but whether it was processed can't be seen: it is looked at again")
		}
		if resumed || err != nil {
			return err != nil, false, nil
		}
	}
	err = s.expire(ctx, d)
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return true, false, nil // processed meanwhile
	}
	return false, err == nil && d.Status == AwaitingUpload, redisError("expiring the upload of document "+id, err)
}

// OverdueUploads returns up to limit documents, after skipping some, that
// ExpireUploads would make failed, the oldest first.
func (s *Service) OverdueUploads(ctx context.Context, skip, limit int64) ([]string, error) {
	now := strconv.FormatInt(s.c.Clock().UnixMilli(), 10)
	ids, err := s.rdb.ZRangeByScore(ctx, s.k.openUploads(), &redis.ZRangeBy{Min: "-inf", Max: now, Offset: skip, Count: limit}).Result()
	return ids, redisError("listing overdue uploads", err)
}

// expire makes a document failed that waits for its upload; any other is only
// taken out of the list of open uploads. A *rq.ConditionError says that the
// record was changed meanwhile.
func (s *Service) expire(ctx context.Context, d *Document) error {
	at := s.c.Clock()
	if d.Status != AwaitingUpload {
		return s.queue.Apply(ctx, s.unchanged(d), []rq.Effect{rq.ZRem(s.k.openUploads(), d.ID)}, nil)
	}
	e := &effects{k: s.k, id: d.ID, jobID: d.JobID, at: at}
	text := fmt.Sprintf("The upload URL ran out at %s before processing was asked for. Ask for a new upload URL.", d.UploadExpiresAt.Format(time.RFC3339))
	e.become(Failed, "error", text, "error_code", CodeUploadExpired, "current_step", "", "finished_at", stamp(at))
	e.add(rq.ZAdd(s.k.unaccepted(), score(d.ID, d.CreatedAt), d.ID))
	e.add(rq.ZRem(s.k.openUploads(), d.ID))
	e.add(rq.ZAdd(s.k.expiredUploads(), float64(d.UploadExpiresAt.UnixMilli()), d.ID))
	if d.UploadHash != "" {
		key := s.k.file(d.Owner, d.UploadHash)
		e.list = append(e.list, rq.Del(key).When(rq.Guard{Key: key, Is: d.ID}))
	}
	// Unless a client has asked for another URL since.
	return s.queue.Apply(ctx, append(s.unchanged(d), s.sameExpiry(d)), e.list, event(d.ID, AwaitingUpload, Failed, CodeUploadExpired))
}

// ExpiredUploads returns up to limit documents whose URL ran out and whose
// object may still be there, the oldest first, after skipping some.
func (s *Service) ExpiredUploads(ctx context.Context, skip, limit int64) ([]string, error) {
	ids, err := s.rdb.ZRange(ctx, s.k.expiredUploads(), skip, skip+limit-1).Result()
	return ids, redisError("listing expired uploads", err)
}

// Verdict is what may be done with an object in storage.
type Verdict int

// The verdicts.
const (
	// Keep: a document needs it, or may.
	Keep Verdict = iota
	// Remove: nobody will ask for it any more.
	Remove
	// NoRecord: there is no record of its document.
	NoRecord
)

// Release decides what may be done with the upload temp/<id>/<uploadID> and,
// unless it is a dry run, notes in the record that it is about to be removed,
// in a script that checks that record and job are as they were read: from then
// on process answers upload_gone and cannot enqueue the document any more. So
// an object is only removed after Remove was returned, and nothing that was
// enqueued loses its file.
func (s *Service) Release(ctx context.Context, id, uploadID string, dryRun bool) (Verdict, error) {
	for range raceLimit {
		v, err := s.view(ctx, id)
		var e *Error
		if errors.As(err, &e) && e.Kind == NotFound {
			return NoRecord, nil
		}
		if err != nil {
			return Keep, err
		}
		verdict, mark := s.judge(v, uploadID)
		if verdict != Remove || !mark || dryRun {
			return verdict, nil
		}
		err = s.mark(ctx, v)
		var raced *rq.ConditionError
		if err == nil {
			return Remove, nil
		}
		if !errors.As(err, &raced) {
			return Keep, redisError("releasing the upload of document "+id, err)
		}
	}
	return Keep, nil // it is being worked with
}

// judge says what may be done with an upload, and whether the record must be
// marked before.
func (s *Service) judge(v view, uploadID string) (verdict Verdict, mark bool) {
	now, ended := s.c.Clock(), v.FinishedAt
	if ended.IsZero() {
		ended = v.UpdatedAt
	}
	switch {
	case uploadID != v.UploadID:
		return Remove, false // of no upload that the record knows
	case v.UploadRemoved:
		return Remove, false // noted before; removing it had failed
	case v.Status.Active() || (v.job != "" && !v.job.Final()):
		return Keep, false // also when a Python tool requeued the job
	case v.Status == AwaitingUpload:
		if now.Before(v.UploadExpiresAt) {
			return Keep, false
		}
		return Remove, true
	case v.Status.Succeeded(), v.ErrorCode == CodeUploadExpired:
		return Remove, true
	case now.Before(ended.Add(s.c.FailedUploadTTL)):
		return Keep, false // failed or canceled: kept for a retry
	}
	return Remove, true
}

// mark notes that the upload is about to be removed. A document that still
// waits for it becomes failed.
func (s *Service) mark(ctx context.Context, v view) error {
	if v.Status == AwaitingUpload {
		// Failed first: the record is then marked in the next round.
		if err := s.expire(ctx, v.Document); err != nil {
			return err
		}
		return &rq.ConditionError{Key: s.k.document(v.ID)}
	}
	e := s.outcome(v.Document)
	e.set("s3_file_deleted", "1")
	e.unsaved()
	return s.queue.Apply(ctx, s.same(v), e.list, nil)
}

// ArtifactVerdict says what may be done with what one execution wrote. It
// never changes the record: artifacts are only removed that no record will
// ever name.
func (s *Service) ArtifactVerdict(ctx context.Context, id, executionID string) (Verdict, error) {
	v, err := s.view(ctx, id)
	var e *Error
	switch {
	case errors.As(err, &e) && e.Kind == NotFound:
		return s.withoutRecord(ctx, id)
	case err != nil:
		return Keep, err
	case executionID == RecordExecution, executionID == ArchivedExecution:
		return Keep, nil // copies of the record
	case !v.Status.Final() || (v.job != "" && !v.job.Final()):
		return Keep, nil // an execution may be at work and commit
	case v.ExecutionID == executionID, v.OriginalKey == OriginalKey(id, executionID):
		return Keep, nil // a duplicate has no artifacts, but may have its original
	}
	return Remove, nil
}

// withoutRecord judges artifacts of a document that has no record.
func (s *Service) withoutRecord(ctx context.Context, id string) (Verdict, error) {
	deleted, err := s.wasDeleted(ctx, id)
	switch {
	case err != nil:
		return Keep, err
	case deleted:
		return Remove, nil // whatever it looks like
	}
	return NoRecord, nil
}

// CompletedIDs returns up to limit ids of completed documents after the given
// one, in the order of their creation, and so of their ids and of a listing of
// DocumentsPrefix. "" begins.
func (s *Service) CompletedIDs(ctx context.Context, after string, limit int64) ([]string, error) {
	key := s.k.byState(Completed)
	from := int64(0)
	if after != "" {
		rank, err := s.rdb.ZRank(ctx, key, after).Result()
		switch {
		case errors.Is(err, redis.Nil):
			return s.completedFrom(ctx, key, after, limit)
		case err != nil:
			return nil, redisError("listing completed documents", err)
		}
		from = rank + 1
	}
	ids, err := s.rdb.ZRange(ctx, key, from, from+limit-1).Result()
	return ids, redisError("listing completed documents", err)
}

// completedFrom goes on after a document that has been deleted meanwhile.
func (s *Service) completedFrom(ctx context.Context, key, after string, limit int64) ([]string, error) {
	low := strconv.FormatFloat(score(after, time.Time{}), 'f', -1, 64)
	ids, err := s.rdb.ZRangeByScore(ctx, key, &redis.ZRangeBy{Min: low, Max: "+inf", Count: limit}).Result()
	for len(ids) > 0 && ids[0] <= after {
		ids = ids[1:]
	}
	return ids, redisError("listing completed documents", err)
}
