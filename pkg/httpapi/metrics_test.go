package httpapi

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// scraped is /metrics as a map of series and values, which must be in the
// format of Prometheus.
func (f *fixture) scraped(t *testing.T, key string) map[string]string {
	t.Helper()
	r := f.get(t, "/metrics", "Authorization", key)
	if r.Status != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d\n%s", r.Status, r.Body)
	}
	series, kinds := map[string]string{}, map[string]bool{}
	label := `[A-Za-z_]+="(?:[^"\\]|\\.)*"`
	line := regexp.MustCompile(`^([a-z_]+(?:\{` + label + `(?:, ?` + label + `)*\})?) (\S+)$`)
	for text := range strings.Lines(string(r.Body)) {
		text = strings.TrimSuffix(text, "\n")
		if strings.HasPrefix(text, "# TYPE ") {
			name := strings.Fields(text)[2]
			if kinds[name] {
				t.Errorf("%s is described twice", name)
			}
			kinds[name] = true
		}
		if strings.HasPrefix(text, "#") {
			continue
		}
		m := line.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("not the format of Prometheus: %q", text)
		}
		if _, twice := series[m[1]]; twice {
			t.Errorf("%s is there twice", m[1])
		}
		series[m[1]] = m[2]
	}
	return series
}

func wantSeries(t *testing.T, got map[string]string, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, r *redistest.Server) {
		f := online(t, r, func(c *Config) { c.Version = `1.2"3` })
		if err := f.Docs.EnsureInstallation(t.Context()); err != nil {
			t.Fatal(err)
		}
		rdb := r.Client(t)
		for _, err := range []error{
			rdb.HSet(t.Context(), "docsvc:ledger", "accepted", 3, "deleted", 1).Err(),
			rdb.ZAdd(t.Context(), "docsvc:docs:status:completed", redis.Z{Score: 1, Member: "x"}).Err(),
			rdb.HSet(t.Context(), "docsvc:late", "document_processing", 4, "cleanup_tasks", 1).Err(),
			rdb.HSet(t.Context(), "docsvc:recoveries", "document_processing", 7).Err(),
			rdb.HSet(t.Context(), "docsvc:deaths", "document_processing", 6).Err(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := f.Queue.Enqueue(t.Context(), rq.Spec{Queue: "cleanup_tasks", Func: "x.y"}); err != nil {
			t.Fatal(err)
		}
		f.get(t, "/api/v1/documents/0198a5c4-0000-7000-8000-000000000000").problem(t, 404, "document_not_found")
		f.get(t, "/no/such/place").problem(t, 404, "not_found")
		got := f.scraped(t, "")
		wantSeries(t, got, map[string]string{
			"docsvc_redis_up":                                                       "1",
			`docsvc_documents{status="completed"}`:                                  "1",
			`docsvc_documents{status="awaiting_upload"}`:                            "0",
			"docsvc_unaccounted_documents":                                          "1",
			"docsvc_lost_documents":                                                 "0",
			"docsvc_ledger_accepted_total":                                          "3",
			"docsvc_ledger_deleted_total":                                           "1",
			"docsvc_ledger_complete":                                                "1",
			"docsvc_foreign_changes_total":                                          "0",
			"docsvc_late_finishes_refused_total":                                    "5",
			"docsvc_recoveries_total":                                               "7",
			"docsvc_worker_deaths_total":                                            "6",
			`docsvc_queue_jobs{queue="cleanup_tasks",registry="queued"}`:            "1",
			`docsvc_queue_jobs{queue="document_processing",registry="failed"}`:      "0",
			`docsvc_queue_workers{queue="cleanup_tasks"}`:                           "0",
			`docsvc_workers{state="busy"}`:                                          "0",
			`docsvc_http_requests_total{method="other",route="other",status="404"}`: "1",
			`docsvc_http_requests_total{method="GET",route="/api/v1/documents/{document_id}",status="404"}`: "1",
			`docsvc_http_request_duration_seconds_count{method="other",route="other"}`:                      "1",
			`docsvc_http_request_duration_seconds_bucket{method="other",route="other",le="+Inf"}`:           "1",
		})
		build := false
		for name := range got {
			build = build || strings.HasPrefix(name, `docsvc_build_info{version="1.2\"3",go_version="go`)
		}
		if !build || got["process_start_time_seconds"] == "" || got["go_goroutines"] == "" {
			t.Errorf("no build info or process statistics: %v", got)
		}
	})
}

// Nothing that a client sends makes a series of its own.
func TestMetricsAreBounded(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	for i := range 50 {
		f.get(t, fmt.Sprintf("/x/%d", i))
		f.do(t, fmt.Sprintf("BREW%d", i), fmt.Sprintf("/api/v1/documents/%d", i), "")
		f.get(t, fmt.Sprintf("/livez?x%d", i))
	}
	ours := 0
	for name := range f.scraped(t, "") {
		if strings.HasPrefix(name, "docsvc_http_requests_total") {
			ours++
		}
	}
	if ours > 6 {
		t.Errorf("%d series of requests", ours)
	}
}

// Without Redis the answer is 200, says so, and holds no figure of Redis.
func TestMetricsWithoutRedis(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	got := f.scraped(t, "")
	wantSeries(t, got, map[string]string{"docsvc_redis_up": "0", "docsvc_unaccounted_documents": ""})
	for name := range got {
		if strings.HasPrefix(name, "docsvc_queue") || strings.HasPrefix(name, "docsvc_documents") {
			t.Errorf("%s without Redis", name)
		}
	}
}

func TestMetricsNeedTheKey(t *testing.T) {
	t.Parallel()
	f := offline(t, func(c *Config) { c.APIKeys = []string{"secret"} })
	f.get(t, "/metrics").problem(t, 401, "unauthorized")
	if got := f.scraped(t, "Bearer secret"); got["docsvc_redis_up"] != "0" {
		t.Error(got)
	}
}

// However many scrape at a time, Redis is asked once a second.
func TestMetricsAskRedisOnce(t *testing.T) {
	t.Parallel()
	f := online(t, redistest.Start(t, redistest.Miniredis), nil)
	now := time.Now()
	a, err := build(Config{Documents: f.Docs, Queue: f.Queue, Queues: []string{"q"}, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	texts := make([][]byte, 20)
	for i := range texts {
		wg.Go(func() { texts[i] = a.scrape(context.Background()) })
	}
	wg.Wait()
	different := map[*byte]bool{}
	for _, text := range texts {
		different[&text[0]] = true
	}
	if len(different) != 1 {
		t.Errorf("Redis was asked %d times", len(different))
	}
	now = now.Add(scrapeEvery)
	if text := a.scrape(context.Background()); different[&text[0]] {
		t.Error("an old answer was told again")
	}
}

// Every state that a document may have is a series.
func TestMetricsHaveAllStates(t *testing.T) {
	t.Parallel()
	var g gauges
	g.ledger(&document.Ledger{})
	for _, state := range document.States() {
		if !strings.Contains(g.String(), fmt.Sprintf("{status=%q} 0", state)) {
			t.Errorf("%s is missing", state)
		}
	}
}
