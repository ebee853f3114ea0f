// Package localextract turns files of this machine into text with the parsers
// and limits of a worker, but without Redis, storage or network: what the
// service would answer for the same file.
//
//	filewalk --entries--> Run: up to Parallel files at once --outcomes in the order of the files--> take
//	                       |  parser processes (extract.Pool)
//	                       +--> Tree: one text file each, when there is one
//
// Memory: at most Parallel texts of any size are held, those waiting for their
// turn included, and beside them small ones.
package localextract

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/filewalk"
)

// window is how many files may be begun before the first of them is taken.
const window = 64

// small texts, in bytes, may wait for their turn without holding up others.
const small = 256 << 10

// Extractor is what is needed of an *extract.Pool.
type Extractor interface {
	Extract(context.Context, extract.Request, func(extract.Progress)) (*extract.Document, error)
}

// Config says how files are extracted. Form and Pool are needed.
type Config struct {
	Form Form
	// Parallel is how many files are in work at once (number of CPUs).
	Parallel int
	// Password opens those files that are encrypted.
	Password string
	Pool     Extractor
	// Tree takes the texts; nil gives them to take, as Outcome.Body.
	Tree *Tree
}

// Outcome is what became of one file. Of Skipped and Reason at most one is set.
type Outcome struct {
	Entry filewalk.Entry
	// Body is the text in the form asked for, or nil: of a file that failed or
	// was skipped, and of one that was written to Written.
	Body []byte
	// Written is the file that holds the text, below the Tree's directory.
	Written string
	// Notes are sentences on text that is missing, or was hard to read.
	Notes []string
	// Skipped says why a file that was not named itself was passed over.
	Skipped string
	// Code and Reason say why there is no text: the codes are those of package
	// extract/block and of this package, the reason is a sentence or more. A
	// file that was skipped has a code, too.
	Code, Reason string
}

// Failed reports whether the file should have given a text and did not.
func (o *Outcome) Failed() bool { return o.Reason != "" }

// Run extracts the files below args (see package filewalk) and gives take the
// outcome of each, in their order. It ends early with the error of take, or
// with ctx's cause; files then in work have no outcome. Everything wrong with
// a file is its outcome.
func Run(ctx context.Context, c Config, args []string, take func(*Outcome) error) error {
	c.Parallel = cmp.Or(c.Parallel, runtime.NumCPU())
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{c: c, slots: make(chan struct{}, c.Parallel), order: make(chan chan result, window)}
	walked := make(chan error, 1)
	go func() {
		defer close(r.order)
		walked <- filewalk.Walk(ctx, args, func(e filewalk.Entry) error { return r.begin(ctx, e) })
	}()
	var failed error
	for next := range r.order {
		done := <-next
		if failed == nil && ctx.Err() == nil {
			if failed = take(done.outcome); failed != nil {
				cancel(failed)
			}
		}
		if done.holds {
			<-r.slots
		}
	}
	r.files.Wait()
	if err := <-walked; failed == nil && err != nil {
		failed = err
	}
	if failed == nil && ctx.Err() != nil {
		failed = context.Cause(ctx)
	}
	return failed
}

// run is one Run. A file's goroutine ends when its result is in its channel,
// which has room for it.
type run struct {
	c     Config
	slots chan struct{}    // one per file in work, or done with a text that isn't small
	order chan chan result // of the files begun
	files sync.WaitGroup
}

type result struct {
	outcome *Outcome
	holds   bool // its slot, until it is taken
}

// begin starts a file when there is room for one. The file that is taken next
// has its slot already, so that waiting here always ends.
func (r *run) begin(ctx context.Context, e filewalk.Entry) error {
	if r.c.Tree != nil && r.c.Tree.holds(e) {
		return nil
	}
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	job := &job{c: r.c, outcome: &Outcome{Entry: e}}
	if r.c.Tree != nil {
		job.place = r.c.Tree.place(e.Path, r.c.Form.extension())
	}
	next := make(chan result, 1)
	r.order <- next
	r.files.Add(1)
	go func() {
		defer r.files.Done()
		job.do(ctx)
		holds := len(job.outcome.Body) > small
		if !holds {
			<-r.slots
		}
		next <- result{job.outcome, holds}
	}()
	return nil
}
