package rq

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func (f *fixture) cron(c *Client, jobs ...CronJob) *CronScheduler {
	f.t.Helper()
	s, err := c.NewCronScheduler(CronOptions{Jobs: jobs, ConfigFile: "jobs.go"})
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// rounds makes one round of the scheduler and checks how long it may sleep.
func (f *fixture) round(s *CronScheduler, born *bool, sleep time.Duration) {
	f.t.Helper()
	if wait, err := s.round(f.t.Context(), born); err != nil || wait != sleep {
		f.t.Fatalf("sleeps %s, %v; want %s", wait, err, sleep)
	}
}

func (f *fixture) history(name string, want int) []string {
	f.t.Helper()
	ids, err := f.CronHistory(f.t.Context(), name, 5000)
	if err != nil || len(ids) != want {
		f.t.Fatalf("history of %s: %d jobs, %v; want %d", name, len(ids), err, want)
	}
	return ids
}

func TestCronRounds(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		ctx, born := t.Context(), false
		s := f.cron(f.Client,
			CronJob{Every: 40 * time.Second, Spec: Spec{Queue: "q", Func: "a.b", Args: []any{1, "é"}, Kwargs: map[string]any{"k": true}}},
			CronJob{Cron: "*/5 * * * *", Name: "five", Spec: Spec{Queue: "q", Func: "a.c", Timeout: -1, Meta: map[string]any{"m": 1}}})
		start := f.now
		f.round(s, &born, 40*time.Second) // the one with Every at once
		first := f.history("a.b", 1)
		f.history("five", 0)
		f.now = start.Add(39 * time.Second)
		f.round(s, &born, time.Second)
		f.now = start.Add(40 * time.Second)
		f.round(s, &born, 40*time.Second)
		if ids := f.history("a.b", 2); ids[1] != first[0] {
			t.Errorf("the newest is not first: %v", ids)
		}
		// Times that have passed are made up for once, and count from now.
		f.now = start.Add(11 * time.Minute)
		f.round(s, &born, 40*time.Second)
		f.history("a.b", 3)
		five := f.history("five", 1)
		job, err := f.Job(ctx, five[0])
		if err != nil || job.Func != "a.c" || job.Queue != "q" || job.Status != StatusQueued || job.Timeout >= 0 {
			t.Errorf("%+v, %v", job, err)
		}
		if names, err := f.CronNames(ctx); err != nil || !slices.Equal(names, []string{"a.b", "five"}) {
			t.Errorf("%q, %v", names, err)
		}
		list, err := f.CronSchedulers(ctx)
		if err != nil || len(list) != 1 {
			t.Fatalf("%+v, %v", list, err)
		}
		want := []CronJobInfo{
			{Name: "a.b", Func: "a.b", Queue: "q", Args: `[1, "\u00e9"]`, Kwargs: `{"k": true}`, Every: 40 * time.Second, Latest: f.now, Next: f.now.Add(40 * time.Second)},
			{Name: "five", Func: "a.c", Queue: "q", Cron: "*/5 * * * *", Latest: f.now, Next: start.Truncate(time.Minute).Add(15 * time.Minute)},
		}
		if x := list[0]; x.Name != s.Name() || x.ConfigFile != "jobs.go" || !x.CreatedAt.Equal(start) || !x.LastHeartbeat.Equal(f.now) || !reflect.DeepEqual(x.Jobs, want) {
			t.Errorf("%+v\nwant %+v", x, want)
		}
		// A history is of a thousand jobs.
		for i := range cronHistory + 20 {
			f.rdb.ZAdd(ctx, "rq:cron_job:a.b:jobs", redis.Z{Score: float64(i), Member: newJobID()})
		}
		f.now = f.now.Add(40 * time.Second)
		f.round(s, &born, 40*time.Second)
		f.history("a.b", cronHistory)
		if d := f.rdb.TTL(ctx, "rq:cron_job:a.b:jobs").Val(); d < 364*24*time.Hour {
			t.Errorf("the history is kept %s", d)
		}
	})
}

