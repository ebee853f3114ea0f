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
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

func TestMultipartRoundTrip(t *testing.T) {
	t.Parallel()
	f := start(t)
	content := random(t, 12<<20+17)
	// Of unknown size, so that minio-go must send it in parts.
	u, err := f.client.PutObject(context.Background(), bucket, "big", bytes.NewReader(content), -1,
		minio.PutObjectOptions{PartSize: 5 << 20, ContentType: "application/pdf"})
	if err != nil {
		t.Fatal(err)
	}
	f.want("big", content)
	sum := md5.Sum(content)
	st, err := f.client.StatObject(context.Background(), bucket, "big", minio.StatObjectOptions{})
	if err != nil || st.ETag != u.ETag || st.ETag != hex.EncodeToString(sum[:]) || st.ContentType != "application/pdf" {
		t.Fatalf("%+v, put as %s, %v", st, u.ETag, err)
	}
	f.noLeftovers()
}

// part uploads one part and returns it for the completion.
func (f *fixture) part(key, id string, number int, body []byte) minio.CompletePart {
	f.t.Helper()
	p, err := f.core.PutObjectPart(context.Background(), bucket, key, id, number, bytes.NewReader(body), int64(len(body)), minio.PutObjectPartOptions{})
	if err != nil {
		f.t.Fatal(err)
	}
	return minio.CompletePart{PartNumber: number, ETag: p.ETag}
}

func TestMultipartRules(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	id, err := f.core.NewMultipartUpload(ctx, bucket, "m", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first := f.part("m", id, 1, []byte("replaced"))
	two := f.part("m", id, 2, []byte(" world"))
	one := f.part("m", id, 1, []byte("hello"))
	complete := func(parts ...minio.CompletePart) error {
		_, err := f.core.CompleteMultipartUpload(ctx, bucket, "m", id, parts, minio.PutObjectOptions{})
		return err
	}
	for name, parts := range map[string][]minio.CompletePart{
		"InvalidPartOrder": {two, one},
		"InvalidPart":      {first, two},
		"MalformedXML":     {},
	} {
		if err := complete(parts...); minio.ToErrorResponse(err).Code != name {
			t.Errorf("%v, want %s", err, name)
		}
	}
	if err := complete(one, two, minio.CompletePart{PartNumber: 3, ETag: one.ETag}); minio.ToErrorResponse(err).Code != "InvalidPart" {
		t.Errorf("with a part that was not sent: %v", err)
	}
	f.absent("m")
	listed, err := f.core.ListObjectParts(ctx, bucket, "m", id, 0, 10)
	if err != nil || len(listed.ObjectParts) != 2 {
		t.Fatalf("parts: %+v, %v", listed, err)
	}
	for range 2 { // a completion whose answer was lost is sent again
		if err := complete(one, two); err != nil {
			t.Fatal(err)
		}
	}
	f.want("m", []byte("hello world"))
	if _, err := f.core.PutObjectPart(ctx, bucket, "m", id, 3, bytes.NewReader(nil), 0, minio.PutObjectPartOptions{}); minio.ToErrorResponse(err).Code != "NoSuchUpload" {
		t.Errorf("a part after completion: %v", err)
	}
	f.noLeftovers()
}

func TestMultipartAbort(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	id, err := f.core.NewMultipartUpload(ctx, bucket, "m", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.part("m", id, 1, []byte("x"))
	if err := f.core.AbortMultipartUpload(ctx, bucket, "m", id); err != nil {
		t.Fatal(err)
	}
	f.absent("m")
	f.noLeftovers()
}

// A part may be sent through a presigned URL, and its digests are checked.
func TestPresignedPart(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	id, err := f.core.NewMultipartUpload(ctx, bucket, "m", minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	q := url.Values{"partNumber": {"1"}, "uploadId": {id}}
	content := []byte("part content")
	sum := sha256.Sum256(content)
	checksum := http.Header{"X-Amz-Checksum-Sha256": {base64.StdEncoding.EncodeToString(sum[:])}}
	u := f.presign(http.MethodPut, "m", time.Hour, q, checksum)
	resp, body := f.do(http.MethodPut, u, bytes.NewReader([]byte("Part content")), checksum)
	f.wantStatus("other bytes", resp, body, http.StatusBadRequest)
	resp, body = f.do(http.MethodPut, u, bytes.NewReader(content), checksum)
	f.wantStatus("right bytes", resp, body, http.StatusOK)
	plain := f.presign(http.MethodPut, "m", time.Hour, q, nil)
	resp, body = f.do(http.MethodPut, plain, bytes.NewReader(content), http.Header{"Content-Md5": {"AAAAAAAAAAAAAAAAAAAAAA=="}})
	f.wantStatus("other MD5", resp, body, http.StatusBadRequest)
	if _, err := f.core.CompleteMultipartUpload(ctx, bucket, "m", id, []minio.CompletePart{{PartNumber: 1, ETag: resp.Header.Get("ETag")}}, minio.PutObjectOptions{}); err == nil {
		t.Error("completed with the ETag of a refused part")
	}
	md := md5.Sum(content)
	if _, err := f.core.CompleteMultipartUpload(ctx, bucket, "m", id, []minio.CompletePart{{PartNumber: 1, ETag: hex.EncodeToString(md[:])}}, minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
	f.want("m", content)
	f.noLeftovers()
}
