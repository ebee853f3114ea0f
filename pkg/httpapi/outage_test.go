package httpapi

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// Nothing is there when the server starts: it starts, says so on what needs
// them, and answers what needs nobody.
func TestEverythingIsAway(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	doc := "/api/v1/documents/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"
	f.post(t, presignPath, good("title", `"x"`)).problem(t, 503, "queue_unavailable")
	f.post(t, doc+"/process", `{"upload_id":"x"}`).problem(t, 503, "queue_unavailable")
	f.post(t, "/api/v1/queue/cleanup", `{"task_type":"daily"}`).problem(t, 503, "queue_unavailable")
	f.post(t, testJob+"/cancel", "").problem(t, 503, "queue_unavailable")
	f.post(t, testJob+"/retry", "").problem(t, 503, "queue_unavailable")
	for _, path := range []string{doc, doc + "/status", doc + "/status?wait=60", doc + "/text", doc + "/chunks", doc + "/original",
		"/api/v1/queue/info", "/api/v1/queue/info/document_processing", "/api/v1/queue/info/another", testJob, "/api/v1/queue/jobs?queue=document_processing"} {
		f.get(t, path).problem(t, 503, "queue_unavailable")
	}
	var ready Readiness
	f.get(t, "/readyz").into(t, 503, &ready)
	if ready != (Readiness{Status: "not_ready"}) {
		t.Errorf("readiness is %+v", ready)
	}
	var health struct{ Status string }
	f.get(t, "/api/v1/queue/health").into(t, 503, &health)
	if health.Status != "unhealthy" {
		t.Errorf("health is %+v", health)
	}
	if r := f.get(t, "/livez"); r.Status != 200 {
		t.Errorf("livez answered %d", r.Status)
	}
	if r := f.get(t, "/readyz"); strings.Contains(string(r.Body), deadRedis) {
		t.Errorf("readyz tells strangers an address: %s", r.Body)
	}
}

// Redis is killed and comes back: 503 and then 200, without a restart, and
// nothing is lost.
func TestRedisIsKilledAndRestarted(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, redistest.RedisServer)
	f := online(t, r, nil)
	up, acc := f.process(t, "A text that outlives its queue's server.")
	r.Kill()
	status := "/api/v1/documents/" + up.DocumentID + "/status"
	f.get(t, status).problem(t, 503, "queue_unavailable")
	f.get(t, status+"?wait=60").problem(t, 503, "queue_unavailable")
	f.get(t, "/api/v1/queue/info").problem(t, 503, "queue_unavailable")
	f.post(t, "/api/v1/queue/job/"+acc.JobID+"/cancel", "").problem(t, 503, "queue_unavailable")
	if r := f.get(t, "/livez"); r.Status != 200 {
		t.Errorf("livez answered %d", r.Status)
	}
	r.Restart(t)
	// go-redis may have given up on the server for a second.
	for f.get(t, status).Status == http.StatusServiceUnavailable && t.Context().Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	var s document.Status
	f.get(t, status).into(t, 200, &s)
	if s.Status != document.Uploaded {
		t.Errorf("after the restart it is %s", s.Status)
	}
	f.work(t)
	if s := f.await(t, up.DocumentID); s.Status != document.Completed {
		t.Errorf("in the end it is %+v", s)
	}
}

// A status request waits while Redis dies: it must not hang.
func TestRedisDiesUnderAWaitingRequest(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, redistest.RedisServer)
	f := online(t, r, nil)
	up := f.presigned(t, "a.txt", "x")
	waiting := make(chan reply, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", f.URL+"/api/v1/documents/"+up.DocumentID+"/status?wait=60", nil)
		waiting <- send(t, req)
	}()
	blocked(t, f)
	r.Kill()
	(<-waiting).problem(t, 503, "queue_unavailable")
}

