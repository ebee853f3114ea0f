// Package health says whether the service can do its work, and why not.
package health

import (
	"cmp"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Status sums a Report up.
type Status string

// The statuses. Unhealthy: nothing can be taken in or answered. Degraded: work
// is done, or will be, but somebody should look.
const (
	Healthy   Status = "healthy"
	Degraded  Status = "degraded"
	Unhealthy Status = "unhealthy"
)

// Report is the body of GET /queue/health.
type Report struct {
	Status  Status           `json:"status"`
	Reasons []string         `json:"reasons"` // why it is not healthy, worst first
	Queues  map[string]Queue `json:"queues"`
	Redis   Redis            `json:"redis"`
	Storage Storage          `json:"storage"`
	Workers []Worker         `json:"workers"`
	// Ledger and Caught are nil when they can't be read.
	Ledger    *document.Ledger `json:"ledger"`
	Caught    *Caught          `json:"caught"`
	Timestamp time.Time        `json:"timestamp"`
}

// Queue is one of the configured queues.
type Queue struct {
	Available bool `json:"available"` // it could be read
	Length    int  `json:"length"`    // jobs waiting
	Failed    int  `json:"failed"`
	Started   int  `json:"started"`
	Scheduled int  `json:"scheduled"`
	Workers   int  `json:"workers"`
	// OldestAgeSeconds is how long the job at the head has been waiting.
	OldestAgeSeconds float64 `json:"oldest_job_age_seconds"`
}

// Redis is what the server says of itself.
type Redis struct {
	Available   bool    `json:"available"`
	LatencyMS   float64 `json:"latency_ms"`
	Version     string  `json:"version,omitempty"`
	UsedMemory  int64   `json:"used_memory_bytes,omitempty"`
	MaxMemory   int64   `json:"max_memory_bytes,omitempty"` // 0: no limit
	EvictPolicy string  `json:"maxmemory_policy,omitempty"`
	AppendOnly  string  `json:"appendonly,omitempty"` // yes or no
	AppendFsync string  `json:"appendfsync,omitempty"`
	// Durability says what a crash of Redis can lose.
	Durability string `json:"durability,omitempty"`
	Role       string `json:"role,omitempty"`
	Replicas   int    `json:"replicas,omitempty"`
	Cluster    bool   `json:"cluster,omitempty"`
	Error      string `json:"error,omitempty"`

	inProcess   bool // serve --standalone runs it
	writeFailed bool // to disk
}

// Storage is whether the bucket answers.
type Storage struct {
	Available bool    `json:"available"`
	LatencyMS float64 `json:"latency_ms"`
	Bucket    string  `json:"bucket"`
	Error     string  `json:"error,omitempty"`
}

// Worker is a live worker.
type Worker struct {
	Name          string    `json:"name"`
	State         string    `json:"state"`
	Queues        []string  `json:"queues"`
	Hostname      string    `json:"hostname"`
	PID           int       `json:"pid"`
	CurrentJob    string    `json:"current_job,omitempty"`
	LastHeartbeat time.Time `json:"last_heartbeat,omitzero"`
	Successful    int       `json:"successful_jobs"`
	Failed        int       `json:"failed_jobs"`
	RSS           int64     `json:"rss_bytes,omitempty"`
	CPU           float64   `json:"cpu,omitempty"` // cores
	Version       string    `json:"version,omitempty"`
}

// Config is what a Checker needs.
type Config struct {
	Clock     func() time.Time // default time.Now
	Documents *document.Service
	// Functions are the names of those that docsvc's workers run. Empty: queues
	// that Python workers serve, too, are not looked into.
	Functions []string
	Log       zerolog.Logger
	// OldestAge is how long a job may wait before a queue counts as stuck.
	// Default 10 min.
	OldestAge time.Duration
	Queue     *rq.Client
	Queues    []string // configured names
	Store     *objstore.Store
	// Timeout bounds each check. Default 2 s.
	Timeout time.Duration
}

// Checker looks at everything that the service depends on.
type Checker struct{ c Config }

// New makes a Checker.
func New(c Config) *Checker {
	c.OldestAge = cmp.Or(c.OldestAge, 10*time.Minute)
	c.Timeout = cmp.Or(c.Timeout, 2*time.Second)
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return &Checker{c: c}
}
