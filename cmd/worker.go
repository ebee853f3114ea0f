package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/pipeline"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

type workerFlags struct {
	all, burst, verbose bool
	concurrency         int
	name                string
	queues              []string
	unknown             string
}

func (a *app) workerCommand() *cobra.Command {
	var f workerFlags
	c := &cobra.Command{
		Use: "worker", Short: "Run jobs",
		Long: `Runs jobs of document_processing, of the queues given, or of all configured ones.

The first SIGINT or SIGTERM lets the jobs in hand finish, a second one ends them
at once and puts them back at the head of their queue. A worker that is killed
loses nothing: after 12 seconds another one takes its jobs over.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runWorker(c, f) },
	}
	c.Flags().StringSliceVar(&f.queues, "queues", nil, "queues to work on, the most urgent first (default "+config.DocumentQueue+")")
	c.Flags().BoolVar(&f.all, "all", false, "work on every configured queue")
	c.Flags().StringVar(&f.name, "name", "", "name of this worker (default host.pid)")
	c.Flags().IntVar(&f.concurrency, "concurrency", 0, "jobs at a time (default worker.concurrency)")
	c.Flags().BoolVar(&f.burst, "burst", false, "stop when the queues are empty")
	c.Flags().BoolVar(&f.verbose, "verbose", false, "log at level debug")
	c.Flags().StringVar(&f.unknown, "unknown", "", "fail or stop, see worker.unknown")
	_ = c.RegisterFlagCompletionFunc("queues", a.completeQueues)
	return c
}

func (a *app) runWorker(c *cobra.Command, f workerFlags) error {
	if f.all && len(f.queues) > 0 {
		return &usageError{message: "--all and --queues exclude each other", hint: "usage: " + c.UseLine()}
	}
	var overrides []config.Override
	add := func(flag, key, value string) {
		if c.Flags().Changed(flag) {
			overrides = append(overrides, config.Override{Key: key, Value: value, Origin: "flag --" + flag})
		}
	}
	add("concurrency", "worker.concurrency", strconv.Itoa(f.concurrency))
	add("unknown", "worker.unknown", f.unknown)
	add("verbose", "log.level", "debug")
	s, err := a.open(c, overrides...)
	if err != nil {
		return err
	}
	defer s.close()
	queues := f.queues
	switch {
	case f.all:
		queues = s.config.QueueNames()
	case len(queues) == 0:
		queues = []string{config.DocumentQueue}
	}
	w, stop, err := s.newWorker(workerName(f.name), queues, s.config.Worker.Concurrency, f.burst)
	if err != nil {
		return err
	}
	defer stop()
	err = runUntilSignal(c.Context(), a.stderr, w)
	var taken *rq.NameTakenError
	if errors.As(err, &taken) {
		return &hintError{error: err, hint: fmt.Sprintf("choose another --name; if that worker is dead its name is free %s after its last heartbeat", s.queue.Lease())}
	}
	return err
}

// workerName is --name, or this host's name and process id.
func workerName(given string) string {
	if given != "" {
		return given
	}
	host, err := os.Hostname()
	if err != nil {
		host = "worker"
	}
	host, _, _ = strings.Cut(host, ".")
	return host + "." + strconv.Itoa(os.Getpid())
}

// newWorker makes a worker with all of docsvc's handlers; stop ends its parser
// processes after the worker has ended.
func (s *services) newWorker(name string, queues []string, concurrency int, burst bool) (w *worker.Worker, stop func(), err error) {
	if strings.ContainsAny(name, ": \t\r\n") || name == "" {
		return nil, nil, &usageError{message: fmt.Sprintf("--name %q: a worker's name has no blanks or colons", name)}
	}
	for _, q := range queues {
		if strings.TrimSpace(q) == "" {
			return nil, nil, &usageError{message: "--queues has an empty name", hint: "e.g. --queues document_processing,cleanup_tasks"}
		}
	}
	pool, err := s.extractPool(concurrency)
	if err != nil {
		return nil, nil, err
	}
	pipe, err := pipeline.New(pipeline.Config{
		Chunk:     chunk.Options{MaxTokens: s.config.Chunks.MaxTokens, Overlap: s.config.Chunks.Overlap},
		Documents: s.documents, Log: s.log, Pool: pool, Store: s.store, WorkDir: s.workDir(),
	})
	if err != nil {
		_ = pool.Close()
		return nil, nil, fmt.Errorf("preparing the work directory (worker.work_dir): %w", err)
	}
	stop = func() { _, _ = pipe.Close(), pool.Close() }
	w, err = worker.New(worker.Config{
		Burst: burst, Concurrency: concurrency,
		Handlers:    []worker.Handler{pipe.Handler(), s.cleaner.Handler()},
		KnownQueues: s.config.QueueNames(),
		Log:         s.log, Loops: []worker.Loop{s.sweepLoop()},
		Name: name, Queue: s.queue, Queues: queues,
		Unknown: worker.UnknownPolicy(s.config.Worker.Unknown),
		Usage:   usage(pool),
		Version: buildVersion(),
	})
	if err != nil {
		stop()
		return nil, nil, &usageError{message: err.Error()}
	}
	return w, stop, nil
}

func (s *services) extractPool(size int) (*extract.Pool, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program, which parser processes run too: %w", err)
	}
	e := s.config.Extract
	return extract.NewPool(extract.PoolOptions{
		Args: []string{extractChild}, CacheDir: s.cacheDir(), Executable: exe, Log: s.log,
		MaxOutput: int64(e.MaxText), MaxPages: e.MaxPages, MemoryLimit: int64(e.Memory),
		ProgressTimeout: e.ProgressTimeout, Size: size, Timeout: e.Timeout,
	})
}

func (s *services) workDir() string {
	return cmp.Or(s.config.Worker.WorkDir, filepath.Join(os.TempDir(), "docsvc-"+strconv.Itoa(os.Getuid())))
}

func (s *services) cacheDir() string {
	if s.config.Extract.CacheDir != "" {
		return s.config.Extract.CacheDir
	}
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "docsvc")
	}
	return filepath.Join(s.workDir(), "cache")
}

// sweepLoop mends documents whose job ended without them.
func (s *services) sweepLoop() worker.Loop {
	return worker.Loop{Name: "document sweep", Every: 10 * time.Second, Run: func(ctx context.Context) error {
		_, err := s.documents.Sweep(ctx)
		return err
	}}
}
