package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/s3test"
)

const presignPath = "/api/v1/documents/upload/presigned"

// good is a presign request with one field changed, or left out when value is "".
func good(field, value string) string {
	fields := map[string]string{"filename": `"manual.pdf"`, "file_size": "1048576", "content_type": `"application/pdf"`}
	fields[field] = value
	var parts []string
	for k, v := range fields {
		if v != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", k, v))
		}
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// tags is a list of n tags.
func tags(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"t%d"`, i)
	}
	return "[" + strings.Join(list, ",") + "]"
}

// refusal is a body, and how it is refused.
type refusal struct{ body, code, location string }

func badPresigns() map[string]refusal {
	return map[string]refusal{
		"no JSON":                   {`filename=manual.pdf`, "invalid_json", "body"},
		"JSON that breaks off":      {`{"filename": "manual.pdf"`, "invalid_json", "body"},
		"two values":                {`{} {}`, "invalid_json", "body"},
		"a number beyond all":       {good("file_size", "1e999"), "invalid_json", "body"},
		"nested without end":        {strings.Repeat("[", 30000), "invalid_json", "body"},
		"a list":                    {`[]`, "invalid_request", "body"},
		"null":                      {`null`, "invalid_request", "body"},
		"nothing":                   {``, "invalid_request", "body.content_type"},
		"an unknown field":          {good("file_sise", "1"), "invalid_request", "body.file_sise"},
		"no filename":               {good("filename", ""), "invalid_request", "body.filename"},
		"filename null":             {good("filename", "null"), "invalid_request", "body.filename"},
		"filename a number":         {good("filename", "7"), "invalid_request", "body.filename"},
		"filename empty":            {good("filename", `""`), "invalid_request", "body.filename"},
		"filename blank":            {good("filename", `"  "`), "invalid_request", "body.filename"},
		"filename of 256":           {good("filename", `"`+strings.Repeat("é", 256)+`"`), "invalid_request", "body.filename"},
		"filename ..":               {good("filename", `".."`), "invalid_request", "body.filename"},
		"filename up":               {good("filename", `"../../etc/passwd"`), "invalid_request", "body.filename"},
		"filename absolute":         {good("filename", `"/etc/passwd"`), "invalid_request", "body.filename"},
		"filename with backslash":   {good("filename", `"..\\..\\boot.ini"`), "invalid_request", "body.filename"},
		"filename with NUL":         {good("filename", `"a\u0000.pdf"`), "invalid_request", "body.filename"},
		"filename with a line end":  {good("filename", `"a\r\nX-Evil: 1"`), "invalid_request", "body.filename"},
		"no file_size":              {good("file_size", ""), "invalid_request", "body.file_size"},
		"file_size 0":               {good("file_size", "0"), "invalid_request", "body.file_size"},
		"file_size negative":        {good("file_size", "-1"), "invalid_request", "body.file_size"},
		"file_size over 5 GiB":      {good("file_size", "5368709121"), "invalid_request", "body.file_size"},
		"file_size a text":          {good("file_size", `"1048576"`), "invalid_request", "body.file_size"},
		"file_size a fraction":      {good("file_size", "1.5"), "invalid_request", "body.file_size"},
		"file_size true":            {good("file_size", "true"), "invalid_request", "body.file_size"},
		"a type of no format":       {good("content_type", `"video/mp4"`), "unsupported_type", "body.content_type"},
		"a type that is none":       {good("content_type", `"pdf please"`), "invalid_request", "body.content_type"},
		"title of 256":              {good("title", `"`+strings.Repeat("x", 256)+`"`), "invalid_request", "body.title"},
		"description of 1001":       {good("description", `"`+strings.Repeat("x", 1001)+`"`), "invalid_request", "body.description"},
		"11 tags":                   {good("tags", tags(11)), "invalid_request", "body.tags"},
		"a tag of 51":               {good("tags", `["`+strings.Repeat("x", 51)+`"]`), "invalid_request", "body.tags[0]"},
		"an empty tag":              {good("tags", `[""]`), "invalid_request", "body.tags"},
		"tags a text":               {good("tags", `"a,b"`), "invalid_request", "body.tags"},
		"a tag that is a number":    {good("tags", `["a",1]`), "invalid_request", "body.tags[1]"},
		"a sum that is none":        {good("sha256", `"abc"`), "invalid_request", "body.sha256"},
		"a sum of the wrong digits": {good("sha256", `"`+strings.Repeat("g", 64)+`"`), "invalid_request", "body.sha256"},
	}
}

func TestBadPresign(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	for name, c := range badPresigns() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := f.post(t, presignPath, c.body)
			p := r.problem(t, 422, c.code)
			if len(p.Errors) == 0 || p.Errors[0].Location != c.location || p.Errors[0].Message == "" {
				t.Errorf("errors %v, want one at %s", p.Errors, c.location)
			}
			if len(r.Body) > 4<<10 {
				t.Errorf("the answer has %d bytes", len(r.Body))
			}
		})
	}
	t.Run("what is right", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{
			good("tags", tags(10)), good("filename", `"`+strings.Repeat("é", 255)+`"`), good("file_size", "1"), good("file_size", "5368709120"),
			good("content_type", `"application/octet-stream"`), good("title", "null"), good("tags", "null"), good("sha256", `""`),
			good("filename", `"relatório (final) ção.pdf"`), good("filename", `"..a..pdf"`), good("description", `"a\nb"`),
		} {
			if r := f.post(t, presignPath, body); r.Status != 201 {
				t.Errorf("%.200s answered %d %s", body, r.Status, r.Body)
			}
		}
	})
}

func TestBadProcess(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		up := f.presigned(t, "manual.txt", "twelve bytes")
		path := "/api/v1/documents/" + up.DocumentID + "/process"
		body := fmt.Sprintf(`{"upload_id": %q}`, up.UploadID)
		for name, c := range map[string]struct{ body, code, location string }{
			"nothing":                 {``, "invalid_request", "body.upload_id"},
			"another upload":          {`{"upload_id": "0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"}`, "wrong_upload_id", "body.upload_id"},
			"an unknown field":        {fmt.Sprintf(`{"upload_id": %q, "ocr": true}`, up.UploadID), "invalid_request", "body.ocr"},
			"a priority that is none": {fmt.Sprintf(`{"upload_id": %q, "priority": "urgent"}`, up.UploadID), "invalid_request", "body.priority"},
			"chunks of nothing":       {fmt.Sprintf(`{"upload_id": %q, "chunk_tokens": 0}`, up.UploadID), "invalid_request", "body.chunk_tokens"},
			"chunks of fractions":     {fmt.Sprintf(`{"upload_id": %q, "chunk_tokens": 99.5}`, up.UploadID), "invalid_request", "body.chunk_tokens"},
			"all overlap":             {fmt.Sprintf(`{"upload_id": %q, "chunk_tokens": 100, "chunk_overlap": 100}`, up.UploadID), "invalid_request", "body.chunk_overlap"},
			"a sum that is none":      {fmt.Sprintf(`{"upload_id": %q, "file_hash": "x"}`, up.UploadID), "invalid_request", "body.file_hash"},
			"a password of a number":  {fmt.Sprintf(`{"upload_id": %q, "password": 12345678}`, up.UploadID), "invalid_request", "body.password"},
		} {
			r := f.post(t, path, c.body)
			p := r.problem(t, 422, c.code)
			if len(p.Errors) == 0 || p.Errors[0].Location != c.location {
				t.Errorf("%s: errors %v, want one at %s", name, p.Errors, c.location)
			}
			if strings.Contains(string(r.Body), "12345678") {
				t.Errorf("%s: the answer repeats the password: %s", name, r.Body)
			}
		}
		if p := f.post(t, path, body).problem(t, 409, "upload_missing"); p.State != "awaiting_upload" {
			t.Errorf("before the upload the state is %q", p.State)
		}
		f.checkAwaiting(t, up.DocumentID)
		put(t, up.UploadURL, "too long a file")
		p := f.post(t, path, body).problem(t, 409, "size_mismatch")
		if !strings.Contains(p.Detail, "15") || !strings.Contains(p.Detail, "12") || p.State != "awaiting_upload" {
			t.Errorf("detail %q, state %q", p.Detail, p.State)
		}
		f.checkAwaiting(t, up.DocumentID)
		put(t, up.UploadURL, "twelve bytes")
		if r := f.post(t, path, body); r.Status != 202 {
			t.Errorf("put again, it answered %d %s", r.Status, r.Body)
		}
	})
}

// checkAwaiting looks that a refused request has changed nothing.
func (f *fixture) checkAwaiting(t *testing.T, id string) {
	t.Helper()
	var s document.Status
	f.get(t, "/api/v1/documents/"+id+"/status").into(t, 200, &s)
	if s.Status != document.AwaitingUpload || s.JobID != nil {
		t.Errorf("status %+v", s)
	}
	f.get(t, "/api/v1/documents/"+id+"/text").problem(t, 409, "not_ready")
	f.get(t, "/api/v1/documents/"+id+"/chunks").problem(t, 409, "not_ready")
	f.get(t, "/api/v1/documents/"+id+"/original").problem(t, 409, "not_ready")
}

func TestUnknownThings(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	doc := "/api/v1/documents/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"
	for _, path := range []string{doc, doc + "/status", doc + "/status?wait=60", doc + "/text", doc + "/chunks", doc + "/original", strings.ToUpper(doc[18:]) + ""} {
		if !strings.HasPrefix(path, "/") {
			path = "/api/v1/documents/" + path
		}
		f.get(t, path).problem(t, 404, "document_not_found")
	}
	f.post(t, doc+"/process", `{"upload_id": "7c1f1a52-0f6e-4d9b-8a57-2b1f6f0c9e10"}`).problem(t, 404, "document_not_found")
	f.get(t, "/api/v1/queue/job/redis-job-id").problem(t, 404, "job_not_found")
	f.post(t, "/api/v1/queue/job/JOB_ID/cancel", "").problem(t, 404, "job_not_found")
	f.post(t, "/api/v1/queue/job/JOB_ID/retry", "").problem(t, 404, "job_not_found")
	for body, location := range map[string]string{
		``:                           "body.task_type",
		`{"task_type":"everything"}`: "body.task_type",
		`{"task_type":"daily","older_than_hours":-1}`: "body.older_than_hours",
		`{"task_type":"daily","dry_run":"yes"}`:       "body.dry_run",
		`{"task_type":"daily","force":true}`:          "body.force",
	} {
		p := f.post(t, "/api/v1/queue/cleanup", body).problem(t, 422, "invalid_request")
		if len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%s: errors %v", body, p.Errors)
		}
	}
}

// A document has no job that anybody could ask for before process.
func TestRecordBeforeProcess(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	up := f.presigned(t, "a.txt", "x")
	if r := f.get(t, "/api/v1/documents/"+up.DocumentID); r.Status != 200 || !strings.Contains(string(r.Body), `"job_id":""`) {
		t.Errorf("answered %d %s", r.Status, r.Body)
	}
}

// An id in upper case is the same document.
func TestDocumentIDInUpperCase(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	up := f.presigned(t, "a.txt", "x")
	if r := f.get(t, "/api/v1/documents/"+strings.ToUpper(up.DocumentID)+"/status"); r.Status != 200 {
		t.Errorf("answered %d %s", r.Status, r.Body)
	}
}

// Whatever is sent, the answer is one that the API documents, and never 500.
func FuzzRequests(f *testing.F) {
	mini := miniredis.RunT(f)
	fix := wire(f, redisClient(f, mini.Addr()), s3test.Start(f), nil, nil)
	up, err := fix.Docs.Presign(context.Background(), document.NewUpload{Filename: "a.txt", FileSize: 1, ContentType: "text/plain"})
	if err != nil {
		f.Fatal(err)
	}
	paths := []string{presignPath, "/api/v1/documents/" + up.DocumentID + "/process", "/api/v1/queue/cleanup", "/api/v1/queue/job/x/retry"}
	for i := range paths {
		for _, body := range []string{"", "{}", "[]", "null", `"x"`, "1e400", `{"filename":`, good("file_size", "1e3"), good("file_size", "1e30"), good("FILENAME", `"x"`),
			good("tags", `[[]]`), good("title", `{"a":1}`), fmt.Sprintf(`{"upload_id":%q}`, up.UploadID), `{"task_type":"daily","older_than_hours":1e1}`,
			`{"upload_id":"\ud800"}`, "{\"filename\":\"\xff\"}", `{"upload_id":"x","password":"` + strings.Repeat("p", 1100) + `"}`} {
			f.Add(byte(i), body)
		}
	}
	f.Fuzz(func(t *testing.T, which byte, body string) {
		r := fix.do(t, http.MethodPost, paths[int(which)%len(paths)], body)
		switch {
		case r.Status == 201 || r.Status == 202:
		case r.Status >= 400 && r.Status < 500, r.Status == 503:
			var p Problem
			r.into(t, r.Status, &p)
			if e, ok := errorCodes[p.Code]; !ok || e.Status != r.Status {
				t.Errorf("%q: %d with code %q", body, r.Status, p.Code)
			}
		default:
			t.Errorf("%q: answered %d %s", body, r.Status, r.Body)
		}
	})
}

// The same for what stands in a URL.
func FuzzURLs(f *testing.F) {
	mini := miniredis.RunT(f)
	fix := wire(f, redisClient(f, mini.Addr()), s3test.Start(f), nil, nil)
	for _, s := range []string{"queue/info/%00", "queue/info/a%2fb", "queue/job/%ff", "queue/jobs?queue=document_processing&cursor=%zz",
		"queue/jobs?queue=document_processing&cursor=-1", "queue/jobs?queue=document_processing&limit=1e1", "documents/x/status?wait=;", "queue/jobs?queue=a;b",
		"documents/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d/chunks?cursor=9999999999999999999999", "//", "..", "queue/info/../info", "%2e%2e/%2e%2e", "queue/job/" + strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		for _, c := range path {
			if c <= ' ' || c >= 0x7f || c == '#' {
				t.Skip("not a request target")
			}
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", fix.URL+"/api/v1/"+path, nil)
		if err != nil {
			t.Skip("not a URL")
		}
		if r := send(t, req); r.Status >= 500 && r.Status != 503 {
			t.Errorf("%q: answered %d %s", path, r.Status, r.Body)
		}
	})
}
