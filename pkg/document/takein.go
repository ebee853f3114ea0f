package document

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TakeObject makes a document of an object that is in the bucket and enqueues
// its job, in one script. Asked again while the object is the same, it answers
// the same document and job, unless that failed or was canceled. The object
// stays where it is and as it is. Errors: Invalid with the field, NotFound
// (object_not_found), Conflict (busy, and installation_mismatch or
// records_missing: no document may be made in this Redis), Unavailable.
func (s *Service) TakeObject(ctx context.Context, r ObjectRequest) (*Accepted, error) {
	if err := s.validObject(&r); err != nil {
		return nil, err
	}
	if _, err := s.mustBeInstalled(ctx); err != nil {
		return nil, err
	}
	object, err := s.bucket.Stat(ctx, r.Key)
	if errors.Is(err, objstore.ErrNotFound) {
		return nil, &Error{Kind: NotFound, Code: CodeObjectNotFound, Field: "key", Detail: fmt.Sprintf(
			"Bucket %s has no object %q.%s", s.bucket.Bucket(), r.Key, slashHint(r.Key))}
	}
	if err != nil {
		return nil, storageError("looking for object "+r.Key, err)
	}
	if object.Size < 1 {
		return nil, invalid("key", "Object %q is empty.", r.Key)
	}
	if err := s.validSize(r.Key, object.Size); err != nil {
		return nil, err
	}
	for range raceLimit {
		installed, err := s.mustBeInstalled(ctx)
		if err != nil {
			return nil, err
		}
		d, job, err := s.takeObjectOnce(ctx, r, object, installed)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			s.otherRedis(raced)
			continue
		}
		if err != nil {
			return nil, redisError("enqueueing object "+r.Key, err)
		}
		return s.accepted(ctx, d, job, r.process())
	}
	return nil, &Error{Kind: Conflict, Code: CodeBusy,
		Detail: fmt.Sprintf("Object %q is being taken in by others all the time. Try again.", r.Key)}
}

// takeObjectOnce returns the document of this object, or a new one. A
// *rq.ConditionError says that somebody else made one meanwhile, or that
// installed does not hold.
func (s *Service) takeObjectOnce(ctx context.Context, r ObjectRequest, object objstore.Object, installed rq.Condition) (*Document, *rq.Job, error) {
	known, err := s.lookUp(ctx, s.k.object(r.Key))
	if err != nil {
		return nil, nil, err
	}
	if d := known.document; d != nil && r.asks(d, object) {
		return d, &rq.Job{ID: d.JobID}, nil
	}
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	id, err := newID(now)
	if err != nil {
		return nil, nil, fmt.Errorf("making a document id: %w", err)
	}
	d := r.document(id, now)
	d.UploadID, d.JobID, d.QueuedAt = uuid.NewString(), uuid.NewString(), now
	changes := slices.Concat(s.objectCreation(d), s.accept(d), []rq.Effect{rq.HSet(s.k.document(id), pinned(d, object)...)})
	if r.Password != "" {
		changes = append(changes, rq.Set(s.k.password(id), r.Password, s.c.PasswordTTL))
	}
	job, err := s.queue.Enqueue(ctx, rq.Spec{
		ID: d.JobID, Queue: s.c.QueueName, Func: ProcessFunc, Args: []any{id}, AtFront: r.Priority == PriorityHigh,
		Conditions: []rq.Condition{installed, known.unchanged, {Guard: rq.Guard{Key: s.k.document(id), Not: true}}}, Effects: changes,
	})
	return d, job, err
}

// asks reports whether the request would only make the same document again.
func (r *ObjectRequest) asks(d *Document, object objstore.Object) bool {
	switch {
	case d.SourceKey != r.Key || d.ETag == "" || d.ETag != object.ETag || d.VersionID != object.VersionID:
		return false
	case d.Status == Failed || d.Status == Canceled || !d.ArchivedAt.IsZero():
		return false
	case r.AllowDuplicate != d.AllowDuplicate:
		return false
	}
	return r.SHA256 == "" || r.SHA256 == cmp.Or(d.SHA256, d.FileHash)
}

// document is the record that a request makes; its ids are the caller's part.
func (r *ObjectRequest) document(id string, now time.Time) *Document {
	return &Document{
		ID: id, Owner: DefaultOwner, Status: Uploaded, CreatedAt: now, UpdatedAt: now, SourceKey: r.Key,
		Filename: objectFilename(r.Key), Title: r.Title, Description: r.Description, Tags: r.Tags, UploadHash: r.SHA256,
		AllowDuplicate: r.AllowDuplicate, ChunkTokens: r.ChunkTokens, ChunkOverlap: r.ChunkOverlap,
	}
}

