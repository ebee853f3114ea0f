package rq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func birth(name string) WorkerBirth {
	return WorkerBirth{Name: name, Queues: []string{"q", "low"}, Host: "here", BootID: "boot1", PID: os.Getpid(), Version: "1.2"}
}

func (f *fixture) register(b ...WorkerBirth) error {
	return f.RegisterWorkers(context.Background(), b)
}

func TestRegisterWorkers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("HSET rq:worker:w1 death then failed_job_count 4 birth then") // died yesterday
		b := birth("w1")
		b.PID, b.Started = 77, noon.Add(-time.Second)
		got := f.change(func() {
			if err := f.register(b); err != nil {
				t.Error(err)
			}
		})
		wantChange(t, without(got, "python_version"), `
			- rq:worker:w1 birth = then
			- rq:worker:w1 death = then
			- rq:worker:w1 failed_job_count = 4
			+ docsvc:worker:w1 boot = boot1
			+ docsvc:worker:w1 host = here
			+ docsvc:worker:w1 lease = 1795435212250
			+ docsvc:worker:w1 pid = 77
			+ docsvc:worker:w1 started = 1795435199250
			+ docsvc:worker:w1 token = <id>
			+ docsvc:worker:w1 ttl 86400
			+ rq:worker:w1 birth = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w1 hostname = here
			+ rq:worker:w1 ip_address = unknown
			+ rq:worker:w1 last_heartbeat = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w1 pid = 77
			+ rq:worker:w1 queues = q,low
			+ rq:worker:w1 state = started
			+ rq:worker:w1 ttl 480
			+ rq:worker:w1 version = 1.2
			+ rq:workers rq:worker:w1
			+ rq:workers:low rq:worker:w1
			+ rq:workers:q rq:worker:w1`)
		if err := f.register(b); err != nil {
			t.Errorf("the same process again: %v", err)
		}
	})
}

func TestRegisterRefusesLiveNames(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		other := New(f.rdb, Options{})
		other.fixedTime = f.fixedTime
		held := birth("w2")
		if err := other.RegisterWorkers(context.Background(), []WorkerBirth{held}); err != nil {
			t.Fatal(err)
		}
		f.seed("HSET rq:worker:python hostname there pid 5")
		for _, c := range []struct {
			name, taken, host string
			pid               int
		}{{"w2", "w2", "here", held.PID}, {"python", "python", "there", 5}} {
			wantChange(t, f.change(func() {
				err := f.register(birth("free"), birth(c.name))
				var taken *NameTakenError
				if !errors.As(err, &taken) || taken.Name != c.taken || taken.Host != c.host || taken.PID != c.pid {
					t.Errorf("%s: %v", c.name, err)
				}
			}), "")
		}
	})
}

func TestRegisterTakesOverTheDead(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		dead := deadPID(t)
		cases := []struct {
			name  string
			host  string
			boot  string
			pid   int
			after time.Duration
			taken bool
		}{
			{"its process is gone", "here", "boot1", dead, 0, true},
			{"its process has ended, nobody waited for it", "here", "boot1", unwaitedPID(t), 0, runtime.GOOS == "linux"},
			{"its lease ran out", "there", "boot9", os.Getppid(), 12 * time.Second, true},
			{"its lease holds", "there", "boot9", dead, 11 * time.Second, false},
			{"gone, but of another host", "there", "boot1", dead, 0, false},
			{"gone, but before a reboot", "here", "boot0", dead, 0, false},
			{"alive on this host", "here", "boot1", os.Getppid(), 0, false},
			{"our pid, started before", "here", "boot1", os.Getpid(), 0, true},
		}
		for _, c := range cases {
			f := newFixture(t, s, Options{})
			old := New(f.rdb, Options{})
			old.fixedTime = f.fixedTime
			b := birth("w1")
			b.Host, b.BootID, b.PID, b.Started = c.host, c.boot, c.pid, noon.Add(-time.Hour)
			if err := old.RegisterWorkers(context.Background(), []WorkerBirth{b}); err != nil {
				t.Fatal(err)
			}
			f.seed(queuedJob)
			if _, err := old.Claim(context.Background(), ClaimRequest{Worker: []string{"w1"}, Queues: []string{"q"}}); err != nil {
				t.Fatal(err)
			}
			f.now = f.now.Add(c.after)
			mine := birth("w1")
			mine.Started = noon
			err := f.register(mine)
			if (err == nil) != c.taken {
				t.Errorf("%s: %v", c.name, err)
			}
			// What it ran can be taken back without waiting for the lease.
			lease := f.rdb.ZRangeWithScores(context.Background(), "docsvc:lease:q", 0, -1).Val()
			if len(lease) != 1 || (lease[0].Score == 0) != c.taken {
				t.Errorf("%s: lease %v", c.name, lease)
			}
		}
	})
}

