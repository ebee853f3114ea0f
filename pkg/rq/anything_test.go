package rq

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// oddJobs are job hashes that RQ 2.12 would not write; each stands in the
// queue in front of a good job. Fields as for HSET.
func oddJobs(t *testing.T) map[string][]any {
	call, err := encodePayload(Pickle, "app.work", []any{int64(1)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := func(plain string) string {
		b, err := deflate(plain)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	// A pickle that doubles a list again and again.
	bomb := "\x80\x02]q\x00"
	for i := range 60 {
		bomb += fmt.Sprintf("](h%ch%ceq%c", i, i, i+1)
	}
	bomb += "."
	good := []any{"status", "queued", "origin", "q", "data", call}
	with := func(fields ...any) []any { return slices.Concat(good, fields) }
	return map[string][]any{
		"unknown-fields":   with("rate_limit_key", "k", "rate_limit_concurrency", "3", "\xff\x00", "\xfe", "x:y", ""),
		"odd-times":        with("created_at", "yesterday", "enqueued_at", "2026-11-23T12:00:00+00:00", "started_at", "0", "ended_at", "\xff", "last_heartbeat", "9999-99-99T00:00:00Z"),
		"odd-numbers":      with("timeout", "180.5", "result_ttl", "1e400", "failure_ttl", "many", "ttl", "-0", "retries_left", "99999999999999999999", "number_of_retries", "x", "repeats_left", "NaN"),
		"odd-lists":        with("retry_intervals", "[1, [2]]", "repeat_intervals", "{}", "repeats_left", "1", "dependency_ids", "x", "webhooks", "["),
		"retries-no-list":  with("retries_left", "3", "retry_intervals", "null"),
		"odd-meta":         with("meta", "\x80\x05\xff"),
		"no-status":        {"origin", "q", "data", call},
		"no-origin":        {"status", "queued", "data", call},
		"other-origin":     {"status", "queued", "origin", "q:x", "data", call},
		"no-data":          {"status", "queued", "origin", "q"},
		"plain-data":       {"status", "queued", "origin", "q", "data", "(S'app.work'\nN(I1\nt(dt."},
		"msgpack":          {"status", "queued", "origin", "q", "data", packed("\x94\xa8app.work\xc0\x91\x01\x80")},
		"half-zlib":        {"status", "queued", "origin", "q", "data", string(call[:len(call)-7])},
		"zip-bomb":         {"status", "queued", "origin", "q", "data", zipBomb()},
		"pickle-bomb":      {"status", "queued", "origin", "q", "data", packed(bomb)},
		"pickle-runs-code": {"status", "queued", "origin", "q", "data", packed("cos\nsystem\n(S'touch /tmp/docsvc-pwned'\ntR.")},
		"deep-json":        {"status", "queued", "origin", "q", "data", packed(strings.Repeat("[", 1<<16))},
		"unfit-call":       {"status", "queued", "origin", "q", "data", packed(`["f", null, {"a": 1}, []]`)},
		"with:colon":       good,
		"with:two:colons":  good,
		"with blank ü":     good,
		"\xff\xfe":         good,
		"*":                good,
		// Statuses of RQ 3.0, or of nobody, in the queue: not waiting.
		"rate-limited": {"status", "rate_limited", "origin", "q", "data", call},
		"ready":        {"status", "ready_to_enqueue", "origin", "q", "data", call},
		"nobodys":      {"status", "\xff", "origin", "q", "data", call},
	}
}

// zipBomb is 100 MB of zeros, compressed.
var zipBomb = sync.OnceValue(func() []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := io.CopyN(z, zeroReader{}, 100<<20)
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
})

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// notRunnable are the odd jobs that a claim throws out of the queue.
var notRunnable = []string{"rate-limited", "ready", "nobodys"}

func newAnything(t *testing.T, s *redistest.Server) *fixture {
	f := newFixture(t, s, Options{})
	f.fixedTime, f.o.Clock = nil, time.Now
	return f
}

// TestWorkersSurviveAnyJob claims odd jobs, ends each in another way, and
// comes to the good one behind them.
func TestWorkersSurviveAnyJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, kind := range []OutcomeKind{OutcomeFinish, OutcomeFail, OutcomeRetry, OutcomeRetryFree, OutcomeStop} {
			f := newAnything(t, s)
			var log bytes.Buffer
			f.o.Log = zerolog.New(&log)
			ctx := t.Context()
			odd := oddJobs(t)
			for id, fields := range odd {
				if err := f.rdb.HSet(ctx, keyJob(id), fields...).Err(); err != nil {
					t.Fatal(err)
				}
				f.rdb.RPush(ctx, keyQueue("q"), id)
			}
			for _, junk := range []string{"", "no such job", "a:b:c", "\xff\x00", strings.Repeat("x", 1<<20)} {
				f.rdb.RPush(ctx, keyQueue("q"), junk)
			}
			f.seed("SET rq:job:text x\nRPUSH rq:queue:q text\nHSET rq:job:good status queued origin q data {call}\nRPUSH rq:queue:q good")

			claimed := map[string]*Job{}
			for range len(odd) + 2 {
				got, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w"}, Queues: []string{"q"}})
				if err != nil {
					t.Fatalf("claim after %d jobs: %v", len(claimed), err)
				}
				if len(got) == 0 {
					break
				}
				c := got[0]
				if claimed[c.Job.ID] != nil && c.Job.ID != "odd-lists" { // which is to be repeated
					t.Fatalf("%q was claimed twice", c.Job.ID)
				}
				claimed[c.Job.ID] = c.Job
				if _, err := f.Heartbeat(ctx, []WorkerBeat{{Name: "w"}}, []Beat{{Execution: c.Execution}}); err != nil {
					t.Errorf("%q: heartbeat: %v", c.Job.ID, err)
				}
				pause := time.Minute // so that it does not come again at once
				done, err := f.Finish(ctx, []Outcome{{Execution: c.Execution, Job: c.Job, Kind: kind, Result: 1, Error: "e", Delay: &pause}})
				if err != nil || done[0].Err != nil {
					t.Errorf("%q: finish: %v, %+v", c.Job.ID, err, done)
				}
			}
			if claimed["good"] == nil || claimed["good"].Func != "app.work" {
				t.Errorf("the good job behind them was not reached: %v", claimed["good"])
			}
			for id := range odd {
				if claimed[id] == nil && !slices.Contains(notRunnable, id) {
					t.Errorf("%q was not claimed", id)
				}
			}
			for _, id := range []string{"no-data", "msgpack", "half-zlib", "zip-bomb", "pickle-bomb", "pickle-runs-code", "deep-json", "unfit-call"} {
				if j := claimed[id]; j != nil && (j.PayloadErr == nil || j.Func != "") {
					t.Errorf("%q has no payload error: %+v", id, j)
				}
			}
			for _, id := range []string{"unknown-fields", "odd-times", "odd-numbers", "odd-lists", "no-status", "plain-data", "with:two:colons"} {
				if j := claimed[id]; j != nil && (j.PayloadErr != nil || j.Func != "app.work") {
					t.Errorf("%q cannot be run: %v", id, j.PayloadErr)
				}
			}
			if n, _ := f.rdb.HGet(ctx, f.Namespace()+"dropped", "q").Int(); n != len(notRunnable)+6 {
				t.Errorf("%d entries are counted as dropped", n)
			}
			for _, id := range []string{"nobodys", "rate-limited", "ready"} { // before the junk; of more only ten are named
				if !strings.Contains(log.String(), `"`+id+`"`) {
					t.Errorf("the log does not name %q: %s", id, log.String())
				}
			}
			f.readEverything(t)
		}
	})
}

