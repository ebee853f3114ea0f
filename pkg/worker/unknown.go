package worker

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// errNotOurs sends a job back to the head of a queue that this worker shuns
// from now on.
var errNotOurs = errors.New("the job's function or a callback of it isn't known here, and its queue isn't one of the configuration")

// refuse says why a job cannot be given to a handler, nil when it can. Its
// payload is left as it is, so that a requeue gives the job back whole.
func (w *Worker) refuse(r *run) error {
	j := r.claimed.Job
	switch {
	case r.claimed.DataTooLarge:
		return permanent(CodeBadPayload, "the job's arguments are larger than 16 MiB, which is more than a worker loads; enqueue it again with a reference instead of the data")
	case j.PayloadErr != nil:
		return permanent(CodeBadPayload, "the job's payload cannot be read: %w; enqueue it again with plain values in pickle or JSON", j.PayloadErr)
	}
	missing, known := fmt.Sprintf("function %q", j.Func), w.known
	if r.handler.Run != nil {
		callback := w.unknownCallback(j)
		if callback == "" {
			return nil
		}
		missing, known = fmt.Sprintf("callback %q", callback), strings.Join(slices.Sorted(maps.Keys(w.c.Callbacks)), ", ")
	}
	known = cmp.Or(known, "none")
	queue := r.claimed.Execution.Queue
	if w.c.Unknown == UnknownStop && !slices.Contains(w.c.KnownQueues, queue) {
		w.shun(queue, fmt.Sprintf("job %s names %s, which this worker doesn't know (it knows %s)", j.ID, missing, known))
		return errNotOurs
	}
	return permanent(CodeUnknownFunction, "no %s on this worker; it knows %s. Requeue the job when a worker that knows it runs on queue %s",
		missing, known, queue)
}

// shun stops claiming from a queue that holds somebody else's jobs.
func (w *Worker) shun(queue, why string) {
	w.mu.Lock()
	first := w.shunned[queue] == ""
	w.shunned[queue] = why
	w.mu.Unlock()
	if first {
		w.c.Log.Error().Str("queue", queue).Str("why", why).
			Msg("claiming nothing more from this queue: it isn't in the configuration and its jobs are for other workers; start this worker without it, or with --unknown fail")
	}
}

func permanent(code, format string, args ...any) error {
	return &Failure{Class: Permanent, Code: code, Err: fmt.Errorf(format, args...)}
}
