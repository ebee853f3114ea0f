package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/httpapi"
)

type serveFlags struct {
	addr          string
	dataDir       string
	insecure      bool
	standalone    bool
	withoutWorker bool
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use: "serve", Short: "Serve the HTTP API",
		Long: `Serves the HTTP API; its documentation is at /docs.

With --standalone nothing else is needed: an embedded Redis and S3 store keep
their data below --data-dir, a worker with one slot per core runs the jobs, and
cleanup runs daily. Other docsvc commands started in this directory find it.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.runServe(c, f) },
	}
	c.Flags().StringVar(&f.addr, "addr", "", "host:port to listen on (default server.addr)")
	c.Flags().BoolVar(&f.insecure, "insecure", false, "listen beyond this machine without an API key")
	c.Flags().BoolVar(&f.standalone, "standalone", false, "run Redis, S3 storage and a worker too")
	c.Flags().StringVar(&f.dataDir, "data-dir", "docsvc-data", "where --standalone keeps its data")
	c.Flags().BoolVar(&f.withoutWorker, "without-worker", false, "with --standalone: no worker, start docsvc worker yourself")
	return c
}

func (a *app) runServe(c *cobra.Command, f serveFlags) error {
	for _, name := range []string{"data-dir", "without-worker"} {
		if c.Flags().Changed(name) && !f.standalone {
			return &usageError{message: "--" + name + " goes with --standalone", hint: "usage: " + c.UseLine()}
		}
	}
	a.sayMisspelt()
	var overrides []config.Override
	if f.addr != "" {
		overrides = append(overrides, config.Override{Key: "server.addr", Value: f.addr, Origin: "flag --addr"})
	}
	if f.insecure {
		overrides = append(overrides, config.Override{Key: "server.insecure", Value: "true", Origin: "flag --insecure"})
	}
	ctx, stop := signal.NotifyContext(c.Context(), stopSignals()...)
	defer stop()
	if f.standalone {
		return a.serveStandalone(ctx, f, overrides)
	}
	s, err := a.open(c, overrides...)
	if err != nil {
		return err
	}
	defer s.close()
	ln, err := s.listen()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "docsvc: API on http://%s, documentation on http://%s/docs\n", ln.Addr(), ln.Addr())
	fmt.Fprintf(a.stderr, "docsvc: Redis %s, storage %s bucket %s\n", s.config.PlainRedisURL(), s.config.Storage.Endpoint, s.config.Storage.Bucket)
	if !s.storageGiven() {
		fmt.Fprintln(a.stderr, "docsvc: "+noStorage)
	}
	n := a.newNotifier()
	defer n.close()
	return s.serve(ctx, ln, n)
}

// listen opens the API's port, before anything else is started.
func (s *services) listen() (net.Listener, error) {
	if err := s.checkExposure(); err != nil {
		return nil, err
	}
	return listen(s.config)
}

func listen(cfg *config.Config) (net.Listener, error) {
	ln, err := net.Listen("tcp", cfg.Server.Addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, &hintError{error: fmt.Errorf("%s is taken by another program", cfg.Server.Addr),
			hint: "choose another one, e.g. --addr 127.0.0.1:8001, or 127.0.0.1:0 for any free port"}
	case err != nil:
		return nil, &hintError{error: fmt.Errorf("listening on %s: %w", cfg.Server.Addr, err), hint: "see server.addr"}
	}
	return ln, nil
}

// serve answers requests until ctx ends. What it needs from Redis and storage
// at its start is tried again until it is there; meanwhile it answers 503.
func (s *services) serve(ctx context.Context, ln net.Listener, n *notifier) error {
	handler, err := s.handler()
	if err != nil {
		_ = ln.Close()
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var turned atomic.Int64 // when prepare or sweep last came round, unix ms
	turned.Store(time.Now().UnixMilli())
	var background sync.WaitGroup
	background.Go(func() {
		s.prepare(ctx, &turned)
		s.sayRedisSettings(ctx)
		s.sweep(ctx, &turned)
	})
	background.Go(func() { s.watch(ctx, ln.Addr(), n, &turned) })
	defer context.AfterFunc(ctx, func() { n.say("STOPPING=1") })()
	err = httpapi.Serve(ctx, ln, handler, httpapi.ServeOptions{Grace: s.config.Server.ShutdownGrace, Log: s.log})
	cancel()
	background.Wait()
	return err
}

// watch feeds systemd's watchdog while the API answers and the sweep comes
// round.
func (s *services) watch(ctx context.Context, addr net.Addr, n *notifier, turned *atomic.Int64) {
	n.watch(ctx, s.log, func() string { return "API on http://" + addr.String() }, func() string {
		if ctx.Err() == nil && time.Since(time.UnixMilli(turned.Load())) > stuckAfter+sweepTime {
			return "the sweep over documents"
		}
		if where := answers(addr); ctx.Err() == nil {
			return where
		}
		return ""
	})
}

// prepare makes sure of bucket and installation id, however long it takes.
func (s *services) prepare(ctx context.Context, turned *atomic.Int64) {
	said := ""
	for {
		turned.Store(time.Now().UnixMilli())
		err := s.prepareOnce(ctx)
		if err == nil || ctx.Err() != nil {
			if said != "" && err == nil {
				s.log.Info().Msg("storage and Redis are there now")
			}
			return
		}
		if text := err.Error(); text != said {
			cause := err // what clients are told names no address
			var e *document.Error
			if errors.As(err, &e) && e.Kind == document.Unavailable && e.Err != nil {
				cause = e.Err
			}
			s.log.Warn().Err(cause).Msg("not ready; answering 503 where it is needed and trying again")
			said = text
		}
		select {
		case <-ctx.Done():
		case <-time.After(2 * time.Second):
		}
	}
}

func (s *services) prepareOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if s.config.Storage.CreateBucket {
		if err := s.store.EnsureBucket(ctx); err != nil {
			return err
		}
	}
	return s.documents.EnsureInstallation(ctx)
}

// sweepTime bounds one sweep; the next one goes on where it ended.
const sweepTime = time.Minute

// sweep mends documents whose job ended without them, until ctx ends.
func (s *services) sweep(ctx context.Context, turned *atomic.Int64) {
	loop := s.sweepLoop()
	tick := time.NewTicker(loop.Every)
	defer tick.Stop()
	said := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		turned.Store(time.Now().UnixMilli())
		limited, cancel := context.WithTimeout(ctx, sweepTime)
		err := loop.Run(limited)
		cancel()
		if err != nil && ctx.Err() == nil && !said {
			s.log.Warn().Err(err).Msg(loop.Name)
		}
		said = err != nil
	}
}

func (s *services) handler() (http.Handler, error) {
	keys, err := s.config.APIKeys()
	if err != nil {
		return nil, err
	}
	return httpapi.New(httpapi.Config{
		APIKeys: keys, AllowedHosts: s.config.AllowedHosts(), Cleanup: s.cleaner, Documents: s.documents,
		Health: s.health, Log: s.log, Queue: s.queue, Queues: s.config.QueueNames(),
		Version: strings.TrimPrefix(buildVersion(), "v"),
	})
}
