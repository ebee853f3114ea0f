package cleanup

import (
	"cmp"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
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
