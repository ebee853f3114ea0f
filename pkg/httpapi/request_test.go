package httpapi

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

func TestUnknownRoutesAndMethods(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	for _, path := range []string{"/nothing", "/api/v1", "/api/v1/", "/api/v1/document", "/api/v1/documents/stats/more", "/livez/x", "/metricsx"} {
		f.get(t, path).problem(t, 404, "not_found")
	}
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/api/v1/queue/info", "GET, HEAD"},
		{"GET", "/api/v1/queue/cleanup", "POST"},
		{"DELETE", "/api/v1/documents/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d/status", "GET, HEAD"},
		{"PUT", testJob + "/retry", "POST"},
		{"OPTIONS", "/api/v1/queue/cleanup", "POST"},
		{"TRACE", "/livez", "GET, HEAD"},
	} {
		r := f.do(t, c.method, c.path, "")
		r.problem(t, 405, "method_not_allowed")
		if got := r.Header.Get("Allow"); got != c.allow {
			t.Errorf("%s %s: Allow is %q, want %q", c.method, c.path, got, c.allow)
		}
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	if got := f.get(t, "/livez", "X-Request-ID", "mine-1.2_3").Header.Get("X-Request-ID"); got != "mine-1.2_3" {
		t.Errorf("a good id became %q", got)
	}
	for _, bad := range []string{`"quoted"`, "a b", strings.Repeat("x", 65), "<script>"} {
		got := f.get(t, "/livez", "X-Request-ID", bad).Header.Get("X-Request-ID")
		if got == bad || got == "" {
			t.Errorf("id %q became %q", bad, got)
		}
	}
	a, b := f.get(t, "/livez").Header.Get("X-Request-ID"), f.get(t, "/livez").Header.Get("X-Request-ID")
	if a == b {
		t.Error("two requests have one id")
	}
}

func TestAccessLog(t *testing.T) {
	t.Parallel()
	f := offline(t, func(c *Config) { c.APIKeys = []string{"log-key-0123456789"} })
	r := f.get(t, "/api/v1/nothing?token=query-secret", "Authorization", "Bearer log-key-0123456789", "Cookie", "session=cookie-secret")
	var line struct {
		RequestID, Method, Path, Remote string
		Status                          int
	}
	// The line is written after the answer has gone out.
	text := waitFor(t, f.Log, r.Header.Get("X-Request-ID"))
	var raw map[string]any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	line.RequestID, _ = raw["request_id"].(string)
	line.Method, _ = raw["method"].(string)
	line.Path, _ = raw["path"].(string)
	line.Remote, _ = raw["remote"].(string)
	if n, ok := raw["status"].(float64); ok {
		line.Status = int(n)
	}
	if line.RequestID != r.Header.Get("X-Request-ID") || line.Method != "GET" || line.Path != "/api/v1/nothing" || line.Status != 404 || line.Remote == "" {
		t.Errorf("logged %s", text)
	}
	for _, secret := range []string{"query-secret", "cookie-secret", "log-key"} {
		if strings.Contains(f.Log.String(), secret) {
			t.Errorf("the log holds %s: %s", secret, f.Log)
		}
	}
}

// waitFor returns the first line that holds part.
func waitFor(t *testing.T, log *logLines, part string) string {
	t.Helper()
	for {
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, part) {
				return line
			}
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("never logged %q: %s", part, log)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func TestPanicIsAnsweredAndLogged(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	h := requestID(zerolog.New(lines), accessLog(time.Now, time.Second, recovery(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic("secret of the inside")
	}))))
	srv := httptest.NewServer(h)
	defer srv.Close()
	req, _ := http.NewRequestWithContext(t.Context(), "GET", srv.URL, nil)
	r := send(t, req)
	p := r.problem(t, 500, "internal_error")
	if strings.Contains(string(r.Body), "secret") {
		t.Errorf("the answer tells %s", r.Body)
	}
	if line := waitFor(t, lines, "secret of the inside"); !strings.Contains(line, p.RequestID) || !strings.Contains(line, "stack") {
		t.Errorf("logged %s", line)
	}
}

func TestPanicAfterTheFirstByteCutsTheConnection(t *testing.T) {
	t.Parallel()
	h := requestID(zerolog.Nop(), accessLog(time.Now, time.Second, recovery(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush() // chunked: only its end tells that it is whole
		panic("late")
	}))))
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = nil
	srv.Start()
	defer srv.Close()
	resp, err := srv.Client().Get(srv.URL)
	if err != nil {
		return // cut before the headers arrived: as good
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a broken answer reads to its end: %v", err)
	}
}

