package rq

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// Anybody writes job hashes. Whatever stands in one is read, and nothing that
// is done with a job after that fails.
func FuzzJobHash(f *testing.F) {
	call, err := encodePayload(Pickle, "app.work", []any{int64(1)}, nil)
	if err != nil {
		f.Fatal(err)
	}
	for _, pair := range [][2]string{
		{"data", string(call)}, {"data", `["app.work", null, [1], {"a": 2}]`}, {"timeout", "1e400"}, {"timeout", "-1"}, {"result_ttl", "nan"},
		{"status", "started"}, {"created_at", "2026-11-23T12:00:00.000000Z"}, {"started_at", "b'x'"}, {"retry_intervals", "[10, 60"}, {"retries_left", "-5"},
		{"repeat_intervals", "[1e30]"}, {"repeats_left", "9999999999999999999"}, {"meta", "\x80\x04}."}, {"webhooks", "[{}]"}, {"webhooks", `{"on_success": ["http://h/"]}`},
		{"success_callback_name", "app.done"}, {"success_callback_timeout", "x"}, {"dependency_ids", "[1]"}, {"enqueue_at_front", "1"}, {"\xff", "\x00"},
	} {
		f.Add(pair[0], pair[1], "retries_left", "2")
	}
	f.Fuzz(func(t *testing.T, field, value, other, second string) {
		j := decodeJob("j1", []string{field, value, other, second, "odd"}, nil)
		if j.retryInterval() < 0 {
			t.Errorf("runs again in %s", j.retryInterval())
		}
		_ = callString(j.Func, j.Args, j.Kwargs)
		for _, kind := range []OutcomeKind{OutcomeFinish, OutcomeFail, OutcomeRetry, OutcomeReturnHead, OutcomeReturned} {
			o := Outcome{Job: j, Kind: kind, Retry: &Retry{Max: 1}, Execution: Execution{ID: "e", JobID: "j1", Queue: "q", Worker: "w"}, Result: j.Args, Error: value}
			e := decideEnding(o)
			if e.delay < 0 || e.action == "" {
				t.Errorf("an end of %+v: %+v", j, e)
			}
			if _, _, err := resultEntry(o, e); err != nil {
				t.Errorf("the result of an end: %v", err)
			}
		}
		c := New(nil, Options{})
		if e, _ := c.rule(expired{job: j}); e.delay < 0 || e.action == "" {
			t.Errorf("recovering %+v: %+v", j, e)
		}
	})
}

func FuzzPayload(f *testing.F) {
	for _, s := range []Serializer{Pickle, JSON} {
		b, err := encodePayload(s, "app.work", []any{int64(1), "x", nil, true, 1.5}, map[string]any{"k": []any{"v"}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	for _, text := range []string{"", "x", "[]", `["f",null,[],{}]`, `[null,null,null,null]`, `["f",null,{},[]]`, "\x80\x04.", "x\x9c\x03\x00\x00\x00\x00\x01", "x\x9cK\xcc"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			t.Skip("long")
		}
		fn, args, kwargs, s, err := decodePayloadUpTo(data, 1<<18)
		if err != nil {
			return
		}
		if fn == "" {
			t.Errorf("%q calls nothing", data)
		}
		_ = callString(fn, args, kwargs)
		again, err := encodePayload(s, fn, args, kwargs)
		if err != nil {
			return // holds what only Python can write
		}
		fn2, args2, kwargs2, _, err := decodePayload(again)
		if err != nil || callString(fn2, args2, kwargs2) != callString(fn, args, kwargs) {
			t.Errorf("%s was written and read as %s, %v", callString(fn, args, kwargs), callString(fn2, args2, kwargs2), err)
		}
	})
}

// Results are read whatever a worker of another kind wrote.
func FuzzResult(f *testing.F) {
	text, err := deflate("Traceback")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][4]string{{"1-0", "1", "K\x01.", ""}, {"9999999999999-1", "2", "", string(text)}, {"x", "nan", "{", "x\x9c"}, {"-", "", "\x80\x05", "\x00"}} {
		f.Add(seed[0], seed[1], []byte(seed[2]), []byte(seed[3]), "1795435200.25")
	}
	f.Fuzz(func(t *testing.T, id, kind string, value, exc []byte, at string) {
		for _, encode := range []func([]byte) string{base64.StdEncoding.EncodeToString, func(b []byte) string { return string(b) }} {
			r := decodeResult(redis.XMessage{ID: id, Values: map[string]any{"type": kind, "return_value": encode(value), "exc_string": encode(exc),
				"execution_started_at": at, "execution_ended_at": at, "worker_name": id}})
			if !r.StartedAt.IsZero() && (r.StartedAt.Year() < 1970 || r.StartedAt.Year() > 9999) {
				t.Errorf("%q is read as %s", at, r.StartedAt)
			}
			if r.ValueErr == nil {
				if _, err := json.Marshal(pickle.Plain(r.Value)); err != nil {
					t.Errorf("the value of %q: %v", value, err)
				}
			}
		}
		_ = eventTime(id)
	})
}

