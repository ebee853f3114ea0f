//go:build !failpoint

package cmd

import (
	"net/http"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// What a build with the tag "failpoint" hooks into, for scripts/chaos.

func hookRedis(*redis.Client)             {}
func storageTransport() http.RoundTripper { return nil }
func tuneQueue(*rq.Options)               {}
func tuneWorker(*worker.Config)           {}
