package rq

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// redis-server is killed with jobs waiting, running and scheduled; after its
// start everything goes on where it was.
func TestKilledRedisKeepsJobs(t *testing.T) {
	t.Parallel()
	s := redistest.Start(t, redistest.RedisServer)
	f := newFixture(t, s, Options{Idempotent: idempotent})
	ctx := context.Background()
	for i := range 20 {
		if _, err := f.Enqueue(ctx, Spec{ID: fmt.Sprintf("j%d", i), Queue: "q", Func: "app.work"}); err != nil {
			t.Fatal(err)
		}
	}
	held, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w1", "w2"}, Queues: []string{"q"}})
	if err != nil || len(held) != 2 {
		t.Fatalf("%d claimed, %v", len(held), err)
	}
	before := f.keyspace()
	s.Kill()
	if _, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w3"}, Queues: []string{"q"}}); !IsUnavailable(err) {
		t.Errorf("claim without Redis: %v", err)
	}
	s.Restart(t)
	if after := f.keyspace(); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("before\n%v\nafter\n%v", before, after)
	}
	done, err := f.Finish(ctx, []Outcome{
		{Execution: held[0].Execution, Job: held[0].Job, Result: 1}, {Execution: held[1].Execution, Job: held[1].Job, Kind: OutcomeFail},
	})
	if err != nil || done[0].Err != nil || done[1].Status != StatusFailed {
		t.Errorf("finish after the restart: %+v %v", done, err)
	}
	if got, err := f.Claim(ctx, ClaimRequest{Worker: []string{"w3"}, Queues: []string{"q"}}); err != nil || ids(got) != "w3=j2" {
		t.Errorf("claim after the restart: %q %v", ids(got), err)
	}
}

// Scripts are forgotten by a restart; they are sent again, in batches too.
func TestScriptsAreSentAgainAfterARestart(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		f.seed(startedJob)
		if err := f.rdb.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		out := Outcome{Execution: e1, Job: f.running(), Result: 1}
		if err := f.rdb.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
		done, err := f.Finish(ctx, []Outcome{out, {Execution: Execution{ID: "x", JobID: "y", Queue: "q"}, Job: out.Job}})
		if err != nil || done[0].Status != StatusFinished || !errors.Is(done[1].Err, ErrLateFinish) {
			t.Errorf("%+v %v", done, err)
		}
	})
}

// The lease runs on Redis's clock across a restart, and recovery waits.
func TestRestartedRedisIsNotADeadWorker(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{Idempotent: idempotent})
		ctx := context.Background()
		if _, err := f.Enqueue(ctx, Spec{ID: "j1", Queue: "q", Func: "app.work"}); err != nil {
			t.Fatal(err)
		}
		c := f.mustClaim(t)
		beat := func() []Execution {
			lost, err := f.Heartbeat(ctx, nil, []Beat{{Execution: c.Execution}})
			if err != nil {
				t.Fatal(err)
			}
			return lost
		}
		beat()
		f.now = f.now.Add(8 * time.Minute) // Redis was away; everybody comes back at once, recoverers first
		for range 3 {
			if got := f.recovered(); len(got) != 0 {
				t.Fatalf("recovered %+v", got)
			}
			f.now = f.now.Add(3 * time.Second)
		}
		if lost := beat(); len(lost) != 0 {
			t.Errorf("lost %v", lost)
		}
		f.now = f.now.Add(4 * time.Second)
		if got := f.recovered(); len(got) != 0 {
			t.Errorf("recovered %+v after the worker was back", got)
		}
	})
}