// Gone from Redis, the scheduler is back with its next sign of life; silent
// for two minutes it is not listed.
func TestCronSchedulerComesBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		ctx, born := t.Context(), false
		s := f.cron(f.Client, CronJob{Cron: "@daily", Spec: Spec{Queue: "q", Func: "a.b"}})
		f.round(s, &born, time.Minute)
		f.rdb.FlushDB(ctx)
		f.round(s, &born, time.Minute)
		list, err := f.CronSchedulers(ctx)
		if err != nil || len(list) != 1 || len(list[0].Jobs) != 1 || list[0].Jobs[0].Next.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		if d := f.rdb.TTL(ctx, keyCronScheduler(s.Name())).Val(); d != cronSchedulerTTL {
			t.Errorf("its hash is kept %s", d)
		}
		f.now = f.now.Add(cronSchedulerTTL + time.Second)
		if list, err := f.CronSchedulers(ctx); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

// Each time of a cron expression is enqueued by one of several schedulers, of
// two jobs that differ both are.
func TestCronSchedulersShareTimes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		other := New(f.rdb, f.o)
		jobs := []CronJob{{Cron: "0 * * * *", Name: "n", Spec: Spec{Queue: "q", Func: "a.b"}}, {Cron: "0 * * * *", Name: "n", Spec: Spec{Queue: "q", Func: "a.b", Args: []any{2}}}}
		bornA, bornB := false, false
		a, b := f.cron(f.Client, jobs...), f.cron(other, jobs...)
		for i := range 3 {
			f.round(a, &bornA, time.Minute)
			f.round(b, &bornB, time.Minute)
			f.history("n", 2*i)
			f.now = f.now.Add(time.Hour)
		}
	})
}

// A scheduler that slept for hours doesn't enqueue again what another one did
// meanwhile; alone it makes up for the last time.
func TestCronSchedulerThatSlept(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		other := New(f.rdb, f.o)
		jobs := []CronJob{{Cron: "0 * * * *", Name: "hourly", Spec: Spec{Queue: "q", Func: "a.b"}}, {Cron: "0 0 * * *", Name: "daily", Spec: Spec{Queue: "q", Func: "a.b"}}}
		bornA, bornB := false, false
		awake, slept := f.cron(f.Client, jobs...), f.cron(other, jobs...)
		f.round(slept, &bornB, time.Minute)
		for range 20 { // until 8 in the morning
			f.round(awake, &bornA, time.Minute)
			f.now = f.now.Add(time.Hour)
			srv.FastForward(time.Hour)
		}
		f.round(awake, &bornA, time.Minute)
		hours := 20
		f.history("hourly", hours)
		f.history("daily", 1)
		longest := time.Duration(0) // for which a time is claimed: the daily one's, on redis-server by its own clock
		for _, key := range f.rdb.Keys(t.Context(), "docsvc:cron:*").Val() {
			longest = max(longest, f.rdb.PTTL(t.Context(), key).Val())
		}
		if longest < 16*time.Hour {
			t.Errorf("no time is claimed for longer than %s", longest)
		}
		f.round(slept, &bornB, time.Minute)
		f.history("hourly", hours)
		f.history("daily", 1)
		f.now = f.now.Add(3*time.Hour + time.Minute)
		f.round(slept, &bornB, time.Minute)
		f.history("hourly", hours+1)
	})
}

// A clock that is set back doesn't silence a scheduler, nor double its jobs.
func TestCronClockSetBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		born := false
		f.now = f.now.Truncate(time.Minute)
		start := f.now
		s := f.cron(f.Client,
			CronJob{Every: 30 * time.Second, Name: "every", Spec: Spec{Queue: "q", Func: "a.b"}},
			CronJob{Cron: "* * * * *", Name: "minutely", Spec: Spec{Queue: "q", Func: "a.b"}})
		f.now = start.Add(366 * 24 * time.Hour) // the clock is a year wrong
		f.round(s, &born, 30*time.Second)
		f.history("every", 1)
		f.history("minutely", 1)
		f.now = start
		f.round(s, &born, 30*time.Second)
		f.history("every", 1)
		for i := range 3 {
			f.now = start.Add(time.Duration(i+1) * time.Minute)
			f.round(s, &born, 30*time.Second)
		}
		f.history("every", 4)
		f.history("minutely", 4)
		f.now = f.now.Add(-2 * time.Minute) // these minutes again
		for range 3 {
			f.round(s, &born, 30*time.Second)
			f.now = f.now.Add(time.Minute)
		}
		f.history("minutely", 4)
	})
}

