package localextract

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/filewalk"
)

// Tree is a directory that takes a text per file, under the file's own name
// and directories: docs/a.pdf becomes docs/a.pdf.txt in it. What leads out of
// the tree is dropped from a name ("/" and ".." at its start), and no link in
// it leads out either. A file appears when it is complete.
type Tree struct {
	dir  string
	real string // dir, absolute and without links
	root *os.Root
	seed maphash.Seed

	mu    sync.Mutex
	taken map[uint64]struct{} // hashes of names given out: eight bytes a file, not a path
	roots map[string]string   // what was named -> where it is without links; "" when that can't be told
}

// OpenTree opens dir, making it when it is missing.
func OpenTree(dir string) (*Tree, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("making the directory for texts: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the directory for texts: %w", err)
	}
	t := &Tree{dir: dir, real: realDir(dir), root: root, seed: maphash.MakeSeed(),
		taken: map[uint64]struct{}{}, roots: map[string]string{}}
	return t, nil
}

// Close lets go of the directory.
func (t *Tree) Close() error { return t.root.Close() }

// Contains reports whether path is a directory within the tree, or the tree
// itself: walking it would read the texts that are being written.
func (t *Tree) Contains(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir() && within(t.real, realDir(path))
}

// holds reports whether a file that was found in a directory is one of the
// tree's.
func (t *Tree) holds(e filewalk.Entry) bool {
	if e.Rel == "" {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	real, known := t.roots[e.Root]
	if !known {
		real = realDir(e.Root)
		t.roots[e.Root] = real
	}
	return within(t.real, filepath.Join(real, e.Rel))
}

// realDir is a directory's absolute path without links, "" when there is none.
func realDir(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	real, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return ""
	}
	return real
}

// within reports whether path is dir or lies below it; both are without links.
func within(dir, path string) bool {
	if dir == "" || path == "" {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// place is a name in the tree. It is taken when another file has it: only
// names that lost their ".." can meet.
type place struct {
	name  string
	taken bool
}

func (t *Tree) place(path, extension string) place {
	path = strings.TrimPrefix(filepath.Clean(path), filepath.VolumeName(path))
	path = strings.TrimLeft(filepath.ToSlash(path), "/")
	for strings.HasPrefix(path, "../") {
		path = path[len("../"):]
	}
	p := place{name: filepath.FromSlash(path) + extension}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := maphash.String(t.seed, p.name)
	_, p.taken = t.taken[key]
	t.taken[key] = struct{}{}
	return p
}

// path is where a name of the tree is.
func (t *Tree) path(name string) string { return filepath.Join(t.dir, name) }

// write makes a file complete under another name first, so that neither a full
// disk nor a kill leaves half of one.
func (t *Tree) write(name string, body []byte) error {
	dir := filepath.Dir(name)
	if err := t.root.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("making %s: %w", t.path(dir), cause(err))
	}
	unfinished := filepath.Join(dir, ".docsvc-"+uuid.NewString()+".tmp")
	err := t.fill(unfinished, body)
	if err == nil {
		err = t.root.Rename(unfinished, name)
	}
	if err != nil {
		_ = t.root.Remove(unfinished)
		return fmt.Errorf("writing %s: %w", t.path(name), cause(err))
	}
	return nil
}

func (t *Tree) fill(name string, body []byte) error {
	f, err := t.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(body)
	return errors.Join(err, f.Sync(), f.Close())
}

// cause is an error of the file system without operation and path, which the
// message has in better words.
func cause(err error) error {
	for {
		var path *fs.PathError
		var link *os.LinkError
		switch {
		case errors.As(err, &path):
			err = path.Err
		case errors.As(err, &link):
			err = link.Err
		default:
			return err
		}
	}
}
