package cmd

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/docsvc/docsvc/pkg/worker"
)

// runUntilSignal runs a worker: the first SIGINT or SIGTERM stops it warm, the
// second cold.
func runUntilSignal(ctx context.Context, stderr io.Writer, w *worker.Worker) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	for n := 1; ; n++ {
		select {
		case err := <-done:
			return err
		case <-signals:
			switch n {
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
