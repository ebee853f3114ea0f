package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/pipeline"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/worker"
)

// lines reads a text file in this process; a file that begins with "%broken"
// fails as a corrupt document does.
type lines struct{}

func (lines) Extract(_ context.Context, r extract.Request, _ func(extract.Progress)) (*extract.Document, error) {
	text, err := io.ReadAll(io.NewSectionReader(r.File, 0, 1<<30))
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(text, []byte("%broken")) {
		return nil, block.Errorf(block.CodeCorrupt, "The file is damaged.")
	}
	d := &extract.Document{Format: "text", MIME: "text/plain", Version: "test"}
	for p := range strings.SplitSeq(string(text), "\n\n") {
		d.Blocks = append(d.Blocks, block.Block{Kind: block.Paragraph, Text: strings.TrimSpace(p)})
	}
	return d, nil
}

// Thumbnail has one of texts that speak of a picture.
func (lines) Thumbnail(_ context.Context, r extract.Request, format string) ([]byte, error) {
	text, err := io.ReadAll(io.NewSectionReader(r.File, 0, 1<<30))
	if err != nil || format != "text" || !bytes.HasPrefix(text, []byte("A picture")) {
		return nil, err
	}
	return []byte("\x89PNG of it"), nil
}

// work runs the real worker and pipeline until the test ends.
func (f *fixture) work(t *testing.T) {
	t.Helper()
	p, err := pipeline.New(pipeline.Config{Documents: f.Docs, Store: f.Store, Pool: lines{}, Thumbnails: lines{}, WorkDir: t.TempDir(), MinFree: 1,
		Chunk: chunk.Options{MaxTokens: 50, Overlap: 5}})
	if err != nil {
		t.Fatal(err)
	}
	w, err := worker.New(worker.Config{Name: "worker-1", Queue: f.Queue, Queues: []string{"document_processing"},
		KnownQueues: []string{"document_processing"}, Concurrency: 2, Handlers: []worker.Handler{p.Handler()}})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = w.Run(context.Background()) }()
	t.Cleanup(func() {
		w.Kill()
		<-w.Done()
		_ = p.Close()
	})
}

// presigned asks for an upload URL for body.
func (f *fixture) presigned(t *testing.T, name, body string) Presigned {
	t.Helper()
	var up Presigned
	r := f.post(t, "/api/v1/documents/upload/presigned",
		fmt.Sprintf(`{"filename": %q, "file_size": %d, "content_type": "text/plain", "title": "Manual de Teste"}`, name, len(body)))
	r.into(t, http.StatusCreated, &up)
	return up
}

// put uploads as curl -X PUT --data-binary does: with a form's content type.
func put(t *testing.T, url, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(t, req).Status
}

// process uploads body and asks for its processing.
func (f *fixture) process(t *testing.T, body string) (Presigned, Accepted) {
	t.Helper()
	up := f.presigned(t, "manual.txt", body)
	if status := put(t, up.UploadURL, body); status != http.StatusOK {
		t.Fatalf("the upload answered %d", status)
	}
	var acc Accepted
	f.post(t, "/api/v1/documents/"+up.DocumentID+"/process", fmt.Sprintf(`{"upload_id": %q}`, up.UploadID)).into(t, http.StatusAccepted, &acc)
	return up, acc
}

// await follows a document until it is final.
func (f *fixture) await(t *testing.T, id string) document.Status {
	t.Helper()
	for range 5 {
		var s document.Status
		f.get(t, "/api/v1/documents/"+id+"/status?wait=30").into(t, http.StatusOK, &s)
		if s.Status.Final() {
			return s
		}
	}
	t.Fatalf("document %s did not become final", id)
	return document.Status{}
}

// The guide's flow, as it types it.
func TestGuideFlow(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		body := strings.Repeat("Um parágrafo sobre a instalação do sistema, com palavras que bastam.\n\n", 60)
		up, acc := f.process(t, body)
		if up.ExpiresIn != 3600 || up.UploadMethod != "PUT" || up.UploadHeaders == nil || up.ExpiresAt.IsZero() {
			t.Errorf("presigned %+v", up)
		}
		if acc.Status != "uploaded" || acc.DocumentID != up.DocumentID || acc.JobID == "" || acc.EstimatedTime == "" {
			t.Errorf("accepted %+v", acc)
		}
		f.checkQueued(t, acc)
		f.work(t)
		s := f.await(t, up.DocumentID)
		if s.Status != document.Completed || s.Progress != 100 || s.TotalChunks == 0 || s.JobID == nil || *s.JobID != acc.JobID {
			t.Fatalf("status %+v", s)
		}
		f.checkContent(t, up.DocumentID)
		f.checkFinished(t, acc)
		f.checkDuplicate(t, body, up.DocumentID)
	})
}

