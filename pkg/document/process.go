package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// The priorities of a ProcessRequest.
const (
	PriorityNormal = "normal"
	PriorityHigh   = "high" // to the front of the queue
)

// Limits of chunk sizes that a client may ask for, in tokens.
const (
	MinChunkTokens = 50
	MaxChunkTokens = 8000
)

// ProcessRequest asks for an uploaded document to be processed.
type ProcessRequest struct {
	UploadID       string
	FileHash       string // sha256 of the bytes, hexadecimal, or empty
	Priority       string // PriorityHigh, PriorityNormal or empty
	AllowDuplicate bool   // complete it even when another document is the same
	ChunkTokens    *int   // nil: as configured
	ChunkOverlap   *int   // tokens; nil: as configured
	Password       string // of an encrypted file; never stored but for the worker, with a time to live
}

// Accepted is the answer to a ProcessRequest.
type Accepted struct {
	JobID            string
	DocumentID       string
	Status           State
	EstimatedTime    string // "2-5 minutes"
	EstimatedSeconds int
}

// raceLimit is how often a decision is made again because the record changed
// between reading and writing.
const raceLimit = 8

// Process enqueues a document's job, in one script with the record's change.
// Asked again it answers the same job; of a failed or canceled document it
// requeues the job. Errors: Invalid (upload_id, ...), NotFound, Conflict
// (upload_missing, size_mismatch, upload_expired, upload_gone, object_missing;
// nothing has changed, but an upload whose URL ran out becomes failed),
// Unavailable.
func (s *Service) Process(ctx context.Context, id string, r ProcessRequest) (*Accepted, error) {
	if err := r.validate(); err != nil {
		return nil, err
	}
	for range raceLimit {
		d, err := s.changeable(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := r.matches(d); err != nil {
			return nil, err
		}
		job, err := s.processOnce(ctx, d, r)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s.accepted(ctx, d, job, r)
	}
	return nil, busy(id)
}

func busy(id string) *Error {
	return &Error{Kind: Conflict, Code: CodeBusy, Detail: fmt.Sprintf("Document %s is being changed by others all the time. Try again.", id)}
}

func (r *ProcessRequest) validate() error {
	if r.UploadID == "" {
		return invalid("upload_id", "upload_id is missing: give the one that came with the upload URL.")
	}
	switch r.Priority {
	case "", PriorityNormal, PriorityHigh:
	default:
		return invalid("priority", "priority must be normal or high, got %s.", printable(r.Priority))
	}
	sum, err := validSHA256("file_hash", r.FileHash)
	if err != nil {
		return err
	}
	r.FileHash = sum
	if n := r.ChunkTokens; n != nil && (*n < MinChunkTokens || *n > MaxChunkTokens) {
		return invalid("chunk_tokens", "chunk_tokens must be between %d and %d, got %d.", MinChunkTokens, MaxChunkTokens, *n)
	}
	if n := r.ChunkOverlap; n != nil && (*n < 0 || *n > MaxChunkTokens/2) {
		return invalid("chunk_overlap", "chunk_overlap must be between 0 and %d, got %d.", MaxChunkTokens/2, *n)
	}
	if r.ChunkTokens != nil && r.ChunkOverlap != nil && *r.ChunkOverlap > *r.ChunkTokens/2 {
		return invalid("chunk_overlap", "chunk_overlap must be at most half of chunk_tokens, got %d of %d.", *r.ChunkOverlap, *r.ChunkTokens)
	}
	if len(r.Password) > maxPassword {
		return invalid("password", "password must have at most %d bytes.", maxPassword)
	}
	return nil
}

// matches compares the request with what the upload was declared to be.
func (r *ProcessRequest) matches(d *Document) error {
	if r.UploadID != d.UploadID {
		return &Error{Kind: Invalid, Code: CodeWrongUpload, Field: "upload_id", State: d.Status,
			Detail: fmt.Sprintf("upload_id %s is not the one of document %s.", printable(r.UploadID), d.ID)}
	}
	return nil
}

// processOnce returns the document's job: the one that is on its way, or a new
// run of it. A *rq.ConditionError means that the record changed meanwhile.
func (s *Service) processOnce(ctx context.Context, d *Document, r ProcessRequest) (*rq.Job, error) {
	job, err := s.queue.Job(ctx, d.JobID)
	switch {
	case errors.Is(err, rq.ErrNoJob):
		job = nil
	case err != nil:
		return nil, redisError("reading job "+d.JobID, err)
	}
	if d.Status.Succeeded() || (d.Status.Active() && job != nil && !job.Status.Final()) {
		if job == nil {
			job = &rq.Job{ID: d.JobID}
		}
		return job, nil
	}
	object, err := s.checkUpload(ctx, d)
	if err != nil {
		return nil, err
	}
	job, err = s.run(ctx, d, job, s.pin(d, object, r), r.Priority == PriorityHigh)
	if err != nil {
		return nil, redisError("enqueueing document "+d.ID, err)
	}
	return job, nil
}

// run enqueues the document's job, or requeues it when it ended before.
func (s *Service) run(ctx context.Context, d *Document, job *rq.Job, changes []rq.Effect, atFront bool) (*rq.Job, error) {
	conditions := s.unchanged(d)
	if job != nil && job.Status.Final() && job.Status != rq.StatusFinished {
		again, err := s.queue.Requeue(ctx, job.ID, rq.RequeueOptions{AtFront: atFront, Conditions: conditions, Effects: changes})
		var state *rq.StateError
		if err == nil || !(errors.Is(err, rq.ErrNoJob) || errors.As(err, &state)) {
			return again, err
		}
		// It vanished or was changed since it was read: enqueued below, unless
		// it is active by now.
	}
	queued, err := s.queue.Enqueue(ctx, rq.Spec{
		ID: d.JobID, Queue: s.c.QueueName, Func: ProcessFunc, Args: []any{d.ID},
		AtFront: atFront, Unique: rq.UniqueActive, Conditions: conditions, Effects: changes,
	})
	if errors.Is(err, rq.ErrActive) {
		return queued, nil
	}
	return queued, err
}

// unchanged are conditions that hold while the record is as it was read: its
// state, and that nobody has begun to remove the upload.
func (s *Service) unchanged(d *Document) []rq.Condition {
	key := s.k.document(d.ID)
	return []rq.Condition{
		{Guard: rq.Guard{Key: key, Field: "status", Is: string(d.Status)}},
		{Guard: rq.Guard{Key: key, Field: "job_id", Is: d.JobID}},
		{Guard: rq.Guard{Key: key, Field: "s3_file_deleted", Is: flag(d.UploadRemoved)}},
	}
}

// pin records what process accepted: this very object, and how to process it.
func (s *Service) pin(d *Document, object objstore.Object, r ProcessRequest) []rq.Effect {
	fields := append(pinned(d, object),
		"allow_duplicate", flag(r.AllowDuplicate),
		"chunk_tokens", optional(r.ChunkTokens), "chunk_overlap", optional(r.ChunkOverlap),
		// Apart from the hash given with the upload, so that one given wrongly
		// can be left out the next time.
		"process_hash", r.FileHash)
	list := append(s.accept(d), rq.HSet(s.k.document(d.ID), fields...))
	if r.Password == "" {
		return append(list, rq.Del(s.k.password(d.ID)))
	}
	return append(list, rq.Set(s.k.password(d.ID), r.Password, s.c.PasswordTTL))
}

// checkUpload looks whether the declared file, or the object, is there.
func (s *Service) checkUpload(ctx context.Context, d *Document) (objstore.Object, error) {
	if d.SourceKey != "" {
		return s.checkObject(ctx, d)
	}
	if d.UploadRemoved {
		return objstore.Object{}, gone(d)
	}
	object, err := s.store.Stat(ctx, d.UploadKey)
	missing := errors.Is(err, objstore.ErrNotFound)
	if missing {
		m, err := s.processed(ctx, d)
		if err != nil {
			return objstore.Object{}, err
		}
		if m != nil {
			return m.upload(d), nil
		}
	}
	expired := !s.c.Clock().Before(d.UploadExpiresAt)
	switch {
	case err != nil && !missing:
		return objstore.Object{}, storageError("looking for the upload of document "+d.ID, err)
	case !missing && object.Size == d.FileSize:
		return object, nil
	case expired && d.Status == AwaitingUpload:
		return objstore.Object{}, s.tooLate(ctx, d)
	case missing && d.Status == AwaitingUpload:
		return objstore.Object{}, &Error{Kind: Conflict, Code: CodeUploadMissing, State: d.Status, Detail: fmt.Sprintf(
			"The file of document %s has not arrived yet. Upload it with PUT to the upload URL, which works until %s, then ask again.",
			d.ID, d.UploadExpiresAt.Format(time.RFC3339))}
	case missing, expired && d.ErrorCode == CodeUploadExpired:
		return objstore.Object{}, gone(d)
	}
	e := &Error{Kind: Conflict, Code: CodeSizeMismatch, State: d.Status, DeclaredSize: d.FileSize, ActualSize: object.Size,
		Detail: fmt.Sprintf("The upload of document %s has %d bytes, but file_size said %d. ", d.ID, object.Size, d.FileSize)}
	if expired {
		e.Detail += "Its upload URL has run out: ask for a new one."
	} else {
		e.Detail += "Upload the whole file again while the upload URL works, until " + d.UploadExpiresAt.Format(time.RFC3339) + "."
	}
	return objstore.Object{}, e
}

// tooLate makes a document failed whose URL ran out before its file was there.
func (s *Service) tooLate(ctx context.Context, d *Document) error {
	if err := s.expire(ctx, d); err != nil {
		return redisError("expiring the upload of document "+d.ID, err)
	}
	return expiredError(d)
}

func expiredError(d *Document) *Error {
	return &Error{Kind: Conflict, Code: CodeUploadExpired, State: Failed, Detail: fmt.Sprintf(
		"The upload URL of document %s ran out at %s before the whole file was there. Ask for a new upload URL.",
		d.ID, d.UploadExpiresAt.Format(time.RFC3339))}
}

// gone says that a file can't be processed again because it was removed.
func gone(d *Document) *Error {
	if d.ErrorCode == CodeUploadExpired {
		return expiredError(d)
	}
	return &Error{Kind: Conflict, Code: CodeUploadGone, State: d.Status, Detail: fmt.Sprintf(
		"The file of document %s has been removed from storage, so it can't be processed again. Upload it as a new document.", d.ID)}
}

// Retry requeues a failed, stopped or canceled job of any function. The job of
// a document is only requeued while its file is still there. Errors:
// rq.ErrNoJob, *rq.StateError, Conflict (upload_gone, object_missing), NotFound
// when the document was deleted, Unavailable.
func (s *Service) Retry(ctx context.Context, jobID string) (*rq.Job, error) {
	for range raceLimit {
		job, err := s.queue.Job(ctx, jobID)
		if err != nil {
			return nil, redisError("reading job "+jobID, err)
		}
		again, err := s.retryOnce(ctx, job)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			continue
		}
		return again, redisError("requeueing job "+jobID, err)
	}
	return nil, busy(jobID)
}

