package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/standalone"
	"github.com/docsvc/docsvc/pkg/worker"
)

// stopEngines is how long the embedded engines may take to write down what
// they hold.
const stopEngines = 15 * time.Second

// serveStandalone runs everything in one command. Parts start in the order
// port, engines, API, worker, and end in the opposite one, so that nothing is
// ever without what it depends on.
func (a *app) serveStandalone(ctx context.Context, f serveFlags, overrides []config.Override) (err error) {
	cfg, err := config.Load(a.configFile, a.lookupEnv, append(overrides, a.logOverride()...)...)
	if err != nil {
		return err
	}
	log, err := a.logger(cfg)
	if err != nil {
		return err
	}
	if err := (&services{config: cfg}).checkExposure(); err != nil {
		return err
	}
	ln, err := listen(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = ln.Close() }()

	engines, err := standalone.Start(ctx, standalone.Options{Dir: f.dataDir, Log: log})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopEngines)
		defer cancel()
		err = errors.Join(err, engines.Stop(ctx))
	}()

	cfg, err = config.Load(a.configFile, a.lookupEnv, append(append(overrides, a.logOverride()...), engineOverrides(engines)...)...)
	if err != nil {
		return err
	}
	s, err := wire(cfg, log)
	if err != nil {
		return err
	}
	defer s.close()
	remove := a.announce(s, ln, engines)
	defer remove()
	n := a.newNotifier()
	defer n.close()
	return s.runStandalone(ctx, ln, engines, f.withoutWorker, n)
}

func (a *app) logOverride() []config.Override {
	if a.logLevel == "" {
		return nil
	}
	return []config.Override{{Key: "log.level", Value: a.logLevel, Origin: "flag --log-level"}}
}

func engineOverrides(e *standalone.Engines) []config.Override {
	r := &standalone.Rendezvous{RedisURL: e.RedisURL, S3Endpoint: e.S3Endpoint, Region: e.Region, Bucket: e.Bucket,
		AccessKey: e.AccessKey, SecretKey: e.SecretKey}
	return append(rendezvousOverrides(r), config.Override{Key: "storage.create_bucket", Value: "true", Origin: "--standalone"})
}

// announce says where everything is, and writes the file by which commands
// started in this directory find it.
func (a *app) announce(s *services, ln net.Listener, e *standalone.Engines) (remove func()) {
	say := func(format string, args ...any) { fmt.Fprintf(a.stderr, "docsvc: "+format+"\n", args...) }
	api := "http://" + ln.Addr().String()
	say("API on %s, documentation on %s/docs", api, api)
	say("uploads go to %s, bucket %s", e.S3Endpoint, e.Bucket)
	say("%s", e.RedisNote)
	say("look into Redis with: %s", e.RedisCLI())
	for _, key := range []string{"redis.url", "redis.sentinel_addrs", "storage.endpoint"} {
		if ignored := a.ignoredSetting(key); ignored != "" {
			say("ignoring %s: --standalone uses its own", ignored)
		}
	}
	remove, err := standalone.WriteRendezvous(".", standalone.Rendezvous{
		PID: os.Getpid(), API: api, RedisURL: e.RedisURL, S3Endpoint: e.S3Endpoint, Region: e.Region, Bucket: e.Bucket,
		AccessKey: e.AccessKey, SecretKey: e.SecretKey, DataDir: e.Dir,
	})
	if err != nil {
		s.log.Warn().Err(err).Msg("other commands won't find this server by themselves; give them REDIS_URL and the storage settings")
		return func() {}
	}
	return remove
}

// ignoredSetting names where a setting that --standalone overrules comes from.
func (a *app) ignoredSetting(key string) string {
	cfg, err := config.Load(a.configFile, a.lookupEnv)
	if err != nil || cfg.Origins[key] == "default" {
		return ""
	}
	return key + " from " + cfg.Origins[key]
}

// runStandalone runs API and worker until ctx ends or an engine is lost for
// good. After the first signal the worker finishes the jobs in hand; another
// one ends them.
func (s *services) runStandalone(ctx context.Context, ln net.Listener, engines *standalone.Engines, withoutWorker bool, n *notifier) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ignoreFileLimit() // the store writes files, too
	workerDone := make(chan error, 1)
	if withoutWorker {
		workerDone <- nil
	} else {
		w, stop, err := s.newWorker(worker.Config{Name: "standalone", Queues: s.config.QueueNames(), Concurrency: runtime.NumCPU()})
		if err != nil {
			return err
		}
		defer stop()
		go func() {
			err := w.Run(context.WithoutCancel(ctx))
			if err != nil {
				cancel(err) // without its worker the server would take documents in for nothing
			}
			workerDone <- err
		}()
		defer context.AfterFunc(ctx, func() { s.drain(w) })()
	}
	go func() {
		select {
		case err := <-engines.Failed():
			cancel(err)
		case <-ctx.Done():
		}
	}()
	daily := make(chan struct{})
	go func() { defer close(daily); s.daily(ctx) }()

	err := s.serve(ctx, ln, n)
	cancel(err)
	<-daily
	err = errors.Join(err, <-workerDone)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(err, cause) {
		err = errors.Join(err, cause)
	}
	return err
}

// drain stops the worker warm, and cold at the next signal.
func (s *services) drain(w *worker.Worker) {
	var requests stopRequests
	requests.count(time.Now())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, stopSignals()...)
	defer signal.Stop(signals)
	w.Stop()
	for {
		select {
		case <-signals:
			if _, again := requests.count(time.Now()); again {
				continue
			}
			s.log.Warn().Msg("second signal: ending the jobs in hand; they go back to the head of their queue")
			w.Kill()
			return
		case <-w.Done():
			return
		}
	}
}

// daily puts the daily cleanup on the queue at cleanup.daily_at.
func (s *services) daily(ctx context.Context) {
	at := s.config.Cleanup.DailyAt
	if at == "" {
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(nextClock(time.Now(), at))):
		}
		q, err := s.cleaner.Enqueue(ctx, cleanup.Task{Type: cleanup.Daily, OlderThan: s.config.Cleanup.OlderThan})
		if err != nil {
			s.log.Error().Err(err).Msg("daily cleanup not queued; run: docsvc cleanup daily")
			continue
		}
		s.log.Info().Str("job", q.JobID).Msg("daily cleanup queued")
	}
}

// nextClock returns the next local time of day hh:mm after now.
func nextClock(now time.Time, clock string) time.Time {
	t, err := time.Parse("15:04", clock)
	if err != nil {
		return now.AddDate(0, 0, 1)
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
	if !next.After(now) {
		next = next.AddDate(0, 0, 1)
	}
	return next
}
