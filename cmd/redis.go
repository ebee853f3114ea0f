package cmd

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/docsvc/docsvc/pkg/config"
)

// redisClient makes the client of the configured Redis: one server, or the
// primary that Sentinel names at the time.
func redisClient(cfg *config.Config) (*redis.Client, error) {
	raw, err := cfg.RedisURL()
	if err != nil {
		return nil, err
	}
	o, err := redis.ParseURL(raw)
	if err != nil {
		// ParseURL's text may hold the URL and so the password.
		return nil, &config.Error{Key: "redis.url", Origin: cfg.Origins["redis.url"], Problem: "not a Redis URL: write it as redis://host:6379/0"}
	}
	if o.TLSConfig != nil {
		if err := cfg.RedisTLS(o.TLSConfig); err != nil {
			return nil, err
		}
	}
	if cfg.Redis.SentinelAddrs != "" {
		return failoverClient(cfg, o)
	}
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1 // MaxRetries tries again already
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	rdb := redis.NewClient(o)
	rdb.AddHook(dialErrors{})
	return rdb, nil
}

// failoverClient follows Sentinel. Of the options made from redis.url those
// hold that don't say where Redis is.
func failoverClient(cfg *config.Config, o *redis.Options) (*redis.Client, error) {
	password, err := cfg.SentinelPassword()
	if err != nil {
		return nil, err
	}
	if o.TLSConfig != nil {
		o.TLSConfig = o.TLSConfig.Clone()
		o.TLSConfig.ServerName = "" // each server by the name or address it is dialled at
	}
	rdb := redis.NewFailoverClient(&redis.FailoverOptions{
		MasterName: cfg.Redis.SentinelMaster, SentinelAddrs: cfg.SentinelAddrs(), SentinelPassword: password,
		Username: o.Username, Password: o.Password, DB: o.DB, TLSConfig: o.TLSConfig, Protocol: o.Protocol,
		MaxRetries: o.MaxRetries, MinRetryBackoff: o.MinRetryBackoff, MaxRetryBackoff: o.MaxRetryBackoff,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout,
		PoolFIFO: o.PoolFIFO, PoolSize: o.PoolSize, PoolTimeout: o.PoolTimeout, MinIdleConns: o.MinIdleConns, MaxIdleConns: o.MaxIdleConns,
		MaxActiveConns: o.MaxActiveConns, ConnMaxIdleTime: o.ConnMaxIdleTime, ConnMaxLifetime: o.ConnMaxLifetime,
		ContextTimeoutEnabled: true, DialerRetries: 1, DisableIdentity: true,
	})
	rdb.AddHook(dialErrors{master: cfg.Redis.SentinelMaster})
	return rdb, nil
}

// dialErrors makes a network error of whatever keeps a connection from being
// made, so that it is waited for like any Redis that is away. Sentinels that
// don't know the primary answer redis.Nil, which on a command would mean that
// its key is missing.
type dialErrors struct{ master string }

func (d dialErrors) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := next(ctx, network, addr)
		var known net.Error
		switch {
		case err == nil || ctx.Err() != nil:
			return conn, err
		case errors.Is(err, redis.Nil):
			err = fmt.Errorf("no Sentinel that answers knows a primary called %q", d.master)
		case errors.As(err, &known):
			return nil, err
		}
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
}

func (dialErrors) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (dialErrors) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
