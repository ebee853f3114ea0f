package extract

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/extract/cage"
)

// Bounds on starting a child and on what is kept of its standard error.
const (
	startTimeout = 30 * time.Second
	stderrLogged = 64 << 10 // bytes that reach the log per child
	stderrTail   = 4 << 10  // bytes kept to say what it died of: of the end,
	stderrHead   = 1 << 10  // and of the start, where Go's fatal errors have their reason
)

// child is one running child process, used by one document at a time.
type child struct {
	cmd     *exec.Cmd
	conn    *net.UnixConn
	frames  *bufio.Reader
	buf     []byte // of the last frame read
	stderr  *stderrLog
	served  atomic.Int64 // documents
	starts  int          // parsers that began to load
	loading bool         // one of them has not finished
	broken  bool         // must not be used again; set by its user
	stamp   string       // of the compiled code that it was given
	cage    cage.Report  // what it found to be in force on itself

	gone   bool          // reaped; guarded by the pool's mutex
	exited chan struct{} // closed when reaped
	kill   func()        // ends the process group; may be called at any time, any number of times
}

// startChild starts a child and the goroutine that reaps it. It must run on a
// thread that lives as long as the child: the kernel ends the child together
// with the thread that started it.
func startChild(o PoolOptions, reaped func(*child)) (*child, error) {
	parentEnd, childEnd, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("making a channel: %w", err)
	}
	defer childEnd.Close()
	conn, err := net.FileConn(parentEnd)
	parentEnd.Close()
	if err != nil {
		return nil, fmt.Errorf("making a channel: %w", err)
	}
	c := &child{
		conn:   conn.(*net.UnixConn),
		frames: newChannelReader(conn),
		stderr: &stderrLog{},
		exited: make(chan struct{}),
	}
	c.cmd = exec.Command(o.Executable, o.Args...)
	c.cmd.Env = append([]string{"GOTRACEBACK=single", "GOMAXPROCS=2"}, o.Env...)
	c.cmd.ExtraFiles = []*os.File{childEnd}
	c.cmd.Stderr = c.stderr
	c.cmd.WaitDelay = 2 * time.Second
	c.cmd.SysProcAttr = childAttributes()
	c.stderr.log = o.Log
	if err := c.cmd.Start(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("starting %s: %w", o.Executable, err)
	}
	pid := c.cmd.Process.Pid
	c.stderr.setPID(pid)
	var gone sync.Mutex // held while the group is signalled or reaped
	alive := true
	c.kill = func() {
		gone.Lock()
		defer gone.Unlock()
		if alive {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
	go func() {
		err := c.cmd.Wait()
		// Whatever it may have started dies with it.
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		gone.Lock()
		alive = false
		gone.Unlock()
		o.Log.Debug().Int("pid", pid).Int64("documents", c.served.Load()).AnErr("exit", err).Msg("extraction child ended")
		reaped(c)
		close(c.exited)
	}()
	o.Log.Debug().Int("pid", pid).Msg("extraction child started")
	return c, nil
}

func socketPair() (parent, child *os.File, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel"), nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// setUp tells a new child its limits and waits until it is ready.
func (c *child) setUp(ctx context.Context, m setupMessage) error {
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	c.stamp = m.CodeStamp
	err := c.send(frameSetup, m, nil)
	if err == nil {
		err = c.conn.SetReadDeadline(time.Now().Add(startTimeout))
	}
	var t frameType
	var payload []byte
	if err == nil {
		t, payload, err = c.receive()
	}
	if err == nil && t == frameReady {
		if err = decode(t, payload, &c.cage); err == nil {
			return nil
		}
	}
	c.kill()
	<-c.exited
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err == nil {
		err = fmt.Errorf("%w: type %q", errFrame, t)
	}
	return fmt.Errorf("starting an extraction child: %w (%s)%s", err, c.exit(), c.stderr.lastLine())
}

// send writes one frame, with a descriptor when f is not nil.
func (c *child) send(t frameType, v any, f *os.File) error {
	frame, err := appendFrame(nil, t, v)
	if err != nil {
		return err
	}
	if err := c.conn.SetWriteDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	if f == nil {
		_, err = c.conn.Write(frame)
		return err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Control(func(fd uintptr) {
		_, _, sendErr = c.conn.WriteMsgUnix(frame[:headerSize], syscall.UnixRights(int(fd)), nil)
	})
	if err = errors.Join(err, sendErr); err != nil {
		return err
	}
	_, err = c.conn.Write(frame[headerSize:])
	return err
}

// sendRaw writes one frame with a payload as it is.
func (c *child) sendRaw(t frameType, payload []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(startTimeout)); err != nil {
		return err
	}
	_, err := c.conn.Write(appendRaw(nil, t, payload))
	return err
}

// receive reads one frame; the payload is valid until the next call.
func (c *child) receive() (frameType, []byte, error) {
	t, payload, err := readFrame(c.frames, c.buf)
	c.buf = payload[:0]
	return t, payload, err
}

// exit says how the process ended, once it has.
func (c *child) exit() string {
	if c.cmd.ProcessState == nil {
		return "still running"
	}
	return c.cmd.ProcessState.String()
}

// outOfMemory reports whether a child that has exited did so for want of memory.
func (c *child) outOfMemory() bool {
	return c.cmd.ProcessState.ExitCode() == exitMemory || c.stderr.contains("out of memory") ||
		c.stderr.contains("cannot allocate memory")
}

// stderrLog passes a child's standard error on to the debug log, line by
// line and within bounds, and keeps the end of it.
type stderrLog struct {
	mu     sync.Mutex
	log    zerolog.Logger
	pid    int
	line   []byte
	head   []byte
	tail   []byte
	logged int
}

func (l *stderrLog) setPID(pid int) {
	l.mu.Lock()
	l.pid = pid
	l.mu.Unlock()
}

func (l *stderrLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head = append(l.head, p[:min(len(p), stderrHead-len(l.head))]...)
	l.tail = append(l.tail, p...)
	if over := len(l.tail) - stderrTail; over > 0 {
		l.tail = append(l.tail[:0], l.tail[over:]...)
	}
	part := p[:min(len(p), stderrLogged-l.logged)]
	l.logged += len(part)
	l.line = append(l.line, part...)
	for {
		line, rest, found := bytes.Cut(l.line, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.log.Debug().Int("pid", l.pid).Str("stderr", strings.ToValidUTF8(string(line), "?")).Msg("extraction child")
		l.line = append(l.line[:0], rest...)
	}
}

func (l *stderrLog) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Contains(l.head, []byte(s)) || bytes.Contains(l.tail, []byte(s))
}

// lastLine is the end of what was written, fit to follow an error message.
func (l *stderrLog) lastLine() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(l.tail)), "\n")
	last := note(lines[len(lines)-1])
	if last == "" {
		return ""
	}
	return ": " + last
}
