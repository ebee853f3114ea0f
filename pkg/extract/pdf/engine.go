package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/docsvc/docsvc/pkg/extract/block"
	"github.com/docsvc/docsvc/pkg/extract/pdf/code"
)

// maxInstances bounds the documents that one engine has open at a time. A
// child process reads one.
const maxInstances = 8

// engine is PDFium, compiled and ready to be instantiated per document.
type engine struct {
	pool  pdfium.Pool
	cache wazero.CompilationCache
	most  uint64 // memory of one instance, in bytes

	mu       sync.Mutex    // held while an instance starts
	grant    uint64        // memory that it may have, in bytes
	starting *linearMemory // and the memory
}

// newEngine loads PDFium from the code below o.CacheDir, which is only read;
// the error is code.ErrNotCompiled where there is none that may be used. Without a
// directory it is compiled, for this engine alone.
func newEngine(o block.Options) (*engine, error) {
	if o.CacheDir == "" {
		return startEngine(wazero.NewCompilationCache(), o.MemoryLimit)
	}
	if err := usable(o); err != nil {
		return nil, err
	}
	cache, err := wazero.NewCompilationCacheWithDir(code.Dir(o.CacheDir))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", code.ErrNotCompiled, err)
	}
	e, err := startEngine(cache, o.MemoryLimit)
	if errors.Is(err, fs.ErrPermission) {
		// It was not found under this processor's key and could not be kept.
		return nil, fmt.Errorf("%w for this processor: %w", code.ErrNotCompiled, err)
	}
	return e, err
}

// usable checks the compiled code: as a whole, unless it has not changed since
// somebody else has.
func usable(o block.Options) error {
	if o.CodeStamp != "" {
		if stamp, err := code.Stamp(o.CacheDir); err == nil && stamp == o.CodeStamp {
			return nil
		}
	}
	_, err := code.Verify(o.CacheDir)
	return err
}

// Compile makes the compiled code below cacheDir where it isn't there and
// right, which takes about 2 seconds and 400 MB; see code.Make.
func Compile(cacheDir string, again bool) (fresh bool, err error) {
	return code.Make(cacheDir, again, func(dir string) error {
		cache, err := wazero.NewCompilationCacheWithDir(dir)
		if err != nil {
			return err
		}
		e, err := startEngine(cache, 0)
		if err != nil {
			return err
		}
		return e.close()
	})
}

func startEngine(cache wazero.CompilationCache, memory int64) (*engine, error) {
	ctx := experimental.WithCompilationWorkers(context.Background(), 2)
	e := &engine{cache: cache, most: uint64(memoryPages(memory)) * pageSize}
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(e.allocate))
	pool, err := webassembly.Init(webassembly.Config{
		Context:  ctx,
		MaxTotal: maxInstances,
		// An empty file system: the default would mount the whole disk.
		FSConfig:      wazero.NewFSConfig(),
		RuntimeConfig: runtimeConfig(cache, memory),
		Stdout:        io.Discard,
		Stderr:        io.Discard,
	})
	if err != nil {
		return nil, errors.Join(err, cache.Close(ctx))
	}
	e.pool = pool
	return e, nil
}

// runtimeConfig leaves WithCloseOnContextDone off: contexts are not watched
// inside a call, which would cost three times the time.
func runtimeConfig(cache wazero.CompilationCache, memory int64) wazero.RuntimeConfig {
	return wazero.NewRuntimeConfig().
		WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithCompilationCache(cache).
		WithMemoryLimitPages(memoryPages(memory))
}

func (e *engine) close() error {
	return errors.Join(e.pool.Close(), e.cache.Close(context.Background()))
}

// trapError says that PDFium itself broke down, which leaves its memory in
// disorder: the instance must not be used again.
type trapError struct{ err error }

func (e *trapError) Error() string { return e.err.Error() }
func (e *trapError) Unwrap() error { return e.err }

// call names what failed, and tells traps from answers.
func call(what string, err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if strings.Contains(text, "wasm error") || strings.Contains(text, "panic occurred") || strings.Contains(text, "module closed") || strings.Contains(text, "recovered by wazero") {
		return &trapError{fmt.Errorf("%s: %w", what, err)}
	}
	return fmt.Errorf("%s: %w", what, err)
}
