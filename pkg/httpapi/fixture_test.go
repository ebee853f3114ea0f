package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/health"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestMain(m *testing.M) {
	redis.SetLogger(silent{}) // outages are what these tests are about
	code := m.Run()
	// go-redis and the document service wait a second before they look again at a server that is
	// away; their goroutines end after that.
	leak := goleak.Find()
	for tries := 0; leak != nil && tries < 20; tries++ {
		leak = goleak.Find()
	}
	if code == 0 && leak != nil {
		fmt.Fprintln(os.Stderr, leak)
		code = 1
	}
	os.Exit(code)
}

type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}

// fixture is the API on a Redis and an S3 server of its own.
type fixture struct {
	URL   string // http://127.0.0.1:port
	S3    *s3test.Server
	Queue *rq.Client
	Docs  *document.Service
	Store *objstore.Store
	Log   *logLines

	handler http.Handler
}

// deadRedis is an address where nothing listens: port 1 of this machine.
const deadRedis = "127.0.0.1:1"

// offline makes a fixture without Redis and without S3: whatever a test
// calls on it works although both are away.
func offline(t *testing.T, change func(*Config)) *fixture {
	t.Helper()
	return wire(t, redisClient(t, deadRedis), &s3test.Server{
		Endpoint: "http://" + deadRedis, Bucket: "docsvc-test", AccessKey: "k", SecretKey: "s", Region: "us-east-1",
	}, change, nil)
}

// online makes a fixture on real engines.
func online(t *testing.T, r *redistest.Server, change func(*Config)) *fixture {
	t.Helper()
	return wire(t, redisClient(t, r.Addr), s3test.Start(t), change, nil)
}

// onlineWith is online with other settings of the document service.
func onlineWith(t *testing.T, r *redistest.Server, change func(*Config), docs func(*document.Config)) *fixture {
	t.Helper()
	return wire(t, redisClient(t, r.Addr), s3test.Start(t), change, docs)
}

// redisClient gives up sooner than a production client, so that an outage
// is answered while a test waits.
func redisClient(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, DisableIdentity: true, MaxRetries: 1,
		DialTimeout: time.Second, ReadTimeout: 3 * time.Second, MinRetryBackoff: time.Millisecond, DialerRetries: 1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func wire(t testing.TB, rdb *redis.Client, s3 *s3test.Server, change func(*Config), docs func(*document.Config)) *fixture {
	t.Helper()
	sc := s3.StoreConfig(t)
	sc.Attempts = 2
	store, err := objstore.Open(sc)
	if err != nil {
		t.Fatal(err)
	}
	lines := &logLines{}
	log := zerolog.New(lines)
	queue := rq.New(rdb, rq.Options{Effects: document.Effects("docsvc:"), Log: log,
		Queues:     map[string]rq.QueueDefaults{"document_processing": {Timeout: 30 * time.Minute, Retry: &rq.Retry{Max: 3, Intervals: []time.Duration{time.Second}}}},
		Idempotent: func(string) bool { return true }})
	dc := document.Config{Queue: queue, Store: store, Log: log, Types: []string{"application/pdf"},
		Accept: func(contentType, _ string) bool {
			return contentType == "application/pdf" || contentType == "application/octet-stream" || strings.HasPrefix(contentType, "text/")
		}}
	if docs != nil {
		docs(&dc)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server logged:\n%s", lines)
		}
	})
	f := &fixture{S3: s3, Queue: queue, Store: store, Log: lines, Docs: document.New(dc)}
	queues := []string{"document_processing", "cleanup_tasks"}
	c := Config{
		Cleanup:   cleanup.New(cleanup.Config{Documents: f.Docs, Queue: queue, Store: store, Log: log}),
		Documents: f.Docs, Queue: queue, Queues: queues, Log: log, Version: "test",
		Health: health.New(health.Config{Documents: f.Docs, Queue: queue, Queues: queues, Store: store, Log: log}),
	}
	if change != nil {
		change(&c)
	}
	if f.handler, err = New(c); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(f.handler)
	t.Cleanup(srv.Close)
	f.URL = srv.URL
	return f
}

// logLines collects what was logged.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// reply is an answer read to its end.
type reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// do sends a request. A body that begins with { or [ is declared as JSON
// unless header says otherwise; headers are pairs.
func (f *fixture) do(t testing.TB, method, path, body string, headers ...string) reply {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, f.URL+path, r)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		switch {
		case headers[i] == "Host":
			req.Host = headers[i+1]
		case headers[i+1] == "":
			req.Header.Del(headers[i])
		default:
			req.Header.Set(headers[i], headers[i+1])
		}
	}
	return send(t, req)
}

func send(t testing.TB, req *http.Request) reply {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: reading the answer: %v", req.Method, req.URL, err)
	}
	return reply{Status: resp.StatusCode, Header: resp.Header, Body: b}
}

func (f *fixture) get(t *testing.T, path string, headers ...string) reply {
	t.Helper()
	return f.do(t, http.MethodGet, path, "", headers...)
}

func (f *fixture) post(t *testing.T, path, body string, headers ...string) reply {
	t.Helper()
	return f.do(t, http.MethodPost, path, body, headers...)
}

// into decodes a successful answer.
func (r reply) into(t *testing.T, status int, v any) {
	t.Helper()
	if r.Status != status {
		t.Fatalf("answered %d, want %d: %s", r.Status, status, r.Body)
	}
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("not JSON: %v: %s", err, r.Body)
	}
}

// problem checks that the answer is an error as every error is, with this
// code, and returns it.
func (r reply) problem(t *testing.T, status int, code string) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(r.Body, &p); err != nil {
		t.Fatalf("answered %d, not a problem: %v: %s", r.Status, err, r.Body)
	}
	if r.Status != status || p.Code != code {
		t.Fatalf("answered %d %s, want %d %s: %s", r.Status, p.Code, status, code, r.Body)
	}
	if ct := r.Header.Get("Content-Type"); ct != "application/problem+json" {
		t.Errorf("Content-Type is %q", ct)
	}
	switch {
	case p.Status != status, p.Title == "", p.Detail == "", p.Type != "/docs#error-"+code:
		t.Errorf("incomplete problem: %s", r.Body)
	case p.RequestID == "" || p.RequestID != r.Header.Get("X-Request-ID"):
		t.Errorf("request_id %q, header %q", p.RequestID, r.Header.Get("X-Request-ID"))
	}
	if (status == http.StatusServiceUnavailable) != (r.Header.Get("Retry-After") != "") {
		t.Errorf("status %d with Retry-After %q", status, r.Header.Get("Retry-After"))
	}
	return p
}
