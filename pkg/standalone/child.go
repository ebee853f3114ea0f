package standalone

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// restartPolicy says how a child that died is started again: after first, then
// after twice as long each time up to most; after tries starts in a row that
// did not come to answer, Redis is lost.
type restartPolicy struct {
	first, most time.Duration
	tries       int
}

const (
	// orphanWait is how long a server left by a killed docsvc may take to
	// write down what it holds and end.
	orphanWait = 20 * time.Second

	pollEvery   = 20 * time.Millisecond // while waiting for a server to answer or to end
	reportEvery = 3 * time.Second       // and how often that is said
)

// redisChild is a redis-server or valkey-server run as a child.
type redisChild struct {
	path     string // executable
	name     string
	dir      string
	port     int
	password string
	lock     *os.File // shared with the child: held until both are gone
	log      zerolog.Logger
	restart  restartPolicy
	failed   chan error
	cancel   context.CancelFunc
	done     chan struct{} // the supervisor has ended

	mu      sync.Mutex
	current *childProcess
}

// startRedisChild starts a server below the data directory and waits until it
// answers. The error is syscall.EADDRINUSE when the port is taken.
func startRedisChild(ctx context.Context, server choice, d *dataDir, port int, password string, o Options) (redisEngine, error) {
	c := &redisChild{
		path: server.path, name: server.name, dir: d.redisDir(), port: port, password: password,
		log:     o.Log.With().Str("part", "redis").Logger(),
		restart: o.restart, failed: make(chan error, 1), done: make(chan struct{}),
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return nil, unusable(d.path, err)
	}
	if err := c.takeLock(ctx); err != nil {
		return nil, err
	}
	p, err := c.launch(ctx)
	if err != nil {
		return nil, errors.Join(err, c.lock.Close())
	}
	c.current = p
	background, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go c.supervise(background, p)
	return c, nil
}

// takeLock makes sure that no server of an earlier run still writes below the
// directory. The lock is inherited by the child, so that it outlives a docsvc
// that was killed until the server has ended too.
func (c *redisChild) takeLock(ctx context.Context) error {
	path := filepath.Join(c.dir, lockName)
	giveUp := time.Now().Add(orphanWait)
	var report time.Time
	for {
		f, err := lockFile(path)
		if err == nil {
			c.lock = f
			return nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return fmt.Errorf("locking %s: %w", path, err)
		}
		if time.Now().After(giveUp) {
			return fmt.Errorf("a %s of an earlier run still works in %s and does not end: end it (fuser %s names it) and start again", c.name, c.dir, path)
		}
		if time.Now().After(report) {
			report = time.Now().Add(reportEvery)
			c.log.Info().Msg("waiting for the Redis of an earlier run to end")
			c.askToEnd(ctx)
		}
		if err := sleep(ctx, pollEvery); err != nil {
			return fmt.Errorf("waiting for the Redis of an earlier run to end: %w", err)
		}
	}
}

// askToEnd sends SHUTDOWN to a server of an earlier run, which has the same
// port and password. On Linux the kernel has told it already.
func (c *redisChild) askToEnd(ctx context.Context) {
	if c.listens(ctx) != nil {
		return
	}
	rdb := c.client()
	defer func() { _ = rdb.Close() }()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = rdb.Shutdown(ctx).Err()
}

func (c *redisChild) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: c.addr(), Password: c.password, DialerRetries: 1,
		DisableIdentity: true, MaxRetries: -1, PoolSize: 1, Protocol: 2,
	})
}

// config is the server's configuration. The password stands in it and not on
// the command line, where every user of the machine could read it.
func (c *redisChild) config() []byte {
	var b bytes.Buffer
	for _, kv := range [][2]string{
		{"bind", host}, {"port", strconv.Itoa(c.port)}, {"protected-mode", "yes"}, {"requirepass", c.password},
		{"dir", c.dir}, {"daemonize", "no"}, {"supervised", "no"}, {"logfile", ""}, {"loglevel", "notice"},
		{"appendonly", "yes"}, {"appendfsync", "everysec"}, {"maxmemory-policy", "noeviction"},
		// The longest value that most records have is 78 bytes (upload_key): with
		// Redis' own 64 they take twice the memory. All versions know this name.
		{"hash-max-ziplist-value", "128"},
	} {
		fmt.Fprintf(&b, "%s %s\n", kv[0], quoteConfig(kv[1]))
	}
	b.WriteString("save \"\"\n")
	return b.Bytes()
}

