package rq

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"
)

func (c *Client) explainEnded(ctx context.Context, x *Explanation) error {
	x.StartedAt, x.Worker = momentOf(x.job.StartedAt), x.job.WorkerName
	ttl, err := c.rdb.PTTL(ctx, keyJob(x.JobID)).Result()
	if err != nil {
		return err
	}
	kept := "; it is kept until it is deleted"
	if ttl > 0 {
		x.ExpiresAt = momentOf(x.now.Add(ttl))
		kept = "; it is kept until " + x.at(*x.ExpiresAt)
	}
	ended := x.job.EndedAt
	if x.LastEvent != nil && x.LastEvent.To == x.Status {
		ended = x.LastEvent.At
		x.ErrorCode = x.LastEvent.ErrorCode
	}
	took := ""
	if x.Status == StatusFinished && !x.job.StartedAt.IsZero() && x.job.EndedAt.After(x.job.StartedAt) {
		took = " after " + span(x.job.EndedAt.Sub(x.job.StartedAt))
	}
	switch x.Status {
	case StatusFinished:
		x.say(CauseFinished, "It finished at %s%s on %s%s", x.at(ended), took, workerText(x.Worker), kept)
	case StatusCanceled:
		x.EndedAt = momentOf(ended)
		by := ""
		if x.LastEvent != nil && x.LastEvent.To == StatusCanceled && x.LastEvent.From != "" {
			by = fmt.Sprintf(", while it was %s", x.LastEvent.From)
		}
		if ended.IsZero() {
			x.say(CauseCanceled, "It was canceled%s; to run it after all: docsvc queue retry %s", by, x.JobID)
			return nil
		}
		x.say(CauseCanceled, "It was canceled at %s%s; to run it after all: docsvc queue retry %s", x.at(ended), by, x.JobID)
	case StatusStopped:
		x.say(CauseStopped, "It was stopped at %s on %s; to run it again: docsvc queue retry %s", x.at(ended), workerText(x.Worker), x.JobID)
	default:
		return c.explainFailed(ctx, x, ended, kept)
	}
	return nil
}

func (c *Client) explainFailed(ctx context.Context, x *Explanation, ended time.Time, kept string) error {
	why, err := c.lastError(ctx, x)
	if err != nil {
		return err
	}
	callback, isCallback := strings.CutPrefix(x.Error, "no callback ")
	if x.ErrorCode == "unknown_function" || isCallback || strings.HasPrefix(x.Error, "no function ") {
		missing := fmt.Sprintf("function %q", x.Func)
		if isCallback {
			callback, _, _ = strings.Cut(callback, " on this worker")
			missing = "callback " + callback
		}
		x.say(CauseUnknownFunction, "%s refused it at %s: it knows no %s; once a worker that does listens to queue %s: docsvc queue retry %s",
			upper(workerText(x.Worker)), x.at(ended), missing, x.Queue, x.JobID)
		return nil
	}
	left := ""
	if x.RetriesLeft != nil {
		left = fmt.Sprintf("; retries left: %d", *x.RetriesLeft)
		if *x.RetriesLeft == 0 {
			left = "; all its retries are spent"
		}
	}
	x.say(CauseFailed, "It failed at %s on %s%s%s%s; to run it again: docsvc queue retry %s", x.at(ended), workerText(x.Worker), why, left, kept, x.JobID)
	return nil
}

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// lastError reads the last line of the latest error.
func (c *Client) lastError(ctx context.Context, x *Explanation) (string, error) {
	r, err := c.LatestResult(ctx, x.JobID)
	if err != nil && !isWrongType(err) {
		return "", err
	}
	if r == nil || r.Error == "" {
		return "", nil
	}
	lines := strings.Split(strings.TrimSpace(r.Error), "\n")
	x.Error = lines[len(lines)-1]
	if len(x.Error) > 500 {
		x.Error = strings.ToValidUTF8(x.Error[:500], "") + "..."
	}
	x.Worker = cmp.Or(r.WorkerName, x.Worker)
	return ": " + strings.TrimRight(x.Error, "."), nil
}

// explainGone says what is still known of a job without a hash.
func (c *Client) explainGone(ctx context.Context, x *Explanation) (*Explanation, error) {
	h, err := c.history(ctx, x.JobID, "", x.now)
	if err != nil {
		return nil, err
	}
	r, err := c.LatestResult(ctx, x.JobID)
	if err != nil && !isWrongType(err) {
		return nil, err
	}
	switch {
	case h.last != nil && (h.last.To == "" || h.last.Reason == "deleted"):
		x.LastEvent, x.Queue = h.last, h.queue
		x.say(CauseGone, "It was deleted at %s", x.at(h.last.At))
	case h.last != nil:
		x.LastEvent, x.Queue, x.Worker, x.ErrorCode = h.last, h.queue, h.last.Worker, h.last.ErrorCode
		how := fmt.Sprintf("It became %s at %s", h.last.To, x.at(h.last.At))
		if h.last.Worker != "" {
			how += " on worker " + h.last.Worker
		}
		if h.last.To.Final() {
			x.say(CauseGone, "%s; its time to be kept is over, or it was deleted", how)
		} else {
			x.say(CauseGone, "%s, and was deleted since, or its time to wait ran out", how)
		}
	case r != nil:
		x.Worker = r.WorkerName
		x.say(CauseGone, "The job is gone, its results are still there: the last run ended at %s on %s", x.at(r.CreatedAt), workerText(r.WorkerName))
	default:
		return nil, ErrNoJob
	}
	return x, nil
}
