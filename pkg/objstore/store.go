package objstore

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// defaultRegion is what S3-compatible servers without regions call theirs.
const defaultRegion = "us-east-1"

// defaultAttempts is how often a call is tried; with minio-go's backoff
// (200 ms doubling to 1 s, jittered) a call gives up after about two seconds,
// so that a request of the API can still be answered.
const defaultAttempts = 4

// Config says where the bucket is.
type Config struct {
	// Attempts is how often a call is tried while the store answers 5xx or
	// not at all; 0 means 4.
	Attempts int
	// Bucket is the bucket's name.
	Bucket string
	// Credentials sign every request. They are asked anew for each one, so
	// that temporary credentials are renewed.
	Credentials *credentials.Credentials
	// Endpoint is the URL docsvc itself uses: http(s)://host[:port].
	Endpoint string
	// IdleTimeout ends the reading of an object from which nothing has come
	// for so long, and a request of which the store has taken nothing, or which
	// it has not answered, for so long. Default 1 min.
	IdleTimeout time.Duration
	// PathStyle puts the bucket into the path (http://host/bucket/key) rather
	// than the host. Without it AWS gets the bucket in the host and every
	// other store in the path.
	PathStyle bool
	// Prefix goes before every key; with or without a slash at its end.
	Prefix string
	// PublicEndpoint is the URL under which clients reach the store; empty
	// means Endpoint.
	PublicEndpoint string
	// Region of the bucket; empty means us-east-1.
	Region string
	// Transport makes the connections; nil means minio-go's default.
	Transport http.RoundTripper
}

// Store is one bucket, or the part of it below a prefix. Keys given and
// returned are relative to that prefix. It is safe for concurrent use.
type Store struct {
	bucket   string
	prefix   string
	region   string
	endpoint string
	public   string
	internal *minio.Core
	signer   *minio.Client
	once     *minio.Client // tries every call once: for Ping
	// transport makes the connections of Probe, which is its own client.
	transport http.RoundTripper
	idle      time.Duration
}

// Open makes a Store. It only checks the configuration and touches no
// network: see Ping and EnsureBucket.
func Open(c Config) (*Store, error) {
	if err := s3utils.CheckValidBucketNameStrict(c.Bucket); err != nil {
		return nil, fmt.Errorf("bucket %q: %w", c.Bucket, err)
	}
	if c.Credentials == nil {
		return nil, errors.New("no storage credentials configured")
	}
	prefix, err := cleanPrefix(c.Prefix)
	if err != nil {
		return nil, err
	}
	s := &Store{bucket: c.Bucket, prefix: prefix, region: cmp.Or(c.Region, defaultRegion), transport: c.Transport,
		idle: cmp.Or(c.IdleTimeout, time.Minute)}
	internal, err := s.client("endpoint", c.Endpoint, c, cmp.Or(c.Attempts, defaultAttempts))
	if err != nil {
		return nil, err
	}
	s.internal = &minio.Core{Client: internal}
	if s.once, err = s.client("endpoint", c.Endpoint, c, 1); err != nil {
		return nil, err
	}
	public := cmp.Or(c.PublicEndpoint, c.Endpoint)
	if s.signer, err = s.client("public endpoint", public, c, 1); err != nil {
		return nil, err
	}
	s.endpoint, s.public = strings.TrimSuffix(c.Endpoint, "/"), strings.TrimSuffix(public, "/")
	return s, nil
}

func (s *Store) client(what, endpoint string, c Config, attempts int) (*minio.Client, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// Not quoting the text: it may hold a password where none belongs.
		return nil, fmt.Errorf("storage %s must look like http(s)://host:port", what)
	}
	if u.User != nil {
		return nil, fmt.Errorf("storage %s must not hold credentials: configure them apart from it", what)
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
		return nil, fmt.Errorf("storage %s %q must not have a path: use the bucket and prefix settings", what, u.Redacted())
	}
	lookup := minio.BucketLookupAuto
	if c.PathStyle {
		lookup = minio.BucketLookupPath
	}
	transport := c.Transport
	if transport == nil {
		if transport, err = minio.DefaultTransport(u.Scheme == "https"); err != nil {
			return nil, fmt.Errorf("storage %s: %w", what, err)
		}
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds: c.Credentials, Secure: u.Scheme == "https", Transport: patient{transport, s.idle},
		Region: s.region, BucketLookup: lookup, MaxRetries: attempts,
	})
	if err != nil {
		return nil, fmt.Errorf("storage %s %q: %w", what, u.Redacted(), err)
	}
	return client, nil
}

// cleanPrefix returns p with exactly one slash at its end, or "".
func cleanPrefix(p string) (string, error) {
	p = strings.Trim(p, "/")
	if p == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(p, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("storage prefix %q has an empty, . or .. part", p)
		}
	}
	return p + "/", nil
}

// Bucket returns the bucket's name.
func (s *Store) Bucket() string { return s.bucket }

// Prefix returns what goes before every key, with a slash at its end; "" for
// the whole bucket.
func (s *Store) Prefix() string { return s.prefix }

// WholeBucket returns the same store without its prefix, over the same
// connections: for objects that are not docsvc's own.
func (s *Store) WholeBucket() *Store {
	whole := *s
	whole.prefix = ""
	return &whole
}

// Endpoint returns the URL that calls go to, without a slash at its end.
func (s *Store) Endpoint() string { return s.endpoint }

// PublicEndpoint returns the URL that presigned URLs begin with.
func (s *Store) PublicEndpoint() string { return s.public }

func (s *Store) full(key string) string { return s.prefix + key }
