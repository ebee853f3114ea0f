package s3server_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// minio-go sends bodies over plain HTTP in signed chunks, with a trailing
// checksum where asked to.
func TestChunkedUploads(t *testing.T) {
	t.Parallel()
	f := start(t)
	trailing := f.newClient(minio.Options{TrailingHeaders: true})
	for _, size := range []int{0, 1, 65535, 65536, 65537, 3 << 20} {
		content := random(t, size)
		for name, c := range map[string]*minio.Client{"signed": f.client, "trailing": trailing} {
			key := fmt.Sprintf("%s-%d", name, size)
			o := minio.PutObjectOptions{}
			if name == "trailing" {
				o.Checksum = minio.ChecksumCRC32C
			}
			if _, err := c.PutObject(context.Background(), bucket, key, bytes.NewReader(content), int64(size), o); err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			f.want(key, content)
		}
	}
	f.noLeftovers()
}

// One connection carries everything: whatever a request leaves unread would
// be taken for the next one.
func TestKeepAliveStaysInStep(t *testing.T) {
	t.Parallel()
	f := start(t)
	var dials atomic.Int32
	tr := &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer tr.CloseIdleConnections()
	c := f.newClient(minio.Options{Transport: tr})
	for i := range 100 {
		key := fmt.Sprintf("k/%03d", i)
		for _, body := range []string{"", "some content"} {
			if _, err := c.PutObject(context.Background(), bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
				t.Fatalf("put %d: %v", i, err)
			}
		}
		if _, err := c.StatObject(context.Background(), bucket, key, minio.StatObjectOptions{}); err != nil {
			t.Fatalf("stat %d: %v", i, err)
		}
	}
	if n := dials.Load(); n != 1 {
		t.Errorf("%d connections were needed for requests that all succeeded, want 1", n)
	}
}

// chunked builds an aws-chunked request by hand, from AWS's description.
type chunked struct {
	f       *fixture
	digest  string
	content string
	trailer string // "name:value"
	corrupt func(body string) string
}

func (c chunked) send(key string) int {
	c.f.t.Helper()
	r, err := http.NewRequest(http.MethodPut, c.f.Endpoint+"/"+bucket+"/"+key, nil)
	if err != nil {
		c.f.t.Fatal(err)
	}
	now := time.Now().UTC()
	date, day := now.Format("20060102T150405Z"), now.Format("20060102")
	scope := day + "/us-east-1/s3/aws4_request"
	r.Header.Set("X-Amz-Date", date)
	r.Header.Set("X-Amz-Content-Sha256", c.digest)
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(len(c.content)))
	names := []string{"host", "x-amz-content-sha256", "x-amz-date", "x-amz-decoded-content-length"}
	if c.trailer != "" {
		name, _, _ := strings.Cut(c.trailer, ":")
		r.Header.Set("X-Amz-Trailer", name)
		names = append(names, "x-amz-trailer")
	}
	canonical := r.Method + "\n" + r.URL.EscapedPath() + "\n\n"
	for _, n := range names {
		v := r.Header.Get(n)
		if n == "host" {
			v = r.URL.Host
		}
		canonical += n + ":" + v + "\n"
	}
	canonical += "\n" + strings.Join(names, ";") + "\n" + c.digest
	prev := c.sign(day, "AWS4-HMAC-SHA256", date, scope, hexSum(canonical))
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s", accessKey, scope, strings.Join(names, ";"), prev))

	signed := strings.HasPrefix(c.digest, "STREAMING-AWS4")
	var body strings.Builder
	for _, chunk := range []string{c.content, ""} {
		ext := ""
		if signed {
			prev = c.sign(day, "AWS4-HMAC-SHA256-PAYLOAD", date, scope, prev, hexSum(""), hexSum(chunk))
			ext = ";chunk-signature=" + prev
		}
		fmt.Fprintf(&body, "%x%s\r\n%s", len(chunk), ext, chunk)
		if chunk != "" {
			body.WriteString("\r\n")
		}
	}
	if c.trailer != "" {
		body.WriteString(c.trailer + "\n")
		if signed {
			prev = c.sign(day, "AWS4-HMAC-SHA256-TRAILER", date, scope, prev, hexSum(c.trailer+"\n"))
			body.WriteString("\r\nx-amz-trailer-signature:" + prev + "\r\n")
		}
	}
	body.WriteString("\r\n")
	text := body.String()
	if c.corrupt != nil {
		text = c.corrupt(text)
	}
	r.ContentLength = int64(len(text))
	r.Body = readCloser{strings.NewReader(text)}
	return c.f.send(r)
}

func (c chunked) sign(day string, lines ...string) string {
	return hex.EncodeToString(mac(signingKey(day), strings.Join(lines, "\n")))
}

func hexSum(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestChunkFraming(t *testing.T) {
	t.Parallel()
	f := start(t)
	const (
		signed   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
		trailed  = signed + "-TRAILER"
		unsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		content  = "the content of the object"
	)
	crc := crc32.ChecksumIEEE([]byte(content))
	right := "x-amz-checksum-crc32:" + base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc))
	wrong := "x-amz-checksum-crc32:AAAAAA=="
	swap := func(old, repl string) func(string) string {
		return func(s string) string { return strings.Replace(s, old, repl, 1) }
	}
	cut := func(n int) func(string) string { return func(s string) string { return s[:len(s)-n] } }
	for name, tc := range map[string]struct {
		digest, trailer string
		corrupt         func(string) string
		status          int
	}{
		"signed":                   {signed, "", nil, 200},
		"signed, other content":    {signed, "", swap("content", "Content"), 400},
		"signed, other size":       {signed, "", swap("19;", "18;"), 400},
		"signed, no end":           {signed, "", func(s string) string { return s[:strings.LastIndex(s, "0;chunk")] }, 400},
		"signed, bad last":         {signed, "", func(s string) string { return s[:len(s)-6] + "aa\r\n\r\n" }, 400},
		"trailer":                  {trailed, right, nil, 200},
		"trailer, wrong checksum":  {trailed, wrong, nil, 400},
		"trailer, changed":         {trailed, right, swap(right, wrong), 400},
		"trailer, missing":         {trailed, right, swap(right+"\n", ""), 400},
		"unsigned":                 {unsigned, right, nil, 200},
		"unsigned, wrong checksum": {unsigned, wrong, nil, 400},
		"unsigned, other content":  {unsigned, right, swap("content", "Content"), 400},
		"unsigned, cut":            {unsigned, right, cut(40), 400},
		"unsigned, more content":   {unsigned, right, swap("\r\n0\r\n", "\r\n4\r\nmore\r\n0\r\n"), 400},
		"junk":                     {unsigned, right, func(s string) string { return "zz" + s[2:] }, 400},
		"endless line":             {unsigned, right, func(s string) string { return strings.Repeat("1", 1<<20) }, 400},
		"unknown kind":             {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "", nil, 501},
	} {
		key := "chunk-" + strings.NewReplacer(" ", "-", ",", "").Replace(name)
		got := chunked{f: f, digest: tc.digest, content: content, trailer: tc.trailer, corrupt: tc.corrupt}.send(key)
		if got != tc.status {
			t.Errorf("%s: %d, want %d", name, got, tc.status)
		}
		if tc.status == 200 {
			f.want(key, []byte(content))
		} else {
			f.absent(key)
		}
	}
	f.noLeftovers()
}
