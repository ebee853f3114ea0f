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

// Begin loads the record for a job that a worker has started. Everything that
// the run then writes is guarded by the record still naming this job.
//
// A document that is already completed or a duplicate is returned as it is:
// there is nothing to do but answer its result again. A job that is not the
// record's own (a Python producer may enqueue a document as it likes) becomes
// its own when the one that is isn't active; an upload that nobody had
// accepted is checked and pinned as process does.
//
// Errors: NotFound (no such record), Conflict (other_job, upload_missing,
// size_mismatch, upload_expired, upload_gone, object_missing), which another
// run would only meet again; Invalid (what a docsvc.process_object job was
// called with, too_large); Unavailable.
//
// The first run of a docsvc.process_object job makes the record.
func (s *Service) Begin(ctx context.Context, job *rq.Job) (*Document, error) {
	if job.Func == ObjectFunc {
		if err := s.beginObject(ctx, job); err != nil {
			return nil, err
		}
	}
	id, ok := IDFromJob(job)
	if !ok {
		return nil, invalid("document_id", "%s takes one argument, the id of a document.", ProcessFunc)
	}
	for range raceLimit {
		d, err := s.changeable(ctx, id)
		if err != nil || d.Status.Succeeded() || d.isPinned(job.ID) {
			return d, err
		}
		err = s.adopt(ctx, d, job)
		var raced *rq.ConditionError
		switch {
		case err == nil:
			return s.Record(ctx, id)
		case !errors.As(err, &raced):
			return nil, redisError("taking document "+id+" over", err)
		}
	}
	return nil, busy(id)
}

// adopt makes the job the document's own and pins the upload.
func (s *Service) adopt(ctx context.Context, d *Document, job *rq.Job) error {
	conditions := s.unchanged(d)
	if d.JobID != job.ID {
		own, err := s.queue.Job(ctx, d.JobID)
		switch {
		case errors.Is(err, rq.ErrNoJob):
			own = &rq.Job{}
		case err != nil:
			return redisError("reading job "+d.JobID, err)
		case !own.Status.Final():
			return &Error{Kind: Conflict, Code: CodeOtherJob, State: d.Status, Detail: fmt.Sprintf(
				"Document %s is being processed by job %s already, which is %s.", d.ID, d.JobID, own.Status)}
		}
		conditions = append(conditions, rq.Condition{Guard: rq.Guard{Key: rq.JobKey(d.JobID), Field: "status", Is: string(own.Status)}})
	}
	object, err := s.checkUpload(ctx, d)
	if err != nil {
		return err
	}
	e := s.outcome(d)
	if d.Status == AwaitingUpload { // accepted from here on, like one that process was asked for
		e.become(Uploaded, "current_step", "waiting in the queue")
	}
	now := e.at
	key := s.k.document(d.ID)
	changes := append(append(e.list, s.accept(d)...),
		rq.HSet(key, append(pinned(d, object), "job_id", job.ID, "updated_at", stamp(now))...),
		rq.HSet(key, "queued_at", stamp(job.EnqueuedAt)).When(rq.Guard{Key: key, Field: "queued_at", Is: ""}),
		rq.ZRem(s.k.openUploads(), d.ID),
		rq.ZRem(s.k.expiredUploads(), d.ID))
	return s.queue.Apply(ctx, conditions, changes, nil)
}

// Password returns the password given with process, "" when there is none.
func (s *Service) Password(ctx context.Context, id string) (string, error) {
	password, err := s.rdb.Get(ctx, s.k.password(id)).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return password, redisError("reading the password of document "+id, err)
}

// Progress is what a worker reports while it works.
type Progress struct {
	Status          State
	Percent         int // 0 to 100
	Step            string
	Page, Pages     int
	ChunksProcessed int
	TotalChunks     int
	// Attempt counts one attempt, sets started_at and clears the last error.
	Attempt bool
	At      time.Time // of the attempt's beginning; zero is now
}

