package worker

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// receiver is told of jobs.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got []string
}

func newReceiver(t *testing.T) *receiver {
	v := &receiver{}
	v.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		v.mu.Lock()
		v.got = append(v.got, r.Method+" "+r.URL.Path+" X-A="+r.Header.Get("X-A")+" "+r.Header.Get("Content-Type")+" "+string(body))
		v.mu.Unlock()
		switch r.URL.Path {
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(patience):
			}
		case "/moved":
			http.Redirect(w, r, "/arrived", http.StatusFound)
		case "/kept":
			http.Redirect(w, r, "/arrived", http.StatusTemporaryRedirect)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		}
	}))
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) all() []string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return slices.Sorted(slices.Values(v.got))
}

var (
	stampInBody = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"`)
	traceInBody = regexp.MustCompile(`"exc_info": "[^"]*?broken(\\n)?"|"exc_info": "Traceback([^"\\]|\\.)*broken\\n"`)
)

// TestWebhooksAsInRQ compares the requests of Python's worker and docsvc's.
func TestWebhooksAsInRQ(t *testing.T) {
	t.Parallel()
	v := map[bool]*receiver{true: newReceiver(t), false: newReceiver(t)}
	results := make(chan []string, 2)
	t.Run("sides", func(t *testing.T) {
		for _, python := range []bool{true, false} {
			url := v[python].URL
			hooks := []asked{
				{"url": url + "/get", "job_status": "finished"},
				{"url": url + "/post", "job_status": "finished", "method": "POST", "headers": map[string]string{"X-A": "b"}, "timeout": 3},
				{"url": url + "/typed", "job_status": "finished", "method": "POST", "headers": map[string]string{"Content-Type": "text/x"}},
				{"url": url + "/moved", "job_status": "finished", "method": "POST", "headers": map[string]string{"X-A": "b"}},
				{"url": url + "/kept", "job_status": "finished", "method": "POST"},
				{"url": url + "/file", "job_status": "finished"},
				{"url": url + "/broken", "job_status": "finished"},
				{"url": url + "/bad", "job_status": "failed", "method": "POST"},
				{"url": "http://127.0.0.1:1/", "job_status": "finished"},
			}
			jobs := []asked{{"id": "fine", "func": "ok", "webhooks": hooks}, {"id": "bad", "func": "boom", "webhooks": hooks},
				{"id": "retried", "func": "boom", "retry": 1, "webhooks": hooks[7:8]}}
			t.Run(map[bool]string{true: "python", false: "docsvc"}[python], func(t *testing.T) {
				t.Parallel()
				bin := redistest.Python(t)
				r := newRig(t, redistest.Start(t, redistest.RedisServer))
				r.python(bin, "enqueue", jobs)
				r.drainQueue(bin, python, func(c *Config) { c.Webhooks = true })
				var plain []string
				for _, line := range v[python].all() {
					line = stampInBody.ReplaceAllString(line, `"<time>"`)
					plain = append(plain, traceInBody.ReplaceAllString(line, `"exc_info": "... broken"`))
				}
				for id, want := range map[string]rq.Status{"fine": rq.StatusFinished, "bad": rq.StatusFailed} {
					if j := r.job(id); j.Status != want {
						t.Errorf("%s is %s", id, j.Status)
					}
				}
				results <- plain
			})
		}
	})
	if len(results) < 2 {
		return // no Python, or failed
	}
	one, other := <-results, <-results
	if !slices.Equal(one, other) {
		t.Errorf("one side sent\n%s\nthe other\n%s", strings.Join(one, "\n"), strings.Join(other, "\n"))
	}
	if len(one) < 9 {
		t.Errorf("only %q", one)
	}
}

// hooked runs one job that succeeds and answers what the log says of webhooks.
func hooked(t *testing.T, change func(*Config), hooks ...rq.Webhook) (said []string, took time.Duration) {
	r := newRig(t, redistest.Start(t, redistest.RedisServer))
	c := r.likeJobs(r.config())
	c.Burst, c.Webhooks = true, true
	if change != nil {
		change(&c)
	}
	id := r.enqueue(rq.Spec{Func: "jobs.ok", Webhooks: hooks})
	began := time.Now()
	if err := r.start(c).end(); err != nil {
		t.Error(err)
	}
	took = time.Since(began)
	if j := r.job(id); j.Status != rq.StatusFinished {
		t.Errorf("the job is %s", j.Status)
	}
	for _, line := range r.log.lines("webhook not delivered") {
		said = append(said, line["url"].(string)+": "+line["error"].(string))
	}
	return said, took
}

