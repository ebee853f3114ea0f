package ingest

import (
	"context"
	"sync"
	"time"

	"github.com/docsvc/docsvc/pkg/client"
)

// Options say how files are taken in.
type Options struct {
	// AllowDuplicate makes documents of files and texts that are there already.
	AllowDuplicate bool
	// Description, Tags and Title are those of each new document.
	Description string
	Tags        []string
	Title       string
	// NoWait ends with the hand-over instead of the result.
	NoWait bool
	// Parallel is how many files are read and sent at a time, and how many
	// documents are waited for. Default: 4.
	Parallel int
	// Poll is how long the server may hold back the answer to how far a
	// document is, whole seconds up to 60. Default: 30 s.
	Poll time.Duration
	// Retry processes documents again that failed or were canceled.
	Retry bool
	// Watch is told what happens. May be nil.
	Watch Watcher
}

// Watcher follows a run. Its methods are called by several goroutines, Ended
// by one at a time.
type Watcher interface {
	// Found is told of each file that will be taken in.
	Found(c Candidate)
	// Listed is told when there are no more.
	Listed()
	// Moved is told how far a file is.
	Moved(p Progress)
	// Ended is told what became of a file.
	Ended(r *Result)
}

// Phase is what is being done with a file.
type Phase int

// The phases, in order.
const (
	Reading Phase = iota
	Uploading
	Waiting    // in the server's queue
	Processing // by a worker
)

// Progress is how far a file is: Done of Total, in bytes, or percent while
// Processing. Step says in the server's words what it is at.
type Progress struct {
	Path        string
	Phase       Phase
	Done, Total int64
	Step        string
}

// Report sums up a run.
type Report struct {
	Counts
	// Stopped is set when the context ended before the run did.
	Stopped bool
}

// ahead is how many files are listed before they are read: enough for a
// progress display to know the total of most runs, and still bounded.
const ahead = 10_000

// Run takes in what src yields. What goes wrong with a file is that file's
// Result; a run itself can only end early.
func Run(ctx context.Context, api *client.Client, src Source, o Options) Report {
	if o.Parallel < 1 {
		o.Parallel = 4
	}
	if o.Poll < time.Second {
		o.Poll = 30 * time.Second
	}
	if o.Watch == nil {
		o.Watch = quiet{}
	}
	r := &run{api: api, o: o, sums: map[string]*first{}, waiting: newQueue()}
	begun := time.Now()
	candidates := make(chan Candidate, ahead)
	var uploads, waits sync.WaitGroup
	uploads.Go(func() { r.list(ctx, src, candidates) })
	for range o.Parallel {
		uploads.Go(func() {
			for c := range candidates {
				r.take(ctx, c)
			}
		})
		waits.Go(func() {
			for t := r.waiting.pop(); t != nil; t = r.waiting.pop() {
				r.await(ctx, t)
			}
		})
	}
	uploads.Wait()
	r.waiting.close()
	waits.Wait()
	r.counts.Seconds = seconds(time.Since(begun))
	return Report{Counts: r.counts, Stopped: ctx.Err() != nil}
}

// run is one Run.
type run struct {
	api     *client.Client
	o       Options
	waiting *queue

	mu     sync.Mutex
	counts Counts
	sums   map[string]*first // by sha256
	down   bool              // the server could not be reached when last asked
}

// task is a file on its way.
type task struct {
	Candidate
	Result
	begun time.Time
}

// list fills the channel and closes it. An error of the source is that of ctx.
func (r *run) list(ctx context.Context, src Source, into chan<- Candidate) {
	defer close(into)
	err := src(ctx, func(c Candidate) error {
		r.o.Watch.Found(c)
		select {
		case into <- c:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	if err == nil {
		r.o.Watch.Listed()
	}
}

// take brings one candidate to its end, or to where the server goes on.
func (r *run) take(ctx context.Context, c Candidate) {
	t := &task{Candidate: c, begun: time.Now(), Result: Result{Path: shown(c.Path), Size: max(0, c.Size), Named: c.Named}}
	reason, kind := c.refuse()
	switch {
	case ctx.Err() != nil:
		r.interrupted(t, "not begun")
	case c.Err != nil:
		r.fail(ctx, t, unreadable(c.Err))
	case reason != "":
		r.skip(t, reason, kind)
	case c.Object != "":
		r.object(ctx, t)
	default:
		r.file(ctx, t)
	}
}

// await waits until the server has made something of the document.
func (r *run) await(ctx context.Context, t *task) {
	const done = "uploaded; the server goes on with it"
	for ctx.Err() == nil {
		st, err := r.api.Status(ctx, t.DocumentID, r.o.Poll)
		if err != nil {
			r.fail(ctx, t, err)
			return
		}
		if st.Status.Final() {
			r.settled(t, st)
			return
		}
		phase := Waiting
		if st.Status.Working() {
			phase = Processing
		}
		r.o.Watch.Moved(Progress{Path: t.Result.Path, Phase: phase, Done: int64(st.Progress), Total: 100, Step: st.CurrentStep})
	}
	r.interrupted(t, done)
}

// queue holds the documents that are waited for, the oldest first: the server
// works in that order.
type queue struct {
	mu     sync.Mutex
	filled sync.Cond
	tasks  []*task
	closed bool
}

func newQueue() *queue {
	q := &queue{}
	q.filled.L = &q.mu
	return q
}

func (q *queue) push(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, t)
	q.filled.Signal()
}

// pop waits for a task; nil when there will be no more.
func (q *queue) pop() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.tasks) == 0 && !q.closed {
		q.filled.Wait()
	}
	if len(q.tasks) == 0 {
		return nil
	}
	t := q.tasks[0]
	q.tasks[0] = nil
	q.tasks = q.tasks[1:]
	return t
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.filled.Broadcast()
}

// quiet watches nothing.
type quiet struct{}

func (quiet) Found(Candidate) {}
func (quiet) Listed()         {}
func (quiet) Moved(Progress)  {}
func (quiet) Ended(*Result)   {}
