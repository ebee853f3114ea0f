package cmd

import (
	"context"

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
				return &silentError{status: exitUnhealthy}
			}
			return nil
		}),
	}
	out.add(c)
	return c
}
