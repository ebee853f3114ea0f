package s3server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7/pkg/signer"
	"github.com/rclone/gofakes3"
	"github.com/rs/zerolog"
	"pgregory.net/rapid"
)

func newTestStore(t *testing.T) *store {
	t.Helper()
	s, err := openStore(t.TempDir(), zerolog.New(zerolog.NewTestWriter(t)), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CreateBucket(context.Background(), "docs"); err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *store, key string, body []byte) error {
	t.Helper()
	_, err := s.PutObject(context.Background(), "docs", key, nil, bytes.NewReader(body), int64(len(body)))
	return err
}

// smallDisk is a file on a disk with room for so many bytes.
type smallDisk struct {
	*os.File
	room *int
}

func (d smallDisk) Write(b []byte) (int, error) {
	if len(b) <= *d.room {
		*d.room -= len(b)
		return d.File.Write(b)
	}
	n, _ := d.File.Write(b[:*d.room])
	*d.room = 0
	return n, syscall.ENOSPC
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for name, room := range map[string]int{"in the body": 1000, "in the metadata": 2<<20 + 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestStore(t)
			if err := put(t, s, "old", []byte("old content")); err != nil {
				t.Fatal(err)
			}
			s.create = func(dir string) (tempFile, error) {
				f, err := os.CreateTemp(dir, "body-*")
				return smallDisk{f, &room}, err
			}
			err := put(t, s, "old", make([]byte, 2<<20))
			var e gofakes3.Error
			if !errors.As(err, &e) || e.ErrorCode() != gofakes3.ErrInternal || !strings.Contains(err.Error(), "disk that holds the objects is full") {
				t.Fatalf("%v, want an internal error that names the full disk", err)
			}
			o, err := s.GetObject(context.Background(), "docs", "old", nil)
			if err != nil || o.Size != int64(len("old content")) {
				t.Fatalf("the old object: %+v, %v", o, err)
			}
			_ = o.Contents.Close()
			if left, _ := os.ReadDir(s.tmpDir()); len(left) != 0 {
				t.Fatalf("left behind: %v", left)
			}
		})
	}
}

func TestDamagedObject(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(path string, text []byte) error{
		"cut":      func(p string, text []byte) error { return os.Truncate(p, int64(len(text)-1)) },
		"shorter":  func(p string, text []byte) error { return os.WriteFile(p, text[1:], 0o600) },
		"metadata": func(p string, text []byte) error { text[len(text)-30] ^= 1; return os.WriteFile(p, text, 0o600) },
		"length":   func(p string, text []byte) error { text[len(text)-8] = 0xff; return os.WriteFile(p, text, 0o600) },
		"empty":    func(p string, _ []byte) error { return os.Truncate(p, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newTestStore(t)
			for _, k := range []string{"bad", "good"} {
				if err := put(t, s, k, []byte("some content")); err != nil {
					t.Fatal(err)
				}
			}
			path := s.file("docs", "bad")
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := damage(path, text); err != nil {
				t.Fatal(err)
			}
			if _, err := s.GetObject(context.Background(), "docs", "bad", nil); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Fatalf("reading: %v", err)
			}
			l, err := s.ListBucket(context.Background(), "docs", nil, gofakes3.ListBucketPage{})
			if err != nil || len(l.Contents) != 1 || l.Contents[0].Key != "good" {
				t.Fatalf("listing: %+v, %v", l, err)
			}
			if err := put(t, s, "bad", []byte("written anew")); err != nil {
				t.Fatalf("overwriting: %v", err)
			}
		})
	}
}

