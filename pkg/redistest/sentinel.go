package redistest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// TLS are the files of a server that speaks TLS to whoever shows a certificate
// of the same authority.
type TLS struct{ Cert, Key, CA string }

func (f TLS) args() []string {
	return []string{"--tls-auth-clients", "yes", "--tls-replication", "yes",
		"--tls-cert-file", f.Cert, "--tls-key-file", f.Key, "--tls-ca-cert-file", f.CA}
}

// StartTLS runs a redis-server that also speaks TLS, at TLSAddr, until the
// test ends.
func StartTLS(t *testing.T, f TLS, args ...string) *Server {
	t.Helper()
	addr := porttest.Addr(t)
	_, port, _ := strings.Cut(addr, ":")
	s := StartWith(t, slices.Concat([]string{"--tls-port", port}, f.args(), args)...)
	s.TLSAddr, s.tls = addr, f
	return s
}

// StartReplica runs a replica of primary until the test ends, over TLS where
// primary speaks it, and waits until it has caught up.
func StartReplica(t *testing.T, primary *Server) *Server {
	t.Helper()
	host, port, err := net.SplitHostPort(cmp.Or(primary.TLSAddr, primary.Addr))
	if err != nil {
		t.Fatal(err)
	}
	var s *Server
	if primary.TLSAddr != "" {
		s = StartTLS(t, primary.tls, "--replicaof", host, port)
	} else {
		s = StartWith(t, "--replicaof", host, port)
	}
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
// when not empty, is what Sentinel asks its own clients for. Where primary
// speaks TLS Sentinel does, at tlsAddr, and to all servers.
func StartSentinel(t *testing.T, name string, primary *Server, replicas int, password string) (addr, tlsAddr string) {
	t.Helper()
	host, port, err := net.SplitHostPort(cmp.Or(primary.TLSAddr, primary.Addr))
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
	args := []string{path, "--sentinel"}
	if primary.TLSAddr != "" {
		tlsAddr = porttest.Addr(t)
		_, own, _ := strings.Cut(tlsAddr, ":")
		args = slices.Concat(args, []string{"--tls-port", own}, primary.tls.args())
	}
	cmd := exec.Command(needBinary(t), args...)
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
			return addr, tlsAddr
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("Sentinel finds no %d replicas of %s", replicas, primary.Addr)
	return "", ""
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
