package rq

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// waits are the blocking commands in flight, one per queue and Client however
// many callers wait. Each ends by itself within limit.
type waits struct {
	limit time.Duration // how long Wait and each blocking command last
	poll  time.Duration // how often Wait looks whether workers were resumed

	mu sync.Mutex
	on map[string]*blocked
}

type blocked struct {
	done    chan struct{} // closed when the command ended
	err     error         // set before done is closed
	waiters int           // Waits that listen
	cancel  func()        // when none listens any more
}

// Suspended tells whether RQ's flag stands, whatever it holds (rq
// suspension.py). Claim gives nothing then.
func (c *Client) Suspended(ctx context.Context) (bool, error) {
	n, err := c.rdb.Exists(ctx, keySuspended).Result()
	if err != nil {
		return false, fmt.Errorf("looking whether workers are suspended: %w", err)
	}
	return n > 0, nil
}

// Wait blocks until one of the queues may have work, ctx ends (its error) or
// about 5 s passed (nil). It returns at once while one has entries, except
// when workers are suspended; then it looks every second.
func (c *Client) Wait(ctx context.Context, queues []string) error {
	deadline := time.NewTimer(c.waits.limit)
	defer deadline.Stop()
	for {
		suspended, err := c.Suspended(ctx)
		if err != nil {
			return fmt.Errorf("waiting for work: %w", err)
		}
		if !suspended {
			break
		}
		poll := time.NewTimer(c.waits.poll)
		select {
		case <-ctx.Done():
			poll.Stop()
			return ctx.Err()
		case <-deadline.C:
			poll.Stop()
			return nil
		case <-poll.C:
		}
	}
	wake := make(chan error, len(queues))
	stop := make(chan struct{})
	var listeners sync.WaitGroup
	defer listeners.Wait()
	defer close(stop)
	for _, q := range queues {
		b := c.waits.watch(c.rdb, q)
		listeners.Go(func() {
			defer c.waits.leave(b)
			select {
			case <-b.done:
				wake <- b.err
			case <-stop:
			}
		})
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-deadline.C:
		return nil
	case err := <-wake:
		if err != nil {
			return fmt.Errorf("waiting for work: %w", err)
		}
		return nil
	}
}

// watch joins the command that blocks on q, or starts one.
func (w *waits) watch(rdb redis.UniversalClient, q string) *blocked {
	w.mu.Lock()
	defer w.mu.Unlock()
	b := w.on[q]
	if b == nil {
		// Its own context: other callers may join after this one's has ended.
		ctx, cancel := context.WithTimeout(context.Background(), w.limit+time.Minute)
		b = &blocked{done: make(chan struct{}), cancel: cancel}
		if w.on == nil {
			w.on = map[string]*blocked{}
		}
		w.on[q] = b
		go w.block(ctx, rdb, q, b)
	}
	b.waiters++
	return b
}

// leave ends what nobody listens to, as far as it can be: a command that was
// sent is answered within limit.
func (w *waits) leave(b *blocked) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if b.waiters--; b.waiters == 0 {
		b.cancel()
	}
}

// block waits for an entry of q without taking it: a BLMOVE of the list's last
// entry onto itself.
func (w *waits) block(ctx context.Context, rdb redis.UniversalClient, q string, b *blocked) {
	defer b.cancel()
	key := keyQueue(q)
	err := rdb.BLMove(ctx, key, key, "RIGHT", "RIGHT", w.limit).Err()
	if isWrongType(err) {
		pause(ctx, w.limit) // nothing can be waited for here; do not spin either
		err = nil
	}
	if errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled) {
		err = nil
	}
	w.mu.Lock()
	delete(w.on, q)
	w.mu.Unlock()
	b.err = err
	close(b.done)
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
