package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/porttest"
)

// HasTLS reports whether the redis-server was built with TLS. One that was not
// stumbles over the first of the two directives.
func HasTLS(t *testing.T) bool {
	t.Helper()
	out, _ := exec.Command(needBinary(t), "--tls-port", "0", "--no-such-directive", "0").CombinedOutput()
	return !strings.Contains(string(out), "'tls-port")
}

// StartReplica runs a replica of primary until the test ends, and waits until
// it has caught up.
func StartReplica(t *testing.T, primary *Server) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	s := StartWith(t, "--replicaof", host, port)
	c := s.Client(t)
	for range 1000 {
		info, _ := c.Info(context.Background(), "replication").Result()
		if strings.Contains(info, "master_link_status:up") {
			return s
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the replica of %s does not catch up", primary.Addr)
	return nil
}

// StartSentinel runs a Sentinel that watches primary under a name, and that
// alone promotes a replica once the primary has been silent for a minute: none
// that only waits for its turn on a busy machine is taken for dead; Promote
// makes it sooner. It waits until Sentinel knows the replicas given. password,
// when not empty, is what Sentinel asks its own clients for.
func StartSentinel(t *testing.T, name string, primary *Server, replicas int, password string) (addr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		t.Fatal(err)
	}
	addr = porttest.Addr(t)
	_, own, _ := strings.Cut(addr, ":")
	conf := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor %s %s %s 1\nsentinel down-after-milliseconds %s 60000\nsentinel failover-timeout %s 5000\n",
		own, name, host, port, name, name)
	if password != "" {
		conf += "requirepass " + password + "\n"
	}
	path := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(needBinary(t), path, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	c := redis.NewSentinelClient(&redis.Options{Addr: addr, Password: password, DisableIdentity: true})
	defer func() { _ = c.Close() }()
	for range 1000 {
		if known, err := c.Replicas(context.Background(), name).Result(); err == nil && len(known) == replicas {
			return addr
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("Sentinel finds no %d replicas of %s", replicas, primary.Addr)
	return ""
}

// Promote has Sentinel promote a replica of a primary that was killed, as it
// does by itself after a while.
func Promote(t *testing.T, sentinel, name, password string) {
	t.Helper()
	c := redis.NewSentinelClient(&redis.Options{Addr: sentinel, Password: password, DisableIdentity: true})
	defer func() { _ = c.Close() }()
	var err error
	for range 1000 {
		if err = c.Failover(context.Background(), name).Err(); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("Sentinel promotes nobody: %v", err)
}
