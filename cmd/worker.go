package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/pipeline"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

type workerFlags struct {
	all, burst, verbose bool
	concurrency         int
	maxIdle             time.Duration
	maxJobs             int
	name                string
	queues              []string
	strategy            string
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
	c.Flags().IntVar(&f.maxJobs, "max-jobs", 0, "stop after so many jobs, of all slots together")
	c.Flags().DurationVar(&f.maxIdle, "max-idle-time", 0, "stop when there was nothing to do for so long, e.g. 10m; without effect with --burst")
	c.Flags().StringVar(&f.strategy, "dequeue-strategy", string(worker.StrategyDefault),
		"default (a queue only when those before it are empty), round_robin or random")
	c.Flags().BoolVar(&f.verbose, "verbose", false, "log at level debug")
	c.Flags().StringVar(&f.unknown, "unknown", "", "fail or stop, see worker.unknown")
	_ = c.RegisterFlagCompletionFunc("queues", a.completeQueues)
	_ = c.RegisterFlagCompletionFunc("dequeue-strategy", cobra.FixedCompletions([]string{string(worker.StrategyDefault),
		string(worker.StrategyRoundRobin), string(worker.StrategyRandom)}, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runWorker(c *cobra.Command, f workerFlags) error {
	if f.all && len(f.queues) > 0 {
		return &usageError{message: "--all and --queues exclude each other", hint: "usage: " + c.UseLine()}
	}
	if err := f.check(); err != nil {
		return err
	}
	if err := f.checkLimits(c); err != nil {
		return err
	}
	a.sayMisspelt()
	var overrides []config.Override
	add := func(flag, key, value string) {
		if c.Flags().Changed(flag) {
			overrides = append(overrides, config.Override{Key: key, Value: value, Origin: "flag --" + flag})
		}
	}
	add("concurrency", "worker.concurrency", strconv.Itoa(f.concurrency))
	add("unknown", "worker.unknown", f.unknown)
	add("verbose", "log.level", "debug")
	s, err := a.openForWorker(c, overrides)
	if err != nil || s == nil {
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
	w, stop, err := s.newWorker(worker.Config{
		Burst: f.burst, Concurrency: s.config.Worker.Concurrency, MaxIdle: f.maxIdle, MaxJobs: f.maxJobs,
		Name: workerName(f.name), Queues: queues, Strategy: worker.Strategy(f.strategy),
	})
	if err != nil {
		return err
	}
	defer stop()
	if err := s.checkInstallation(c.Context()); err != nil {
		return err
	}
	s.sayRedisSettings(c.Context())
	n := a.newNotifier()
	defer n.close()
	err = runUntilSignal(c.Context(), a.stderr, w, n, s.log)
	var taken *rq.NameTakenError
	if errors.As(err, &taken) {
		return &hintError{error: err, hint: fmt.Sprintf("choose another --name; if that worker is dead its name is free %s after its last heartbeat", s.queue.Lease())}
	}
	return err
}

// checkInstallation refuses to work on another installation's bucket, where
// every upload would seem to be gone. What can't be reached now is waited for
// by the worker itself.
func (s *services) checkInstallation(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := s.documents.CheckInstallation(ctx)
	var wrong *document.Error
	if errors.As(err, &wrong) && wrong.Kind == document.Conflict {
		return &hintError{error: err, hint: "see storage.endpoint, storage.bucket, storage.prefix and redis.url: docsvc config print"}
	}
	return nil
}

// check refuses what no worker can be called or work on.
func (f workerFlags) check() error {
	if strings.ContainsAny(f.name, ": \t\r\n") {
		return &usageError{message: fmt.Sprintf("--name %q: a worker's name has no blanks or colons", f.name)}
	}
	for _, q := range f.queues {
		if strings.TrimSpace(q) == "" {
			return &usageError{message: "--queues has an empty name", hint: "e.g. --queues document_processing,cleanup_tasks"}
		}
	}
	return nil
}

// checkLimits refuses limits and strategies that no worker can keep to.
func (f workerFlags) checkLimits(c *cobra.Command) error {
	switch {
	case c.Flags().Changed("max-jobs") && f.maxJobs < 1:
		return &usageError{message: fmt.Sprintf("--max-jobs %d: at least 1", f.maxJobs)}
	case c.Flags().Changed("max-idle-time") && f.maxIdle <= 0:
		return &usageError{message: fmt.Sprintf("--max-idle-time %s: longer than 0", f.maxIdle), hint: "e.g. --max-idle-time 10m"}
	case !slices.Contains(worker.Strategies(), worker.Strategy(f.strategy)):
		return &usageError{message: fmt.Sprintf("--dequeue-strategy %q: default, round_robin or random", f.strategy)}
	}
	return nil
}

// openForWorker opens the services. Where no Redis is configured and none
// answers it waits for one, or for a standalone server of this directory that
// is about to start; nil when a signal ended that.
func (a *app) openForWorker(c *cobra.Command, overrides []config.Override) (*services, error) {
	ctx, stop := signal.NotifyContext(c.Context(), stopSignals()...)
	defer stop()
	for said := false; ; {
		s, err := a.open(c, overrides...)
		if err != nil || s.config.RedisGiven() {
			return s, err
		}
		var refused *net.OpError
		err = s.redis.Ping(ctx).Err()
		if !errors.As(err, &refused) && ctx.Err() == nil {
			return s, nil
		}
		if !said && ctx.Err() == nil {
			fmt.Fprintf(a.stderr, "docsvc: no answer from Redis at %s, the default; waiting for it, or for docsvc serve --standalone in this directory\n",
				s.config.PlainRedisURL())
			said = true
		}
		s.close()
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(500 * time.Millisecond):
		}
	}
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

// newWorker makes a worker with all of docsvc's handlers of what c says so far:
// name, queues, slots and limits. stop ends its parser processes after the
// worker has ended.
func (s *services) newWorker(c worker.Config) (w *worker.Worker, stop func(), err error) {
	pool, err := s.extractPool(c.Concurrency)
	if err != nil {
		return nil, nil, err
	}
	attachments := pipeline.Attachments{Images: s.config.Extract.OCR, MaxDepth: s.config.Attachments.MaxDepth, MaxFiles: s.config.Attachments.MaxFiles, MaxSize: int64(s.config.Attachments.MaxSize)}
	if s.config.Attachments.Documents {
		attachments.From = pool
	}
	pipe, err := pipeline.New(pipeline.Config{
		Attachments: attachments,
		Chunk:       chunk.Options{MaxTokens: s.config.Chunks.MaxTokens, Overlap: s.config.Chunks.Overlap},
		Documents:   s.documents, Log: s.log, Pool: pool, Store: s.store, Thumbnails: pool, WorkDir: s.workDir(),
	})
	if err != nil {
		_ = pool.Close()
		return nil, nil, fmt.Errorf("preparing the work directory (worker.work_dir): %w", err)
	}
	warmed := func() {}
	if slices.ContainsFunc(c.Queues, func(q string) bool { return q != config.CleanupQueue }) {
		warmed = s.warm(pool)
	}
	stop = func() {
		warmed()
		_, _ = pipe.Close(), pool.Close()
	}
	c.Handlers = []worker.Handler{pipe.Handler(), pipe.ObjectHandler(), s.cleaner.Handler()}
	c.KnownQueues, c.Unknown = s.config.QueueNames(), worker.UnknownPolicy(s.config.Worker.Unknown)
	c.Log, c.Loops, c.Queue = s.log, []worker.Loop{s.sweepLoop(), s.keepLoop()}, s.queue
	c.Grace, c.Usage, c.Version, c.Webhooks = s.config.Worker.ShutdownGrace, usage(pool), buildVersion(), s.config.Worker.Webhooks
	tuneWorker(&c)
	w, err = worker.New(c)
	if err != nil {
		stop()
		return nil, nil, &usageError{message: err.Error()}
	}
	return w, stop, nil
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

// notRedis hides the cause of an outage of storage from the worker, which would
// take it for one of Redis.
func notRedis(err error) error {
	var outage *document.Error
	if errors.As(err, &outage) && outage.Code == document.CodeStorageUnavailable {
		return errors.New(outage.Detail)
	}
	return err
}

// keepLoop saves records to the bucket, removes what was deleted and moves old
// records out of Redis.
func (s *services) keepLoop() worker.Loop {
	return worker.Loop{Name: "document keeping", Every: 10 * time.Second, Run: func(ctx context.Context) error {
		_, err := s.documents.Keep(ctx)
		return notRedis(err)
	}}
}

// sweepLoop mends documents whose job ended without them.
func (s *services) sweepLoop() worker.Loop {
	return worker.Loop{Name: "document sweep", Every: 10 * time.Second, Run: func(ctx context.Context) error {
		_, err := s.documents.Sweep(ctx)
		return notRedis(err)
	}}
}
