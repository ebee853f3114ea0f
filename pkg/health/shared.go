package health

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/rq"
)

const (
	// sharedQueues is how many queues that both kinds of workers serve are
	// looked into.
	sharedQueues = 20
	// sharedHead is how many jobs at the head of each are looked at. What
	// stands further back is seen when it comes near.
	sharedHead = 50
	// sharedNames is how many functions a reason names.
	sharedNames = 3
)

// shared says of which queues docsvc's workers take jobs that only the Python
// workers beside them can run: whoever comes first gets a job, whether it
// knows the function or not.
func (c *Checker) shared(ctx context.Context, workers []rq.WorkerInfo) []finding {
	if len(c.c.Functions) == 0 {
		return nil
	}
	ours, theirs := map[string]int{}, map[string]int{}
	for _, w := range workers {
		of := theirs
		if w.Docsvc || strings.HasPrefix(w.Python, "docsvc") { // of another namespace
			of = ours
		}
		for _, q := range w.Queues {
			if w.Alive {
				of[q]++
			}
		}
	}
	var queues []string
	for q := range ours {
		if theirs[q] > 0 {
			queues = append(queues, q)
		}
	}
	slices.Sort(queues)
	var found []finding
	for _, q := range queues[:min(len(queues), sharedQueues)] {
		if unknown := c.unknownAtHead(ctx, q); len(unknown) > 0 {
			found = append(found, finding{Degraded, fmt.Sprintf(
				"Queue %s is served by %d Python and %d docsvc workers, but docsvc doesn't know %s, which waits there: "+
					"a docsvc worker fails such a job, or stops taking from that queue. Let docsvc's workers serve other `--queues`, or let the producers use another queue.",
				q, theirs[q], ours[q], listed(unknown))})
		}
	}
	return found
}

// unknownAtHead returns the functions that docsvc doesn't know among the first
// jobs of a queue, in their order. What can't be read is said elsewhere.
func (c *Checker) unknownAtHead(ctx context.Context, queue string) []string {
	jobs, _, err := c.c.Queue.List(ctx, queue, rq.RegistryQueued, "", sharedHead)
	if err != nil {
		return nil
	}
	var unknown []string
	for _, j := range jobs {
		name := j.Func
		switch {
		case errors.Is(j.PayloadErr, rq.ErrNoJob), errors.Is(j.PayloadErr, rq.ErrDataTooLarge):
			continue
		case j.PayloadErr != nil:
			name = "a payload in a form of its own"
		}
		if !slices.Contains(c.c.Functions, name) && !slices.Contains(unknown, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown
}

// listed joins the first few names; they are whatever a producer wrote.
func listed(names []string) string {
	var short []string
	for _, name := range names[:min(len(names), sharedNames)] {
		name = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return '?'
			}
			return r
		}, strings.ToValidUTF8(name, "?"))
		short = append(short, oneLine(name, 80))
	}
	if more := len(names) - len(short); more > 0 {
		short = append(short, fmt.Sprintf("%d more", more))
	}
	return strings.Join(short, ", ")
}
