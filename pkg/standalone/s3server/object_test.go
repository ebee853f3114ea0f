package s3server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

func TestMetadata(t *testing.T) {
	t.Parallel()
	f := start(t)
	before := time.Now().Add(-2 * time.Second)
	put := f.put("m", []byte("body"), minio.PutObjectOptions{
		ContentType: "application/pdf", ContentDisposition: `attachment; filename="a b.pdf"`,
		UserMetadata: map[string]string{"origin": "scanner"},
	})
	if put.ETag != "841a2d689ad86bd1611447453c22c6fc" {
		t.Fatalf("ETag %s is not the MD5", put.ETag)
	}
	st, err := f.client.StatObject(context.Background(), bucket, "m", minio.StatObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if st.ContentType != "application/pdf" || st.Metadata.Get("Content-Disposition") != `attachment; filename="a b.pdf"` ||
		st.UserMetadata["Origin"]+st.UserMetadata["origin"] != "scanner" || st.ETag != put.ETag || st.Size != 4 || st.LastModified.Before(before) {
		t.Fatalf("stat: %+v", st)
	}
	u := f.presign(http.MethodPut, "untyped", time.Hour, nil, nil)
	resp, body := f.do(http.MethodPut, u, strings.NewReader("<html>"), nil)
	f.wantStatus("put", resp, body, http.StatusOK)
	resp, body = f.do(http.MethodGet, f.presign(http.MethodGet, "untyped", time.Hour, nil, nil), nil, nil)
	f.wantStatus("get", resp, body, http.StatusOK)
	if got := resp.Header.Get("Content-Type"); got != "binary/octet-stream" {
		t.Fatalf("an object without a type is answered as %q", got)
	}
}

func TestPresignedGetOverrides(t *testing.T) {
	t.Parallel()
	f := start(t)
	f.put("o", []byte("body"), minio.PutObjectOptions{ContentType: "application/octet-stream"})
	q := url.Values{
		"response-content-disposition": {`attachment; filename="Relatório final (2).pdf"; filename*=UTF-8''Relat%C3%B3rio.pdf`},
		"response-content-type":        {"application/pdf"},
	}
	resp, body := f.do(http.MethodGet, f.presign(http.MethodGet, "o", time.Hour, q, nil), nil, nil)
	f.wantStatus("get", resp, body, http.StatusOK)
	if resp.Header.Get("Content-Disposition") != q.Get("response-content-disposition") || resp.Header.Get("Content-Type") != "application/pdf" || body != "body" {
		t.Fatalf("headers %v, body %q", resp.Header, body)
	}
	u := f.presign(http.MethodGet, "o", time.Hour, nil, nil) + "&response-content-type=text%2Fhtml"
	resp, body = f.do(http.MethodGet, u, nil, nil)
	f.wantStatus("unsigned override", resp, body, http.StatusForbidden)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	f := start(t)
	content := random(t, 300_000)
	f.put("r", content, minio.PutObjectOptions{})
	for _, tc := range []struct {
		header     string
		from, to   int // content[from:to]
		status     int
		rangeValue string
	}{
		{"bytes=0-0", 0, 1, 206, "bytes 0-0/300000"},
		{"bytes=100000-199999", 100000, 200000, 206, "bytes 100000-199999/300000"},
		{"bytes=299990-", 299990, 300000, 206, "bytes 299990-299999/300000"},
		{"bytes=-5", 299995, 300000, 206, "bytes 299995-299999/300000"},
		{"bytes=-999999", 0, 300000, 206, "bytes 0-299999/300000"},
		{"bytes=299999-400000", 299999, 300000, 206, "bytes 299999-299999/300000"},
		{"bytes=300000-", 0, 0, 416, ""},
		{"", 0, 300000, 200, ""},
	} {
		h := http.Header{}
		if tc.header != "" {
			h.Set("Range", tc.header)
		}
		resp, body := f.do(http.MethodGet, f.presign(http.MethodGet, "r", time.Hour, nil, nil), nil, h)
		f.wantStatus(tc.header, resp, body[:min(len(body), 200)], tc.status)
		if tc.status == 416 {
			continue
		}
		if body != string(content[tc.from:tc.to]) || resp.Header.Get("Content-Range") != tc.rangeValue {
			t.Errorf("%s: %d bytes, %q", tc.header, len(body), resp.Header.Get("Content-Range"))
		}
	}
	f.put("empty", nil, minio.PutObjectOptions{})
	f.want("empty", nil)
}

func TestConditionalReads(t *testing.T) {
	t.Parallel()
	f := start(t)
	etag := f.put("c", []byte("body"), minio.PutObjectOptions{}).ETag
	u := f.presign(http.MethodGet, "c", time.Hour, nil, nil)
	for name, tc := range map[string]struct {
		header http.Header
		status int
	}{
		"same etag":            {http.Header{"If-Match": {`"` + etag + `"`}}, 200},
		"other etag":           {http.Header{"If-Match": {`"0123"`}}, 412},
		"none match same":      {http.Header{"If-None-Match": {`"` + etag + `"`}}, 304},
		"none match other":     {http.Header{"If-None-Match": {`"0123"`}}, 200},
		"not modified since":   {http.Header{"If-Modified-Since": {time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)}}, 304},
		"modified since":       {http.Header{"If-Modified-Since": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}, 200},
		"unmodified since old": {http.Header{"If-Unmodified-Since": {time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)}}, 412},
	} {
		resp, body := f.do(http.MethodGet, u, nil, tc.header)
		f.wantStatus(name, resp, body, tc.status)
	}
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	f := start(t)
	put := func(key, body string, set func(*minio.PutObjectOptions)) error {
		var o minio.PutObjectOptions
		set(&o)
		_, err := f.client.PutObject(context.Background(), bucket, key, strings.NewReader(body), int64(len(body)), o)
		return err
	}
	code := func(err error) int { return minio.ToErrorResponse(err).StatusCode }
	if err := put("w", "1", func(o *minio.PutObjectOptions) { o.SetMatchETag("0123") }); code(err) != http.StatusNotFound {
		t.Fatalf("If-Match on nothing: %v", err)
	}
	if err := put("w", "1", func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") }); err != nil {
		t.Fatal(err)
	}
	if err := put("w", "2", func(o *minio.PutObjectOptions) { o.SetMatchETagExcept("*") }); code(err) != http.StatusPreconditionFailed {
		t.Fatalf("If-None-Match * on something: %v", err)
	}
	if err := put("w", "2", func(o *minio.PutObjectOptions) { o.SetMatchETag("0123") }); code(err) != http.StatusPreconditionFailed {
		t.Fatalf("If-Match on another: %v", err)
	}
	f.want("w", []byte("1"))
	etag := f.put("w", []byte("1"), minio.PutObjectOptions{}).ETag
	if err := put("w", "3", func(o *minio.PutObjectOptions) { o.SetMatchETag(etag) }); err != nil {
		t.Fatal(err)
	}
	f.want("w", []byte("3"))
	f.noLeftovers()
}

