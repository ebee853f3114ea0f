package objstore_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestRetriesAndGivesUp(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	put(t, s, "doc", "text")
	var asked atomic.Int32
	srv.Fail(func(*http.Request) *s3test.Fault {
		if asked.Add(1) <= 2 {
			return &s3test.Fault{Status: http.StatusServiceUnavailable}
		}
		return nil
	})
	if text, err := read(s, "doc", objstore.GetOptions{}); err != nil || text != "text" || asked.Load() != 3 {
		t.Fatalf("%q, %v after %d requests", text, err, asked.Load())
	}
}

func TestFailuresAreUnavailable(t *testing.T) {
	t.Parallel()
	calls := map[string]func(context.Context, *objstore.Store) error{
		"stat": func(ctx context.Context, s *objstore.Store) error { return second(s.Stat(ctx, "doc")) },
		"get": func(_ context.Context, s *objstore.Store) error {
			return second(read(s, "doc", objstore.GetOptions{}))
		},
		"put": func(ctx context.Context, s *objstore.Store) error {
			return second(s.Put(ctx, "new", strings.NewReader("x"), 1, objstore.PutOptions{}))
		},
		"copy": func(ctx context.Context, s *objstore.Store) error {
			return s.Copy(ctx, "doc", "other", objstore.GetOptions{})
		},
		"delete": func(ctx context.Context, s *objstore.Store) error { return s.Delete(ctx, "doc")["doc"] },
		"batch":  func(ctx context.Context, s *objstore.Store) error { return s.Delete(ctx, "doc", "two")["two"] },
		"ping":   func(ctx context.Context, s *objstore.Store) error { return s.Ping(ctx) },
		"bucket": func(ctx context.Context, s *objstore.Store) error { return s.EnsureBucket(ctx) },
		"list": func(ctx context.Context, s *objstore.Store) error {
			for _, err := range s.List(ctx, "", "") {
				return err
			}
			return nil
		},
	}
	for name, fault := range map[string]s3test.Fault{"503": {Status: 503}, "500": {Status: 500},
		"429": {Status: 429, Code: "TooManyRequests"}, "reset": {Reset: true}} {
		srv := s3test.Start(t)
		s := open(t, srv, func(c *objstore.Config) { c.Attempts = 2 })
		srv.Fail(func(*http.Request) *s3test.Fault { return &fault })
		for call, f := range calls {
			t.Run(name+" "+call, func(t *testing.T) {
				t.Parallel()
				if err := f(t.Context(), s); !errors.Is(err, objstore.ErrUnavailable) || strings.Contains(err.Error(), srv.SecretKey) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

func TestTimeoutIsUnavailableButCancelIsNot(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	arrived := make(chan struct{}, 10)
	srv.Fail(func(*http.Request) *s3test.Fault {
		arrived <- struct{}{}
		return &s3test.Fault{Wait: make(chan struct{})}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Stat(ctx, "doc"); !errors.Is(err, objstore.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	<-arrived
	ctx, cancel = context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	if _, err := s.Stat(ctx, "doc"); errors.Is(err, objstore.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancel: %v", err)
	}
}

func TestBrokenBody(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	put(t, s, "doc", "some longer text")
	srv.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Truncate: 4} })
	if text, err := read(s, "doc", objstore.GetOptions{}); !errors.Is(err, objstore.ErrUnavailable) {
		t.Fatalf("read %q, %v", text, err)
	}
}

// A body that stands still in the middle, on a connection that stays open.
func TestStalledBody(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	transport := srv.Transport(t)
	s := open(t, srv, func(c *objstore.Config) {
		c.IdleTimeout = 20 * time.Millisecond
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := transport.RoundTrip(r)
			if err == nil && r.Method == http.MethodGet {
				resp.Body = stalled{resp.Body, r.Context()}
			}
			return resp, err
		})
	})
	put(t, s, "doc", "some text")
	text, err := read(s, "doc", objstore.GetOptions{})
	if !errors.Is(err, objstore.ErrUnavailable) || !strings.Contains(err.Error(), "stopped sending") || text != "some" {
		t.Fatalf("read %q, %v", text, err)
	}
}

// stalled gives four bytes and then nothing until its request ends.
type stalled struct {
	io.ReadCloser
	ctx context.Context
}

func (s stalled) Read(p []byte) (int, error) {
	if len(p) >= 4 {
		if n, err := io.ReadFull(s.ReadCloser, p[:4]); err == nil && string(p[:n]) == "some" {
			return n, nil
		}
	}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func TestDenied(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, func(c *objstore.Config) {
		c.Credentials = credentials.NewStaticV4(srv.AccessKey, "another-secret", "")
	})
	for name, err := range map[string]error{"stat": second(s.Stat(t.Context(), "doc")), "ping": s.Ping(t.Context()),
		"put": second(s.Put(t.Context(), "doc", strings.NewReader("x"), 1, objstore.PutOptions{}))} {
		if !errors.Is(err, objstore.ErrDenied) || !errors.Is(err, objstore.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMissingBucketIsNotAMissingObject(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, func(c *objstore.Config) { c.Bucket = "not-made-yet" })
	for name, err := range map[string]error{"stat": second(s.Stat(t.Context(), "doc")), "get": second(read(s, "doc", objstore.GetOptions{})), "ping": s.Ping(t.Context())} {
		if errors.Is(err, objstore.ErrNotFound) || !errors.Is(err, objstore.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 {
		if err := s.EnsureBucket(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
}
