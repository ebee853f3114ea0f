package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

type api struct {
	Config
	huma           huma.API
	mux            *routes
	meter          *meter
	requestTimeout time.Duration
}

// New returns the handler of the whole API. It touches neither Redis nor
// storage, so a server starts without them.
func New(c Config) (http.Handler, error) {
	keys, err := newKeyring(c.APIKeys)
	if err != nil {
		return nil, err
	}
	if err := checkHosts(c.AllowedHosts); err != nil {
		return nil, err
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	a, err := build(c)
	if err != nil {
		return nil, err
	}
	var guarded http.Handler = readBody(bodyTimeout, len(keys) == 0, cleanQuery(a.mux))
	guarded = a.mux.knownRoutes(guarded)
	if len(keys) > 0 {
		guarded = requireKey(keys, guarded)
	} else {
		guarded = requireOrigin(c.AllowedHosts, guarded)
	}
	open := a.mux.knownRoutes(cleanQuery(a.mux))
	h := recovery(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// One answer for all: JSON. Leaving Accept in would only invite an error about it.
		r.Header.Del("Accept")
		if a.mux.open(r) {
			open.ServeHTTP(w, r)
			return
		}
		guarded.ServeHTTP(w, r)
	}))
	return requestID(c.Log, harden(accessLog(c.Clock, writeTimeout, a.meter.count(h)))), nil
}

// OpenAPI returns the OpenAPI 3.1 document of the API, as /openapi.json
// serves it.
func OpenAPI() ([]byte, error) {
	a, err := build(Config{})
	if err != nil {
		return nil, err
	}
	return a.openAPI()
}

func build(c Config) (*api, error) {
	a := &api{Config: c, mux: newRoutes(), requestTimeout: requestTimeout}
	a.huma = humago.New(a.mux, huma.Config{
		OpenAPI: describe(c.Version),
		// "json" stands for every type that ends in +json.
		Formats:       map[string]huma.Format{"application/json": jsonFormat(), "json": jsonFormat()},
		DefaultFormat: "application/json",
		Transformers:  []huma.Transformer{refusals},
	})
	a.documentRoutes()
	a.catalogRoutes()
	a.queueRoutes()
	a.jobRoutes()
	a.healthRoutes()
	a.meter = newMeter(a.mux)
	a.metricsRoute()
	describeFields(a.huma.OpenAPI())
	if err := a.pageRoutes(); err != nil {
		return nil, fmt.Errorf("making the documentation page: %w", err)
	}
	return a, nil
}

// harden sets the headers that every answer has. Nothing that this API serves
// may be run, framed or kept by a browser; the documentation page says more.
func harden(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// cleanQuery refuses a query that readers could understand in two ways.
func cleanQuery(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		values, err := url.ParseQuery(r.URL.RawQuery)
		var bad []FieldError
		if err != nil {
			bad = append(bad, FieldError{Location: "query", Message: "is not validly encoded"})
		}
		for name, v := range values {
			if len(v) > 1 {
				bad = append(bad, FieldError{Location: "query." + shorten(name, 100), Message: "is given more than once"})
			}
		}
		if bad = tidy(bad); len(bad) > 0 {
			p := newProblem("invalid_request", "The request was refused. "+sentence(bad))
			p.Errors = bad
			writeProblem(w, p)
			return
		}
		r.URL.RawQuery = values.Encode()
		next.ServeHTTP(w, r)
	})
}

// routes is a ServeMux that remembers what was registered, and which routes
// need no key.
type routes struct {
	*http.ServeMux
	patterns []string
	public   map[string]bool
}

func newRoutes() *routes {
	return &routes{ServeMux: http.NewServeMux(), public: map[string]bool{}}
}

// HandleFunc is what huma's adapter calls.
func (m *routes) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.HandleFunc(pattern, handler)
}

func (m *routes) open(r *http.Request) bool {
	_, pattern := m.Handler(r)
	return m.public[pattern]
}

// knownRoutes answers 404 and 405 the way all errors are answered.
func (m *routes) knownRoutes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := m.Handler(r)
		if pattern != "" {
			next.ServeHTTP(w, r)
			return
		}
		probe := &headerProbe{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			allow := probe.header.Get("Allow")
			w.Header().Set("Allow", allow)
			writeProblem(w, newProblem("method_not_allowed",
				fmt.Sprintf("%s takes %s, not %s.", r.URL.Path, allow, shorten(r.Method, 20))))
			return
		}
		writeProblem(w, newProblem("not_found",
			fmt.Sprintf("There is nothing at %s. All endpoints are listed at /docs.", shorten(r.URL.Path, 200))))
	})
}

// headerProbe learns what ServeMux would answer without answering it.
type headerProbe struct {
	header http.Header
	status int
}

func (p *headerProbe) Header() http.Header         { return p.header }
func (p *headerProbe) Write(b []byte) (int, error) { return len(b), nil }
func (p *headerProbe) WriteHeader(status int)      { p.status = status }

// openAPI marshals the document with what huma adds of its own left out.
func (a *api) openAPI() ([]byte, error) {
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorModel")
	delete(a.huma.OpenAPI().Components.Schemas.Map(), "ErrorDetail")
	b, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	return b, nil
}

// shorten cuts s to at most n bytes at a character.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
