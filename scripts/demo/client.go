package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// client makes the guide's calls and prints each as its curl line.
type client struct {
	base string // http://host:port
	http *http.Client
}

func newClient(api string) *client {
	return &client{base: api, http: &http.Client{Timeout: 90 * time.Second}}
}

type upload struct {
	UploadURL  string `json:"upload_url"`
	DocumentID string `json:"document_id"`
	UploadID   string `json:"upload_id"`
}

type accepted struct {
	JobID         string `json:"job_id"`
	Status        string `json:"status"`
	EstimatedTime string `json:"estimated_time"`
}

type status struct {
	Status         string  `json:"status"`
	Progress       int     `json:"progress"`
	CurrentStep    string  `json:"current_step"`
	ProcessingTime float64 `json:"processing_time"`
	DuplicateOf    string  `json:"duplicate_of"`
	Error          string  `json:"error"`
	ErrorCode      string  `json:"error_code"`
}

func (s *status) ended() bool {
	switch s.Status {
	case "completed", "duplicate", "failed", "canceled":
		return true
	}
	return false
}

var contentTypes = map[string]string{
	".pdf":  "application/pdf",
	".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".html": "text/html",
	".md":   "text/markdown",
	".txt":  "text/plain",
}

func (c *client) presign(ctx context.Context, name string, size int) (*upload, error) {
	title := strings.TrimSuffix(name, filepath.Ext(name))
	var up upload
	err := c.post(ctx, "/api/v1/documents/upload/presigned", map[string]any{
		"filename": name, "file_size": size, "content_type": contentTypes[filepath.Ext(name)], "title": title,
	}, &up)
	return &up, err
}

func (c *client) upload(ctx context.Context, name, to string, data []byte) error {
	fmt.Printf("  $ curl -X PUT %q --data-binary @%s\n", short(to), name)
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded") // what curl sends
	return c.do(req, nil)
}

func (c *client) process(ctx context.Context, id, uploadID string) (*accepted, error) {
	var a accepted
	err := c.post(ctx, "/api/v1/documents/"+id+"/process", map[string]any{"upload_id": uploadID}, &a)
	return &a, err
}

// follow waits for the document's end and prints every change it sees.
func (c *client) follow(ctx context.Context, id string) (*status, error) {
	path := "/api/v1/documents/" + id + "/status"
	fmt.Printf("  $ curl %s%s\n", c.base, path)
	var last string
	said := time.Now()
	for {
		var st status
		if err := c.get(ctx, path+"?wait=1", &st); err != nil {
			return nil, err
		}
		line := fmt.Sprintf("  %3d %% %s", st.Progress, st.Status)
		if st.CurrentStep != "" {
			line += ": " + st.CurrentStep
		}
		if line != last || time.Since(said) >= 2*time.Second {
			fmt.Println(line)
			last, said = line, time.Now()
		}
		if st.ended() {
			return &st, nil
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (c *client) text(ctx context.Context, id string) (string, error) {
	path := "/api/v1/documents/" + id + "/text"
	fmt.Printf("  $ curl %s%s\n", c.base, path)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return "", err
	}
	var text bytes.Buffer
	err = c.do(req, &text)
	return text.String(), err
}

func (c *client) chunkCount(ctx context.Context, id string) (int, error) {
	n, cursor := 0, ""
	for {
		var page struct {
			Chunks     []json.RawMessage `json:"chunks"`
			NextCursor string            `json:"next_cursor"`
		}
		if err := c.get(ctx, "/api/v1/documents/"+id+"/chunks?limit=100&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return 0, err
		}
		n += len(page.Chunks)
		if cursor = page.NextCursor; cursor == "" {
			return n, nil
		}
	}
}

func (c *client) post(ctx context.Context, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	fmt.Printf("  $ curl -X POST %s%s -H 'Content-Type: application/json' -d '%s'\n", c.base, path, data)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.do(req, into)
}

func (c *client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return err
	}
	return c.do(req, into)
}

// do sends a request; into is nil, a *bytes.Buffer or something for JSON.
func (c *client) do(req *http.Request, into any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		var problem struct{ Code, Detail string }
		if json.Unmarshal(data, &problem) == nil && problem.Detail != "" {
			return fmt.Errorf("%s %s: %s: %s (%s)", req.Method, req.URL.Path, resp.Status, problem.Detail, problem.Code)
		}
		return fmt.Errorf("%s %s: %s: %.200s", req.Method, req.URL.Path, resp.Status, data)
	}
	switch into := into.(type) {
	case nil:
		return nil
	case *bytes.Buffer:
		into.Write(data)
		return nil
	default:
		if err := json.Unmarshal(data, into); err != nil {
			return errors.Join(fmt.Errorf("%s %s: the answer is no JSON", req.Method, req.URL.Path), err)
		}
		return nil
	}
}

// short leaves the signature of a presigned URL out of the transcript.
func short(raw string) string {
	if path, query, ok := strings.Cut(raw, "?"); ok && len(query) > 24 {
		return path + "?" + query[:24] + "..."
	}
	return raw
}
