package httpapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/docsvc/docsvc/pkg/document"
)

// maxWait bounds how long a status request may wait for a document.
const maxWait = 60 * time.Second

type presignInput struct{ Body presignRequest }

type presignRequest struct {
	Filename    string   `json:"filename" minLength:"1" maxLength:"255" doc:"Name of the file, without a path" example:"manual.pdf"`
	FileSize    int64    `json:"file_size" minimum:"1" maximum:"5368709120" doc:"Size of the file in bytes" example:"1048576"`
	ContentType string   `json:"content_type" maxLength:"255" doc:"Type of the file; application/octet-stream leaves it to the content" example:"application/pdf"`
	Title       string   `json:"title,omitempty" maxLength:"255" doc:"A title for people" example:"Manual de Teste"`
	Description string   `json:"description,omitempty" maxLength:"1000" doc:"A description for people"`
	Tags        []string `json:"tags,omitempty" maxItems:"10" maxLength:"50" doc:"Tags"`
	SHA256      string   `json:"sha256,omitempty" pattern:"^([0-9a-fA-F]{64})?$" patternDescription:"64 hexadecimal digits" doc:"sha256 of the file. With it size, type and checksum are signed into the URL, and upload_headers lists what to send"`
	Resume      bool     `json:"resume,omitempty" doc:"Where a document awaits the upload of these bytes (sha256, file_size), answer that one again, with a URL that works anew; title, tags and so on stay as they were. Needs sha256"`
}

type presignOutput struct {
	Location string `header:"Location" doc:"The document"`
	Body     Presigned
}

// Presigned is what POST /documents/upload/presigned answers.
type Presigned struct {
	UploadURL     string            `json:"upload_url" doc:"Where to PUT the file"`
	DocumentID    string            `json:"document_id" doc:"The document, for all further calls"`
	UploadID      string            `json:"upload_id" doc:"The upload, for the process call"`
	ExpiresIn     int               `json:"expires_in" doc:"Seconds that upload_url works"`
	ExpiresAt     time.Time         `json:"expires_at" doc:"When upload_url stops working"`
	UploadMethod  string            `json:"upload_method" doc:"Method of the upload" example:"PUT"`
	UploadHeaders map[string]string `json:"upload_headers" doc:"Headers that the upload has to carry; none without sha256"`
}

// DocumentPath names the document in a path. It is exported for huma, which
// leaves out embedded fields that are not.
type DocumentPath struct {
	DocumentID string `path:"document_id" pattern:"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$" patternDescription:"a UUID, the document_id of the presigned call" doc:"The document's id" example:"0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"`
}

// id is the document's id as it is stored.
func (in DocumentPath) id() string { return strings.ToLower(in.DocumentID) }

type processInput struct {
	DocumentPath
	Body processRequest
}

type processRequest struct {
	UploadID       string `json:"upload_id" minLength:"1" maxLength:"100" doc:"The upload_id that came with the document_id"`
	FileHash       string `json:"file_hash,omitempty" pattern:"^([0-9a-fA-F]{64})?$" patternDescription:"64 hexadecimal digits" doc:"sha256 of the file; another file fails as hash_mismatch"`
	Priority       string `json:"priority,omitempty" enum:"normal,high" default:"normal" doc:"high goes to the front of the queue"`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty" doc:"Process it even if the same file or text is there already"`
	ChunkTokens    *int   `json:"chunk_tokens,omitempty" minimum:"50" maximum:"8000" doc:"Most tokens of a chunk; the server's setting (500) if left out"`
	ChunkOverlap   *int   `json:"chunk_overlap,omitempty" minimum:"0" maximum:"4000" doc:"Most tokens that a chunk repeats of the one before, at most half of chunk_tokens; the server's setting (50) if left out"`
	Password       string `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"Opens an encrypted document. Kept apart, for a time, and never shown or logged"`
}

type processOutput struct {
	Location string `header:"Location" doc:"Where to follow the progress"`
	Body     Accepted
}

// Accepted is what POST /documents/{id}/process answers.
type Accepted struct {
	JobID            string `json:"job_id" doc:"The job. A document has one for life: asking again answers the same"`
	DocumentID       string `json:"document_id" doc:"The document"`
	Status           string `json:"status" doc:"uploaded; asking again, where the document stands by now"`
	EstimatedTime    string `json:"estimated_time" doc:"How long it will take, from the times of late and the jobs ahead" example:"2-5 minutes"`
	EstimatedSeconds int    `json:"estimated_seconds" doc:"The same in seconds"`
}

