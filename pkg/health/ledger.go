package health

import (
	"context"
	"fmt"
	"strings"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// Caught counts what went wrong with jobs and was caught, since Redis keeps
// count.
type Caught struct {
	// LateFinishes are ends of runs that were refused, since their worker had
	// been taken for dead or the job was canceled or deleted meanwhile.
	LateFinishes int64 `json:"late_finishes_refused"`
	// Strays are jobs that stood in no queue and were found.
	Strays int64 `json:"strays_found"`
	// Dropped are entries of queues without a job that waits.
	Dropped int64 `json:"entries_dropped"`
}

// ledger reads the loss ledger, and says when it does not balance.
func (c *Checker) ledger(ctx context.Context, r *Report) []finding {
	l, err := c.c.Documents.Ledger(ctx)
	if err != nil {
		return c.unreadable(ctx, "The loss ledger can't be read: ", err)
	}
	r.Ledger = l
	tally, err := c.c.Queue.Tally(ctx)
	if err != nil {
		return c.unreadable(ctx, "The counters of the queue can't be read: ", err)
	}
	r.Caught = &Caught{LateFinishes: tally.LateFinishes, Strays: tally.Strays, Dropped: tally.Dropped}
	return imbalance(l)
}

// unreadable is a finding, unless Redis is away, which is said elsewhere.
func (c *Checker) unreadable(ctx context.Context, what string, err error) []finding {
	if rq.IsUnavailable(err) || ctx.Err() != nil {
		return nil
	}
	return []finding{{Degraded, what + plainError(err)}}
}

// imbalance says what the ledger misses, and what to do about it.
func imbalance(l *document.Ledger) []finding {
	say := func(format string, args ...any) []finding { return []finding{{Degraded, fmt.Sprintf(format, args...)}} }
	switch {
	case l.LostDocuments > 0:
		names := strings.Join(l.Lost, ", ")
		if more := l.LostDocuments - int64(len(l.Lost)); more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		return say("%d accepted documents have lost their record in Redis, which docsvc didn't remove: %s. Make each again from the bucket with "+
			"`docsvc documents rebuild --id %s`, or all with `docsvc documents rebuild`; give one up with `docsvc documents delete %s`.",
			l.LostDocuments, names, l.Lost[0], l.Lost[0])
	case l.Unaccounted > 0:
		return say("%d accepted documents are unaccounted for: an index lacks them, or all that told of them is gone. The sweep looks for them, "+
			"within a minute for up to 20,000 documents, and names those whose record is gone; should this stay, make the records again with `docsvc documents rebuild`.", l.Unaccounted)
	case l.Unaccounted < 0:
		return say("%d documents more are there than were accepted: a docsvc without a loss ledger accepted them, or another tool wrote to Redis. "+
			"The sweep counts them, within a minute for up to 20,000 documents.", -l.Unaccounted)
	}
	return nil
}
