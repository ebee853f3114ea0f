package standalone

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// runEngines is the body of the test binary run as a server of its own: it
// prints where its engines are and ends when its standard input does.
func runEngines(dir, engine string) int {
	e, err := Start(context.Background(), Options{Dir: dir, Engine: engine, Log: zerolog.Nop(), find: findTestServer})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	pid := 0
	if c, ok := e.redis.(*redisChild); ok {
		pid = c.current.pid
	}
	_ = json.NewEncoder(os.Stdout).Encode(map[string]any{
		"redis": e.RedisURL, "s3": e.S3Endpoint, "access": e.AccessKey, "secret": e.SecretKey, "child": pid,
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
	if err := e.Stop(context.Background()); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// process is the engines in a process of their own.
type process struct {
	t                         *testing.T
	cmd                       *exec.Cmd
	stdin                     io.Closer
	out                       *bufio.Reader
	Redis, S3, Access, Secret string
	Child                     int
}

// startProcessOf starts the engines and waits until they run.
func startProcessOf(t *testing.T, dir, engine string) *process {
	t.Helper()
	p := launchProcess(t, dir, engine)
	p.wait()
	return p
}

func launchProcess(t *testing.T, dir, engine string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0], "-test.run=^$")}
	p.cmd.Env = append(os.Environ(), "DOCSVC_TEST_ENGINES="+dir, "DOCSVC_TEST_ENGINE="+engine)
	p.cmd.Stderr = os.Stderr
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = in
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.out = bufio.NewReader(out)
	return p
}

// wait waits until the engines run.
func (p *process) wait() {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(line), p); err != nil {
		p.t.Fatalf("the process said %q", line)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func closed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// alive reports whether a process runs; one that only waits to be reaped does not.
func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil && (runtime.GOOS != "linux" || processStamp(pid) != "")
}

// eventually waits for something that takes its time; it fails after a minute.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

// Killed in the middle of writing, a server on redis-server keeps every job
// and every object that it acknowledged; its child ends, and the next start
// waits for that.
func TestKillWithRedisServer(t *testing.T) {
	t.Parallel()
	needServer(t)
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "data dir")
	p := startProcessOf(t, dir, EngineRedis)
	rdb := quietClient(t, p.Redis)
	store := objects(t, p.S3, p.Access, p.Secret)
	jobs, files := make(chan int, 100_000), make(chan int, 100_000)
	killed := make(chan struct{}) // clients dial again, and would go on with the next server
	go func() {
		defer close(jobs)
		for n := 0; !closed(killed); n++ {
			_, err := rdb.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
				pipe.HSet(ctx, fmt.Sprintf("rq:job:%d", n), "status", "queued", "n", n)
				pipe.RPush(ctx, "rq:queue:q", n)
				return nil
			})
			if err != nil {
				return
			}
			jobs <- n
		}
	}()
	go func() {
		defer close(files)
		for n := 0; !closed(killed); n++ {
			body := fmt.Sprintf("file %d", n)
			if _, err := store.PutObject(ctx, bucket, fmt.Sprintf("temp/%d/x", n), strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
				return
			}
			files <- n
		}
	}()
	eventually(t, "writing", func() bool { return len(jobs) > 200 && len(files) > 20 })
	p.kill()
	close(killed)

	again := startProcessOf(t, dir, "")
	if alive(p.Child) && p.Child != again.Child {
		t.Errorf("two servers ran on one directory: %d is still there", p.Child)
	}
	rdb = quietClient(t, again.Redis)
	queued, err := rdb.LLen(ctx, "rq:queue:q").Result()
	if err != nil {
		t.Fatal(err)
	}
	acked := int64(0)
	for n := range jobs {
		acked++
		if got := rdb.HGet(ctx, fmt.Sprintf("rq:job:%d", n), "n").Val(); got != fmt.Sprint(n) {
			t.Fatalf("job %d is lost (%q)", n, got)
		}
	}
	if queued < acked {
		t.Errorf("%d jobs queued, %d were acknowledged", queued, acked)
	}
	store = objects(t, again.S3, again.Access, again.Secret)
	for n := range files {
		wantObject(t, store, fmt.Sprintf("temp/%d/x", n), fmt.Sprintf("file %d", n))
	}
}

