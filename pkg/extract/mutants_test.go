package extract_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// TestMutants damages real files and gives them to a pool, as an uploader
// would: every one must end, within its limit, as a document or a coded error,
// and the pool must serve the next. By itself it takes the demonstration's
// samples and few mutants; make document-mutants takes DIR and MUTANTS. The
// random numbers are the same in every run of the same files.
func TestMutants(t *testing.T) {
	dir, count := os.Getenv("DOCSVC_MUTANTS_DIR"), 60
	if dir == "" {
		dir = filepath.Join("..", "..", "scripts", "demo", "samples")
	}
	if n, err := strconv.Atoi(os.Getenv("DOCSVC_MUTANTS")); err == nil {
		count = n
	}
	files := samples(t, dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const limit = 60 * time.Second
	workers := max(1, min(4, count/20))
	pool, err := extract.NewPool(extract.PoolOptions{
		Args: []string{"-test.run=^$"}, CacheDir: pdftest.CacheDir(t), Env: []string{"EXTRACT_TEST_CHILD=1"}, Executable: exe,
		ProgressTimeout: limit, Size: workers, Timeout: limit,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	s := &survey{codes: make(map[string]int)}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < count; n = int(next.Add(1)) - 1 {
				file := files[n%len(files)]
				random := rand.New(rand.NewPCG(uint64(n), 2026))
				raw, how := damaged(random, file.raw, files[random.IntN(len(files))].raw)
				s.one(t, pool, file.name, how, raw)
			}
		})
	}
	wg.Wait()
	t.Logf("%d mutants of %d files: %s", count, len(files), s)
}

type sample struct {
	name string
	raw  []byte
}

func samples(t *testing.T, dir string) []sample {
	t.Helper()
	var files []sample
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil || info.Size() == 0 || info.Size() > 8<<20 {
			return err
		}
		raw, err := os.ReadFile(path)
		files = append(files, sample{path, raw})
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files in %s, error %v", len(files), dir, err)
	}
	return files
}

// damaged is a file with one kind of damage, or two.
func damaged(random *rand.Rand, raw, other []byte) ([]byte, string) {
	switch random.IntN(6) {
	case 0:
		return raw[:random.IntN(len(raw)+1)], "cut short"
	case 1:
		b := bytes.Clone(raw)
		for range 1 + random.IntN(50) {
			b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		}
		return b, "flipped bits"
	case 2:
		from, to := random.IntN(len(raw)), random.IntN(len(other))
		return append(bytes.Clone(raw[:from]), other[to:]...), "spliced with another"
	case 3:
		from := random.IntN(len(raw))
		part := raw[from:min(len(raw), from+1+random.IntN(4096))]
		return append(append(bytes.Clone(raw[:from]), bytes.Repeat(part, 1+random.IntN(20))...), raw[from:]...), "a part repeated"
	case 4:
		if b := swapped(random, raw); b != nil {
			return b, "zip parts swapped"
		}
	}
	b := bytes.Clone(raw)
	from := random.IntN(len(b))
	for i := from; i < min(len(b), from+random.IntN(256)+1); i++ {
		b[i] = byte(random.Uint32())
	}
	return mutant(random, b), "noise"
}

// swapped is a zip archive whose parts have one another's contents, damaged
// before they are packed, so that parsers meet them; nil for what is none.
func swapped(random *rand.Rand, raw []byte) []byte {
	in, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil || len(in.File) < 2 {
		return nil
	}
	contents := make([][]byte, len(in.File))
	for i, f := range in.File {
		part, err := fs.ReadFile(in, f.Name)
		if err != nil {
			continue
		}
		if len(part) > 0 && random.IntN(2) == 0 {
			part = mutant(random, part)
		}
		contents[i] = part
	}
	if random.IntN(2) == 0 {
		a, b := random.IntN(len(contents)), random.IntN(len(contents))
		contents[a], contents[b] = contents[b], contents[a]
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, f := range in.File {
		part, err := w.Create(f.Name)
		if err == nil {
			_, err = part.Write(contents[i])
		}
		if err != nil {
			return nil
		}
	}
	if w.Close() != nil {
		return nil
	}
	return out.Bytes()
}

// survey counts what became of mutants.
type survey struct {
	mu      sync.Mutex
	codes   map[string]int // "document", "partial" or the code of the error
	longest time.Duration
	slowest string
	rss     int64 // most that all children together held when a document was done
}

func (s *survey) one(t *testing.T, pool *extract.Pool, name, how string, raw []byte) {
	f, err := os.CreateTemp(t.TempDir(), "mutant")
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = errors.Join(f.Close(), os.Remove(f.Name())) }()
	if _, err := f.Write(raw); err != nil {
		t.Error(err)
		return
	}
	began := time.Now()
	doc, err := pool.Extract(t.Context(), extract.Request{File: f, Name: filepath.Base(name)}, nil)
	took := time.Since(began)
	outcome := "document"
	var coded *extract.Error
	switch {
	case errors.As(err, &coded):
		outcome = coded.Code
		if coded.Message == "" {
			t.Errorf("%s, %s: an error without a message: %s", name, how, coded.Code)
		}
	case err != nil:
		t.Errorf("%s, %s: %v", name, how, err)
		outcome = "no code"
	case doc.Partial:
		outcome = "partial"
	}
	if outcome == "crash" || outcome == "memory" || outcome == "timeout" || outcome == "no code" {
		t.Logf("%s, %s, %d bytes: %s after %v: %v", name, how, len(raw), outcome, took.Round(time.Millisecond), err)
	}
	rss := pool.Stats().RSS
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[outcome]++
	s.rss = max(s.rss, rss)
	if took > s.longest {
		s.longest, s.slowest = took, fmt.Sprintf("%s, %s", name, how)
	}
}

func (s *survey) String() string {
	var parts []string
	for _, outcome := range []string{"document", "partial", "corrupt", "unsupported", "encrypted", "empty", "no_text", "needs_ocr", "too_large", "bomb", "timeout", "memory", "crash", "no code"} {
		if n := s.codes[outcome]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcome))
		}
	}
	return fmt.Sprintf("%s; the slowest took %v (%s); most memory of all children between documents %d MiB",
		strings.Join(parts, ", "), s.longest.Round(time.Millisecond), s.slowest, s.rss>>20)
}
