package httpapi

import (
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/health"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Config is what New needs. Cleanup, Documents, Health and Queue are required.
type Config struct {
	// AllowedHosts are names, without port, that the server answers to when it
	// has no APIKeys, beside IP addresses and localhost.
	AllowedHosts []string
	// APIKeys are the keys that requests below /api/v1 need one of. None: no
	// key is needed, and requests are held to their origin instead.
	APIKeys []string
	Cleanup *cleanup.Cleaner
	// Clock is the time of this process. Default time.Now.
	Clock     func() time.Time
	Documents *document.Service
	Health    *health.Checker
	Log       zerolog.Logger
	Queue     *rq.Client
	// Queues are the configured queues: always listed, and first.
	Queues []string
	// Version is docsvc's, for the OpenAPI document.
	Version string
}
