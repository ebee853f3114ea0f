package standalone

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// fill puts something of every type, and of every awkward kind, into a Redis.
func fill(t *testing.T, rdb *redis.Client) {
	t.Helper()
	ctx := context.Background()
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	p := rdb.Pipeline()
	p.Set(ctx, "string", binary, 0)
	p.Set(ctx, "string:empty", "", 0)
	p.Set(ctx, "string:ttl", "v", 90*time.Second)
	p.Set(ctx, "key with spaces\r\nand lines \xff", "v", 0)
	p.HSet(ctx, "hash", "data", binary, "empty", "", "\x00", "\r\n", "n", "12")
	p.Expire(ctx, "hash", 24*time.Hour)
	p.RPush(ctx, "list", "a", binary, "", "a")
	p.SAdd(ctx, "set", "a", binary, "")
	p.ZAdd(ctx, "zset", redis.Z{Score: math.Inf(1), Member: "inf"}, redis.Z{Score: math.Inf(-1), Member: "-inf"},
		redis.Z{Score: 1e300, Member: "large"}, redis.Z{Score: 5e-324, Member: "small"}, redis.Z{Score: 0.1 + 0.2, Member: binary},
		redis.Z{Score: 1764000000.123456, Member: ""}, redis.Z{Score: math.Copysign(0, -1), Member: "zero"})
	for i := range 2*maxBatch + 5 {
		p.RPush(ctx, "list:long", i)
		p.HSet(ctx, "hash:long", fmt.Sprintf("field%d", i), i)
		p.ZAdd(ctx, "zset:long", redis.Z{Score: rand.NormFloat64() * 1e9, Member: fmt.Sprint(i)})
		p.SAdd(ctx, "set:long", i)
	}
	p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "5-1", Values: []any{"f", binary, "f", ""}})
	p.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "7-0", Values: []any{"f", "v"}})
	p.Expire(ctx, "stream", time.Hour)
	p.XAdd(ctx, &redis.XAddArgs{Stream: "stream:cut", ID: "5-1", Values: []any{"f", "v"}})
	p.XAdd(ctx, &redis.XAddArgs{Stream: "stream:cut", ID: "9-9", Values: []any{"f", "v"}})
	p.XDel(ctx, "stream:cut", "9-9")
	p.XAdd(ctx, &redis.XAddArgs{Stream: "stream:empty", ID: "3-3", Values: []any{"f", "v"}})
	p.XDel(ctx, "stream:empty", "3-3")
	if _, err := p.Exec(ctx); err != nil {
		t.Fatal(err)
	}
}

// shown is a key's content in a form that can be compared, whatever order sets
// and hashes come in, and when it expires.
type shown struct {
	content string
	ends    time.Time // zero: never
}

func content(t *testing.T, rdb *redis.Client) map[string]shown {
	t.Helper()
	ctx := context.Background()
	out := map[string]shown{}
	for _, key := range rdb.Keys(ctx, "*").Val() {
		var v any
		var err error
		switch kind := rdb.Type(ctx, key).Val(); kind {
		case "string":
			v, err = rdb.Get(ctx, key).Result()
		case "hash":
			v, err = rdb.HGetAll(ctx, key).Result() // printed in order of its fields
		case "list":
			v, err = rdb.LRange(ctx, key, 0, -1).Result()
		case "set":
			var members []string
			members, err = rdb.SMembers(ctx, key).Result()
			slices.Sort(members)
			v = members
		case "zset":
			var members []redis.Z
			members, err = rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
			for i := range members {
				members[i].Score += 0 // engines differ in whether -0 keeps its sign
			}
			v = members
		case "stream":
			var entries []redis.XMessage
			entries, err = rdb.XRange(ctx, key, "-", "+").Result()
			next := rdb.XAdd(ctx, &redis.XAddArgs{Stream: "copy", ID: "1-1", Values: []any{"f", "v"}}).Err()
			rdb.Del(ctx, "copy")
			v = []any{entries, next, lastID(t, rdb, key)}
		default:
			t.Fatalf("key %q of type %s", key, kind)
		}
		if err != nil {
			t.Fatal(err)
		}
		s := shown{content: fmt.Sprintf("%q", fmt.Sprint(v))}
		if ttl := rdb.PTTL(ctx, key).Val(); ttl > 0 {
			s.ends = time.Now().Add(ttl)
		}
		out[key] = s
	}
	return out
}

