package document

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

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
	// Resume answers the document again that awaits these bytes, where there
	// is one. It needs SHA256.
	Resume bool
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
// file to: whoever has a URL has a record. With Resume, a document that awaits
// the same bytes is answered again, with a URL that works anew; what the first
// call said of it stays. Any number of callers that resume at the same time get
// the same one. Errors: Invalid with the field, Conflict (busy, and
// installation_mismatch or records_missing: no document may be made in this
// Redis), Unavailable.
func (s *Service) Presign(ctx context.Context, n NewUpload) (*Upload, error) {
	if err := s.validate(&n); err != nil {
		return nil, err
	}
	for range raceLimit {
		installed, err := s.mustBeInstalled(ctx)
		if err != nil {
			return nil, err
		}
		d, err := s.announce(ctx, n, installed)
		var raced *rq.ConditionError
		if errors.As(err, &raced) {
			s.otherRedis(raced)
			continue
		}
		if err != nil {
			return nil, redisError("recording a new document", err)
		}
		return s.signed(ctx, d)
	}
	return nil, &Error{Kind: Conflict, Code: CodeBusy,
		Detail: "The document of these bytes is being changed by others all the time. Try again."}
}

// announce writes the record of an upload that is to come. A
// *rq.ConditionError says that somebody else did so meanwhile, or that
// installed does not hold.
func (s *Service) announce(ctx context.Context, n NewUpload, installed rq.Condition) (*Document, error) {
	conditions := []rq.Condition{installed}
	if n.Resume {
		known, err := s.lookUp(ctx, s.k.file(DefaultOwner, n.SHA256))
		if err != nil {
			return nil, err
		}
		if d := known.document; d != nil && d.Status == AwaitingUpload && !d.UploadRemoved && d.FileSize == n.FileSize && d.UploadHash == n.SHA256 {
			return d, s.extend(ctx, d)
		}
		conditions = append(conditions, known.unchanged)
	}
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	id, err := newID(now)
	if err != nil {
		return nil, fmt.Errorf("making a document id: %w", err)
	}
	d := &Document{
		ID: id, Owner: DefaultOwner, Status: AwaitingUpload, CreatedAt: now, UpdatedAt: now,
		Filename: n.Filename, Title: n.Title, Description: n.Description, Tags: n.Tags,
		ContentType: n.ContentType, FileSize: n.FileSize, FileHash: n.SHA256, UploadHash: n.SHA256,
		UploadID: uuid.NewString(), JobID: uuid.NewString(), UploadExpiresAt: now.Add(s.c.UploadTTL),
	}
	d.UploadKey = UploadKey(d.ID, d.UploadID)
	conditions = append(conditions, rq.Condition{Guard: rq.Guard{Key: s.k.document(id), Not: true}})
	return d, s.queue.Apply(ctx, conditions, s.announcement(d), event(d.ID, "", AwaitingUpload, "presigned"))
}

// named is what a key holds that names a document.
type named struct {
	document  *Document    // nil when the key, or the record that it names, is missing
	id        string       // the key's text
	unchanged rq.Condition // holds while the key is as it was read
}

// lookUp reads a key that names a document, and its record.
func (s *Service) lookUp(ctx context.Context, key string) (named, error) {
	id, err := s.rdb.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return named{unchanged: rq.Condition{Guard: rq.Guard{Key: key, Not: true}}}, nil
	}
	if err != nil {
		return named{}, redisError("reading "+key, err)
	}
	n := named{id: id, unchanged: rq.Condition{Guard: rq.Guard{Key: key, Is: id}}}
	n.document, err = s.Record(ctx, id)
	var e *Error
	if errors.As(err, &e) && (e.Kind == NotFound || e.Kind == Internal) {
		err = nil // a record that can't be read is none to go on with
	}
	return n, err
}

// extend moves the time at which the upload URL of a waiting document runs
// out. It never comes nearer: URLs given before work on.
func (s *Service) extend(ctx context.Context, d *Document) error {
	now := s.c.Clock().UTC().Truncate(time.Millisecond)
	until := now.Add(s.c.UploadTTL)
	if until.Before(d.UploadExpiresAt) {
		until = d.UploadExpiresAt
	}
	conditions := append(s.unchanged(d), s.sameExpiry(d))
	err := s.queue.Apply(ctx, conditions, []rq.Effect{
		rq.HSet(s.k.document(d.ID), "upload_expires_at", stamp(until), "updated_at", stamp(now)),
		rq.HSet(s.k.upload(d.UploadID), "expires_at", stamp(until)),
		rq.ZAdd(s.k.openUploads(), float64(until.UnixMilli()), d.ID),
	}, nil)
	d.UploadExpiresAt, d.UpdatedAt = until, now
	return err
}

// sameExpiry holds while nobody has moved the end of the upload URL.
func (s *Service) sameExpiry(d *Document) rq.Condition {
	return rq.Condition{Guard: rq.Guard{Key: s.k.document(d.ID), Field: "upload_expires_at", Is: stamp(d.UploadExpiresAt)}}
}

// signed gives the URL of a document that waits for its upload.
func (s *Service) signed(ctx context.Context, d *Document) (*Upload, error) {
	p, err := s.store.PresignPut(ctx, d.UploadKey, objstore.PresignOptions{
		Expires: s.c.UploadTTL, ContentType: d.ContentType, Size: d.FileSize, SHA256Hex: d.UploadHash,
		ContentDisposition: objstore.Disposition(d.Filename),
	})
	if err != nil {
		return nil, storageError("signing an upload URL", err)
	}
	return &Upload{UploadURL: p.URL, DocumentID: d.ID, UploadID: d.UploadID, ExpiresIn: s.c.UploadTTL,
		ExpiresAt: p.ExpiresAt, Method: p.Method, Headers: p.Headers}, nil
}

// announcement writes a record that waits for its upload, and the upload.
func (s *Service) announcement(d *Document) []rq.Effect {
	list := append(s.creation(d),
		rq.HSet(s.k.document(d.ID), "upload_key", d.UploadKey, "upload_expires_at", stamp(d.UploadExpiresAt)),
		rq.HSet(s.k.upload(d.UploadID),
			"schema", schema, "owner", d.Owner, "document_id", d.ID, "key", d.UploadKey,
			"created_at", stamp(d.CreatedAt), "expires_at", stamp(d.UploadExpiresAt)),
		rq.ZAdd(s.k.openUploads(), float64(d.UploadExpiresAt.UnixMilli()), d.ID))
	if d.UploadHash != "" {
		list = append(list, rq.Set(s.k.file(d.Owner, d.UploadHash), d.ID, 0))
	}
	return list
}

// creation writes a new record and its place in the indexes.
func (s *Service) creation(d *Document) []rq.Effect {
	at := score(d.ID, d.CreatedAt)
	list := []rq.Effect{
		rq.HSet(s.k.document(d.ID),
			"schema", schema, "owner", d.Owner, "status", string(d.Status),
			"created_at", stamp(d.CreatedAt), "updated_at", stamp(d.UpdatedAt),
			"filename", d.Filename, "title", d.Title, "description", d.Description, "tags", list(d.Tags),
			"content_type", d.ContentType, "file_size", strconv.FormatInt(d.FileSize, 10), "file_hash", d.UploadHash,
			"upload_id", d.UploadID, "job_id", d.JobID),
		rq.ZAdd(s.k.all(), at, d.ID),
		rq.ZAdd(s.k.byState(d.Status), at, d.ID),
		rq.ZAdd(s.k.byOwner(d.Owner), at, d.ID),
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
