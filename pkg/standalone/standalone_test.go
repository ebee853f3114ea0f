package standalone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("DOCSVC_TEST_ENGINES"); dir != "" {
		os.Exit(runEngines(dir, os.Getenv("DOCSVC_TEST_ENGINE")))
	}
	goleak.VerifyTestMain(m)
}

// findTestServer finds the server that tests run, on PATH or below .cache.
func findTestServer(name string) (string, error) {
	if bin := redistest.Binary(); name == EngineRedis && bin != "" {
		return bin, nil
	}
	return "", fmt.Errorf("there is no %s on PATH", name)
}

func findNothing(name string) (string, error) {
	return "", fmt.Errorf("there is no %s on PATH", name)
}

func needServer(t *testing.T) {
	t.Helper()
	if redistest.Binary() == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server on PATH or below .cache: CI must have one")
		}
		t.Skip("no redis-server on PATH or below .cache")
	}
}

// eachEngine runs f as a parallel subtest for every engine.
func eachEngine(t *testing.T, f func(t *testing.T, engine string)) {
	for _, engine := range []string{EngineMiniredis, EngineRedis} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			if engine == EngineRedis {
				needServer(t)
			}
			f(t, engine)
		})
	}
}

func options(t *testing.T, dir, engine string) Options {
	return Options{Dir: dir, Engine: engine, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel), find: findTestServer}
}

func start(t *testing.T, o Options) *Engines {
	t.Helper()
	e, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t *testing.T, e *Engines) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	if err := e.Stop(ctx); err != nil {
		t.Errorf("stopping: %v", err)
	}
}

// client is a client as docsvc makes it: RESP3, with its name told.
func client(t *testing.T, redisURL string) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL(redisURL)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func objects(t *testing.T, endpoint, access, secret string) *minio.Client {
	t.Helper()
	tr, err := minio.DefaultTransport(false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.CloseIdleConnections)
	c, err := minio.New(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(access, secret, ""), Region: region, BucketLookup: minio.BucketLookupPath, Transport: tr,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func putObject(t *testing.T, c *minio.Client, key, body string) {
	t.Helper()
	if _, err := c.PutObject(context.Background(), bucket, key, strings.NewReader(body), int64(len(body)), minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func wantObject(t *testing.T, c *minio.Client, key, body string) {
	t.Helper()
	o, err := c.GetObject(context.Background(), bucket, key, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = o.Close() }()
	var got bytes.Buffer
	if _, err := got.ReadFrom(o); err != nil || got.String() != body {
		t.Fatalf("object %s: %q, %v", key, got.String(), err)
	}
}

// Stopped and started again, everything is there, under the same addresses
// and with the same secrets; the path needs quoting everywhere.
func TestStopAndStart(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		ctx := context.Background()
		dir := filepath.Join(t.TempDir(), `data "of" Zoë's \ server`)
		e := start(t, options(t, dir, ""))
		if want := map[string]string{EngineMiniredis: EngineMiniredis, EngineRedis: EngineRedis}[engine]; engine == EngineMiniredis {
			stop(t, e)
			dir = filepath.Join(t.TempDir(), "in process")
			e = start(t, options(t, dir, want))
		}
		if e.RedisEngine != engine || e.RedisNote == "" || !strings.Contains(e.RedisCLI(), "redis-cli -p ") {
			t.Fatalf("engine %s, note %q, %s", e.RedisEngine, e.RedisNote, e.RedisCLI())
		}
		rdb := client(t, e.RedisURL)
		if err := rdb.HSet(ctx, "rq:job:1", "status", "queued", "data", "\x80\x05\x95\x00\xff").Err(); err != nil {
			t.Fatal(err)
		}
		if err := rdb.Expire(ctx, "rq:job:1", time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		putObject(t, objects(t, e.S3Endpoint, e.AccessKey, e.SecretKey), "temp/a/b", "content")
		stop(t, e)
		if _, err := net.DialTimeout("tcp", strings.TrimPrefix(e.S3Endpoint, "http://"), time.Second); err == nil {
			t.Error("S3 still listens after Stop")
		}

		again := start(t, options(t, dir, ""))
		if again.RedisURL != e.RedisURL || again.S3Endpoint != e.S3Endpoint || again.SecretKey != e.SecretKey || again.RedisEngine != engine {
			t.Error("started again with other addresses, secrets or engine")
		}
		rdb = client(t, again.RedisURL)
		if got, err := rdb.HGet(ctx, "rq:job:1", "data").Result(); err != nil || got != "\x80\x05\x95\x00\xff" {
			t.Errorf("the job's data: %q, %v", got, err)
		}
		if ttl := rdb.TTL(ctx, "rq:job:1").Val(); ttl <= 50*time.Minute || ttl > time.Hour {
			t.Errorf("the job's TTL: %v", ttl)
		}
		wantObject(t, objects(t, again.S3Endpoint, again.AccessKey, again.SecretKey), "temp/a/b", "content")
		select {
		case err := <-again.Failed():
			t.Errorf("reported as failed: %v", err)
		default:
		}
	})
}

func TestFilesArePrivate(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		dir := filepath.Join(t.TempDir(), "data")
		e := start(t, options(t, dir, engine))
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the data directory: %v, %v", info.Mode(), err)
		}
		for _, name := range []string{"redis-password", "s3-credentials", "ports.json", "engine", "lock"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", name, info, err)
			}
		}
		if engine == EngineRedis {
			info, err := os.Stat(filepath.Join(dir, "redis", "redis.conf"))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("redis.conf: %v, %v", info, err)
			}
			pid := e.redis.(*redisChild).current.pid
			argv, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if password, _ := e.data.redisPassword(); err == nil && bytes.Contains(argv, []byte(password)) {
				t.Error("the password is on the command line")
			}
		}
		// A wrong password gets nothing.
		c := redis.NewClient(&redis.Options{Addr: strings.Split(e.RedisURL, "@")[1][:len("127.0.0.1:20000")], Password: "wrong", MaxRetries: -1})
		defer func() { _ = c.Close() }()
		if err := c.Ping(context.Background()).Err(); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
			t.Errorf("with a wrong password: %v", err)
		}
	})
}

