package ingest

import (
	"context"
	"errors"
	"time"

	"github.com/docsvc/docsvc/pkg/client"
	"github.com/docsvc/docsvc/pkg/document"
)

// first is the file of a run that others with the same bytes follow.
type first struct {
	result    *Result // nil until it has ended
	followers []*task
}

// follows reports whether another file of this run has the same bytes. Unless
// duplicates are wanted, t then ends with that file; else its sum is its own.
func (r *run) follows(t *task) bool {
	r.mu.Lock()
	f := r.sums[t.SHA256]
	if f == nil {
		r.sums[t.SHA256] = &first{}
		r.mu.Unlock()
		return false
	}
	if r.o.AllowDuplicate {
		r.mu.Unlock()
		return true
	}
	done := f.result
	if done == nil {
		f.followers = append(f.followers, t)
	}
	r.mu.Unlock()
	if done != nil {
		r.follow(t, done)
	}
	return true
}

// follow ends t as the file with the same bytes ended.
func (r *run) follow(t *task, done *Result) {
	t.SameAs = done.Path
	switch done.Outcome {
	case Failed:
		t.Outcome, t.ErrorCode = Failed, done.ErrorCode
		t.Reason = "it has the same bytes as " + done.Path + ", which failed"
	case Interrupted:
		t.Outcome, t.Reason = Interrupted, "it has the same bytes as "+done.Path
	default:
		t.Outcome, t.DuplicateOf = Duplicate, done.DocumentID
		t.Reason = "it has the same bytes as " + done.Path
	}
	r.end(t)
}

// end counts and tells a result, and ends those that follow it.
func (r *run) end(t *task) {
	t.Seconds = seconds(time.Since(t.begun))
	r.mu.Lock()
	r.counts.add(&t.Result)
	r.o.Watch.Ended(&t.Result)
	var followers []*task
	if f := r.sums[t.SHA256]; f != nil && f.result == nil && t.SameAs == "" {
		f.result, followers = &t.Result, f.followers
		f.followers = nil
	}
	r.mu.Unlock()
	for _, follower := range followers {
		r.follow(follower, &t.Result)
	}
}

func (r *run) skip(t *task, reason, kind string) {
	t.Outcome, t.Reason, t.Kind = Skipped, reason, kind
	r.end(t)
}

func (r *run) interrupted(t *task, where string) {
	t.Outcome, t.Reason = Interrupted, where
	r.end(t)
}

// fail ends a task with an error, unless it is only that the run was ended.
func (r *run) fail(ctx context.Context, t *task, err error) {
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		where := "while it was read or uploaded"
		if t.JobID != "" {
			where = "uploaded; the server goes on with it"
		}
		r.interrupted(t, where)
		return
	}
	var unreachable *client.UnreachableError
	if errors.As(err, &unreachable) {
		r.setDown(true)
	}
	t.Outcome = Failed
	t.Reason, t.ErrorCode = explain(err)
	var own *fileError
	if errors.As(err, &own) {
		t.ErrorCode = own.code
	}
	r.end(t)
}

// reachable asks for the server before a file is read in vain, when it could
// not be reached for the file before.
func (r *run) reachable(ctx context.Context) error {
	r.mu.Lock()
	down := r.down
	r.mu.Unlock()
	if !down {
		return nil
	}
	_, err := r.api.Health(ctx)
	if err == nil {
		r.setDown(false)
	}
	return err
}

func (r *run) setDown(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}

// settled ends a task whose document is final.
func (r *run) settled(t *task, st *document.Status) {
	t.Partial, t.Warnings = st.Partial, st.Warnings
	switch st.Status {
	case document.Completed:
		t.Outcome = Completed
	case document.Duplicate:
		t.Outcome, t.DuplicateOf = Duplicate, text(st.DuplicateOf)
		t.Reason = "the same as document " + t.DuplicateOf
	case document.Canceled:
		t.Outcome, t.ErrorCode = Failed, "canceled"
		t.Reason = "its processing was canceled; --retry processes it again"
	default:
		t.Outcome, t.Reason, t.ErrorCode = Failed, text(st.Error), text(st.ErrorCode)
	}
	r.end(t)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