// deadPID is the id of a process that has ended.
func deadPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return cmd.Process.Pid
}

// unwaitedPID is a process that has ended and still has its number.
func unwaitedPID(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	_ = in.Close()
	_, _ = io.ReadAll(out) // to its end
	for range 1000 {
		if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", cmd.Process.Pid)); err != nil || bytes.Contains(stat, []byte(") Z ")) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return cmd.Process.Pid
}

func TestUnregisterWritesTheDeath(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		if err := f.register(birth("w1"), birth("w2")); err != nil {
			t.Fatal(err)
		}
		f.seed("HSET docsvc:worker:w2 token other") // taken over meanwhile
		unregister := func() {
			if err := f.UnregisterWorkers(context.Background(), []string{"w1", "w2", "w3"}); err != nil {
				t.Error(err)
			}
		}
		got := f.change(unregister)
		wantChange(t, without(got, "docsvc:worker:w1"), `
			- rq:worker:w1 ttl 480
			- rq:workers rq:worker:w1
			- rq:workers:low rq:worker:w1
			- rq:workers:q rq:worker:w1
			+ rq:worker:w1 death = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w1 ttl 60`)
		wantChange(t, f.change(unregister), "")
	})
}

func TestWorkerStates(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed("HSET rq:worker:w1 state busy current_job j1 current_job_working_time 7\nEXPIRE rq:worker:w1 90")
		wantChange(t, f.change(func() {
			if err := f.SetWorkerState(ctx, WorkerSuspended, []string{"w1", "gone"}); err != nil {
				t.Error(err)
			}
			if err := f.WorkerShutdownRequested(ctx, []string{"w1", "gone"}); err != nil {
				t.Error(err)
			}
		}), `
			- rq:worker:w1 state = busy
			+ rq:worker:w1 shutdown_requested_date = 2026-11-23T12:00:00.250000Z
			+ rq:worker:w1 state = suspended`)
		wantChange(t, f.change(func() {
			if err := f.SetWorkerState(ctx, WorkerIdle, []string{"w1"}); err != nil {
				t.Error(err)
			}
		}), `
			- rq:worker:w1 current_job = j1
			- rq:worker:w1 current_job_working_time = 7
			- rq:worker:w1 state = suspended
			- rq:worker:w1 ttl 90
			+ rq:worker:w1 current_job_working_time = 0
			+ rq:worker:w1 state = idle
			+ rq:worker:w1 ttl 480`)
	})
}

func TestWorkersReadsAnyonesHashes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		if err := f.register(birth("w1")); err != nil {
			t.Fatal(err)
		}
		f.seed(`
			SADD rq:workers rq:worker:python rq:worker:gone rq:worker:text noprefix
			SET rq:worker:text x
			HSET rq:worker:python state busy queues a,b pid 9 hostname h ip_address 1.2.3.4:5 version 2.12.0 python_version 3.12
			HSET rq:worker:python current_job j1 current_job_working_time 1.5 successful_job_count 3 failed_job_count zz
			HSET rq:worker:python total_working_time 2.25 birth 2026-11-23T11:00:00.000000Z last_heartbeat never`)
		ws, err := f.Workers(context.Background())
		if err != nil || len(ws) != 2 {
			t.Fatalf("%+v %v", ws, err)
		}
		p, w := ws[0], ws[1]
		if p.Name != "python" || p.Docsvc || !p.Alive || p.State != WorkerBusy || len(p.Queues) != 2 || p.PID != 9 || p.CurrentJob != "j1" ||
			p.CurrentWorking != 1500*time.Millisecond || p.Successful != 3 || p.Failed != 0 || p.TotalWorking != 2250*time.Millisecond ||
			p.Birth.Hour() != 11 || !p.LastHeartbeat.IsZero() || p.IPAddress != "1.2.3.4:5" {
			t.Errorf("python = %+v", p)
		}
		if w.Name != "w1" || !w.Docsvc || !w.Alive || w.State != WorkerStarted || w.Hostname != "here" {
			t.Errorf("ours = %+v", w)
		}
		f.now = f.now.Add(12 * time.Second)
		if ws, _ = f.Workers(context.Background()); ws[1].Alive {
			t.Error("still alive without a lease")
		}
	})
}
