package rq

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

type answer string

func (a answer) Error() string { return string(a) }
func (a answer) RedisError()   {}

func TestIsUnavailable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{redis.Nil, false},
		{context.Canceled, false},
		{errors.New("something else"), false},
		{answer("ERR unknown command"), false},
		{answer("WRONGTYPE Operation"), false},
		{answer("NOAUTH Authentication required"), false},
		{answer("OOMPH no"), false},
		{&StateError{}, false},
		{answer("OOM command not allowed when used memory > 'maxmemory'."), true},
		{answer("LOADING Redis is loading the dataset in memory"), true},
		{answer("READONLY You can't write against a read only replica."), true},
		{answer("MASTERDOWN Link with MASTER is down"), true},
		{answer("MISCONF Redis is configured to save RDB snapshots"), true},
		{answer("NOREPLICAS Not enough good replicas to write."), true},
		{answer("BUSY Redis is busy running a script."), true},
		{answer("ERR max number of clients reached"), true},
		{context.DeadlineExceeded, true},
		{redis.ErrPoolTimeout, true},
		{io.EOF, true},
		{&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, true},
		{fmt.Errorf("claiming: %w", &net.OpError{Op: "read", Err: syscall.ECONNRESET}), true},
		{fmt.Errorf("claiming: %w", answer("LOADING x")), true},
	} {
		if got := IsUnavailable(c.err); got != c.want {
			t.Errorf("%v: %v, want %v", c.err, got, c.want)
		}
	}
}

// every does each transition of the job that startedJob and queuedJob seed.
func every(ctx context.Context, c *Client) map[string]func() error {
	j := decodeJob("j1", []string{"origin", "q"}, nil)
	return map[string]func() error{
		"enqueue": func() error { _, err := c.Enqueue(ctx, Spec{ID: "new", Queue: "q", Func: "f"}); return err },
		"claim": func() error {
			_, err := c.Claim(ctx, ClaimRequest{Worker: []string{"w2"}, Queues: []string{"q"}})
			return err
		},
		"finish": func() error {
			_, err := c.Finish(ctx, []Outcome{{Execution: e1, Job: j, Result: strings.Repeat("x", 100)}})
			return err
		},
		"drain": func() error {
			_, err := c.Finish(ctx, []Outcome{{Execution: e1, Job: j, Kind: OutcomeReturnHead}})
			return err
		},
		"progress": func() error { return c.Progress(ctx, e1, []Effect{HSet("doc", "a", "b")}, nil) },
		"heartbeat": func() error {
			_, err := c.Heartbeat(ctx, []WorkerBeat{{Name: "w1"}}, []Beat{{Execution: e1}})
			return err
		},
		"cancel":  func() error { _, err := c.Cancel(ctx, "j2"); return err },
		"requeue": func() error { _, err := c.Requeue(ctx, "j3", RequeueOptions{}); return err },
		"recover": func() error { _, err := c.RecoverExpired(ctx, []string{"q"}); return err },
		"due":     func() error { _, _, err := c.MoveDue(ctx, []string{"q"}, time.Time{}); return err },
		"apply":   func() error { return c.Apply(ctx, nil, []Effect{ZAdd("gone", 1, "d")}, nil) },
		"apply, deleting nothing": func() error {
			return c.Apply(ctx, nil, []Effect{ZAdd("gone", 1, "d"), Del("doc").When(Guard{Key: "nobody"})}, nil)
		},
		"register": func() error { return c.RegisterWorkers(ctx, []WorkerBirth{{Name: "w9", Queues: []string{"q"}}}) },
	}
}

const oneOfEach = startedJob + `
	HSET rq:job:j2 status queued origin q data {call}
	RPUSH rq:queue:q j2
	HSET rq:job:j3 status failed origin q data {call}
	ZADD rq:failed:q 9999999999 j3
	HSET rq:job:j4 status scheduled origin q data {call}
	ZADD rq:scheduled:q 5 j4
	SET docsvc:pulse 1795435200000
`

