package client

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"testing"
)

// Whoever answers at the address: it becomes an error that says something.
func FuzzProblem(f *testing.F) {
	for _, s := range []string{"", "{}", `{"code":"not_found","detail":"no such document"}`, `{"code":1}`, "<html>", `{"code":"x","errors":[{}]}`, `{"errors":null,"code":"x","status":-1}`, "\xff"} {
		f.Add(404, "3", []byte(s))
	}
	f.Add(503, "Wed, 21 Oct 2026 07:28:00 GMT", []byte("{}"))
	f.Add(500, "-1", []byte("null"))
	f.Add(429, "99999999999999999999", []byte("[]"))
	f.Fuzz(func(t *testing.T, status int, after string, body []byte) {
		r := &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{"Retry-After": {after}},
			Body: io.NopCloser(bytes.NewReader(body)), Request: &http.Request{URL: &url.URL{Scheme: "http", Host: "h"}}}
		err := readProblem(r)
		p, ok := err.(*Problem)
		if !ok || p.Status != status || p.retryAfter < 0 {
			t.Errorf("%d %q is %#v", status, body, err)
		}
		_ = err.Error()
	})
}
