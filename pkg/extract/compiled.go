package extract

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/extract/cage"
	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
)

// maxCold bounds how often one document may find nothing compiled.
const maxCold = 3

// coldError says that a child found no compiled code that it may use.
type coldError struct {
	stamp string // of the code it was given, "" when nobody has found that right
	why   string
}

func (e *coldError) Error() string { return e.why }

// compiledCode knows whether the compiled code in the cache is right. It is
// read as a whole once, and again when it has changed; children then only
// compare its stamp, which saves each some 50 ms.
type compiledCode struct {
	log  zerolog.Logger
	turn chan struct{} // held while a child compiles

	mu      sync.Mutex
	stamp   string
	useless error // why the cache can't be used by this pool at all
}

// state is what a new child is given: the directory, "" when it has to compile
// for itself, and the stamp of code that was found right.
func (c *compiledCode) state(cacheDir string) (dir, stamp string) {
	if cacheDir == "" {
		return "", ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.useless != nil {
		return "", ""
	}
	if now, err := code.Stamp(cacheDir); err != nil || now != c.stamp {
		c.stamp, _ = code.Verify(cacheDir) // of what is not right a child says so when it needs it
	}
	return cacheDir, c.stamp
}

// readable is what children are given the right to read.
func (c *compiledCode) readable(cacheDir string) []string {
	if cacheDir == "" {
		return nil
	}
	if err := code.Prepare(cacheDir); err != nil {
		c.give(err)
		return nil
	}
	return []string{code.Dir(cacheDir)}
}

// give gives the cache up.
func (c *compiledCode) give(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.useless == nil {
		c.log.Warn().Err(why).Msg("PDFium's compiled code can't be kept (extract.cache_dir): every parser process compiles it anew, for some seconds")
	}
	c.useless = why
}

// compile has a child of its own compile, after one that reads documents
// found nothing that it may use. It waits for one that is at it already.
func (p *Pool) compile(ctx context.Context, cold *coldError, progress func(Progress)) error {
	select {
	case p.code.turn <- struct{}{}:
		defer func() { <-p.code.turn }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	dir, stamp := p.code.state(p.o.CacheDir)
	if dir == "" || stamp != cold.stamp {
		return nil // meanwhile it was given up, or made
	}
	err := p.compileIn(ctx, dir, stamp != "", progress)
	switch {
	case err == nil:
		p.newThread() // the directory may be another one now
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, ErrClosed):
		return err
	}
	p.code.give(err)
	return nil
}

func (p *Pool) compileIn(ctx context.Context, dir string, again bool, progress func(Progress)) error {
	if err := code.Prepare(dir); err != nil {
		return err
	}
	thread := &threadOwner{enter: func() {
		p.restrict(cage.Files{Executable: p.o.Executable, Write: []string{code.Base(dir)}})
	}}
	defer thread.stop()
	c, err := p.start(ctx, thread, setupMessage{CacheDir: dir, Compiling: true, MemoryLimit: max(p.o.MemoryLimit, startAllowance)})
	if err != nil {
		return err
	}
	err = p.converse(ctx, c, &collector{}, progress, frameMake, again, nil)
	c.broken = true // it may write files: no document for it
	p.giveBack(c)
	var died *deathError
	if errors.As(err, &died) {
		return fmt.Errorf("compiling PDFium: %s", died.exit)
	}
	return err
}