// TestHugeFields: no field of any name brings more into a worker than loadLimit.
func TestHugeFields(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	f := newAnything(t, s)
	patient := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true, ReadTimeout: time.Minute})
	defer func() { _ = patient.Close() }()
	huge := []string{"retry_intervals", "of_nobody", "status2"}
	for _, field := range huge {
		if err := patient.Eval(t.Context(), `redis.call('HSET', KEYS[1], 'status', 'queued', 'origin', 'q', ARGV[1], string.rep('x', 16777217))`, []string{keyJob("huge")}, field).Err(); err != nil && !errors.Is(err, redis.Nil) {
			t.Fatal(err)
		}
	}
	f.seed("HSET rq:job:huge data {call} small s\nRPUSH rq:queue:q huge")
	got, err := f.run(t.Context(), call{scriptRead, []string{keyJob("huge")}, f.tape().num(loadLimit).list([]string{"huge"})})
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	for _, text := range got.at(0).at(0).texts() {
		size += len(text)
	}
	if left := got.at(0).at(1).texts(); size == 0 || size > 4096 || len(left) != len(huge) {
		t.Errorf("%d bytes, left out %q", size, left)
	}
	claimed, err := f.Claim(t.Context(), ClaimRequest{Worker: []string{"w.1"}, Queues: []string{"q"}})
	if err != nil || len(claimed) != 1 || claimed[0].Job.Func != "app.work" {
		t.Errorf("claimed %+v, %v", claimed, err)
	}
}

