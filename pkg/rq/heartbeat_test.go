package rq

import (
	"context"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + `
			SET docsvc:pulse 1795435198000
			HSET docsvc:worker:w1 token ` + f.token + `
			HSET docsvc:worker:w2 token ` + f.token + `
			HSET rq:worker:w1 last_heartbeat then
			HSET rq:worker:w2 state idle last_heartbeat then`)
		wantChange(t, f.change(func() {
			lost, err := f.Heartbeat(context.Background(),
				[]WorkerBeat{{Name: "w1", RSS: 1 << 20, CPU: 0.25}, {Name: "w2"}},
				[]Beat{{Execution: e1, Timeout: 20 * time.Second, Working: 10250 * time.Millisecond}})
			if err != nil || len(lost) != 0 {
				t.Errorf("lost %v, %v", lost, err)
			}
		}), `
			- docsvc:lease:q j1:e1 1795435202250
			- docsvc:pulse = 1795435198000
			- rq:execution:j1:e1 last_heartbeat = 1795435190.25
			- rq:executions:j1 e1 1795435340
			- rq:wip:q j1:e1 1795435280
			- rq:worker:w1 current_job_working_time = 8
			- rq:worker:w1 last_heartbeat = then
			- rq:worker:w2 last_heartbeat = then
			+ docsvc:lease:q j1:e1 1795435212250
			+ docsvc:pulse = 1795435200250
			+ docsvc:worker:w1 cpu = 0.25
			+ docsvc:worker:w1 lease = 1795435212250
			+ docsvc:worker:w1 rss = 1048576
			+ docsvc:worker:w2 cpu = 0.00
			+ docsvc:worker:w2 lease = 1795435212250
			+ docsvc:worker:w2 rss = 0
			+ docsvc:worker:w2 ttl 86400
			+ rq:execution:j1:e1 last_heartbeat = 1795435200.25
			+ rq:execution:j1:e1 ttl 70
			+ rq:executions:j1 e1 1795435329
			+ rq:executions:j1 ttl 130
			+ rq:job:j1 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:wip:q j1:e1 1795435269
			+ rq:worker:w1 current_job_working_time = 10.250000
			+ rq:worker:w1 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w2 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w2 ttl 480`)
	})
}

func TestHeartbeatReportsLostExecutions(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for name, c := range map[string]struct{ seed, want string }{
			"taken away": {"ZREM rq:wip:q j1:e1", "- docsvc:lease:q j1:e1 1795435202250"},
			"job deleted": {"DEL rq:job:j1", `
			- docsvc:lease:q j1:e1 1795435202250
			- rq:execution:j1:e1 created_at = 1795435190.25
			- rq:execution:j1:e1 id = e1
			- rq:execution:j1:e1 last_heartbeat = 1795435190.25
			- rq:execution:j1:e1 worker_name = w1
			- rq:executions:j1 e1 1795435340
			- rq:wip:q j1:e1 1795435280`},
		} {
			t.Run(name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(startedJob + "\nSET docsvc:pulse 1795435200250\n" + c.seed)
				wantChange(t, f.change(func() {
					lost, err := f.Heartbeat(context.Background(), nil, []Beat{{Execution: e1}})
					if err != nil || len(lost) != 1 || lost[0] != e1 {
						t.Errorf("lost %v, %v", lost, err)
					}
				}), c.want)
			})
		}
	})
}

