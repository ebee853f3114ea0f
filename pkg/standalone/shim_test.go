package standalone

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// What RQ's tools and docsvc's own health check ask for.
func TestShimAnswers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	e := start(t, options(t, t.TempDir(), EngineMiniredis))
	o, err := redis.ParseURL(e.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	o.ClientName = "worker-1"
	for _, protocol := range []int{2, 3} {
		o.Protocol = protocol
		c := redis.NewClient(o)
		conn := c.Conn()
		id, err := conn.ClientID(ctx).Result()
		if err != nil || id <= 0 {
			t.Errorf("CLIENT ID: %d, %v", id, err)
		}
		info, err := conn.ClientInfo(ctx).Result()
		if err != nil || info.ID != id || info.Name != "worker-1" || !strings.HasPrefix(info.LibName, "go-redis") {
			t.Errorf("CLIENT INFO: %+v, %v", info, err)
		}
		if list := conn.ClientList(ctx).Val(); !strings.Contains(list, fmt.Sprintf("id=%d addr=127.0.0.1:0 ", id)) {
			t.Errorf("CLIENT LIST: %s", list)
		}
		config, err := conn.ConfigGet(ctx, "maxmemory*").Result()
		if err != nil || len(config) != 2 || config["maxmemory-policy"] != "noeviction" {
			t.Errorf("CONFIG GET: %v, %v", config, err)
		}
		all := conn.Info(ctx).Val()
		for _, want := range []string{"redis_version:7.0.0\r\n", "maxmemory_policy:noeviction\r\n", "# Persistence\r\n", "role:master", fmt.Sprintf("process_id:%d\r\n", os.Getpid())} {
			if !strings.Contains(all, want) {
				t.Errorf("INFO lacks %q: %s", want, all)
			}
		}
		if server := conn.Info(ctx, "server", "keyspace").Val(); !strings.HasPrefix(server, "# Server\r\n") || strings.Contains(server, "# Memory") {
			t.Errorf("INFO server keyspace: %s", server)
		}
		if conn.Set(ctx, "k", "v", 0); !strings.Contains(conn.Info(ctx, "keyspace").Val(), "db0:keys=1,") {
			t.Errorf("INFO keyspace: %s", conn.Info(ctx, "keyspace").Val())
		}
		_ = conn.Close()
		_ = c.Close()
	}
	eventually(t, "the end of the connections", func() bool {
		c := client(t, e.RedisURL)
		defer func() { _ = c.Close() }()
		return strings.Count(c.ClientList(ctx).Val(), "\n") == 1
	})
}

// Nothing is accepted that a snapshot would silently lose.
func TestShimRefuses(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rdb := client(t, start(t, options(t, t.TempDir(), EngineMiniredis)).RedisURL)
	rdb.Set(ctx, "k", "v", 0)
	rdb.HSet(ctx, "h", "f", "v")
	rdb.XAdd(ctx, &redis.XAddArgs{Stream: "s", Values: []any{"f", "v"}})
	for _, command := range [][]any{
		{"SELECT", "1"}, {"MOVE", "k", "1"}, {"SWAPDB", "0", "1"}, {"COPY", "k", "k2", "DB", "1"}, {"PFADD", "hll", "a"}, {"PFMERGE", "x", "hll"},
		{"HEXPIRE", "h", "10", "FIELDS", "1", "f"}, {"XGROUP", "CREATE", "s", "g", "$"},
	} {
		if err := rdb.Do(ctx, command...).Err(); err == nil || !strings.Contains(err.Error(), "out of range") && !strings.Contains(err.Error(), "in-process Redis") {
			t.Errorf("%v: %v", command, err)
		}
		script := "return redis.call(" + strings.Repeat("ARGV[%d],", len(command))
		for i := range command {
			script = strings.Replace(script, "%d", fmt.Sprint(i+1), 1)
		}
		if err := rdb.Eval(ctx, strings.TrimSuffix(script, ",")+")", nil, command...).Err(); err == nil {
			t.Errorf("%v was accepted from a script", command)
		}
	}
	for _, command := range [][]any{{"SELECT", "0"}, {"COPY", "k", "k2"}} {
		if err := rdb.Do(ctx, command...).Err(); err != nil {
			t.Errorf("%v: %v", command, err)
		}
	}
}

// Nothing is told to who has not given the password.
func TestShimAsksForThePassword(t *testing.T) {
	t.Parallel()
	e := start(t, options(t, t.TempDir(), EngineMiniredis))
	o, err := redis.ParseURL(e.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", o.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for command, want := range map[string]string{
		"CLIENT LIST": "-", "INFO": "-", "CONFIG GET *": "-", "GET k": "-NOAUTH", "SET k v": "-NOAUTH",
		"AUTH default wrong": "-WRONGPASS", "AUTH docsvc-loader x": "-WRONGPASS", "HELLO 3 AUTH default wrong": "-WRONGPASS",
	} {
		args := strings.Fields(command)
		line := fmt.Sprintf("*%d\r\n", len(args))
		for _, a := range args {
			line += fmt.Sprintf("$%d\r\n%s\r\n", len(a), a)
		}
		if _, err := conn.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 1000)
		n, err := conn.Read(buf)
		if err != nil || !bytes.HasPrefix(buf[:n], []byte(want)) {
			t.Errorf("%s: %q, %v", command, buf[:n], err)
		}
	}
}

