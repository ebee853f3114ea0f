//go:build failpoint

package failpoint

import (
	"net/http"
	"strings"
)

// S3 returns a transport that makes failpoints of every request.
func S3(next http.RoundTripper) http.RoundTripper { return transport{next} }

type transport struct{ next http.RoundTripper }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	op := operation(r)
	Hit("s3:before:" + op)
	resp, err := t.next.RoundTrip(r)
	Hit("s3:after:" + op)
	return resp, err
}

func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case q.Has("list-type"):
		return "list"
	case q.Has("delete"):
		return "deletemany"
	case r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "":
		return "copy"
	case r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/document.json"):
		return "put-manifest"
	}
	return strings.ToLower(r.Method)
}
