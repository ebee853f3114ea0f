// Package clienttest is a server that answers as docsvc and its storage do, as
// far as package client and what is built on it need, with faults at will.
package clienttest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
)

// Server is the fake. Its fields may be changed with Do while it is called.
type Server struct {
	URL string

	mu    sync.Mutex
	busy  int // requests in work
	Docs  []*Doc
	Puts  []string // file names, in the order in which uploads were complete
	Calls []string // "METHOD path"

	// Fault is asked before each request; true means that it has answered.
	Fault func(w http.ResponseWriter, r *http.Request) bool
	// Outcome is what processing makes of a document. Default: completed.
	Outcome func(d *Doc)
	// Hold keeps documents in work while it is true.
	Hold bool
}

// Doc is one document of the fake.
type Doc struct {
	document.Document
	Sum  string // as announced
	Data int64  // bytes that are stored
	Key  string // of an object
}

// Start runs a fake until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/documents/upload/presigned", s.presign)
	mux.HandleFunc("POST /api/v1/documents/objects", s.object)
	mux.HandleFunc("PUT /upload/{id}", s.put)
	mux.HandleFunc("POST /api/v1/documents/{id}/process", s.process)
	mux.HandleFunc("GET /api/v1/documents/{id}/status", s.status)
	mux.HandleFunc("GET /api/v1/documents/{id}", s.get)
	mux.HandleFunc("DELETE /api/v1/documents/{id}", s.remove)
	mux.HandleFunc("GET /api/v1/documents", s.list)
	mux.HandleFunc("GET /api/v1/queue/health", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"healthy","reasons":[],"queues":{"document_processing":{"workers":1}},"storage":{"available":true,"bucket":"docsvc"}}`)
	})
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var fault func(http.ResponseWriter, *http.Request) bool
		s.Do(func() {
			s.busy++
			s.Calls = append(s.Calls, r.Method+" "+r.URL.Path)
			fault = s.Fault
		})
		defer s.Do(func() { s.busy-- })
		if fault != nil && fault(w, r) {
			return
		}
		mux.ServeHTTP(w, r)
	}))
	s.URL = web.URL
	t.Cleanup(func() {
		web.CloseClientConnections()
		web.Close()
	})
	return s
}

// Do calls f while nobody else looks at the fields.
func (s *Server) Do(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Settle waits until no request is in work: one that its client has left may be.
func (s *Server) Settle() {
	for busy := 1; busy > 0; time.Sleep(time.Millisecond) {
		s.Do(func() { busy = s.busy })
	}
}

// Problem answers an error as docsvc does.
func Problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"status": status, "code": code, "title": code, "detail": detail, "request_id": "r-1"})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) find(id string) *Doc {
	i := slices.IndexFunc(s.Docs, func(d *Doc) bool { return d.ID == id })
	if i < 0 {
		return nil
	}
	return s.Docs[i]
}

// asked is the document that a request names; nil when it was answered that
// there is none.
func (s *Server) asked(w http.ResponseWriter, r *http.Request) *Doc {
	d := s.find(r.PathValue("id"))
	if d == nil {
		Problem(w, 404, "document_not_found", "There is no such document.")
	}
	return d
}

func (s *Server) add(d *Doc) {
	n := len(s.Docs) + 1
	d.ID = fmt.Sprintf("00000000-0000-7000-8000-%012d", n)
	d.UploadID, d.JobID = fmt.Sprintf("upload-%d", n), fmt.Sprintf("job-%d", n)
	d.CreatedAt = time.Date(2026, 11, 23, 16, 0, n, 0, time.UTC)
	s.Docs = append(s.Docs, d)
}

func (s *Server) presign(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Filename    string
		FileSize    int64  `json:"file_size"`
		ContentType string `json:"content_type"`
		Title       string
		Tags        []string
		SHA256      string
		Resume      bool
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Filename == "" || strings.ContainsAny(in.Filename, "/\\\n") {
		Problem(w, 422, "invalid_request", "filename must be a plain name without a path.")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var d *Doc
	for _, have := range s.Docs {
		if in.Resume && have.Sum == in.SHA256 && have.FileSize == in.FileSize && have.Status == document.AwaitingUpload {
			d = have
		}
	}
	if d == nil {
		d = &Doc{Sum: in.SHA256}
		d.Filename, d.FileSize, d.ContentType, d.Title, d.Tags = in.Filename, in.FileSize, in.ContentType, in.Title, in.Tags
		d.Status = document.AwaitingUpload
		s.add(d)
	}
	answer(w, 201, map[string]any{"document_id": d.ID, "upload_id": d.UploadID, "upload_url": s.URL + "/upload/" + d.ID + "?X-Amz-Signature=secret",
		"upload_method": "PUT", "upload_headers": map[string]string{"X-Amz-Checksum-Sha256": in.SHA256}, "expires_in": 3600})
}

func (s *Server) put(w http.ResponseWriter, r *http.Request) {
	h := sha256.New()
	n, err := io.Copy(h, r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.find(r.PathValue("id"))
	sum := hex.EncodeToString(h.Sum(nil))
	if err != nil || d == nil || n != d.FileSize || sum != d.Sum || r.Header.Get("X-Amz-Checksum-Sha256") != d.Sum {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, `<?xml version="1.0"?><Error><Code>BadDigest</Code><Message>the checksum does not match</Message></Error>`)
		return
	}
	d.Data = n
	s.Puts = append(s.Puts, d.Filename)
}

func (s *Server) process(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.asked(w, r)
	switch {
	case d == nil:
		return
	case d.Data == 0 && d.Key == "":
		Problem(w, 409, "upload_missing", "The upload has not arrived.")
		return
	}
	if !d.Status.Succeeded() && !d.Status.Active() {
		d.Status = document.Uploaded
	}
	answer(w, 202, map[string]any{"document_id": d.ID, "job_id": d.JobID, "status": d.Status})
}

func (s *Server) object(w http.ResponseWriter, r *http.Request) {
	var in struct{ Key string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.Docs {
		if d.Key == in.Key {
			answer(w, 202, map[string]any{"document_id": d.ID, "job_id": d.JobID, "status": d.Status})
			return
		}
	}
	if strings.HasPrefix(in.Key, "missing") {
		Problem(w, 404, "object_not_found", "There is no object "+in.Key+" in the bucket.")
		return
	}
	d := &Doc{Key: in.Key}
	d.Filename, d.Status = in.Key, document.Uploaded
	s.add(d)
	answer(w, 202, map[string]any{"document_id": d.ID, "job_id": d.JobID, "status": d.Status})
}

// work finishes a document that somebody waits for.
func (s *Server) work(d *Doc) {
	if !d.Status.Active() || s.Hold {
		return
	}
	d.Status = document.Completed
	if s.Outcome != nil {
		s.Outcome(d)
	}
}

func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.asked(w, r)
	if d == nil {
		return
	}
	s.work(d)
	st := document.Status{DocumentID: d.ID, JobID: &d.JobID, Status: d.Status, Progress: d.Progress, CurrentStep: d.CurrentStep,
		Partial: d.Partial, Warnings: d.Warnings}
	for _, f := range []struct {
		from string
		to   **string
	}{{d.Error, &st.Error}, {d.ErrorCode, &st.ErrorCode}, {d.DuplicateOf, &st.DuplicateOf}} {
		if f.from != "" {
			*f.to = &f.from
		}
	}
	answer(w, 200, st)
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.asked(w, r); d != nil {
		answer(w, 200, d.Document)
	}
}

func (s *Server) remove(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.asked(w, r)
	if d == nil {
		return
	}
	s.Docs = slices.DeleteFunc(s.Docs, func(have *Doc) bool { return have == d })
	w.WriteHeader(http.StatusNoContent)
}

// list pages by two, whatever limit is asked for, so that callers must page.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	out, next := []document.Document{}, any(nil)
	for i := len(s.Docs) - 1; i >= 0; i-- {
		d := s.Docs[i]
		if sum := q.Get("sha256"); sum != "" && sum != d.Sum || q.Get("status") != "" && q.Get("status") != string(d.Status) {
			continue
		}
		if c := q.Get("cursor"); c != "" && d.ID >= c {
			continue
		}
		if len(out) == 2 {
			next = out[1].ID
			break
		}
		out = append(out, d.Document)
	}
	answer(w, 200, map[string]any{"documents": out, "next_cursor": next, "total": len(s.Docs)})
}