// A time whose answer was lost is not enqueued again, and a job that can't be
// enqueued doesn't keep others from it.
func TestCronTriesAgain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		f := newFixture(t, srv, Options{})
		f.rdb.Set(t.Context(), "rq:queue:odd", "not a list", 0)
		s := f.cron(f.Client,
			CronJob{Every: time.Minute, Spec: Spec{Queue: "odd", Func: "o.o"}},
			CronJob{Every: time.Minute, Spec: Spec{Queue: "q", Func: "a.b"}},
			CronJob{Every: time.Minute, Spec: Spec{Queue: "q", Func: "a.b"}})
		for _, e := range s.entries {
			lost := *e
			if err := s.enqueue(t.Context(), &lost, f.now); err != nil {
				t.Fatal(err)
			}
		}
		born := false
		f.round(s, &born, time.Minute)
		f.history("o.o", 0)
		f.history("a.b", 2)
	})
}

func TestCronRun(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, srv *redistest.Server) {
		c := New(srv.Client(t), Options{})
		s, err := c.NewCronScheduler(CronOptions{Name: "mine", Jobs: []CronJob{{Every: time.Second, Spec: Spec{Queue: "q", Func: "a.b"}}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		deadline := time.Now().Add(30 * time.Second)
		for n := int64(0); n < 2 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
			n = c.rdb.LLen(t.Context(), "rq:queue:q").Val()
		}
		if list, err := c.CronSchedulers(t.Context()); err != nil || len(list) != 1 || list[0].Name != "mine" {
			t.Errorf("%+v, %v", list, err)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := c.rdb.LLen(t.Context(), "rq:queue:q").Val(); n < 2 {
			t.Errorf("%d jobs in 30 s", n)
		}
		if n := c.rdb.ZCard(t.Context(), "rq:cron_schedulers").Val(); n != 0 {
			t.Error("it is still on the list")
		}
	})
}

func TestCronJobsAreChecked(t *testing.T) {
	t.Parallel()
	c := New(nil, Options{})
	good := Spec{Queue: "q", Func: "a.b"}
	for _, tc := range []struct {
		job  CronJob
		want string
	}{
		{CronJob{Spec: good}, "needs either Cron or Every"},
		{CronJob{Spec: good, Cron: "* * * * *", Every: time.Second}, "needs either Cron or Every"},
		{CronJob{Spec: good, Every: 1500 * time.Millisecond}, "whole seconds"},
		{CronJob{Spec: good, Every: -time.Second}, "whole seconds"},
		{CronJob{Spec: Spec{Queue: "q", Func: "a.b", ID: "x"}, Every: time.Second}, "of one job"},
		{CronJob{Spec: Spec{Queue: "q"}, Every: time.Second}, "func"},
		{CronJob{Spec: good, Cron: "* * * *"}, "must be minute"},
		{CronJob{Spec: good, Cron: "* * * * * *"}, "must be minute"},
		{CronJob{Spec: good, Cron: "61 * * * *"}, "must be minute"},
		{CronJob{Spec: good, Cron: "0 0 L * *"}, "must be minute"},
		{CronJob{Spec: good, Cron: "0 0 ? * 1#2"}, "must be minute"},
		{CronJob{Spec: good, Cron: "@reboot"}, "must be minute"},
		{CronJob{Spec: good, Cron: "0 0 31 2 *"}, "Cron"},
	} {
		if _, err := c.NewCronScheduler(CronOptions{Jobs: []CronJob{tc.job}}); err == nil || !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(tc.want)) {
			t.Errorf("%+v: %v, want %q", tc.job, err, tc.want)
		}
	}
}

const pythonCron = `
import json, os, sys
from datetime import datetime, timezone
from croniter import croniter
from redis import Redis
from rq import cron, cron_job_registry
r = Redis.from_url(sys.argv[1])
s = cron.CronScheduler(r, name="python")
s.register(os.getcwd, "q", interval=30)
s.register(os.getcwd, "q", cron="0 3 * * 1-5", name="nightly", kwargs={"a": 1})
s.register_birth()
s.enqueue_jobs()
s.save()
at = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)
times = {}
for e in json.loads(sys.argv[2]):
    i = croniter(e, at)
    times[e] = [i.get_next(datetime).isoformat() for _ in range(20)]
print(json.dumps({
    "schedulers": [{**x.to_dict(), "jobs": [j.to_dict() for j in x.get_jobs()]} for x in cron.CronScheduler.all(r) if x.name != "python"],
    "names": cron_job_registry.get_names(r), "history": cron.get_cron_job_ids("five", r), "times": times}))
`

