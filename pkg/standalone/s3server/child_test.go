package s3server_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

// serveChild is the body of the test binary run as a server of its own. It
// prints its endpoint and ends when its standard input does.
func serveChild(dir string) {
	s, err := s3server.Start(context.Background(), s3server.Options{
		AccessKey: accessKey, SecretKey: secretKey, Addr: "127.0.0.1:0", Buckets: []string{bucket}, Dir: dir, Log: zerolog.Nop(),
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Endpoint)
	_, _ = io.Copy(io.Discard, os.Stdin)
	_ = s.Stop(context.Background())
	os.Exit(0)
}

// child is a server in a process of its own.
type child struct {
	cmd *exec.Cmd
	*fixture
}

func startChild(t *testing.T, dir string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "DOCSVC_TEST_S3_CHILD="+dir)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	endpoint := strings.TrimSpace(line)
	if err != nil || !strings.HasPrefix(endpoint, "http://") {
		t.Fatalf("the child said %q, %v", line, err)
	}
	f := &fixture{Server: &s3server.Server{Endpoint: endpoint}, t: t, dir: dir, transport: &http.Transport{}}
	f.client = f.newClient(minio.Options{Creds: credentials.NewStaticV4(accessKey, secretKey, "")})
	f.plain = &http.Client{Transport: f.transport}
	c := &child{cmd, f}
	t.Cleanup(func() {
		f.transport.CloseIdleConnections()
		c.kill()
	})
	return c
}

func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}

// peak returns the most memory the process ever had resident, in MiB.
func (c *child) peak() int {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Skipf("no /proc to read a process's memory from: %v", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.Atoi(strings.Fields(v)[0])
			if err != nil {
				c.t.Fatal(err)
			}
			return kb / 1024
		}
	}
	c.t.Fatal("no VmHWM in /proc/pid/status")
	return 0
}

// A large body passes through in bounded memory: PUT on a presigned URL, by
// parts, and back. DOCSVC_TEST_LARGE=1 does it with 1 GiB.
func TestLargeObjectMemory(t *testing.T) {
	t.Parallel()
	const limit = 64 // MiB
	size := int64(200 << 20)
	if os.Getenv("DOCSVC_TEST_LARGE") != "" {
		size = 1 << 30
	}
	c := startChild(t, filepath.Join(t.TempDir(), "s3"))
	stream := func() io.Reader {
		return io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
	}
	want := sha256.New()
	if _, err := io.Copy(want, stream()); err != nil {
		t.Fatal(err)
	}

	begin := time.Now()
	r, err := http.NewRequest(http.MethodPut, c.presign(http.MethodPut, "large", time.Hour, nil, nil), stream())
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = size
	resp, err := c.plain.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatal(resp.Status)
	}
	put, putPeak := time.Since(begin), c.peak()

	begin = time.Now()
	if _, err := c.client.PutObject(context.Background(), bucket, "parts", stream(), size, minio.PutObjectOptions{PartSize: 16 << 20}); err != nil {
		t.Fatal(err)
	}
	parts, partsPeak := time.Since(begin), c.peak()

	begin = time.Now()
	for _, key := range []string{"large", "parts"} {
		o, err := c.client.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		if _, err := io.Copy(got, o); err != nil {
			t.Fatal(err)
		}
		_ = o.Close()
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s came back changed", key)
		}
	}
	t.Logf("%d MiB: presigned PUT %v, peak %d MiB; multipart %v, peak %d MiB; two GETs %v, peak %d MiB",
		size>>20, put, putPeak, parts, partsPeak, time.Since(begin), c.peak())
	if got := c.peak(); got > limit {
		t.Errorf("the server needed %d MiB, more than %d", got, limit)
	}
}

// A server killed while it stores objects keeps every one that it has
// acknowledged, whole, and shows no part of another.
func TestKill(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "s3 with spaces")
	c := startChild(t, dir)
	content := func(n int) []byte { return bytes.Repeat([]byte{byte(n)}, 300_000+n) }
	acked := make(chan int, 10_000)
	var done []int
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			b := content(n)
			_, err := c.client.PutObject(context.Background(), bucket, fmt.Sprintf("o/%d", n), bytes.NewReader(b), int64(len(b)), minio.PutObjectOptions{})
			if err != nil {
				return
			}
			acked <- n
		}
	}()
	for len(done) < 30 {
		done = append(done, <-acked)
	}
	c.kill()
	<-stopped
	close(acked)
	for n := range acked {
		done = append(done, n)
	}
	again := startChild(t, dir)
	for _, n := range done {
		again.want(fmt.Sprintf("o/%d", n), content(n))
	}
	for o := range again.client.ListObjects(context.Background(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		var n int
		if _, err := fmt.Sscanf(o.Key, "o/%d", &n); err != nil || o.Size != int64(300_000+n) {
			t.Errorf("%s of %d bytes, %v", o.Key, o.Size, o.Err)
		}
	}
	again.noLeftovers()
}

// The guide's own line, with the real curl.
func TestCurl(t *testing.T) {
	t.Parallel()
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("no curl on PATH; TestExpectContinue sends what it would")
	}
	f := start(t)
	content := random(t, 3<<20)
	file := filepath.Join(t.TempDir(), "a file.pdf")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(curl, "-sS", "-f", "-w", "%{http_code}", "-X", "PUT", f.presign(http.MethodPut, "curled", time.Hour, nil, nil), "--data-binary", "@"+file).CombinedOutput()
	if err != nil || string(out) != "200" {
		t.Fatalf("%s, %v", out, err)
	}
	f.want("curled", content)
}
