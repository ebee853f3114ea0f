package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/worker"
)

// stopSignals are those that end a command in order. A terminal that is closed
// sends SIGHUP; under nohup that stays ignored.
func stopSignals() []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// ignoreFileLimit makes a file above the limit on their size (ulimit -f) an
// error of its write. The signal would end the process, and after five deaths
// of workers fail the job.
func ignoreFileLimit() { signal.Ignore(syscall.SIGXFSZ) }

// sameStop is how close together two signals are one: timeout(1) sends its
// signal to the command and then to the whole process group, and a terminal's
// Ctrl-C comes again from a parent that passes it on.
const sameStop = 200 * time.Millisecond

// stopRequests counts how often somebody asked to stop.
type stopRequests struct {
	times int
	last  time.Time
}

// count takes a signal of that moment and returns how many requests there were;
// again is that it belongs to the one before.
func (r *stopRequests) count(at time.Time) (times int, again bool) {
	again = r.times > 0 && at.Sub(r.last) < sameStop
	if r.last = at; !again {
		r.times++
	}
	return r.times, again
}

// runUntilSignal runs a worker: the first SIGINT or SIGTERM stops it warm, the
// second cold.
func runUntilSignal(ctx context.Context, stderr io.Writer, w *worker.Worker, n *notifier, log zerolog.Logger) error {
	watching, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { n.watch(watching, log, w.Status, func() string { return w.Stuck(stuckAfter) }) })
	defer watch.Wait()
	defer cancel()
	ignoreFileLimit()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, stopSignals()...)
	defer signal.Stop(signals)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	var requests stopRequests
	for {
		select {
		case err := <-done:
			return err
		case <-signals:
			times, again := requests.count(time.Now())
			if again {
				continue
			}
			n.say("STOPPING=1")
			switch times {
			case 1:
				fmt.Fprintln(stderr, "docsvc: stopping after the jobs in hand; once more ends them and gives them back")
				w.Stop()
			default:
				fmt.Fprintln(stderr, "docsvc: ending the jobs in hand; they go back to the head of their queue")
				w.Kill()
			}
		}
	}
}