func lastID(t *testing.T, rdb *redis.Client, key string) string {
	t.Helper()
	info, err := rdb.Do(context.Background(), "XINFO", "STREAM", key).Result()
	if err != nil {
		t.Fatal(err)
	}
	if m, ok := info.(map[any]any); ok {
		return fmt.Sprint(m["last-generated-id"])
	}
	t.Fatalf("XINFO: %T", info)
	return ""
}

// wantSame compares keyspaces. The clock of the in-process engine moves in
// steps, with a loaded machine in large ones, so that expiry may differ.
func wantSame(t *testing.T, got, want map[string]shown) {
	t.Helper()
	for k, v := range want {
		if got[k].content != v.content {
			t.Errorf("%q:\n got %.300s\nwant %.300s", k, got[k].content, v.content)
		}
		if got[k].ends.IsZero() != v.ends.IsZero() || got[k].ends.Sub(v.ends).Abs() > 30*time.Second {
			t.Errorf("%q expires at %v, want %v", k, got[k].ends, v.ends)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
}

// Everything of every type comes back from a snapshot.
func TestSnapshotHoldsAllTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	rdb := client(t, e.RedisURL)
	fill(t, rdb)
	want := content(t, rdb)
	stop(t, e)
	again := start(t, options(t, dir, ""))
	rdb = client(t, again.RedisURL)
	wantSame(t, content(t, rdb), want)
	// Streams do not give an id out again that they gave before.
	for stream, last := range map[string]string{"stream:cut": "9-9", "stream:empty": "3-3"} {
		if got := lastID(t, rdb, stream); got != last {
			t.Errorf("%s: last id %s, want %s", stream, got, last)
		}
	}
	// A second round changes nothing any more.
	stop(t, again)
	wantSame(t, content(t, client(t, start(t, options(t, dir, "")).RedisURL)), want)
}

// A stream made by COPY, as results are, has no last id of its own in the
// in-process engine.
func TestSnapshotOfACopiedStream(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	rdb := client(t, e.RedisURL)
	fill(t, rdb)
	if err := rdb.Do(ctx, "COPY", "stream", "stream:copied").Err(); err != nil {
		t.Fatal(err)
	}
	want, err := rdb.XRange(ctx, "stream:copied", "-", "+").Result()
	if err != nil || len(want) != 2 {
		t.Fatalf("copied %v, %v", want, err)
	}
	stop(t, e)
	rdb = client(t, start(t, options(t, dir, "")).RedisURL)
	got, err := rdb.XRange(ctx, "stream:copied", "-", "+").Result()
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("restored %v, %v; want %v", got, err, want)
	}
}

// The commands of a snapshot build the same keyspace in a real Redis.
func TestSnapshotIsPlainCommands(t *testing.T) {
	t.Parallel()
	needServer(t)
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	rdb := client(t, e.RedisURL)
	fill(t, rdb)
	want := content(t, rdb)
	stop(t, e)
	ks, err := readSnapshot(filepath.Join(dir, "redis"))
	if err != nil {
		t.Fatal(err)
	}
	other := client(t, start(t, options(t, t.TempDir(), EngineRedis)).RedisURL)
	if err := ks.restore(ctx, other); err != nil {
		t.Fatal(err)
	}
	wantSame(t, content(t, other), want)
}

