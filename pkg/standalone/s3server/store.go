package s3server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/rclone/gofakes3"
	"github.com/rs/zerolog"
)

const layoutVersion = "docsvc-s3 1\n"

// store keeps buckets and objects below one directory. It implements
// gofakes3.Backend and gofakes3.MultipartBackend.
type store struct {
	dir   string
	log   zerolog.Logger
	clock func() time.Time

	// create makes the file that a body is received into; tests replace it to
	// fill the disk.
	create func(dir string) (tempFile, error)

	// tree is held while the set of files and directories below buckets
	// changes, and while a condition on what is there is checked and acted
	// on. Nothing slow (receiving, syncing) happens under it.
	tree sync.Mutex

	mu      sync.RWMutex
	buckets map[string]time.Time // name -> created

	uploads *uploads
}

// tempFile is what a body is received into before it gets its name.
type tempFile interface {
	Name() string
	Write([]byte) (int, error)
	Sync() error
	Close() error
}

func openStore(dir string, log zerolog.Logger, clock func() time.Time) (*store, error) {
	s := &store{dir: dir, log: log, clock: clock, buckets: map[string]time.Time{}, create: createTemp, uploads: newUploads()}
	if err := s.prepare(); err != nil {
		return nil, fmt.Errorf("opening the object store in %s: %w", dir, err)
	}
	return s, nil
}

// prepare creates what is missing, sweeps what a crash left, and finds the
// buckets.
func (s *store) prepare() error {
	for _, d := range []string{s.dir, s.bucketsDir(), s.tmpDir(), s.uploadsDir()} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	if err := s.checkLayout(); err != nil {
		return err
	}
	for _, d := range []string{s.tmpDir(), s.uploadsDir()} {
		if err := s.sweep(d); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(s.bucketsDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil && e.IsDir() {
			s.buckets[e.Name()] = info.ModTime()
		}
	}
	return syncDirs(filepath.Dir(s.dir), s.dir)
}

func (s *store) checkLayout() error {
	path := filepath.Join(s.dir, "format")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s.writeLayout(path)
	}
	if err != nil {
		return err
	}
	if string(text) != layoutVersion {
		return fmt.Errorf("%s says %q, this docsvc reads %q: use the docsvc that wrote it, or another directory", path, text, layoutVersion)
	}
	return nil
}

// writeLayout writes the layout's version in one step: half a version would be
// another one.
func (s *store) writeLayout(path string) error {
	tmp, err := os.CreateTemp(s.tmpDir(), "format-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(layoutVersion)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// sweep empties a directory of things that nobody can finish any more.
func (s *store) sweep(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if len(entries) > 0 {
		s.log.Info().Int("entries", len(entries)).Str("dir", dir).Msg("removed unfinished uploads of an earlier run")
	}
	return nil
}

func (s *store) bucketsDir() string         { return filepath.Join(s.dir, "buckets") }
func (s *store) tmpDir() string             { return filepath.Join(s.dir, "tmp") }
func (s *store) uploadsDir() string         { return filepath.Join(s.dir, "uploads") }
func (s *store) objectsDir(b string) string { return filepath.Join(s.bucketsDir(), b, "objects") }
func (s *store) file(b, key string) string {
	return filepath.Join(s.objectsDir(b), filepath.FromSlash(objectPath(key)))
}

func (s *store) hasBucket(name string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	_, ok := s.buckets[name]
	return ok
}

func createTemp(dir string) (tempFile, error) { return os.CreateTemp(dir, "body-*") }

// syncDirs makes the entries of directories durable. One that is gone again
// needs nothing.
func syncDirs(dirs ...string) error {
	for _, d := range dirs {
		f, err := os.Open(d)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		err = f.Sync()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return fmt.Errorf("syncing %s: %w", d, err)
		}
	}
	return nil
}

var (
	_ gofakes3.Backend          = (*store)(nil)
	_ gofakes3.MultipartBackend = (*store)(nil)
)
