package pdf

import (
	"context"
	"fmt"

	"github.com/klippa-app/go-pdfium"
	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// PDFium's memory comes in pages of 64 KiB. It needs 289 to start, and with
// 1,024 reads nearly everything as with more.
const (
	pageSize     = 64 << 10
	startPages   = 289
	leastPages   = 1024
	mostPages    = 16384
	defaultPages = 4096
)

// A document begins with so many bytes of memory, and so many per byte of its
// file. One that asks for more is looked at before it gets the rest
// (expansion.go): a bomb is refused while the process is still small.
const (
	firstMemory   = 32 << 20
	memoryPerByte = 4
)

// memoryPages is PDFium's share of what the process may use: half of it.
func memoryPages(limit int64) uint32 {
	if limit <= 0 {
		return defaultPages
	}
	return uint32(min(max(limit/2/pageSize, leastPages), mostPages))
}

// linearMemory is PDFium's memory outside the Go heap: reserved once at its
// greatest size, so that growing copies nothing, and given back to the system at once
// when the document is closed. Untouched parts take no memory.
type linearMemory struct {
	reserved []byte
	most     uint64 // bytes that are given
	refused  bool   // more was asked for
}

func newLinearMemory(reserve, most uint64) *linearMemory {
	b, err := unix.Mmap(-1, 0, int(reserve), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return &linearMemory{} // every Reallocate fails, and with it the instance
	}
	return &linearMemory{reserved: b, most: min(most, reserve)}
}

// Reallocate implements experimental.LinearMemory.
func (m *linearMemory) Reallocate(size uint64) []byte {
	if size > m.most {
		m.refused = true
		return nil
	}
	return m.reserved[:size]
}

// Free implements experimental.LinearMemory.
func (m *linearMemory) Free() {
	if m.reserved != nil {
		_ = unix.Munmap(m.reserved)
		m.reserved = nil
	}
}

// allocate makes the memory of the instance that e.instance is starting.
func (e *engine) allocate(_, reserve uint64) experimental.LinearMemory {
	e.starting = newLinearMemory(reserve, e.grant)
	return e.starting
}

// instance starts PDFium with at most so many bytes of memory.
func (e *engine) instance(ctx context.Context, most uint64) (pdfium.Pdfium, *linearMemory, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.grant, e.starting = most, nil
	instance, err := e.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("starting PDFium: %w", err)
	}
	return instance, e.starting, nil
}