// Of many writers that all want to be first, one is.
func TestConditionalWritesAtOnce(t *testing.T) {
	t.Parallel()
	f := start(t)
	const writers = 16
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			var o minio.PutObjectOptions
			o.SetMatchETagExcept("*")
			body := fmt.Sprintf("writer %02d", i)
			_, errs[i] = f.client.PutObject(context.Background(), bucket, "dir/first", strings.NewReader(body), int64(len(body)), o)
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil:
			t.Fatalf("writers %d and %d both were first", won, i)
		case minio.ToErrorResponse(err).StatusCode != http.StatusPreconditionFailed:
			t.Fatal(err)
		}
	}
	if won < 0 {
		t.Fatal("nobody was first")
	}
	f.want("dir/first", fmt.Appendf(nil, "writer %02d", won))
}

func TestOverwriteCopyDelete(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	content := random(t, 2<<20)
	f.put("a/src", content, minio.PutObjectOptions{ContentType: "application/pdf", UserMetadata: map[string]string{"k": "v"}})
	_, err := f.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "b/dst"}, minio.CopySrcOptions{Bucket: bucket, Object: "a/src"})
	if err != nil {
		t.Fatal(err)
	}
	f.put("a/src", []byte("changed"), minio.PutObjectOptions{})
	f.want("a/src", []byte("changed"))
	f.want("b/dst", content)
	st, err := f.client.StatObject(ctx, bucket, "b/dst", minio.StatObjectOptions{})
	if err != nil || st.ContentType != "application/pdf" || st.UserMetadata["K"]+st.UserMetadata["k"] != "v" {
		t.Fatalf("the copy's metadata: %+v, %v", st, err)
	}
	_, err = f.client.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "x"}, minio.CopySrcOptions{Bucket: bucket, Object: "missing"})
	if minio.ToErrorResponse(err).Code != "NoSuchKey" {
		t.Fatalf("copying nothing: %v", err)
	}
	for range 2 {
		if err := f.client.RemoveObject(ctx, bucket, "a/src", minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	f.absent("a/src")
	f.want("b/dst", content)
	f.noLeftovers()
}

func TestBatchDelete(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	for i := range 30 {
		f.put(fmt.Sprintf("del/%d/x", i), []byte("x"), minio.PutObjectOptions{})
	}
	f.put("del/keep", []byte("x"), minio.PutObjectOptions{})
	objects := make(chan minio.ObjectInfo, 31)
	for i := range 31 { // one of them does not exist
		objects <- minio.ObjectInfo{Key: fmt.Sprintf("del/%d/x", i)}
	}
	close(objects)
	for e := range f.client.RemoveObjects(ctx, bucket, objects, minio.RemoveObjectsOptions{}) {
		t.Errorf("%s: %v", e.ObjectName, e.Err)
	}
	var left []string
	for o := range f.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		left = append(left, o.Key)
	}
	if len(left) != 1 || left[0] != "del/keep" {
		t.Fatalf("left: %v", left)
	}
}

