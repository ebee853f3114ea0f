package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os/signal"
	"slices"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/health"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/standalone"
)

// services are the parts that commands share, wired from one configuration.
// Nothing in it touches the network until it is used.
type services struct {
	config    *config.Config
	log       zerolog.Logger
	redis     *redis.Client
	queue     *rq.Client
	store     *objstore.Store
	documents *document.Service
	cleaner   *cleanup.Cleaner
	health    *health.Checker
}

func (s *services) close() { _ = s.redis.Close() }

// withServices wraps the body of a command that talks to Redis or storage:
// it ends on Ctrl-C, and finds a standalone server started in this directory.
func (a *app) withServices(run func(context.Context, *services, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		ctx, stop := signal.NotifyContext(c.Context(), stopSignals()...)
		defer stop()
		cfg, err := a.loadConfig()
		if err != nil {
			return err
		}
		if cfg.Origins["log.level"] == "default" {
			cfg.Log.Level = "warn" // what such a command did it prints
		}
		s, err := a.openWith(cfg)
		if err != nil {
			return err
		}
		defer s.close()
		return run(ctx, s, args)
	}
}

// open loads the configuration and wires the services for a command.
func (a *app) open(c *cobra.Command, overrides ...config.Override) (*services, error) {
	cfg, err := a.loadConfig(overrides...)
	if err != nil {
		return nil, err
	}
	return a.openWith(cfg)
}

func (a *app) openWith(cfg *config.Config) (*services, error) {
	log, err := a.logger(cfg)
	if err != nil {
		return nil, err
	}
	return wire(cfg, log)
}

// loadConfig reads the settings; without a Redis of its own configured, a
// standalone server that was started in this directory is used.
func (a *app) loadConfig(overrides ...config.Override) (*config.Config, error) {
	overrides = append(overrides, a.logOverride()...)
	cfg, err := config.Load(a.configFile, a.lookupEnv, overrides...)
	if err != nil {
		return nil, err
	}
	ours := !cfg.RedisGiven()
	r, err := standalone.FindRendezvous(".")
	if err != nil && ours {
		fmt.Fprintf(a.stderr, "docsvc: the standalone server of this directory is not used: %v\n", err)
	}
	if err != nil || r == nil {
		return cfg, nil
	}
	if ours {
		return config.Load(a.configFile, a.lookupEnv, append(rendezvousOverrides(r), overrides...)...)
	}
	if cfg.Redis.SentinelAddrs != "" || !sameRedis(cfg.Redis.URL, r.RedisURL) {
		origin := cfg.Origins["redis.url"]
		if cfg.Redis.SentinelAddrs != "" {
			origin = cfg.Origins["redis.sentinel_addrs"]
		}
		fmt.Fprintf(a.stderr, "docsvc: using Redis %s (from %s), not the standalone server of this directory\n", cfg.PlainRedisURL(), origin)
	}
	return cfg, nil
}

func rendezvousOverrides(r *standalone.Rendezvous) []config.Override {
	origin := "standalone server of this directory"
	return []config.Override{
		{Key: "redis.url", Value: r.RedisURL, Origin: origin},
		{Key: "redis.password_file", Value: "", Origin: origin},
		{Key: "redis.sentinel_addrs", Value: "", Origin: origin},
		{Key: "redis.sentinel_master", Value: "", Origin: origin},
		{Key: "redis.sentinel_password_file", Value: "", Origin: origin},
		{Key: "redis.tls_ca_file", Value: "", Origin: origin},
		{Key: "redis.tls_cert_file", Value: "", Origin: origin},
		{Key: "redis.tls_key_file", Value: "", Origin: origin},
		{Key: "storage.endpoint", Value: r.S3Endpoint, Origin: origin},
		{Key: "storage.public_endpoint", Value: "", Origin: origin},
		{Key: "storage.region", Value: r.Region, Origin: origin},
		{Key: "storage.bucket", Value: r.Bucket, Origin: origin},
		{Key: "storage.prefix", Value: "", Origin: origin},
		{Key: "storage.path_style", Value: "true", Origin: origin},
		{Key: "storage.access_key", Value: r.AccessKey, Origin: origin},
		{Key: "storage.secret_key", Value: r.SecretKey, Origin: origin},
		{Key: "storage.secret_key_file", Value: "", Origin: origin},
	}
}

func sameRedis(a, b string) bool {
	ua, errA := url.Parse(a)
	ub, errB := url.Parse(b)
	return errA == nil && errB == nil && ua.Host == ub.Host && ua.Path == ub.Path
}

