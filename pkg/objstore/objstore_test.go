package objstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, srv *s3test.Server, change func(*objstore.Config)) *objstore.Store {
	t.Helper()
	c := srv.StoreConfig(t)
	if change != nil {
		change(&c)
	}
	s, err := objstore.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *objstore.Store, key, body string) objstore.Object {
	t.Helper()
	o, err := s.Put(t.Context(), key, strings.NewReader(body), int64(len(body)), objstore.PutOptions{ContentType: "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func read(s *objstore.Store, key string, o objstore.GetOptions) (string, error) {
	body, _, err := s.Get(context.Background(), key, o)
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	b, err := io.ReadAll(body)
	return string(b), err
}

func TestOpenRefusesBadConfig(t *testing.T) {
	t.Parallel()
	good := objstore.Config{Endpoint: "http://127.0.0.1:9", Bucket: "docs", Credentials: credentials.NewStaticV4("a", "very-secret", "")}
	for name, change := range map[string]func(*objstore.Config){
		"no endpoint":          func(c *objstore.Config) { c.Endpoint = "" },
		"no scheme":            func(c *objstore.Config) { c.Endpoint = "127.0.0.1:9" },
		"other scheme":         func(c *objstore.Config) { c.Endpoint = "ftp://127.0.0.1" },
		"password in endpoint": func(c *objstore.Config) { c.Endpoint = "http://user:very-secret@127.0.0.1:9" },
		"path":                 func(c *objstore.Config) { c.Endpoint = "http://127.0.0.1:9/docs" },
		"public endpoint":      func(c *objstore.Config) { c.PublicEndpoint = "https://" },
		"no bucket":            func(c *objstore.Config) { c.Bucket = "" },
		"bucket":               func(c *objstore.Config) { c.Bucket = "No Bucket" },
		"no credentials":       func(c *objstore.Config) { c.Credentials = nil },
		"prefix":               func(c *objstore.Config) { c.Prefix = "a/../b" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := good
			change(&c)
			if _, err := objstore.Open(c); err == nil || strings.Contains(err.Error(), "very-secret") {
				t.Fatalf("got %v", err)
			}
		})
	}
	if _, err := objstore.Open(good); err != nil {
		t.Fatal(err)
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	for _, prefix := range []string{"", "some/prefix"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			t.Parallel()
			s := open(t, srv, func(c *objstore.Config) { c.Prefix = prefix })
			written := put(t, s, "a/one", "hello")
			got, err := s.Stat(t.Context(), "a/one")
			if err != nil || got.Size != 5 || got.ETag == "" || got.ETag != written.ETag || got.ContentType != "text/plain" || got.Key != "a/one" {
				t.Fatalf("%+v, %v", got, err)
			}
			for want, o := range map[string]objstore.GetOptions{
				"hello": {}, "ell": {Offset: 1, Length: 3}, "lo": {Offset: 3}, "": {Offset: 5},
			} {
				o.ETag = got.ETag
				if text, err := read(s, "a/one", o); err != nil || text != want {
					t.Errorf("%+v: %q, %v", o, text, err)
				}
			}
			if err := s.Copy(t.Context(), "a/one", "a/two", objstore.GetOptions{}); err != nil {
				t.Fatal(err)
			}
			if text, err := read(s, "a/two", objstore.GetOptions{}); err != nil || text != "hello" {
				t.Fatalf("%q, %v", text, err)
			}
			if failed := s.Delete(t.Context(), "a/one"); len(failed) > 0 {
				t.Fatal(failed)
			}
			for name, err := range map[string]error{
				"stat": second(s.Stat(t.Context(), "a/one")), "get": second(read(s, "a/one", objstore.GetOptions{})),
				"copy": s.Copy(t.Context(), "a/one", "a/three", objstore.GetOptions{}),
			} {
				if !errors.Is(err, objstore.ErrNotFound) || errors.Is(err, objstore.ErrUnavailable) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if failed := s.Delete(t.Context(), "a/one", "never/there", "a/two"); len(failed) > 0 {
				t.Fatal(failed)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestEmptyObject(t *testing.T) {
	t.Parallel()
	s := open(t, s3test.Start(t), nil)
	for i := range 20 { // on one kept connection, where an unread rest would break the next request
		put(t, s, fmt.Sprintf("empty/%d", i), "")
	}
	if text, err := read(s, "empty/0", objstore.GetOptions{}); err != nil || text != "" {
		t.Fatalf("%q, %v", text, err)
	}
	if o, err := s.Stat(t.Context(), "empty/19"); err != nil || o.Size != 0 {
		t.Fatalf("%+v, %v", o, err)
	}
}

func TestPutDoesNotCloseAndMayBeginInTheMiddle(t *testing.T) {
	t.Parallel()
	s := open(t, s3test.Start(t), nil)
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("0123456789"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(4, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "part", f, 6, objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatalf("the file had been closed: %v", err)
	}
	if text, err := read(s, "part", objstore.GetOptions{}); err != nil || text != "456789" {
		t.Fatalf("%q, %v", text, err)
	}
	// A reader that can't seek is taken, too.
	if _, err := s.Put(t.Context(), "stream", io.MultiReader(strings.NewReader("ab"), strings.NewReader("cd")), 4, objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// closer is a reader that can seek and that nobody may close.
type closer struct {
	io.ReadSeeker
	t *testing.T
}

func (c closer) Close() error {
	c.t.Error("closed")
	return nil
}

func TestPutDoesNotCloseWhatItWasGiven(t *testing.T) {
	t.Parallel()
	s := open(t, s3test.Start(t), nil)
	body := closer{struct{ io.ReadSeeker }{strings.NewReader("hello")}, t}
	if _, err := s.Put(t.Context(), "doc", body, 5, objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

// Some servers leave the end of a chunked empty body unread, and then take it
// for the beginning of the connection's next request.
func TestEmptyObjectIsNotSentInChunks(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	transport := srv.Transport(t)
	var sums []string
	s := open(t, srv, func(c *objstore.Config) {
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			sums = append(sums, r.Header.Get("X-Amz-Content-Sha256"))
			return transport.RoundTrip(r)
		})
	})
	put(t, s, "empty", "")
	if len(sums) != 1 || strings.HasPrefix(sums[0], "STREAMING") {
		t.Errorf("sent with %q", sums)
	}
}

// A store that takes no notice of If-Match.
func TestChangedObjectIsSeenByItsETag(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	transport := srv.Transport(t)
	s := open(t, srv, func(c *objstore.Config) {
		c.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			resp, err := transport.RoundTrip(r)
			if err == nil && r.Method == http.MethodGet {
				resp.Header.Set("ETag", `"another"`)
			}
			return resp, err
		})
	})
	o := put(t, s, "doc", "text")
	if _, err := read(s, "doc", objstore.GetOptions{ETag: o.ETag}); !errors.Is(err, objstore.ErrChanged) {
		t.Fatalf("got %v", err)
	}
}

func TestChangedObject(t *testing.T) {
	t.Parallel()
	s := open(t, s3test.Start(t), nil)
	first := put(t, s, "doc", "first")
	second := put(t, s, "doc", "second")
	if _, err := read(s, "doc", objstore.GetOptions{ETag: first.ETag}); !errors.Is(err, objstore.ErrChanged) {
		t.Fatalf("got %v", err)
	}
	if err := s.Copy(t.Context(), "doc", "kept", objstore.GetOptions{ETag: first.ETag}); !errors.Is(err, objstore.ErrChanged) {
		t.Errorf("copied another object than was asked for: %v", err)
	}
	if err := s.Copy(t.Context(), "doc", "kept", objstore.GetOptions{ETag: second.ETag}); err != nil {
		t.Error(err)
	}
}

func TestListStopsEarly(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, func(c *objstore.Config) { c.Prefix = "inner" })
	put(t, open(t, srv, nil), "inner2/other", "x")
	for i := range 12 {
		put(t, s, fmt.Sprintf("p/%02d", i), "x")
	}
	var all []string
	for o, err := range s.List(t.Context(), "p/", "") {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o.Key)
	}
	if len(all) != 12 || all[0] != "p/00" || all[11] != "p/11" {
		t.Fatalf("%q", all)
	}
	var some []string
	for o, err := range s.List(t.Context(), "p/", "p/03") {
		if err != nil {
			t.Fatal(err)
		}
		if some = append(some, o.Key); len(some) == 2 {
			break // goleak sees what that leaves behind
		}
	}
	if strings.Join(some, " ") != "p/04 p/05" {
		t.Fatalf("%q", some)
	}
}

func TestDeleteSaysWhatIsLeft(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	var keys []string
	for i := range 1005 {
		keys = append(keys, fmt.Sprintf("many/%04d", i))
	}
	put(t, s, keys[0], "x")
	put(t, s, keys[1004], "x")
	if failed := s.Delete(t.Context(), keys...); len(failed) > 0 {
		t.Fatalf("%d failed", len(failed))
	}
	for o := range s.List(t.Context(), "many/", "") {
		t.Errorf("%s is left", o.Key)
	}
	srv.Fail(func(r *http.Request) *s3test.Fault {
		return &s3test.Fault{Status: http.StatusForbidden, Code: "AccessDenied"}
	})
	failed := s.Delete(t.Context(), keys...)
	if len(failed) != len(keys) || !errors.Is(failed[keys[1004]], objstore.ErrDenied) {
		t.Fatalf("%d failed, the last with %v", len(failed), failed[keys[1004]])
	}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	if err := s.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for o := range s.List(t.Context(), "", "") {
		t.Errorf("the probe left %s", o.Key)
	}
	// A public endpoint that does not reach the store.
	bad := open(t, srv, func(c *objstore.Config) { c.PublicEndpoint = "http://127.0.0.1:1" })
	err := bad.Probe(t.Context())
	if !errors.Is(err, objstore.ErrUnavailable) || !strings.Contains(err.Error(), "presigned") || strings.Contains(err.Error(), "X-Amz-Signature") {
		t.Fatalf("got %v", err)
	}
	for o := range s.List(t.Context(), "", "") {
		t.Errorf("the failed probe left %s", o.Key)
	}
}

func TestLargeObjectGoesUpInParts(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	body := bytes.Repeat([]byte("0123456789abcdef"), 70<<16)
	if _, err := s.Put(t.Context(), "large", bytes.NewReader(body), int64(len(body)), objstore.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	got, _, err := s.Get(t.Context(), "large", objstore.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, got); err != nil {
		t.Fatal(err)
	}
	if want := sha256.Sum256(body); !bytes.Equal(sum.Sum(nil), want[:]) {
		t.Fatal("other bytes came back")
	}
}
