package document

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// MaxFileSize is the largest upload that one PUT request may be (S3's limit), in bytes.
const MaxFileSize = 5 << 30

// Config is what a Service needs. Queue and Store are required; what is zero
// has the default that its comment names.
type Config struct {
	// Accept says whether a declared type may be uploaded. Default: all.
	Accept func(contentType, filename string) bool
	// Clock is the time of this process. Default time.Now.
	Clock func() time.Time
	// FailedUploadTTL is how long the upload of a failed or canceled document
	// is kept for a retry. Default 7 days.
	FailedUploadTTL time.Duration
	// InlineLimit is up to which size text and originals are read through
	// docsvc; larger ones are answered with a presigned URL. Default 8 MiB.
	InlineLimit int64
	// KeepOriginal keeps the upload beside the artifacts after success.
	KeepOriginal bool
	Log          zerolog.Logger
	// MaxFileSize is the largest upload taken, in bytes. Default 5 GiB.
	MaxFileSize int64
	// Namespace begins all keys, as in Effects. Default: the Queue's.
	Namespace string
	// PasswordTTL is how long a document's password waits for its worker.
	// Default 24 h.
	PasswordTTL time.Duration
	Queue       *rq.Client
	// QueueName is where processing jobs go. Default "document_processing".
	QueueName string
	// Retention is after how long the record of a final document is moved out
	// of Redis into the bucket. Default: never.
	Retention time.Duration
	Store     *objstore.Store
	// Types are the supported types, for messages.
	Types []string
	// UploadTTL is how long an upload URL works, at most 7 days. Default 1 h.
	UploadTTL time.Duration
}

// Service takes documents in and answers for them. It is safe for concurrent use.
type Service struct {
	c     Config
	k     keys
	queue *rq.Client
	store *objstore.Store
	// bucket is the store without its prefix: objects that aren't docsvc's.
	bucket *objstore.Store
	rdb    redis.UniversalClient
	watch  *watcher
	// auditRound is how many entries one sweep compares.
	auditRound int
	// installed is the id of the installation, once bucket and Redis were seen
	// to belong together.
	installed atomic.Pointer[string]
}

// New makes a Service. It touches no network.
func New(c Config) *Service {
	c.FailedUploadTTL = cmp.Or(c.FailedUploadTTL, 7*24*time.Hour)
	c.InlineLimit = cmp.Or(c.InlineLimit, 8<<20)
	c.MaxFileSize = min(cmp.Or(c.MaxFileSize, MaxFileSize), MaxFileSize)
	c.Namespace = cmp.Or(c.Namespace, c.Queue.Namespace())
	c.PasswordTTL = cmp.Or(c.PasswordTTL, 24*time.Hour)
	c.QueueName = cmp.Or(c.QueueName, "document_processing")
	c.UploadTTL = cmp.Or(c.UploadTTL, time.Hour)
	if c.Accept == nil {
		c.Accept = func(string, string) bool { return true }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	s := &Service{c: c, k: keys{c.Namespace}, queue: c.Queue, store: c.Store, rdb: c.Queue.Redis(), auditRound: auditRound}
	if c.Store != nil {
		s.bucket = c.Store.WholeBucket()
	}
	s.watch = newWatcher(s.rdb, s.k.events(), c.Log)
	return s
}

// KeepOriginal reports whether originals are kept after success.
func (s *Service) KeepOriginal() bool { return s.c.KeepOriginal }

// Store returns the store that the service's documents are in.
func (s *Service) Store() *objstore.Store { return s.store }

// Get returns a document's record, from the archive when Redis has none any
// more: ArchivedAt is set then, and the document can only be read. Errors:
// NotFound when there is none or it was deleted, Unavailable.
func (s *Service) Get(ctx context.Context, id string) (*Document, error) {
	d, err := s.Record(ctx, id)
	if isNotFound(err) {
		return s.archived(ctx, id)
	}
	return d, err
}

// Record returns a document's record in Redis; NotFound when there is none.
// What is decided or written goes by it.
func (s *Service) Record(ctx context.Context, id string) (*Document, error) {
	if !validID(id) {
		return nil, notFound(id)
	}
	hash, err := s.rdb.HGetAll(ctx, s.k.document(id)).Result()
	if err != nil {
		return nil, redisError("reading document "+id, err)
	}
	return parse(id, hash)
}
