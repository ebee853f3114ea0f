package extract

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// memoryPoll is how often a busy child's resident memory is read. A child
// can't grow by more than about 100 MiB in that time.
const memoryPoll = 25 * time.Millisecond

// deathError says that a child ended in the middle of a document without
// having been killed by its pool.
type deathError struct {
	exit     string
	accepted bool // it had read the job, so the document may be to blame
}

func (e *deathError) Error() string { return "extraction child died: " + e.exit }

func (e *deathError) coded() *Error {
	return block.Errorf(block.CodeCrash,
		"Reading this document ended its reader twice (%s). The file may be damaged: open it in the program it was made with and save it again.", e.exit)
}

func (p *Pool) timeoutError() *Error {
	return block.Errorf(block.CodeTimeout,
		"Reading this document took longer than %s and was stopped. Split it into smaller documents.", p.o.Timeout)
}

func (p *Pool) silenceError() *Error {
	return block.Errorf(block.CodeTimeout,
		"Reading this document made no progress for %s and was stopped. The file may be damaged: open it in the program it was made with and save it again.", p.o.ProgressTimeout)
}

func (p *Pool) memoryError() *Error {
	return block.Errorf(block.CodeMemory,
		"Reading this document took more than %s of memory and was stopped. Split it into smaller documents.", sizeText(p.o.MemoryLimit))
}

// watch kills a child whose document must end, and knows why.
type watch struct {
	c    *child
	stop chan struct{}
	done chan struct{}

	limit atomic.Int64 // of resident memory, in bytes

	mu  sync.Mutex
	why error
}

// fail kills the child for a reason; the first one counts.
func (w *watch) fail(why error) {
	w.mu.Lock()
	if w.why == nil {
		w.why = why
	}
	w.mu.Unlock()
	w.c.kill()
}

// end stops watching and gives the reason for which the child was killed.
func (w *watch) end() error {
	close(w.stop)
	<-w.done
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why
}

func (p *Pool) watch(ctx context.Context, c *child) *watch {
	w := &watch{c: c, stop: make(chan struct{}), done: make(chan struct{})}
	w.limit.Store(p.o.MemoryLimit)
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(memoryPoll)
		defer ticker.Stop()
		for {
			select {
			case <-w.stop:
				return
			case <-ctx.Done():
				w.fail(context.Cause(ctx))
				return
			case <-ticker.C:
				if rss, ok := p.rss(c.pid()); ok && rss > w.limit.Load() {
					w.fail(p.memoryError())
					return
				}
			}
		}
	}()
	return w
}

// taker is what the frames of an answer are for.
type taker interface {
	// take handles one frame. The result is not nil for the last one. An error is a *Error when
	// a bound was passed, else the child is broken.
	take(t frameType, payload []byte, progress func(Progress)) (*finished, error)
	// wasAccepted reports whether the child has read the request.
	wasAccepted() bool
}

// converse sends one request and takes its frames until the last. The child
// is fit for another request unless it is dead or marked broken afterwards.
func (p *Pool) converse(ctx context.Context, c *child, to taker, progress func(Progress), t frameType, message any, f *os.File) error {
	w := p.watch(ctx, c)
	end, err := func() (*finished, error) {
		if err := c.send(t, message, f); err != nil {
			return nil, err
		}
		for {
			if err := c.conn.SetReadDeadline(time.Now().Add(p.o.ProgressTimeout)); err != nil {
				return nil, err
			}
			t, payload, err := c.receive()
			if err != nil {
				return nil, err
			}
			if t == frameStarting {
				if err := p.starting(c, w, payload); err != nil {
					return nil, err
				}
				continue
			}
			end, err := to.take(t, payload, progress)
			if end != nil || err != nil {
				return end, err
			}
		}
	}()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		w.fail(p.silenceError())
	}
	why := w.end()
	c.broken = err != nil || why != nil
	if err == nil {
		return p.verdict(c, end.err)
	}
	c.kill()
	<-c.exited
	var coded *Error
	switch {
	case why != nil:
		return why
	case errors.As(err, &coded), errors.Is(err, errFrame):
		return p.broken(err)
	case p.isClosed():
		return ErrClosed
	case c.outOfMemory():
		return p.memoryError()
	default:
		return &deathError{exit: c.exit() + c.stderr.lastLine(), accepted: to.wasAccepted()}
	}
}

// startAllowance is what a child may take while it compiles PDFium, in bytes;
// it takes about 400 MiB.
const startAllowance = 1 << 30

// maxStarts bounds how often one child may claim to load a parser.
const maxStarts = 8

// starting suspends the memory limit while a parser loads what it keeps.
func (p *Pool) starting(c *child, w *watch, payload []byte) error {
	var begins bool
	if err := decode(frameStarting, payload, &begins); err != nil {
		return err
	}
	if begins == c.loading || c.starts >= maxStarts {
		return fmt.Errorf("%w: %q out of turn", errFrame, frameStarting)
	}
	c.loading = begins
	if !begins {
		w.limit.Store(p.o.MemoryLimit)
		p.limitMemory(c)
		return nil
	}
	c.starts++
	w.limit.Store(max(p.o.MemoryLimit, startAllowance))
	_ = p.bound(c.pid(), 0)
	return nil
}

// verdict turns the error that a child reported into Extract's.
func (p *Pool) verdict(c *child, e *Error) error {
	switch {
	case e == nil:
		return nil
	case e.Code == codeNotCompiled:
		c.broken = true // another one is started with what will be there
		return &coldError{stamp: c.stamp, why: e.Message}
	case e.Code == "":
		return fmt.Errorf("extracting: %s", e.Message)
	default:
		return e
	}
}

// broken is the answer to frames that no honest child sends.
func (p *Pool) broken(err error) error {
	var coded *Error
	if errors.As(err, &coded) {
		return coded
	}
	p.o.Log.Error().Err(err).Msg("an extraction child sent what it must not and was killed")
	return block.Errorf(block.CodeCrash,
		"Reading this document broke its reader. The file may be damaged: open it in the program it was made with and save it again.")
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