// checkQueued looks at a job that waits, the way the guide does.
func (f *fixture) checkQueued(t *testing.T, acc Accepted) {
	t.Helper()
	var again Accepted
	var up struct {
		UploadID string `json:"upload_id"`
	}
	f.get(t, "/api/v1/documents/"+acc.DocumentID).into(t, 200, &up)
	f.post(t, "/api/v1/documents/"+acc.DocumentID+"/process", fmt.Sprintf(`{"upload_id": %q}`, up.UploadID)).into(t, 202, &again)
	if again.JobID != acc.JobID {
		t.Errorf("asking twice gave jobs %s and %s", acc.JobID, again.JobID)
	}
	var queues []map[string]any
	f.get(t, "/api/v1/queue/info").into(t, 200, &queues)
	if len(queues) != 2 || queues[0]["name"] != "document_processing" || queues[0]["length"] != 1.0 || queues[1]["name"] != "cleanup_tasks" {
		t.Errorf("queues are %v", queues)
	}
	for _, field := range []string{"name", "length", "failed_count", "started_count", "finished_count", "deferred_count"} {
		if _, ok := queues[0][field]; !ok {
			t.Errorf("queue info lacks %s", field)
		}
	}
	var one map[string]any
	f.get(t, "/api/v1/queue/info/document_processing").into(t, 200, &one)
	if one["length"] != 1.0 {
		t.Errorf("queue is %v", one)
	}
	var j Job
	f.get(t, "/api/v1/queue/job/"+acc.JobID).into(t, 200, &j)
	if j.Status != "queued" || j.Origin != "document_processing" || j.FuncName != "docsvc.process_document" || j.Position == nil || *j.Position != 0 ||
		len(j.Args) != 1 || j.Args[0] != acc.DocumentID || j.Timeout == nil || *j.Timeout != 1800 || j.EnqueuedAt == nil || j.StartedAt != nil || j.Result != nil {
		t.Errorf("job is %+v", j)
	}
	var page JobList
	f.get(t, "/api/v1/queue/jobs?queue=document_processing").into(t, 200, &page)
	if len(page.Jobs) != 1 || page.Jobs[0].ID != acc.JobID || page.NextCursor != nil {
		t.Errorf("jobs are %+v", page)
	}
}

func (f *fixture) checkContent(t *testing.T, id string) {
	t.Helper()
	text := f.get(t, "/api/v1/documents/"+id+"/text")
	if text.Status != 200 || text.Header.Get("Content-Type") != "text/markdown; charset=utf-8" || !bytes.Contains(text.Body, []byte("instalação")) {
		t.Fatalf("text answered %d %s %.100q", text.Status, text.Header.Get("Content-Type"), text.Body)
	}
	if head := f.do(t, http.MethodHead, "/api/v1/documents/"+id+"/text", ""); head.Status != 200 || len(head.Body) > 0 ||
		head.Header.Get("Content-Length") != text.Header.Get("Content-Length") {
		t.Errorf("HEAD answered %d %v", head.Status, head.Header)
	}
	var all []chunk.Chunk
	for path := "/api/v1/documents/" + id + "/chunks?limit=3"; path != ""; {
		var page struct {
			Chunks     []chunk.Chunk
			NextCursor *string `json:"next_cursor"`
			Total      int
		}
		f.get(t, path).into(t, 200, &page)
		all = append(all, page.Chunks...)
		path = ""
		if page.NextCursor != nil {
			path = "/api/v1/documents/" + id + "/chunks?limit=3&cursor=" + *page.NextCursor
		} else if page.Total != len(all) {
			t.Errorf("%d chunks in all, pages gave %d", page.Total, len(all))
		}
	}
	if len(all) < 4 {
		t.Fatalf("only %d chunks: no paging", len(all))
	}
	for _, c := range all {
		if string(text.Body[c.StartByte:c.EndByte]) != c.Text {
			t.Errorf("chunk %d is not its slice of the text", c.Index)
		}
	}
	f.get(t, "/api/v1/documents/"+id+"/original").problem(t, 410, "original_removed")
	p := f.get(t, "/api/v1/documents/"+id+"/chunks?cursor=99999999").problem(t, 422, "invalid_request")
	if len(p.Errors) != 1 || p.Errors[0].Location != "query.cursor" {
		t.Errorf("a wrong cursor: %v", p.Errors)
	}
}