// quoteConfig writes a value as redis.conf reads it (sdssplitargs).
func quoteConfig(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '"' || ch == '\\':
			b.WriteByte('\\')
			b.WriteByte(ch)
		case ch < ' ' || ch > '~':
			fmt.Fprintf(&b, `\x%02x`, ch)
		default:
			b.WriteByte(ch)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// launch starts the server and waits until it answers.
func (c *redisChild) launch(ctx context.Context) (*childProcess, error) {
	if err := portFree(c.port); err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	conf := filepath.Join(c.dir, "redis.conf")
	if err := writeFile(conf, c.config()); err != nil {
		return nil, err
	}
	p, err := startProcess(c.path, conf, c.dir, c.lock, c.log)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.name, err)
	}
	if err := c.ready(ctx, p); err != nil {
		p.kill()
		<-p.exited
		return nil, err
	}
	c.log.Debug().Int("pid", p.pid).Msg("Redis answers")
	return p, nil
}

func portFree(port int) error {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return err
	}
	return l.Close()
}

// ready waits until the server has loaded its data and answers.
func (c *redisChild) ready(ctx context.Context, p *childProcess) error {
	rdb := c.client()
	defer func() { _ = rdb.Close() }()
	report := time.Now().Add(reportEvery)
	for {
		// The client is noisy and slow where nothing listens. The password
		// makes sure that it is ours; it says LOADING for as long as it reads
		// the append-only file.
		err := c.listens(ctx)
		if err == nil {
			err = rdb.Ping(ctx).Err()
		}
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			text := p.lines.String()
			if strings.Contains(text, "Address already in use") {
				return fmt.Errorf("starting %s: %w", c.name, syscall.EADDRINUSE)
			}
			return fmt.Errorf("%s ended at its start (%v); its last words: %s", c.name, p.err, text)
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s to answer: %w", c.name, ctx.Err())
		case <-time.After(pollEvery):
		}
		if time.Now().After(report) {
			report = time.Now().Add(reportEvery)
			c.log.Info().Err(err).Msg("waiting for Redis to answer")
		}
	}
}

func (c *redisChild) listens(ctx context.Context) error {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", c.addr())
	if err != nil {
		return err
	}
	return conn.Close()
}

func (c *redisChild) addr() string { return net.JoinHostPort(host, strconv.Itoa(c.port)) }

// supervise starts the server again when it ends unasked.
func (c *redisChild) supervise(ctx context.Context, p *childProcess) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.exited:
		}
		if ctx.Err() != nil {
			return
		}
		c.log.Error().AnErr("exit", p.err).Str("last_words", p.lines.String()).Msg("Redis died; starting it again")
		next, err := c.revive(ctx)
		if ctx.Err() != nil {
			if next != nil {
				c.set(next)
			}
			return
		}
		if err != nil {
			c.failed <- fmt.Errorf("the Redis of the data directory died and does not come back: %w", err)
			return
		}
		c.log.Warn().Msg("Redis is back")
		p = next
		c.set(p)
	}
}

func (c *redisChild) revive(ctx context.Context) (p *childProcess, err error) {
	wait := c.restart.first
	for range c.restart.tries {
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		if p, err = c.launch(ctx); err == nil || ctx.Err() != nil {
			return p, err
		}
		wait = min(2*wait, c.restart.most)
		c.log.Error().Err(err).Dur("next_try_ms", wait).Msg("Redis did not start")
	}
	return nil, err
}

func (c *redisChild) set(p *childProcess) {
	c.mu.Lock()
	c.current = p
	c.mu.Unlock()
}

func (c *redisChild) note() string {
	return fmt.Sprintf("Redis is a %s of its own with an append-only file. Nothing is lost when docsvc is killed; when the machine loses power, up to the last second.", c.name)
}

func (c *redisChild) lost() <-chan error { return c.failed }

// stop lets the server write its append-only file to disk and end; when ctx
// ends first, it is killed, which loses nothing that it had written.
func (c *redisChild) stop(ctx context.Context) error {
	c.cancel()
	<-c.done
	c.mu.Lock()
	p := c.current
	c.mu.Unlock()
	p.terminate()
	var err error
	select {
	case <-p.exited:
	case <-ctx.Done():
		p.kill()
		<-p.exited
		err = fmt.Errorf("%s did not end in time and was killed: %w", c.name, ctx.Err())
	}
	return errors.Join(err, c.lock.Close())
}
