package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/cage"
)

// PoolOptions configure a Pool. Zero values take the defaults named.
type PoolOptions struct {
	// Args are the arguments that make Executable run RunChild ({"_extract"}).
	Args []string
	// CacheDir is where compiled code is kept between processes, about 25 MiB.
	// It is used only when it is this user's own and nobody else can write to
	// it, since what lies there is executed. Empty: compile in every child, 3-4 s each.
	CacheDir string
	// Env is the child's environment, key=value, beside what it is given anyway. Nothing is inherited.
	Env []string
	// Executable is the program to start (the one that is running).
	Executable string
	// Log gets one line per child started and ended, at debug level, and what
	// a child wrote to stderr.
	Log zerolog.Logger
	// MaxExpanded bounds what one compressed container may expand to, in bytes (1 GiB).
	MaxExpanded int64
	// MaxFileSize refuses bigger files, in bytes (5 GiB).
	MaxFileSize int64
	// MaxNesting bounds how deep elements may stand in one another (512).
	MaxNesting int
	// MaxOutput bounds the text of one document, in bytes (256 MiB).
	MaxOutput int64
	// MaxPages refuses paged documents with more pages (20000).
	MaxPages int
	// MaxParts refuses containers with more parts (100000).
	MaxParts int
	// MaxPixels refuses images with more pixels (64 million).
	MaxPixels int
	// MaxRatio refuses containers with a part that expands to more than so many times its size (200).
	MaxRatio int
	// MemoryLimit bounds the resident memory of one child, in bytes (512 MiB).
	MemoryLimit int64
	// OCR is the recognition of text in pictures.
	OCR OCROptions
	// ProgressTimeout ends a child that reported nothing for so long (60 s).
	ProgressTimeout time.Duration
	// RecycleAfter is how many documents a child serves before it is replaced (200).
	RecycleAfter int
	// Size is how many children may run at once (number of CPUs).
	Size int
	// Timeout bounds the extraction of one document (10 min).
	Timeout time.Duration
}

func (o PoolOptions) withDefaults() (PoolOptions, error) {
	if o.Executable == "" {
		o.Executable = ownExecutable
		if _, err := os.Stat(o.Executable); err != nil {
			if o.Executable, err = os.Executable(); err != nil {
				return o, fmt.Errorf("finding the program to start children of: %w", err)
			}
		}
	}
	if len(o.Args) == 0 {
		o.Args = []string{"_extract"}
	}
	o.MaxExpanded = cmp.Or(o.MaxExpanded, 1<<30)
	o.MaxFileSize = cmp.Or(o.MaxFileSize, 5<<30)
	o.MaxNesting = cmp.Or(o.MaxNesting, 512)
	o.MaxOutput = cmp.Or(o.MaxOutput, 256<<20)
	o.MaxPages = cmp.Or(o.MaxPages, 20000)
	o.MaxParts = cmp.Or(o.MaxParts, 100_000)
	o.MaxPixels = cmp.Or(o.MaxPixels, 64_000_000)
	o.MaxRatio = cmp.Or(o.MaxRatio, 200)
	o.MemoryLimit = cmp.Or(o.MemoryLimit, 512<<20)
	o.OCR = o.OCR.withDefaults()
	o.ProgressTimeout = cmp.Or(o.ProgressTimeout, time.Minute)
	o.RecycleAfter = cmp.Or(o.RecycleAfter, 200)
	o.Size = cmp.Or(o.Size, runtime.NumCPU())
	o.Timeout = cmp.Or(o.Timeout, 10*time.Minute)
	if o.Size < 0 || o.Timeout < 0 || o.ProgressTimeout < 0 || o.MemoryLimit < 0 || o.MaxOutput < 0 || o.MaxPages < 0 {
		return o, errors.New("extraction pool: a negative limit")
	}
	return o, nil
}

// ErrClosed is what Extract and Warm return on a closed pool.
var ErrClosed = errors.New("extraction pool is closed")

// Pool runs parsers in child processes of the same binary, so that a crash, a
// hang or a bomb costs one document and nothing else.
type Pool struct {
	o     PoolOptions
	slots chan struct{} // one per document in work, and per child that helps with one
	queue atomic.Int64  // callers that wait for a slot
	code  compiledCode
	rss   func(pid int) (int64, bool)
	bound func(pid int, extra int64) error // cage.LimitMemory

	engines  engines
	programs threadOwner     // what starts them
	open     context.Context // ends when the pool is closed
	close    context.CancelFunc

	mu     sync.Mutex
	idle   []*child // the one used last is at the end
	alive  map[*child]struct{}
	closed bool
	reaped sync.WaitGroup
	// threads that children of documents were started on; new ones are on the last. The others
	// have to live as long as their children.
	threads []*threadOwner
}

// Stats is a moment's view of a Pool.
type Stats struct {
	Children int   // alive, busy or idle
	Busy     int   // working on a document
	RSS      int64 // resident memory of all children, in bytes; 0 where it can't be read
}

// NewPool makes a pool. No child starts before the first Extract or Warm.
func NewPool(o PoolOptions) (*Pool, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{
		o:     o,
		slots: make(chan struct{}, o.Size),
		code:  compiledCode{log: o.Log, turn: make(chan struct{}, 1)},
		rss:   residentMemory,
		bound: cage.LimitMemory,
		alive: make(map[*child]struct{}),
	}
	p.open, p.close = context.WithCancel(context.Background())
	p.newThread()
	return p, nil
}

