package cleanup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
	"github.com/docsvc/docsvc/pkg/worker"
)

// raceLimit is how often an enqueue is tried again that lost against another.
const raceLimit = 8

// pollEvery is how often Wait looks.
const pollEvery = 300 * time.Millisecond

// Queued is the answer to Enqueue.
type Queued struct {
	JobID    string    `json:"job_id"`
	Queue    string    `json:"queue"`
	TaskType Type      `json:"task_type"`
	Status   rq.Status `json:"status"`
	// Existing: a job of this kind was queued or running already; it is that one.
	Existing bool `json:"existing"`
	// NoWorker: no live worker listens to Queue, so the job waits for one.
	NoWorker bool `json:"no_worker"`
}

// slot is the key that names the job of this kind of task. A dry run never
// stands for a real one.
func (c *Cleaner) slot(t Task) string {
	key := c.c.Queue.Namespace() + "cleanup:" + string(t.Type)
	if t.DryRun {
		key += ":dry"
	}
	if t.IncludeDocuments {
		key += ":documents"
	}
	return key
}

// Enqueue makes a job of the task. Of each kind one is queued or running at
// most: while there is one, that is the answer.
func (c *Cleaner) Enqueue(ctx context.Context, t Task) (Queued, error) {
	if err := t.Validate(); err != nil {
		return Queued{}, &document.Error{Kind: document.Invalid, Code: document.CodeInvalid, Field: field(t), Detail: err.Error()}
	}
	q := Queued{Queue: c.c.QueueName, TaskType: t.Type}
	job, existing, err := c.claim(ctx, t)
	if err != nil {
		return q, fmt.Errorf("enqueueing a cleanup: %w", err)
	}
	q.JobID, q.Status, q.Existing = job.ID, job.Status, existing
	info, err := c.c.Queue.QueueInfo(ctx, []string{c.c.QueueName})
	if err != nil {
		// The job is enqueued: that must not look like a failure.
		c.c.Log.Warn().Err(err).Msg("counting the workers of the cleanup queue")
		return q, nil
	}
	q.NoWorker = len(info) == 1 && info[0].Workers == 0
	return q, nil
}

func field(t Task) string {
	if t.OlderThan < 0 {
		return "older_than_hours"
	}
	return "task_type"
}

// claim enqueues a job under the task's slot, or returns the active one there.
func (c *Cleaner) claim(ctx context.Context, t Task) (job *rq.Job, existing bool, err error) {
	slot := c.slot(t)
	args, kwargs := t.args()
	id := uuid.NewString()
	spec := rq.Spec{ID: id, Queue: c.c.QueueName, Func: Func, Args: args, Kwargs: kwargs,
		Conditions: []rq.Condition{{ClaimKey: slot, ClaimValue: id}}}
	for range raceLimit {
		job, err := c.c.Queue.Enqueue(ctx, spec)
		var taken *rq.ConditionError
		if !errors.As(err, &taken) {
			return job, false, err
		}
		holder := taken.Actual
		if holder == "" {
			spec.Conditions = []rq.Condition{{ClaimKey: slot, ClaimValue: id}}
			continue
		}
		job, err = c.c.Queue.Job(ctx, holder)
		if err == nil && !job.Status.Final() {
			return job, true, nil
		}
		if err != nil && !errors.Is(err, rq.ErrNoJob) {
			return nil, false, err
		}
		// That one has ended: take its place, unless another is faster.
		spec.Conditions = []rq.Condition{{Guard: rq.Guard{Key: slot, Is: holder}}}
		spec.Effects = []rq.Effect{rq.Set(slot, id, 0)}
	}
	return nil, false, errors.New("others enqueue the same cleanup all the time; try again")
}

// Wait waits until an enqueued cleanup has ended and returns its report, or
// the job's error. It looks a few times a second until ctx ends.
func (c *Cleaner) Wait(ctx context.Context, jobID string) (Report, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		job, err := c.c.Queue.Job(ctx, jobID)
		if err != nil {
			return Report{}, fmt.Errorf("waiting for cleanup job %s: %w", jobID, err)
		}
		if job.Status.Final() {
			return c.result(ctx, job)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Report{}, fmt.Errorf("waiting for cleanup job %s, which is %s: %w", jobID, job.Status, ctx.Err())
		}
	}
}

func (c *Cleaner) result(ctx context.Context, job *rq.Job) (Report, error) {
	result, err := c.c.Queue.LatestResult(ctx, job.ID)
	if err != nil {
		return Report{}, fmt.Errorf("reading the result of cleanup job %s: %w", job.ID, err)
	}
	if result == nil {
		result = &rq.Result{}
	}
	if job.Status != rq.StatusFinished {
		return Report{}, fmt.Errorf("cleanup job %s is %s: %s", job.ID, job.Status, cmp.Or(result.Error, "no reason given"))
	}
	if result.ValueErr != nil {
		return Report{}, fmt.Errorf("reading the result of cleanup job %s: %w", job.ID, result.ValueErr)
	}
	return reportOf(result.Value)
}

// Handler runs cleanup jobs.
func (c *Cleaner) Handler() worker.Handler {
	return worker.Handler{Func: Func, Idempotent: true, Run: c.handle, Fields: fields}
}

func fields(j *rq.Job) map[string]string {
	t, err := TaskFromJob(j)
	if err != nil {
		return nil
	}
	return map[string]string{"task": string(t.Type)}
}

func (c *Cleaner) handle(ctx context.Context, task *worker.Task) (worker.Result, error) {
	t, err := TaskFromJob(task.Job)
	if err != nil {
		return worker.Result{}, &worker.Failure{Class: worker.Permanent, Code: "bad_arguments", Err: err}
	}
	report, err := c.run(ctx, t, task.Log)
	var refused *document.Error
	if errors.As(err, &refused) && refused.Kind == document.Conflict {
		return worker.Result{}, &worker.Failure{Class: worker.Permanent, Code: refused.Code, Err: err}
	}
	if err != nil {
		return worker.Result{}, err
	}
	return worker.Result{Value: report.dict()}, nil
}
