package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// TestGuide is the guide's flow: an API, a worker, curl, a file over 1 MiB,
// and the queue seen by docsvc, by redis-cli's commands and by Python's rq.
func TestGuide(t *testing.T) {
	t.Parallel()
	for _, engine := range []redistest.Engine{redistest.Miniredis, redistest.RedisServer} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			s := newSite(t, engine)
			api := s.serve()
			g := &guide{site: s}

			id := g.upload("manual.txt", bigText(1<<20+12345))
			g.compareCounts(1)
			w := s.start("worker", "--name", "worker-1")
			s.reach(id, "completed")
			g.compareCounts(0)
			g.outcome(id)
			g.operate()

			w.stop(syscall.SIGTERM)
			api.stop(syscall.SIGTERM)
		})
	}
}

type guide struct{ *site }

// upload makes the guide's three calls, with curl itself where there is one.
func (g *guide) upload(name string, data []byte) (id string) {
	g.t.Helper()
	file := filepath.Join(g.dir, name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		g.t.Fatal(err)
	}
	var up struct {
		UploadURL  string `json:"upload_url"`
		DocumentID string `json:"document_id"`
		UploadID   string `json:"upload_id"`
	}
	g.curl(201, &up, "-X", "POST", g.api+"/api/v1/documents/upload/presigned", "-H", "Content-Type: application/json", "-d",
		fmt.Sprintf(`{"filename": %q, "file_size": %d, "content_type": "text/plain", "title": "Manual de Teste"}`, name, len(data)))

	process := []string{"-X", "POST", g.api + "/api/v1/documents/" + up.DocumentID + "/process",
		"-H", "Content-Type: application/json", "-d", fmt.Sprintf(`{"upload_id": %q}`, up.UploadID)}
	var problem struct{ Code string }
	g.curl(409, &problem, process...)
	if problem.Code != "upload_missing" {
		g.t.Errorf("process before the upload: code %q", problem.Code)
	}

	g.curl(200, nil, "-X", "PUT", up.UploadURL, "--data-binary", "@"+file)
	var accepted struct {
		JobID         string `json:"job_id"`
		Status        string `json:"status"`
		EstimatedTime string `json:"estimated_time"`
	}
	g.curl(202, &accepted, process...)
	if accepted.Status != "uploaded" || !strings.Contains(accepted.EstimatedTime, "minute") || accepted.JobID == "" {
		g.t.Errorf("process answered %+v", accepted)
	}
	first := accepted.JobID
	g.curl(202, &accepted, process...)
	if accepted.JobID != first {
		g.t.Errorf("process twice: jobs %s and %s", first, accepted.JobID)
	}
	return up.DocumentID
}

// curl runs curl, or makes the same request from Go where there is none, and
// decodes a JSON answer.
func (g *guide) curl(wantStatus int, into any, args ...string) {
	g.t.Helper()
	var a *answer
	var err error
	if _, lookErr := exec.LookPath("curl"); lookErr == nil {
		a, err = runCurl(args)
	} else {
		a, err = g.likeCurl(args)
	}
	if err != nil {
		g.t.Fatalf("curl %s: %v", strings.Join(args, " "), err)
	}
	if a.status != wantStatus {
		g.t.Fatalf("curl %s: status %d, want %d: %s", strings.Join(args, " "), a.status, wantStatus, a.body)
	}
	if into != nil {
		if err := json.Unmarshal(a.body, into); err != nil {
			g.t.Fatalf("curl %s: %v: %s", strings.Join(args, " "), err, a.body)
		}
	}
}

func runCurl(args []string) (*answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "curl", append([]string{"-sS", "-w", "\n%{http_code}"}, args...)...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	i := bytes.LastIndexByte(out, '\n')
	status, err := strconv.Atoi(string(out[i+1:]))
	return &answer{status, out[:i]}, err
}

// likeCurl makes the request that curl would: a form content type unless the
// line says otherwise.
func (g *guide) likeCurl(args []string) (*answer, error) {
	method, url, contentType := http.MethodGet, "", "application/x-www-form-urlencoded"
	var body []byte
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "-X":
			i++
			method = args[i]
		case "-H":
			i++
			contentType = strings.TrimPrefix(args[i], "Content-Type: ")
		case "-d", "--data-binary":
			i++
			body = []byte(args[i])
			if name, ok := strings.CutPrefix(args[i], "@"); ok {
				var err error
				if body, err = os.ReadFile(name); err != nil {
					return nil, err
				}
			}
		default:
			url = args[i]
		}
	}
	return g.call(method, url, bytes.NewReader(body), contentType)
}

