package document

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// schema is the version of the records written here. A record of a newer major
// version is refused; unknown fields of this one are kept.
const schema = "1"

// Document is a record as read. Its JSON form is the API's.
type Document struct {
	ID        string    `json:"document_id"`
	Owner     string    `json:"owner"`
	Schema    string    `json:"-"`
	Status    State     `json:"status"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`

	Filename    string   `json:"filename"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags"`

	ContentType string `json:"content_type,omitempty"` // as declared
	FileSize    int64  `json:"file_size"`              // bytes, as declared
	FileHash    string `json:"-"`                      // sha256 as declared, with process or else with the upload, hexadecimal, or ""
	UploadHash  string `json:"-"`                      // sha256 as declared with the upload, hexadecimal, or ""

	UploadID        string    `json:"upload_id"`
	UploadKey       string    `json:"-"` // in the store
	UploadExpiresAt time.Time `json:"upload_expires_at,omitzero"`
	UploadRemoved   bool      `json:"s3_file_deleted"` // removed, or about to be
	ETag            string    `json:"-"`               // pinned by process
	VersionID       string    `json:"-"`
	OriginalKey     string    `json:"-"` // where the original is kept, or ""

	// SourceKey is the key, in the whole bucket, of the object that the
	// document was made of; "" for an upload. It is never changed or removed.
	SourceKey string `json:"source_key,omitempty"`

	// ParentID is the document that this one was attached to; Children are those that were attached
	// to it and became documents, as its run found them: some may be deleted since. Depth is how many
	// parents there are above it.
	ParentID string   `json:"parent_id,omitempty"`
	Children []string `json:"children,omitempty"`
	Depth    int      `json:"-"`

	JobID          string `json:"job_id"`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty"`
	ChunkTokens    *int   `json:"chunk_tokens,omitempty"`
	ChunkOverlap   *int   `json:"chunk_overlap,omitempty"`

	Progress        int           `json:"progress"` // 0 to 100
	CurrentStep     string        `json:"current_step,omitempty"`
	Page            int           `json:"-"` // being read
	ChunksProcessed int           `json:"chunks_processed"`
	TotalChunks     int           `json:"total_chunks"`
	Attempts        int           `json:"attempts"`
	Error           string        `json:"error,omitempty"`
	ErrorCode       string        `json:"error_code,omitempty"`
	NextAttemptAt   time.Time     `json:"next_attempt_at,omitzero"`
	QueuedAt        time.Time     `json:"queued_at,omitzero"`
	StartedAt       time.Time     `json:"started_at,omitzero"`
	FinishedAt      time.Time     `json:"finished_at,omitzero"`
	ProcessingTime  time.Duration `json:"-"` // of the last run

	ExecutionID string   `json:"-"` // committed; readers follow it
	DuplicateOf string   `json:"duplicate_of,omitempty"`
	SHA256      string   `json:"sha256,omitempty"`
	TextSHA256  string   `json:"text_sha256,omitempty"`
	Format      string   `json:"format,omitempty"`
	MIME        string   `json:"mime,omitempty"`
	Author      string   `json:"author,omitempty"`
	Language    string   `json:"language,omitempty"`
	TextTitle   string   `json:"text_title,omitempty"` // the title that the file itself has
	Pages       int      `json:"pages,omitempty"`
	Words       int      `json:"words,omitempty"`
	TextBytes   int64    `json:"text_bytes,omitempty"`
	Partial     bool     `json:"partial"`
	FailedPages []int    `json:"failed_pages,omitempty"`
	Warnings    []string `json:"warnings,omitempty"`
	Extractor   string   `json:"extractor_version,omitempty"`
	StoredBytes int64    `json:"-"` // of its own artifacts and original

	// ArchivedAt is when the record was moved out of Redis into the bucket;
	// zero when Redis has it.
	ArchivedAt time.Time `json:"archived_at,omitzero"`

	// Extra are the fields of the hash that this version does not know.
	Extra map[string]string `json:"-"`

	lost       int               // how often the sweep had to enqueue it again
	repin      bool              // the next run looks at its object anew
	wasCounted bool              // in keys.counts
	restored   time.Time         // when it was brought back from the archive
	hash       map[string]string // as it was read
}

// stamp writes a time into a record: RFC 3339, UTC, microseconds.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000Z")
}

// list writes strings or numbers into one field.
func list(v any) string {
	b, err := json.Marshal(v)
	if err != nil || string(b) == "null" {
		return "[]"
	}
	return string(b)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return ""
}

