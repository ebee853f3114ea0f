package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/porttest"
	"github.com/docsvc/docsvc/pkg/redistest"
)

const (
	bucket    = "chaos"
	accessKey = "chaos-access-key"
	secretKey = "chaos-secret-key"
	// chaosQueue has the jobs that do nothing.
	chaosQueue    = "chaos"
	documentQueue = "document_processing"
)

// proxies are the ways of one process, or of the clients, to Redis and S3.
type proxies struct{ redis, s3 *toxiproxy.Proxy }

// site is one installation: a directory, a docsvc with failpoints, addresses.
type site struct {
	dir    string
	binary string // docsvc, built with the tag failpoint
	self   string // this program
	server string // redis-server

	redisAddr, s3Addr string
	apis              []string // host:port of each API server
	workers           []proxies
	serves            []proxies
	client            proxies // of the clients and producers

	rdb   *redis.Client // straight to Redis, for looking
	store *minio.Client // straight to S3, for looking
}

func newSite(o options) (*site, error) {
	dir, err := os.MkdirTemp("", "docsvc-chaos-")
	if err != nil {
		return nil, fmt.Errorf("making a directory: %w", err)
	}
	s := &site{dir: dir, server: redistest.Binary()}
	if s.self, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	if err := s.build(o); err != nil {
		return nil, err
	}
	if s.redisAddr, err = porttest.Free(); err != nil {
		return nil, err
	}
	if s.s3Addr, err = porttest.Free(); err != nil {
		return nil, err
	}
	for range o.serves {
		addr, err := porttest.Free()
		if err != nil {
			return nil, err
		}
		s.apis = append(s.apis, addr)
	}
	if err := s.connect(o); err != nil {
		return nil, err
	}
	return s, os.WriteFile(filepath.Join(dir, "docsvc.yaml"), []byte(settings), 0o600)
}

// settings make retries quick, so that a run can wait for all of them.
const settings = `queues:
  - name: document_processing
    retries: 3
    retry_intervals: [1s, 2s, 3s]
  - name: cleanup_tasks
  - name: chaos
    retries: 0
`

// build makes docsvc with failpoints, unless it is given.
func (s *site) build(o options) error {
	if o.docsvc != "" {
		var err error
		if s.binary, err = filepath.Abs(o.docsvc); err != nil { // it is started in a directory of its own
			return fmt.Errorf("finding %s: %w", o.docsvc, err)
		}
		return nil
	}
	s.binary = filepath.Join(s.dir, "docsvc")
	out, err := exec.Command("go", "build", "-tags", "failpoint", "-o", s.binary, "github.com/docsvc/docsvc").CombinedOutput()
	if err != nil {
		return fmt.Errorf("building docsvc with failpoints: %w\n%s", err, out)
	}
	return nil
}

// connect opens the proxies and the run's own ways past them.
func (s *site) connect(o options) error {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	open := func(name string) (proxies, error) {
		var p proxies
		redisWay, err := porttest.Free()
		if err != nil {
			return p, err
		}
		s3Way, err := porttest.Free()
		if err != nil {
			return p, err
		}
		p.redis = toxiproxy.NewProxy(server, name+"-redis", redisWay, s.redisAddr)
		p.s3 = toxiproxy.NewProxy(server, name+"-s3", s3Way, s.s3Addr)
		for _, proxy := range []*toxiproxy.Proxy{p.redis, p.s3} {
			if err := proxy.Start(); err != nil {
				return p, fmt.Errorf("opening a proxy: %w", err)
			}
		}
		return p, nil
	}
	for i := range o.workers {
		p, err := open(fmt.Sprintf("worker%d", i))
		if err != nil {
			return err
		}
		s.workers = append(s.workers, p)
	}
	for i := range o.serves {
		p, err := open(fmt.Sprintf("serve%d", i))
		if err != nil {
			return err
		}
		s.serves = append(s.serves, p)
	}
	var err error
	if s.client, err = open("client"); err != nil {
		return err
	}
	s.rdb = redis.NewClient(&redis.Options{Addr: s.redisAddr, DisableIdentity: true})
	s.store, err = minio.New(s.s3Addr, &minio.Options{
		Creds: credentials.NewStaticV4(accessKey, secretKey, ""), Region: "us-east-1", BucketLookup: minio.BucketLookupPath})
	return err
}

// env is the environment of a docsvc that reaches Redis and S3 by these ways.
func (s *site) env(redisAddr, s3Addr string, more ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "REDIS_URL=") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "DOCSVC_") {
			env = append(env, e)
		}
	}
	return append(append(env,
		"REDIS_URL=redis://"+redisAddr+"/0", "DOCSVC_STORAGE_ENDPOINT=http://"+s3Addr,
		"DOCSVC_STORAGE_PUBLIC_ENDPOINT=http://"+s.client.s3.Listen,
		"DOCSVC_STORAGE_BUCKET="+bucket, "DOCSVC_STORAGE_PATH_STYLE=true", "DOCSVC_STORAGE_REGION=us-east-1",
		"DOCSVC_STORAGE_ACCESS_KEY="+accessKey, "DOCSVC_STORAGE_SECRET_KEY="+secretKey,
		"DOCSVC_WORKER_WORK_DIR="+filepath.Join(s.dir, "work"), "DOCSVC_EXTRACT_CACHE_DIR="+cacheDir(),
		"DOCSVC_LOG_FORMAT=json", "DOCSVC_LOG_LEVEL=info"), more...)
}

// cacheDir keeps the PDF engine's compiled code from one run to the next.
func cacheDir() string {
	if dir, err := os.UserCacheDir(); err == nil {
		return filepath.Join(dir, "docsvc-chaos")
	}
	return filepath.Join(os.TempDir(), "docsvc-chaos-cache")
}

// docsvc runs one command to its end, past the proxies.
func (s *site) docsvc(ctx context.Context, args ...string) (stdout string, err error) {
	c := exec.CommandContext(ctx, s.binary, args...)
	c.Dir, c.Env = s.dir, s.env(s.redisAddr, s.s3Addr)
	var errOut bytes.Buffer
	c.Stderr = &errOut
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("docsvc %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errOut.String()))
	}
	return string(out), err
}

// ready waits until Redis, S3 and every API server answer.
func (s *site) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
			return cause
		}
		if ctx.Err() != nil {
			return fmt.Errorf("the installation did not come up: %w; its logs are below %s", err, s.dir)
		}
		sleep(ctx, 50*time.Millisecond)
	}
}

func (s *site) answers(ctx context.Context) error {
	if err := s.rdb.Ping(ctx).Err(); err != nil {
		return err
	}
	for _, api := range s.apis {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+api+"/readyz", nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("readyz of %s: status %d", api, resp.StatusCode)
		}
	}
	return nil
}