// An error that nobody foresaw: the answer says nothing of it, the log all.
func TestInternalErrorsStayInside(t *testing.T) {
	t.Parallel()
	lines := &logLines{}
	ctx := zerolog.New(lines).WithContext(t.Context())
	p := logged(ctx, problemOf(fmt.Errorf("dial tcp 10.0.0.7: password hunter2: %w", errors.New("surprise"))))
	if p.Status != 500 || p.Code != "internal_error" {
		t.Errorf("became %d %s", p.Status, p.Code)
	}
	b, _ := json.Marshal(p)
	if strings.Contains(string(b), "10.0.0.7") || strings.Contains(string(b), "surprise") {
		t.Errorf("the answer tells %s", b)
	}
	if !strings.Contains(lines.String(), "surprise") {
		t.Errorf("not logged: %s", lines)
	}
}

func TestOversizedBody(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	big := `{"filename":"` + strings.Repeat("x", MaxBodyBytes) + `"}`
	f.post(t, "/api/v1/documents/upload/presigned", big).problem(t, 413, "body_too_large")
	// Without a length announced, it is found while reading.
	req, err := http.NewRequestWithContext(t.Context(), "POST", f.URL+testJob+"/cancel", io.MultiReader(strings.NewReader(big)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	send(t, req).problem(t, 413, "body_too_large")
	// The largest that fits is read, and refused for what it holds.
	fits := `{"filename":"` + strings.Repeat("x", MaxBodyBytes-15) + `"}`
	if len(fits) != MaxBodyBytes {
		t.Fatal("the test's body has the wrong size")
	}
	f.post(t, "/api/v1/documents/upload/presigned", fits).problem(t, 422, "invalid_request")
}

func TestQueriesThatCanBeReadTwoWays(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	id := "/api/v1/documents/0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"
	for path, location := range map[string]string{
		id + "/status?wait=1&wait=2":               "query.wait",
		id + "/status?wait=%zz":                    "query",
		id + "/status?wait=x":                      "query.wait",
		id + "/status?wait=61":                     "query.wait",
		id + "/status?wait=-1":                     "query.wait",
		id + "/status?waitt=1":                     "query.waitt",
		id + "/chunks?limit=0":                     "query.limit",
		id + "/chunks?limit=501":                   "query.limit",
		id + "/chunks?x&limit=1":                   "query.x",
		"/api/v1/queue/jobs":                       "query.queue",
		"/api/v1/queue/jobs?queue=":                "query.queue",
		"/api/v1/queue/jobs?queue=a&registry=nope": "query.registry",
		"/api/v1/documents/nope":                   "path.document_id",
		"/api/v1/documents/nope/status":            "path.document_id",
		"/api/v1/documents/%2e%2e/status":          "path.document_id",
		"/api/v1/queue/job/a.b":                    "path.job_id",
		"/api/v1/queue/job/a%2Fb":                  "path.job_id",
	} {
		r := f.get(t, path)
		if r.Status != 422 {
			t.Errorf("%s answered %d: %s", path, r.Status, r.Body)
			continue
		}
		p := r.problem(t, 422, "invalid_request")
		if len(p.Errors) == 0 || p.Errors[0].Location != location {
			t.Errorf("%s: errors %v, want one at %s", path, p.Errors, location)
		}
	}
}

func TestAnswersAreJSONWhateverIsAccepted(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	for _, accept := range []string{"text/html", "a;,b", ";", "*/*;q=0", "application/cbor", strings.Repeat("x;", 300)} {
		r := f.get(t, "/livez", "Accept", accept)
		if r.Status != 200 || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("Accept %q: %d %s", accept, r.Status, r.Header.Get("Content-Type"))
		}
	}
}

// raw sends bytes as they are and returns the status line's code and the rest.
func raw(t *testing.T, url, text string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b)
}

func TestBrokenFramingIsNoServerError(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	status, body := raw(t, f.URL, "POST /api/v1/queue/cleanup HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
	if status != 400 || !strings.Contains(body, "unreadable_body") {
		t.Errorf("answered %d %s", status, body)
	}
}

// A client that sends its body byte by byte is not waited for.
func TestSlowBody(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	srv := httptest.NewServer(requestID(zerolog.Nop(), readBody(50*time.Millisecond, true, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		reached <- struct{}{}
	}))))
	defer srv.Close()
	status, body := raw(t, srv.URL, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{")
	if status != 408 || !strings.Contains(body, "request_timeout") {
		t.Errorf("answered %d %s", status, body)
	}
	select {
	case <-reached:
		t.Error("half a body reached the handler")
	default:
	}
}

// The deadline for a body must not end the request that it belongs to.
func TestBodyDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	const bodyTime = time.Second // for what is there already
	srv := httptest.NewServer(requestID(zerolog.Nop(), readBody(bodyTime, true, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			w.WriteHeader(http.StatusTeapot)
		case <-time.After(3 * bodyTime / 2):
			w.WriteHeader(http.StatusOK)
		}
	}))))
	defer srv.Close()
	for _, body := range []string{"{}", ""} {
		req, _ := http.NewRequestWithContext(t.Context(), "POST", srv.URL, strings.NewReader(body))
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		if r := send(t, req); r.Status != 200 {
			t.Errorf("the request with the body %q was ended: %d", body, r.Status)
		}
	}
}
