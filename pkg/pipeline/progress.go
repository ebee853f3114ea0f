package pipeline

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// reporter writes a document's progress from a goroutine of its own, so that a
// slow Redis doesn't hold up extraction, and not more often than every
// Config.ProgressEvery: what comes faster is overtaken by what comes after it.
type reporter struct {
	e      *execution
	cancel context.CancelCauseFunc // of the execution, when it turns out to be fenced
	kick   chan struct{}
	stop   context.CancelFunc
	done   chan struct{}

	doc document.Document // as last written; begin and then the goroutine's own

	mu   sync.Mutex
	next *document.Progress
}

func newReporter(e *execution, cancel context.CancelCauseFunc) *reporter {
	return &reporter{e: e, cancel: cancel, kick: make(chan struct{}, 1), done: make(chan struct{}), doc: *e.doc}
}

// begin makes the first write, which counts the attempt and takes the document
// from uploaded to extracting, and starts the goroutine. end must be called
// when it returned nil.
func (r *reporter) begin(ctx context.Context) error {
	first := document.Progress{Status: document.Extracting, Step: "starting", Attempt: true, At: r.e.began}
	if err := waitForRedis(ctx, func() error { return r.write(ctx, first) }); err != nil {
		return err
	}
	ctx, r.stop = context.WithCancel(ctx)
	go r.loop(ctx)
	return nil
}

// set says where the execution is now.
func (r *reporter) set(p document.Progress) {
	r.mu.Lock()
	r.next = &p
	r.mu.Unlock()
	select {
	case r.kick <- struct{}{}:
	default:
	}
}

// end stops the goroutine and waits for it.
func (r *reporter) end() {
	r.stop()
	<-r.done
}

func (r *reporter) loop(ctx context.Context) {
	defer close(r.done)
	rest := time.NewTimer(r.e.p.c.ProgressEvery)
	defer rest.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-rest.C: // the distance to the write before
		}
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		}
		r.mu.Lock()
		p := r.next
		r.mu.Unlock()
		err := r.write(ctx, *p)
		switch {
		case err == nil, ctx.Err() != nil:
		case errors.Is(err, rq.ErrLateFinish):
			r.cancel(err)
			return
		default:
			r.e.task.Log.Debug().Err(err).Msg("writing progress: the next one may get through")
		}
		rest.Reset(r.e.p.c.ProgressEvery)
	}
}

// write makes one write. It enters the events stream when the state changed.
func (r *reporter) write(ctx context.Context, p document.Progress) error {
	effects, labels := r.e.p.c.Documents.ProgressEffects(&r.doc, p)
	err := r.e.task.Queue.Progress(ctx, r.e.task.Execution, effects, labels)
	if err == nil {
		r.doc.Status = p.Status
	}
	return err
}
