package extract

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/extract/pdf/pdftest"
)

// BenchmarkManyPages reads one PDF of many pages (DOCSVC_BENCH_PDF, or one that
// is made here) in turn by pdftotext, one child and two, all in one run, and reports the
// fastest of each and what they are of pdftotext's. Beside the times stands what they took of processors,
// which a busy machine changes less. The children are up, as a worker's are.
func BenchmarkManyPages(b *testing.B) {
	path := os.Getenv("DOCSVC_BENCH_PDF")
	if path == "" {
		path = filepath.Join(b.TempDir(), "many.pdf")
		if err := os.WriteFile(path, manyPages(600), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	pools := []*Pool{benchPool(b, 1), benchPool(b, 2)}
	for _, p := range pools { // everything loaded, all children up
		for range 3 {
			if _, err := p.Extract(b.Context(), Request{File: f, Name: "many.pdf"}, nil); err != nil {
				b.Fatal(err)
			}
		}
	}
	var wall, cpu [3]time.Duration
	keep := func(i int, took, used time.Duration) {
		if wall[i] == 0 || took < wall[i] {
			wall[i] = took
		}
		if cpu[i] == 0 || used < cpu[i] {
			cpu[i] = used
		}
	}
	peer, err := exec.LookPath("pdftotext")
	if err != nil {
		b.Logf("beside nothing: %v", err)
	}
	for b.Loop() {
		if peer != "" {
			command := exec.Command(peer, path, filepath.Join(b.TempDir(), "out.txt"))
			began := time.Now()
			if err := command.Run(); err != nil {
				b.Fatal(err)
			}
			keep(0, time.Since(began), command.ProcessState.UserTime()+command.ProcessState.SystemTime())
		}
		for i, p := range pools {
			before, began := p.cpu(), time.Now()
			if _, err := p.Extract(b.Context(), Request{File: f, Name: "many.pdf"}, nil); err != nil {
				b.Fatal(err)
			}
			keep(1+i, time.Since(began), p.cpu()-before)
		}
	}
	b.ReportMetric(0, "ns/op")
	for i, name := range []string{"pdftotext", "one", "two"} {
		b.ReportMetric(float64(wall[i].Milliseconds()), name+"-ms")
		b.ReportMetric(float64(cpu[i].Milliseconds()), name+"-cpu-ms")
		if i > 0 && wall[0] > 0 {
			b.ReportMetric(float64(wall[i])/float64(wall[0]), name+"/pdftotext")
		}
	}
}

func benchPool(b *testing.B, size int) *Pool {
	b.Helper()
	p, err := NewPool(PoolOptions{Args: []string{"-test.run=^$"}, CacheDir: pdftest.CacheDir(b), Env: []string{childVariable + "=1"}, Size: size, RecycleAfter: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = p.Close() })
	return p
}

// cpu is what the children that are alive have used of processors.
func (p *Pool) cpu() (used time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.alive {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.pid()))
		fields := strings.Fields(string(stat))
		if len(fields) < 15 {
			continue
		}
		for _, ticks := range fields[13:15] {
			n, _ := strconv.Atoi(ticks)
			used += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return used
}

// BenchmarkChildStart is what it takes from nothing to a document read, by a
// child that finds its code compiled; what is ready of it when is reported, too.
func BenchmarkChildStart(b *testing.B) {
	raw := filepath.Join(b.TempDir(), "one.pdf")
	if err := os.WriteFile(raw, pdftest.Simple([]string{"one page"}), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(raw)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := benchPool(b, 1)
	p.o.RecycleAfter = 1
	if err := p.Warm(b.Context()); err != nil {
		b.Fatal(err)
	}
	var ready, warm, read time.Duration
	least := func(d *time.Duration, took time.Duration) {
		if *d == 0 || took < *d {
			*d = took
		}
	}
	for b.Loop() {
		began := time.Now()
		if _, err := p.Cage(b.Context()); err != nil {
			b.Fatal(err)
		}
		least(&ready, time.Since(began))
		began = time.Now()
		if err := p.Warm(b.Context()); err != nil {
			b.Fatal(err)
		}
		least(&warm, time.Since(began))
		began = time.Now()
		if _, err := p.Extract(b.Context(), Request{File: f}, nil); err != nil {
			b.Fatal(err)
		}
		least(&read, time.Since(began))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ready.Milliseconds()), "caged-ms")
	b.ReportMetric(float64(warm.Milliseconds()), "warm-ms")
	b.ReportMetric(float64(read.Milliseconds()), "read-ms")
}
