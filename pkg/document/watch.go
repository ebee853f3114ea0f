package document

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/docsvc/docsvc/pkg/rq"
)

// watchBlock is how long one read of the events stream waits, and so how long
// the reader may outlive its last waiter.
const watchBlock = time.Second

// watcher reads the events stream once for everybody who waits for a document,
// so that a thousand waiting requests need one connection, not a thousand.
// Its reader lives while somebody waits.
type watcher struct {
	rdb    redis.UniversalClient
	stream string
	log    zerolog.Logger

	mu      sync.Mutex
	waiting map[string]map[chan struct{}]bool // by document id
	running bool
	left    chan struct{} // gets a value when the last waiter leaves
}

func newWatcher(rdb redis.UniversalClient, stream string, log zerolog.Logger) *watcher {
	return &watcher{rdb: rdb, stream: stream, log: log, waiting: map[string]map[chan struct{}]bool{},
		left: make(chan struct{}, 1)}
}

// subscribe returns a channel that gets a value after something happened to
// the document, or may have. stop must be called.
func (w *watcher) subscribe(id string) (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.waiting[id] == nil {
		w.waiting[id] = map[chan struct{}]bool{}
	}
	w.waiting[id][c] = true
	if !w.running {
		w.running = true
		go w.read()
	}
	return c, func() { w.unsubscribe(id, c) }
}

func (w *watcher) unsubscribe(id string, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting[id], c)
	if len(w.waiting[id]) == 0 {
		delete(w.waiting, id)
	}
	if len(w.waiting) == 0 {
		select {
		case w.left <- struct{}{}:
		default:
		}
	}
}

// read ends when nobody waits any more.
func (w *watcher) read() {
	ctx := context.Background() // its end is that of the last waiter
	last := ""
	for w.wanted() {
		if last == "" {
			newest, err := w.rdb.XRevRangeN(ctx, w.stream, "+", "-", 1).Result()
			if err != nil {
				w.failed(err)
				continue
			}
			last = "0-0"
			if len(newest) > 0 {
				last = newest[0].ID
			}
			w.notify("") // what happened before this point was not seen
		}
		reply, err := w.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{w.stream, last}, Count: 1000, Block: watchBlock}).Result()
		switch {
		case errors.Is(err, redis.Nil):
		case err != nil:
			w.failed(err)
			last = ""
		default:
			for _, entry := range reply[0].Messages {
				last = entry.ID
				if id, _ := entry.Values["document"].(string); id != "" && !still(entry.Values) {
					w.notify(id)
				}
			}
		}
	}
}

// still reports whether an event is only of progress within one state.
func still(event map[string]any) bool {
	_, moved := event["document_to"]
	return event["reason"] == rq.ReasonProgress && !moved
}

// wanted reports whether anybody waits, and else takes note that the reader ends.
func (w *watcher) wanted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = len(w.waiting) > 0
	return w.running
}

// failed lets everybody look for themselves, and then waits a little.
func (w *watcher) failed(err error) {
	w.log.Debug().Err(err).Msg("reading the events stream")
	w.notify("")
	wait := time.NewTimer(watchBlock)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-w.left:
	}
}

// notify wakes those who wait for the document, "" for all.
func (w *watcher) notify(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	wake := func(set map[chan struct{}]bool) {
		for c := range set {
			select {
			case c <- struct{}{}:
			default: // it has not yet looked since the last one
			}
		}
	}
	if id != "" {
		wake(w.waiting[id])
		return
	}
	for _, set := range w.waiting {
		wake(set)
	}
}