func TestWebhooksAreBounded(t *testing.T) {
	t.Parallel()
	v := newReceiver(t)
	hook := func(path string) rq.Webhook {
		return rq.Webhook{URL: v.URL + path, Status: rq.StatusFinished, Timeout: time.Second, Method: "GET"}
	}
	for name, x := range map[string]struct {
		hooks []rq.Webhook
		want  string
	}{
		"slow":       {[]rq.Webhook{hook("/slow"), hook("/slow")}, "deadline"},
		"round":      {[]rq.Webhook{hook("/round")}, "more than 5 times"},
		"file":       {[]rq.Webhook{hook("/file")}, "from http to file"},
		"link-local": {[]rq.Webhook{{URL: "http://169.254.169.254/latest", Status: rq.StatusFinished}}, "no address for webhooks"},
		"secret":     {[]rq.Webhook{{URL: "http://user:hidden@127.0.0.1:1/x?token=hidden", Status: rq.StatusFinished}}, "http://127.0.0.1:1/x: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said, took := hooked(t, nil, x.hooks...)
			all := strings.Join(said, "\n")
			if !strings.Contains(all, x.want) || strings.Contains(all, "hidden") {
				t.Errorf("the log says %q, want %q", said, x.want)
			}
			if took > patience/2 {
				t.Errorf("the slot waited %s", took)
			}
		})
	}
}

func TestWebhooksCanBeTurnedOff(t *testing.T) {
	t.Parallel()
	v := newReceiver(t)
	hooked(t, func(c *Config) { c.Webhooks = false }, rq.Webhook{URL: v.URL, Status: rq.StatusFinished})
	if got := v.all(); len(got) != 0 {
		t.Errorf("received %q", got)
	}
}

// TestAnnouncedBody: the same times as in the job's hash, as Python writes
// them, and no endless error.
func TestAnnouncedBody(t *testing.T) {
	t.Parallel()
	a := announced{job: &rq.Job{ID: "j", EnqueuedAt: time.Unix(1795440197, 0)}, status: rq.StatusFailed,
		ended: time.Unix(1795440197, 12000), err: strings.Repeat("é", webhookErrorText)}
	text, err := a.body()
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"job_id": "j", "func_name": null, "status": "failed", "enqueued_at": "2026-11-23T13:23:17+00:00", ` +
		`"ended_at": "2026-11-23T13:23:17.000012+00:00", "exc_info": "\u00e9`; !strings.HasPrefix(string(text), want) {
		t.Errorf("got %.200s, want %s", text, want)
	}
	var got map[string]any
	if err := json.Unmarshal(text, &got); err != nil || len(got["exc_info"].(string)) > webhookErrorText {
		t.Errorf("%v: %d bytes", err, len(text))
	}
}

func TestWebhookHeadersStayWithTheirHost(t *testing.T) {
	t.Parallel()
	from, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://one.example/", nil)
	to, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://two.example/", nil)
	to.Header = http.Header{"X-Key": {"k"}, "User-Agent": {"docsvc"}}
	if err := checkRedirect(to, []*http.Request{from}); err != nil || to.Header.Get("X-Key") != "" || to.Header.Get("User-Agent") == "" {
		t.Errorf("%v, %v", err, to.Header)
	}
	to.URL.Scheme = "http"
	if err := checkRedirect(to, []*http.Request{from}); err == nil {
		t.Error(errors.New("followed from https to http"))
	}
}

func TestAddressesForWebhooks(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"127.0.0.1:80": false, "10.1.2.3:80": false, "[::1]:80": false, "203.0.113.5:443": false, "[fd00:ec2::255]:80": false, "[64:ff9b::a01:203]:80": false,
		"169.254.169.254:80": true, "[::ffff:169.254.169.254]:80": true, "[64:ff9b::a9fe:a9fe]:80": true, "[fe80::1]:80": true, "[fe80::1%eth0]:80": true,
		"[fd00:ec2::254]:80": true, "[fd20:ce::254]:80": true, "100.100.100.200:80": true, "168.63.129.16:80": true, "192.0.0.192:80": true, "nowhere": true,
	} {
		if got := forbidden(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}

// TestHostileWebhooks: no answer of a receiver and no header of a job holds a
// slot, gets into the request, or brings a secret into the log.
func TestHostileWebhooks(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	hostile := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Injected") != "" || r.ContentLength > 0 {
			t.Errorf("injected: %v", r.Header)
		}
		switch r.URL.Path {
		case "/endless":
			for chunk := make([]byte, 1<<16); ; {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		case "/headers":
			w.Header().Set("X", strings.Repeat("x", 1<<20))
		case "/where":
			w.Header().Set("Location", "http://hidden:hidden@[::1/%zz?hidden")
			w.WriteHeader(http.StatusFound)
		}
	}))
	t.Cleanup(hostile.Close)
	hook := func(path string, headers map[string]string) rq.Webhook {
		return rq.Webhook{URL: hostile.URL + path, Status: rq.StatusFinished, Timeout: 20 * time.Second, Headers: headers}
	}
	said, took := hooked(t, nil,
		hook("/endless", nil), hook("/headers", nil), hook("/where", nil),
		hook("/", map[string]string{"A": "hidden\r\nInjected: yes"}), hook("/", map[string]string{"A\r\nInjected": "hidden"}),
		hook("/", map[string]string{"Host": "hidden\r\nInjected: yes"}), hook("/", map[string]string{"Content-Length": "5", "Transfer-Encoding": "chunked"}))
	if all := strings.Join(said, "\n"); strings.Contains(all, "hidden") || len(said) < 5 {
		t.Errorf("the log says %q", said)
	}
	if took > patience/2 {
		t.Errorf("the slot waited %s", took)
	}
	if n := requests.Load(); n < 4 {
		t.Errorf("%d requests", n)
	}
}
