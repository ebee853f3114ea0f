package filewalk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Entry is one thing found: a file to read, or what stands in the way of one.
type Entry struct {
	// Path is where it is, as named and joined with the names below.
	Path string
	// Root is what was named and led here, Rel the path below it: empty when
	// Root itself is the file.
	Root, Rel string
	// Named is set when Path stood on the command line itself, rather than
	// being found in a directory or by a pattern.
	Named bool
	// Info is of the file, of its target for a link. Nil with Err.
	Info fs.FileInfo
	// Skip says in words why it is not a file to read: "a link to a
	// directory". Empty for files.
	Skip string
	// Err is why it could not be looked at.
	Err error
}

// Walk calls found for each entry below args. It ends early with the error of
// found or of ctx; anything wrong with a file or directory is an Entry.
func Walk(ctx context.Context, args []string, found func(Entry) error) error {
	w := &walker{ctx: ctx, found: found, dirs: map[string]bool{}, files: map[string]bool{}}
	for _, arg := range args {
		if err := w.argument(arg); err != nil {
			return err
		}
	}
	return nil
}

// walker remembers by their real paths the directories and files that were
// named: enough to tell what was seen before, however many files there are.
type walker struct {
	ctx         context.Context
	found       func(Entry) error
	dirs, files map[string]bool
}

func (w *walker) argument(arg string) error {
	_, err := os.Lstat(arg)
	switch {
	case err == nil:
		return w.root(arg, true)
	case !errors.Is(err, fs.ErrNotExist) || !strings.ContainsAny(arg, "*?["):
		return w.found(Entry{Path: arg, Root: arg, Named: true, Err: plain(err)})
	case slices.Contains(strings.Split(filepath.ToSlash(arg), "/"), "**"):
		return w.found(Entry{Path: arg, Root: arg, Named: true,
			Err: errors.New("** is not understood in a pattern: name the directory, which is walked to the bottom, or let the shell expand it")})
	}
	matches, err := filepath.Glob(arg)
	if err != nil {
		return w.found(Entry{Path: arg, Root: arg, Named: true, Err: fmt.Errorf("not a pattern: %w", err)})
	}
	if len(matches) == 0 {
		return w.found(Entry{Path: arg, Root: arg, Named: true, Err: errors.New("nothing matches")})
	}
	for _, m := range matches {
		if err := w.root(m, false); err != nil {
			return err
		}
	}
	return nil
}

// root takes what was named: a link to a directory is followed here alone.
func (w *walker) root(path string, named bool) error {
	e := Entry{Path: path, Root: path, Named: named}
	info, err := os.Stat(path)
	if err != nil {
		e.Err = brokenLink(path, err)
		return w.found(e)
	}
	real, err := realPath(path, info.IsDir())
	if err != nil {
		e.Err = plain(err)
		return w.found(e)
	}
	if w.below(real) || w.files[real] {
		return nil
	}
	if !info.IsDir() {
		w.files[real] = true
		e.Info, e.Skip = info, special(info.Mode())
		return w.found(e)
	}
	err = w.dir(e, real)
	w.dirs[real] = true
	return err
}

// dir walks one directory; real is its path without links.
func (w *walker) dir(d Entry, real string) error {
	names, err := os.ReadDir(d.Path)
	if err != nil {
		bad := d
		bad.Err = plain(err)
		if err := w.found(bad); err != nil {
			return err
		}
	}
	for _, n := range names {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		e := Entry{Path: filepath.Join(d.Path, n.Name()), Root: d.Root, Rel: filepath.Join(d.Rel, n.Name())}
		if err := w.child(e, n, filepath.Join(real, n.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) child(e Entry, n fs.DirEntry, real string) error {
	if n.IsDir() {
		if w.dirs[real] {
			return nil
		}
		return w.dir(e, real)
	}
	if w.files[real] {
		return nil
	}
	info, err := os.Stat(e.Path)
	switch {
	case err != nil:
		e.Err = brokenLink(e.Path, err)
	case info.IsDir():
		e.Info, e.Skip = info, "a link to a directory; name it to have it walked"
	default:
		e.Info, e.Skip = info, special(info.Mode())
	}
	return w.found(e)
}

// below reports whether a directory that was walked holds real.
func (w *walker) below(real string) bool {
	for {
		if w.dirs[real] {
			return true
		}
		up := filepath.Dir(real)
		if up == real {
			return false
		}
		real = up
	}
}

// realPath is where path lies without links. A link to a file keeps its own
// name: it is another file than its target.
func realPath(path string, dir bool) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if dir {
		return filepath.EvalSymlinks(abs)
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	return filepath.Join(parent, filepath.Base(abs)), err
}

// special names what has no content of its own, "" for a regular file.
func special(m fs.FileMode) string {
	switch {
	case m.IsRegular():
		return ""
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	default:
		return "not a regular file"
	}
}

func brokenLink(path string, err error) error {
	if target, linkErr := os.Readlink(path); linkErr == nil {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("a link to %s, which is not there", Printable(target))
		case errors.Is(err, syscall.ELOOP):
			return errors.New("a link that leads back to itself")
		}
	}
	return plain(err)
}

// plain is an error of the file system without operation and path, which
// whoever prints it says anyway.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
