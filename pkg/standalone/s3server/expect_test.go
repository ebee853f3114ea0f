package s3server_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// A presigned PUT as curl sends it: a form's content type, and for more than
// 1 MiB a pause until the server agrees.
func TestExpectContinue(t *testing.T) {
	t.Parallel()
	f := start(t)
	content := random(t, 3<<20)
	tr := &http.Transport{ExpectContinueTimeout: time.Minute}
	defer tr.CloseIdleConnections()
	for _, tc := range []struct {
		url    string
		status int
		read   bool
	}{
		{f.presign(http.MethodPut, "curl", time.Hour, nil, nil), 200, true},
		{f.Endpoint + "/" + bucket + "/curl", 403, false},
	} {
		body := &counting{r: bytes.NewReader(content)}
		r, err := http.NewRequest(http.MethodPut, tc.url, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = int64(len(content))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Expect", "100-continue")
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tc.status || body.n > 0 != tc.read {
			t.Fatalf("%d after sending %d bytes", resp.StatusCode, body.n)
		}
	}
	f.want("curl", content)
}

// AWS's Python library asks for a 100 before an empty body too, and gets out of
// step when the final answer comes at once.
func TestExpectContinueWithoutBody(t *testing.T) {
	t.Parallel()
	f := start(t)
	u, err := url.Parse(f.presign(http.MethodPut, "empty", time.Hour, nil, nil))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	answers := bufio.NewReader(conn)
	for _, want := range []int{100, 200, 100, 200} {
		if want == 100 {
			if _, err := fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n", u.RequestURI(), u.Host); err != nil {
				t.Fatal(err)
			}
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil || resp.StatusCode != want {
			t.Fatalf("%v, %v, want %d", resp, err, want)
		}
		_ = resp.Body.Close()
	}
	f.want("empty", nil)
}

type counting struct {
	r io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}
