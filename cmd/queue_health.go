package cmd

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/docsvc/docsvc/pkg/health"
)

func (a *app) queueHealthCommand() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "health", Short: "Say whether Redis, storage, queues and workers are all right", Args: noArgs,
		Long: "healthy and degraded end with status 0, unhealthy (Redis or storage unreachable, or not\nthis installation's) with 4. Degraded lists why: the loss ledger does not balance,\nRedis may lose data by its settings, jobs wait too long or for no worker, ...",
		RunE: a.withServices(func(ctx context.Context, s *services, _ []string) error {
			report := s.health.Check(ctx)
			if err := out.print(a.stdout, report, report.WriteText); err != nil {
				return err
			}
			if report.Status == health.Unhealthy {
				s.adviseOn(a.stderr, report)
				return &silentError{status: exitUnhealthy}
			}
			return nil
		}),
	}
	out.add(c)
	return c
}

// adviseOn says what to do about what can't be reached: where it was looked
// for, and by which setting.
func (s *services) adviseOn(w io.Writer, r health.Report) {
	if !r.Redis.Available {
		fmt.Fprintf(w, "docsvc: Redis was looked for at %s (redis.url, %s): is it running there? docsvc config print shows all settings\n",
			s.config.PlainRedisURL(), s.config.Origins["redis.url"])
	}
	if !r.Storage.Available {
		next := "docsvc config check tries it and says what is missing"
		if !s.storageGiven() {
			next = noStorage
		}
		fmt.Fprintf(w, "docsvc: storage was looked for at %s, bucket %s (storage.endpoint, %s): %s\n",
			s.config.Storage.Endpoint, s.config.Storage.Bucket, s.config.Origins["storage.endpoint"], next)
	}
}

// noStorage is what to do where no storage is configured.
const noStorage = "no storage is configured: set storage.endpoint, storage.bucket and credentials, or use --standalone; docsvc config check tries them"

// storageGiven reports whether somebody configured a storage.
func (s *services) storageGiven() bool {
	return s.config.Origins["storage.endpoint"] != "default" || s.config.Origins["storage.bucket"] != "default"
}