type statusInput struct {
	DocumentPath
	Wait int `query:"wait" minimum:"0" maximum:"60" doc:"Seconds to wait for the document to be completed, duplicate, failed or canceled; answers as soon as it is"`
	// Not always: a status is asked for often, and this costs several reads.
	Explain bool `query:"explain" doc:"Also say why the document is not done, with the evidence"`
}

type statusOutput struct{ Body *document.Status }

type recordOutput struct{ Body *document.Document }

type chunksInput struct {
	DocumentPath
	Limit  int    `query:"limit" default:"100" minimum:"1" maximum:"500" doc:"Chunks per page"`
	Cursor string `query:"cursor" maxLength:"100" doc:"next_cursor of the page before"`
}

type chunksOutput struct{ Body Chunks }

func (a *api) documentRoutes() {
	register(a, operation{
		ID: "presign-upload", Method: "POST", Path: "/api/v1/documents/upload/presigned", Tag: tagDocuments, Status: 201,
		Summary:     "Ask for an upload URL",
		Description: "Makes a document and a URL to PUT its file to. Nothing is processed until it is asked for.",
		Curl: `curl -X POST http://localhost:8000/api/v1/documents/upload/presigned \
  -H "Content-Type: application/json" \
  -d '{"filename": "manual.pdf", "file_size": 1048576, "content_type": "application/pdf", "title": "Manual de Teste"}'
curl -X PUT "$UPLOAD_URL" --data-binary @manual.pdf`,
		Example: presignExample,
		Codes:   []string{"invalid_request", "unsupported_type", "busy", "installation_mismatch", "records_missing", "queue_unavailable", "storage_unavailable"},
	}, a.presign)
	register(a, operation{
		ID: "process-document", Method: "POST", Path: "/api/v1/documents/{document_id}/process", Tag: tagDocuments, Status: 202,
		Summary: "Process an uploaded document",
		Description: "Checks that the file is there and has the declared size, then enqueues a job. On a document that is queued, running or done it answers the same job; " +
			"on a failed or canceled one it runs that job again.",
		Curl: `curl -X POST http://localhost:8000/api/v1/documents/DOCUMENT_ID/process \
  -H "Content-Type: application/json" \
  -d '{"upload_id": "UPLOAD_ID"}'`,
		Example: acceptedExample,
		Codes: []string{"invalid_request", "wrong_upload_id", "document_not_found", "upload_missing", "size_mismatch", "upload_expired",
			"upload_gone", "object_missing", "too_large", "archived", "busy", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.process)
	register(a, operation{
		ID: "get-status", Method: "GET", Path: "/api/v1/documents/{document_id}/status", Tag: tagDocuments, Unbounded: true,
		Summary: "Follow the progress",
		Description: "With wait it answers as soon as the document is completed, duplicate, failed or canceled, and at the latest after that many seconds: " +
			"with where the document stands then.",
		Curl:    `curl "http://localhost:8000/api/v1/documents/DOCUMENT_ID/status?wait=60"`,
		Example: statusExample,
		Codes:   []string{"invalid_request", "document_not_found", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.status)
	register(a, operation{
		ID: "get-document", Method: "GET", Path: "/api/v1/documents/{document_id}", Tag: tagDocuments,
		Summary: "The document's record",
		Curl:    `curl http://localhost:8000/api/v1/documents/DOCUMENT_ID`,
		Example: recordExample,
		Codes:   []string{"invalid_request", "document_not_found", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.record)
	register(a, operation{
		ID: "get-chunks", Method: "GET", Path: "/api/v1/documents/{document_id}/chunks", Tag: tagDocuments,
		Summary: "The document's chunks",
		Description: "In the order of the text, a page at a time. Each is a slice of the text: bytes start_byte to end_byte. " +
			"Those of a duplicate are the first document's.",
		Curl:    `curl "http://localhost:8000/api/v1/documents/DOCUMENT_ID/chunks?limit=20"`,
		Example: chunksExample,
		Codes:   contentCodes(),
	}, a.chunks)
	a.objectRoutes()
	a.contentRoutes()
}

// contentCodes are the errors of everything that reads a document's artifacts.
func contentCodes(more ...string) []string {
	return append(more, "invalid_request", "document_not_found", "not_ready", "duplicate_gone", "artifact_missing",
		"queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record")
}

func (a *api) presign(ctx context.Context, in *presignInput) (*presignOutput, error) {
	b := in.Body
	up, err := a.Documents.Presign(ctx, document.NewUpload{
		Filename: b.Filename, FileSize: b.FileSize, ContentType: b.ContentType, Title: b.Title,
		Description: b.Description, Tags: b.Tags, SHA256: strings.ToLower(b.SHA256), Resume: b.Resume,
	})
	if err != nil {
		return nil, err
	}
	headers := up.Headers
	if headers == nil {
		headers = map[string]string{}
	}
	return &presignOutput{
		Location: "/api/v1/documents/" + up.DocumentID,
		Body: Presigned{
			UploadURL: up.UploadURL, DocumentID: up.DocumentID, UploadID: up.UploadID,
			ExpiresIn: int(up.ExpiresIn / time.Second), ExpiresAt: up.ExpiresAt.UTC(),
			UploadMethod: up.Method, UploadHeaders: headers,
		},
	}, nil
}

func (a *api) process(ctx context.Context, in *processInput) (*processOutput, error) {
	b := in.Body
	acc, err := a.Documents.Process(ctx, in.id(), document.ProcessRequest{
		UploadID: strings.ToLower(b.UploadID), FileHash: strings.ToLower(b.FileHash), Priority: b.Priority,
		AllowDuplicate: b.AllowDuplicate, ChunkTokens: b.ChunkTokens, ChunkOverlap: b.ChunkOverlap, Password: b.Password,
	})
	if err != nil {
		return nil, err
	}
	return acceptedOutput(acc), nil
}

func acceptedOutput(acc *document.Accepted) *processOutput {
	return &processOutput{
		Location: "/api/v1/documents/" + acc.DocumentID + "/status",
		Body: Accepted{
			JobID: acc.JobID, DocumentID: acc.DocumentID, Status: string(acc.Status),
			EstimatedTime: acc.EstimatedTime, EstimatedSeconds: acc.EstimatedSeconds,
		},
	}
}

// status waits at most as long as it was asked to, ends early when the server
// shuts down, and in any case answers where the document stands.
func (a *api) status(ctx context.Context, in *statusInput) (*statusOutput, error) {
	s, err := a.awaitStatus(ctx, in)
	if err != nil || !in.Explain {
		return &statusOutput{Body: s}, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.requestTimeout)
	defer cancel()
	x, err := a.Documents.Explain(ctx, in.id())
	if err != nil {
		return nil, err
	}
	s.Explanation = x.Text
	return &statusOutput{Body: s}, nil
}

func (a *api) awaitStatus(ctx context.Context, in *statusInput) (*document.Status, error) {
	if in.Wait > 0 {
		wait := min(time.Duration(in.Wait)*time.Second, maxWait)
		waiting, cancel := untilDrained(ctx)
		waiting, cancelTime := context.WithTimeout(waiting, wait+a.requestTimeout)
		s, err := a.Documents.WaitStatus(waiting, in.id(), wait)
		drained := waiting.Err() != nil && ctx.Err() == nil
		cancelTime()
		cancel()
		if err == nil || !drained {
			return s, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, a.requestTimeout)
	defer cancel()
	return a.Documents.Status(ctx, in.id())
}

func (a *api) record(ctx context.Context, in *DocumentPath) (*recordOutput, error) {
	d, err := a.Documents.Get(ctx, in.id())
	if err != nil {
		return nil, err
	}
	return &recordOutput{Body: shown(d)}, nil
}

// shown is a record as it is answered.
func shown(d *document.Document) *document.Document {
	if d.QueuedAt.IsZero() {
		d.JobID = "" // reserved, but no job yet
	}
	return d
}

func (a *api) chunks(ctx context.Context, in *chunksInput) (*chunksOutput, error) {
	page, err := a.Documents.Chunks(ctx, in.id(), in.Limit, in.Cursor)
	if err != nil {
		return nil, inQuery(err)
	}
	out := &chunksOutput{Body: Chunks{Chunks: make([]chunkJSON, len(page.Items)), Total: page.Total, NextCursor: optional(page.NextCursor)}}
	for i, c := range page.Items {
		out.Body.Chunks[i] = chunkJSON(c)
	}
	return out, nil
}

// inQuery says that a refused field came in the query, not in a body.
func inQuery(err error) error {
	var e *document.Error
	if !errors.As(err, &e) || e.Field == "" {
		return err
	}
	p := documentProblem(e)
	p.Errors[0].Location = "query." + e.Field
	return p
}

// redirectResponse documents an answer that only points elsewhere.
func redirectResponse() *huma.Response {
	return &huma.Response{
		Description: "Found: too large to pass through; fetch it from the storage at Location, which works for a short time and without an API key",
		Headers:     map[string]*huma.Param{"Location": {Description: "A presigned URL", Schema: &huma.Schema{Type: huma.TypeString, Format: "uri"}}},
	}
}

// binaryResponse documents an answer that isn't JSON.
func binaryResponse(description, mediaType string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{mediaType: {Schema: &huma.Schema{Type: huma.TypeString}}}}
}
