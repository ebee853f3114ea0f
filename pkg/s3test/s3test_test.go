package s3test_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/minio/minio-go/v7"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func put(t *testing.T, c *minio.Client, bucket, key, body string) error {
	t.Helper()
	_, err := c.PutObject(context.Background(), bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{})
	return err
}

func get(c *minio.Client, bucket, key string) (string, error) {
	o, err := c.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return "", err
	}
	defer func() { _ = o.Close() }()
	b, err := io.ReadAll(o)
	return string(b), err
}

func TestStoresAndLists(t *testing.T) {
	t.Parallel()
	s := s3test.Start(t)
	c := s.Client(t)
	for i := range 25 {
		if err := put(t, c, s.Bucket, fmt.Sprintf("p/%03d", i), "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(t, c, s.Bucket, "q", ""); err != nil {
		t.Fatal(err)
	}
	n := 0
	for o := range c.ListObjects(context.Background(), s.Bucket, minio.ListObjectsOptions{Prefix: "p/", Recursive: true, MaxKeys: 10}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		n++
	}
	if n != 25 {
		t.Fatalf("listed %d objects, want 25", n)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	s := s3test.Start(t)
	c := s.Client(t)
	if err := put(t, c, s.Bucket, "a", "hello"); err != nil {
		t.Fatal(err)
	}

	t.Run("status is retried away", func(t *testing.T) {
		left := 2
		s.Fail(func(r *http.Request) *s3test.Fault {
			if left--; left >= 0 {
				return &s3test.Fault{Status: http.StatusServiceUnavailable}
			}
			return nil
		})
		if got, err := get(c, s.Bucket, "a"); err != nil || got != "hello" {
			t.Fatalf("got %q, %v", got, err)
		}
		if left >= 0 {
			t.Fatal("the fault was not asked for")
		}
	})
	plain := &http.Client{Transport: s.Transport(t)}
	url, err := c.PresignedGetObject(context.Background(), s.Bucket, "a", 60e9, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reset", func(t *testing.T) {
		s.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Reset: true} })
		_, err := plain.Get(url.String())
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("got %v, want a reset", err)
		}
	})
	t.Run("truncated", func(t *testing.T) {
		s.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Truncate: 3} })
		resp, err := plain.Get(url.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		if err == nil || !bytes.HasPrefix([]byte("hello"), b) || len(b) > 3 || resp.ContentLength != 5 {
			t.Fatalf("read %q, %v of %d", b, err, resp.ContentLength)
		}
	})
	t.Run("lost answer", func(t *testing.T) {
		put, err := c.PresignedPutObject(context.Background(), s.Bucket, "lost", 60e9)
		if err != nil {
			t.Fatal(err)
		}
		s.Fail(func(*http.Request) *s3test.Fault { return &s3test.Fault{Lost: true} })
		req, _ := http.NewRequest(http.MethodPut, put.String(), strings.NewReader("done"))
		req.GetBody = nil
		if _, err := plain.Do(req); err == nil {
			t.Fatal("an answer came")
		}
		s.Fail(nil)
		if got, err := get(c, s.Bucket, "lost"); err != nil || got != "done" {
			t.Fatalf("got %q, %v", got, err)
		}
	})
	t.Run("delayed", func(t *testing.T) {
		gate, asked := make(chan struct{}), make(chan struct{}, 1)
		s.Fail(func(*http.Request) *s3test.Fault {
			asked <- struct{}{}
			return &s3test.Fault{Wait: gate}
		})
		done := make(chan error, 1)
		go func() {
			_, err := c.StatObject(context.Background(), s.Bucket, "a", minio.StatObjectOptions{})
			done <- err
		}()
		<-asked
		select {
		case err := <-done:
			t.Fatalf("answered before the gate was opened: %v", err)
		default:
		}
		close(gate)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		s.Fail(nil)
	})
}

func TestStopAndRestart(t *testing.T) {
	t.Parallel()
	s := s3test.Start(t)
	c := s.Client(t)
	if err := put(t, c, s.Bucket, "a", "hello"); err != nil {
		t.Fatal(err)
	}
	s.Stop()
	plain := &http.Client{Transport: s.Transport(t)}
	if _, err := plain.Get(s.Endpoint); err == nil {
		t.Fatal("a stopped server answered")
	}
	s.Restart(t)
	if got, err := get(c, s.Bucket, "a"); err != nil || got != "hello" {
		t.Fatalf("after restart: %q, %v", got, err)
	}
}

func TestWrongSecretIsRefused(t *testing.T) {
	t.Parallel()
	s := s3test.Start(t)
	s.SecretKey = "another"
	if err := put(t, s.Client(t), s.Bucket, "a", "x"); minio.ToErrorResponse(err).StatusCode != http.StatusForbidden {
		t.Fatalf("got %v, want 403", err)
	}
}
