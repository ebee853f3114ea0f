package pipeline

import (
	"cmp"
	"context"
	"errors"
	"io"
	"iter"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// Records is what the pipeline needs of a *document.Service.
type Records interface {
	Begin(context.Context, *rq.Job) (*document.Document, error)
	CheckBucket(context.Context) error
	Child(ctx context.Context, parent *document.Document, path string) (document.Child, error)
	ClaimHolder(ctx context.Context, d *document.Document, sha256, textSHA256 string) (string, error)
	ConflictOf(*document.Document, *rq.ConditionError) (document.ConflictKind, string)
	Complete(*document.Document, *document.Manifest) ([]rq.Effect, []rq.Condition)
	Duplicate(d *document.Document, of string, m *document.Manifest) ([]rq.Effect, []rq.Condition)
	KeepOriginal() bool
	NewManifest(d *document.Document, executionID string) *document.Manifest
	OpenObject(ctx context.Context, d *document.Document, offset int64) (io.ReadCloser, objstore.Object, error)
	Password(ctx context.Context, id string) (string, error)
	ProgressEffects(*document.Document, document.Progress) ([]rq.Effect, map[string]string)
	Record(ctx context.Context, id string) (*document.Document, error)
	ReleaseStaleClaim(ctx context.Context, d *document.Document, holder, sha256, textSHA256 string) (bool, error)
	Save(ctx context.Context, id string) error
	Seal(*document.Document, *document.Manifest)
	TakeAttachment(ctx context.Context, parent *document.Document, a document.Attachment, c document.Child, object objstore.Object) error
	UploadRemoved(context.Context, *document.Document) error
}

// Objects is what the pipeline needs of an *objstore.Store.
type Objects interface {
	Copy(ctx context.Context, src, dst string, o objstore.GetOptions) error
	Delete(ctx context.Context, keys ...string) map[string]error
	Get(context.Context, string, objstore.GetOptions) (io.ReadCloser, objstore.Object, error)
	List(ctx context.Context, prefix, startAfter string) iter.Seq2[objstore.Object, error]
	Put(context.Context, string, io.Reader, int64, objstore.PutOptions) (objstore.Object, error)
}

// Extractor is what the pipeline needs of an *extract.Pool.
type Extractor interface {
	Extract(context.Context, extract.Request, func(extract.Progress)) (*extract.Document, error)
}

// Thumbnailer is what the pipeline needs of an *extract.Pool to show documents.
type Thumbnailer interface {
	// Thumbnail gives a PNG file, nil when documents of that format have no look.
	Thumbnail(ctx context.Context, r extract.Request, format string) ([]byte, error)
}

// Config says what a Pipeline works with. Documents, Store, Pool and WorkDir
// are needed.
type Config struct {
	// Attachments become documents of their own; default none.
	Attachments Attachments
	// Chunk holds for documents that bring no sizes of their own.
	Chunk chunk.Options
	// Clock is the time of day; default time.Now.
	Clock     func() time.Time
	Documents Records
	Log       zerolog.Logger
	// MinFree is how much of the work directory's file system, in bytes, a
	// download must leave free; default 64 MiB.
	MinFree int64
	Pool    Extractor
	// ProgressEvery is the shortest time between two progress writes of one
	// document; default 500 ms.
	ProgressEvery time.Duration
	Store         Objects
	// Thumbnails draws first pages; default none.
	Thumbnails Thumbnailer
	// WorkDir is where uploads are kept while they are read. It is made when
	// missing. Several pipelines may share it.
	WorkDir string
}

// Pipeline processes documents, several at once.
type Pipeline struct {
	c   Config
	dir *workDir
}

// New makes a pipeline and its own directory below c.WorkDir, and removes what
// processes that are gone have left there.
func New(c Config) (*Pipeline, error) {
	if c.Documents == nil || c.Store == nil || c.Pool == nil || c.WorkDir == "" {
		return nil, errors.New("a pipeline needs documents, a store, an extraction pool and a work directory")
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.MinFree = cmp.Or(c.MinFree, 64<<20)
	c.ProgressEvery = cmp.Or(c.ProgressEvery, 500*time.Millisecond)
	dir, err := openWorkDir(c.WorkDir, c.MinFree, c.Log)
	if err != nil {
		return nil, err
	}
	return &Pipeline{c: c, dir: dir}, nil
}

// Close removes the pipeline's directory. No handler may be running.
func (p *Pipeline) Close() error { return p.dir.close() }

// Handler runs docsvc.process_document. It is idempotent.
func (p *Pipeline) Handler() worker.Handler { return p.handler(document.ProcessFunc) }

// ObjectHandler runs docsvc.process_object. It is idempotent.
func (p *Pipeline) ObjectHandler() worker.Handler { return p.handler(document.ObjectFunc) }

func (p *Pipeline) handler(function string) worker.Handler {
	return worker.Handler{
		Func:       function,
		Idempotent: true,
		Run:        p.process,
		Fields: func(j *rq.Job) map[string]string {
			if id, ok := document.IDFromJob(j); ok {
				return map[string]string{"document": id}
			}
			return nil
		},
	}
}
