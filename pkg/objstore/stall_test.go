package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/s3test"
)

// deaf is a store that takes connections and neither reads nor answers, while
// it keeps them open.
func deaf(t *testing.T) (endpoint string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		var open []net.Conn
		defer func() {
			<-end
			for _, c := range open {
				_ = c.Close()
			}
		}()
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			open = append(open, c)
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		close(end)
		<-done
	})
	return "http://" + l.Addr().String()
}

// An upload of which the store takes nothing more would stand still until the
// job's timeout, or for ever.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	c := srv.StoreConfig(t)
	c.Endpoint, c.Attempts, c.IdleTimeout = deaf(t), 2, 100*time.Millisecond
	s, err := objstore.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), 16<<20) // more than any socket holds
	for name, body := range map[string][]byte{"a body that is not taken": big, "an answer that does not come": []byte("x")} {
		_, err := s.Put(t.Context(), "doc", bytes.NewReader(body), int64(len(body)), objstore.PutOptions{})
		if !errors.Is(err, objstore.ErrUnavailable) || !strings.Contains(err.Error(), "stopped taking the request") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Stat(t.Context(), "doc"); !errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("stat: %v", err)
	}
}

// A store that takes a little now and then is given all the time it needs,
// which is more than IdleTimeout here.
func TestSlowUploadThatGetsOnIsNotEnded(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	transport := srv.Transport(t)
	const idle, pause, part = 5 * time.Second, 400 * time.Millisecond, 64
	s := open(t, srv, func(c *objstore.Config) {
		c.IdleTimeout, c.Attempts = idle, 1
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPut {
				return transport.RoundTrip(r)
			}
			var body []byte
			for buf := make([]byte, part); ; {
				time.Sleep(pause)
				n, err := r.Body.Read(buf)
				body = append(body, buf[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil {
					return nil, err
				}
			}
			r = r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(body))
			return transport.RoundTrip(r)
		})
	})
	body := strings.Repeat("some text ", 2*int(idle/pause)*part/10)
	if _, err := s.Put(t.Context(), "doc", strings.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if text, err := read(s, "doc", objstore.GetOptions{}); err != nil || text != body {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

// However an upload in parts ends, no parts stay on the server.
func TestFailedUploadLeavesNoParts(t *testing.T) {
	t.Parallel()
	body := make([]byte, 64<<20+1)
	gate := make(chan struct{})
	for name, fault := range map[string]func(cancel func()) *s3test.Fault{
		"503":   func(func()) *s3test.Fault { return &s3test.Fault{Status: 503} },
		"reset": func(func()) *s3test.Fault { return &s3test.Fault{Reset: true} },
		"canceled": func(cancel func()) *s3test.Fault {
			cancel()
			return &s3test.Fault{Wait: gate, Reset: true}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := s3test.Start(t)
			s := open(t, srv, func(c *objstore.Config) { c.Attempts = 1 })
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			srv.Fail(func(r *http.Request) *s3test.Fault {
				if r.Method != http.MethodPut || r.URL.Query().Get("partNumber") != "2" {
					return nil
				}
				return fault(cancel)
			})
			_, err := s.Put(ctx, "doc", bytes.NewReader(body), int64(len(body)), objstore.PutOptions{})
			if name == "canceled" {
				close(gate)
			}
			if err == nil {
				t.Fatal("it was stored")
			}
			for p, err := range s.Unfinished(t.Context(), "") {
				t.Errorf("left on the server: %+v, %v", p, err)
			}
			if _, err := s.Stat(t.Context(), "doc"); !errors.Is(err, objstore.ErrNotFound) {
				t.Errorf("half of it can be seen: %v", err)
			}
		})
	}
}
