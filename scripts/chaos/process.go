package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Roles of processes.
const (
	roleWorker = "worker"
	roleServe  = "serve"
	roleRedis  = "redis"
	roleS3     = "s3"
)

// death is the end of one process.
type death struct {
	role  string
	name  string // the worker's, else the role's
	cause string // kill, failpoint, term, end (of the run), or what it did by itself
	point string // the failpoint
	at    time.Time
}

// slot is a place in which one process runs after another.
type slot struct {
	role  string
	index int
	// command makes the process number gen; point is the failpoint for it.
	command func(gen int) (cmd *exec.Cmd, name, point string)
	// pause is how long the place stays empty after a death.
	pause func() time.Duration
	died  func(death)
	// selfStop is how long a process stays stopped that stopped itself.
	selfStop func() time.Duration
	deadly   bool   // its jobs may kill it
	log      string // file that its processes write to

	mu      sync.Mutex
	cmd     *exec.Cmd
	name    string
	cause   string
	since   time.Time // when the process was started
	resume  time.Time // when a stopped process goes on
	healing bool      // new processes are left in peace and start at once
}

// run keeps the place filled until ctx ends; the process that runs then is
// ended with SIGTERM, and killed when that takes too long.
func (s *slot) run(ctx context.Context) error {
	for gen := 0; ctx.Err() == nil; gen++ {
		cmd, name, point := s.command(gen)
		if err := s.start(cmd, name); err != nil {
			return err
		}
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		err, ended := s.watch(ctx, cmd, done)
		d := death{role: s.role, name: name, at: time.Now()}
		s.mu.Lock()
		d.cause = s.cause
		s.cmd, s.cause = nil, ""
		healing := s.healing
		s.mu.Unlock()
		if d.cause == "" && !ended {
			d.cause, d.point = s.byItself(err, point)
		}
		if ended {
			d.cause = "end"
		}
		s.died(d)
		if !healing {
			sleep(ctx, s.pause())
		} else if d.cause != "end" {
			sleep(ctx, 200*time.Millisecond)
		}
	}
	return nil
}

// byItself says why a process ended that the run did not end.
func (s *slot) byItself(err error, point string) (cause, at string) {
	if exit, ok := err.(*exec.ExitError); ok {
		w, ok := exit.Sys().(syscall.WaitStatus)
		killed := ok && w.Signaled() && w.Signal() == syscall.SIGKILL
		switch {
		case killed && point != "":
			return "failpoint", point
		case killed && s.deadly:
			return "deadly job", ""
		}
	}
	return fmt.Sprintf("by itself: %v: %s", err, lastLine(s.log)), ""
}

func (s *slot) start(cmd *exec.Cmd, name string) error {
	f, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", name, err)
	}
	defer func() { _ = f.Close() }()
	cmd.Stdout, cmd.Stderr = f, f
	// A group of its own, so that a signal reaches no other process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	s.cmd, s.name, s.cause, s.resume, s.since = cmd, name, "", time.Time{}, time.Now()
	return nil
}

// watch waits for the end of a process, and lets go on what stopped itself at
// a failpoint. ended says that the run ended it.
func (s *slot) watch(ctx context.Context, cmd *exec.Cmd, done chan error) (err error, ended bool) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	stopping := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case err := <-done:
			return err, stopping == nil
		case <-stopping:
			stopping = nil
			s.signal(syscall.SIGCONT)
			_ = cmd.Process.Signal(syscall.SIGTERM)
			late = time.After(40 * time.Second)
		case <-late:
			_ = cmd.Process.Kill()
		case <-tick.C:
			s.resumeDue(cmd.Process.Pid)
		}
	}
}

func (s *slot) resumeDue(pid int) {
	if !stopped(pid) {
		return
	}
	s.mu.Lock()
	if s.resume.IsZero() {
		s.resume = time.Now().Add(s.selfStop())
	}
	due := s.healing || time.Now().After(s.resume)
	if due {
		s.resume = time.Time{}
	}
	s.mu.Unlock()
	if due {
		s.signal(syscall.SIGCONT)
	}
}

// stopped says whether a process is stopped by a signal.
func stopped(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "T")
}

// started is when the process was started that runs, or ran last.
func (s *slot) started() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since
}

// signal sends a signal to the process in the place, if there is one.
func (s *slot) signal(sig syscall.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cmd != nil && s.cmd.Process.Signal(sig) == nil
}

// kill ends the process with SIGKILL.
func (s *slot) kill() bool { return s.end("kill", syscall.SIGKILL) }

// term asks the process to end.
func (s *slot) term() bool { return s.end("term", syscall.SIGTERM) }

func (s *slot) end(cause string, sig syscall.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.healing {
		return false
	}
	if s.cmd.Process.Signal(sig) != nil {
		return false
	}
	if s.cause != "kill" {
		s.cause = cause
	}
	return true
}

// stop halts the process for a while.
func (s *slot) stop(d time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil || s.healing {
		return false
	}
	s.resume = time.Now().Add(d)
	return s.cmd.Process.Signal(syscall.SIGSTOP) == nil
}

// heal leaves the place in peace from now on.
func (s *slot) heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.healing = true
}

// healed says whether the run harms nothing here any more.
func (s *slot) healed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.healing
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// lastLine is the last line of a file, shortened.
func lastLine(name string) string {
	f, err := os.Open(filepath.Clean(name))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && info.Size() > 2000 {
		_, _ = f.Seek(-2000, io.SeekEnd)
	}
	b, _ := io.ReadAll(f)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	last := lines[len(lines)-1]
	return last[:min(len(last), 300)]
}
