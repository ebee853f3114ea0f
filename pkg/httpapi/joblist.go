package httpapi

import (
	"context"
	"errors"
	"fmt"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/rq"
)

// JobPage turns a page of rq.Client.List into what GET /queue/jobs answers.
// It reads the errors of jobs that failed.
func JobPage(ctx context.Context, q *rq.Client, jobs []*rq.Job, next string) (*JobList, error) {
	page := &JobList{Jobs: make([]JobSummary, 0, len(jobs)), NextCursor: optional(next)}
	for _, j := range jobs {
		s := JobSummary{
			ID: j.ID, FuncName: cut(j.Func), Status: string(j.Status), Origin: j.Queue,
			CreatedAt: moment(j.CreatedAt), EnqueuedAt: moment(j.EnqueuedAt),
			StartedAt: moment(j.StartedAt), EndedAt: moment(j.EndedAt),
		}
		if !j.EndedAt.IsZero() && j.Status != rq.StatusFinished {
			r, err := q.LatestResult(ctx, j.ID)
			if err != nil {
				return nil, fmt.Errorf("reading the result of job %s: %w", j.ID, err)
			}
			if r != nil {
				s.Error = oneLine(r.Error)
			}
		}
		page.Jobs = append(page.Jobs, s)
	}
	return page, nil
}

// retryJob leaves a document's job to its service, which knows whether the
// file is still there.
func (a *api) retryJob(ctx context.Context, in *jobInput) (*changedOutput, error) {
	j, err := a.Queue.Job(ctx, in.JobID)
	if err != nil {
		return nil, noJob(err, in.JobID)
	}
	if j.Func == document.ProcessFunc {
		j, err = a.Documents.Retry(ctx, in.JobID)
	} else {
		j, err = a.Queue.Requeue(ctx, in.JobID, rq.RequeueOptions{})
	}
	var conflict *rq.ConditionError
	if errors.As(err, &conflict) {
		return nil, fmt.Errorf("%w: %w", newProblem("busy", "The document changed at the same time. Look at its status and try again."), err)
	}
	if err != nil {
		return nil, noJob(err, in.JobID)
	}
	return changed(j), nil
}
