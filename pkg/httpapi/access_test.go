package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

const testJob = "/api/v1/queue/job/some-job"

// refused lists the codes that mean that a request never got to its handler.
func refusedCode(r reply) string {
	for _, code := range []string{"unauthorized", "host_not_allowed", "cross_origin", "unsupported_media_type"} {
		if strings.Contains(string(r.Body), `"code":"`+code+`"`) {
			return code
		}
	}
	return ""
}

func TestAPIKey(t *testing.T) {
	t.Parallel()
	f := offline(t, func(c *Config) { c.APIKeys = []string{"first-key-0123456789", " second-key-0123456789\n"} })
	for name, c := range map[string]struct {
		headers []string
		want    string
	}{
		"none":             {nil, "unauthorized"},
		"bearer":           {[]string{"Authorization", "Bearer first-key-0123456789"}, ""},
		"bearer any case":  {[]string{"Authorization", "bearer first-key-0123456789"}, ""},
		"second of two":    {[]string{"Authorization", "Bearer second-key-0123456789"}, ""},
		"own header":       {[]string{"X-API-Key", "second-key-0123456789"}, ""},
		"wrong":            {[]string{"X-API-Key", "first-key-012345678"}, "unauthorized"},
		"longer":           {[]string{"X-API-Key", "first-key-01234567890"}, "unauthorized"},
		"empty bearer":     {[]string{"Authorization", "Bearer "}, "unauthorized"},
		"basic":            {[]string{"Authorization", "Basic first-key-0123456789"}, "unauthorized"},
		"without a scheme": {[]string{"Authorization", "first-key-0123456789"}, "unauthorized"},
		"a foreign host, no form of attack with a key": {[]string{"Host", "docs.example.com", "X-API-Key", "first-key-0123456789"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				path := testJob
				if method == http.MethodPost {
					path += "/cancel"
				}
				r := f.do(t, method, path, "", c.headers...)
				if got := refusedCode(r); got != c.want {
					t.Errorf("%s answered %d %s, want code %q", method, r.Status, r.Body, c.want)
				}
				if c.want != "" && r.Header.Get("WWW-Authenticate") == "" {
					t.Error("401 without WWW-Authenticate")
				}
			}
		})
	}
	t.Cleanup(func() {
		if strings.Contains(f.Log.String(), "key-0123456789") {
			t.Error("the log holds an API key")
		}
	})
}

func TestEmptyKeysAndHostsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{
		"empty key":      {APIKeys: []string{"good-key-0123456789", ""}},
		"blank key":      {APIKeys: []string{" \n"}},
		"empty host":     {AllowedHosts: []string{""}},
		"host with port": {AllowedHosts: []string{"docs.example.com:8000"}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: New takes it", name)
		}
	}
}

// Without Redis and storage these must answer, with and without keys, to any
// name: they are for probes and people.
func TestOpenEndpoints(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{"with keys": {"some-key-0123456789"}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := offline(t, func(c *Config) { c.APIKeys = keys })
			for path, want := range map[string]int{"/livez": 200, "/docs": 200, "/openapi.json": 200, "/": 302} {
				if r := f.get(t, path, "Host", "anything.example.com"); r.Status != want {
					t.Errorf("GET %s answered %d: %s", path, r.Status, r.Body)
				}
			}
		})
	}
}

func TestDNSRebinding(t *testing.T) {
	t.Parallel()
	f := offline(t, func(c *Config) { c.AllowedHosts = []string{"docs.example.com"} })
	for host, want := range map[string]string{
		"localhost:8000":        "",
		"LOCALHOST":             "",
		"api.localhost:8000":    "",
		"127.0.0.1:8000":        "",
		"[::1]:8000":            "",
		"192.0.2.7":             "",
		"docs.example.com:8000": "",
		"DOCS.example.com.":     "",
		"evil.example.com":      "host_not_allowed",
		"evil.example.com:8000": "host_not_allowed",
		"localhost.example.com": "host_not_allowed",
		"127.0.0.1.example.com": "host_not_allowed",
		"notlocalhost":          "host_not_allowed",
		"xdocs.example.com":     "host_not_allowed",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			for _, r := range []reply{
				f.get(t, "/api/v1/queue/info", "Host", host),
				f.post(t, testJob+"/cancel", "", "Host", host),
				f.get(t, "/api/v1/nothing", "Host", host),
			} {
				if got := refusedCode(r); got != want {
					t.Errorf("answered %d %s, want code %q", r.Status, r.Body, want)
				}
			}
		})
	}
}

// What a browser can be made to send by a page of another site, and what
// curl and programs send.
func TestCrossSiteRequests(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	own := strings.TrimPrefix(f.URL, "http://")
	for name, c := range map[string]struct {
		path, body string
		headers    []string
		want       string
	}{
		"curl -X POST as the guide types it": {path: testJob + "/cancel"},
		"curl with JSON":                     {path: "/api/v1/queue/cleanup", body: `{"task_type":"daily"}`},
		"JSON with a charset":                {path: "/api/v1/queue/cleanup", body: `{"task_type":"daily"}`, headers: []string{"Content-Type", "application/json; charset=utf-8"}},
		"our own page":                       {path: testJob + "/cancel", headers: []string{"Origin", f.URL, "Sec-Fetch-Site", "same-origin"}},
		"our own page in an old browser":     {path: testJob + "/cancel", headers: []string{"Origin", f.URL, "Host", own}},
		"a foreign page":                     {path: testJob + "/cancel", headers: []string{"Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"}, want: "cross_origin"},
		"a page on another port":             {path: testJob + "/cancel", headers: []string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, want: "cross_origin"},
		"a foreign page in an old browser":   {path: testJob + "/cancel", headers: []string{"Origin", "https://evil.example.com"}, want: "cross_origin"},
		"a sandboxed frame":                  {path: testJob + "/cancel", headers: []string{"Origin", "null"}, want: "cross_origin"},
		"an HTML form":                       {path: "/api/v1/queue/cleanup", body: "task_type=daily", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, want: "unsupported_media_type"},
		"a form of plain text":               {path: "/api/v1/queue/cleanup", body: `{"task_type":"daily"}`, headers: []string{"Content-Type", "text/plain"}, want: "unsupported_media_type"},
		"an empty HTML form":                 {path: testJob + "/cancel", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, want: "unsupported_media_type"},
		"a body without a type":              {path: "/api/v1/queue/cleanup", body: `{"task_type":"daily"}`, headers: []string{"Content-Type", ""}, want: "unsupported_media_type"},
		"a type that only looks like JSON":   {path: "/api/v1/queue/cleanup", body: `{}`, headers: []string{"Content-Type", "text/plain+json"}, want: "unsupported_media_type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if r := f.post(t, c.path, c.body, c.headers...); refusedCode(r) != c.want {
				t.Errorf("answered %d %s, want code %q", r.Status, r.Body, c.want)
			}
		})
	}
}

func TestEveryAnswerIsHardened(t *testing.T) {
	t.Parallel()
	f := offline(t, nil)
	for _, path := range []string{"/livez", "/docs", "/nothing", "/api/v1/queue/info"} {
		h := f.get(t, path).Header
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", path, h)
		}
		if h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: other sites may read it", path)
		}
	}
}