// Writers and deleters in the same directories, which come and go all the time,
// do not get into each other's way.
func TestWritersAndDeleters(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range 40 {
				key := fmt.Sprintf("a/b%d/c/%d", i%3, g)
				body := fmt.Sprintf("%d of %d", i, g)
				if _, err := f.client.PutObject(ctx, bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
					t.Errorf("putting %s: %v", key, err)
					return
				}
				if st, err := f.client.StatObject(ctx, bucket, key, minio.StatObjectOptions{}); err != nil || st.Size != int64(len(body)) {
					t.Errorf("%s is not there: %v", key, err)
				}
				if err := f.client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{}); err != nil {
					t.Errorf("removing %s: %v", key, err)
				}
			}
		})
	}
	wg.Wait()
	for o := range f.client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		t.Errorf("left: %s, %v", o.Key, o.Err)
	}
	f.noLeftovers()
}

// Keys that a file system would not take, or would take for one another.
func TestKeys(t *testing.T) {
	t.Parallel()
	f := start(t)
	keys := []string{
		"x", "x/y", "x/y/z", "x/", "x//y", "A", "a", "é", "e\u0301", "日本/語", "with space", "plus+plus", "per%20cent", "%2f",
		"..", "../up", "a/../b", "./dot", "a/.", "o", "d", "c", "\"quoted\"", "tilde~!*'()", "semi;colon=&?#", "tab\ttab",
		strings.Repeat("k", 1024), strings.Repeat("/", 300) + "k", strings.Repeat("É", 512), strings.Repeat("p", 80), strings.Repeat("p", 80) + "/q", strings.Repeat("p", 81),
	}
	for _, k := range keys {
		f.put(k, []byte("content of "+k), minio.PutObjectOptions{})
	}
	for _, k := range keys {
		f.want(k, []byte("content of "+k))
	}
	seen := map[string]bool{}
	last := ""
	for o := range f.client.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Recursive: true, MaxKeys: 7}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
		if o.Key <= last {
			t.Fatalf("%q listed after %q", o.Key, last)
		}
		seen[o.Key], last = true, o.Key
	}
	for _, k := range keys {
		if !seen[k] {
			t.Errorf("%q is not listed", k)
		}
	}
	if len(seen) != len(keys) {
		t.Errorf("%d keys listed, %d put", len(seen), len(keys))
	}
	for _, k := range keys {
		if err := f.client.RemoveObject(context.Background(), bucket, k, minio.RemoveObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := http.NewRequest(http.MethodPut, f.Endpoint+"/"+bucket+"/"+strings.Repeat("k", 1025), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, body := f.do(http.MethodPut, presignAt(*r, time.Now().UTC(), time.Hour), strings.NewReader("x"), nil)
	f.wantStatus("a key of 1025 bytes", resp, body, http.StatusBadRequest)
}

// The client goes away in the middle: nothing of it stays.
func TestTruncatedUpload(t *testing.T) {
	t.Parallel()
	f := start(t)
	u := f.presign(http.MethodPut, "cut", time.Hour, nil, nil)
	r, err := http.NewRequest(http.MethodPut, u, io.MultiReader(bytes.NewReader(random(t, 1<<20)), failing{}))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = 2 << 20
	if resp, err := f.plain.Do(r); err == nil {
		_ = resp.Body.Close()
		t.Fatal("a broken body was accepted")
	}
	// Stopping waits for the request that the client left behind.
	if err := f.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	f.noLeftovers()
	again := startIn(t, f.dir)
	again.absent("cut")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
