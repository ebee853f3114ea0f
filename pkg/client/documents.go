package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
)

const api = "/api/v1"

// NewUpload announces a file: the body of the presigned call.
type NewUpload struct {
	Filename    string   `json:"filename"`
	FileSize    int64    `json:"file_size"` // bytes
	ContentType string   `json:"content_type"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"`
	SHA256      string   `json:"sha256,omitempty"` // hexadecimal
	// Resume answers the document that already awaits this very file, if
	// there is one. It needs SHA256.
	Resume bool `json:"resume,omitempty"`
}

// Upload is where to send a file.
type Upload struct {
	DocumentID string            `json:"document_id"`
	UploadID   string            `json:"upload_id"`
	URL        string            `json:"upload_url"`
	Method     string            `json:"upload_method"`
	Headers    map[string]string `json:"upload_headers"`
	ExpiresAt  time.Time         `json:"expires_at"`
}

// ProcessRequest asks for an uploaded file to be processed.
type ProcessRequest struct {
	UploadID       string `json:"upload_id"`
	AllowDuplicate bool   `json:"allow_duplicate,omitempty"`
}

// ObjectRequest asks for an object of the bucket to be processed.
type ObjectRequest struct {
	Key            string   `json:"key"`
	Title          string   `json:"title,omitempty"`
	Description    string   `json:"description,omitempty"`
	Tags           []string `json:"tags,omitempty"`
	AllowDuplicate bool     `json:"allow_duplicate,omitempty"`
}

// Accepted names the job that will process a document.
type Accepted struct {
	DocumentID string         `json:"document_id"`
	JobID      string         `json:"job_id"`
	Status     document.State `json:"status"`
}

// ListQuery chooses documents; empty fields don't.
type ListQuery struct {
	Status, Tag, Search, SHA256, Cursor string
	Limit                               int // of the page, 1 to 100; 0: the server's default
}

// Page is one page of a list, newest first.
type Page struct {
	Documents  []Record
	NextCursor string // "" at the end
	Total      *int64 // nil when it is not known
}

// Record is a document as the server tells it, and its very words: a newer
// server says more than this version knows.
type Record struct {
	document.Document
	Raw json.RawMessage
}

// UnmarshalJSON keeps the words.
func (r *Record) UnmarshalJSON(text []byte) error {
	r.Raw = append(json.RawMessage(nil), text...)
	return json.Unmarshal(text, &r.Document)
}

// MarshalJSON writes what the server said.
func (r Record) MarshalJSON() ([]byte, error) { return r.Raw, nil }

// Presign makes a document, or finds the one that awaits the file, and a URL
// to PUT the file to.
func (c *Client) Presign(ctx context.Context, n NewUpload) (*Upload, error) {
	up := new(Upload)
	err := c.do(ctx, call{method: http.MethodPost, path: api + "/documents/upload/presigned", body: n}, up)
	if err == nil && (up.DocumentID == "" || up.URL == "") {
		err = errors.New("the server answered no upload URL")
	}
	return up, err
}

// Process enqueues an uploaded document; asked again it answers the same job.
func (c *Client) Process(ctx context.Context, id string, r ProcessRequest) (*Accepted, error) {
	a := new(Accepted)
	return a, c.do(ctx, call{method: http.MethodPost, path: documentPath(id, "process"), body: r}, a)
}

// TakeObject enqueues an object of the bucket.
func (c *Client) TakeObject(ctx context.Context, r ObjectRequest) (*Accepted, error) {
	a := new(Accepted)
	return a, c.do(ctx, call{method: http.MethodPost, path: api + "/documents/objects", body: r}, a)
}

// Status tells how far a document is. It waits up to wait (whole seconds, at
// most 60) for it to end.
func (c *Client) Status(ctx context.Context, id string, wait time.Duration) (*document.Status, error) {
	st := new(document.Status)
	return st, c.do(ctx, statusCall(id, wait), st)
}

