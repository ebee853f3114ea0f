package worker

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/rq"
)

// A job of a dead worker is taken back within 15 s, also by one other worker
// alone: the lease may have been renewed just before the death, and the other
// may have looked just before its end.
func TestPaceOfRecovery(t *testing.T) {
	t.Parallel()
	rdb := redis.NewClient(&redis.Options{})
	defer func() { _ = rdb.Close() }()
	c, err := Config{Queue: rq.New(rdb, rq.Options{}), Queues: []string{"q"}}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	if longest := c.Queue.Lease() + c.RecoverEvery; longest >= 15*time.Second {
		t.Errorf("a job may wait %s for its recovery", longest)
	}
	if c.Heartbeat > c.Queue.Lease()/3 || c.RecoverEvery > c.Queue.Lease()/3 {
		t.Errorf("heartbeat every %s and recovery every %s: slower than a third of the lease of %s", c.Heartbeat, c.RecoverEvery, c.Queue.Lease())
	}
}