func (f *fixture) checkFinished(t *testing.T, acc Accepted) {
	t.Helper()
	var j Job
	f.get(t, "/api/v1/queue/job/"+acc.JobID).into(t, 200, &j)
	result, ok := j.Result.(map[string]any)
	if j.Status != "finished" || !ok || result["status"] != "completed" || j.EndedAt == nil || j.WorkerName == nil || !strings.HasPrefix(*j.WorkerName, "worker-1") || j.ExcInfo != nil {
		b, _ := json.Marshal(j)
		t.Errorf("job is %s", b)
	}
	for _, op := range []string{"cancel", "retry"} {
		p := f.post(t, "/api/v1/queue/job/"+acc.JobID+"/"+op, "").problem(t, 409, "job_state")
		if p.State != "finished" || !strings.Contains(p.Detail, acc.JobID) {
			t.Errorf("%s of a finished job: %+v", op, p)
		}
	}
}

func (f *fixture) checkDuplicate(t *testing.T, body, first string) {
	t.Helper()
	up, _ := f.process(t, body)
	s := f.await(t, up.DocumentID)
	if s.Status != document.Duplicate || s.DuplicateOf == nil || *s.DuplicateOf != first {
		t.Errorf("the same file again is %+v", s)
	}
	a, b := f.get(t, "/api/v1/documents/"+first+"/text"), f.get(t, "/api/v1/documents/"+up.DocumentID+"/text")
	if !bytes.Equal(a.Body, b.Body) {
		t.Error("the duplicate has another text")
	}
}

// A failed document says why, keeps its file and can be retried.
func TestFailedDocument(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		f.work(t)
		up, acc := f.process(t, "%broken from the first byte")
		s := f.await(t, up.DocumentID)
		if s.Status != document.Failed || s.ErrorCode == nil || *s.ErrorCode != "corrupt" || s.Error == nil {
			t.Fatalf("status %+v", s)
		}
		p := f.get(t, "/api/v1/documents/"+up.DocumentID+"/text").problem(t, 409, "not_ready")
		if p.State != "failed" {
			t.Errorf("state %q", p.State)
		}
		if o := f.get(t, "/api/v1/documents/"+up.DocumentID+"/original"); o.Status != 200 || string(o.Body) != "%broken from the first byte" ||
			!strings.HasPrefix(o.Header.Get("Content-Disposition"), "attachment; filename=manual.txt") {
			t.Errorf("original answered %d %v %s", o.Status, o.Header, o.Body)
		}
		var page JobList
		f.get(t, "/api/v1/queue/jobs?queue=document_processing&registry=failed").into(t, 200, &page)
		if len(page.Jobs) != 1 || page.Jobs[0].Error == nil || !strings.Contains(*page.Jobs[0].Error, "damaged") {
			t.Errorf("failed jobs are %+v", page.Jobs)
		}
		f.post(t, "/api/v1/queue/job/"+acc.JobID+"/cancel", "").problem(t, 409, "job_state")
		var again Changed
		f.post(t, "/api/v1/queue/job/"+acc.JobID+"/retry", "").into(t, 200, &again)
		if again.JobID != acc.JobID || again.Status != "queued" {
			t.Errorf("retry answered %+v", again)
		}
		if s = f.await(t, up.DocumentID); s.Status != document.Failed {
			t.Errorf("retried, it is %s", s.Status)
		}
	})
}