// quietClient does not try again: its server is going to be killed.
func quietClient(t *testing.T, redisURL string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries = -1
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Killed, the in-process engine goes on from its last snapshot, and the
// objects are all there.
func TestKillInProcess(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	p := startProcessOf(t, dir, EngineMiniredis)
	rdb := quietClient(t, p.Redis)
	if err := rdb.HSet(ctx, "rq:job:1", "status", "queued").Err(); err != nil {
		t.Fatal(err)
	}
	putObject(t, objects(t, p.S3, p.Access, p.Secret), "temp/1/x", "file")
	eventually(t, "a snapshot with the job", func() bool {
		ks, err := readSnapshot(filepath.Join(dir, "redis"))
		return err == nil && ks.keys == 1
	})
	p.kill()
	again := startProcessOf(t, dir, "")
	if got := quietClient(t, again.Redis).HGet(ctx, "rq:job:1", "status").Val(); got != "queued" {
		t.Errorf("the job: %q", got)
	}
	wantObject(t, objects(t, again.S3, again.Access, again.Secret), "temp/1/x", "file")
	// Ended orderly, nothing at all is lost.
	if err := quietClient(t, again.Redis).Set(ctx, "last", "word", 0).Err(); err != nil {
		t.Fatal(err)
	}
	_ = again.stdin.Close()
	if err := again.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	third := startProcessOf(t, dir, "")
	if got := quietClient(t, third.Redis).Get(ctx, "last").Val(); got != "word" {
		t.Errorf("written before an orderly end: %q", got)
	}
}

// A server of an earlier run that has not ended yet is waited for: two on one
// append-only file would destroy it. It is known by the lock it inherited.
func TestOrphanIsWaitedFor(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineRedis))
	stop(t, e)
	orphan, err := lockFile(filepath.Join(dir, "redis", lockName))
	if err != nil {
		t.Fatal(err)
	}
	p := launchProcess(t, dir, "")
	eventually(t, "a server that waits", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, lockName))
		return err == nil && strings.TrimSpace(string(text)) == fmt.Sprint(p.cmd.Process.Pid)
	})
	if err := quietClient(t, e.RedisURL).Ping(context.Background()).Err(); err == nil {
		t.Error("started beside the earlier server")
	}
	if err := orphan.Close(); err != nil {
		t.Fatal(err)
	}
	p.wait()
}

// While the child runs, its directory is locked by it too.
func TestChildHoldsTheLock(t *testing.T) {
	t.Parallel()
	needServer(t)
	dir := t.TempDir()
	e, err := Start(context.Background(), options(t, dir, EngineRedis))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.redis.(*redisChild).lock.Close(); err != nil {
		t.Fatal(err)
	}
	if f, err := lockFile(filepath.Join(dir, "redis", lockName)); err == nil {
		_ = f.Close()
		t.Error("the lock is free though the server runs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	_ = e.Stop(ctx) // complains of the lock closed above
	f, err := lockFile(filepath.Join(dir, "redis", lockName))
	if err != nil {
		t.Fatalf("the lock outlives the server: %v", err)
	}
	_ = f.Close()
}

// Ctrl-C goes to the whole foreground process group; the child must not be in
// it, or it would end before docsvc has drained.
func TestChildIsInAGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	needServer(t)
	p := startProcessOf(t, t.TempDir(), EngineRedis)
	own, err := syscall.Getpgid(p.cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	child, err := syscall.Getpgid(p.Child)
	if err != nil || child == own {
		t.Fatalf("groups %d and %d, %v", own, child, err)
	}
	_ = p.stdin.Close()
	if err := p.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if alive(p.Child) {
		t.Error("the child outlived an orderly end")
	}
}

// A child that dies is started again with what it had.
func TestChildIsRestarted(t *testing.T) {
	t.Parallel()
	needServer(t)
	ctx := context.Background()
	e := start(t, options(t, t.TempDir(), EngineRedis))
	rdb := client(t, e.RedisURL)
	if err := rdb.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	c := e.redis.(*redisChild)
	first := c.current
	for range 2 {
		c.mu.Lock()
		p := c.current
		c.mu.Unlock()
		p.kill()
		<-p.exited
		eventually(t, "a new child", func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.current != p
		})
	}
	if got, err := rdb.Get(ctx, "k").Result(); err != nil || got != "v" || c.current == first {
		t.Errorf("after the restart: %q, %v", got, err)
	}
	select {
	case err := <-e.Failed():
		t.Errorf("reported as lost: %v", err)
	default:
	}
}

// A child that does not come back is reported, and Stop still ends.
func TestChildIsLost(t *testing.T) {
	t.Parallel()
	needServer(t)
	script := filepath.Join(t.TempDir(), "redis-server")
	write := func(text string) {
		if err := os.WriteFile(script+".new", []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(script+".new", script); err != nil {
			t.Fatal(err)
		}
	}
	bin, err := findTestServer(EngineRedis)
	if err != nil {
		t.Fatal(err)
	}
	write(fmt.Sprintf(`exec '%s' "$@"`, bin))
	o := options(t, t.TempDir(), EngineRedis)
	o.Log = zerolog.Nop()
	o.find = func(string) (string, error) { return script, nil }
	o.restart = restartPolicy{first: time.Millisecond, most: time.Millisecond, tries: 3}
	e := start(t, o)
	write("echo no licence; exit 7")
	c := e.redis.(*redisChild)
	c.current.kill()
	err = <-e.Failed()
	if err == nil || !strings.Contains(err.Error(), "does not come back") || !strings.Contains(err.Error(), "no licence") || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("reported as %v", err)
	}
}
