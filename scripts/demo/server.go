package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/docsvc/docsvc/pkg/standalone"
)

// server is a docsvc serve --standalone of the demo's own.
type server struct {
	bin, dir string
	env      []string
	api      string // http://host:port
	cmd      *exec.Cmd
	log      *os.File
	done     chan error
}

// startServer starts the server and returns when its API answers.
func startServer(ctx context.Context, bin, dir, cache string) (*server, error) {
	s := &server{bin: bin, dir: dir, done: make(chan error, 1)}
	s.env = append(cleanEnv(), "DOCSVC_EXTRACT_CACHE_DIR="+cache, "DOCSVC_WORKER_WORK_DIR="+filepath.Join(dir, "work"))
	var err error
	if s.log, err = os.Create(filepath.Join(dir, "serve.log")); err != nil {
		return nil, err
	}
	s.cmd = exec.Command(bin, "serve", "--standalone", "--addr", "127.0.0.1:0", "--data-dir", filepath.Join(dir, "data"))
	s.cmd.Dir, s.cmd.Env = dir, s.env
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	// A Ctrl-C in the terminal goes to the demo alone, which then stops the
	// server in order.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", bin, err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	if err := s.waitReady(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.stop())
	}
	return s, nil
}

func (s *server) waitReady(ctx context.Context) error {
	said := time.Now()
	for {
		if r, err := standalone.FindRendezvous(s.dir); err == nil && r != nil && r.API != "" {
			s.api = r.API
			fmt.Printf("  serving on %s\n", s.api)
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("the server ended at once: %v", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if time.Since(said) > 2*time.Second {
			fmt.Println("  waiting for the server (its first start compiles the PDF engine)")
			said = time.Now()
		}
	}
}

// stop ends the server with SIGTERM and, when it doesn't go, SIGKILL.
func (s *server) stop() error {
	defer func() { _ = s.log.Close() }()
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	said := time.NewTicker(2 * time.Second)
	defer said.Stop()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case err := <-s.done:
			if err != nil {
				return fmt.Errorf("the server ended with: %w", err)
			}
			return nil
		case <-said.C:
			fmt.Println("  waiting for the server to stop")
		case <-deadline:
			_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
			<-s.done
			return errors.New("the server did not stop within 20 s and was killed")
		}
	}
}

// command runs another docsvc command in the server's directory, where it
// finds the server by itself.
func (s *server) command(ctx context.Context, args ...string) (string, error) {
	c := exec.CommandContext(ctx, s.bin, args...)
	c.Dir, c.Env = s.dir, s.env
	out, err := c.CombinedOutput()
	return string(out), err
}

// explain adds the end of the server's log to an error.
func (s *server) explain(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	text, readErr := os.ReadFile(s.log.Name())
	if readErr != nil || len(text) == 0 {
		return err
	}
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	lines = lines[max(0, len(lines)-15):]
	return fmt.Errorf("%w\nthe server's last words:\n%s", err, bytes.Join(lines, []byte("\n")))
}

// cleanEnv is the environment without settings that would lead the demo to
// somebody's real Redis or bucket.
func cleanEnv() []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "REDIS_URL=") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "DOCSVC_") {
			env = append(env, e)
		}
	}
	return env
}
