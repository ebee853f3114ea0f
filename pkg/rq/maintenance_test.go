package rq

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func (f *fixture) maintain() Maintained {
	f.t.Helper()
	m, err := f.Maintenance(context.Background(), []string{"q"})
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

func TestMaintenanceRemovesWhatExpired(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			ZADD rq:finished:q 1795435200 old 1795435201 new +inf ever -5 negative
			ZADD rq:failed:q 1795435200 old 1795435201 new -1 ever
			ZADD rq:canceled:q 1 gone 2 kept
			HSET rq:job:kept status canceled
			ZADD rq:deferred:q 1 gone
			SADD rq:workers rq:worker:dead rq:worker:live
			SADD rq:workers:q rq:worker:dead rq:worker:live
			HSET rq:worker:live pid 1`)
		var m Maintained
		wantChange(t, f.change(func() { m = f.maintain() }), `
			- rq:canceled:q gone 1
			- rq:deferred:q gone 1
			- rq:failed:q old 1795435200
			- rq:finished:q old 1795435200
			- rq:workers rq:worker:dead
			- rq:workers:q rq:worker:dead`)
		if m.Finished != 1 || m.Failed != 1 || m.Canceled != 1 || m.Deferred != 1 || m.Workers != 1 || m.Queues != 1 {
			t.Errorf("maintained %+v", m)
		}
	})
}

func TestMaintenanceRespectsRQsLock(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("ZADD rq:finished:q 5 old\nSET rq:clean_registries:q 1 EX 899")
		wantChange(t, f.change(func() {
			if m := f.maintain(); m.Queues != 0 {
				t.Errorf("maintained %+v", m)
			}
		}), "")
	})
}

// foreign is a started job of a Python worker: no lease.
const foreign = `
	HSET rq:job:p1 status started origin q data {call} timeout 180 worker_name py started_at 2026-11-23T11:55:00.000000Z
	HSET rq:execution:p1:x id x
	ZADD rq:executions:p1 1795435300 x
	ZADD rq:wip:q 1795435200 p1:x
`

func TestMaintenanceTakesAbandonedExecutionsOfPython(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, seed, want string }{
		{"fails it", "", `
			- rq:job:p1 status = started
			- rq:wip:q p1:x 1795435200
			+ docsvc:events #0 error_code=worker_died execution=x from=started job=p1 queue=q reason=abandoned to=failed worker=py
			+ docsvc:recoveries q = 1
			+ rq:failed:q p1 1826971200
			+ rq:job:p1 status = failed
			+ rq:job:p1 ttl 31536000
			+ rq:results:p1 #0 exc_string="Moved to FailedJobRegistry, due to AbandonedJobError, at 2026-11-23 12:00:00.250000+00:00" type=2 worker_name=`},
		{"retries it", "HSET rq:job:p1 retries_left 2", `
			- rq:job:p1 retries_left = 2
			- rq:job:p1 status = started
			- rq:wip:q p1:x 1795435200
			+ docsvc:events #0 execution=x from=started job=p1 queue=q reason=abandoned to=queued worker=py
			+ docsvc:recoveries q = 1
			+ rq:job:p1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:p1 retries_left = 1
			+ rq:job:p1 status = queued
			+ rq:queue:q [p1]`},
		{"not before its score passed", "ZADD rq:wip:q 1795435201 p1:x", ""},
		{"not while it has a lease", "ZADD docsvc:lease:q 1 p1:x", ""},
		{"not its callback while a Python worker lives", `
			HSET rq:job:p1 failure_callback_name app.on_failure
			SADD rq:workers rq:worker:py2
			HSET rq:worker:py2 queues other,q`, ""},
		{"its callback when no worker of that queue lives", `
			HSET rq:job:p1 failure_callback_name app.on_failure retries_left 1
			SADD rq:workers rq:worker:py2 rq:worker:w1
			HSET rq:worker:py2 queues other
			HSET rq:worker:w1 queues q
			HSET docsvc:worker:w1 token t lease 9999999999999`, `
			- rq:job:p1 retries_left = 1
			- rq:job:p1 status = started
			- rq:wip:q p1:x 1795435200
			+ docsvc:events #0 execution=x from=started job=p1 queue=q reason=abandoned to=queued worker=py
			+ docsvc:recoveries q = 1
			+ rq:job:p1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:p1 retries_left = 0
			+ rq:job:p1 status = queued
			+ rq:queue:q [p1]`},
		{"only removes what is no started job", "HSET rq:job:p1 status finished\nZADD rq:wip:q 5 gone:y 6 nocolon 7 a:b:c", `
			- rq:execution:p1:x id = x
			- rq:executions:p1 x 1795435300
			- rq:wip:q a:b:c 7
			- rq:wip:q gone:y 5
			- rq:wip:q nocolon 6
			- rq:wip:q p1:x 1795435200`},
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				looked := 0
				f := newFixture(t, s, Options{Effects: func(Transition) Extra { looked++; return Extra{} }})
				f.seed(foreign + c.seed)
				wantChange(t, f.change(func() { f.maintain() }), c.want)
				if (looked > 0) != (c.want != "") {
					t.Errorf("%d executions were considered", looked)
				}
			})
		}
	})
}

