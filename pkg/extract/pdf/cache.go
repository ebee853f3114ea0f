package pdf

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tetratelabs/wazero"
)

// cacheName is the directory below Options.CacheDir. What lies in it is
// machine code that gets executed, so it has to be this user's own.
const cacheName = "pdfium"

// openCache gives the compilation cache in dir, or one in memory with the
// reason why. unlock must be called once the module has been compiled:
// processes that start together wait for the first to finish, and find its result.
func openCache(dir string) (cache wazero.CompilationCache, unlock func(), reason error) {
	inMemory := func(reason error) (wazero.CompilationCache, func(), error) {
		return wazero.NewCompilationCache(), func() {}, reason
	}
	if dir == "" {
		return inMemory(errors.New("no cache directory is set"))
	}
	dir = filepath.Join(dir, cacheName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return inMemory(err)
	}
	if err := ownAndPrivate(dir); err != nil {
		return inMemory(err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return inMemory(err)
	}
	if err := flock(lock); err != nil {
		lock.Close()
		return inMemory(err)
	}
	cache, err = wazero.NewCompilationCacheWithDir(dir)
	if err != nil {
		lock.Close()
		return inMemory(err)
	}
	return cache, func() { lock.Close() }, nil
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
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a temporary file of another process
		}
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		forbidden := fs.FileMode(0o022)
		if path == dir {
			forbidden = 0o077
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !info.IsDir() && !info.Mode().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory", path)
		case !ok || int(stat.Uid) != os.Geteuid():
			return fmt.Errorf("%s belongs to another user", path)
		case info.Mode().Perm()&forbidden != 0:
			return fmt.Errorf("%s has mode %v: others can get at it", path, info.Mode().Perm())
		}
		return nil
	})
}
