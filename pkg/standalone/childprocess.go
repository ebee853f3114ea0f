package standalone

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"
)

const keptLines = 6 // of the server's own log, for error messages

// childProcess is one run of the server.
type childProcess struct {
	cmd    *exec.Cmd
	pid    int
	exited chan struct{}
	err    error // of its end; read it after exited
	lines  *lastLines
}

// startProcess runs the executable on a configuration. lock is inherited.
//
// The goroutine that starts a child waits for it on one thread: the kernel
// ties Pdeathsig to the thread, and would end the child with it.
func startProcess(path, conf, dir string, lock *os.File, log zerolog.Logger) (*childProcess, error) {
	p := &childProcess{exited: make(chan struct{}), lines: &lastLines{log: log}}
	p.cmd = exec.Command(path, conf)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = p.lines, p.lines
	p.cmd.ExtraFiles = []*os.File{lock}
	p.cmd.SysProcAttr = childAttributes()
	p.cmd.WaitDelay = time.Second // a forked rewriter may hold its output open
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.pid = p.cmd.Process.Pid
	return p, nil
}

// Signals go to the process, not to its group: a child that rewrites the
// append-only file is the server's to end.
func (p *childProcess) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }
func (p *childProcess) kill()      { _ = p.cmd.Process.Kill() }

// lastLines keeps the last lines written to it and logs each.
type lastLines struct {
	log  zerolog.Logger
	mu   sync.Mutex
	rest []byte
	kept []string
}

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte("\n"))
		if !ok {
			return len(b), nil
		}
		l.rest = rest
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		l.log.Debug().Str("line", text).Msg("redis")
		l.kept = append(l.kept, text)
		if len(l.kept) > keptLines {
			l.kept = l.kept[1:]
		}
	}
}

// String returns the lines kept, warnings and the like if there are any.
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.kept, " | ")
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
