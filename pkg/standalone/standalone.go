package standalone

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/standalone/s3server"
)

// The Redis engines.
const (
	EngineRedis     = "redis-server"
	EngineValkey    = "valkey-server"
	EngineMiniredis = "miniredis"
)

const (
	bucket = "docsvc"
	region = "us-east-1"
	host   = "127.0.0.1"

	// stopAfterFailure bounds the end of what had started before a failure.
	stopAfterFailure = 15 * time.Second
)

// Options configure the engines.
type Options struct {
	Clock func() time.Time // default time.Now
	Dir   string           // data directory; created when missing
	// Engine asks for a Redis engine; empty: the one that the data directory
	// belongs to, for a new one the best there is.
	Engine string
	Log    zerolog.Logger

	find    func(name string) (string, error) // findServer, but in tests
	restart restartPolicy
}

// Engines are a running Redis and S3 store.
type Engines struct {
	RedisURL    string // with the password: not for logs
	RedisEngine string // one of the Engine constants
	RedisNote   string // a sentence for people: which engine, and what a crash can lose

	S3Endpoint string // http://127.0.0.1:port
	AccessKey  string
	SecretKey  string
	Bucket     string
	Region     string

	Dir string // the data directory, absolute

	data   *dataDir
	redis  redisEngine
	s3     *s3server.Server
	failed chan error
	ending chan struct{}
	watch  sync.WaitGroup
	once   sync.Once
	err    error // of Stop
}

// redisEngine is a running Redis.
type redisEngine interface {
	// note is a sentence on the engine and on what a crash can lose.
	note() string
	// lost gives at most one error, when the engine is lost for good.
	lost() <-chan error
	// stop writes down what the engine holds and ends it.
	stop(ctx context.Context) error
}

// Start runs the engines on a data directory until Stop. ctx bounds only the
// start. Its errors are sentences that say what to do.
func Start(ctx context.Context, o Options) (*Engines, error) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.find == nil {
		o.find = findServer
	}
	if o.restart.tries == 0 {
		o.restart = restartPolicy{first: 100 * time.Millisecond, most: 5 * time.Second, tries: 8}
	}
	d, err := openDataDir(o.Dir)
	if err != nil {
		return nil, err
	}
	e := &Engines{Bucket: bucket, Region: region, Dir: d.path, data: d, failed: make(chan error, 1), ending: make(chan struct{})}
	if err := e.start(ctx, o); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopAfterFailure)
		defer cancel()
		return nil, errors.Join(err, e.Stop(ctx))
	}
	return e, nil
}

func (e *Engines) start(ctx context.Context, o Options) error {
	redisPort, err := e.startRedis(ctx, o)
	if err != nil {
		return err
	}
	s3Port, err := e.startS3(ctx, o)
	if err != nil {
		return err
	}
	if err := e.data.savePorts(ports{Redis: redisPort, S3: s3Port}); err != nil {
		return err
	}
	if err := e.data.saveEngine(e.RedisEngine); err != nil {
		return err
	}
	e.watch.Go(e.watchEngines)
	return nil
}

func (e *Engines) startRedis(ctx context.Context, o Options) (port int, err error) {
	choice, err := chooseEngine(e.data, o.Engine, o.find, o.Log)
	if err != nil {
		return 0, err
	}
	password, err := e.data.redisPassword()
	if err != nil {
		return 0, err
	}
	port, err = withPort("Redis", e.data, e.data.ports.Redis, func(port int) error {
		var err error
		if choice.name == EngineMiniredis {
			e.redis, err = startMiniredis(ctx, e.data, port, password, o)
		} else {
			e.redis, err = startRedisChild(ctx, choice, e.data, port, password, o)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	e.RedisEngine, e.RedisNote = choice.name, strings.TrimSpace(e.redis.note()+" "+choice.hint)
	e.RedisURL = (&url.URL{Scheme: "redis", User: url.UserPassword("", password), Host: net.JoinHostPort(host, strconv.Itoa(port)), Path: "/0"}).String()
	return port, nil
}

func (e *Engines) startS3(ctx context.Context, o Options) (port int, err error) {
	e.AccessKey, e.SecretKey, err = e.data.s3Keys()
	if err != nil {
		return 0, err
	}
	port, err = withPort("S3", e.data, e.data.ports.S3, func(port int) error {
		var err error
		e.s3, err = s3server.Start(ctx, s3server.Options{
			AccessKey: e.AccessKey,
			Addr:      net.JoinHostPort(host, strconv.Itoa(port)),
			Buckets:   []string{bucket},
			Clock:     o.Clock,
			Dir:       filepath.Join(e.data.path, "s3"),
			Log:       o.Log.With().Str("part", "s3").Logger(),
			SecretKey: e.SecretKey,
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	e.S3Endpoint = e.s3.Endpoint
	return port, nil
}

// withPort starts something on the port that the data directory has for it or,
// at the first start, on a free one.
//
// A port that was given out is not changed silently: presigned URLs, and the
// settings of tools that look into Redis, name it.
func withPort(what string, d *dataDir, stored int, start func(port int) error) (int, error) {
	if stored != 0 {
		err := start(stored)
		if errors.Is(err, syscall.EADDRINUSE) {
			return 0, fmt.Errorf("port %d, on which %s of the data directory %s listens, is taken by another program: "+
				"stop that one (lsof -i :%d names it), or remove %s to have new ports chosen; upload URLs given out before then no longer work",
				stored, what, d.path, stored, d.portsFile())
		}
		return stored, err
	}
	var err error
	for range 20 {
		port := randomPort()
		if err = start(port); !errors.Is(err, syscall.EADDRINUSE) {
			return port, err
		}
	}
	return 0, fmt.Errorf("finding a free port for %s: %w", what, err)
}

// watchEngines reports the first engine that is lost for good.
func (e *Engines) watchEngines() {
	select {
	case err := <-e.redis.lost():
		e.failed <- err
	case <-e.s3.Done():
		if err := e.s3.Err(); err != nil {
			e.failed <- err
		}
	case <-e.ending:
	}
}

// Failed gives an error when an engine is lost for good and docsvc cannot go
// on. A Redis child that dies is first restarted.
func (e *Engines) Failed() <-chan error { return e.failed }

// RedisCLI is the shell line that looks into Redis. The password is read from
// its file and not part of it.
func (e *Engines) RedisCLI() string {
	u, err := url.Parse(e.RedisURL)
	if err != nil {
		return ""
	}
	return fmt.Sprintf(`REDISCLI_AUTH="$(cat %s)" redis-cli -p %s`, shellQuote(e.data.passwordFile()), u.Port())
}

func shellQuote(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:@%", r))
	}) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// Stop ends S3, then Redis after it has written down what it holds, and
// releases the data directory. When ctx ends first, what is left is broken
// off. It may be called more than once.
func (e *Engines) Stop(ctx context.Context) error {
	e.once.Do(func() {
		close(e.ending)
		e.watch.Wait()
		if e.s3 != nil {
			e.err = errors.Join(e.err, e.s3.Stop(ctx))
		}
		if e.redis != nil {
			e.err = errors.Join(e.err, e.redis.stop(ctx))
		}
		e.err = errors.Join(e.err, e.data.close())
	})
	return e.err
}