// TestHugePayload claims a job of 100 MB without loading it.
func TestHugePayload(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	f := newAnything(t, s)
	ctx := t.Context()
	f.seed("HSET rq:job:huge status queued origin q retries_left 1\nRPUSH rq:queue:q huge\nHSET rq:job:good status queued origin q data {call}\nRPUSH rq:queue:q good")
	// Made in Redis, so that the test itself need not hold it. That takes seconds
	// on a busy machine.
	patient := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true, ReadTimeout: time.Minute})
	defer func() { _ = patient.Close() }()
	if err := patient.Eval(ctx, `redis.call('HSET', KEYS[1], 'data', string.rep('x', 104857600))`, []string{keyJob("huge")}).Err(); err != nil && !errors.Is(err, redis.Nil) {
		t.Fatal(err)
	}
	got, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w.1", "w.2"}, Queues: []string{"q"}})
	if err != nil || len(got) != 2 {
		t.Fatalf("%v: claimed %d", err, len(got))
	}
	if huge := got[0]; !huge.DataTooLarge || !errors.Is(huge.Job.PayloadErr, ErrDataTooLarge) {
		t.Errorf("got %v", huge.Job.PayloadErr)
	}
	f.readEverything(t)
	done, err := f.Finish(ctx, []Outcome{{Execution: got[0].Execution, Job: got[0].Job, Kind: OutcomeFail, Error: "too large"}})
	if err != nil || done[0].Err != nil {
		t.Errorf("%v %+v", err, done)
	}
	f.readEverything(t)
}

// readEverything calls all that reads, which must answer.
func (f *fixture) readEverything(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	queues, err := f.QueueNames(ctx)
	if err != nil {
		t.Errorf("queue names: %v", err)
	}
	queues = append(queues, "q")
	if _, err := f.QueueInfo(ctx, queues); err != nil {
		t.Errorf("queue info: %v", err)
	}
	if _, err := f.Workers(ctx); err != nil {
		t.Errorf("workers: %v", err)
	}
	for _, q := range queues {
		for _, reg := range Registries() {
			for cursor, pages := "", 0; ; pages++ {
				jobs, next, err := f.List(ctx, q, reg, cursor, 7)
				if err != nil || pages > 1000 {
					t.Errorf("list of %s in %s, page %d: %v", reg, q, pages, err)
					break
				}
				for _, j := range jobs {
					f.Position(ctx, j)
					if _, err := f.Job(ctx, j.ID); err != nil && !errors.Is(err, ErrNoJob) {
						t.Errorf("job %q: %v", j.ID, err)
					}
					if _, err := f.LatestResult(ctx, j.ID); err != nil {
						t.Errorf("result of %q: %v", j.ID, err)
					}
				}
				if cursor = next; next == "" {
					break
				}
			}
		}
	}
}

