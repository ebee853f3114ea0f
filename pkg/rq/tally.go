package rq

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// Tally counts what went wrong and was caught, since Redis began to keep it.
type Tally struct {
	// LateFinishes are ends of executions that were refused because the
	// execution had been fenced: its worker had been taken for dead, or the job
	// was canceled or deleted meanwhile.
	LateFinishes int64
	// Strays are jobs that nothing held, put back or failed: see SeekStrays.
	Strays int64
	// Dropped are entries of queues that claiming dropped, because their job
	// was gone or not waiting.
	Dropped int64
	// Recovered are jobs that were taken from an execution whose worker was
	// gone, and Deaths those of them that counted towards RecoveryLimit.
	Recovered, Deaths int64
}

// Tally reads the counters, summed over all queues.
func (c *Client) Tally(ctx context.Context) (Tally, error) {
	var t Tally
	var late, strays, dropped, recovered, deaths *redis.StringSliceCmd
	_, err := c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		late, strays, dropped = p.HVals(ctx, c.keyLate()), p.HVals(ctx, c.keyStrays()), p.HVals(ctx, c.keyDropped())
		recovered, deaths = p.HVals(ctx, c.keyRecoveries()), p.HVals(ctx, c.keyDeaths())
		return nil
	})
	if passType(err) != nil {
		return t, fmt.Errorf("reading the counters: %w", err)
	}
	t.LateFinishes, t.Strays, t.Dropped = sum(late.Val()), sum(strays.Val()), sum(dropped.Val())
	t.Recovered, t.Deaths = sum(recovered.Val()), sum(deaths.Val())
	return t, nil
}

func sum(texts []string) (n int64) {
	for _, text := range texts {
		v, err := strconv.ParseInt(text, 10, 64)
		if err == nil {
			n += v
		}
	}
	return n
}
