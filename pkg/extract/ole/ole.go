// Package ole reads the containers of Office before 2007 ([MS-CFB]): their
// streams by path, property sets, and the numbers and texts in them. It is a
// layer over mscfb that bounds what is read and tells damage from a machine that
// fails.
package ole

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/richardlehane/mscfb"

	"github.com/docsvc/docsvc/pkg/extract/block"
)

// maxEntries bounds the entries of a container that are looked at.
const maxEntries = 200_000

// Container is an open one. It is for one goroutine.
type Container struct {
	size    int64
	streams map[string]*mscfb.File
	names   []string
}

// Open reads the directory of a container of size bytes. An error is a
// *block.Error (corrupt) or comes from reading f.
func Open(f io.ReaderAt, size int64) (*Container, error) {
	box, err := mscfb.New(f)
	if err != nil {
		return nil, unreadable(err)
	}
	c := &Container{size: size, streams: map[string]*mscfb.File{}}
	for i, e := range box.File {
		if i >= maxEntries {
			break
		}
		name := e.Name
		if e.Initial < ' ' && e.Initial > 0 { // of property sets: the name begins with that character
			name = string(rune(e.Initial)) + name
		}
		path := strings.Join(append(append([]string(nil), e.Path...), name), "/")
		if _, twice := c.streams[path]; twice {
			continue // the first counts
		}
		c.streams[path] = e
		c.names = append(c.names, path)
	}
	return c, nil
}

// unreadable is the error of a container that can't be opened.
func unreadable(err error) error {
	var e mscfb.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("opening the document: %w", err)
	}
	return block.Errorf(block.CodeCorrupt, "This document is damaged or incomplete: it can't be opened (%v). Save it again and send it again.", err)
}

// Names lists the paths of streams and storages in the order of the directory,
// the names in them divided by slashes.
func (c *Container) Names() []string { return c.names }

// Has reports whether there is a stream or storage of that path.
func (c *Container) Has(path string) bool {
	_, ok := c.streams[path]
	return ok
}

// Size is how many bytes a stream says it has; 0 when there is none.
func (c *Container) Size(path string) int64 {
	e, ok := c.streams[path]
	if !ok || e.Size < 0 {
		return 0
	}
	return min(e.Size, c.size)
}

// Stream reads a stream as far as it can be read, at most limit bytes; nil when
// there is none.
func (c *Container) Stream(path string, limit int64) Bytes {
	r, err := c.Open(path)
	if err != nil {
		return nil
	}
	var b Bytes
	size := min(c.Size(path), limit)
	buf := make([]byte, 32<<10)
	for int64(len(b)) < size {
		n, err := r.Read(buf[:min(int64(len(buf)), size-int64(len(b)))])
		b = append(b, buf[:n]...)
		if err != nil || n == 0 {
			break
		}
	}
	return b
}

// ErrNoStream is returned by Open for a path that isn't there.
var ErrNoStream = errors.New("no such stream in the container")

// Open begins to read a stream from its start.
func (c *Container) Open(path string) (io.Reader, error) {
	e, ok := c.streams[path]
	if !ok {
		return nil, ErrNoStream
	}
	if _, err := e.Seek(0, io.SeekStart); err != nil {
		return nil, block.Errorf(block.CodeCorrupt, "This document is damaged: a part of it can't be read (%v). Save it again and send it again.", err)
	}
	return io.LimitReader(e, c.Size(path)), nil
}
