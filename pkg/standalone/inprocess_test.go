package standalone

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Without anybody's help keys expire, and expired ones are not there.
func TestTTLsRun(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	rdb := client(t, start(t, options(t, t.TempDir(), EngineMiniredis)).RedisURL)
	if err := rdb.Set(ctx, "k", "v", 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(ctx, "stays", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of a key", func() bool { return rdb.Exists(ctx, "k").Val() == 0 })
	if rdb.Exists(ctx, "stays").Val() != 1 {
		t.Error("another key went too")
	}
}

// A snapshot is the state at one instant, however busy Redis is: every
// transaction is in it as a whole or not at all.
func TestSnapshotIsConsistent(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	in := e.redis.(*inProcess)
	done := make(chan struct{})
	var writers [4]*redis.Client
	finished := make(chan error, len(writers))
	for w := range writers {
		writers[w] = client(t, e.RedisURL)
		go func() {
			for n := 0; !closed(done); n++ {
				var err error
				if n%2 == 0 {
					_, err = writers[w].TxPipelined(ctx, func(p redis.Pipeliner) error {
						p.Incr(ctx, "a")
						p.HIncrBy(ctx, "h", fmt.Sprint(w), 1)
						p.RPush(ctx, "l", n)
						return nil
					})
				} else {
					err = writers[w].Eval(ctx, "redis.call('INCR', 'a') redis.call('HINCRBY', 'h', ARGV[1], 1) return redis.call('RPUSH', 'l', ARGV[1])", nil, fmt.Sprint(w)).Err()
				}
				if err != nil {
					finished <- err
					return
				}
			}
			finished <- nil
		}()
	}
	for range 20 {
		if err := in.save(); err != nil {
			t.Fatal(err)
		}
		ks, err := readSnapshot(filepath.Join(dir, "redis"))
		if err != nil {
			t.Fatal(err)
		}
		var a, h, l int
		for _, c := range ks.commands {
			switch {
			case c[1] == "a":
				_, _ = fmt.Sscan(c[2], &a)
			case c[1] == "h":
				for i := 3; i < len(c); i += 2 {
					var n int
					_, _ = fmt.Sscan(c[i], &n)
					h += n
				}
			case c[1] == "l":
				l += len(c) - 2
			}
		}
		if a != h || a != l {
			t.Fatalf("a transaction is in the snapshot in part: %d, %d, %d", a, h, l)
		}
	}
	close(done)
	for range writers {
		if err := <-finished; err != nil {
			t.Error(err)
		}
	}
}

// A snapshot is written when something changed, by itself, and only then.
func TestSnapshotsFollowChanges(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	in := e.redis.(*inProcess)
	rdb := client(t, e.RedisURL)
	for name, write := range map[string]func() error{
		"a command": func() error { return rdb.Set(ctx, "k", time.Now().String(), 0).Err() },
		"a script":  func() error { return rdb.Eval(ctx, "return redis.call('INCR', 'n')", nil).Err() },
		"a transaction": func() error {
			_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error { return p.Incr(ctx, "n").Err() })
			return err
		},
	} {
		eventually(t, "quiet", func() bool { return !in.unsaved() })
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if !in.unsaved() {
			t.Errorf("%s was not noticed", name)
		}
	}
	eventually(t, "quiet", func() bool { return !in.unsaved() })
	for name, read := range map[string]func() error{
		"reads":  func() error { return rdb.Get(ctx, "k").Err() },
		"script": func() error { return rdb.Eval(ctx, "return redis.call('GET', 'k')", nil).Err() },
		"ping":   func() error { return rdb.Ping(ctx).Err() },
		"info":   func() error { return rdb.Info(ctx).Err() },
	} {
		if err := read(); err != nil {
			t.Fatal(err)
		}
		if in.unsaved() {
			t.Errorf("%s was taken for a change", name)
		}
	}
}

// Whatever was acknowledged before an orderly end is there afterwards, also
// when clients go on to the last moment.
func TestStopKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	rdb := quietClient(t, e.RedisURL)
	last := make(chan int64)
	running := make(chan struct{}, 1_000_000)
	go func() {
		var acked int64
		for {
			n, err := rdb.Incr(ctx, "n").Result()
			if err != nil {
				last <- acked
				return
			}
			acked = n
			running <- struct{}{}
		}
	}()
	<-running
	stop(t, e)
	acked := <-last
	got, err := client(t, start(t, options(t, dir, "")).RedisURL).Get(ctx, "n").Int64()
	if err != nil || got < acked {
		t.Errorf("%d increments were acknowledged, %d are there, %v", acked, got, err)
	}
}

// A snapshot that cannot be written is tried again, and INFO tells it.
func TestSnapshotsThatFail(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	in := e.redis.(*inProcess)
	rdb := client(t, e.RedisURL)
	if err := os.RemoveAll(filepath.Join(dir, "redis")); err != nil {
		t.Fatal(err)
	}
	if err := rdb.Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := in.save(); err == nil || !in.unsaved() {
		t.Errorf("without a directory: %v", err)
	}
	if got := rdb.Info(ctx, "persistence").Val(); !strings.Contains(got, "rdb_last_bgsave_status:err") {
		t.Errorf("INFO: %s", got)
	}
	if err := os.Mkdir(filepath.Join(dir, "redis"), 0o700); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a snapshot", func() bool {
		ks, err := readSnapshot(filepath.Join(dir, "redis"))
		return err == nil && ks.keys == 1
	})
	eventually(t, "INFO to say so", func() bool { return strings.Contains(rdb.Info(ctx, "persistence").Val(), "rdb_last_bgsave_status:ok") })
}

// BenchmarkInProcess measures what 10,000 jobs cost the in-process engine: one
// snapshot and one step of the clock.
func BenchmarkInProcess(b *testing.B) {
	ctx := context.Background()
	e, err := Start(ctx, Options{Dir: b.TempDir(), Engine: EngineMiniredis})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Stop(ctx) }()
	o, err := redis.ParseURL(e.RedisURL)
	if err != nil {
		b.Fatal(err)
	}
	rdb := redis.NewClient(o)
	defer func() { _ = rdb.Close() }()
	const jobs = manyKeys
	for n := 0; n < jobs; n += 500 {
		p := rdb.Pipeline()
		for i := n; i < n+500; i++ {
			id := fmt.Sprintf("%036d", i)
			var fields []any
			for f := range 18 {
				fields = append(fields, fmt.Sprintf("field%d", f), strings.Repeat("v", 30))
			}
			p.HSet(ctx, "rq:job:"+id, fields...)
			p.Expire(ctx, "rq:job:"+id, 24*time.Hour)
			p.ZAdd(ctx, "rq:finished:q", redis.Z{Score: float64(i) + 0.5, Member: id})
		}
		if _, err := p.Exec(ctx); err != nil {
			b.Fatal(err)
		}
	}
	in := e.redis.(*inProcess)
	b.Run("locked", func(b *testing.B) {
		for b.Loop() {
			in.mini.Lock()
			in.memory.values()
			in.mini.Unlock()
		}
	})
	b.Run("capture", func(b *testing.B) {
		for b.Loop() {
			if _, err := in.memory.capture(time.Now()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("save", func(b *testing.B) {
		for b.Loop() {
			if err := in.save(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("clock", func(b *testing.B) {
		for b.Loop() {
			in.mini.FastForward(time.Millisecond)
		}
	})
}
