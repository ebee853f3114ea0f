package cmd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/config"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/standalone"
)

// serve --standalone uses its own Redis, whatever else is configured.
func TestStandaloneBeatsSentinel(t *testing.T) {
	t.Parallel()
	env := map[string]string{
		"REDIS_URL": "rediss://elsewhere:1/0", "DOCSVC_REDIS_SENTINEL_ADDRS": "s:1", "DOCSVC_REDIS_SENTINEL_MASTER": "docs",
		"DOCSVC_REDIS_SENTINEL_PASSWORD_FILE": "/none", "DOCSVC_REDIS_TLS_CA_FILE": "/none",
		"DOCSVC_REDIS_TLS_CERT_FILE": "/none", "DOCSVC_REDIS_TLS_KEY_FILE": "/none",
	}
	cfg, err := config.Load("", func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		engineOverrides(&standalone.Engines{RedisURL: "redis://:pw@127.0.0.1:4711/0", S3Endpoint: "http://127.0.0.1:4712", Region: "r", Bucket: "b", AccessKey: "a", SecretKey: "s"})...)
	if err != nil {
		t.Fatal(err)
	}
	rdb, err := redisClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rdb.Close() }()
	if o := rdb.Options(); o.Addr != "127.0.0.1:4711" || o.TLSConfig != nil {
		t.Errorf("%+v", o)
	}
}

// Whatever keeps a connection from being made is waited for, and never taken
// for a missing key.
func TestDialErrors(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{
		fmt.Errorf("all sentinels: %w", errors.Join(redis.Nil, errors.New("refused"))),
		x509.UnknownAuthorityError{}, errors.New("NOAUTH Authentication required."), &net.OpError{Op: "dial", Err: errors.New("refused")},
	} {
		_, err := dialErrors{"docs"}.DialHook(func(context.Context, string, string) (net.Conn, error) { return nil, cause })(t.Context(), "tcp", "s:1")
		if !rq.IsUnavailable(err) || errors.Is(err, redis.Nil) {
			t.Errorf("%v became %v", cause, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := dialErrors{}.DialHook(func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, ctx.Err() })(ctx, "tcp", "s:1")
	if !errors.Is(err, context.Canceled) || rq.IsUnavailable(err) {
		t.Errorf("a canceled dial became %v", err)
	}
}
