package rq

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Beat is one running execution's sign of life.
type Beat struct {
	Execution Execution
	Timeout   time.Duration // the job's, <= 0 for none
	Working   time.Duration // since it was claimed
}

// WorkerBeat is one worker slot's sign of life.
type WorkerBeat struct {
	Name string
	RSS  int64   // bytes of resident memory of its process and children
	CPU  float64 // cores in use, 1.0 is one core
}

// Heartbeat refreshes the keys of all slots and executions of a process in one
// round trip. It returns the executions that no longer hold their job: stop
// working on them. A worker whose RQ hash expired during an outage is
// registered again; one whose name another process took over is left alone.
func (c *Client) Heartbeat(ctx context.Context, workers []WorkerBeat, beats []Beat) (lost []Execution, err error) {
	busy, byMember := map[string]bool{}, map[string]Execution{}
	for _, b := range beats {
		busy[b.Execution.Worker] = true
		byMember[b.Execution.Member()] = b.Execution
	}
	t := c.tape().str(c.token).num(int64(len(workers)))
	for _, w := range workers {
		t.str(w.Name).num(w.RSS).str(strconv.FormatFloat(w.CPU, 'f', 2, 64)).flag(busy[w.Name])
	}
	t.num(int64(len(beats)))
	for _, b := range beats {
		e := b.Execution
		t.str(e.JobID, e.ID, e.Queue, e.Worker).num(int64(b.Timeout / time.Second))
		t.str(strconv.FormatFloat(b.Working.Seconds(), 'f', 6, 64), floatStamp(e.StartedAt))
	}
	r, err := c.run(ctx, call{scriptHeartbeat, nil, t})
	if err != nil {
		return nil, fmt.Errorf("heartbeat: %w", err)
	}
	for _, m := range r.at(0).texts() {
		lost = append(lost, byMember[m])
	}
	for _, name := range r.at(2).texts() {
		c.o.Log.Error().Str("worker", name).Msg("another process has taken this worker's name")
	}
	if expired := r.at(1).texts(); len(expired) > 0 {
		if err := c.registerAgain(ctx, expired); err != nil {
			return lost, fmt.Errorf("heartbeat: %w", err)
		}
	}
	return lost, nil
}
