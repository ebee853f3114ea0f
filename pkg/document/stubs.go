package document

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

var errNotBuilt = errors.New("not built")

// ProcessFunc is the function name of processing jobs.
const ProcessFunc = "docsvc.process_document"

// IDFromJob returns the document that a docsvc.process_document job is for.
func IDFromJob(j *rq.Job) (string, bool) { return "", false }

// Effects gives the document side of every transition of a processing job.
func Effects(namespace string) rq.EffectsFunc {
	return func(rq.Transition) rq.Extra { return rq.Extra{} }
}

// NewUpload is what a client says of a file that it is going to upload.
type NewUpload struct {
	Filename    string
	FileSize    int64
	ContentType string
	Title       string
	Description string
	Tags        []string
	SHA256      string
}

// Upload is where to send the file.
type Upload struct {
	UploadURL  string
	DocumentID string
	UploadID   string
	ExpiresIn  time.Duration
	ExpiresAt  time.Time
	Method     string
	Headers    map[string]string
}

// Presign makes a record and then a URL to upload its file to.
func (s *Service) Presign(ctx context.Context, n NewUpload) (*Upload, error) { return nil, errNotBuilt }

// ProcessRequest asks for an uploaded document to be processed.
type ProcessRequest struct {
	UploadID       string
	FileHash       string
	Priority       string
	AllowDuplicate bool
	ChunkTokens    *int
	ChunkOverlap   *int
	Password       string
}

// Accepted is the answer to a ProcessRequest.
type Accepted struct {
	JobID            string
	DocumentID       string
	Status           State
	EstimatedTime    string
	EstimatedSeconds int
}

// Process enqueues a document.
func (s *Service) Process(ctx context.Context, id string, r ProcessRequest) (*Accepted, error) {
	return nil, errNotBuilt
}

// Retry requeues a failed, stopped or canceled job.
func (s *Service) Retry(ctx context.Context, jobID string) (*rq.Job, error) { return nil, errNotBuilt }

// Status is how far a document is: the body of GET /documents/{id}/status.
type Status struct {
	DocumentID             string     `json:"document_id"`
	JobID                  *string    `json:"job_id"`
	Status                 State      `json:"status"`
	Progress               int        `json:"progress"`
	CurrentStep            string     `json:"current_step"`
	ChunksProcessed        int        `json:"chunks_processed"`
	TotalChunks            int        `json:"total_chunks"`
	ProcessingTime         *float64   `json:"processing_time"`
	S3FileDeleted          bool       `json:"s3_file_deleted"`
	DuplicateOf            *string    `json:"duplicate_of"`
	Error                  *string    `json:"error"`
	ErrorCode              *string    `json:"error_code"`
	EstimatedTimeRemaining *int       `json:"estimated_time_remaining"`
	Attempts               int        `json:"attempts"`
	NextAttemptAt          *time.Time `json:"next_attempt_at"`
	Partial                bool       `json:"partial"`
	FailedPages            []int      `json:"failed_pages"`
	Warnings               []string   `json:"warnings"`
	CreatedAt              time.Time  `json:"created_at"`
	UpdatedAt              time.Time  `json:"updated_at"`
}

// Status reads record and job in one round trip.
func (s *Service) Status(ctx context.Context, id string) (*Status, error) { return nil, errNotBuilt }

// WaitStatus waits until the document's state is final, at most wait, and
// returns where it stands then. It also returns when ctx ends.
func (s *Service) WaitStatus(ctx context.Context, id string, wait time.Duration) (*Status, error) {
	return nil, errNotBuilt
}

// Content is a file to answer with: either Body, to be closed, or a URL to
// redirect to.
type Content struct {
	Body        io.ReadCloser
	Size        int64
	URL         string
	ContentType string
	Filename    string
	ETag        string
}

// ChunkPage is a piece of chunks.jsonl.
type ChunkPage struct {
	Items      []json.RawMessage
	NextCursor string
	Total      int
}

// Text returns the document's text.
func (s *Service) Text(ctx context.Context, id string) (*Content, error) { return nil, errNotBuilt }

// Chunks returns up to limit chunks from cursor on.
func (s *Service) Chunks(ctx context.Context, id string, limit int, cursor string) (*ChunkPage, error) {
	return nil, errNotBuilt
}

// Original returns the file as it was uploaded.
func (s *Service) Original(ctx context.Context, id string) (*Content, error) { return nil, errNotBuilt }

// Swept counts what a sweep did.
type Swept struct{ Looked, Expired, Requeued, Failed, Canceled, Waiting int }

// Sweep brings documents and jobs together again.
func (s *Service) Sweep(ctx context.Context) (Swept, error) { return Swept{}, errNotBuilt }

