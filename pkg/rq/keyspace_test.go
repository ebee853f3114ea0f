package rq

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// noon is when the scripts of table tests believe to run.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 250_000_000, time.UTC)

const noonSec = 1795435200

// fixture is a client whose scripts run at a time that the test sets.
type fixture struct {
	*Client
	t   *testing.T
	rdb *redis.Client
	now time.Time
}

// newFixture empties the server: subtests share one.
func newFixture(t *testing.T, s *redistest.Server, o Options) *fixture {
	t.Helper()
	f := &fixture{t: t, rdb: s.Client(t), now: noon}
	if err := f.rdb.FlushDB(context.Background()).Err(); err != nil {
		t.Fatal(err)
	}
	if o.Clock == nil {
		o.Clock = func() time.Time { return f.now }
	}
	f.Client = New(f.rdb, o)
	f.Client.fixedTime = func() time.Time { return f.now }
	return f
}

// seed runs commands, one per line, words separated by blanks; ” is the
// empty text and {call} the payload of app.work(1).
func (f *fixture) seed(lines string) {
	f.t.Helper()
	data, err := encodePayload(Pickle, "app.work", []any{int64(1)}, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, line := range strings.Split(lines, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		args := make([]any, len(words))
		for i, w := range words {
			switch w {
			case "''":
				w = ""
			case "{call}":
				w = string(data)
			}
			args[i] = w
		}
		if err := f.rdb.Do(context.Background(), args...).Err(); err != nil {
			f.t.Fatalf("seeding %q: %v", line, err)
		}
	}
}

var hexID = regexp.MustCompile(`[0-9a-f]{32}`)

// keyspace lists everything that Redis holds, a line per field, member, entry
// and time to live (to the nearest 10 s). Random ids are <id>.
func (f *fixture) keyspace() []string {
	f.t.Helper()
	ctx := context.Background()
	keys, err := f.rdb.Keys(ctx, "*").Result()
	if err != nil {
		f.t.Fatal(err)
	}
	var lines []string
	for _, k := range keys {
		add := func(format string, a ...any) { lines = append(lines, k+" "+fmt.Sprintf(format, a...)) }
		if ttl := f.rdb.PTTL(ctx, k).Val(); ttl > 0 {
			add("ttl %d", int64(ttl.Round(10*time.Second)/time.Second))
		}
		switch f.rdb.Type(ctx, k).Val() {
		case "string":
			add("= %s", f.rdb.Get(ctx, k).Val())
		case "list":
			add("%v", f.rdb.LRange(ctx, k, 0, -1).Val())
		case "set":
			for _, m := range f.rdb.SMembers(ctx, k).Val() {
				add("%s", m)
			}
		case "zset":
			for _, z := range f.rdb.ZRangeWithScores(ctx, k, 0, -1).Val() {
				add("%s %s", z.Member, strings.TrimSuffix(fmt.Sprintf("%.3f", z.Score), ".000"))
			}
		case "hash":
			for field, v := range f.rdb.HGetAll(ctx, k).Val() {
				add("%s = %s", field, readable(field, v))
			}
		case "stream":
			for i, e := range f.rdb.XRange(ctx, k, "-", "+").Val() {
				add("#%d %s", i, entryText(e))
			}
		}
	}
	for i, l := range lines {
		lines[i] = strings.TrimSpace(hexID.ReplaceAllString(l, "<id>"))
	}
	sort.Strings(lines)
	return lines
}

func entryText(e redis.XMessage) string {
	var parts []string
	for _, k := range sortedKeys(e.Values) {
		parts = append(parts, k+"="+readable(k, fmt.Sprint(e.Values[k])))
	}
	return strings.Join(parts, " ")
}

// readable shows what is encoded in a field.
func readable(field, v string) string {
	switch field {
	case "data":
		fn, args, kwargs, s, err := decodePayload([]byte(v))
		if err != nil {
			return fmt.Sprintf("%.20q", v)
		}
		return s.String() + " " + callString(fn, args, kwargs)
	case "meta":
		x, s, _ := decodeValue([]byte(v))
		return s.String() + " " + pickle.Repr(x)
	case "return_value":
		b, _ := base64.StdEncoding.DecodeString(v)
		x, s, _ := decodeValue(b)
		return s.String() + " " + pickle.Repr(x)
	case "exc_string":
		b, _ := base64.StdEncoding.DecodeString(v)
		text, _ := inflate(b, 1<<20)
		return fmt.Sprintf("%q", text)
	case "exc_info":
		text, _ := inflate([]byte(v), 1<<20)
		return fmt.Sprintf("packed %q", text)
	case "token":
		return "<id>"
	}
	return v
}

// change runs do and answers how the keyspace differs afterwards.
func (f *fixture) change(do func()) string {
	f.t.Helper()
	before := f.keyspace()
	do()
	after := f.keyspace()
	var out []string
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}

// wantChange compares with what is written in the test, in any order and less
// its indentation.
func wantChange(t *testing.T, got, want string) {
	t.Helper()
	var lines []string
	for _, l := range strings.Split(want, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	sort.Strings(lines)
	want = strings.Join(lines, "\n")
	changed := strings.Split(strings.TrimSpace(got), "\n")
	sort.Strings(changed)
	if got = strings.Join(changed, "\n"); got != want {
		t.Errorf("keyspace changed otherwise\n--- got\n%s\n--- want\n%s\n--- differing\n%s", got, want, lineDiff(got, want))
	}
}

func lineDiff(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var out []string
	for _, l := range g {
		if !slices.Contains(w, l) {
			out = append(out, "only got:    "+l)
		}
	}
	for _, l := range w {
		if !slices.Contains(g, l) {
			out = append(out, "only wanted: "+l)
		}
	}
	return strings.Join(out, "\n")
}

func ptr[T any](v T) *T { return &v }

func fromMicro(us int64) time.Time { return time.UnixMicro(us).UTC() }

func compileText(text string) *redis.Script { return redis.NewScript(text) }

// Seeds that tests share. startedJob runs as e1 on w1 since ten seconds, with
// two seconds of its lease left.
const (
	queuedJob = `
		HSET rq:job:j1 status queued origin q data {call} timeout 180 enqueued_at 2026-11-23T11:59:00.000000Z
		RPUSH rq:queue:q j1`
	startedJob = `
		HSET rq:job:j1 status started origin q data {call} timeout 180 worker_name w1 started_at 2026-11-23T11:59:50.250000Z
		HSET rq:execution:j1:e1 id e1 created_at 1795435190.25 last_heartbeat 1795435190.25 worker_name w1
		ZADD rq:executions:j1 1795435340 e1
		ZADD rq:wip:q 1795435280 j1:e1
		ZADD docsvc:lease:q 1795435202250 j1:e1
		HSET docsvc:worker:w1 token t execution j1:e1 queue q
		EXPIRE docsvc:worker:w1 86400
		HSET rq:worker:w1 state busy current_job j1 current_job_working_time 8
		EXPIRE rq:worker:w1 90`
)

var e1 = Execution{ID: "e1", JobID: "j1", Queue: "q", Worker: "w1", StartedAt: noon.Add(-10 * time.Second)}

// running answers the job of startedJob as a worker has it.
func (f *fixture) running() *Job {
	f.t.Helper()
	j, err := f.Job(context.Background(), "j1")
	if err != nil {
		f.t.Fatal(err)
	}
	return j
}

// finish ends e1 and answers what became of it.
func (f *fixture) finish(o Outcome) Finished {
	f.t.Helper()
	if o.Execution.ID == "" {
		o.Execution = e1
	}
	if o.Job == nil {
		o.Job = f.running()
	}
	done, err := f.Finish(context.Background(), []Outcome{o})
	if err != nil {
		f.t.Fatal(err)
	}
	return done[0]
}

// without drops the lines that contain text; "" drops none.
func without(lines, text string) string {
	var out []string
	for _, l := range strings.Split(lines, "\n") {
		if text == "" || !strings.Contains(l, text) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n") + "\n"
}