// objectCreation writes the record of an object, whose job is on its way.
func (s *Service) objectCreation(d *Document) []rq.Effect {
	return append(s.creation(d),
		rq.HSet(s.k.document(d.ID), "source_key", d.SourceKey, "queued_at", stamp(d.QueuedAt), "current_step", "waiting in the queue",
			"allow_duplicate", flag(d.AllowDuplicate), "chunk_tokens", optional(d.ChunkTokens), "chunk_overlap", optional(d.ChunkOverlap)),
		rq.Set(s.k.object(d.SourceKey), d.ID, 0))
}

// beginObject makes the record of a docsvc.process_object job in its first
// run. A document that was deleted is not made again.
func (s *Service) beginObject(ctx context.Context, job *rq.Job) error {
	r, err := ObjectArguments(job)
	if err == nil {
		err = s.validObject(&r)
	}
	if err != nil {
		return err
	}
	installed, err := s.mustBeInstalled(ctx)
	if err != nil {
		return err
	}
	id := ObjectDocumentID(job)
	_, missing := s.Get(ctx, id)
	if !isNotFound(missing) {
		return missing
	}
	if gone, err := s.wasDeleted(ctx, id); err != nil || gone {
		return cmp.Or(err, missing)
	}
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	d := r.document(id, now)
	if !job.CreatedAt.IsZero() {
		d.CreatedAt = job.CreatedAt.UTC().Truncate(time.Millisecond)
	}
	d.UploadID, d.JobID, d.QueuedAt = objectUploadID(job), job.ID, job.EnqueuedAt
	if d.QueuedAt.IsZero() {
		d.QueuedAt = now
	}
	first := append(s.unknown(id), installed)
	err = s.queue.Apply(ctx, first, append(s.objectCreation(d), s.accept(d)...), event(id, "", Uploaded, "taken_in"))
	var raced *rq.ConditionError
	switch {
	case errors.As(err, &raced) && s.otherRedis(raced):
		return s.beginObject(ctx, job)
	case errors.As(err, &raced):
		return nil // made by another run meanwhile
	}
	return redisError("recording document "+id, err)
}

// unknown holds while there is no record of the document and it was not deleted
// lately either: it may be made, or made again.
func (s *Service) unknown(id string) []rq.Condition {
	return []rq.Condition{
		{Guard: rq.Guard{Key: s.k.document(id), Not: true}},
		{Guard: rq.Guard{Key: s.k.deleted(), Field: id}},
	}
}

// wasDeleted reports whether a document of this id was deleted lately.
func (s *Service) wasDeleted(ctx context.Context, id string) (bool, error) {
	err := s.rdb.ZScore(ctx, s.k.deleted(), id).Err()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil, redisError("looking whether document "+id+" was deleted", err)
}

// checkObject looks whether the object of a document can be read.
func (s *Service) checkObject(ctx context.Context, d *Document) (objstore.Object, error) {
	object, err := s.bucket.Stat(ctx, d.SourceKey)
	switch {
	case errors.Is(err, objstore.ErrNotFound):
		return objstore.Object{}, s.objectMissing(d)
	case err != nil:
		return objstore.Object{}, storageError("looking for the object of document "+d.ID, err)
	}
	return object, s.validSize(d.SourceKey, object.Size)
}

func (s *Service) validSize(key string, size int64) error {
	if size <= s.c.MaxFileSize {
		return nil
	}
	e := invalid("key", "Object %q has %d bytes, and %d are the most that is taken (uploads.max_size).", key, size, s.c.MaxFileSize)
	e.Code = CodeTooLarge
	return e
}

// pinned are the fields of the record that say which file is processed. The
// size and type of an object are those that it has at that moment.
func pinned(d *Document, object objstore.Object) []string {
	fields := []string{"etag", object.ETag, "version_id", object.VersionID}
	if d.SourceKey == "" {
		return fields
	}
	return append(fields, "repin", "", "file_size", fmt.Sprint(object.Size), "content_type", shorten(object.ContentType, maxContentType))
}

// isPinned reports whether a run of the job knows which file it is to read. An
// object is looked at anew when its job was put back after it had ended; where
// a Python tool did so, the record says no more than how it ended.
func (d *Document) isPinned(jobID string) bool {
	return d.JobID == jobID && d.ETag != "" && (d.SourceKey == "" || !d.repin && !d.Status.Final())
}

// OpenObject opens the object that a document is made of, from an offset in
// bytes: the one that was pinned, or objstore.ErrChanged.
func (s *Service) OpenObject(ctx context.Context, d *Document, offset int64) (io.ReadCloser, objstore.Object, error) {
	return s.bucket.Get(ctx, d.SourceKey, objstore.GetOptions{ETag: d.ETag, VersionID: d.VersionID, Offset: offset})
}
