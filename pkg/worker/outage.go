package worker

import (
	"context"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// outages says once when Redis goes away and once when it is back, however
// many goroutines notice.
type outages struct {
	log   zerolog.Logger
	clock func() time.Time

	mu      sync.Mutex
	since   time.Time
	waiting map[string]bool // what waits for Redis
}

func newOutages(log zerolog.Logger, clock func() time.Time) *outages {
	return &outages{log: log, clock: clock, waiting: map[string]bool{}}
}

// down notes that doing cannot go on because of err.
func (o *outages) down(doing string, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 {
		o.since = o.clock()
		what := "redis cannot serve: waiting until it does; jobs in hand go on and their results are kept"
		if rq.IsFull(err) {
			what = "redis is full (maxmemory): waiting until it has room; jobs in hand go on and their results are kept. " +
				"Raise its maxmemory, or delete what is not needed: docsvc documents delete, docsvc queue empty"
		}
		o.log.Warn().Err(err).Str("waiting", doing).Msg(what)
	}
	o.waiting[doing] = true
}

// gone notes that doing has ended without Redis: nobody waits for it any more,
// which says nothing about Redis.
func (o *outages) gone(doing string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.waiting, doing)
}

// up notes that doing goes on: Redis has answered.
func (o *outages) up(doing string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.waiting[doing] {
		return
	}
	delete(o.waiting, doing)
	if len(o.waiting) == 0 {
		o.log.Info().Dur("ms", o.clock().Sub(o.since)).Msg("redis serves again")
	}
}

// waits lists what waits for Redis now.
func (o *outages) waits() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Sorted(maps.Keys(o.waiting))
}

// pause waits before try number try+1, longer each time up to 2 s so that a
// lease is renewed in time once Redis is back. False means ctx ended.
func pause(ctx context.Context, try int) bool {
	d := 50 * time.Millisecond << min(try, 5)
	d += time.Duration(rand.Int64N(int64(d)/4 + 1)) // so that workers don't come back in step
	return sleep(ctx, d)
}

// sleep waits for d and returns true, or false when ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
