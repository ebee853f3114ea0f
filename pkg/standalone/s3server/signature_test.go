package s3server_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/signer"
)

func TestHeaderSignatures(t *testing.T) {
	t.Parallel()
	f := start(t)
	for name, c := range map[string]*credentials.Credentials{
		"wrong secret": credentials.NewStaticV4(accessKey, "another", ""),
		"unknown key":  credentials.NewStaticV4("AKIDOTHER", secretKey, ""),
		"anonymous":    credentials.NewStaticV4("", "", ""),
	} {
		other := f.newClient(minio.Options{Creds: c})
		_, err := other.PutObject(context.Background(), bucket, "k", strings.NewReader("x"), 1, minio.PutObjectOptions{})
		if got := minio.ToErrorResponse(err).StatusCode; got != http.StatusForbidden {
			t.Errorf("%s: %v, want 403", name, err)
		}
	}
	f.absent("k")
	f.put("k", []byte("x"), minio.PutObjectOptions{})
	f.want("k", []byte("x"))
}

// signed returns a request signed in its headers, as it would be sent.
func (f *fixture) signed(method, path string, body []byte, h http.Header) *http.Request {
	f.t.Helper()
	r, err := http.NewRequest(method, f.Endpoint+path, bytes.NewReader(body))
	if err != nil {
		f.t.Fatal(err)
	}
	for k, v := range h {
		r.Header[k] = v
	}
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	return signer.SignV4(*r, accessKey, secretKey, "", "us-east-1")
}

func (f *fixture) send(r *http.Request) int {
	f.t.Helper()
	resp, err := f.plain.Do(r)
	if err != nil {
		f.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

func TestTamperedRequests(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.put("victim", []byte("secret"), minio.PutObjectOptions{})
	typed := http.Header{"Content-Type": {"text/plain"}}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"untouched":    {func(*http.Request) {}, http.StatusOK},
		"other method": {func(r *http.Request) { r.Method = http.MethodDelete }, http.StatusForbidden},
		"other key":    {func(r *http.Request) { r.URL.Path += "2" }, http.StatusForbidden},
		"other query":  {func(r *http.Request) { r.URL.RawQuery = "tagging" }, http.StatusForbidden},
		"other type":   {func(r *http.Request) { r.Header.Set("Content-Type", "text/html") }, http.StatusForbidden},
		"old": {func(r *http.Request) {
			r.Header.Set("X-Amz-Date", time.Now().Add(-time.Hour).UTC().Format("20060102T150405Z"))
		}, http.StatusForbidden},
		"unsigned copy source": {func(r *http.Request) { r.Header.Set("X-Amz-Copy-Source", "/"+bucket+"/victim") }, http.StatusForbidden},
		"other content": {func(r *http.Request) {
			r.Body = http.NoBody
			r.ContentLength = 0
		}, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			key := "tampered-" + strings.ReplaceAll(name, " ", "-")
			r := f.signed(http.MethodPut, "/"+bucket+"/"+key, []byte("content"), typed)
			tc.change(r)
			if got := f.send(r); got != tc.status {
				t.Fatalf("%d, want %d", got, tc.status)
			}
			if tc.status != http.StatusOK {
				f.absent(key)
			}
		})
	}
}

func TestPresigned(t *testing.T) {
	t.Parallel()
	f := start(t)
	ok := f.presign(http.MethodPut, "p", time.Hour, nil, nil)
	set := func(u string, change func(url.Values)) string {
		parsed, err := url.Parse(u)
		if err != nil {
			t.Fatal(err)
		}
		q := parsed.Query()
		change(q)
		parsed.RawQuery = q.Encode()
		return parsed.String()
	}
	for name, tc := range map[string]struct {
		method, url string
		header      http.Header
		status      int
	}{
		"as signed":        {http.MethodPut, ok, nil, http.StatusOK},
		"other method":     {http.MethodGet, ok, nil, http.StatusForbidden},
		"other key":        {http.MethodPut, strings.Replace(ok, "/p?", "/q?", 1), nil, http.StatusForbidden},
		"bad signature":    {http.MethodPut, set(ok, func(q url.Values) { q.Set("X-Amz-Signature", strings.Repeat("0", 64)) }), nil, http.StatusForbidden},
		"no signature":     {http.MethodPut, f.Endpoint + "/" + bucket + "/p", nil, http.StatusForbidden},
		"longer validity":  {http.MethodPut, set(ok, func(q url.Values) { q.Set("X-Amz-Expires", "7200") }), nil, http.StatusForbidden},
		"unsigned x-amz":   {http.MethodPut, ok, http.Header{"X-Amz-Meta-A": {"b"}}, http.StatusForbidden},
		"unsigned copy":    {http.MethodPut, ok, http.Header{"X-Amz-Copy-Source": {"/docs/p"}}, http.StatusForbidden},
		"any content type": {http.MethodPut, ok, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, http.StatusOK},
	} {
		resp, body := f.do(tc.method, tc.url, strings.NewReader("hello"), tc.header)
		f.wantStatus(name, resp, body, tc.status)
	}
	f.want("p", []byte("hello"))
	f.absent("q")
}

