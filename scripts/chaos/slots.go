package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

// productLease is the lease of an execution in the product.
const productLease = 12 * time.Second

// draw is a source of random numbers for several goroutines.
type draw struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDraw(seed uint64, purpose string) *draw { return &draw{r: stream(seed, purpose)} }

func (d *draw) intn(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

func (d *draw) between(low, high time.Duration) time.Duration {
	return low + time.Duration(d.intn(int(high-low)))
}

// makeSlots makes the places of all processes. Restarts and failpoints of each
// are drawn from a stream of its own.
func (x *run) makeSlots() {
	x.redis = x.slot(roleRedis, 0, x.redisCommand, func(d *draw) time.Duration { return d.between(0, time.Second) })
	x.s3 = x.slot(roleS3, 0, x.s3Command, func(d *draw) time.Duration { return d.between(0, 2*time.Second) })
	for i := range x.o.serves {
		x.serves = append(x.serves, x.slot(roleServe, i, x.serveCommand, func(d *draw) time.Duration { return d.between(0, time.Second) }))
	}
	for i := range x.o.workers {
		x.workers = append(x.workers, x.slot(roleWorker, i, x.workerCommand, x.workerPause))
	}
}

func (x *run) slot(role string, i int, command func(*draw, int, int) (*exec.Cmd, string, string), pause func(*draw) time.Duration) *slot {
	d := newDraw(x.o.seed, fmt.Sprintf("%s %d", role, i))
	s := &slot{selfStop: func() time.Duration { return d.between(500*time.Millisecond, x.o.lease+4*time.Second) }, role: role, index: i, log: filepath.Join(x.site.dir, fmt.Sprintf("%s%d.log", role, i)), died: x.deaths.add, deadly: x.o.deadly > 0}
	s.command = func(gen int) (*exec.Cmd, string, string) {
		cmd, name, point := command(d, i, gen)
		cmd.Dir = x.site.dir
		if s.healed() {
			point = ""
		}
		if point != "" {
			cmd.Env = append(cmd.Env, "FAILPOINT="+point)
		}
		return cmd, name, point
	}
	s.pause = func() time.Duration { return pause(d) }
	return s
}

// workerPause is mostly short; once in a while others must take over by lease.
func (x *run) workerPause(d *draw) time.Duration {
	switch n := d.intn(100); {
	case n < 55:
		return 0
	case n < 92:
		return d.between(100*time.Millisecond, 2*time.Second)
	}
	return d.between(x.o.lease, x.o.lease+4*time.Second)
}

func (x *run) redisCommand(_ *draw, _, gen int) (*exec.Cmd, string, string) {
	if gen > 0 {
		x.power.lose(x.deaths.list())
	}
	host, port, _ := net.SplitHostPort(x.site.redisAddr)
	return exec.Command(x.site.server, "--bind", host, "--port", port, "--dir", x.site.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", x.o.fsync, "--maxmemory-policy", "noeviction",
		"--auto-aof-rewrite-percentage", "0"), "redis", ""
}

func (x *run) s3Command(*draw, int, int) (*exec.Cmd, string, string) {
	return exec.Command(x.site.self, "s3", x.site.s3Addr, filepath.Join(x.site.dir, "objects")), "s3", ""
}

func (x *run) serveCommand(d *draw, i, _ int) (*exec.Cmd, string, string) {
	cmd := exec.Command(x.site.binary, "serve", "--addr", x.site.apis[i])
	cmd.Env = x.site.env(x.site.serves[i].redis.Listen, x.site.serves[i].s3.Listen, x.failpointEnv(roleServe)...)
	return cmd, fmt.Sprintf("serve%d", i), x.points.choose(d, roleServe)
}

func (x *run) workerCommand(d *draw, i, gen int) (*exec.Cmd, string, string) {
	name := fmt.Sprintf("w%d", i)
	if d.intn(10) < 3 {
		name = fmt.Sprintf("w%dg%d", i, gen) // nobody comes back under the old name
	}
	cmd := exec.Command(x.site.binary, "worker", "--queues", documentQueue+","+chaosQueue+",cleanup_tasks",
		"--name", name, "--concurrency", fmt.Sprint(x.o.concurrency))
	cmd.Env = x.site.env(x.site.workers[i].redis.Listen, x.site.workers[i].s3.Listen, x.failpointEnv(roleWorker)...)
	return cmd, name, x.points.choose(d, roleWorker)
}

func (x *run) failpointEnv(role string) []string {
	env := []string{
		"FAILPOINT_SEEN=" + x.points.file(role), "FAILPOINT_HISTORY=" + filepath.Join(x.site.dir, "history.jsonl"),
		fmt.Sprintf("FAILPOINT_RECOVERY_LIMIT=%d", x.o.recoveryLimit),
	}
	if x.o.lease != productLease {
		env = append(env, "FAILPOINT_LEASE="+x.o.lease.String())
	}
	return env
}