// Between looking and taking its worker sent a heartbeat, or it turned out ours.
func TestMaintenanceChecksAgainWhenItTakes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, meanwhile := range []string{"ZADD rq:wip:q 1795435201 p1:x", "ZADD docsvc:lease:q 1 p1:x", "ZREM rq:wip:q p1:x"} {
			f := newFixture(t, s, Options{})
			f.seed(foreign)
			f.o.Effects = func(Transition) Extra {
				f.seed(meanwhile)
				return Extra{}
			}
			if m := f.maintain(); len(m.Abandoned) != 0 {
				t.Errorf("after %s: %+v", meanwhile, m)
			}
			if got, err := f.Job(context.Background(), "p1"); err != nil || got.Status != StatusStarted {
				t.Errorf("after %s: %+v %v", meanwhile, got, err)
			}
		}
	})
}

// A Python worker died between taking the job and starting it.
func TestMaintenancePushesBackFromTheIntermediateList(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:stuck status queued origin q data {call} timeout 60
			HSET rq:job:running status started origin q
			ZADD rq:executions:running 1795439999 x
			ZADD rq:wip:q 1795439999 running:x
			HSET rq:job:done status finished origin q
			RPUSH rq:queue:q next
			RPUSH rq:queue:q:intermediate gone stuck running done`)
		wantChange(t, f.change(func() { f.maintain() }), `
			- rq:queue:q:intermediate [gone stuck running done]
			+ rq:queue:q:intermediate [stuck running done]
			+ rq:queue:q:intermediate:first_seen:done = 1795435200.25
			+ rq:queue:q:intermediate:first_seen:done ttl 86400
			+ rq:queue:q:intermediate:first_seen:stuck = 1795435200.25
			+ rq:queue:q:intermediate:first_seen:stuck ttl 86400`)
		f.now = noon.Add(60 * time.Second)
		wantChange(t, f.change(func() { f.maintain() }), "") // 60 s, not more
		f.now = noon.Add(61 * time.Second)
		var m Maintained
		wantChange(t, f.change(func() { m = f.maintain() }), `
			- rq:queue:q [next]
			- rq:queue:q:intermediate [stuck running done]
			- rq:queue:q:intermediate:first_seen:done = 1795435200.25
			- rq:queue:q:intermediate:first_seen:done ttl 86400
			- rq:queue:q:intermediate:first_seen:stuck = 1795435200.25
			- rq:queue:q:intermediate:first_seen:stuck ttl 86400
			+ docsvc:events #0 from=queued job=stuck queue=q reason=intermediate to=queued
			+ rq:job:stuck enqueued_at = 2026-11-23T12:01:01.250000Z
			+ rq:queue:q [stuck next]
			+ rq:queue:q:intermediate [running]`)
		if m.Intermediate != 1 || m.Dangling != 1 {
			t.Errorf("maintained %+v", m)
		}
	})
}

// What a job's earlier life left in an intermediate list is not a second entry
// of the job, on its queue or on one that it isn't of.
func TestMaintenanceDropsLeftOversOfTheIntermediateList(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:head status queued origin q data {call} timeout 60
			HSET rq:job:tail status created origin q data {call} timeout 60
			HSET rq:job:moved status queued origin other data {call} timeout 60
			RPUSH rq:queue:q head`)
		f.rdb.RPush(t.Context(), "rq:queue:q", slices.Repeat([]any{"x"}, 10000)...)
		f.seed(`
			RPUSH rq:queue:q tail
			RPUSH rq:queue:other moved
			RPUSH rq:queue:q:intermediate head tail moved`)
		before := f.rdb.LRange(t.Context(), "rq:queue:q", 0, -1).Val()
		f.maintain()
		f.now = noon.Add(61 * time.Second)
		if m := f.maintain(); m.Intermediate != 0 || m.Dangling != 3 {
			t.Errorf("maintained %+v", m)
		}
		if after := f.rdb.LRange(t.Context(), "rq:queue:q", 0, -1).Val(); !slices.Equal(after, before) {
			t.Errorf("the queue has %d entries, had %d", len(after), len(before))
		}
		if n := f.rdb.Exists(t.Context(), "rq:queue:q:intermediate").Val(); n != 0 {
			t.Error("the intermediate list has entries")
		}
	})
}

