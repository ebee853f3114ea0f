package document

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Manifest is document.json: all that is needed to make the record again, and
// what the record learns of a run that succeeded.
type Manifest struct {
	Schema      string    `json:"schema"`
	DocumentID  string    `json:"document_id"`
	ExecutionID string    `json:"execution_id"`
	Owner       string    `json:"owner"`
	Status      State     `json:"status,omitempty"` // empty: completed
	DuplicateOf string    `json:"duplicate_of,omitempty"`
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
	// SavedAt and ArchivedAt are set in copies of a record, and are the time
	// of its last change and when it was moved out of Redis.
	SavedAt     time.Time `json:"saved_at,omitzero"`
	ArchivedAt  time.Time `json:"archived_at,omitzero"`
	StartedAt   time.Time `json:"started_at,omitzero"` // of the run
	Attempts    int       `json:"attempts,omitempty"`  // with this one
	OriginalKey string    `json:"original_key,omitempty"`
	// SourceKey is the object, in the whole bucket, that it was made of.
	SourceKey string `json:"source_key,omitempty"`
	// ParentID is the document that it was attached to, Children the documents of its attachments.
	ParentID string   `json:"parent_id,omitempty"`
	Children []string `json:"children,omitempty"`
	// AllowDuplicate: the run made no claim on its bytes and text.
	AllowDuplicate bool `json:"allow_duplicate,omitempty"`

	Format       string      `json:"format"`
	MIME         string      `json:"mime"`
	FileSize     int64       `json:"file_size"`              // bytes
	StoredBytes  int64       `json:"stored_bytes,omitempty"` // of text, chunks, thumbnail and a kept original
	SHA256       string      `json:"sha256"`                 // of the bytes, hexadecimal
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

	// Record are the fields of the record in Redis, with those that this
	// version does not know: all that is needed to make it again as it was.
	// The fields above are for whoever reads the file without docsvc.
	Record map[string]string `json:"record,omitempty"`
}

