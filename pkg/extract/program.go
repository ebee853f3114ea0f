package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
)

// programRun is one run of a program that isn't ours, in its cage (cage.Program):
// this binary is started, puts the cage on itself and becomes the program.
type programRun struct {
	program cage.Program
	stdin   io.Reader     // nil: nothing
	most    int           // bytes that it may answer with
	timeout time.Duration // wall clock
}

// programError says how a program ended that should have answered.
type programError struct {
	exit    string
	stderr  string // its last line, ": " before it
	started bool   // false: it never ran
	memory  bool
}

func (e *programError) Error() string { return e.exit + e.stderr }

var (
	errProgramTime   = errors.New("it took too long")
	errProgramOutput = errors.New("it answered with more than is taken")
)

// run starts the program and waits for its answer. The error is ctx's cause,
// errProgramTime, errProgramOutput, ErrClosed or a *programError.
func (p *Pool) run(ctx context.Context, r programRun) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(p.open, func() { cancel(ErrClosed) })
	defer stop()
	timer := time.AfterFunc(r.timeout, func() { cancel(errProgramTime) })
	defer timer.Stop()

	out := &boundedBuffer{most: r.most, full: func() { cancel(errProgramOutput) }}
	stderr := &stderrLog{log: p.o.Log}
	c, err := p.startProgram(r, out, stderr)
	if err != nil {
		return nil, err
	}
	g := &group{pid: c.Process.Pid}
	stopKilling := context.AfterFunc(ctx, g.kill)
	waitErr := c.Wait()
	stopKilling()
	g.end()
	p.reaped.Done()
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if waitErr != nil {
		return nil, endOf(c, waitErr, stderr)
	}
	return out.b.Bytes(), nil
}

// startProgram starts this binary, to become the program. p.reaped counts it from then on.
func (p *Pool) startProgram(r programRun, out io.Writer, stderr *stderrLog) (*exec.Cmd, error) {
	variable, err := r.program.Variable()
	if err != nil {
		return nil, err
	}
	c := exec.Command(p.o.Executable, p.o.Args...)
	c.Env = append([]string{variable}, p.o.Env...)
	c.Stdin, c.Stdout, c.Stderr = r.stdin, out, stderr
	c.WaitDelay = 2 * time.Second
	c.SysProcAttr = childAttributes()
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.reaped.Add(1)
	p.mu.Unlock()
	if err := p.programs.do(c.Start); err != nil {
		p.reaped.Done()
		return nil, fmt.Errorf("starting %s: %w", p.o.Executable, err)
	}
	stderr.setPID(c.Process.Pid)
	cage.Expendable(c.Process.Pid)
	return c, nil
}

// group is a process group that can be killed until its first process is waited for.
type group struct {
	mu   sync.Mutex
	pid  int
	gone bool
}

func (g *group) kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.gone {
		_ = syscall.Kill(-g.pid, syscall.SIGKILL)
	}
}

// end kills what the first process may have started, right after it was waited for.
func (g *group) end() {
	g.kill()
	g.mu.Lock()
	g.gone = true
	g.mu.Unlock()
}

// endOf tells why a program gave no answer.
func endOf(c *exec.Cmd, err error, stderr *stderrLog) *programError {
	e := &programError{exit: err.Error(), stderr: stderr.lastLine(), started: true}
	if c.ProcessState == nil {
		return e
	}
	e.exit = c.ProcessState.String()
	e.started = c.ProcessState.ExitCode() != cage.ExitNotStarted
	e.memory = stderr.contains("bad_alloc") || stderr.contains("annot allocate memory") || stderr.contains("ut of memory") ||
		stderr.contains("alloc fail") || stderr.contains("too big")
	return e
}

// coded says what an error of run means for the picture that was given to the program.
func (p *Pool) coded(err error) *Error {
	var ended *programError
	switch {
	case errors.Is(err, errProgramTime):
		return block.Errorf(block.CodeTimeout, "Recognising its text took longer than %s and was stopped.", p.o.OCR.PageTimeout)
	case errors.Is(err, errProgramOutput):
		return block.Errorf(block.CodeTooLarge, "Recognising its text gave more than can be text of one page.")
	case errors.As(err, &ended) && ended.memory:
		return block.Errorf(block.CodeMemory, "Recognising its text took more than %s of memory and was stopped.", sizeText(p.o.MemoryLimit))
	default:
		return block.Errorf(block.CodeCrash, "Recognising its text failed: %v.", err)
	}
}

// boundedBuffer keeps what is written up to a bound, and then says that it is full.
type boundedBuffer struct {
	b    bytes.Buffer
	most int
	full func()
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.b.Len()+len(p) > b.most {
		b.full()
		return 0, errProgramOutput
	}
	return b.b.Write(p)
}
