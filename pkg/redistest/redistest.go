// Package redistest gives tests a Redis of their own, on every engine that
// docsvc supports: the in-process one always, a real redis-server wherever
// one is on PATH or was fetched below .cache. Nothing is shared between tests
// and no existing server is ever touched.
package redistest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/porttest"
)

// Engine names what answers behind a Server.
type Engine string

// The engines.
const (
	Miniredis   Engine = "miniredis"
	RedisServer Engine = "redis-server"
	Valkey      Engine = "valkey-server"
)

// Server is a running Redis with an empty keyspace.
type Server struct {
	Engine  Engine
	Addr    string // host:port
	URL     string // redis://host:port/0
	TLSAddr string // host:port where it speaks TLS; empty: nowhere

	mini  *miniredis.Miniredis
	args  []string // beyond the usual ones
	tls   TLS
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	dir   string
	bin   string
	log   *os.File
}

// Each runs f once per engine as a parallel subtest named for it.
func Each(t *testing.T, f func(t *testing.T, s *Server)) {
	t.Helper()
	t.Run(string(Miniredis), func(t *testing.T) {
		t.Parallel()
		f(t, Start(t, Miniredis))
	})
	t.Run(string(RedisServer), func(t *testing.T) {
		t.Parallel()
		f(t, Start(t, RedisServer))
	})
}

// Start runs one engine until the test ends. Without a redis-server binary
// the test is skipped, but fails when CI=true; without a valkey-server it is
// only skipped.
func Start(t *testing.T, e Engine) *Server {
	t.Helper()
	if e == Miniredis {
		m := miniredis.RunT(t)
		return &Server{Engine: e, Addr: m.Addr(), URL: "redis://" + m.Addr() + "/0", mini: m}
	}
	if e == Valkey {
		bin := findBinary(string(Valkey))
		if bin == "" {
			t.Skip("no valkey-server on PATH or below .cache (make interop fetches it)")
		}
		return startBinary(t, e, bin)
	}
	return StartWith(t)
}

// StartWith runs a redis-server with further arguments until the test ends.
// Without the binary it does as Start.
func StartWith(t *testing.T, args ...string) *Server {
	t.Helper()
	return startBinary(t, RedisServer, needBinary(t), args...)
}

func startBinary(t *testing.T, e Engine, bin string, args ...string) *Server {
	t.Helper()
	s := &Server{Engine: e, bin: bin, dir: t.TempDir(), args: args}
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func needBinary(t *testing.T) string {
	t.Helper()
	bin := Binary()
	if bin == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no redis-server on PATH or below .cache: CI must have one (make test fetches it)")
		}
		t.Skip("no redis-server on PATH or below .cache")
	}
	return bin
}

// Binary returns the redis-server to use, or "" where there is none.
func Binary() string { return findBinary(string(RedisServer)) }

func findBinary(name string) string {
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return ""
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	p := filepath.Join(root, ".cache", "bin", name)
	if _, err := os.Stat(p); err == nil {
		return p
	}
	return ""
}

// Client returns a client that is closed when the test ends.
func (s *Server) Client(t *testing.T) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// Kill ends a redis-server with SIGKILL, so that only what its append-only
// file holds survives: whatever was acknowledged. It does nothing on miniredis.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		s.cmd = nil
	}
}

// Restart starts a killed redis-server again on the same port and directory.
func (s *Server) Restart(t *testing.T) {
	t.Helper()
	if s.Engine != Miniredis && s.cmd == nil {
		s.start(t)
	}
}

// FastForward lets d pass for the TTLs of miniredis, which has no clock of
// its own; on redis-server it does nothing and the caller shortens TTLs.
func (s *Server) FastForward(d time.Duration) {
	if s.mini != nil {
		s.mini.FastForward(d)
	}
}

// start launches the server: a new one on another port when something took the
// first between choosing and binding it, one that was killed on its own port.
func (s *Server) start(t *testing.T) {
	t.Helper()
	known := s.Addr != ""
	var last error
	for range 5 {
		if !known {
			s.Addr = porttest.Addr(t)
		}
		if last = s.launch(); last == nil {
			s.URL = "redis://" + s.Addr + "/0"
			return
		}
		s.Kill()
	}
	t.Fatalf("starting %s: %v", s.bin, last)
}

func (s *Server) launch() error {
	host, port, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return err
	}
	if s.log == nil {
		if s.log, err = os.Create(filepath.Join(s.dir, "redis.log")); err != nil {
			return err
		}
	}
	// Without fsync every command is in the file before its answer goes out,
	// which is what outlives a killed process. With "everysec" a slow disk
	// delays that, and after two seconds it holds up the server.
	cmd := exec.Command(s.bin, append([]string{"--bind", host, "--port", port, "--dir", s.dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "no", "--maxmemory-policy", "noeviction"}, s.args...)...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	s.cmd, s.ended = cmd, ended
	return s.answers()
}

// answers waits until the server that was started answers; it fails at once
// when the server has ended.
func (s *Server) answers() error {
	c := redis.NewClient(&redis.Options{Addr: s.Addr, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1})
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for ended := false; ctx.Err() == nil && !ended; {
		// The answering server must be ours: compare the process id.
		if info, err := c.Info(ctx, "server").Result(); err == nil {
			if strings.Contains(info, fmt.Sprintf("process_id:%d\r", s.cmd.Process.Pid)) {
				return nil
			}
			return fmt.Errorf("another server answers on %s", s.Addr)
		}
		select {
		case <-s.ended:
			ended = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	text, _ := os.ReadFile(s.log.Name())
	return fmt.Errorf("no answer on %s: %s", s.Addr, text)
}

func (s *Server) stop() {
	s.Kill()
	if s.log != nil {
		_ = s.log.Close()
	}
}