// compareCounts checks that docsvc, Redis itself and Python's rq agree on how
// many jobs wait.
func (g *guide) compareCounts(waiting int) {
	g.t.Helper()
	length, err := g.redis.Client(g.t).LLen(context.Background(), "rq:queue:document_processing").Result()
	if err != nil || int(length) != waiting {
		g.t.Errorf("llen rq:queue:document_processing = %d, %v; want %d", length, err, waiting)
	}
	var info []struct {
		Name   string `json:"name"`
		Length int    `json:"length"`
	}
	g.curl(200, &info, g.api+"/api/v1/queue/info")
	if len(info) < 2 || info[0].Name != "document_processing" || info[0].Length != waiting || info[1].Name != "cleanup_tasks" {
		g.t.Errorf("queue/info = %+v, want %d waiting", info, waiting)
	}
	text, err := g.run("queue", "info", "-o", "json")
	if err != nil {
		g.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &info); err != nil || info[0].Length != waiting {
		g.t.Errorf("docsvc queue info = %s, %v; want %d waiting", text, err, waiting)
	}
	if g.redis.Engine != redistest.RedisServer {
		return // rq needs commands that the in-process engine has only inside serve --standalone
	}
	python := redistest.FindPython()
	if python == "" {
		return
	}
	out, err := exec.Command(filepath.Join(filepath.Dir(python), "rq"), "info", "--raw", "-u", g.redis.URL).CombinedOutput()
	if err != nil {
		g.t.Fatalf("rq info: %v: %s", err, out)
	}
	if want := fmt.Sprintf("queue document_processing %d, ", waiting); !strings.Contains(string(out), want) {
		g.t.Errorf("rq info says %q, want %q in it", out, want)
	}
}

// outcome checks what a client gets of a completed document.
func (g *guide) outcome(id string) {
	g.t.Helper()
	a, err := g.call(http.MethodGet, g.api+"/api/v1/documents/"+id+"/text", nil, "")
	if err != nil || a.status != 200 || !strings.Contains(string(a.body), "Sentence number 17 of the big file.") {
		g.t.Fatalf("text: %v, %v", err, a)
	}
	var page struct {
		Chunks []struct {
			Text  string `json:"text"`
			Start int    `json:"start_byte"`
			End   int    `json:"end_byte"`
		} `json:"chunks"`
	}
	g.curl(200, &page, g.api+"/api/v1/documents/"+id+"/chunks?limit=10")
	if len(page.Chunks) != 10 {
		g.t.Fatalf("%d chunks on a page of 10", len(page.Chunks))
	}
	for _, c := range page.Chunks {
		if string(a.body[c.Start:c.End]) != c.Text {
			g.t.Errorf("text[%d:%d] is not the chunk %.40q", c.Start, c.End, c.Text)
		}
	}
	st, err := g.status(id)
	if err != nil {
		g.t.Fatal(err)
	}
	var job struct{ Status, Origin string }
	g.curl(200, &job, g.api+"/api/v1/queue/job/"+st.JobID)
	if job.Status != "finished" || job.Origin != "document_processing" {
		g.t.Errorf("job is %+v", job)
	}
	var problem struct{ Code, Detail string }
	g.curl(409, &problem, "-X", "POST", g.api+"/api/v1/queue/job/"+st.JobID+"/cancel")
	if !strings.Contains(problem.Detail, "finished") {
		g.t.Errorf("cancel of a finished job: %+v", problem)
	}
}

// operate makes the guide's other calls.
func (g *guide) operate() {
	g.t.Helper()
	var one struct{ Name string }
	g.curl(200, &one, g.api+"/api/v1/queue/info/document_processing")
	if one.Name != "document_processing" {
		g.t.Errorf("queue/info/document_processing = %+v", one)
	}
	g.curl(404, nil, g.api+"/api/v1/queue/info/nowhere")
	var healthy struct {
		Status string
		Queues map[string]struct{ Available bool }
	}
	g.curl(200, &healthy, g.api+"/api/v1/queue/health")
	if !healthy.Queues["document_processing"].Available {
		g.t.Errorf("queue/health = %+v", healthy)
	}
	var queued struct {
		JobID    string `json:"job_id"`
		TaskType string `json:"task_type"`
	}
	g.curl(202, &queued, "-X", "POST", g.api+"/api/v1/queue/cleanup", "-H", "Content-Type: application/json", "-d", `{"task_type": "daily"}`)
	if queued.JobID == "" || queued.TaskType != "daily" {
		g.t.Errorf("queue/cleanup answered %+v", queued)
	}
	g.curl(200, nil, "-X", "POST", g.api+"/api/v1/queue/job/"+queued.JobID+"/cancel")
	g.curl(200, nil, "-X", "POST", g.api+"/api/v1/queue/job/"+queued.JobID+"/retry")
	if out, err := g.run("worker", "--queues", "cleanup_tasks", "--burst", "--name", "worker-3"); err != nil {
		g.t.Errorf("%v\n%s", err, out)
	}
	var job struct {
		Status string
		Result map[string]any
	}
	g.curl(200, &job, g.api+"/api/v1/queue/job/"+queued.JobID)
	if job.Status != "finished" || job.Result["task_type"] != "daily" {
		g.t.Errorf("cleanup job is %+v", job)
	}
	for _, spelling := range []string{"--daily", "--s3-cleanup", "--orphaned-files", "--expired-uploads"} {
		if out, err := g.run("cleanup", spelling, "--now"); err != nil || out != "" {
			g.t.Errorf("docsvc cleanup %s --now from cron: %q, %v", spelling, out, err)
		}
	}
}

func bigText(size int) []byte {
	var b bytes.Buffer
	for i := 1; b.Len() < size; i++ {
		fmt.Fprintf(&b, "Sentence number %d of the big file. It says that pump %d was checked by the night shift.\n", i, i%97)
		if i%12 == 0 {
			b.WriteByte('\n')
		}
	}
	return b.Bytes()[:size]
}
