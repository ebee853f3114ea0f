package s3server_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
)

func TestListPages(t *testing.T) {
	t.Parallel()
	f := start(t)
	for i := range 25 {
		f.put(fmt.Sprintf("p/%02d", i), []byte("x"), minio.PutObjectOptions{})
	}
	f.put("a", nil, minio.PutObjectOptions{})
	f.put("z", nil, minio.PutObjectOptions{})
	for _, v1 := range []bool{false, true} {
		n := 0
		for o := range f.client.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Prefix: "p/", Recursive: true, MaxKeys: 10, UseV1: v1}) {
			if o.Err != nil {
				t.Fatal(o.Err)
			}
			if want := fmt.Sprintf("p/%02d", n); o.Key != want || o.Size != 1 || o.ETag == "" || o.LastModified.IsZero() {
				t.Fatalf("entry %d: %+v", n, o)
			}
			n++
		}
		if n != 25 {
			t.Fatalf("%d of 25 listed (v1 %v)", n, v1)
		}
	}
}

// reference is ListObjectsV2 in its simplest form: over all keys at once.
func reference(keys []string, prefix, delimiter, after string) []string {
	slices.Sort(keys)
	var out []string
	for _, k := range keys {
		if !strings.HasPrefix(k, prefix) || k <= after {
			continue
		}
		if delimiter != "" {
			if at := strings.Index(k[len(prefix):], delimiter); at >= 0 {
				k = k[:len(prefix)+at+len(delimiter)]
				if k == after {
					continue
				}
			}
		}
		if len(out) == 0 || out[len(out)-1] != k {
			out = append(out, k)
		}
	}
	return out
}

// Random listings, page by page, against the reference.
func TestListAgainstReference(t *testing.T) {
	t.Parallel()
	f := start(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"a", "b", "ab", "A", "-", ".", "é", "%", " ", strings.Repeat("l", 79), strings.Repeat("l", 80), strings.Repeat("l", 81), strings.Repeat("l", 80) + "-", ""}
	keys := map[string]bool{}
	for len(keys) < 150 {
		parts := make([]string, 1+rnd.IntN(4))
		for i := range parts {
			parts[i] = pieces[rnd.IntN(len(pieces))] + pieces[rnd.IntN(len(pieces))]
		}
		if k := strings.TrimLeft(strings.Join(parts, "/"), "/"); k != "" {
			keys[k] = true
		}
	}
	var all []string
	for k := range keys {
		all = append(all, k)
		f.put(k, []byte("x"), minio.PutObjectOptions{DisableContentSha256: true})
	}
	slices.Sort(all)
	for range 300 {
		prefix, delimiter, after := "", "", ""
		if k := all[rnd.IntN(len(all))]; rnd.IntN(3) > 0 {
			prefix = k[:rnd.IntN(len(k)+1)]
		}
		if !strings.HasPrefix(strings.ToValidUTF8(prefix, "\xff"), prefix) {
			continue // a prefix cut inside a character cannot be sent
		}
		switch rnd.IntN(4) {
		case 0, 1:
			delimiter = "/"
		case 2:
			delimiter = []string{"-", "l", "a/"}[rnd.IntN(3)]
		}
		if rnd.IntN(2) == 0 {
			after = all[rnd.IntN(len(all))]
		}
		want := reference(slices.Clone(all), prefix, delimiter, after)
		got := f.pages(t, prefix, delimiter, after, 1+rnd.IntN(20))
		if !slices.Equal(got, want) {
			at := 0
			for at < min(len(got), len(want)) && got[at] == want[at] {
				at++
			}
			t.Fatalf("prefix %q delimiter %q after %q: %d listed, want %d; from %d on %.3q, want %.3q",
				prefix, delimiter, after, len(got), len(want), at, got[at:], want[at:])
		}
	}
}

func (f *fixture) pages(t *testing.T, prefix, delimiter, after string, maxKeys int) []string {
	t.Helper()
	var out []string
	token := ""
	for {
		r, err := f.core.ListObjectsV2(bucket, prefix, after, token, delimiter, maxKeys)
		if err != nil {
			t.Fatal(err)
		}
		var page []string
		for _, o := range r.Contents {
			page = append(page, o.Key)
		}
		for _, p := range r.CommonPrefixes {
			page = append(page, p.Prefix)
		}
		slices.Sort(page)
		if len(page) > maxKeys || r.IsTruncated && len(page) < maxKeys || r.IsTruncated != (r.NextContinuationToken != "") {
			t.Fatalf("a page of %d with max-keys %d, truncated %v, token %q", len(page), maxKeys, r.IsTruncated, r.NextContinuationToken)
		}
		out = append(out, page...)
		if !r.IsTruncated {
			return out
		}
		token = r.NextContinuationToken
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	f := start(t)
	ctx := context.Background()
	if err := f.client.MakeBucket(ctx, "second", minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := f.client.MakeBucket(ctx, "second", minio.MakeBucketOptions{}); minio.ToErrorResponse(err).StatusCode != 409 {
		t.Fatalf("made twice: %v", err)
	}
	list, err := f.client.ListBuckets(ctx)
	if err != nil || len(list) != 2 || list[0].Name != bucket || list[1].Name != "second" {
		t.Fatalf("%v, %v", list, err)
	}
	f.put("deep/down/here", nil, minio.PutObjectOptions{})
	if err := f.client.RemoveBucket(ctx, bucket); minio.ToErrorResponse(err).Code != "BucketNotEmpty" {
		t.Fatalf("removing a bucket in use: %v", err)
	}
	if err := f.client.RemoveBucket(ctx, "second"); err != nil {
		t.Fatal(err)
	}
	if ok, err := f.client.BucketExists(ctx, "second"); ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	for _, name := range []string{"..", "docs/..", "no-such"} {
		resp, body := f.do("GET", presignGet(f.Endpoint+"/"+name+"/x"), nil, nil)
		f.wantStatus(name, resp, body, 404)
	}
}