// What is published on a worker's channel stops nothing but what it names.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{`{"command": "stop-job", "job_id": "j1"}`, `{"command": "shutdown"}`, `{"command": 1}`, `[]`, "null", "", "\xff", `{"command":"kill-horse","job_id":null}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		c, ok := parseCommand(keyPubSub("w"), payload)
		if !ok {
			return
		}
		if c.Worker != "w" || (c.Name != CommandStopJob && c.Name != CommandShutdown && c.Name != CommandKillHorse) {
			t.Errorf("%q is %+v", payload, c)
		}
	})
}

func FuzzParseSeconds(f *testing.F) {
	for _, s := range []string{"90", "5m", "1h30m", "-1", "2147483647d", "99999999h", "1e3", "d", " 7 s", "1µs", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseSeconds(text)
		if err != nil {
			if !strings.Contains(err.Error(), "not a length of time") {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if (d < 0) != strings.HasPrefix(strings.TrimSpace(text), "-") && d != 0 {
			t.Errorf("%q is %s", text, d)
		}
	})
}

// A name that is let through can't be taken for another key or member.
func FuzzNames(f *testing.F) {
	for _, s := range []string{"j1", "a:b", "", "a,b", " x", "a\nb", strings.Repeat("x", 201), "é", "\x00", "-", "j\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if checkJobID(name) == nil {
			member := Execution{ID: "e", JobID: name}.Member()
			if job, e, ok := strings.Cut(member, ":"); !ok || job != name || e != "e" {
				t.Errorf("%q: an execution of %q, %q", name, job, e)
			}
		}
		if checkQueue(name) == nil {
			if list := strings.Split(name+",other", ","); len(list) != 2 || list[0] != name {
				t.Errorf("%q in a list of queues is %q", name, list)
			}
		}
	})
}

// Of arguments on the command line, only those are files that begin with @.
func FuzzParseArguments(f *testing.F) {
	for _, s := range []string{"a", "k=v", "k:=[1]", ":{}", "%(1, 'a')", "k%=None", "=", ":", "%", "k:=1e999", "%1j", ":\"\\ud800\"", "%{1: [2]}"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if strings.Contains(a, "@") || strings.Contains(b, "@") {
			t.Skip("names a file")
		}
		args, keywords, err := ParseArguments([]string{a, b})
		if err != nil {
			return
		}
		if len(args)+len(keywords) != 2 {
			t.Errorf("%q, %q are %d arguments", a, b, len(args)+len(keywords))
		}
		l := CommandLine{Func: "app.work"}
		_ = l.call(args, keywords)
	})
}

// Times in hashes and streams are written as they were read.
func FuzzStamp(f *testing.F) {
	for _, s := range []string{"2026-11-23T12:00:00.250000Z", "2026-11-23T12:00:00Z", "1795435200.25", "0", "-1", "1e12", "NaN", "0000-00-00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := parseStamp(text); ok {
			if back, ok := parseStamp(stamp(at)); at.Year() >= 0 && at.Year() <= 9999 && (!ok || !back.Equal(at.Truncate(time.Microsecond))) {
				t.Errorf("%q is %s and then %s", text, at, back)
			}
		}
		if at := parseFloatStamp(text); !at.IsZero() {
			if back := parseFloatStamp(floatStamp(at)); at.Sub(back).Abs() > 10*time.Microsecond {
				t.Errorf("%q is %s and then %s", text, at, back)
			}
		}
	})
}
