// Package code keeps PDFium's compiled code between processes.
//
//	CacheDir/pdfium/<build>/          0700, this user's own; <build> names versions and architecture
//	    wazero-.../<key>              machine code, as wazero keeps it
//	    sums                          the sha256 of each of them, written last
//
// What lies there is executed. So parsers are let at it to read only, code is
// compiled by a process that reads no document, and used only when the
// directory is private and holds exactly the files that sums lists, with those
// contents. Anything else is removed and compiled anew.
package code

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

const (
	cacheName = "pdfium"
	sumsName  = "sums"
	lockName  = "lock"
	// staleAfter is when code of another version of docsvc is removed.
	staleAfter = 30 * 24 * time.Hour
)

// ErrNotCompiled is in the chain of the error where there is no code that may
// be used: it has to be made.
var ErrNotCompiled = errors.New("PDFium is not compiled")

// Base is the directory below cacheDir that Make writes to.
func Base(cacheDir string) string { return filepath.Join(cacheDir, cacheName) }

// Dir is where the code of this build is kept below cacheDir.
func Dir(cacheDir string) string { return filepath.Join(cacheDir, cacheName, build()) }

// build names what compiled code depends on beside the processor, which
// wazero has in its keys.
func build() string {
	parts := []string{runtime.GOOS, runtime.GOARCH, runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if strings.HasSuffix(dep.Path, "/wazero") || strings.HasSuffix(dep.Path, "/go-pdfium") {
				parts = append(parts, dep.Path, dep.Version)
			}
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, " ")))
	return hex.EncodeToString(sum[:6])
}

// Verify reads all compiled code below cacheDir and compares it with its sums.
// The stamp is what Stamp gives as long as nothing there changes.
func Verify(cacheDir string) (stamp string, err error) {
	dir := Dir(cacheDir)
	stamp, err = Stamp(cacheDir)
	if err != nil {
		return "", err
	}
	sums, err := os.ReadFile(filepath.Join(dir, sumsName))
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotCompiled, err)
	}
	found, err := sumsOf(dir)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrNotCompiled, err)
	case len(found) == 0 || string(sums) != found:
		return "", fmt.Errorf("%w: what is in %s is not what was compiled there", ErrNotCompiled, dir)
	}
	return stamp, nil
}

// Stamp names the state of the code below cacheDir without reading it: sizes,
// times and inodes. A file can't be changed without it, but by root.
func Stamp(cacheDir string) (string, error) {
	dir := Dir(cacheDir)
	if err := errors.Join(private(filepath.Dir(dir)), ownAndPrivate(dir)); err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotCompiled, err)
	}
	h := sha256.New()
	err := eachFile(dir, func(path string, info fs.FileInfo) error {
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s has no inode", path)
		}
		fmt.Fprintln(h, path, info.Size(), info.ModTime().UnixNano(), stat.Ino, changed(stat))
		return nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrNotCompiled, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// sumsOf is what sums has for the files that are there.
func sumsOf(dir string) (string, error) {
	var b strings.Builder
	err := eachFile(dir, func(path string, _ fs.FileInfo) error {
		if path == filepath.Join(dir, sumsName) {
			return nil
		}
		f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		h := sha256.New()
		if _, err := io.Copy(h, f); err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		fmt.Fprintf(&b, "%x  %s\n", h.Sum(nil), name)
		return err
	})
	return b.String(), err
}

// eachFile visits the files below dir in the order of their names.
func eachFile(dir string, visit func(path string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return visit(path, info)
	})
}

// Prepare makes the directory of compiled code, so that a child can be given
// the right to read it. It fails when it is not private to this user.
func Prepare(cacheDir string) error {
	base := Base(cacheDir)
	if err := os.MkdirAll(base, 0o700); err != nil {
		return err
	}
	if err := private(base); err != nil {
		return err
	}
	dir := Dir(cacheDir)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return private(dir)
}

// Make has compile fill the directory below cacheDir that it is given, where
// the code isn't there and right; of several processes one does. again compiles
// although it is: for a processor that it is not for. fresh reports whether it
// was compiled now.
func Make(cacheDir string, again bool, compile func(dir string) error) (fresh bool, err error) {
	if err := Prepare(cacheDir); err != nil {
		return false, err
	}
	lock, err := os.OpenFile(filepath.Join(cacheDir, cacheName, lockName), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return false, err
	}
	defer func() { _ = lock.Close() }()
	if err := flock(lock); err != nil {
		return false, err
	}
	_, err = Verify(cacheDir)
	if err == nil && !again {
		return false, nil
	}
	dir := Dir(cacheDir)
	if err != nil {
		if err := empty(dir); err != nil {
			return false, err
		}
	}
	if err := compile(dir); err != nil {
		return false, err
	}
	return true, seal(cacheDir)
}

// seal writes the sums, and removes the code of versions long gone.
func seal(cacheDir string) error {
	dir := Dir(cacheDir)
	sums, err := sumsOf(dir)
	if err != nil {
		return err
	}
	temp := filepath.Join(dir, sumsName+".new")
	if err := os.WriteFile(temp, []byte(sums), 0o600); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(dir, sumsName)); err != nil {
		return err
	}
	others, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		return err
	}
	for _, o := range others {
		info, err := o.Info()
		if o.Name() != filepath.Base(dir) && o.IsDir() && err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.RemoveAll(filepath.Join(filepath.Dir(dir), o.Name()))
		}
	}
	return nil
}

// empty removes everything in dir, links as links.
func empty(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// Size is how much compiled code there is below cacheDir, in bytes.
func Size(cacheDir string) (n int64) {
	_ = eachFile(Dir(cacheDir), func(_ string, info fs.FileInfo) error {
		n += info.Size()
		return nil
	})
	return n
}

// flock waits for an exclusive lock, which ends with the file or the process.
func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// ownAndPrivate checks that dir and everything in it belong to this user, are
// plain files and directories, and that nobody else can write to them or enter the directory.
func ownAndPrivate(dir string) error {
	if err := private(dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !info.IsDir() && !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", path)
		case !ok || int(stat.Uid) != os.Geteuid():
			return fmt.Errorf("%s belongs to another user", path)
		case info.Mode().Perm()&0o022 != 0:
			return fmt.Errorf("%s has mode %v: others can get at it", path, info.Mode().Perm())
		}
		return nil
	})
}

// private checks a directory itself.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", dir)
	case !ok || int(stat.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user", dir)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("%s has mode %v: others can get at it; chmod 700 it", dir, info.Mode().Perm())
	}
	return nil
}
