package document

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// An attachment of a mail becomes a document of its own while the mail is
// processed. All its ids are made of the mail's id and of where the attachment
// stands in it: every run of the mail's job names the same document, whose
// record, ledger entry and job are made in one script, once. From then on
// nothing binds the two but parent_id in the one record and children in the
// other: either is processed, retried, canceled and deleted for itself.

// Attachment is a file that was taken out of a document.
type Attachment struct {
	Path        string // where it stands in the document
	Filename    string
	ContentType string // as it was declared
	Size        int64  // bytes
}

// Child is the document of an attachment.
type Child struct {
	DocumentID string
	UploadID   string
	// Known: it was made before, whatever has become of it.
	Known bool
}

// UploadKey is where the bytes of the attachment belong.
func (c Child) UploadKey() string { return UploadKey(c.DocumentID, c.UploadID) }

// Child names the document of the attachment at a path of parent, and says
// whether it was made before. One that was deleted is known as long as it is
// remembered. Errors: Unavailable.
func (s *Service) Child(ctx context.Context, parent *Document, path string) (Child, error) {
	sum := sha256.Sum256([]byte(parent.ID + "\x00" + path))
	id := version7(uuid.UUID(sum[:16]), parent.CreatedAt)
	c := Child{DocumentID: id, UploadID: derivedID(id, "upload")}
	_, err := s.Get(ctx, id)
	switch {
	case err == nil:
		c.Known = true
		return c, nil
	case !isNotFound(err):
		return c, err
	}
	c.Known, err = s.wasDeleted(ctx, id)
	return c, err
}

// derivedID is a random-looking id that follows from a document's.
func derivedID(id, what string) string {
	sum := sha256.Sum256([]byte(id + "\x00" + what))
	u := uuid.UUID(sum[:16])
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return u.String()
}

// TakeAttachment makes the document of an attachment whose bytes have been
// stored as object, and enqueues its job, in one script; a second time it does nothing. It
// is for the run of parent's job: once parent is another's, has its outcome or
// is gone, nothing is made. Errors: Conflict (other_job: parent is not
// this run's any more; busy, and installation_mismatch or records_missing), Unavailable.
func (s *Service) TakeAttachment(ctx context.Context, parent *Document, a Attachment, c Child, object objstore.Object) error {
	for range raceLimit {
		installed, err := s.mustBeInstalled(ctx)
		if err != nil {
			return err
		}
		d := s.attached(parent, a, c)
		conditions := append(append(s.uncommitted(parent), s.unknown(d.ID)...), installed)
		_, err = s.queue.Enqueue(ctx, rq.Spec{
			ID: d.JobID, Queue: s.c.QueueName, Func: ProcessFunc, Args: []any{d.ID},
			Conditions: conditions, Effects: append(s.attachedCreation(d, object), s.accept(d)...),
		})
		var raced *rq.ConditionError
		switch {
		case err == nil:
			return nil
		case !errors.As(err, &raced):
			return redisError("enqueueing attachment "+d.ID, err)
		case s.otherRedis(raced):
			continue
		case raced.Key == s.k.document(parent.ID):
			return &Error{Kind: Conflict, Code: CodeOtherJob, State: parent.Status, Detail: fmt.Sprintf(
				"Document %s is not this job's any more: its attachments are not taken in.", parent.ID)}
		default:
			return nil // made, or deleted, meanwhile
		}
	}
	return busy(parent.ID)
}

// attached is the record of an attachment. It is created when its parent was,
// as its id says, and processed as that is.
func (s *Service) attached(parent *Document, a Attachment, c Child) *Document {
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	return &Document{
		ID: c.DocumentID, Owner: parent.Owner, Status: Uploaded, CreatedAt: parent.CreatedAt, UpdatedAt: now, QueuedAt: now,
		Filename: attachmentName(a.Filename), Tags: parent.Tags, ContentType: shorten(a.ContentType, maxContentType), FileSize: a.Size,
		UploadID: c.UploadID, JobID: derivedID(c.DocumentID, "job"), ParentID: parent.ID, Depth: parent.Depth + 1,
		AllowDuplicate: parent.AllowDuplicate, ChunkTokens: parent.ChunkTokens, ChunkOverlap: parent.ChunkOverlap,
	}
}

func attachmentName(name string) string {
	if name == "" {
		return "attachment"
	}
	return objectFilename(name)
}

// attachedCreation writes the record of an attachment, whose job is on its way.
func (s *Service) attachedCreation(d *Document, object objstore.Object) []rq.Effect {
	return append(s.creation(d), rq.HSet(s.k.document(d.ID),
		"etag", object.ETag, "version_id", object.VersionID, "parent_id", d.ParentID, "depth", strconv.Itoa(d.Depth),
		"queued_at", stamp(d.QueuedAt), "current_step", "waiting in the queue", "allow_duplicate", flag(d.AllowDuplicate),
		"chunk_tokens", optional(d.ChunkTokens), "chunk_overlap", optional(d.ChunkOverlap)))
}