// RQ's own readers see Go's scheduler, jobs and history, Go sees RQ's, and both
// mean the same times by an expression.
func TestCronAndPython(t *testing.T) {
	t.Parallel()
	python := redistest.Python(t)
	srv := redistest.Start(t, redistest.RedisServer)
	c := New(srv.Client(t), Options{})
	s, err := c.NewCronScheduler(CronOptions{Name: "go", ConfigFile: "main.go", Jobs: []CronJob{
		{Every: 40 * time.Second, Name: "five", Spec: Spec{Queue: "q", Func: "a.b", Args: []any{1, "é"}, Kwargs: map[string]any{"k": true}, ResultTTL: new(time.Minute)}},
		{Cron: "30 2 * * *", Spec: Spec{Queue: "q", Func: "a.c", Meta: map[string]any{"m": 1}, Webhooks: []Webhook{{URL: "http://h/x", Status: StatusFailed}}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	born := false
	if _, err := s.round(t.Context(), &born); err != nil {
		t.Fatal(err)
	}
	exprs := []string{"* * * * *", "*/7 * * * *", "3-50/9 */5 * * *", "0 0 1,15 * *", "0 12 * * 1-5", "0 0 * * 0", "0 0 * * 7", "15 10 29 2 *", "0 0 13 * 5", "5 4 * JAN-MAR MON,WED", "@hourly", "@daily", "@weekly", "@monthly", "@yearly", "59 23 31 12 *", "0 0 31 * *"}
	list, err := json.Marshal(exprs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", pythonCron, srv.URL, string(list))
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var seen struct {
		Schedulers []struct {
			Name, Hostname string
			ConfigFile     string           `json:"config_file"`
			Jobs           []map[string]any `json:"jobs"`
		}
		Names, History []string
		Times          map[string][]time.Time
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	out = lines[len(lines)-1] // after RQ's log
	if err := json.Unmarshal(out, &seen); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(seen.Schedulers) != 1 || seen.Schedulers[0].Name != "go" || seen.Schedulers[0].ConfigFile != "main.go" || len(seen.Schedulers[0].Jobs) != 2 {
		t.Fatalf("RQ reads %s", out)
	}
	for i, want := range []map[string]any{
		{"func_name": "a.b", "name": "five", "queue_name": "q", "interval": 40.0, "cron": nil, "args": `[1, "\u00e9"]`, "kwargs": `{"k": true}`, "result_ttl": 60.0, "job_timeout": 180.0},
		{"func_name": "a.c", "name": "a.c", "interval": nil, "cron": "30 2 * * *", "args": nil, "meta": `{"m": 1}`, "latest_enqueue_time": nil},
	} {
		for field, value := range want {
			if got := seen.Schedulers[0].Jobs[i][field]; got != value {
				t.Errorf("job %d: RQ reads %s = %v, want %v", i, field, got, value)
			}
		}
	}
	if ids, err := c.CronHistory(t.Context(), "five", 10); err != nil || len(ids) != 1 || !slices.Equal(ids, seen.History) || !slices.Contains(seen.Names, "five") {
		t.Errorf("RQ reads %q of %q, Go %q, %v", seen.History, seen.Names, ids, err)
	}
	for _, e := range exprs {
		at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		for i, want := range seen.Times[e] {
			if at, err = cronNext(e, at); err != nil || !at.Equal(want) {
				t.Errorf("%s: time %d is %s, %v; RQ's %s", e, i+1, at, err, want)
				break
			}
		}
	}
	theirs, err := c.CronSchedulers(t.Context())
	i := slices.IndexFunc(theirs, func(x CronSchedulerInfo) bool { return x.Name == "python" })
	if err != nil || i < 0 || len(theirs[i].Jobs) != 2 || theirs[i].Jobs[0].Latest.IsZero() || theirs[i].Jobs[0].Every != 30*time.Second ||
		theirs[i].Jobs[1].Name != "nightly" || theirs[i].Jobs[1].Kwargs != `{"a": 1}` || theirs[i].Jobs[1].Next.Hour() != 3 {
		t.Errorf("Go reads %+v, %v", theirs, err)
	}
}
