package rq

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// maintenanceTTL is how long RQ's own lock lasts (rq/queue.py,
// acquire_maintenance_lock).
const maintenanceTTL = 899 * time.Second

// sweepPage is about how many members of a registry one sweep looks at.
const sweepPage = 500

// sweeps remembers how far each registry was looked through.
type sweeps struct {
	mu      sync.Mutex
	cursors map[string]uint64
}

// Maintained counts what Maintenance did.
type Maintained struct {
	Queues       int // whose lock it got
	Finished     int // expired entries removed from rq:finished
	Failed       int // expired entries removed from rq:failed
	Canceled     int // entries of rq:canceled whose hash is gone
	Deferred     int // entries of rq:deferred whose hash is gone
	Workers      int // dead worker names removed
	Intermediate int // ids pushed back from an intermediate list
	Dangling     int // ids removed from an intermediate list
	Released     int // deferred jobs whose dependencies are met
	Groups       int // members of groups whose job is gone
	Abandoned    []Recovered
}

// Maintenance does RQ's registry cleanup of each queue whose
// rq:clean_registries lock it gets, as RQ does every 600 s, and then of all
// groups.
func (c *Client) Maintenance(ctx context.Context, queues []string) (Maintained, error) {
	var m Maintained
	for _, q := range queues {
		got, err := c.rdb.SetNX(ctx, keyCleaning(q), c.token, maintenanceTTL).Result()
		if err != nil {
			return m, fmt.Errorf("maintaining %s: %w", q, err)
		}
		if !got {
			continue
		}
		err = c.maintain(ctx, q, &m)
		if _, unlockErr := c.run(ctx, call{scriptUnlock, []string{keyCleaning(q)}, c.tape().str(c.token)}); err == nil {
			err = unlockErr
		}
		if err != nil {
			return m, fmt.Errorf("maintaining %s: %w", q, err)
		}
		m.Queues++
	}
	if m.Queues == 0 {
		return m, nil
	}
	var err error
	m.Groups, err = c.CleanGroups(ctx)
	return m, err
}

func (c *Client) maintain(ctx context.Context, q string, m *Maintained) error {
	keys := []string{keyFinished(q), keyFailed(q), keyWorkers, keyWorkersOf(q), keyIntermediate(q), keyQueue(q)}
	r, err := c.run(ctx, call{scriptMaintain, keys, c.tape().str(q)})
	if err != nil {
		return err
	}
	m.Finished += r.at(0).int()
	m.Failed += r.at(1).int()
	m.Workers += r.at(2).int()
	m.Intermediate += r.at(3).int()
	m.Dangling += r.at(4).int()
	if err := c.abandoned(ctx, q, m); err != nil {
		return err
	}
	return c.sweep(ctx, q, m)
}

// abandoned takes executions that have no lease of ours and whose rq:wip score
// has passed, as RQ's cleaning does. A job with a failure callback in Python
// is left to a Python worker while one serves the queue: only that can call it.
func (c *Client) abandoned(ctx context.Context, q string, m *Maintained) error {
	r, err := c.run(ctx, call{scriptExpired, []string{keyWIP(q)}, c.tape().str(byWIP).num(recoverBatch).list([]string{q})})
	if err != nil {
		return err
	}
	found := expiredFrom(r)
	if len(found) == 0 {
		return nil
	}
	python, err := c.pythonServes(ctx, q)
	if err != nil {
		return err
	}
	var ours []expired
	for _, x := range found {
		if python && x.job.OnFailure != nil {
			continue
		}
		ours = append(ours, x)
	}
	taken, err := c.recover(ctx, byWIP, ours)
	m.Abandoned = append(m.Abandoned, taken...)
	return err
}

// pythonServes reports whether a live worker that is not docsvc's listens to q.
func (c *Client) pythonServes(ctx context.Context, q string) (bool, error) {
	workers, err := c.Workers(ctx)
	if isWrongType(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, w := range workers {
		if w.Docsvc || !w.Alive {
			continue
		}
		for _, name := range w.Queues {
			if name == q {
				return true, nil
			}
		}
	}
	return false, nil
}

func (c *Client) sweep(ctx context.Context, q string, m *Maintained) error {
	canceled, err := c.sweepPage(ctx, keyCanceled(q))
	if err != nil {
		return err
	}
	deferred, err := c.sweepPage(ctx, keyDeferred(q))
	if err != nil || len(canceled)+len(deferred) == 0 {
		return err
	}
	keys := []string{keyCanceled(q), keyDeferred(q), keyQueue(q)}
	r, err := c.run(ctx, call{scriptSweep, keys, c.tape().str(q).list(canceled).list(deferred)})
	if err != nil {
		return err
	}
	m.Canceled += r.at(0).int()
	m.Deferred += r.at(1).int()
	m.Released += r.at(2).int()
	return nil
}

// sweepPage gives the next members of a registry, beginning again at its end.
func (c *Client) sweepPage(ctx context.Context, key string) ([]string, error) {
	c.sweeps.mu.Lock()
	defer c.sweeps.mu.Unlock()
	pairs, cursor, err := c.rdb.ZScan(ctx, key, c.sweeps.cursors[key], "", sweepPage).Result()
	if err != nil {
		if isWrongType(err) {
			return nil, nil
		}
		return nil, err
	}
	if c.sweeps.cursors == nil {
		c.sweeps.cursors = map[string]uint64{}
	}
	c.sweeps.cursors[key] = cursor
	var members []string
	for i := 0; i < len(pairs); i += 2 {
		members = append(members, pairs[i])
	}
	return members, nil
}