// Begin loads the record for a job that a worker has started.
func (s *Service) Begin(ctx context.Context, job *rq.Job) (*Document, error) { return nil, errNotBuilt }

// Password returns the password given with process, "" when there is none.
func (s *Service) Password(ctx context.Context, id string) (string, error) { return "", errNotBuilt }

// Progress is what a worker reports while it works.
type Progress struct {
	Status          State
	Percent         int
	Step            string
	Page, Pages     int
	ChunksProcessed int
	TotalChunks     int
	// Attempt counts one attempt, sets started_at and clears the last error.
	Attempt bool
}

// ProgressEffects are the writes of a Progress.
func (s *Service) ProgressEffects(d *Document, p Progress) ([]rq.Effect, map[string]string) {
	return nil, nil
}

// Manifest is document.json, and what the record learns of a finished run.
type Manifest struct {
	Schema      string    `json:"schema"`
	DocumentID  string    `json:"document_id"`
	ExecutionID string    `json:"execution_id"`
	Owner       string    `json:"owner"`
	Filename    string    `json:"filename"`
	Title       string    `json:"title,omitempty"`
	Description string    `json:"description,omitempty"`
	Tags        []string  `json:"tags"`
	ContentType string    `json:"content_type,omitempty"` // as declared
	UploadID    string    `json:"upload_id,omitempty"`
	JobID       string    `json:"job_id,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	ProcessedAt time.Time `json:"processed_at,omitzero"`
	Seconds     float64   `json:"seconds"` // of work
	OriginalKey string    `json:"original_key,omitempty"`

	Format       string      `json:"format"`
	MIME         string      `json:"mime"`
	FileSize     int64       `json:"file_size"` // bytes
	SHA256       string      `json:"sha256"`    // of the bytes, hexadecimal
	TextSHA256   string      `json:"text_sha256,omitempty"`
	Metadata     Metadata    `json:"metadata"`
	Pages        int         `json:"pages,omitempty"`
	Words        int         `json:"words"`
	Chunks       int         `json:"chunks"`
	ChunkTokens  int         `json:"chunk_tokens"`
	ChunkOverlap int         `json:"chunk_overlap"`
	TextBytes    int64       `json:"text_bytes"`
	BodyEnd      int64       `json:"body_end"` // offset in text.md where the body ends and the asides begin
	Partial      bool        `json:"partial,omitempty"`
	FailedPages  []int       `json:"failed_pages,omitempty"`
	PageErrors   []PageError `json:"page_errors,omitempty"`
	Warnings     []string    `json:"warnings,omitempty"`
	Extractor    string      `json:"extractor_version"`
}

// Metadata is what the file says of itself.
type Metadata struct {
	Title    string     `json:"title,omitempty"`
	Author   string     `json:"author,omitempty"`
	Language string     `json:"language,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
}

// PageError is a page whose text is missing.
type PageError struct {
	Page  int    `json:"page"`
	Error string `json:"error"`
}

// NewManifest returns a manifest with all that the record knows.
func (s *Service) NewManifest(d *Document, executionID string) *Manifest { return nil }

// Complete gives what a finish writes that makes the document completed.
func (s *Service) Complete(d *Document, m *Manifest) ([]rq.Effect, []rq.Condition) { return nil, nil }

// Duplicate gives what a finish writes that makes the document a duplicate.
func (s *Service) Duplicate(d *Document, of string, m *Manifest) ([]rq.Effect, []rq.Condition) {
	return nil, nil
}

// ConflictOf says why a finish with Complete or Duplicate was refused.
func (s *Service) ConflictOf(d *Document, e *rq.ConditionError) (c ConflictKind, holder string) {
	return RecordChanged, ""
}

// ConflictKind is why a commit was refused.
type ConflictKind int

// The kinds.
const (
	// RecordChanged: the record is gone, belongs to another job by now, or the
	// document is completed already. There is nothing to commit.
	RecordChanged ConflictKind = iota
	// ClaimTaken: holder has the same bytes or text.
	ClaimTaken
	// HolderGone: the document that this one was to be a duplicate of is not
	// completed any more. Try Complete again, after ReleaseStaleClaim.
	HolderGone
)

// ClaimHolder returns the document that has these bytes or this text, "" for none.
func (s *Service) ClaimHolder(ctx context.Context, d *Document, sha256, textSHA256 string) (string, error) {
	return "", errNotBuilt
}

// ReleaseStaleClaim drops claims of a document that is not completed.
func (s *Service) ReleaseStaleClaim(ctx context.Context, d *Document, holder, sha256, textSHA256 string) (bool, error) {
	return false, errNotBuilt
}

// UploadRemoved notes that the upload's object is gone.
func (s *Service) UploadRemoved(ctx context.Context, d *Document) error { return errNotBuilt }
