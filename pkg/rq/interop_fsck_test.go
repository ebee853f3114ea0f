package rq_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// What Python's producers and workers do in TestFsckFindsNothingWithPython:
// every way a job can go.
const (
	fsckTasks = `
import time
def quick(n): return n
def slow(s): time.sleep(s)
def boom(): raise ValueError("boom")
`
	fsckProducer = `
import sys, time, random
from redis import Redis
from rq import Queue, Retry, Repeat
from rq.group import Group
r = Redis.from_url(sys.argv[1])
high, low = Queue("high", connection=r), Queue("low", connection=r)
n = 0
while True:
    n += 1
    q = high if n % 2 else low
    j = q.enqueue("fscktasks.quick", n, result_ttl=2)
    q.enqueue("fscktasks.quick", n, depends_on=j, at_front=True)
    if n % 5 == 0:
        q.enqueue("fscktasks.boom", retry=Retry(max=2, interval=[0, 1]), failure_ttl=5)
    if n % 7 == 0:
        q.enqueue("fscktasks.slow", 0.5)
        q.enqueue("fscktasks.quick", 1).cancel()
    if n % 11 == 0:
        from datetime import timedelta
        q.enqueue_in(timedelta(seconds=1), "fscktasks.quick", n)
        Group.create(connection=r).enqueue_many(q, [Queue.prepare_data("fscktasks.quick", (1,), result_ttl=1)])
    time.sleep(0.05)
`
)

// Beside Python's producers, workers and schedulers at work nothing is found.
func TestFsckFindsNothingWithPython(t *testing.T) {
	t.Parallel()
	python := redistest.Python(t)
	s := redistest.Start(t, redistest.RedisServer)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "fscktasks.py"), []byte(fsckTasks), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func(args ...string) {
		t.Helper()
		c := exec.Command(python, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "PYTHONPATH="+dir)
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			_ = c.Wait()
			if t.Failed() {
				t.Logf("%v:\n%.2000s", args, out.String())
			}
		})
	}
	start("-m", "rq.cli", "worker", "--url", s.URL, "--with-scheduler", "high", "low") // pops from several queues
	start("-m", "rq.cli", "worker", "--url", s.URL, "low")                             // by way of the intermediate list
	start("-c", fsckProducer, s.URL)

	c := rq.New(s.Client(t), rq.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for { // until jobs of several kinds have ended
		info, err := c.QueueInfo(ctx, []string{"high", "low"})
		if err != nil {
			t.Fatal(err)
		}
		if info[0].Finished > 0 && info[1].Finished > 0 && info[0].Failed+info[1].Failed > 0 {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	for range 2 {
		var undo bytes.Buffer
		// Python writes in several steps, between which a loaded machine may leave it waiting.
		r, err := c.Fsck(ctx, rq.FsckOptions{Age: 5 * time.Second, Fix: true, Undo: &undo})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range r.Findings {
			t.Errorf("found in a healthy system: %+v", x)
		}
	}
}