// Below .cache lies what the test script fetched; nothing is installed.
func cached(t *testing.T, name string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..", ".cache", filepath.FromSlash(name))
}

// Python's rq, as its users run it: info, a producer, a burst worker, requeue.
func TestPythonRQ(t *testing.T) {
	t.Parallel()
	python := redistest.Python(t)
	eachEngine(t, func(t *testing.T, engine string) {
		ctx := context.Background()
		e := start(t, options(t, t.TempDir(), engine))
		dir := t.TempDir()
		module := "import os\n\ndef double(x):\n    return 2 * x\n\ndef fail():\n    raise ValueError('no')\n"
		if err := os.WriteFile(filepath.Join(dir, "jobs.py"), []byte(module), 0o600); err != nil {
			t.Fatal(err)
		}
		run := func(args ...string) string {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, python, args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "RQ_REDIS_URL="+e.RedisURL, "PYTHONDONTWRITEBYTECODE=1")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s %s: %v\n%s", engine, strings.Join(args, " "), err, out)
			}
			return string(out)
		}
		rq := func(args ...string) string { return run(append([]string{"-m", "rq.cli"}, args...)...) }
		produce := `import os, redis, rq, jobs
q = rq.Queue('q', connection=redis.Redis.from_url(os.environ['RQ_REDIS_URL']))
print(q.enqueue(jobs.double, 21, job_id='good').id, q.enqueue(jobs.fail, job_id='bad').id)`
		if out := run("-c", produce); out != "good bad\n" {
			t.Fatalf("producing: %s", out)
		}
		if out := rq("info", "-u", e.RedisURL); !strings.Contains(out, "q ") || !strings.Contains(out, "2 jobs total") {
			t.Errorf("rq info: %s", out)
		}
		if out := rq("worker", "-u", e.RedisURL, "--burst", "--name", "python-1", "q"); !strings.Contains(out, "Job OK (good)") {
			t.Errorf("rq worker: %s", out)
		}
		ask := `import os, redis, rq
c = redis.Redis.from_url(os.environ['RQ_REDIS_URL'])
good, bad = rq.job.Job.fetch('good', c), rq.job.Job.fetch('bad', c)
print(good.get_status().value, good.return_value(), bad.get_status().value, 'ValueError: no' in bad.latest_result().exc_string)`
		if out := run("-c", ask); !strings.Contains(out, "finished 42") || !strings.Contains(out, "failed True") {
			t.Errorf("the jobs: %s", out)
		}
		rq("requeue", "-u", e.RedisURL, "--queue", "q", "bad")
		rdb := client(t, e.RedisURL)
		if n := rdb.LLen(ctx, "rq:queue:q").Val(); n != 1 {
			t.Errorf("%d jobs after requeue", n)
		}
		// A worker that waits (BLMOVE, pub/sub) sees what comes and what is told.
		waiting := exec.Command(python, "-m", "rq.cli", "worker", "-u", e.RedisURL, "--name", "python-2", "later")
		waiting.Dir, waiting.Env = dir, append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
		var log bytes.Buffer
		waiting.Stdout, waiting.Stderr = &log, &log
		if err := waiting.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = waiting.Process.Kill() }()
		eventually(t, "an idle worker", func() bool {
			return rdb.HGet(ctx, "rq:worker:python-2", "state").Val() == "idle" && rdb.SCard(ctx, "rq:workers").Val() == 1
		})
		run("-c", strings.NewReplacer("Queue('q'", "Queue('later'", "q.enqueue(jobs.fail, job_id='bad').id", "''", "'good'", "'late'").Replace(produce))
		eventually(t, "the late job", func() bool { return rdb.HGet(ctx, "rq:job:late", "status").Val() == "finished" })
		if out := rq("info", "-u", e.RedisURL); !strings.Contains(out, "1 workers, 2 queues") || !strings.Contains(out, "python-2") {
			t.Errorf("rq info: %s", out)
		}
		run("-c", `import os, redis
from rq.command import send_shutdown_command
send_shutdown_command(redis.Redis.from_url(os.environ['RQ_REDIS_URL']), 'python-2')`)
		if err := waiting.Wait(); err != nil {
			t.Errorf("the waiting worker: %v\n%s", err, log.String())
		}
	})
}

func TestRedisCLI(t *testing.T) {
	t.Parallel()
	cli, err := exec.LookPath("redis-cli")
	env := os.Environ()
	if err != nil {
		cli = cached(t, "redis/usr/bin/redis-cli")
		libs, _ := filepath.Glob(cached(t, "redis/usr/lib/*"))
		env = append(env, "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	}
	probe := exec.Command(cli, "--version")
	probe.Env = env
	if err := probe.Run(); err != nil {
		t.Skip("no redis-cli on PATH or below .cache")
	}
	eachEngine(t, func(t *testing.T, engine string) {
		e := start(t, options(t, filepath.Join(t.TempDir(), "it's data"), engine))
		line := strings.Replace(e.RedisCLI(), "redis-cli", `"$CLI" --no-auth-warning`, 1)
		for command, want := range map[string]string{
			"set k v": "OK", "lpush l a b": "2", "info server": "redis_version", "ping": "PONG", "client list": "name=", "--scan": "",
		} {
			cmd := exec.Command("sh", "-c", line+" "+command)
			cmd.Env = append(slices.Clone(env), "CLI="+cli)
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %s, %v", command, out, err)
			}
		}
	})
}