// RawStatus is Status in the server's words, with its explanation.
func (c *Client) RawStatus(ctx context.Context, id string, wait time.Duration) (raw json.RawMessage, err error) {
	explained := statusCall(id, wait)
	explained.query.Set("explain", "true")
	err = c.do(ctx, explained, &raw)
	return raw, err
}

func statusCall(id string, wait time.Duration) call {
	q := url.Values{}
	if n := int(wait / time.Second); n > 0 {
		q.Set("wait", strconv.Itoa(n))
	}
	return call{method: http.MethodGet, path: documentPath(id, "status"), query: q, wait: wait}
}

// Get returns a document's record.
func (c *Client) Get(ctx context.Context, id string) (*Record, error) {
	r := new(Record)
	return r, c.do(ctx, call{method: http.MethodGet, path: documentPath(id, "")}, r)
}

// List returns a page of documents.
func (c *Client) List(ctx context.Context, q ListQuery) (*Page, error) {
	values := url.Values{}
	for name, value := range map[string]string{"status": q.Status, "tag": q.Tag, "search": q.Search, "sha256": q.SHA256, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit > 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	var answer struct {
		Documents  []Record `json:"documents"`
		NextCursor *string  `json:"next_cursor"`
		Total      *int64   `json:"total"`
	}
	if err := c.do(ctx, call{method: http.MethodGet, path: api + "/documents", query: values}, &answer); err != nil {
		return nil, err
	}
	p := &Page{Documents: answer.Documents, Total: answer.Total}
	if answer.NextCursor != nil {
		p.NextCursor = *answer.NextCursor
	}
	return p, nil
}

// Delete removes a document and all that was made of it.
func (c *Client) Delete(ctx context.Context, id string) error {
	lost := false
	err := c.watching(func(error) { lost = true }).do(ctx, call{method: http.MethodDelete, path: documentPath(id, "")}, nil)
	if lost && IsNotFound(err) {
		return nil // by the try whose answer was lost
	}
	return err
}

// watching is c, telling also seen of each try that is made again.
func (c *Client) watching(seen func(error)) *Client {
	other := *c
	other.c.Retrying = func(err error, wait time.Duration) {
		seen(err)
		if c.c.Retrying != nil {
			c.c.Retrying(err, wait)
		}
	}
	return &other
}

// Stats counts the documents. The answer is in the server's words.
func (c *Client) Stats(ctx context.Context) (raw json.RawMessage, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: api + "/documents/stats"}, &raw)
	return raw, err
}

// Usage tells how much room the documents take, in the server's words.
func (c *Client) Usage(ctx context.Context) (raw json.RawMessage, err error) {
	err = c.do(ctx, call{method: http.MethodGet, path: api + "/documents/usage"}, &raw)
	return raw, err
}

// Text writes a document's text, Markdown in UTF-8, to w. A long one comes
// straight from the storage. Nothing is tried again once w was written to.
func (c *Client) Text(ctx context.Context, id string, w io.Writer) error {
	return c.insist(ctx, c.apiOutage, func(ctx context.Context) error {
		answer, err := c.send(ctx, call{method: http.MethodGet, path: documentPath(id, "text")})
		if err != nil {
			return err
		}
		defer func() { _ = answer.Body.Close() }()
		if _, err := io.Copy(w, answer.Body); err != nil {
			return fmt.Errorf("reading the text of document %s: %w", id, plain(err))
		}
		return nil
	})
}

// Health is what ingest wants to know of a server before it begins.
type Health struct {
	Status  string   `json:"status"` // healthy, degraded or unhealthy
	Reasons []string `json:"reasons"`
	Queues  map[string]struct {
		Workers int `json:"workers"`
	} `json:"queues"`
	Storage struct {
		Bucket string `json:"bucket"`
	} `json:"storage"`
}

// Health asks also a server that is unhealthy.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	h := new(Health)
	return h, c.do(ctx, call{method: http.MethodGet, path: api + "/queue/health", accept: []int{http.StatusServiceUnavailable}}, h)
}

func documentPath(id, what string) string {
	path := api + "/documents/" + url.PathEscape(id)
	if what != "" {
		path += "/" + what
	}
	return path
}
