package httpapi

import (
	"context"

	"github.com/docsvc/docsvc/pkg/document"
)

type listInput struct {
	Status string `query:"status" enum:"awaiting_upload,uploaded,extracting,checking_duplicates,chunking,completed,duplicate,failed,canceled" doc:"Only those of this status"`
	Tag    string `query:"tag" maxLength:"50" doc:"Only those with this tag, exactly as it was given: upper and lower case are different tags"`
	Search string `query:"search" maxLength:"255" doc:"Only those where each word of it begins a word of title or file name. Case and accents make no difference"`
	SHA256 string `query:"sha256" pattern:"^([0-9a-fA-F]{64})?$" patternDescription:"64 hexadecimal digits" doc:"Only those of this file: the completed one, and the last one whose upload was announced with this sha256"`
	Limit  int    `query:"limit" default:"20" minimum:"1" maximum:"100" doc:"Documents per page"`
	Cursor string `query:"cursor" maxLength:"200" doc:"next_cursor of the page before, with the same filters"`
}

type listOutput struct{ Body DocumentList }

// DocumentList is what GET /documents answers.
type DocumentList struct {
	Documents  []*document.Document `json:"documents" nullable:"false" doc:"The newest first, each as GET /documents/{id} answers it"`
	NextCursor *string              `json:"next_cursor" doc:"Give it as cursor for the next page; null on the last"`
	Total      *int64               `json:"total" doc:"All that pass the filters; null with a search, a sha256, or status and tag together"`
}

type patchInput struct {
	DocumentPath
	Body patchRequest
}

type patchRequest struct {
	Title       *string   `json:"title,omitempty" maxLength:"255" doc:"A title for people; \"\" clears it"`
	Description *string   `json:"description,omitempty" maxLength:"1000" doc:"A description for people; \"\" clears it"`
	Tags        *[]string `json:"tags,omitempty" maxItems:"10" maxLength:"50" doc:"All tags from now on; [] clears them"`
}

type statsOutput struct{ Body *document.Stats }

type usageOutput struct{ Body *document.Usage }

const (
	statsExample = `{"documents":1288,"by_status":{"awaiting_upload":2,"uploaded":31,"extracting":3,"checking_duplicates":0,"chunking":1,` +
		`"completed":1204,"duplicate":38,"failed":8,"canceled":1},"by_format":{"pdf":980,"docx":202,"text":60},` +
		`"created_last_hour":46,"created_last_day":310,` +
		`"finished":{"jobs":200,"per_minute":3.4,"p50_seconds":4.215,"p95_seconds":31.9,"max_seconds":118.04}}`
	usageExample = `{"stored_bytes":73400320,"text_bytes":41943040,"pages":31050,"words":6900000,"chunks":24100,` +
		`"measured_at":"2026-11-23T02:00:41Z","uploads":{"objects":41,"bytes":88080384},"artifacts":{"objects":3612,"bytes":73400320},` +
		`"originals":{"objects":0,"bytes":0},"other":{"objects":0,"bytes":0}}`
)

