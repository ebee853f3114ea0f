package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
)

func (f *fixture) object(t *testing.T, key, body string) {
	t.Helper()
	if _, err := f.Store.WholeBucket().Put(t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// An object of the bucket becomes a document; asked again it is the same.
func TestTakingInAnObject(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := online(t, s, nil)
		f.work(t)
		const key = "inbox/relatório 1.txt"
		f.object(t, key, "The first paragraph.")
		ask := fmt.Sprintf(`{"key": %q, "title": "Relatório", "tags": ["x"], "chunk_tokens": 60, "priority": "high"}`, key)
		var a, again Accepted
		r := f.post(t, "/api/v1/documents/objects", ask)
		r.into(t, http.StatusAccepted, &a)
		if a.Status != "uploaded" || a.JobID == "" || a.EstimatedTime == "" || r.Header.Get("Location") != "/api/v1/documents/"+a.DocumentID+"/status" {
			t.Errorf("%+v, %v", a, r.Header)
		}
		var st document.Status
		f.get(t, "/api/v1/documents/"+a.DocumentID+"/status?wait=60").into(t, http.StatusOK, &st)
		if st.Status != "completed" || st.S3FileDeleted {
			t.Fatalf("%+v", st)
		}
		f.post(t, "/api/v1/documents/objects", ask).into(t, http.StatusAccepted, &again)
		if again.DocumentID != a.DocumentID || again.JobID != a.JobID || again.Status != "completed" {
			t.Errorf("%+v, before %+v", again, a)
		}
		var d map[string]any
		f.get(t, "/api/v1/documents/"+a.DocumentID).into(t, http.StatusOK, &d)
		if d["source_key"] != key || d["filename"] != "relatório 1.txt" || d["title"] != "Relatório" || d["file_size"] != float64(20) {
			t.Errorf("%v", d)
		}
		if _, there := d["upload_expires_at"]; there {
			t.Errorf("upload_expires_at is %v", d["upload_expires_at"])
		}
		if r := f.get(t, "/api/v1/documents/"+a.DocumentID+"/original"); r.Status != http.StatusOK || string(r.Body) != "The first paragraph." {
			t.Errorf("original: %d %s", r.Status, r.Body)
		}
	})
}

func TestObjectsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := onlineWith(t, redistest.Start(t, redistest.Miniredis), nil, func(c *document.Config) { c.MaxFileSize = 10 })
	f.object(t, "a.txt", "hello")
	f.object(t, "large.txt", "hello hello")
	for body, want := range map[string]struct {
		status         int
		code, location string
	}{
		`{"key": "none.txt"}`:                       {404, "object_not_found", "body.key"},
		`{"key": "large.txt"}`:                      {422, "too_large", "body.key"},
		`{"key": "docsvc.json"}`:                    {422, "invalid_request", "body.key"},
		`{"key": "temp/x/y"}`:                       {422, "invalid_request", "body.key"},
		`{"key": "documents/x/y/text.md"}`:          {422, "invalid_request", "body.key"},
		`{"key": "a/../a.txt"}`:                     {422, "invalid_request", "body.key"},
		`{"key": ""}`:                               {422, "invalid_request", "body.key"},
		`{"key": 5}`:                                {422, "invalid_request", "body.key"},
		`{}`:                                        {422, "invalid_request", "body.key"},
		`{"key": "a.txt", "sha256": "12"}`:          {422, "invalid_request", "body.sha256"},
		`{"key": "a.txt", "upload_id": "x"}`:        {422, "invalid_request", "body.upload_id"},
		`{"key": "a.txt", "priority": "now"}`:       {422, "invalid_request", "body.priority"},
		`{"key": "a.txt", "tags": ["a", "\u0007"]}`: {422, "invalid_request", "body.tags"},
	} {
		p := f.post(t, "/api/v1/documents/objects", body).problem(t, want.status, want.code)
		if len(p.Errors) != 1 || p.Errors[0].Location != want.location {
			t.Errorf("%s: %+v", body, p.Errors)
		}
	}
	f.post(t, "/api/v1/documents/objects", `{"key": `).problem(t, 422, "invalid_json")
	offline(t, nil).post(t, "/api/v1/documents/objects", `{"key": "a.txt"}`).problem(t, 503, "queue_unavailable")
}

// resume answers the upload again that is still awaited.
func TestResumingAnUpload(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	ask := func(resume string) string {
		return `{"filename": "a.txt", "file_size": 5, "content_type": "text/plain", "sha256": "2CF24DBA5FB0A30E26E83B2AC5B9E29E1B161E5C1FA7425E73043362938B9824"` + resume + `}`
	}
	var first, second, third Presigned
	f.post(t, "/api/v1/documents/upload/presigned", ask("")).into(t, http.StatusCreated, &first)
	f.post(t, "/api/v1/documents/upload/presigned", ask(`, "resume": true`)).into(t, http.StatusCreated, &second)
	f.post(t, "/api/v1/documents/upload/presigned", ask(`, "resume": false`)).into(t, http.StatusCreated, &third)
	if second.DocumentID != first.DocumentID || second.UploadID != first.UploadID || third.DocumentID == first.DocumentID {
		t.Errorf("first %+v, resumed %+v, not resumed %+v", first, second, third)
	}
	p := f.post(t, "/api/v1/documents/upload/presigned",
		`{"filename": "a.txt", "file_size": 5, "content_type": "text/plain", "resume": true}`).problem(t, 422, "invalid_request")
	if len(p.Errors) != 1 || p.Errors[0].Location != "body.resume" {
		t.Errorf("%+v", p.Errors)
	}
}
