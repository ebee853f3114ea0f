package rq

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// forbidden is a client of a user who may do everything but one thing.
func (f *fixture) forbidden(rules ...any) *Client {
	f.t.Helper()
	rule := append([]any{"ACL", "SETUSER", "some", "reset", "on", ">word", "~*", "&*", "+@all"}, rules...)
	if err := f.rdb.Do(f.t.Context(), rule...).Err(); err != nil {
		f.t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: f.rdb.Options().Addr, Username: "some", Password: "word", DisableIdentity: true})
	f.t.Cleanup(func() { _ = rdb.Close() })
	return New(rdb, f.o)
}

// What the user of Redis may not do is said and named, never passed by: a job
// of which only a part was written was answered as enqueued.
func TestMissingPermissionsAreNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{})
	ctx := t.Context()
	for _, x := range []struct {
		name string
		rule []any
		want string
		half bool // something is written, and the error says so afterwards
	}{
		{"evalsha", []any{"-evalsha"}, "evalsha", false},
		{"eval", []any{"-eval"}, "eval", false},
		{"time", []any{"-time"}, "TIME", false},
		{"type", []any{"-type"}, "TYPE rq:job:j", false},
		{"exists", []any{"-exists"}, "EXISTS rq:job:j", false},
		{"hget", []any{"-hget"}, "HGET rq:job:j", false},
		{"xadd", []any{"-xadd"}, "XADD docsvc:events", false},
		{"own keys", []any{"resetkeys", "~rq:*"}, "docsvc:", false},
		{"rq's keys", []any{"resetkeys", "~docsvc:*"}, "one of the keys", false},
		{"hset", []any{"-hset"}, "HSET rq:job:j", true},
		{"rpush", []any{"-rpush"}, "RPUSH rq:queue:q", true},
		{"sadd", []any{"-sadd"}, "SADD rq:queues", true},
	} {
		f.rdb.FlushDB(ctx)
		f.rdb.ScriptFlush(ctx)
		j, err := f.forbidden(x.rule...).Enqueue(ctx, Spec{ID: "j", Queue: "q", Func: "a.b"})
		if err == nil || !strings.Contains(err.Error(), "NOPERM") || !strings.Contains(err.Error(), x.want) || IsUnavailable(err) {
			t.Errorf("%s: enqueued %v, %v; want NOPERM and %s", x.name, j, err, x.want)
		}
		if keys := f.rdb.Keys(ctx, "*").Val(); !x.half && len(keys) > 0 {
			t.Errorf("%s: left %v", x.name, keys)
		}
	}
}

// A transition that has begun is made as far as it may be: no job is lost, and
// the same call again is answered.
func TestMissingPermissionInTheMiddle(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{})
	ctx := t.Context()
	if err := f.register(WorkerBirth{Name: "w1", Queues: []string{"q"}, Host: "h", PID: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Enqueue(ctx, Spec{ID: "j", Queue: "q", Func: "a.b"}); err != nil {
		t.Fatal(err)
	}
	c := f.claim("w1")[0]
	poor := f.forbidden("-hincrbyfloat")
	if _, err := poor.Finish(ctx, []Outcome{{Execution: c.Execution, Job: c.Job, Result: 1}}); err == nil || !strings.Contains(err.Error(), "HINCRBYFLOAT rq:worker:w1") {
		t.Errorf("finishing: %v", err)
	}
	fins, err := poor.Finish(ctx, []Outcome{{Execution: c.Execution, Job: c.Job, Result: 1}})
	if err != nil || fins[0].Err != nil || fins[0].Status != StatusFinished {
		t.Errorf("finishing again: %+v, %v", fins, err)
	}
	if j, err := f.Job(ctx, "j"); err != nil || j.Status != StatusFinished {
		t.Errorf("the job: %+v, %v", j, err)
	}
}

// stop-job is all that Stop does; Cancel and Delete get along without.
func TestMayNotPublish(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.RedisServer), Options{})
	ctx := t.Context()
	if err := f.register(WorkerBirth{Name: "w1", Queues: []string{"q"}, Host: "h", PID: 1}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"j1", "j2"} {
		if _, err := f.Enqueue(ctx, Spec{ID: id, Queue: "q", Func: "a.b"}); err != nil {
			t.Fatal(err)
		}
	}
	f.claim("w1")
	poor := f.forbidden("resetchannels")
	if _, _, err := poor.Stop(ctx, "j1", 0); err == nil || !strings.Contains(err.Error(), "PUBLISH rq:pubsub:w1") {
		t.Errorf("stopping: %v", err)
	}
	if _, err := poor.Cancel(ctx, "j1"); err != nil {
		t.Errorf("canceling: %v", err)
	}
}

// What Redis refuses a script, in the words of its versions, ends the script
// before anything is written; later it goes on to its end, because half of a
// transition is worse than one without a part.
func TestRefusalsInTheWordsOfRedis(t *testing.T) {
	t.Parallel()
	prelude, err := luaFiles.ReadFile("lua/prelude.lua")
	if err != nil {
		t.Fatal(err)
	}
	// Its second HSET is refused, or its first.
	script := compileText(`
		local real, refusal = redis, ''
		local redis = { error_reply = real.error_reply, pcall = function(command, ...)
			if command == 'HSET' then
				return { err = refusal }
			end
			return real.pcall(command, ...)
		end }
	` + string(prelude) + `
		return run(function()
			refusal = take()
			if take() == '1' then
				w('SET', 'before', '1')
			end
			w('HSET', 'h', 'a', 'b')
			w('SET', 'after', '1')
			return 'done'
		end)`)
	const noRight = "NOPERM the Redis user has no permission for HSET h"
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		for _, x := range []struct {
			refusal string
			late    bool
			answer  string
			change  string
		}{
			{"NOPERM this user has no permissions to run the 'hset' command", false, noRight, ""},
			{"@user_script: 5: The user executing the script can't run this command or subcommand", false, noRight, ""},
			{"ERR The user executing the script can't run this command or subcommand", false, noRight, ""},
			{"ERR ACL failure in script: User some has no permissions to run the 'hset' command", false, noRight, ""},
			{"ERR The user executing the script can't run this command or subcommand", true, noRight, "+ after = 1\n+ before = 1\n+ docsvc:refused HSET = 1"},
			{"OOM command not allowed when used memory > 'maxmemory'.", false, "OOM command not allowed when used memory > 'maxmemory'.", ""},
			{"OOM command not allowed when used memory > 'maxmemory'.", true, "done", "+ after = 1\n+ before = 1\n+ docsvc:refused HSET = 1"},
			{"WRONGTYPE Operation against a key holding the wrong kind of value", false, "done", "+ after = 1\n+ docsvc:refused HSET = 1"},
			{"ERR hash value is not an integer", false, "done", "+ after = 1\n+ docsvc:refused HSET = 1"},
		} {
			if err := f.rdb.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			wantChange(t, f.change(func() {
				r, err := f.run(t.Context(), call{script, nil, f.tape().str(x.refusal).flag(x.late)})
				answer := r.text()
				if err != nil {
					answer = err.Error()
				}
				if answer != x.answer {
					t.Errorf("%s (late: %v): %s, want %s", x.refusal, x.late, answer, x.answer)
				}
			}), x.change)
		}
	})
}