// What a crash leaves is gone after the next start; objects are not.
func TestSweepAtStart(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if err := put(t, s, "a/b", []byte("kept")); err != nil {
		t.Fatal(err)
	}
	id, err := s.CreateMultipartUpload(context.Background(), "docs", "m", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.UploadPart(context.Background(), "docs", "m", id, 1, 4, strings.NewReader("part")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.tmpDir(), "body-123"), []byte("half a bod"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A directory without an object: the crash came before the rename.
	if err := os.MkdirAll(filepath.Join(s.objectsDir("docs"), "dempty", "dinner"), 0o700); err != nil {
		t.Fatal(err)
	}
	again, err := openStore(s.dir, zerolog.Nop(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{again.tmpDir(), again.uploadsDir()} {
		if left, _ := os.ReadDir(d); len(left) != 0 {
			t.Errorf("%s: %v", d, left)
		}
	}
	p := gofakes3.NewPrefix(nil, new("/"))
	l, err := again.ListBucket(context.Background(), "docs", &p, gofakes3.ListBucketPage{})
	if err != nil || len(l.Contents) != 0 || len(l.CommonPrefixes) != 1 || l.CommonPrefixes[0].Prefix != "a/" {
		t.Fatalf("%+v, %v", l, err)
	}
}

func TestOtherLayoutIsRefused(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if err := os.WriteFile(filepath.Join(s.dir, "format"), []byte("docsvc-s3 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(s.dir, zerolog.Nop(), time.Now); err == nil || !strings.Contains(err.Error(), "use the docsvc that wrote it") {
		t.Fatalf("opened: %v", err)
	}
}

func TestAbandonedUploads(t *testing.T) {
	t.Parallel()
	now := time.Now()
	st, err := Open(Options{AccessKey: "a-key", SecretKey: "s", Dir: t.TempDir(), Buckets: []string{"docs"}, Clock: func() time.Time { return now }, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	old, _ := st.store.CreateMultipartUpload(ctx, "docs", "old", nil)
	used, _ := st.store.CreateMultipartUpload(ctx, "docs", "used", nil)
	now = now.Add(abandonAfter)
	if _, err := st.store.UploadPart(ctx, "docs", "used", used, 1, 1, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Second)
	st.abandon(ctx)
	left, err := os.ReadDir(st.store.uploadsDir())
	if err != nil || len(left) != 1 || left[0].Name() != string(used) {
		t.Fatalf("left %v (old %s), %v", left, old, err)
	}
}

// A client that stops sending without leaving does not hold a request for ever.
func TestStalledUpload(t *testing.T) {
	t.Parallel()
	f := &front{accessKey: "key", secretKey: "secret", stall: 20 * time.Millisecond, log: zerolog.Nop()}
	f.next = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		w.Header().Set("Read", fmt.Sprint(n, " ", errors.Is(err, os.ErrDeadlineExceeded)))
	})
	srv := httptest.NewServer(f)
	defer srv.Close()
	r, err := http.NewRequest(http.MethodPut, srv.URL+"/docs/k", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	r = signer.SignV4(*r, "key", "secret", "", "us-east-1")
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	r.ContentLength = 100
	head := fmt.Sprintf("PUT /docs/k HTTP/1.1\r\nHost: %s\r\nContent-Length: 100\r\n", r.URL.Host)
	for k := range r.Header {
		head += k + ": " + r.Header.Get(k) + "\r\n"
	}
	if _, err := conn.Write([]byte(head + "\r\nhalf")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if got := resp.Header.Get("Read"); got != "4 true" {
		t.Fatalf("read %q", got)
	}
}

// Deleting what was the last object below a directory takes the directory
// along, and never one that is in use.
func TestDirectoriesArePruned(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	for _, k := range []string{"a/b/c/1", "a/b/2"} {
		if err := put(t, s, k, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []string{"a/b/c/1", "a/b/c/none", "x/y/none"} {
		if _, err := s.DeleteObject(context.Background(), "docs", k); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(s.objectsDir("docs"), "da", "db", "dc")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty directory is still there: %v", err)
	}
	if _, err := s.DeleteObject(context.Background(), "docs", "a/b/2"); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.objectsDir("docs")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Any two keys have different paths of which neither is the directory of the
// other, no component is too long, and walking the entries gives the keys back
// in order.
func TestPathsOfKeys(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{"a", "B", "/", "//", "-", "\x00", "\xff", "%", strings.Repeat("q", 79), strings.Repeat("q", 80)})
		keys := rapid.SliceOfNDistinct(rapid.Map(rapid.SliceOfN(piece, 1, 6), func(p []string) string { return strings.Join(p, "") }), 2, 12, rapid.ID).Draw(t, "keys")
		type leaf struct{ path, key string }
		var leaves []leaf
		for _, k := range keys {
			p := objectPath(k)
			for c := range strings.SplitSeq(p, "/") {
				if len(c) == 0 || len(c) > 255 || c == "." || c == ".." || strings.ToLower(c) != c {
					t.Fatalf("component %q of %q", c, k)
				}
			}
			back := ""
			for c := range strings.SplitSeq(p, "/") {
				e, err := parseEntry(c)
				if err != nil {
					t.Fatal(err)
				}
				back += e.suffix
			}
			if back != k {
				t.Fatalf("%q came back as %q", k, back)
			}
			leaves = append(leaves, leaf{p, k})
		}
		for _, a := range leaves {
			for _, b := range leaves {
				if a.key != b.key && (a.path == b.path || strings.HasPrefix(b.path, a.path+"/")) {
					t.Fatalf("%q and %q collide: %s, %s", a.key, b.key, a.path, b.path)
				}
			}
		}
		// Sorting path by path on decoded entries is what a walk does.
		slices.SortFunc(leaves, func(a, b leaf) int { return walkOrder(a.path, b.path) })
		if !slices.IsSortedFunc(leaves, func(a, b leaf) int { return strings.Compare(a.key, b.key) }) {
			t.Fatalf("not in key order: %q", leaves)
		}
	})
}

func walkOrder(a, b string) int {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		x, _ := parseEntry(as[i])
		y, _ := parseEntry(bs[i])
		if c := strings.Compare(x.suffix, y.suffix); c != 0 {
			return c
		}
	}
	return len(as) - len(bs)
}

func BenchmarkPut16KiB(b *testing.B) {
	s, err := openStore(b.TempDir(), zerolog.Nop(), time.Now)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.CreateBucket(context.Background(), "docs"); err != nil {
		b.Fatal(err)
	}
	body := make([]byte, 16<<10)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := s.PutObject(context.Background(), "docs", "documents/"+rand.Text()+"/"+rand.Text()+"/text.md", nil, bytes.NewReader(body), int64(len(body)))
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