// RQ's mark of a job that was seen in the intermediate list stays for a day
// after the job has begun. It says nothing of the job's next time there.
func TestMaintenanceSeesAJobEnqueuedAgainForTheFirstTime(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:again status queued origin q data {call} timeout 60 enqueued_at 2026-11-23T11:59:00.000000Z
			HSET rq:job:skewed status queued origin q data {call} timeout 60 enqueued_at 2027-11-23T11:59:00.000000Z
			SET rq:queue:q:intermediate:first_seen:again 1795435100.5
			SET rq:queue:q:intermediate:first_seen:skewed 1795435100.5
			RPUSH rq:queue:q:intermediate again skewed`)
		if m := f.maintain(); m.Intermediate != 1 {
			t.Errorf("maintained %+v", m)
		}
		mark := "rq:queue:q:intermediate:first_seen:again"
		if got := f.rdb.Get(t.Context(), mark).Val(); got != "1795435200.25" || f.rdb.TTL(t.Context(), mark).Val() < 23*time.Hour {
			t.Errorf("seen at %s, the mark lives for %v", got, f.rdb.TTL(t.Context(), mark).Val())
		}
		f.now = noon.Add(61 * time.Second)
		if m := f.maintain(); m.Intermediate != 1 {
			t.Errorf("maintained %+v", m)
		}
		if list := f.rdb.LRange(t.Context(), "rq:queue:q", 0, -1).Val(); !slices.Equal(list, []string{"again", "skewed"}) {
			t.Errorf("the queue has %v", list)
		}
	})
}

func TestMaintenanceReleasesForgottenDependents(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:ready status deferred origin q timeout 60
			SADD rq:job::ready:dependencies done gone
			SADD rq:job:done:dependents ready
			HSET rq:job:waits status deferred origin q timeout 60
			SADD rq:job::waits:dependencies done failed
			HSET rq:job:free status deferred origin q timeout 60
			HSET rq:job:ran status finished origin q timeout 60
			SADD rq:job::ran:dependencies done
			HSET rq:job:done status finished
			HSET rq:job:failed status failed
			ZADD rq:deferred:q 1 ready 2 waits 3 free 4 ran`)
		wantChange(t, f.change(func() {
			if m := f.maintain(); m.Released != 1 {
				t.Errorf("maintained %+v", m)
			}
		}), `
			- rq:deferred:q ready 1
			- rq:job:done:dependents ready
			- rq:job:ready status = deferred
			+ docsvc:events #0 from=deferred job=ready queue=q reason=dependency_met to=queued
			+ rq:job:ready enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:ready status = queued
			+ rq:queue:q [ready]`)
	})
}

func TestMaintenanceSurvivesWrongTypes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			SET rq:wip:q x
			SET rq:finished:q x
			SET rq:canceled:q x
			SET rq:deferred:q x
			SET rq:workers:q x
			SET rq:queue:q:intermediate x
			ZADD rq:failed:q 5 old`)
		if m := f.maintain(); m.Failed != 1 {
			t.Errorf("maintained %+v", m)
		}
	})
}
