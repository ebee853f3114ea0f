package worker

import (
	"context"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// TestSameProcessNumber has a worker take the name that a killed one of the
// same host and process number holds, as in a container that is restarted.
func TestSameProcessNumber(t *testing.T) {
	t.Parallel()
	if processStart().IsZero() {
		t.Skip("there is no /proc here to tell processes of one number apart")
	}
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		r := newRig(t, s)
		c := r.config()
		before := birth("w", c)
		before.Started = before.Started.Add(-time.Second)
		if err := rq.New(r.rdb, rq.Options{}).RegisterWorkers(context.Background(), []rq.WorkerBirth{before}); err != nil {
			t.Fatal(err)
		}
		c.Burst = true
		if err := r.start(c).end(); err != nil {
			t.Errorf("the name of a process that is gone was not given: %v", err)
		}
	})
}

// TestLivingNamesake has the name held by this very process.
func TestLivingNamesake(t *testing.T) {
	t.Parallel()
	r := newRig(t, redistest.Start(t, redistest.Miniredis))
	c := r.config()
	if err := rq.New(r.rdb, rq.Options{}).RegisterWorkers(context.Background(), []rq.WorkerBirth{birth("w", c)}); err != nil {
		t.Fatal(err)
	}
	c.Burst = true
	if err := r.start(c).end(); err == nil {
		t.Error("the name of a living worker was taken")
	}
}