// blocked waits until a connection of the service waits for an event.
func blocked(t *testing.T, f *fixture) {
	t.Helper()
	for t.Context().Err() == nil {
		info, err := f.Queue.Redis().Info(t.Context(), "clients").Result()
		if err == nil && strings.Contains(info, "blocked_clients:1") {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Fatal("nothing waits")
}

// Redis takes nothing in: 503, and nothing half written.
func TestRedisIsFull(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, redistest.RedisServer)
	f := online(t, r, nil)
	up := f.presigned(t, "a.txt", "full")
	put(t, up.UploadURL, "full")
	rdb, ctx := f.Queue.Redis(), t.Context()
	before := rdb.Keys(ctx, "*").Val()
	if err := rdb.ConfigSet(ctx, "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf(`{"upload_id": %q}`, up.UploadID)
	f.post(t, "/api/v1/documents/"+up.DocumentID+"/process", body).problem(t, 503, "queue_unavailable")
	f.post(t, presignPath, good("title", `"x"`)).problem(t, 503, "queue_unavailable")
	if after := rdb.Keys(ctx, "*").Val(); len(after) != len(before) {
		t.Errorf("keys were %v, are %v", before, after)
	}
	f.checkAwaiting(t, up.DocumentID)
	if err := rdb.ConfigSet(ctx, "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if r := f.post(t, "/api/v1/documents/"+up.DocumentID+"/process", body); r.Status != 202 {
		t.Errorf("with memory again it answered %d %s", r.Status, r.Body)
	}
}

func TestStorageFaults(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	done, _ := f.process(t, "A text that was completed before the storage failed.")
	f.work(t)
	f.await(t, done.DocumentID)
	doc := "/api/v1/documents/" + done.DocumentID
	up := f.presigned(t, "a.txt", "later")
	put(t, up.UploadURL, "later")
	process := func() reply {
		return f.post(t, "/api/v1/documents/"+up.DocumentID+"/process", fmt.Sprintf(`{"upload_id": %q}`, up.UploadID))
	}
	for name, fault := range map[string]*s3test.Fault{"503": {Status: 503}, "500": {Status: 500}, "reset": {Reset: true}, "no access": {Status: 403, Code: "AccessDenied"}} {
		f.S3.Fail(func(*http.Request) *s3test.Fault { return fault })
		t.Log(name)
		process().problem(t, 503, "storage_unavailable")
		f.get(t, doc+"/text").problem(t, 503, "storage_unavailable")
		f.get(t, doc+"/chunks").problem(t, 503, "storage_unavailable")
		if r := f.get(t, doc+"/status"); r.Status != 200 {
			t.Errorf("%s: status, which needs no storage, answered %d", name, r.Status)
		}
		if r := f.post(t, presignPath, good("title", `"x"`)); r.Status != 201 {
			t.Errorf("%s: presign, which needs no storage, answered %d", name, r.Status)
		}
		var ready Readiness
		f.get(t, "/readyz").into(t, 503, &ready)
		if ready != (Readiness{Status: "not_ready", Redis: true}) {
			t.Errorf("%s: readiness is %+v", name, ready)
		}
		f.checkUnprocessed(t, up.DocumentID)
	}
	f.S3.Fail(nil)
	f.S3.Stop()
	process().problem(t, 503, "storage_unavailable")
	f.S3.Restart(t)
	if r := process(); r.Status != 202 {
		t.Errorf("with the storage again it answered %d %s", r.Status, r.Body)
	}
	if r := f.get(t, doc+"/text"); r.Status != 200 {
		t.Errorf("with the storage again text answered %d %s", r.Status, r.Body)
	}
}

func (f *fixture) checkUnprocessed(t *testing.T, id string) {
	t.Helper()
	var s document.Status
	f.get(t, "/api/v1/documents/"+id+"/status").into(t, 200, &s)
	if s.Status != document.AwaitingUpload {
		t.Errorf("a refused process left it %s", s.Status)
	}
}

// A text that breaks off on the way from the storage must not look whole.
func TestTextThatBreaksOff(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	f.work(t)
	up, _ := f.process(t, strings.Repeat("Words of a long text. ", 20000))
	f.await(t, up.DocumentID)
	f.S3.Fail(func(r *http.Request) *s3test.Fault {
		if r.Method == http.MethodGet {
			return &s3test.Fault{Truncate: 1000}
		}
		return nil
	})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", f.URL+"/api/v1/documents/"+up.DocumentID+"/text", nil)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		return // cut before the headers
	}
	defer func() { _ = resp.Body.Close() }()
	if b, err := io.ReadAll(resp.Body); err == nil && resp.StatusCode == 200 {
		t.Errorf("%d bytes of %d look whole", len(b), resp.ContentLength)
	}
}

// A shutdown ends waits for documents at once, with an answer.
func TestShutdownAnswersWaitingRequests(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	up := f.presigned(t, "a.txt", "x")
	begun := make(chan struct{}, 1)
	url, stop, served := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		f.handler.ServeHTTP(w, r)
	}), ServeOptions{Grace: 30 * time.Second}) // half of what the request would wait
	answered := make(chan reply, 1)
	go func() {
		req, _ := http.NewRequestWithContext(context.Background(), "GET", url+"/api/v1/documents/"+up.DocumentID+"/status?wait=60", nil)
		answered <- send(t, req)
	}()
	<-begun
	stop()
	var s document.Status
	(<-answered).into(t, 200, &s)
	if s.Status != document.AwaitingUpload {
		t.Errorf("answered %+v", s)
	}
	if err := <-served; err != nil {
		t.Errorf("Serve returned %v", err)
	}
}

// A server whose Redis was lost takes nothing in, and says what it is.
func TestRedisIsOfAnotherInstallation(t *testing.T) {
	t.Parallel()
	r := redistest.Start(t, redistest.Miniredis)
	f := online(t, r, nil)
	f.process(t, "A text in a bucket that outlives its Redis.")
	if err := r.Client(t).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	again := wire(t, redisClient(t, r.Addr), f.S3, nil, nil)
	for path, body := range map[string]string{presignPath: good("title", `"x"`), "/api/v1/documents/objects": `{"key":"inbox/a.pdf"}`} {
		again.post(t, path, body).problem(t, 409, "records_missing")
	}
	if err := r.Client(t).Set(t.Context(), "docsvc:installation", "another", 0).Err(); err != nil {
		t.Fatal(err)
	}
	again.post(t, presignPath, good("title", `"x"`)).problem(t, 409, "installation_mismatch")
}
