package rq

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestResultsNewestFirst(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if got, err := f.Results(ctx, "j1"); err != nil || len(got) != 0 {
			t.Errorf("none: %v, %v", got, err)
		}
		f.seed(`
			XADD rq:results:j1 1000-0 type 4 worker_name w1
			XADD rq:results:j1 2000-0 type 1 worker_name w1 return_value gAVLAy4=
			SET rq:results:odd x`)
		got, err := f.Results(ctx, "j1")
		if err != nil || len(got) != 2 || got[0].Value != int64(3) || got[1].Type != ResultRetried || got[1].CreatedAt != time.UnixMilli(1000).UTC() {
			t.Errorf("%v: %+v", err, got)
		}
		var odd *KeyError
		if _, err := f.Results(ctx, "odd"); !errors.As(err, &odd) {
			t.Errorf("another type: %v", err)
		}
		if _, err := f.WaitResult(ctx, "odd", time.Minute); !errors.As(err, &odd) {
			t.Errorf("another type: %v", err)
		}
	})
}

func TestWaitResult(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		if res, err := f.WaitResult(context.Background(), "j1", 20*time.Millisecond); res != nil || err != nil {
			t.Errorf("none in time: %+v, %v", res, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		if _, err := f.WaitResult(ctx, "j1", time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ctx ended: %v", err)
		}
		done := make(chan error, 1)
		go func() {
			res, err := f.WaitResult(context.Background(), "j1", time.Minute)
			if err == nil && (res == nil || res.Type != ResultSuccessful) {
				err = errors.New("not the result")
			}
			done <- err
		}()
		time.Sleep(20 * time.Millisecond) // most likely it blocks by now; either way it must find the entry
		f.seed(`XADD rq:results:j1 * type 1 worker_name w1`)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestExecutionsLeavesOutWhatIsOver(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if got, err := f.Executions(ctx, "nobody"); err != nil || len(got) != 0 {
			t.Errorf("no job: %v, %v", got, err)
		}
		f.seed(startedJob + `
			HSET rq:execution:j1:over id over created_at 1 last_heartbeat 1
			SET rq:execution:j1:odd x
			ZADD rq:executions:j1 1795435200 over 1795435340 gone 1795435340 odd`)
		before := len(f.keyspace())
		got, err := f.Executions(ctx, "j1")
		want := e1
		want.LastHeartbeat = want.StartedAt
		if err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%v: %+v", err, got)
		}
		if after := len(f.keyspace()); after != before {
			t.Errorf("reading wrote: %d lines, then %d", before, after)
		}
	})
}

func TestSaveMeta(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		if err := f.SaveMeta(ctx, "nobody", nil); !errors.Is(err, ErrNoJob) {
			t.Errorf("no job: %v", err)
		}
		for _, serializer := range []Serializer{Pickle, JSON} {
			if _, err := f.Enqueue(ctx, Spec{ID: "j1", Queue: "q", Func: "app.work", Serializer: serializer, Meta: map[string]any{"a": 1}}); err != nil {
				t.Fatal(err)
			}
			got := f.change(func() {
				if err := f.SaveMeta(ctx, "j1", map[string]any{"b": "c"}); err != nil {
					t.Error(err)
				}
			})
			wantChange(t, without(got, "docsvc:receipts"), `
				- rq:job:j1 meta = `+serializer.String()+` {'a': 1}
				+ rq:job:j1 meta = `+serializer.String()+` {'b': 'c'}`)
			if err := f.SaveMeta(ctx, "j1", map[string]any{"f": func() {}}); err == nil || !strings.Contains(err.Error(), "saving the meta of job j1") {
				t.Errorf("cannot be written: %v", err)
			}
			f.rdb.FlushDB(ctx)
		}
	})
}

func TestCommandsAreSent(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if n, err := f.SendShutdown(ctx, "w1"); n != 0 || err != nil {
			t.Errorf("nobody listens: %d, %v", n, err)
		}
		got, err := f.Commands(ctx, []string{"w1", "w2"})
		if err != nil {
			t.Fatal(err)
		}
		for want, send := range map[Command]func(context.Context, string) (int, error){
			{Worker: "w1", Name: CommandKillHorse}: f.SendKillHorse, {Worker: "w2", Name: CommandShutdown}: f.SendShutdown,
		} {
			if n, err := send(ctx, want.Worker); n != 1 || err != nil {
				t.Errorf("%d listen, %v", n, err)
			}
			if cmd := <-got; cmd != want {
				t.Errorf("got %+v, want %+v", cmd, want)
			}
		}
	})
}