// ProgressEffects are the writes of a Progress, and the labels of its event:
// nil when the state is the one of d, so that the stream holds changes only.
func (s *Service) ProgressEffects(d *Document, p Progress) ([]rq.Effect, map[string]string) {
	now := s.c.Clock()
	e := effects{k: s.k, id: d.ID, jobID: d.JobID, at: now}
	fields := []string{"progress", strconv.Itoa(max(0, min(p.Percent, 100))), "current_step", shorten(p.Step, maxErrorText),
		"page", strconv.Itoa(p.Page), "pages", strconv.Itoa(p.Pages),
		"chunks_processed", strconv.Itoa(p.ChunksProcessed), "total_chunks", strconv.Itoa(p.TotalChunks)}
	if p.Attempt {
		began := p.At
		if began.IsZero() {
			began = now
		}
		// A number, not an increment: the effects may be applied twice.
		fields = append(fields, "attempts", strconv.Itoa(d.Attempts+1), "started_at", stamp(began),
			"finished_at", "", "next_attempt_at", "", "error", "", "error_code", "", "processing_ms", "")
	}
	e.become(p.Status, fields...)
	if p.Attempt || p.Status != d.Status {
		return e.list, map[string]string{"document": d.ID, "document_to": string(p.Status)}
	}
	return e.list, nil
}

// ClaimHolder returns the document that has these bytes or this text, "" for
// none; an empty sum is left out. It saves work and decides nothing: that is
// Complete's part.
func (s *Service) ClaimHolder(ctx context.Context, d *Document, sha256, textSHA256 string) (string, error) {
	var names []string
	if sha256 != "" {
		names = append(names, s.k.sha256(d.Owner, sha256))
	}
	if textSHA256 != "" {
		names = append(names, s.k.text(d.Owner, textSHA256))
	}
	if len(names) == 0 {
		return "", nil
	}
	values, err := s.rdb.MGet(ctx, names...).Result()
	if err != nil {
		return "", redisError("looking for duplicates of document "+d.ID, err)
	}
	for _, v := range values {
		if holder, _ := v.(string); holder != "" && holder != d.ID {
			return holder, nil
		}
	}
	return "", nil
}

// ReleaseStaleClaim drops the claims of holder on these sums when holder is
// not a completed document (any more), or a partial one, which older versions
// let claim. It reports whether it was so.
func (s *Service) ReleaseStaleClaim(ctx context.Context, d *Document, holder, sha256, textSHA256 string) (bool, error) {
	record := s.k.document(holder)
	var drop []rq.Effect
	for _, key := range []string{s.k.sha256(d.Owner, sha256), s.k.text(d.Owner, textSHA256)} {
		drop = append(drop, rq.Del(key).When(rq.Guard{Key: key, Is: holder}))
	}
	for _, stale := range []rq.Guard{{Key: record, Field: "status", Is: string(Completed), Not: true}, {Key: record, Field: "partial", Is: flag(true)}} {
		err := s.queue.Apply(ctx, []rq.Condition{{Guard: stale}}, drop, nil)
		var held *rq.ConditionError
		if !errors.As(err, &held) {
			return err == nil, redisError("releasing the claim of document "+holder, err)
		}
	}
	return false, nil
}

// UploadRemoved notes that the upload's object is gone. It does nothing to a
// record that is gone, too.
func (s *Service) UploadRemoved(ctx context.Context, d *Document) error {
	key := s.k.document(d.ID)
	changes := []rq.Effect{rq.Del(s.k.upload(d.UploadID)), rq.ZRem(s.k.expiredUploads(), d.ID)}
	if !d.UploadRemoved {
		exists := rq.Guard{Key: key, Field: "upload_id", Is: d.UploadID}
		changes = append(changes, rq.HSet(key, "s3_file_deleted", "1").When(exists),
			rq.ZAdd(s.k.unsaved(), float64(s.c.Clock().UnixMilli()), d.ID).When(exists))
	}
	err := s.queue.Apply(ctx, nil, changes, nil)
	return redisError("noting that the upload of document "+d.ID+" was removed", err)
}
