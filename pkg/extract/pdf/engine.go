package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// Limits on PDFium's memory, in pages of 64 KiB. It needs 289 to start, and
// with 1,024 reads nearly everything as with more.
const (
	pageSize     = 64 << 10
	leastPages   = 1024
	mostPages    = 16384
	defaultPages = 4096
)

// maxInstances bounds the documents that one engine has open at a time. A
// child process reads one.
const maxInstances = 8

// engine is PDFium, compiled and ready to be instantiated per document.
type engine struct {
	pool     pdfium.Pool
	cache    wazero.CompilationCache
	uncached error // why the compiled code is not kept on disk; nil when it is
}

func newEngine(o block.Options) (*engine, error) {
	cache, unlock, uncached := openCache(o.CacheDir)
	defer unlock()
	ctx := experimental.WithCompilationWorkers(context.Background(), 2)
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(allocate))
	pool, err := webassembly.Init(webassembly.Config{
		Context:  ctx,
		MaxTotal: maxInstances,
		// An empty file system: the default would mount the whole disk.
		FSConfig:      wazero.NewFSConfig(),
		RuntimeConfig: runtimeConfig(cache, o.MemoryLimit),
		Stdout:        io.Discard,
		Stderr:        io.Discard,
	})
	if err != nil {
		cache.Close(ctx)
		return nil, err
	}
	return &engine{pool: pool, cache: cache, uncached: uncached}, nil
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

// memoryPages is PDFium's share of what the process may use: half of it.
func memoryPages(limit int64) uint32 {
	if limit <= 0 {
		return defaultPages
	}
	return uint32(min(max(limit/2/pageSize, leastPages), mostPages))
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