// Metadata is what the file says of itself.
type Metadata struct {
	Title    string     `json:"title,omitempty"`
	Author   string     `json:"author,omitempty"`
	Language string     `json:"language,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	Modified *time.Time `json:"modified,omitempty"`
	// PageLabels are what the pages are called, from the first on, where that is not their number.
	PageLabels []string `json:"page_labels,omitempty"`
}

// PageError is a page whose text is missing.
type PageError struct {
	Page  int    `json:"page"`
	Error string `json:"error"`
}

// NewManifest returns a manifest with all that the record knows.
func (s *Service) NewManifest(d *Document, executionID string) *Manifest {
	return &Manifest{
		Schema: schema, DocumentID: d.ID, ExecutionID: executionID, Owner: d.Owner, Filename: d.Filename,
		Title: d.Title, Description: d.Description, Tags: append([]string{}, d.Tags...), ContentType: d.ContentType,
		UploadID: d.UploadID, JobID: d.JobID, CreatedAt: d.CreatedAt, FileSize: d.FileSize, AllowDuplicate: d.AllowDuplicate,
		ParentID: d.ParentID,
	}
}

// What the record keeps of lists that a file can make as long as it likes.
const (
	maxWarnings    = 50
	maxFailedPages = 1000
)

// Seal makes the manifest of a run that succeeded ready to be stored: with the
// record as Complete is going to leave it.
func (s *Service) Seal(d *Document, m *Manifest) {
	now := s.c.Clock().UTC().Truncate(time.Microsecond)
	if !now.After(d.UpdatedAt) {
		// Another machine's clock is ahead: of two files of a document the one
		// with the later stamp counts, and that must be this one.
		now = d.UpdatedAt.Add(time.Microsecond)
	}
	m.Status, m.ProcessedAt, m.SourceKey = Completed, now, d.SourceKey
	m.Record = m.committed(d)
}

// committed is the record that the commit of m makes of d.
func (m *Manifest) committed(d *Document) map[string]string {
	hash := maps.Clone(d.hash)
	if hash == nil {
		hash = map[string]string{}
	}
	fields := slices.Concat(learned(m), m.ending(), removedUpload(d),
		[]string{"status", string(Completed), "updated_at", stamp(m.ProcessedAt)})
	for i := 0; i < len(fields); i += 2 {
		hash[fields[i]] = fields[i+1]
	}
	return filled(hash)
}

// ending are the record's fields that say how the run ended.
func (m *Manifest) ending() []string {
	fields := []string{"execution_id", m.ExecutionID, "duplicate_of", "", "original_key", m.OriginalKey,
		"stored_bytes", strconv.FormatInt(m.StoredBytes, 10)}
	if len(m.Children) > 0 {
		fields = append(fields, "children", list(m.Children))
	}
	fields = append(fields, ended(m.ProcessedAt, m.Seconds)...)
	if m.Attempts > 0 {
		fields = append(fields, "attempts", strconv.Itoa(m.Attempts), "started_at", stamp(m.StartedAt))
	}
	return fields
}

// ended are the fields of a run that succeeded.
func ended(at time.Time, seconds float64) []string {
	return []string{"finished_at", stamp(at), "processing_ms", milliseconds(seconds),
		"current_step", "", "next_attempt_at", "", "error", "", "error_code", ""}
}

// removedUpload notes that the upload is about to be removed. The object of a
// source_key is not docsvc's to remove.
func removedUpload(d *Document) []string {
	if d.SourceKey != "" {
		return nil
	}
	return []string{"s3_file_deleted", "1"}
}

// Complete gives what a finish writes that makes the document completed: this
// is the commit, from here on readers follow m.ExecutionID. Its conditions
// claim the bytes and the text; ConflictOf reads which of them did not hold.
// A record that is then not what the sealed manifest says is left to Keep.
func (s *Service) Complete(d *Document, m *Manifest) ([]rq.Effect, []rq.Condition) {
	e := s.outcome(d)
	sealed := len(m.Record) > 0 && maps.Equal(m.Record, m.committed(d))
	if m.ProcessedAt.IsZero() {
		m.ProcessedAt = e.at
	}
	e.at = m.ProcessedAt
	e.become(Completed, slices.Concat(learned(m), m.ending(), removedUpload(d))...)
	e.count(m.counted(Completed), 1)
	if sealed && m.Attempts <= 1 { // else a copy of an earlier end may be there
		e.add(rq.ZRem(e.k.unsaved(), e.id))
		e.unsavedIfChanged(d, "title", "description", "tags")
	} else {
		e.unsaved()
	}
	// A partial document claims nothing: it stays known by the bytes that were declared.
	if key := s.k.file(d.Owner, d.UploadHash); d.UploadHash != "" && !m.Partial {
		e.list = append(e.list, rq.Del(key).When(rq.Guard{Key: key, Is: d.ID})) // the claim takes over
	}
	conditions := s.uncommitted(d)
	for _, key := range s.claims(d, m) {
		if d.AllowDuplicate {
			e.add(rq.SetNX(key, d.ID))
		} else {
			conditions = append(conditions, rq.Condition{ClaimKey: key, ClaimValue: d.ID})
		}
	}
	return e.list, conditions
}

// Duplicate gives what a finish writes that makes the document a duplicate of
// another, which must be completed then. m may be from before extraction.
func (s *Service) Duplicate(d *Document, of string, m *Manifest) ([]rq.Effect, []rq.Condition) {
	e := s.outcome(d)
	m.StoredBytes = 0
	if m.OriginalKey != "" {
		m.StoredBytes = m.FileSize
	}
	e.become(Duplicate, slices.Concat(learned(m), ended(e.at, m.Seconds), removedUpload(d), []string{"execution_id", "", "duplicate_of", of,
		"original_key", m.OriginalKey, "stored_bytes", strconv.FormatInt(m.StoredBytes, 10)})...)
	e.count(m.counted(Duplicate), 1)
	first := rq.Condition{Guard: rq.Guard{Key: s.k.document(of), Field: "status", Is: string(Completed)}}
	return e.list, append(s.uncommitted(d), first)
}

func (s *Service) outcome(d *Document) *effects {
	return &effects{k: s.k, id: d.ID, jobID: d.JobID, at: s.c.Clock()}
}

// uncommitted are conditions that hold while the record is this job's and has
// no outcome.
func (s *Service) uncommitted(d *Document) []rq.Condition {
	key := s.k.document(d.ID)
	return []rq.Condition{
		{Guard: rq.Guard{Key: key, Field: "job_id", Is: d.JobID}},
		{Guard: rq.Guard{Key: key, Field: "status", Is: string(Completed), Not: true}},
		{Guard: rq.Guard{Key: key, Field: "status", Is: string(Duplicate), Not: true}},
	}
}

// claims are the keys by which other documents become duplicates of this one:
// none for a partial one, which a later and full one must not be taken for.
func (s *Service) claims(d *Document, m *Manifest) []string {
	var names []string
	if m.Partial {
		return nil
	}
	if m.SHA256 != "" {
		names = append(names, s.k.sha256(d.Owner, m.SHA256))
	}
	if m.TextSHA256 != "" {
		names = append(names, s.k.text(d.Owner, m.TextSHA256))
	}
	return names
}

// learned are the record's fields that a run fills.
func learned(m *Manifest) []string {
	return []string{
		"progress", "100", "page", "", "chunks_processed", strconv.Itoa(m.Chunks), "total_chunks", strconv.Itoa(m.Chunks),
		"sha256", m.SHA256, "text_sha256", m.TextSHA256, "format", m.Format, "mime", m.MIME,
		"text_title", shorten(m.Metadata.Title, maxErrorText), "author", shorten(m.Metadata.Author, maxErrorText),
		"language", m.Metadata.Language, "pages", strconv.Itoa(m.Pages), "words", strconv.Itoa(m.Words),
		"text_bytes", strconv.FormatInt(m.TextBytes, 10), "extractor_version", m.Extractor,
		"partial", flag(m.Partial), "failed_pages", list(m.FailedPages[:min(len(m.FailedPages), maxFailedPages)]),
		"warnings", list(warnings(m.Warnings)),
	}
}

func warnings(all []string) []string {
	var kept []string
	for _, text := range all[:min(len(all), maxWarnings)] {
		kept = append(kept, shorten(text, 500))
	}
	return kept
}

// ConflictKind is why a commit was refused.
type ConflictKind int

// The kinds.
const (
	// RecordChanged: the record is gone, belongs to another job by now, or the
	// document has its outcome already. There is nothing to commit.
	RecordChanged ConflictKind = iota
	// ClaimTaken: holder has the same bytes or text.
	ClaimTaken
	// HolderGone: the document that this one was to be a duplicate of is not
	// completed any more. Release its claim and try Complete again.
	HolderGone
)

// ConflictOf says why a finish with Complete or Duplicate was refused. holder
// is the document that has the claim, for ClaimTaken.
func (s *Service) ConflictOf(d *Document, e *rq.ConditionError) (kind ConflictKind, holder string) {
	switch e.Key {
	case s.k.document(d.ID):
		return RecordChanged, ""
	default:
		if validID(e.Actual) {
			return ClaimTaken, e.Actual
		}
		return HolderGone, ""
	}
}
