package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// manager stands in for systemd: it keeps what processes tell it.
type manager struct {
	mu   sync.Mutex
	said []string
}

// serviceManager gives the processes that are started from now on a service manager.
func (s *site) serviceManager() *manager {
	s.t.Helper()
	dir, err := os.MkdirTemp("", "n") // a socket's path is short
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		s.t.Fatal(err)
	}
	m, done := &manager{}, make(chan struct{})
	go func() {
		defer close(done)
		for buf := make([]byte, 1<<16); ; {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			m.mu.Lock()
			m.said = append(m.said, string(buf[:n]))
			m.mu.Unlock()
		}
	}()
	s.t.Cleanup(func() {
		_ = conn.Close()
		<-done
		_ = os.RemoveAll(dir)
	})
	s.env = append(s.env, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=600000") // fed every 0.2 s
	return m
}

// heard counts the messages since number from that hold all of texts.
func (m *manager) heard(from int, texts ...string) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, said := range m.said[from:] {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(said, text)
		}
		if all {
			n++
		}
	}
	return n
}

func (m *manager) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.said)
}

func (m *manager) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.said)
}

func (s *site) hears(m *manager, from, times int, texts ...string) {
	s.t.Helper()
	s.until(fmt.Sprintf("the service manager to hear %q", texts), func() error {
		if n := m.heard(from, texts...); n < times {
			return fmt.Errorf("%d times; said so far: %q", n, m.all())
		}
		return nil
	})
}

// A worker and an API server tell systemd that they are ready, what they do,
// that they live, also while Redis is away, and that they stop.
func TestServiceManagerIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	serving := s.serviceManager()
	api := s.serve()
	s.hears(serving, 0, 1, "READY=1", "STATUS=API on "+s.api)
	working := s.serviceManager()
	w := s.start("worker", "--name", "worker-1")
	s.hears(working, 0, 1, "READY=1")
	s.hears(working, 0, 3, "WATCHDOG=1", "STATUS=0 of 1 slots busy")

	reached, release := s.hold("GET", "/temp/")
	id := s.submit("a.txt", "text/plain", bigText(20_000))
	s.wait("the job to run", reached)
	s.hears(working, 0, 1, "STATUS=1 of 1 slots busy")

	s.redis.Kill()
	s.hears(working, 0, 1, "WATCHDOG=1", "STATUS=waiting for Redis (")
	s.hears(working, working.count(), 5, "WATCHDOG=1")
	s.hears(serving, serving.count(), 5, "WATCHDOG=1")
	s.redis.Restart(t)
	s.hears(working, working.count(), 1, "STATUS=1 of 1 slots busy")

	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	s.hears(working, 0, 1, "STOPPING=1")
	s.hears(working, 0, 1, "STATUS=stopping: 1 jobs in hand")
	release()
	w.stop(syscall.Signal(0))
	s.reach(id, "completed")
	api.stop(syscall.SIGTERM)
	s.hears(serving, 0, 1, "STOPPING=1")
	if n := working.heard(0, "stuck"); n > 0 {
		t.Errorf("the worker called itself stuck %d times", n)
	}
}

// A worker that was stopped for longer than its lease (SIGSTOP, as a paused
// container) comes back to a job that another one has finished: it changes
// nothing, and that is counted.
func TestAWorkerThatComesBackChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	s.serve()
	reached, release := s.hold("PUT", "/text.md")
	id := s.submit("a.txt", "text/plain", bigText(20_000))
	late := s.start("worker", "--name", "worker-1")
	s.wait("the worker to store the text", reached)
	if err := late.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	release()
	s.start("worker", "--name", "worker-2")
	done := s.reach(id, "completed")
	ctx, rdb := context.Background(), s.redis.Client(t)
	record := rdb.HGetAll(ctx, "docsvc:doc:"+id).Val()
	if record["execution_id"] == "" {
		t.Fatalf("no execution in the record %q", record)
	}
	if err := late.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.until("the refused end to be counted", func() error {
		if n, err := rdb.HGet(ctx, "docsvc:late", "document_processing").Int(); err != nil || n != 1 {
			return fmt.Errorf("%d, %v", n, err)
		}
		return nil
	})
	// What the late worker was storing it removes, but for a request that the
	// store answers later than that; complete it never is.
	for execution, files := range s.executions(id) {
		if execution != record["execution_id"] && files > 1 {
			t.Errorf("%d files of execution %s were left", files, execution)
		}
	}
	after := rdb.HGetAll(ctx, "docsvc:doc:"+id).Val()
	for _, field := range []string{"status", "execution_id", "updated_at", "attempts"} {
		if after[field] != record[field] {
			t.Errorf("%s was %q and is %q", field, record[field], after[field])
		}
	}
	if n := rdb.XLen(ctx, "rq:results:"+done.JobID).Val(); n != 1 {
		t.Errorf("%d results, want 1", n)
	}
	late.stop(syscall.SIGTERM)
}