// What expired while nothing ran is gone, what did not goes on counting.
func TestTTLsRunWhileStopped(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	dir := t.TempDir()
	e := start(t, options(t, dir, EngineMiniredis))
	rdb := client(t, e.RedisURL)
	for key, ttl := range map[string]time.Duration{"short": time.Minute, "long": time.Hour} {
		if err := rdb.Set(ctx, key, "v", ttl).Err(); err != nil {
			t.Fatal(err)
		}
	}
	stop(t, e)
	// Half an hour passes: the snapshot is made that much older.
	redisDir := filepath.Join(dir, "redis")
	ks, err := readSnapshot(redisDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ks.commands {
		if c[0] == "PEXPIREAT" {
			var at int64
			if _, err := fmt.Sscan(c[2], &at); err != nil {
				t.Fatal(err)
			}
			c[2] = fmt.Sprint(at - (30 * time.Minute).Milliseconds())
		}
	}
	if err := ks.write(redisDir); err != nil {
		t.Fatal(err)
	}
	rdb = client(t, start(t, options(t, dir, "")).RedisURL)
	if n := rdb.Exists(ctx, "short").Val(); n != 0 {
		t.Error("an expired key came back")
	}
	if ttl := rdb.TTL(ctx, "long").Val(); ttl < 29*time.Minute || ttl > 30*time.Minute {
		t.Errorf("30 minutes were left, now %v", ttl)
	}
}

// A snapshot that is not exactly what was written stops the start; nothing is
// ever left out silently, and nothing is written over it.
func TestDamagedSnapshot(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		damage func(path string, text []byte) error
		want   string
	}{
		"one bit": {func(p string, b []byte) error { b[len(snapshotMagic)+20] ^= 1; return os.WriteFile(p, b, 0o600) }, "checksum"},
		"cut":     {func(p string, b []byte) error { return os.Truncate(p, int64(len(b)-100)) }, "its end is missing"},
		"empty":   {func(p string, b []byte) error { return os.Truncate(p, 0) }, "does not begin as one"},
		"missing": {func(p string, _ []byte) error { return os.Remove(p) }, "is missing"},
		"longer": {func(p string, b []byte) error {
			return os.WriteFile(p, append(b, "*1\r\n$8\r\nFLUSHALL\r\n"...), 0o600)
		}, "its end is missing"},
		"newer": {func(p string, b []byte) error {
			return os.WriteFile(p, []byte(strings.Replace(string(b), "snapshot 1", "snapshot 2", 1)), 0o600)
		}, "has format 2, this docsvc reads 1"},
		"nonsense": {func(p string, b []byte) error { return os.WriteFile(p, []byte("hello"), 0o600) }, "does not begin as one"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			dir := t.TempDir()
			e := start(t, options(t, dir, EngineMiniredis))
			if err := client(t, e.RedisURL).Set(ctx, "k", "kept", 0).Err(); err != nil {
				t.Fatal(err)
			}
			stop(t, e)
			path := filepath.Join(dir, "redis", snapshotName)
			// A second one, so that there is one before it.
			if text, err := os.ReadFile(path); err != nil || os.WriteFile(filepath.Join(dir, "redis", previousName), text, 0o600) != nil {
				t.Fatal("no snapshot to copy")
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.damage(path, text); err != nil {
				t.Fatal(err)
			}
			damaged, _ := os.ReadFile(path)
			for range 2 {
				_, err = Start(ctx, options(t, dir, ""))
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Fatalf("started: %v", err)
				}
				if left, _ := os.ReadFile(path); string(left) != string(damaged) {
					t.Fatal("the damaged snapshot was written over")
				}
			}
			var d *damagedSnapshotError
			if !errors.As(err, &d) {
				return
			}
			// As the message says, the one before it can be used.
			if !strings.Contains(err.Error(), "rename it to snapshot") {
				t.Fatalf("no way out: %v", err)
			}
			if err := os.Rename(filepath.Join(dir, "redis", previousName), path); err != nil {
				t.Fatal(err)
			}
			again := start(t, options(t, dir, ""))
			if got := client(t, again.RedisURL).Get(ctx, "k").Val(); got != "kept" {
				t.Errorf("got %q", got)
			}
			stop(t, again)
			// And without the directory it begins empty.
			if err := os.RemoveAll(filepath.Join(dir, "redis")); err != nil {
				t.Fatal(err)
			}
			if n := client(t, start(t, options(t, dir, "")).RedisURL).DBSize(ctx).Val(); n != 0 {
				t.Errorf("%d keys", n)
			}
		})
	}
}

func TestParseCommandsNeverPanics(t *testing.T) {
	t.Parallel()
	good := "*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n"
	if c, err := parseCommands([]byte(good)); err != nil || len(c) != 1 || c[0][1] != "k" {
		t.Fatalf("%v, %v", c, err)
	}
	for i := range good {
		_, _ = parseCommands([]byte(good[:i]))
		for _, ch := range []byte("*$-9\r\n\x00") {
			_, _ = parseCommands([]byte(good[:i] + string(ch) + good[i+1:]))
		}
	}
	for _, bad := range []string{"*999999999999\r\n", "*-1\r\n", "*1\r\n$99999999999999999999\r\n", "x"} {
		if _, err := parseCommands([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
