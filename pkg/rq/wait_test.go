package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// patient is a client whose Wait only ever ends for a reason.
func patient(t *testing.T, s *redistest.Server) *fixture {
	f := newFixture(t, s, Options{})
	f.waits.limit, f.waits.poll = time.Hour, 5*time.Millisecond
	return f
}

// waiting starts Wait and answers its result, once every queue is blocked on.
func (f *fixture) waiting(ctx context.Context, queues ...string) <-chan error {
	f.t.Helper()
	done := make(chan error, 1)
	go func() { done <- f.Wait(ctx, queues) }()
	f.until(func() bool {
		f.waits.mu.Lock()
		defer f.waits.mu.Unlock()
		return len(f.waits.on) == len(queues)
	})
	return done
}

// until polls for a condition that another goroutine brings about.
func (f *fixture) until(ok func() bool) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for !ok() {
		select {
		case <-ctx.Done():
			f.t.Fatal("nothing happened for 30 s")
		case <-time.After(time.Millisecond):
		}
	}
}

func TestWaitEndsWhenAnyQueueGetsWork(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := patient(t, s)
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		first := f.waiting(ctx, "high", "q")
		second := f.waiting(ctx, "high", "q") // joins the same two commands
		f.seed("RPUSH rq:queue:q j1")
		for _, done := range []<-chan error{first, second} {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		// It does not take what it waited for, and comes back at once for it.
		if n := f.rdb.LLen(ctx, "rq:queue:q").Val(); n != 1 {
			t.Errorf("%d entries left", n)
		}
		if err := f.Wait(ctx, []string{"high", "q"}); err != nil {
			t.Error(err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := patient(t, s)
		ctx, cancel := context.WithCancel(context.Background())
		done := f.waiting(ctx, "q")
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestWaitEndsByItself(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := patient(t, s)
		f.waits.limit = time.Second
		if err := f.Wait(context.Background(), []string{"q"}); err != nil {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestWaitHoldsWhileSuspended(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := patient(t, s)
		f.seed("RPUSH rq:queue:q j1\nSET rq:suspended 1")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		polls := 0
		done := make(chan error, 1)
		go func() { done <- f.Wait(ctx, []string{"q"}) }()
		for polls < 20 { // it looked again and again and still waits
			select {
			case err := <-done:
				t.Fatalf("ended while suspended: %v", err)
			case <-time.After(f.waits.poll):
				polls++
			}
		}
		if on, err := f.Suspended(ctx); !on || err != nil {
			t.Errorf("suspended: %v, %v", on, err)
		}
		f.seed("DEL rq:suspended")
		if err := <-done; err != nil {
			t.Error(err)
		}
		if on, err := f.Suspended(ctx); on || err != nil {
			t.Errorf("suspended after that: %v, %v", on, err)
		}
	})
}

func TestWaitDoesNotSpinOnAKeyOfAnotherType(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := patient(t, s)
		f.seed("SET rq:queue:bad x")
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		done := f.waiting(ctx, "bad", "q")
		f.seed("RPUSH rq:queue:q j1") // the other queue still wakes it
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestCommandsIgnoresWhatIsNone(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		got, err := f.Commands(ctx, []string{"w1", "w2"})
		if err != nil {
			t.Fatal(err)
		}
		for _, payload := range []string{"", "junk", "[]", "5", `{"command": "dance"}`, `{"command": 5}`} {
			f.rdb.Publish(ctx, "rq:pubsub:w1", payload)
		}
		f.rdb.Publish(ctx, "rq:pubsub:w2", `{"command": "shutdown"}`)
		f.rdb.Publish(ctx, "rq:pubsub:w1", `{"command": "kill-horse"}`)
		if c := <-got; c != (Command{Worker: "w2", Name: CommandShutdown}) {
			t.Errorf("first %+v", c)
		}
		if c := <-got; c != (Command{Worker: "w1", Name: CommandKillHorse}) {
			t.Errorf("second %+v", c)
		}
		cancel()
		if c, open := <-got; open {
			t.Errorf("after the end: %+v", c)
		}
	})
}
