package rq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ClaimRequest asks for at most one job per worker name.
type ClaimRequest struct {
	Worker []string // one name per free slot
	Queues []string // in order of priority
}

// Claimed is a job that the caller now holds.
type Claimed struct {
	Job          *Job
	Execution    Execution
	DataTooLarge bool // data over 16 MiB was not loaded; Job.Func is ""
}

// slots remembers which execution id a worker slot asked with while it is not
// known whether Redis acted on it: asking with the same one again gives the
// same job, so that none is lost with a reply.
type slots struct {
	mu     sync.Mutex
	asked  map[string]string // worker name -> execution id
	births map[string]WorkerBirth
}

func (s *slots) ask(worker string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked == nil {
		s.asked = map[string]string{}
	}
	if s.asked[worker] == "" {
		s.asked[worker] = newHexID()
	}
	return s.asked[worker]
}

func (s *slots) answered(workers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range workers {
		delete(s.asked, w)
	}
}

// Claim takes up to len(r.Worker) jobs; on return their status is started.
// None are given while RQ's suspension flag is set. After an error call it
// again with the same worker names: a job that was claimed without the reply
// arriving is given then.
func (c *Client) Claim(ctx context.Context, r ClaimRequest) ([]Claimed, error) {
	if len(r.Worker) == 0 || len(r.Queues) == 0 {
		return nil, nil
	}
	keys := []string{keySuspended}
	for _, q := range r.Queues {
		keys = append(keys, keyQueue(q), keyWIP(q), c.keyLease(q))
	}
	t := c.tape().num(loadLimit).list(r.Queues).num(int64(len(r.Worker)))
	for _, w := range r.Worker {
		if w == "" {
			return nil, errors.New("claiming: empty worker name")
		}
		t.str(w, c.slots.ask(w))
	}
	x, err := c.run(ctx, call{scriptClaim, keys, t})
	if err != nil {
		return nil, fmt.Errorf("claiming: %w", err)
	}
	c.slots.answered(r.Worker)
	if x.at(0).text() == "suspended" {
		return nil, nil
	}
	c.reportDropped(x)
	var out []Claimed
	for _, item := range x.at(1).list() {
		out = append(out, c.claimed(item))
	}
	return out, nil
}

func (c *Client) reportDropped(x reply) {
	if n := x.at(2).int(); n > 0 {
		c.o.Log.Warn().Int("entries", n).Strs("first", x.at(4).texts()).Msg("dropped queue entries whose job is gone or not waiting to start")
	}
	for _, q := range x.at(3).texts() {
		c.o.Log.Error().Str("queue", q).Str("key", keyQueue(q)).Msg("the queue's key is no list: nothing can be taken from it")
	}
}

func (c *Client) claimed(item reply) Claimed {
	worker, e, q, id := item.at(0).text(), item.at(1).text(), item.at(2).text(), item.at(3).text()
	j := decodeJob(id, item.at(4).texts(), item.at(5).texts())
	if j.Queue == "" {
		j.Queue = q
	}
	x := Claimed{Job: j, Execution: Execution{ID: e, JobID: id, Queue: q, Worker: worker, StartedAt: j.StartedAt}}
	x.DataTooLarge = errors.Is(j.PayloadErr, ErrDataTooLarge)
	c.o.Observer.Transition(Transition{
		Job: j, Execution: e, Worker: worker, From: StatusQueued, To: StatusStarted, Reason: ReasonClaimed, At: c.o.Clock(),
		Duration: waited(j),
	})
	return x
}

// waited is how long a job stood in its queue before it was started.
func waited(j *Job) time.Duration {
	if j.EnqueuedAt.IsZero() || j.StartedAt.IsZero() {
		return 0
	}
	return max(j.StartedAt.Sub(j.EnqueuedAt), 0)
}