func TestPresignedExpires(t *testing.T) {
	t.Parallel()
	f := start(t)
	// Signed an hour ago for a minute: minio-go only signs for now.
	r, err := http.NewRequest(http.MethodGet, f.Endpoint+"/"+bucket+"/p", nil)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour).UTC()
	signed := presignAt(*r, past, time.Minute)
	resp, body := f.do(http.MethodGet, signed, nil, nil)
	f.wantStatus("expired", resp, body, http.StatusForbidden)
	if !strings.Contains(body, "expired") {
		t.Fatalf("the answer does not say that it expired: %s", body)
	}
	resp, body = f.do(http.MethodGet, presignAt(*r, past, 2*time.Hour), nil, nil)
	f.wantStatus("still valid", resp, body, http.StatusNotFound)
}

func TestSignedHeadersOfPresigned(t *testing.T) {
	t.Parallel()
	f := start(t)
	content := []byte("twelve bytes")
	sum := sha256.Sum256(content)
	h := http.Header{
		"Content-Type":          {"application/pdf"},
		"Content-Length":        {strconv.Itoa(len(content))},
		"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(sum[:])},
	}
	u := f.presign(http.MethodPut, "s", time.Hour, nil, h)
	changed := func(name, value string) http.Header {
		c := h.Clone()
		c.Set(name, value)
		return c
	}
	other := sha256.Sum256([]byte("other"))
	for name, tc := range map[string]struct {
		body   string
		header http.Header
		status int
	}{
		"other type":        {"twelve bytes", changed("Content-Type", "text/html"), http.StatusForbidden},
		"other length":      {"more than twelve", h, http.StatusForbidden},
		"other checksum":    {"twelve bytes", changed("X-Amz-Checksum-Sha256", base64.StdEncoding.EncodeToString(other[:])), http.StatusForbidden},
		"other bytes":       {"Twelve bytes", h, http.StatusBadRequest},
		"checksum left out": {"twelve bytes", http.Header{"Content-Type": {"application/pdf"}}, http.StatusForbidden},
	} {
		resp, body := f.do(http.MethodPut, u, strings.NewReader(tc.body), tc.header)
		f.wantStatus(name, resp, body, tc.status)
		f.absent("s")
	}
	resp, body := f.do(http.MethodPut, u, bytes.NewReader(content), h)
	f.wantStatus("exactly as signed", resp, body, http.StatusOK)
	f.want("s", content)
	st, err := f.client.StatObject(context.Background(), bucket, "s", minio.StatObjectOptions{Checksum: true})
	if err != nil || st.ContentType != "application/pdf" || st.ChecksumSHA256 != h.Get("X-Amz-Checksum-Sha256") {
		t.Fatalf("stored as %q, checksum %q, %v", st.ContentType, st.ChecksumSHA256, err)
	}
	f.noLeftovers()
}

func TestContentMD5(t *testing.T) {
	t.Parallel()
	f := start(t)
	sum := md5.Sum([]byte("content"))
	right := base64.StdEncoding.EncodeToString(sum[:])
	for name, tc := range map[string]struct {
		md5    string
		body   string
		status int
	}{
		"right": {right, "content", http.StatusOK},
		"wrong": {right, "Content", http.StatusBadRequest},
		"junk":  {"junk", "content", http.StatusBadRequest},
	} {
		u := f.presign(http.MethodPut, "md5-"+name, time.Hour, nil, nil)
		resp, body := f.do(http.MethodPut, u, strings.NewReader(tc.body), http.Header{"Content-Md5": {tc.md5}})
		f.wantStatus(name, resp, body, tc.status)
		if tc.status != http.StatusOK {
			f.absent("md5-" + name)
		}
	}
	f.noLeftovers()
}
