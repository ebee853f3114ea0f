package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/extract"
)

// result is what a reader made of one file.
type result struct {
	text   string
	took   time.Duration
	reason string // why there is no text; empty when there is
}

// reader turns files into text.
type reader interface {
	name() string
	// read is called for one file at a time. Its error means that nothing can be read any more.
	read(ctx context.Context, path string) (result, error)
	// peak is the most memory that one process held since the last call, in bytes; 0 where that can't be known.
	peak() int64
	close()
}

// own reads with docsvc's parser processes.
type own struct {
	pool  *extract.Pool
	watch *watch
}

// newOwn starts one warm parser process of the binary; it may use more for one
// document. Compiled code is kept below cache.
func newOwn(ctx context.Context, binary, cache string, children int) (*own, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	pool, err := extract.NewPool(extract.PoolOptions{CacheDir: cache, Executable: binary, Size: max(1, children)})
	if err != nil {
		return nil, err
	}
	if err := pool.Warm(ctx); err != nil {
		_ = pool.Close()
		return nil, err
	}
	return &own{pool: pool, watch: newWatch()}, nil
}

func (*own) name() string { return "**docsvc**" }

func (o *own) read(ctx context.Context, path string) (result, error) {
	f, err := os.Open(path)
	if err != nil {
		return result{}, err
	}
	defer func() { _ = f.Close() }()
	began := time.Now()
	doc, err := o.pool.Extract(ctx, extract.Request{File: f, Name: filepath.Base(path)}, nil)
	r := result{}
	if err == nil {
		r.text = extract.Render(doc).Text
	}
	r.took = time.Since(began)
	o.watch.look()
	var coded *extract.Error
	switch {
	case errors.As(err, &coded):
		r.reason = coded.Code
	case err != nil:
		return r, err
	case strings.TrimSpace(r.text) == "":
		r.reason = extract.NoText().Code
	}
	return r, nil
}

func (o *own) peak() int64 { return o.watch.reset() }

func (o *own) close() {
	_ = o.pool.Close()
	o.watch.close()
}
