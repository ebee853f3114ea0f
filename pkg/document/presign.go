package document

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// NewUpload is what a client says of a file that it is going to upload.
type NewUpload struct {
	Filename    string   // 1 to 255 characters, without a path
	FileSize    int64    // bytes
	ContentType string   // may be empty: the content decides
	Title       string   // at most 255 characters
	Description string   // at most 1000 characters
	Tags        []string // at most 10 of at most 50 characters
	SHA256      string   // of the bytes, hexadecimal, or empty
}

// Upload is where to send the file.
type Upload struct {
	UploadURL  string
	DocumentID string
	UploadID   string
	ExpiresIn  time.Duration
	ExpiresAt  time.Time
	Method     string
	Headers    map[string]string // to be sent exactly so; nil when any will do
}

// Presign makes a record in state awaiting_upload and then a URL to upload its
// file to: whoever has a URL has a record. Errors: Invalid with the field,
// Unavailable.
func (s *Service) Presign(ctx context.Context, n NewUpload) (*Upload, error) {
	if err := s.validate(&n); err != nil {
		return nil, err
	}
	if err := s.mustBeInstalled(ctx); err != nil {
		return nil, err
	}
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	id, err := newID(now)
	if err != nil {
		return nil, fmt.Errorf("making a document id: %w", err)
	}
	d := &Document{
		ID: id, Owner: DefaultOwner, Status: AwaitingUpload, CreatedAt: now, UpdatedAt: now,
		Filename: n.Filename, Title: n.Title, Description: n.Description, Tags: n.Tags,
		ContentType: n.ContentType, FileSize: n.FileSize, FileHash: n.SHA256,
		UploadID: uuid.NewString(), JobID: uuid.NewString(), UploadExpiresAt: now.Add(s.c.UploadTTL),
	}
	d.UploadKey = UploadKey(d.ID, d.UploadID)
	conditions := []rq.Condition{{Guard: rq.Guard{Key: s.k.document(id), Not: true}}}
	labels := event(d.ID, "", AwaitingUpload, "presigned")
	if err := s.queue.Apply(ctx, conditions, s.creation(d), labels); err != nil {
		return nil, redisError("recording a new document", err)
	}
	p, err := s.store.PresignPut(ctx, d.UploadKey, objstore.PresignOptions{
		Expires: s.c.UploadTTL, ContentType: d.ContentType, Size: d.FileSize, SHA256Hex: d.FileHash,
		ContentDisposition: objstore.Disposition(d.Filename),
	})
	if err != nil {
		return nil, storageError("signing an upload URL", err)
	}
	return &Upload{UploadURL: p.URL, DocumentID: d.ID, UploadID: d.UploadID, ExpiresIn: s.c.UploadTTL,
		ExpiresAt: p.ExpiresAt, Method: p.Method, Headers: p.Headers}, nil
}

// creation writes a new record, its upload and its place in the indexes.
func (s *Service) creation(d *Document) []rq.Effect {
	at := score(d.ID, d.CreatedAt)
	list := []rq.Effect{
		rq.HSet(s.k.document(d.ID),
			"schema", schema, "owner", d.Owner, "status", string(d.Status),
			"created_at", stamp(d.CreatedAt), "updated_at", stamp(d.UpdatedAt),
			"filename", d.Filename, "title", d.Title, "description", d.Description, "tags", list(d.Tags),
			"content_type", d.ContentType, "file_size", strconv.FormatInt(d.FileSize, 10), "file_hash", d.FileHash,
			"upload_id", d.UploadID, "upload_key", d.UploadKey, "upload_expires_at", stamp(d.UploadExpiresAt),
			"job_id", d.JobID),
		rq.HSet(s.k.upload(d.UploadID),
			"schema", schema, "owner", d.Owner, "document_id", d.ID, "key", d.UploadKey,
			"created_at", stamp(d.CreatedAt), "expires_at", stamp(d.UploadExpiresAt)),
		rq.ZAdd(s.k.all(), at, d.ID),
		rq.ZAdd(s.k.byState(d.Status), at, d.ID),
		rq.ZAdd(s.k.byOwner(d.Owner), at, d.ID),
		rq.ZAdd(s.k.openUploads(), float64(d.UploadExpiresAt.UnixMilli()), d.ID),
	}
	for _, tag := range d.Tags {
		list = append(list, rq.ZAdd(s.k.byTag(tag), at, d.ID))
	}
	return list
}

// event labels an entry of the events stream that no job makes.
func event(id string, from, to State, reason string) map[string]string {
	return map[string]string{"document": id, "document_from": string(from), "document_to": string(to), "reason": reason}
}
