package httpapi

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"
	"github.com/danielgtaylor/huma/v2"
	"github.com/rs/zerolog"
)

const (
	// scrapeEvery is how long what Redis tells is told again: however many
	// scrape, Redis is asked once in this time.
	scrapeEvery = time.Second
	// scrapeTimeout is how long Redis has to answer: less than the 10 s that
	// Prometheus waits.
	scrapeTimeout = 3 * time.Second
)

// meter counts requests, and remembers what Redis last told. Label values are
// routes of this API, statuses, states and configured queues: their number
// does not grow with what clients send.
type meter struct {
	set  *metrics.Set
	mux  *routes
	mu   sync.Mutex // held while Redis is asked, so that others wait for the same answer
	at   time.Time
	text []byte
}

func newMeter(mux *routes) *meter { return &meter{set: metrics.NewSet(), mux: mux} }

// durations are the upper bounds of the buckets, in seconds. Waits for a
// document take up to a minute.
var durations = [...]float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// count counts the requests that next answers. w must be a recorder.
func (m *meter) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now() // a duration, not a date
		_, pattern := m.mux.Handler(r)
		method, route, known := strings.Cut(pattern, " ")
		if !known {
			method, route = "other", "other"
		}
		defer func() {
			status := http.StatusOK
			if rec, ok := w.(*recorder); ok {
				status = cmp.Or(rec.status, status)
			}
			labels := fmt.Sprintf("method=%q,route=%q", method, route)
			m.set.GetOrCreateCounter(fmt.Sprintf(`docsvc_http_requests_total{%s,status="%d"}`, labels, status)).Inc()
			m.set.GetOrCreatePrometheusHistogramExt("docsvc_http_request_duration_seconds{"+labels+"}", durations[:]).Update(time.Since(began).Seconds())
		}()
		next.ServeHTTP(w, r)
	})
}

func (a *api) metricsRoute() {
	op := operation{
		ID: "metrics", Method: "GET", Path: "/metrics", Tag: tagServer,
		Summary: "Metrics for Prometheus",
		Description: "The text format of Prometheus. Needs an API key where the server has one, as the other endpoints for operators. " +
			"Answers 200 without Redis, too, with docsvc_redis_up 0 and without what Redis would tell. What Redis tells is at most a second old.",
		Curl: `curl http://localhost:8000/metrics`,
		Responses: map[string]*huma.Response{"200": {Description: "Metrics",
			Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}}},
	}
	h := op.huma(len(a.mux.patterns))
	a.huma.OpenAPI().AddOperation(&h)
	a.mux.HandleFunc(op.Method+" "+op.Path, a.metrics)
}

func (a *api) metrics(w http.ResponseWriter, r *http.Request) {
	var b bytes.Buffer
	b.Write(a.scrape(r.Context()))
	a.meter.set.WritePrometheus(&b)
	metrics.WriteProcessMetrics(&b)
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_, _ = w.Write(b.Bytes()) // a client that went away is in the access log
}

// scrape returns what Redis tells, not older than scrapeEvery.
func (a *api) scrape(ctx context.Context) []byte {
	m := a.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.text != nil && a.Clock().Sub(m.at) < scrapeEvery {
		return m.text
	}
	// Not ended with the request: others wait for this answer.
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), scrapeTimeout)
	defer cancel()
	var g gauges
	g.one("docsvc_build_info", "gauge", "1, with the version of docsvc and of Go", 1, "version", a.Version, "go_version", runtime.Version())
	known := gauges{}
	if err := a.tell(asked, &known); err != nil {
		zerolog.Ctx(ctx).Warn().Err(err).Msg("metrics: what Redis would tell is left out")
		g.one("docsvc_redis_up", "gauge", "whether Redis answered this scrape", 0)
	} else {
		g.one("docsvc_redis_up", "gauge", "whether Redis answered this scrape", 1)
		g.Write(known.Bytes())
	}
	m.text, m.at = g.Bytes(), a.Clock()
	return m.text
}

// gauges is text in the format of Prometheus.
type gauges struct{ bytes.Buffer }

// family begins a metric; kind is gauge or counter.
func (g *gauges) family(name, kind, help string) {
	fmt.Fprintf(g, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

// sample adds a value with its labels, as name and value.
func (g *gauges) sample(name string, value float64, labels ...string) {
	var pairs []string
	for i := 0; i+1 < len(labels); i += 2 {
		pairs = append(pairs, labels[i]+`="`+labelText(labels[i+1])+`"`)
	}
	if len(pairs) > 0 {
		name += "{" + strings.Join(pairs, ",") + "}"
	}
	fmt.Fprintf(g, "%s %v\n", name, value)
}

// one adds a metric of one value.
func (g *gauges) one(name, kind, help string, value float64, labels ...string) {
	g.family(name, kind, help)
	g.sample(name, value, labels...)
}

// labelText escapes a label's value.
func labelText(text string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(text, "?"))
}