func TestCancelAndRetry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		up, acc := f.process(t, "A text that is going to be canceled first.")
		var c Changed
		f.post(t, "/api/v1/queue/job/"+acc.JobID+"/cancel", "").into(t, 200, &c)
		if c.Status != "canceled" || c.JobID != acc.JobID || c.Origin != "document_processing" {
			t.Errorf("cancel answered %+v", c)
		}
		if s := f.await(t, up.DocumentID); s.Status != document.Canceled {
			t.Errorf("the document is %s", s.Status)
		}
		p := f.post(t, "/api/v1/queue/job/"+acc.JobID+"/cancel", "").problem(t, 409, "job_state")
		if p.State != "canceled" {
			t.Errorf("state %q", p.State)
		}
		f.post(t, "/api/v1/queue/job/"+acc.JobID+"/retry", "").into(t, 200, &c)
		f.post(t, "/api/v1/queue/job/"+acc.JobID+"/retry", "").problem(t, 409, "job_state")
		f.work(t)
		if s := f.await(t, up.DocumentID); s.Status != document.Completed {
			t.Errorf("retried, it is %+v", s)
		}
	})
}

func TestThumbnail(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, nil)
		up, _ := f.process(t, "A picture of something.")
		f.get(t, "/api/v1/documents/"+up.DocumentID+"/thumbnail").problem(t, 409, "not_ready")
		f.work(t)
		f.await(t, up.DocumentID)
		got := f.get(t, "/api/v1/documents/"+up.DocumentID+"/thumbnail")
		if got.Status != 200 || got.Header.Get("Content-Type") != "image/png" || string(got.Body) != "\x89PNG of it" {
			t.Errorf("answered %d %v %q", got.Status, got.Header, got.Body)
		}
		same, _ := f.process(t, "A picture of something.")
		if s := f.await(t, same.DocumentID); s.Status != document.Duplicate {
			t.Errorf("the same again is %s", s.Status)
		}
		if got := f.get(t, "/api/v1/documents/"+same.DocumentID+"/thumbnail"); got.Status != 200 || string(got.Body) != "\x89PNG of it" {
			t.Errorf("of a duplicate: %d %q", got.Status, got.Body)
		}
		plain, _ := f.process(t, "A text without a look of its own.")
		f.await(t, plain.DocumentID)
		f.get(t, "/api/v1/documents/"+plain.DocumentID+"/thumbnail").problem(t, 404, "no_thumbnail")
		f.remove(t, up.DocumentID)
		f.get(t, "/api/v1/documents/"+up.DocumentID+"/thumbnail").problem(t, 404, "document_not_found")
	})
}

// A text beyond what is passed through is answered with where it is.
func TestLargeTextIsARedirect(t *testing.T) {
	t.Parallel()
	s3 := redistest.Start(t, redistest.Miniredis)
	f := onlineWith(t, s3, nil, func(c *document.Config) { c.InlineLimit = 10; c.KeepOriginal = true })
	f.work(t)
	body := "A text of more than ten bytes."
	up, _ := f.process(t, body)
	f.await(t, up.DocumentID)
	for path, want := range map[string]string{"text": "A text of more", "original": body} {
		r := f.get(t, "/api/v1/documents/"+up.DocumentID+"/"+path)
		if r.Status != http.StatusFound {
			t.Fatalf("%s answered %d %s", path, r.Status, r.Body)
		}
		req, err := http.NewRequestWithContext(t.Context(), "GET", r.Header.Get("Location"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := send(t, req); got.Status != 200 || !strings.Contains(string(got.Body), want) {
			t.Errorf("%s: the storage answered %d %s", path, got.Status, got.Body)
		}
	}
}

// With a hash, size, type and checksum are signed in.
func TestSignedUpload(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	body := "A text with its sum."
	sum := sha256.Sum256([]byte(body))
	var up Presigned
	f.post(t, "/api/v1/documents/upload/presigned", fmt.Sprintf(`{"filename":"a.txt","file_size":%d,"content_type":"text/plain","sha256":"%s"}`,
		len(body), strings.ToUpper(hex.EncodeToString(sum[:])))).into(t, 201, &up)
	if len(up.UploadHeaders) == 0 {
		t.Fatal("no headers to send")
	}
	if status := put(t, up.UploadURL, body); status < 400 {
		t.Errorf("without the headers it answered %d", status)
	}
	req, _ := http.NewRequestWithContext(t.Context(), up.UploadMethod, up.UploadURL, strings.NewReader(body))
	for k, v := range up.UploadHeaders {
		req.Header.Set(k, v)
	}
	if r := send(t, req); r.Status != 200 {
		t.Errorf("with them it answered %d %s", r.Status, r.Body)
	}
}