// lasting is change without times to live, which pass while a test takes its time.
func (f *fixture) lasting(do func()) string {
	return strings.TrimSpace(without(f.change(do), " ttl "))
}

// Redis out of memory, or a replica: nothing is half written.
func TestRefusingRedisLeavesEverything(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ on, off []any }{
		"out of memory": {[]any{"CONFIG", "SET", "maxmemory", "1"}, []any{"CONFIG", "SET", "maxmemory", "0"}},
		"read-only":     {[]any{"REPLICAOF", "127.0.0.1", "1"}, []any{"REPLICAOF", "NO", "ONE"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := redistest.Start(t, redistest.RedisServer)
			f := newFixture(t, s, Options{})
			ctx := context.Background()
			f.seed(oneOfEach)
			if name == "read-only" {
				f.rdb.ConfigSet(ctx, "replica-serve-stale-data", "yes")
			}
			ops := every(ctx, f.Client)
			if name == "out of memory" {
				for op := range passes(ctx, f.Client) {
					delete(ops, op)
				}
			}
			for op, do := range ops {
				wantChange(t, f.lasting(func() {
					if err := f.rdb.Do(ctx, c.on...).Err(); err != nil {
						t.Fatal(err)
					}
					if err := do(); !IsUnavailable(err) {
						t.Errorf("%s: %v", op, err)
					}
					if err := f.rdb.Do(ctx, c.off...).Err(); err != nil {
						t.Fatal(err)
					}
				}), "")
			}
		})
	}
}

// passes are the transitions that a full Redis takes.
func passes(ctx context.Context, c *Client) map[string]func() error {
	ops := map[string]func() error{
		"cancel started": func() error { _, err := c.Cancel(ctx, "j1"); return err },
		"delete":         func() error { _, err := c.Delete(ctx, "j3", false); return err },
		"delete started": func() error { _, err := c.Delete(ctx, "j1", true); return err },
		"empty":          func() error { _, err := c.Empty(ctx, "q"); return err },
		"delete keys": func() error {
			return c.Apply(ctx, nil, []Effect{ZAdd("gone", 1, "d"), Del("doc")}, map[string]string{"document": "d"})
		},
	}
	all := every(ctx, c)
	for _, op := range []string{"heartbeat", "cancel"} {
		ops[op] = all[op]
	}
	return ops
}

// A full Redis takes signs of life, or jobs that run would be taken from their
// workers, and what makes room; whole, as one with room does.
func TestAFullRedisTakesSignsOfLifeAndDeletions(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	f := newFixture(t, s, Options{})
	ctx := context.Background()
	set := func(memory string) {
		if err := f.rdb.ConfigSet(ctx, "maxmemory", memory).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for op, do := range passes(ctx, f.Client) {
		changed := map[string]string{}
		for _, memory := range []string{"0", "1"} {
			if err := f.rdb.FlushAll(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			f.seed(oneOfEach + "HSET doc a b\n")
			changed[memory] = f.lasting(func() {
				set(memory)
				if err := do(); err != nil {
					t.Errorf("%s with maxmemory %s: %v", op, memory, err)
				}
				set("0")
			})
		}
		if changed["0"] == "" || changed["0"] != changed["1"] {
			t.Errorf("%s with room:\n%s\nfull:\n%s", op, changed["0"], changed["1"])
		}
	}
}

func TestGoneRedisIsUnavailable(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	rdb := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = rdb.Close() }()
	c := New(rdb, Options{})
	for op, do := range every(context.Background(), c) {
		if err := do(); !IsUnavailable(err) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if err := c.Wait(context.Background(), []string{"q"}); !IsUnavailable(err) {
		t.Errorf("wait: %v", err)
	}
	if _, err := c.Commands(context.Background(), []string{"w"}); !IsUnavailable(err) {
		t.Errorf("commands: %v", err)
	}
}
