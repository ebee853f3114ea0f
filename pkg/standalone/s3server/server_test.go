package s3server_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("DOCSVC_TEST_S3_CHILD"); dir != "" {
		serveChild(dir)
	}
	// The same random values every time, unless flags say otherwise.
	for name, value := range map[string]string{"rapid.seed": "5", "rapid.nofailfile": "true"} {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

const (
	accessKey = "AKIDTEST"
	secretKey = "a secret/with+signs"
	bucket    = "docs"
)

// fixture is a running server and what tests need to talk to it.
type fixture struct {
	*s3server.Server
	t         *testing.T
	dir       string
	transport *http.Transport
	client    *minio.Client
	core      *minio.Core
	plain     *http.Client
}

func start(t *testing.T) *fixture { return startIn(t, t.TempDir()) }

func startIn(t *testing.T, dir string) *fixture {
	t.Helper()
	s, err := s3server.Start(context.Background(), s3server.Options{
		AccessKey: accessKey, SecretKey: secretKey, Addr: "127.0.0.1:0", Buckets: []string{bucket}, Dir: dir,
		Log: zerolog.New(zerolog.NewTestWriter(t)),
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{Server: s, t: t, dir: dir, transport: &http.Transport{}}
	f.client = f.newClient(minio.Options{})
	f.core = &minio.Core{Client: f.client}
	f.plain = &http.Client{Transport: f.transport}
	t.Cleanup(func() {
		f.transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Errorf("stopping: %v", err)
		}
	})
	return f
}

func (f *fixture) newClient(o minio.Options) *minio.Client {
	f.t.Helper()
	o.Region, o.BucketLookup, o.MaxRetries = "us-east-1", minio.BucketLookupPath, 1
	if o.Creds == nil {
		o.Creds = credentials.NewStaticV4(accessKey, secretKey, "")
	}
	if o.Transport == nil {
		o.Transport = f.transport
	}
	c, err := minio.New(strings.TrimPrefix(f.Endpoint, "http://"), &o)
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

func (f *fixture) put(key string, body []byte, o minio.PutObjectOptions) minio.UploadInfo {
	f.t.Helper()
	u, err := f.client.PutObject(context.Background(), bucket, key, bytes.NewReader(body), int64(len(body)), o)
	if err != nil {
		f.t.Fatalf("putting %q: %v", key, err)
	}
	return u
}

// want fails unless the object has that content.
func (f *fixture) want(key string, body []byte) {
	f.t.Helper()
	o, err := f.client.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	got, err := io.ReadAll(o)
	if err != nil {
		f.t.Fatalf("getting %q: %v", key, err)
	}
	if !bytes.Equal(got, body) {
		f.t.Fatalf("%q has %d bytes, not the %d put", key, len(got), len(body))
	}
}

// absent fails if the object exists.
func (f *fixture) absent(key string) {
	f.t.Helper()
	_, err := f.client.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{})
	if code := minio.ToErrorResponse(err).Code; code != "NoSuchKey" {
		f.t.Fatalf("stat of %q: %v, want NoSuchKey", key, err)
	}
}

// noLeftovers fails if a file is left in the directories for unfinished work.
func (f *fixture) noLeftovers() {
	f.t.Helper()
	for _, d := range []string{"tmp", "uploads"} {
		entries, err := os.ReadDir(f.dir + "/" + d)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, e := range entries {
			f.t.Errorf("%s/%s is left", d, e.Name())
		}
	}
}

func (f *fixture) presign(method, key string, expires time.Duration, query url.Values, h http.Header) string {
	f.t.Helper()
	u, err := f.client.PresignHeader(context.Background(), method, bucket, key, expires, query, h)
	if err != nil {
		f.t.Fatal(err)
	}
	return u.String()
}

// do sends a request and returns the answer and its body.
func (f *fixture) do(method, url string, body io.Reader, h http.Header) (*http.Response, string) {
	f.t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range h {
		r.Header[k] = v
	}
	if n := h.Get("Content-Length"); n != "" {
		r.Header.Del("Content-Length")
	}
	resp, err := f.plain.Do(r)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatalf("%s %s: %v", method, url, err)
	}
	return resp, string(text)
}

func (f *fixture) wantStatus(what string, resp *http.Response, body string, status int) {
	f.t.Helper()
	if resp.StatusCode != status {
		f.t.Fatalf("%s: %d, want %d: %s", what, resp.StatusCode, status, body)
	}
}

func random(t *testing.T, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}
