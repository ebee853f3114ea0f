package objstore_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/s3test"
)

func TestPresign(t *testing.T) {
	t.Parallel()
	srv := s3test.Start(t)
	s := open(t, srv, nil)
	client := &http.Client{Transport: srv.Transport(t)}
	send := func(p *objstore.Presigned, body string, headers map[string]string) int {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range headers {
			req.Header.Set(name, value)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		return resp.StatusCode
	}
	t.Run("plain takes any headers", func(t *testing.T) {
		before := time.Now().Truncate(time.Second)
		p, err := s.PresignPut(t.Context(), "plain", objstore.PresignOptions{Expires: time.Hour, ContentType: "application/pdf", Size: 3})
		if err != nil || p.Headers != nil || p.Method != http.MethodPut {
			t.Fatalf("%+v, %v", p, err)
		}
		if p.ExpiresAt.Before(before.Add(time.Hour)) || p.ExpiresAt.After(time.Now().Add(time.Hour)) {
			t.Errorf("expires at %v", p.ExpiresAt)
		}
		if code := send(p, "hello", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
	})
	t.Run("signed with checksum", func(t *testing.T) {
		sum := sha256.Sum256([]byte("hello"))
		p, err := s.PresignPut(t.Context(), "signed", objstore.PresignOptions{Expires: time.Hour, ContentType: "text/plain", Size: 5,
			SHA256Hex: hex.EncodeToString(sum[:]), ContentDisposition: objstore.Disposition("a.txt")})
		if err != nil {
			t.Fatal(err)
		}
		if code := send(p, "jello", p.Headers); code != http.StatusBadRequest {
			t.Errorf("other bytes: status %d", code)
		}
		if code := send(p, "hello", map[string]string{"Content-Type": "text/html"}); code != http.StatusForbidden {
			t.Errorf("other headers: status %d", code)
		}
		if code := send(p, "hello", p.Headers); code != http.StatusOK {
			t.Fatalf("status %d", code)
		}
		if _, err := s.PresignPut(t.Context(), "signed", objstore.PresignOptions{Expires: time.Hour, SHA256Hex: "abc"}); err == nil {
			t.Error("a short sha256 was taken")
		}
	})
	t.Run("get", func(t *testing.T) {
		u, err := s.PresignGet(t.Context(), "plain", time.Minute, "año \"1\".pdf", "application/pdf")
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(u)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		if string(body) != "hello" || resp.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("%q %v", body, resp.Header)
		}
	})
}

// The public endpoint is where nothing can be reached from here: signing must
// not try to.
func TestPresignIsOfflineAndForThePublicHost(t *testing.T) {
	t.Parallel()
	refuse := roundTripper(func(*http.Request) (*http.Response, error) { return nil, errors.New("network was used") })
	s, err := objstore.Open(objstore.Config{Endpoint: "http://internal.invalid:9000", PublicEndpoint: "https://files.example.org", Bucket: "docs",
		PathStyle: true, Credentials: credentials.NewStaticV4("a", "b", ""), Transport: refuse})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.PresignPut(t.Context(), "k", objstore.PresignOptions{Expires: time.Minute})
	if err != nil || !strings.HasPrefix(p.URL, "https://files.example.org/docs/k?") {
		t.Fatalf("%+v, %v", p, err)
	}
	if u, err := s.PresignGet(t.Context(), "k", time.Minute, "", ""); err != nil || !strings.HasPrefix(u, "https://files.example.org/docs/k?") {
		t.Fatalf("%q, %v", u, err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, objstore.ErrUnavailable) {
		t.Errorf("ping: %v", err)
	}
}

func TestDisposition(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"manual.pdf":          `attachment; filename=manual.pdf`,
		"a b.pdf":             `attachment; filename="a b.pdf"`,
		"relatório \"x\".pdf": `attachment; filename="relat_rio _x_.pdf"; filename*=UTF-8''relat%C3%B3rio%20%22x%22.pdf`,
		"line\r\nbreak":       `attachment; filename=line__break; filename*=UTF-8''line%0D%0Abreak`,
	} {
		if got := objstore.Disposition(name); got != want {
			t.Errorf("%q: %s", name, got)
		}
		if _, err := url.QueryUnescape(objstore.Disposition(name)); err != nil {
			t.Error(err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
