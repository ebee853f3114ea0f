package cmd

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/docsvc/docsvc/pkg/extract"
)

// usage returns a function that tells the resident memory of this process
// with its parser processes, and the cores it used since the call before.
func usage(pool *extract.Pool) func() (rss int64, cpu float64) {
	var mu sync.Mutex
	last, lastCPU := time.Now(), cpuTime()
	return func() (int64, float64) {
		mu.Lock()
		defer mu.Unlock()
		now, used := time.Now(), cpuTime()
		cores := (used - lastCPU).Seconds() / max(now.Sub(last).Seconds(), 1e-3)
		last, lastCPU = now, used
		return ownRSS() + pool.Stats().RSS, cores
	}
}

// cpuTime is what this process and its ended children have used.
func cpuTime() time.Duration {
	var total int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			total += u.Utime.Nano() + u.Stime.Nano()
		}
	}
	return time.Duration(total)
}

// ownRSS reads /proc, where there is one; elsewhere it is what Go took from
// the system.
func ownRSS() int64 {
	if text, err := os.ReadFile("/proc/self/statm"); err == nil {
		if f := strings.Fields(string(text)); len(f) > 1 {
			if pages, err := strconv.ParseInt(f[1], 10, 64); err == nil {
				return pages * int64(os.Getpagesize())
			}
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys)
}
