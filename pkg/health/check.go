package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// finding is one thing that is wrong.
type finding struct {
	status Status
	reason string
}

// Check looks at everything. It never fails: what can't be read is in the
// Report. It takes Timeout at most.
func (c *Checker) Check(ctx context.Context) Report {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	r := Report{Reasons: []string{}, Queues: map[string]Queue{}, Workers: []Worker{}, Timestamp: c.c.Clock().UTC()}
	var found [5][]finding
	var wg sync.WaitGroup
	for i, part := range []func(context.Context, *Report) []finding{c.redis, c.storage, c.queues, c.installation, c.ledger} {
		wg.Go(func() { found[i] = part(ctx, &r) }) // each fills fields of its own
	}
	wg.Wait()
	r.Status = Healthy
	all := slices.Concat(found[:]...)
	for _, status := range []Status{Unhealthy, Degraded} {
		for _, f := range all {
			if f.status == status {
				r.Reasons = append(r.Reasons, f.reason)
			}
		}
	}
	for _, f := range all {
		if f.status == Unhealthy || r.Status == Healthy {
			r.Status = f.status
		}
	}
	return r
}

func (c *Checker) redis(ctx context.Context, r *Report) []finding {
	began := time.Now() // a latency, not a date
	if err := c.c.Queue.Redis().Ping(ctx).Err(); err != nil {
		r.Redis.Error = plainError(err)
		return []finding{{Unhealthy, "Redis can't be reached: " + r.Redis.Error}}
	}
	r.Redis.Available, r.Redis.LatencyMS = true, milliseconds(time.Since(began))
	c.readInfo(ctx, &r.Redis)
	return r.Redis.findings()
}

func (c *Checker) storage(ctx context.Context, r *Report) []finding {
	r.Storage.Bucket = c.c.Store.Bucket()
	began := time.Now() // a latency, not a date
	if err := c.c.Store.Ping(ctx); err != nil {
		r.Storage.Error = plainError(err)
		return []finding{{Unhealthy, "Storage can't be used: " + r.Storage.Error}}
	}
	r.Storage.Available, r.Storage.LatencyMS = true, milliseconds(time.Since(began))
	return nil
}

// installation compares bucket and Redis; that one of them is away is said
// elsewhere.
func (c *Checker) installation(ctx context.Context, _ *Report) []finding {
	err := c.c.Documents.CheckInstallation(ctx)
	var e *document.Error
	if errors.As(err, &e) && e.Kind == document.Conflict {
		return []finding{{Unhealthy, e.Detail}}
	}
	return nil
}

// queues reads queues and workers.
func (c *Checker) queues(ctx context.Context, r *Report) []finding {
	for _, name := range c.c.Queues {
		r.Queues[name] = Queue{}
	}
	infos, err := c.c.Queue.QueueInfo(ctx, c.c.Queues)
	if err != nil {
		if rq.IsUnavailable(err) || ctx.Err() != nil {
			return nil // Redis says so itself
		}
		return []finding{{Unhealthy, "The queues can't be read: " + plainError(err)}}
	}
	var found []finding
	for _, i := range infos {
		r.Queues[i.Name] = Queue{Available: true, Length: i.Length, Failed: i.Failed, Started: i.Started,
			Scheduled: i.Scheduled, Workers: i.Workers, OldestAgeSeconds: float64(i.OldestAge.Milliseconds()) / 1000}
		switch {
		case i.Length+i.Scheduled > 0 && i.Workers == 0:
			found = append(found, finding{Degraded, fmt.Sprintf(
				"Queue %s has %d jobs and no worker: start one with `docsvc worker --queues %s`.", i.Name, i.Length+i.Scheduled, i.Name)})
		case i.Length > 0 && i.OldestAge > c.c.OldestAge:
			found = append(found, finding{Degraded, fmt.Sprintf(
				"A job of queue %s has been waiting for %s: its %d workers don't keep up, or are stuck.", i.Name, i.OldestAge.Round(time.Second), i.Workers)})
		}
	}
	found = append(found, c.suspended(ctx)...)
	return append(found, c.workers(ctx, r)...)
}

// suspended says when RQ's flag keeps all workers from starting jobs.
func (c *Checker) suspended(ctx context.Context) []finding {
	on, left, err := c.c.Queue.Suspension(ctx)
	if err != nil || !on {
		return nil // what can't be read is said elsewhere
	}
	still := ""
	if left > 0 {
		still = fmt.Sprintf(" for another %s", left.Round(time.Second))
	}
	return []finding{{Degraded, "Workers are suspended" + still + " and start no jobs: end it with `docsvc queue resume`."}}
}

func (c *Checker) workers(ctx context.Context, r *Report) []finding {
	workers, err := c.c.Queue.Workers(ctx)
	if err != nil {
		if rq.IsUnavailable(err) || ctx.Err() != nil {
			return nil
		}
		return []finding{{Degraded, "The workers can't be read: " + plainError(err)}}
	}
	for _, w := range workers {
		if !w.Alive {
			continue
		}
		r.Workers = append(r.Workers, Worker{
			Name: w.Name, State: string(w.State), Queues: w.Queues, Hostname: w.Hostname, PID: w.PID, CurrentJob: w.CurrentJob,
			LastHeartbeat: w.LastHeartbeat, Successful: w.Successful, Failed: w.Failed, RSS: w.RSS, CPU: w.CPU, Version: w.Version,
		})
	}
	return c.shared(ctx, workers)
}

// plainError is an error's text on one line, of bounded length.
func plainError(err error) string { return oneLine(err.Error(), 300) }

// oneLine is a text on one line of at most limit bytes.
func oneLine(text string, limit int) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Microseconds()) / 1000
}

// Readiness is what /readyz says: whether each dependency answers.
type Readiness struct {
	Redis   bool `json:"redis"`
	Storage bool `json:"storage"`
}

// OK reports whether requests can be served.
func (r Readiness) OK() bool { return r.Redis && r.Storage }

// Ready asks Redis and storage once, within Timeout.
func (c *Checker) Ready(ctx context.Context) Readiness {
	ctx, cancel := context.WithTimeout(ctx, c.c.Timeout)
	defer cancel()
	var r Readiness
	var wg sync.WaitGroup
	wg.Go(func() { r.Redis = c.c.Queue.Redis().Ping(ctx).Err() == nil })
	wg.Go(func() { r.Storage = c.c.Store.Ping(ctx) == nil })
	wg.Wait()
	return r
}

// older reports whether a version such as 7.0.15 is before major.minor. One
// that can't be read is not.
func older(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	if err != nil || err2 != nil {
		return false
	}
	return a < major || (a == major && b < minor)
}
