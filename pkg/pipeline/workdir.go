package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const (
	dirPrefix = "docsvc-work-"
	lockName  = "lock"
)

// workDir is a directory of this process's own below the configured one. A
// lock that the kernel drops when the process ends tells it from leftovers,
// also when process numbers have come round or belong to another container.
type workDir struct {
	path    string
	lock    *os.File
	minFree int64

	mu       sync.Mutex
	reserved int64 // bytes that running downloads may yet write
}

func openWorkDir(parent string, minFree int64, log zerolog.Logger) (*workDir, error) {
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("making the work directory: %w", err)
	}
	sweepWorkDir(parent, log)
	// Locked under another name first: a sweep between making and locking
	// would take it for a leftover.
	path, err := os.MkdirTemp(parent, "new-"+dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("the work directory %s cannot be written to: %w; set worker.work_dir to one that can", parent, err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR|os.O_EXCL, 0o600)
	if err == nil {
		err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	final := filepath.Join(parent, strings.TrimPrefix(filepath.Base(path), "new-"))
	if err == nil {
		err = os.Rename(path, final)
	}
	if err != nil {
		if lock != nil {
			_ = lock.Close()
		}
		_ = os.RemoveAll(path)
		return nil, fmt.Errorf("preparing the work directory %s: %w", parent, err)
	}
	return &workDir{path: final, lock: lock, minFree: minFree}, nil
}

// sweepWorkDir removes directories of pipelines whose process is gone. It
// touches nothing that isn't named and locked as theirs are.
func sweepWorkDir(parent string, log zerolog.Logger) {
	found, err := filepath.Glob(filepath.Join(escapeGlob(parent), dirPrefix+"*"))
	if err != nil {
		return
	}
	unfinished, err := filepath.Glob(filepath.Join(escapeGlob(parent), "new-"+dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range unfinished {
		// Killed before its lock, unless it is being made at this moment.
		if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Hour {
			found = append(found, path)
		}
	}
	for _, path := range found {
		if removeLeftover(path) {
			log.Info().Str("dir", path).Msg("removed the work files of a worker that is gone")
		}
	}
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

func removeLeftover(path string) bool {
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		// A removal that was cut short: the lock goes last, with the directory.
		return os.Remove(path) == nil
	}
	if err != nil {
		return false
	}
	defer func() { _ = lock.Close() }()
	if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false // its process lives
	}
	return emptyDir(path) == nil && os.RemoveAll(path) == nil
}

// emptyDir removes everything below path but the lock, which must go last.
func emptyDir(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockName {
			err = errors.Join(err, os.RemoveAll(filepath.Join(path, e.Name())))
		}
	}
	return err
}

func (d *workDir) close() error {
	err := errors.Join(emptyDir(d.path), os.RemoveAll(d.path))
	return errors.Join(err, d.lock.Close())
}

// spaceError says that a file doesn't fit.
type spaceError struct{ need, free int64 }

func (e *spaceError) Error() string {
	return fmt.Sprintf("The worker's disk has no room for this file: it needs %s and %s can be used. Free some space in worker.work_dir.", mib(e.need), mib(e.free))
}

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(max(n, 0))/(1<<20)) }

// create opens a new file for size bytes after looking whether they fit,
// beside what other downloads of this process are going to write. done closes
// and removes it.
func (d *workDir) create(size int64) (f *os.File, done func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var st unix.Statfs_t
	if err := unix.Statfs(d.path, &st); err != nil {
		return nil, nil, fmt.Errorf("looking for free space in the work directory: %w", err)
	}
	free := int64(min(uint64(st.Bavail)*uint64(st.Bsize), 1<<62)) - d.reserved - d.minFree
	if size > free {
		return nil, nil, &spaceError{need: size, free: free}
	}
	f, err = os.CreateTemp(d.path, "upload-")
	if err != nil {
		return nil, nil, fmt.Errorf("making a work file: %w", err)
	}
	d.reserved += size
	var once sync.Once
	return f, func() {
		once.Do(func() {
			_ = f.Close()
			_ = os.Remove(f.Name())
			d.mu.Lock()
			d.reserved -= size
			d.mu.Unlock()
		})
	}, nil
}
