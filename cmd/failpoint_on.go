//go:build failpoint

package cmd

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/redis/go-redis/v9"

	"github.com/docsvc/docsvc/pkg/failpoint"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// This file makes the docsvc that scripts/chaos breaks: it has failpoints, two
// functions that do nothing, and limits that the environment sets:
//
//	FAILPOINT_RECOVERY_LIMIT  deaths of its worker after which a job fails
//	FAILPOINT_LEASE           lease of an execution, e.g. 3s

// Functions of the chaos run. Their effect is one HINCRBY in the script of the
// finish; each execution that begins notes its id, which may be written twice.
const (
	chaosAgain      = "chaos.again"  // may be run again from its beginning
	chaosOnce       = "chaos.once"   // may not
	chaosDeadly     = "chaos.deadly" // kills its worker; may be run again
	chaosEffects    = "chaos:effects"
	chaosExecutions = "chaos:executions"
)

func hookRedis(rdb *redis.Client) { rdb.AddHook(failpoint.Redis()) }

func storageTransport() http.RoundTripper {
	t, err := minio.DefaultTransport(false)
	if err != nil {
		panic(err) // only a transport for TLS can fail
	}
	return failpoint.S3(t)
}

func tuneQueue(o *rq.Options) {
	ours := o.Idempotent
	o.Idempotent = func(fn string) bool { return fn == chaosAgain || fn == chaosDeadly || ours(fn) }
	if n, err := strconv.Atoi(os.Getenv("FAILPOINT_RECOVERY_LIMIT")); err == nil {
		o.RecoveryLimit = n
	}
	if d, err := time.ParseDuration(os.Getenv("FAILPOINT_LEASE")); err == nil {
		o.Lease = d
	}
}

func tuneWorker(c *worker.Config) {
	if os.Getenv("FAILPOINT_LEASE") != "" { // a lease of its own needs a pace of its own
		c.Heartbeat, c.RecoverEvery = c.Queue.Lease()/3, c.Queue.Lease()/6
	}
	c.WaitDelay = 2 * time.Second
	c.Handlers = append(c.Handlers,
		worker.Handler{Func: chaosAgain, Idempotent: true, Run: runChaos},
		worker.Handler{Func: chaosOnce, Run: runChaos},
		worker.Handler{Func: chaosDeadly, Idempotent: true, Run: runDeadly})
}

// runDeadly is a job that ends its worker each time.
func runDeadly(ctx context.Context, t *worker.Task) (worker.Result, error) {
	if err := t.Queue.Redis().HSet(ctx, chaosExecutions, t.Execution.Member(), t.Execution.Worker).Err(); err != nil {
		return worker.Result{}, &worker.Failure{Class: worker.Waiting, Code: "queue_unavailable", Err: err}
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// runChaos takes a moment, so that a job can be hit in the middle.
func runChaos(ctx context.Context, t *worker.Task) (worker.Result, error) {
	member := t.Execution.Member()
	if err := t.Queue.Redis().HSet(ctx, chaosExecutions, member, t.Execution.Worker).Err(); err != nil {
		return worker.Result{}, &worker.Failure{Class: worker.Waiting, Code: "queue_unavailable", Err: err}
	}
	select {
	case <-ctx.Done():
		return worker.Result{}, fmt.Errorf("interrupted: %w", context.Cause(ctx))
	case <-time.After(time.Duration(rand.IntN(400)) * time.Millisecond):
	}
	return worker.Result{Value: member, Effects: []rq.Effect{rq.HIncrBy(chaosEffects, t.Job.ID, 1)}}, nil
}
