package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// event is one entry of docsvc:events that says a job changed.
type event struct {
	at               time.Time // by Redis, to the millisecond
	job, execution   string
	worker           string
	from, to, reason string
}

// events follows the stream from its beginning to its end, so that nothing is
// missed that it later cuts off.
type events struct {
	rdb *redis.Client

	mu   sync.Mutex
	all  []event
	last string
}

func newEvents(rdb *redis.Client) *events { return &events{rdb: rdb, last: "-"} }

// follow reads until ctx ends.
func (e *events) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if n, err := e.page(ctx); err != nil || n == 0 {
			sleep(ctx, 100*time.Millisecond)
		}
	}
}

// rest reads what is left, when nothing is written any more.
func (e *events) rest(ctx context.Context) error {
	for {
		n, err := e.page(ctx)
		if err != nil || n == 0 {
			return err
		}
	}
}

func (e *events) page(ctx context.Context) (int, error) {
	entries, err := e.rdb.XRangeN(ctx, "docsvc:events", e.last, "+", 2000).Result()
	if err != nil {
		return 0, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, x := range entries {
		e.last = "(" + x.ID
		text := func(field string) string { s, _ := x.Values[field].(string); return s }
		if text("job") == "" || text("reason") == "progress" {
			continue
		}
		ms, _, _ := strings.Cut(x.ID, "-")
		n, _ := strconv.ParseInt(ms, 10, 64)
		e.all = append(e.all, event{at: time.UnixMilli(n), job: text("job"), execution: text("execution"), worker: text("worker"),
			from: text("from"), to: text("to"), reason: text("reason")})
	}
	return len(entries), nil
}

// byJob sorts the events by job, in their order.
func (e *events) byJob() map[string][]event {
	e.mu.Lock()
	defer e.mu.Unlock()
	jobs := map[string][]event{}
	for _, x := range e.all {
		jobs[x.job] = append(jobs[x.job], x)
	}
	return jobs
}