func (a *api) catalogRoutes() {
	register(a, operation{
		ID: "list-documents", Method: "GET", Path: "/api/v1/documents", Tag: tagDocuments,
		Summary: "Documents, the newest first",
		Description: "A page at a time. Documents that come or go meanwhile neither repeat nor hide others. A page looks at 5,000 documents at most: " +
			"with filters that few pass it can be short, or empty, and still have a next_cursor. Archived documents are not listed.",
		Curl: `curl "http://localhost:8000/api/v1/documents?status=completed&limit=50"
curl "http://localhost:8000/api/v1/documents?search=relatorio+anual"`,
		Example: `{"documents":[` + recordExample + `],"next_cursor":"Aaq2r0w4yYQ3Qnog...","total":1204}`,
		Codes:   []string{"invalid_request", "queue_unavailable"},
	}, a.listDocuments)
	register(a, operation{
		ID: "get-stats", Method: "GET", Path: "/api/v1/documents/stats", Tag: tagDocuments,
		Summary:     "Counts, rates and times",
		Description: "Of the documents that are not archived. It is made from counters: it costs the same with ten documents and with a million.",
		Curl:        `curl http://localhost:8000/api/v1/documents/stats`,
		Example:     statsExample,
		Codes:       []string{"queue_unavailable"},
	}, a.stats)
	register(a, operation{
		ID: "get-usage", Method: "GET", Path: "/api/v1/documents/usage", Tag: tagDocuments,
		Summary: "What documents take up",
		Description: "The sums are kept up with every document. The rest was measured by the last orphaned_files or daily cleanup, " +
			"which goes through the whole bucket: measured_at says when; before the first it is null and the rest 0.",
		Curl:    `curl http://localhost:8000/api/v1/documents/usage`,
		Example: usageExample,
		Codes:   []string{"queue_unavailable"},
	}, a.usage)
	register(a, operation{
		ID: "patch-document", Method: "PATCH", Path: "/api/v1/documents/{document_id}", Tag: tagDocuments,
		Summary:     "Change title, description and tags",
		Description: "In any state, and during processing too. What is left out or null stays as it is. Answers the record as it is then.",
		Curl: `curl -X PATCH http://localhost:8000/api/v1/documents/DOCUMENT_ID \
  -H "Content-Type: application/json" \
  -d '{"title": "Manual de Teste", "tags": ["manual", "2026"]}'`,
		Example: recordExample,
		Codes:   []string{"invalid_request", "document_not_found", "archived", "busy", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.patch)
	register(a, operation{
		ID: "delete-document", Method: "DELETE", Path: "/api/v1/documents/{document_id}", Tag: tagDocuments, Status: 204,
		Summary: "Delete a document",
		Description: "Ends and removes its job, forgets the record and removes upload, text, chunks and a kept original. From then on the document is unknown, " +
			"its duplicates have no text any more, and the same file can be taken in anew. An object that it was made of (source_key) stays.",
		Curl:  `curl -X DELETE http://localhost:8000/api/v1/documents/DOCUMENT_ID`,
		Codes: []string{"invalid_request", "document_not_found", "busy", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.deleteDocument)
}

func (a *api) listDocuments(ctx context.Context, in *listInput) (*listOutput, error) {
	page, err := a.Documents.List(ctx, document.ListQuery{Status: document.State(in.Status), Tag: in.Tag, Search: in.Search,
		SHA256: in.SHA256, Limit: in.Limit, Cursor: in.Cursor})
	if err != nil {
		return nil, inQuery(err)
	}
	for _, d := range page.Documents {
		shown(d)
	}
	return &listOutput{Body: DocumentList{Documents: page.Documents, NextCursor: optional(page.NextCursor), Total: page.Total}}, nil
}

func (a *api) stats(ctx context.Context, _ *struct{}) (*statsOutput, error) {
	s, err := a.Documents.Stats(ctx)
	if err != nil {
		return nil, err
	}
	return &statsOutput{Body: s}, nil
}

func (a *api) usage(ctx context.Context, _ *struct{}) (*usageOutput, error) {
	u, err := a.Documents.Usage(ctx)
	if err != nil {
		return nil, err
	}
	return &usageOutput{Body: u}, nil
}

func (a *api) patch(ctx context.Context, in *patchInput) (*recordOutput, error) {
	d, err := a.Documents.Patch(ctx, in.id(), document.Patch{Title: in.Body.Title, Description: in.Body.Description, Tags: in.Body.Tags})
	if err != nil {
		return nil, err
	}
	return &recordOutput{Body: shown(d)}, nil
}

// deleteDocument answers without a body.
func (a *api) deleteDocument(ctx context.Context, in *DocumentPath) (*struct{}, error) {
	return nil, a.Documents.Delete(ctx, in.id())
}

// catalogDocs describes the fields of the counts.
func catalogDocs() map[string]map[string]string {
	return map[string]map[string]string{
		"Stats": {
			"documents":         "All documents that are not archived",
			"by_status":         "How many of each status; every status is listed",
			"by_format":         "Completed documents and duplicates by format",
			"created_last_hour": "Documents made in the last hour",
			"created_last_day":  "Documents made in the last 24 hours",
			"finished":          "Of the last jobs that ended with completed or duplicate",
		},
		"Finished": {
			"jobs":        "How many jobs the figures are made of: the last 200 at most",
			"per_minute":  "Jobs per minute in the last ten minutes, or since the first of these jobs; null without jobs",
			"p50_seconds": "Half of them took no longer; null without jobs",
			"p95_seconds": "95 of 100 took no longer; null without jobs",
			"max_seconds": "The longest; null without jobs",
		},
		"Usage": {
			"stored_bytes": "Artifacts and kept originals of all completed documents and duplicates that are not archived",
			"text_bytes":   "Text of the completed ones",
			"pages":        "Their pages",
			"words":        "Their words",
			"chunks":       "Their chunks",
			"measured_at":  "When the bucket was last gone through; null before the first time",
			"uploads":      "Uploaded files that wait, are processed or are kept for a retry",
			"artifacts":    "Texts, chunks and records",
			"originals":    "Originals, with storage.keep_original",
			"other":        "What lies below temp/ and documents/ and is not docsvc's",
		},
		"Objects": {
			"objects": "Number of objects",
			"bytes":   "Their size",
		},
	}
}