// After an outage longer than the TTLs of RQ's keys they are written anew.
func TestHeartbeatRestoresExpiredKeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		birth := WorkerBirth{Name: "w1", Queues: []string{"q"}, Host: "h", PID: 7, Version: "1.2"}
		if err := f.RegisterWorkers(ctx, []WorkerBirth{birth}); err != nil {
			t.Fatal(err)
		}
		f.seed(startedJob + "\nHSET docsvc:worker:w1 token " + f.token + "\nDEL rq:worker:w1 rq:execution:j1:e1 rq:executions:j1\nSREM rq:workers rq:worker:w1\nSREM rq:workers:q rq:worker:w1")
		if _, err := f.Heartbeat(ctx, []WorkerBeat{{Name: "w1"}}, []Beat{{Execution: e1, Timeout: -1}}); err != nil {
			t.Fatal(err)
		}
		ws, err := f.Workers(ctx)
		if err != nil || len(ws) != 1 || ws[0].PID != 7 || ws[0].Hostname != "h" || ws[0].Birth.IsZero() || !ws[0].Alive {
			t.Errorf("workers = %+v, %v", ws, err)
		}
		h := f.rdb.HGetAll(ctx, "rq:execution:j1:e1").Val()
		if h["id"] != "e1" || h["created_at"] != "1795435190.25" || h["worker_name"] != "w1" || h["last_heartbeat"] != "1795435200.25" {
			t.Errorf("execution = %v", h)
		}
	})
}

// A process that was thought dead comes back after its name was given away.
func TestHeartbeatLeavesANameThatWasTakenOver(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("SET docsvc:pulse 1795435200250\nHSET docsvc:worker:w1 token other lease 1795435200251\nHSET rq:worker:w1 pid 5")
		wantChange(t, f.change(func() {
			if _, err := f.Heartbeat(context.Background(), []WorkerBeat{{Name: "w1"}}, nil); err != nil {
				t.Error(err)
			}
		}), "")
	})
}

// Redis lost its last second, and with it that the name is this process's: the
// process before, which is dead, has it again. That must not last.
func TestHeartbeatTakesItsNameBackFromTheDead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if err := f.RegisterWorkers(ctx, []WorkerBirth{{Name: "w1", Queues: []string{"q"}, Host: "h", PID: 7, Version: "1.2"}}); err != nil {
			t.Fatal(err)
		}
		f.seed(startedJob + "\nHSET docsvc:worker:w1 token dead pid 6 lease 1795435200250 execution j1:e1 queue q\nHSET rq:worker:w1 pid 6")
		if _, err := f.Heartbeat(ctx, []WorkerBeat{{Name: "w1"}}, []Beat{{Execution: e1, Timeout: -1}}); err != nil {
			t.Fatal(err)
		}
		slot := f.rdb.HGetAll(ctx, "docsvc:worker:w1").Val()
		if slot["token"] != f.token || slot["pid"] != "7" || slot["execution"] != "j1:e1" {
			t.Errorf("the slot is %v", slot)
		}
		if pid := f.rdb.HGet(ctx, "rq:worker:w1", "pid").Val(); pid != "7" {
			t.Errorf("RQ's tools see process %s", pid)
		}
		if lease := f.rdb.ZScore(ctx, "docsvc:lease:q", "j1:e1").Val(); lease != 1795435212250 {
			t.Errorf("the lease of its job ends at %.0f", lease)
		}
	})
}

// Redis lost its last second, and with it that the name was ever given. When
// the process dies later its successor has the name at once.
func TestHeartbeatTakesANameThatRedisForgot(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		birth := WorkerBirth{Name: "w1", Queues: []string{"q"}, Host: "h", BootID: "b", PID: 1 << 30, Version: "1.2"} // no such process
		if err := f.RegisterWorkers(ctx, []WorkerBirth{birth}); err != nil {
			t.Fatal(err)
		}
		f.seed("DEL docsvc:worker:w1 rq:worker:w1\nSREM rq:workers rq:worker:w1\nSREM rq:workers:q rq:worker:w1")
		if _, err := f.Heartbeat(ctx, []WorkerBeat{{Name: "w1"}}, nil); err != nil {
			t.Fatal(err)
		}
		if ws, err := f.Workers(ctx); err != nil || len(ws) != 1 || ws[0].Hostname != "h" {
			t.Errorf("workers = %+v, %v", ws, err)
		}
		next := New(f.rdb, Options{Clock: f.o.Clock})
		birth.PID = 1<<30 + 1
		if err := next.RegisterWorkers(ctx, []WorkerBirth{birth}); err != nil {
			t.Errorf("the successor: %v", err)
		}
	})
}