func (p *Pool) checkFile(f *os.File) error {
	if f == nil {
		return errors.New("extracting: no file")
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("extracting: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("extracting: %s is not a regular file", info.Name())
	}
	if info.Size() > p.o.MaxFileSize {
		return block.Errorf(block.CodeTooLarge, "This document is larger than %s, the most that is taken. Split it into smaller documents.", sizeText(p.o.MaxFileSize))
	}
	return nil
}

// Warm starts one child, has compiled what has to be compiled once into
// CacheDir, and keeps the child for the first document.
func (p *Pool) Warm(ctx context.Context) error {
	if err := p.enter(ctx); err != nil {
		return err
	}
	defer p.leave()
	for try := 1; ; try++ {
		c, err := p.lease(ctx)
		if err != nil {
			return err
		}
		err = p.converse(ctx, c, &collector{}, nil, frameWarm, nil, nil)
		p.giveBack(c)
		var cold *coldError
		var died *deathError
		switch {
		case errors.As(err, &cold) && try <= maxCold:
			if err := p.compile(ctx, cold, nil); err != nil {
				return err
			}
		case errors.As(err, &died):
			return fmt.Errorf("warming an extraction child: %s", died.exit)
		default:
			return err
		}
	}
}

// enter waits for a slot.
func (p *Pool) enter(ctx context.Context) error {
	p.queue.Add(1)
	defer p.queue.Add(-1)
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *Pool) leave() { <-p.slots }

// wanted reports whether somebody waits for a slot.
func (p *Pool) wanted() bool { return p.queue.Load() > 0 }

// Cage reports what protects this process from its children: it asks one.
func (p *Pool) Cage(ctx context.Context) (cage.Report, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer p.leave()
	c, err := p.lease(ctx)
	if err != nil {
		return nil, err
	}
	p.giveBack(c)
	return c.cage, nil
}

// lease takes an idle child or starts one.
func (p *Pool) lease(ctx context.Context) (*child, error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if !c.gone {
			p.mu.Unlock()
			return c, nil
		}
		c.conn.Close()
	}
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.mu.Unlock()
	dir, stamp := p.code.state(p.o.CacheDir)
	return p.start(ctx, p.thread(), setupMessage{CacheDir: dir, CodeStamp: stamp, MemoryLimit: p.o.MemoryLimit})
}

// start starts a child on a thread.
func (p *Pool) start(ctx context.Context, thread *threadOwner, setup setupMessage) (*child, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.reaped.Add(1)
	p.mu.Unlock()
	var c *child
	err := thread.do(func() (err error) {
		c, err = startChild(p.o, p.forget)
		return err
	})
	if err != nil {
		p.reaped.Done()
		return nil, err
	}
	p.mu.Lock()
	closed := p.closed
	if !c.gone {
		p.alive[c] = struct{}{}
	}
	p.mu.Unlock()
	if closed {
		c.kill()
	}
	if err := c.setUp(ctx, setup); err != nil {
		c.conn.Close()
		if p.isClosed() {
			return nil, ErrClosed
		}
		return nil, err
	}
	cage.Expendable(c.pid())
	p.limitMemory(c)
	return c, nil
}

// limitMemory has the system refuse a child memory far above its limit, which
// one huge allocation would take before anybody looks.
func (p *Pool) limitMemory(c *child) {
	if err := p.bound(c.pid(), 2*p.o.MemoryLimit); err != nil {
		p.o.Log.Debug().Err(err).Msg("an extraction child's memory is watched, but not limited by the system")
	}
}

// forget is called when a child has been reaped.
func (p *Pool) forget(c *child) {
	p.mu.Lock()
	c.gone = true
	delete(p.alive, c)
	if i := slices.Index(p.idle, c); i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
		c.conn.Close()
	}
	p.mu.Unlock()
	p.reaped.Done()
}

// giveBack makes a child idle, or ends it when it is used up, big or broken.
func (p *Pool) giveBack(c *child) {
	rss, _ := p.rss(c.pid())
	usedUp := c.served.Add(1) >= int64(p.o.RecycleAfter) || rss > p.o.MemoryLimit/2
	p.mu.Lock()
	if keep := !usedUp && !p.closed && !c.broken && !c.gone; keep {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	p.mu.Unlock()
	c.kill()
	<-c.exited
	c.conn.Close()
}

// Stats counts the children.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{Children: len(p.alive), Busy: len(p.alive) - len(p.idle)}
	for c := range p.alive {
		rss, _ := p.rss(c.pid())
		s.RSS += rss
	}
	return s
}

// Close kills all children; an Extract under way returns an error. It returns
// after the last child is reaped and may be called again.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	for c := range p.alive {
		c.kill()
	}
	p.mu.Unlock()
	p.close()
	p.reaped.Wait()
	p.programs.stop()
	p.mu.Lock()
	threads := slices.Clone(p.threads) // a compile that just ended may add one, which nothing starts on
	p.mu.Unlock()
	for _, t := range threads {
		t.stop()
	}
	return nil
}
