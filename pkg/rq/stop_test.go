package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// Stop writes nothing itself: the worker that is told ends the job.
func TestStopTellsTheWorkerUntilItObeys(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		f.seed(startedJob)
		running := f.running()
		wantChange(t, f.change(func() {
			j, listening, err := f.Stop(ctx, "j1", 0)
			if err != nil || listening != 0 || j.Status != StatusStarted {
				t.Errorf("nobody listens: %+v, %d, %v", j, listening, err)
			}
		}), "")
		commands, err := f.Commands(ctx, []string{"w1"})
		if err != nil {
			t.Fatal(err)
		}
		obeyed := make(chan error, 1)
		go func() { // the first command is lost, as while a worker reconnects
			<-commands
			<-commands
			done, err := f.Finish(ctx, []Outcome{{Execution: e1, Job: running, Kind: OutcomeStop}})
			if err == nil {
				err = done[0].Err
			}
			obeyed <- err
		}()
		j, listening, err := f.Stop(ctx, "j1", time.Minute)
		if err != nil || listening != 1 || j.Status != StatusStopped {
			t.Errorf("stopped: %+v, %d, %v", j, listening, err)
		}
		if err := <-obeyed; err != nil {
			t.Error(err)
		}
	})
}

func TestStopRefusesWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if _, _, err := f.Stop(ctx, "none", 0); !errors.Is(err, ErrNoJob) {
			t.Errorf("no job: %v", err)
		}
		for _, seed := range []string{"status queued", "status finished worker_name w1", "status started", "origin q"} {
			f.rdb.FlushDB(ctx)
			f.seed("HSET rq:job:j1 data {call} " + seed)
			var state *StateError
			wantChange(t, f.change(func() {
				if _, _, err := f.Stop(ctx, "j1", time.Minute); !errors.As(err, &state) || state.Op != "stop" {
					t.Errorf("%s: %v", seed, err)
				}
			}), "")
		}
		f.seed("DEL rq:job:j1\nSET rq:job:j1 x")
		if _, _, err := f.Stop(ctx, "j1", 0); !errors.Is(err, ErrNoJob) {
			t.Errorf("a key of another type: %v", err)
		}
	})
}

func TestStopEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), Options{})
	f.seed(startedJob)
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, _, err := f.Stop(ctx, "j1", time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
