package cleanup

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// Config is what a Cleaner needs. All but Clock, Log and QueueName is required.
type Config struct {
	Clock     func() time.Time // default time.Now
	Documents *document.Service
	Log       zerolog.Logger
	Queue     *rq.Client
	QueueName string // default "cleanup_tasks"
	Store     *objstore.Store
}

// Cleaner runs and enqueues cleanups. It is safe for concurrent use.
type Cleaner struct{ c Config }

// New makes a Cleaner.
func New(c Config) *Cleaner {
	c.QueueName = cmp.Or(c.QueueName, "cleanup_tasks")
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Cleaner{c: c}
}

// Queued is the answer to Enqueue.
type Queued struct {
	JobID    string
	Queue    string
	TaskType Type
	Status   rq.Status
	// Existing: a job of this kind was queued or running already; it is that one.
	Existing bool
	// NoWorker: no live worker listens to Queue, so the job waits for one.
	NoWorker bool
}

var errNotBuilt = errors.New("not built")

// Run cleans in place.
func (c *Cleaner) Run(ctx context.Context, t Task) (Report, error) { return Report{}, errNotBuilt }

// Enqueue makes a job of the task.
func (c *Cleaner) Enqueue(ctx context.Context, t Task) (Queued, error) { return Queued{}, errNotBuilt }

// Wait waits for an enqueued cleanup and returns its report.
func (c *Cleaner) Wait(ctx context.Context, jobID string) (Report, error) {
	return Report{}, errNotBuilt
}

// Handler runs cleanup jobs.
func (c *Cleaner) Handler() worker.Handler { return worker.Handler{Func: Func, Idempotent: true} }