// wire makes the services of a configuration.
func wire(cfg *config.Config, log zerolog.Logger) (*services, error) {
	rdb, err := redisClient(cfg)
	if err != nil {
		return nil, err
	}
	hookRedis(rdb)
	store, err := objectStore(cfg)
	if err != nil {
		return nil, err
	}
	s := &services{config: cfg, log: log, redis: rdb, store: store}
	functions := []string{document.ProcessFunc, document.ObjectFunc, cleanup.Func}
	options := rq.Options{
		Effects: document.Effects(cfg.Redis.Namespace),
		// All of ours may run again.
		Idempotent: func(fn string) bool { return slices.Contains(functions, fn) },
		Log:        log,
		Namespace:  cfg.Redis.Namespace,
		Queues:     queueDefaults(cfg),
	}
	tuneQueue(&options)
	s.queue = rq.New(rdb, options)
	accepting := extract.Accepting(cfg.Extract.OCR)
	s.documents = document.New(document.Config{
		Accept:          accepting.Declared,
		FailedUploadTTL: cfg.Uploads.FailedTTL,
		KeepOriginal:    cfg.Storage.KeepOriginal,
		Log:             log,
		MaxFileSize:     int64(cfg.Uploads.MaxSize),
		Queue:           s.queue,
		QueueName:       config.DocumentQueue,
		Retention:       cfg.Documents.Retention,
		Store:           store,
		Types:           accepting.Types(),
		UploadTTL:       cfg.Uploads.URLTTL,
	})
	s.cleaner = cleanup.New(cleanup.Config{
		Documents: s.documents, Log: log, Queue: s.queue, QueueName: config.CleanupQueue, Store: store,
	})
	s.health = health.New(health.Config{Documents: s.documents, Functions: functions, Queue: s.queue, Queues: cfg.QueueNames(), Store: store})
	return s, nil
}

func objectStore(cfg *config.Config) (*objstore.Store, error) {
	secret, err := cfg.SecretKey()
	if err != nil {
		return nil, err
	}
	c := cfg.Storage
	creds := credentials.NewStaticV4(c.AccessKey, secret, "")
	if c.AccessKey == "" {
		creds = credentials.NewChainCredentials([]credentials.Provider{
			&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}, &credentials.IAM{},
		})
	}
	store, err := objstore.Open(objstore.Config{
		Bucket: c.Bucket, Credentials: creds, Endpoint: c.Endpoint, PathStyle: c.PathStyle == "true",
		Prefix: c.Prefix, PublicEndpoint: c.PublicEndpoint, Region: c.Region, Transport: storageTransport(),
	})
	if err != nil {
		return nil, &config.Error{Key: "storage.endpoint", Origin: cfg.Origins["storage.endpoint"], Problem: err.Error()}
	}
	return store, nil
}

func queueDefaults(cfg *config.Config) map[string]rq.QueueDefaults {
	m := map[string]rq.QueueDefaults{}
	for _, q := range cfg.Queues {
		d := rq.QueueDefaults{Timeout: q.Timeout, ResultTTL: q.ResultTTL, FailureTTL: q.FailureTTL}
		if *q.Retries > 0 {
			d.Retry = &rq.Retry{Max: *q.Retries, Intervals: q.RetryIntervals}
		}
		m[q.Name] = d
	}
	return m
}

// sayRedisSettings logs what the settings of Redis can cost. One that can't be
// asked now is said elsewhere, and docsvc queue health asks it again.
func (s *services) sayRedisSettings(ctx context.Context) {
	warnings, durability, err := s.health.RedisSettings(ctx)
	if err != nil {
		return
	}
	for _, warning := range warnings {
		s.log.Warn().Msg(warning)
	}
	if durability != "" {
		s.log.Info().Msg("Redis: " + durability)
	}
}

// redisError names the Redis that didn't answer and what to check.
func (s *services) redisError(err error) error {
	if !rq.IsUnavailable(err) || errors.Is(err, context.Canceled) {
		return err
	}
	hint := "start it, or say where it is with REDIS_URL or redis.url"
	if !s.config.RedisGiven() {
		hint += "; a serve --standalone is found only by commands run in the directory it was started in"
	}
	var refused *net.OpError
	if !errors.As(err, &refused) {
		hint = "it may be loading its data, out of memory or a replica; see its log"
	}
	return &hintError{
		error: fmt.Errorf("no answer from Redis at %s: %w", s.config.PlainRedisURL(), err),
		hint:  hint,
	}
}