func optional(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

// parse reads a record. An empty hash is a missing document.
func parse(id string, hash map[string]string) (*Document, error) {
	if len(hash) == 0 || hash["status"] == "" {
		return nil, notFound(id)
	}
	if major, _, _ := strings.Cut(hash["schema"], "."); major != schema {
		return nil, newerSchema(id, hash["schema"])
	}
	d := &Document{ID: id, hash: hash}
	p := parser{hash: hash}
	d.read(&p)
	if p.err != nil {
		return nil, &Error{Kind: Internal, Code: CodeCorruptRecord, Err: p.err,
			Detail: fmt.Sprintf("The record of document %s can't be read: %v.", id, p.err)}
	}
	d.Extra = p.rest()
	return d, nil
}

func newerSchema(id, theirs string) *Error {
	return &Error{Kind: Internal, Code: CodeNewerSchema, Detail: fmt.Sprintf(
		"Document %s was written by another version of docsvc (schema %.16q, this one reads %s). Update docsvc.", id, theirs, schema)}
}

func (d *Document) read(p *parser) {
	d.Schema, d.Owner, d.Status = p.text("schema"), p.text("owner"), State(p.text("status"))
	d.CreatedAt, d.UpdatedAt = p.time("created_at"), p.time("updated_at")
	d.Filename, d.Title, d.Description = p.text("filename"), p.text("title"), p.text("description")
	p.list("tags", &d.Tags)
	d.ContentType, d.FileSize, d.FileHash = p.text("content_type"), p.int64("file_size"), p.text("file_hash")
	d.UploadHash, d.SourceKey = d.FileHash, p.text("source_key")
	if sum := p.text("process_hash"); sum != "" {
		d.FileHash = sum
	}
	d.UploadID, d.UploadKey = p.text("upload_id"), p.text("upload_key")
	if d.UploadKey == "" && d.UploadID != "" && d.SourceKey == "" {
		// It follows from the ids, and will not be stored any more once no version is around that
		// needs the field: a value of more than 64 bytes makes Redis (with its own
		// hash-max-listpack-value) keep the whole hash in twice the memory.
		d.UploadKey = UploadKey(d.ID, d.UploadID)
	}
	d.UploadExpiresAt, d.UploadRemoved = p.time("upload_expires_at"), p.flag("s3_file_deleted")
	d.ETag, d.VersionID, d.OriginalKey = p.text("etag"), p.text("version_id"), p.text("original_key")
	d.ParentID, d.Depth = p.text("parent_id"), p.int("depth")
	p.list("children", &d.Children)
	d.JobID, d.AllowDuplicate = p.text("job_id"), p.flag("allow_duplicate")
	d.ChunkTokens, d.ChunkOverlap = p.optional("chunk_tokens"), p.optional("chunk_overlap")
	d.Progress, d.CurrentStep, d.Page = p.int("progress"), p.text("current_step"), p.int("page")
	d.ChunksProcessed, d.TotalChunks = p.int("chunks_processed"), p.int("total_chunks")
	d.Attempts, d.Error, d.ErrorCode = p.int("attempts"), p.text("error"), p.text("error_code")
	d.NextAttemptAt, d.QueuedAt = p.time("next_attempt_at"), p.time("queued_at")
	d.StartedAt, d.FinishedAt = p.time("started_at"), p.time("finished_at")
	d.ProcessingTime = time.Duration(p.int64("processing_ms")) * time.Millisecond
	d.ExecutionID, d.DuplicateOf = p.text("execution_id"), p.text("duplicate_of")
	d.SHA256, d.TextSHA256 = p.text("sha256"), p.text("text_sha256")
	d.Format, d.MIME, d.Author = p.text("format"), p.text("mime"), p.text("author")
	d.Language, d.TextTitle = p.text("language"), p.text("text_title")
	d.Pages, d.Words, d.TextBytes = p.int("pages"), p.int("words"), p.int64("text_bytes")
	d.Partial, d.Extractor = p.flag("partial"), p.text("extractor_version")
	p.list("failed_pages", &d.FailedPages)
	p.list("warnings", &d.Warnings)
	d.StoredBytes, d.wasCounted = p.int64("stored_bytes"), p.text("stored_bytes") != ""
	d.lost, d.repin, d.restored = p.int("lost"), p.flag("repin"), p.time("restored_at")
}

// parser takes fields out of a hash and remembers the first that is wrong.
type parser struct {
	hash map[string]string
	seen map[string]bool
	err  error
}

func (p *parser) text(field string) string {
	if p.seen == nil {
		p.seen = map[string]bool{}
	}
	p.seen[field] = true
	return p.hash[field]
}

func (p *parser) fail(field, text string) {
	if p.err == nil {
		p.err = fmt.Errorf("field %s holds %.64q", field, text)
	}
}

func (p *parser) time(field string) time.Time {
	text := p.text(field)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		p.fail(field, text)
	}
	return t.UTC()
}

func (p *parser) int64(field string) int64 {
	text := p.text(field)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.fail(field, text)
	}
	return n
}

func (p *parser) int(field string) int { return int(p.int64(field)) }

func (p *parser) optional(field string) *int {
	if p.text(field) == "" {
		return nil
	}
	n := p.int(field)
	return &n
}

func (p *parser) flag(field string) bool { return p.text(field) == "1" }

func (p *parser) list(field string, into any) {
	text := p.text(field)
	if text == "" {
		return
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		p.fail(field, text)
	}
}

func (p *parser) rest() map[string]string {
	var rest map[string]string
	for field, text := range p.hash {
		if !p.seen[field] {
			if rest == nil {
				rest = map[string]string{}
			}
			rest[field] = text
		}
	}
	return rest
}