// The settings of a client library as it comes: nothing it asks for at the
// start of a connection may end up as noise in docsvc's output.
func TestClientHandshakeIsQuiet(t *testing.T) {
	log := &logs{}
	redis.SetLogger(log) // before any parallel test goes on
	defer redis.SetLogger(silence{})
	for _, engine := range []string{EngineMiniredis, EngineRedis} {
		if engine == EngineRedis && redistest.Binary() == "" {
			continue
		}
		e := start(t, options(t, t.TempDir(), engine))
		for _, protocol := range []int{2, 3} {
			o, err := redis.ParseURL(e.RedisURL)
			if err != nil {
				t.Fatal(err)
			}
			o.Protocol, o.ClientName = protocol, "docsvc"
			c := redis.NewClient(o)
			ctx := context.Background()
			if err := c.Set(ctx, "k", "v", time.Minute).Err(); err != nil {
				t.Errorf("%s, RESP%d: %v", engine, protocol, err)
			}
			list, err := c.ClientList(ctx).Result()
			if err != nil || !strings.Contains(list, "name=docsvc") || engine == EngineMiniredis && !strings.Contains(list, "lib-name=go-redis") {
				t.Errorf("%s, RESP%d: CLIENT LIST: %q, %v", engine, protocol, list, err)
			}
			_ = c.Close()
		}
		stop(t, e)
	}
	if text := log.String(); text != "" {
		t.Errorf("go-redis said: %s", text)
	}
}

// silence is for tests in which servers are killed on purpose.
type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

type logs struct{ strings.Builder }

func (l *logs) Printf(_ context.Context, format string, v ...any) { fmt.Fprintf(l, format+"\n", v...) }

func TestSecondServerOnADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	_, err := Start(context.Background(), options(t, dir, EngineMiniredis))
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("in use by another docsvc (pid %d)", os.Getpid())) {
		t.Fatalf("started twice: %v", err)
	}
	stop(t, e)
	start(t, options(t, dir, EngineMiniredis))
}

func TestStopTwice(t *testing.T) {
	t.Parallel()
	e := start(t, options(t, t.TempDir(), EngineMiniredis))
	for range 2 {
		stop(t, e)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, engine string) {
		for _, what := range []string{"Redis", "S3"} {
			dir := filepath.Join(t.TempDir(), what)
			e := start(t, options(t, dir, engine))
			port := map[string]int{"Redis": e.data.ports.Redis, "S3": e.data.ports.S3}[what]
			stop(t, e)
			l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Start(context.Background(), options(t, dir, ""))
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d, on which %s of the data directory", port, what)) || !strings.Contains(err.Error(), "ports.json") {
				t.Errorf("%s: %v", what, err)
			}
			_ = l.Close()
			again := start(t, options(t, dir, ""))
			if again.data.ports != e.data.ports {
				t.Errorf("other ports: %v, %v", again.data.ports, e.data.ports)
			}
			stop(t, again)
			// As the message says: without the file new ones are chosen.
			if err := os.Remove(filepath.Join(dir, "ports.json")); err != nil {
				t.Fatal(err)
			}
			stop(t, start(t, options(t, dir, "")))
		}
	})
}

func TestUnusableDirectories(t *testing.T) {
	t.Parallel()
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.txt"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	readOnly := filepath.Join(t.TempDir(), "read only")
	if err := os.Mkdir(readOnly, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		readOnly = "/proc/1" // not even root can write there
	}
	for name, tc := range map[string]struct{ dir, want string }{
		"foreign":   {foreign, "has other things in it and is not a docsvc data directory"},
		"a file":    {file, "cannot be used"},
		"in a file": {filepath.Join(file, "data"), "cannot be used"},
		"read-only": {filepath.Join(readOnly, "data"), "cannot be used"},
	} {
		_, err := Start(context.Background(), options(t, tc.dir, EngineMiniredis))
		if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "--data-dir") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if left, _ := os.ReadDir(foreign); len(left) != 1 {
		t.Errorf("something was put into a foreign directory: %v", left)
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	slow := filepath.Join(t.TempDir(), "redis-server")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	o := options(t, dir, EngineRedis)
	o.find = func(string) (string, error) { return slow, nil }
	if _, err := Start(ctx, o); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v", err)
	}
	// Nothing holds the directory, and no engine was recorded.
	start(t, options(t, dir, EngineMiniredis))
}