// TestMoversSurviveAnyRegistry has the scheduler, the maintenance and the
// recovery go through registries of junk, and do their work on the good
// entries among it.
func TestMoversSurviveAnyRegistry(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newAnything(t, s)
		ctx := t.Context()
		past := time.Now().Unix() - 1000
		junk := []string{"", "gone", "a:b:c", ":", "::", "x:", ":y", "\xff\x00", strings.Repeat("z", 1<<16)}
		for id, fields := range oddJobs(t) {
			if err := f.rdb.HSet(ctx, keyJob(id), fields...).Err(); err != nil {
				t.Fatal(err)
			}
			junk = append(junk, id, id+":0123456789abcdef0123456789abcdef")
		}
		f.seed("SET rq:job:text x")
		junk = append(junk, "text", "text:e")
		for _, reg := range []string{"scheduled", "wip", "finished", "failed", "deferred", "canceled"} {
			for i, m := range junk {
				score := []any{past, -1, "+inf", "-inf", "1e300", 0.5}[i%6]
				if err := f.rdb.Do(ctx, "ZADD", "rq:"+reg+":q", score, m).Err(); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, m := range junk {
			f.rdb.RPush(ctx, "rq:queue:q:intermediate", m)
			f.rdb.Set(ctx, "rq:queue:q:intermediate:first_seen:"+m, "not a number", time.Hour)
		}
		f.seed(fmt.Sprintf(`
			HSET rq:job:due status scheduled origin q data {call}
			ZADD rq:scheduled:q %[1]d due
			HSET rq:job:lost status started origin q data {call} worker_name python
			ZADD rq:wip:q %[1]d lost:e
			ZADD rq:finished:q %[1]d old
			HSET rq:job:child status deferred origin q data {call}
			SADD rq:job::child:dependencies gone
			ZADD rq:deferred:q %[1]d child
			SADD rq:queues rq:queue:q junk rq:queue: ''
			SADD rq:workers junk rq:worker: '' rq:worker:text rq:worker:odd
			SET rq:worker:text x
			HSET rq:worker:odd successful_job_count x birth y pid z total_working_time - queues ,, current_job a:b
			SADD rq:workers:q junk rq:worker:odd`, past))

		f.readEverything(t)
		for range 3 {
			if _, _, err := f.MoveDue(ctx, []string{"q"}, time.Time{}); err != nil {
				t.Errorf("mover: %v", err)
			}
			if _, err := f.RecoverExpired(ctx, []string{"q"}); err != nil {
				t.Errorf("recovery: %v", err)
			}
			if _, err := f.Maintenance(ctx, []string{"q"}); err != nil {
				t.Errorf("maintenance: %v", err)
			}
		}
		f.readEverything(t)
		for id, want := range map[string]Status{"due": StatusQueued, "lost": StatusFailed, "child": StatusQueued} {
			if j, err := f.Job(ctx, id); err != nil || j.Status != want {
				t.Errorf("%s: %v, %+v, want %s", id, err, j, want)
			}
		}
		if _, err := f.RequeueFailed(ctx, "q", RequeueOptions{}, nil); err != nil {
			t.Errorf("requeue of all: %v", err)
		}
		if _, err := f.Empty(ctx, "q"); err != nil {
			t.Errorf("empty: %v", err)
		}
	})
}

// TestKeysOfOtherTypes gives every key of RQ another type in turn. Whatever is
// called must answer, with success or with an error that names the key, and a
// queue beside it must go on.
func TestKeysOfOtherTypes(t *testing.T) {
	t.Parallel()
	keys := []string{
		"rq:queues", "rq:workers", "rq:suspended", "rq:queue:q", "rq:queue:q:intermediate", "rq:wip:q", "rq:finished:q", "rq:failed:q", "rq:deferred:q",
		"rq:scheduled:q", "rq:canceled:q", "rq:workers:q", "rq:clean_registries:q", "rq:scheduler-lock:q", "rq:job:j1", "rq:job:j1:dependents",
		"rq:job::j1:dependencies", "rq:results:j1", "rq:executions:j1", "rq:worker:w", "rq:groups", "rq:group:g",
		"docsvc:lease:q", "docsvc:worker:w", "docsvc:events", "docsvc:receipts", "docsvc:dropped",
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for i, key := range keys {
			for j, kind := range [][]any{{"SET", key, "x"}, {"RPUSH", key, "x"}, {"SADD", key, "x"}, {"ZADD", key, 1, "x"}, {"HSET", key, "x", "y"}} {
				if s.Engine == redistest.Miniredis && (i+j)%3 > 0 {
					continue // it takes a minute for all of them under -race
				}
				f := newAnything(t, s)
				f.seed(`
					HSET rq:job:j1 status queued origin q data {call} group_id g retries_left 1
					RPUSH rq:queue:q j1
					HSET rq:job:j2 status queued origin beside data {call}
					RPUSH rq:queue:beside j2`)
				f.rdb.Del(t.Context(), key)
				if err := f.rdb.Do(t.Context(), kind...).Err(); err != nil {
					t.Fatal(err)
				}
				f.useEverything(t, fmt.Sprint(kind[0], " ", key))
			}
		}
	})
}

