package extract

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"
)

// PoolOptions configure a Pool. Zero values take the defaults named.
type PoolOptions struct {
	// Args are the arguments that make Executable run RunChild ({"_extract"}).
	Args []string
	// CacheDir is where compiled code is kept between processes, about 25 MiB.
	// It is used only when it is this user's own and nobody else can write to
	// it, since what lies there is executed. Empty: compile in every child, 3-4 s each.
	CacheDir string
	// Env is added to the child's environment, which is otherwise almost empty.
	Env []string
	// Executable is the program to start (this one, os.Executable).
	Executable string
	// Log gets one line per child started and ended, at debug level, and what
	// a child wrote to stderr.
	Log zerolog.Logger
	// MaxExpanded bounds what one compressed container may expand to, in bytes (1 GiB).
	MaxExpanded int64
	// MaxFileSize refuses bigger files, in bytes (5 GiB).
	MaxFileSize int64
	// MaxOutput bounds the text of one document, in bytes (256 MiB).
	MaxOutput int64
	// MaxPages refuses paged documents with more pages (20000).
	MaxPages int
	// MemoryLimit bounds the resident memory of one child, in bytes (512 MiB).
	MemoryLimit int64
	// ProgressTimeout ends a child that reported nothing for so long (60 s).
	ProgressTimeout time.Duration
	// RecycleAfter is how many documents a child serves before it is replaced (200).
	RecycleAfter int
	// Size is how many children may run at once (number of CPUs).
	Size int
	// Timeout bounds the extraction of one document (10 min).
	Timeout time.Duration
}

// Pool runs parsers in child processes of the same binary, so that a crash, a
// hang or a bomb costs one document and nothing else.
type Pool struct{ o PoolOptions }

// Stats is a moment's view of a Pool.
type Stats struct {
	Children int   // alive, busy or idle
	Busy     int   // working on a document
	RSS      int64 // resident memory of all children, in bytes; 0 where it can't be read
}

// NewPool makes a pool. No child starts before the first Extract or Warm.
func NewPool(o PoolOptions) (*Pool, error) { return &Pool{o: o}, nil }

// Extract turns one file into a Document, waiting for a free child if need
// be. The error is ctx's when it ended, *Error for anything wrong with the
// file (Resource tells when it used up time or memory or killed its child),
// and anything else when no child could be started. progress may be nil; it is
// called from the calling goroutine.
func (p *Pool) Extract(ctx context.Context, r Request, progress func(Progress)) (*Document, error) {
	return nil, errors.New("extract: not ready")
}

// Warm starts one child, which compiles what has to be compiled once into
// CacheDir, and keeps it for the first document.
func (p *Pool) Warm(ctx context.Context) error { return nil }

// Stats counts the children.
func (p *Pool) Stats() Stats { return Stats{} }

// Close kills all children; an Extract under way returns an error. It returns
// after the last child is reaped and may be called again.
func (p *Pool) Close() error { return nil }