func (s *Service) retryOnce(ctx context.Context, job *rq.Job) (*rq.Job, error) {
	id, ok := IDFromJob(job)
	if !ok || !job.Status.Final() || job.Status == rq.StatusFinished {
		// Not a document's, or a state that Requeue itself refuses.
		return s.queue.Requeue(ctx, job.ID, rq.RequeueOptions{})
	}
	d, err := s.changeable(ctx, id)
	if job.Func == ObjectFunc && isNotFound(err) {
		// It ended before its first run made the record, unless somebody
		// deleted that since.
		if gone, failed := s.wasDeleted(ctx, id); failed != nil || gone {
			return nil, cmp.Or(failed, err)
		}
		return s.queue.Requeue(ctx, job.ID, rq.RequeueOptions{})
	}
	if err != nil {
		return nil, err
	}
	if d.Status.Succeeded() || d.JobID != job.ID {
		return s.queue.Requeue(ctx, job.ID, rq.RequeueOptions{})
	}
	object, err := s.checkUpload(ctx, d)
	if err != nil {
		return nil, err
	}
	repin := rq.HSet(s.k.document(d.ID), pinned(d, object)...)
	return s.queue.Requeue(ctx, job.ID, rq.RequeueOptions{Conditions: s.unchanged(d), Effects: []rq.Effect{repin}})
}
