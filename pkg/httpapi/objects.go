package httpapi

import (
	"context"
	"strings"

	"github.com/docsvc/docsvc/pkg/document"
)

type objectInput struct{ Body objectRequest }

type objectRequest struct {
	Key            string   `json:"key" minLength:"1" maxLength:"1024" doc:"The object's whole key in the configured bucket; storage.prefix does not come before it" example:"inbox/2026/manual.pdf"`
	Title          string   `json:"title,omitempty" maxLength:"255" doc:"A title for people"`
	Description    string   `json:"description,omitempty" maxLength:"1000" doc:"A description for people"`
	Tags           []string `json:"tags,omitempty" maxItems:"10" maxLength:"50" doc:"Tags"`
	SHA256         string   `json:"sha256,omitempty" pattern:"^([0-9a-fA-F]{64})?$" patternDescription:"64 hexadecimal digits" doc:"sha256 of the object; another one fails as hash_mismatch"`
	Priority       string   `json:"priority,omitempty" enum:"normal,high" default:"normal" doc:"high goes to the front of the queue"`
	AllowDuplicate bool     `json:"allow_duplicate,omitempty" doc:"Process it even if the same file or text is there already"`
	ChunkTokens    *int     `json:"chunk_tokens,omitempty" minimum:"50" maximum:"8000" doc:"Most tokens of a chunk; the server's setting (500) if left out"`
	ChunkOverlap   *int     `json:"chunk_overlap,omitempty" minimum:"0" maximum:"4000" doc:"Most tokens that a chunk repeats of the one before, at most half of chunk_tokens; the server's setting (50) if left out"`
	Password       string   `json:"password,omitempty" maxLength:"1024" writeOnly:"true" doc:"Opens an encrypted document. Kept apart, for a time, and never shown or logged"`
}

func (a *api) objectRoutes() {
	register(a, operation{
		ID: "take-object", Method: "POST", Path: "/api/v1/documents/objects", Tag: tagDocuments, Status: 202,
		Summary: "Take in an object of the bucket",
		Description: "Makes a document of a file that is in the bucket already, and enqueues its job. The object is only read: never changed, moved or removed. " +
			"Asked again while the object is the same, it answers the same document and job, unless that failed or was canceled. " +
			"What docsvc itself keeps (below storage.prefix: temp/, documents/, docsvc.json) is refused.",
		Curl: `curl -X POST http://localhost:8000/api/v1/documents/objects \
  -H "Content-Type: application/json" \
  -d '{"key": "inbox/2026/manual.pdf", "title": "Manual de Teste"}'`,
		Example: acceptedExample,
		Codes: []string{"invalid_request", "too_large", "object_not_found", "busy", "installation_mismatch", "records_missing", "queue_unavailable", "storage_unavailable",
			"newer_schema", "corrupt_record"},
	}, a.takeObject)
}

func (a *api) takeObject(ctx context.Context, in *objectInput) (*processOutput, error) {
	b := in.Body
	acc, err := a.Documents.TakeObject(ctx, document.ObjectRequest{
		Key: b.Key, Title: b.Title, Description: b.Description, Tags: b.Tags, SHA256: strings.ToLower(b.SHA256), Priority: b.Priority,
		AllowDuplicate: b.AllowDuplicate, ChunkTokens: b.ChunkTokens, ChunkOverlap: b.ChunkOverlap, Password: b.Password,
	})
	if err != nil {
		return nil, err
	}
	return acceptedOutput(acc), nil
}