// useEverything runs the life of a job; errors must name the key.
func (f *fixture) useEverything(t *testing.T, what string) {
	t.Helper()
	ctx := t.Context()
	check := func(op string, err error) {
		t.Helper()
		var key *KeyError
		var state *StateError
		var taken *NameTakenError // a hash there is a worker
		if err != nil && !errors.As(err, &key) && !errors.As(err, &state) && !errors.As(err, &taken) && !errors.Is(err, ErrNoJob) && !errors.Is(err, ErrActive) &&
			!errors.Is(err, ErrLateFinish) && !strings.Contains(err.Error(), `queue name ""`) {
			t.Errorf("%s: %s: %v", what, op, err)
		}
	}
	check("register", f.RegisterWorkers(ctx, []WorkerBirth{{Name: "w", Queues: []string{"q"}, Host: "h", PID: 1}}))
	_, err := f.Enqueue(ctx, Spec{ID: "new", Queue: "q", Func: "f"})
	check("enqueue", err)
	_, err = f.Enqueue(ctx, Spec{ID: "late", Queue: "q", Func: "f", At: time.Now().Add(time.Hour)})
	check("schedule", err)
	_, _, err = f.MoveDue(ctx, []string{"q", "beside"}, time.Time{})
	check("move", err)
	got, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w"}, Queues: []string{"q", "beside"}})
	check("claim", err)
	if len(got) == 0 && !strings.HasSuffix(what, "rq:suspended") {
		t.Errorf("%s: nothing could be claimed", what)
	}
	for _, c := range got {
		_, err := f.Heartbeat(ctx, []WorkerBeat{{Name: "w"}}, []Beat{{Execution: c.Execution}})
		check("heartbeat", err)
		check("progress", f.Progress(ctx, c.Execution, nil, nil))
		done, err := f.Finish(ctx, []Outcome{{Execution: c.Execution, Job: c.Job, Kind: OutcomeFail, Error: "e"}})
		check("finish", err)
		if err == nil {
			check("finished", done[0].Err)
		}
		_, err = f.Requeue(ctx, c.Job.ID, RequeueOptions{})
		check("requeue", err)
	}
	_, err = f.Maintenance(ctx, []string{"q", "beside"})
	check("maintenance", err)
	_, err = f.RecoverExpired(ctx, []string{"q", "beside"})
	check("recovery", err)
	_, err = f.Cancel(ctx, "new")
	check("cancel", err)
	_, _, err = f.Stop(ctx, "j1", 0)
	check("stop", err)
	_, err = f.Delete(ctx, "late", false)
	check("delete", err)
	_, err = f.RequeueFailed(ctx, "q", RequeueOptions{}, nil)
	check("requeue all", err)
	_, err = f.Empty(ctx, "q")
	check("empty", err)
	queues, err := f.QueueNames(ctx)
	check("queue names", err)
	_, err = f.QueueInfo(ctx, append(queues, "q"))
	check("queue info", err)
	_, err = f.Workers(ctx)
	check("workers", err)
	for _, reg := range Registries() {
		_, _, err := f.List(ctx, "q", reg, "", 10)
		check("list "+string(reg), err)
	}
	_, err = f.LatestResult(ctx, "j1")
	check("result", err)
	waiting, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if err := f.Wait(waiting, []string{"q", "beside"}); err != nil && waiting.Err() == nil {
		check("wait", err)
	}
	check("unregister", f.UnregisterWorkers(ctx, []string{"w"}))
}
