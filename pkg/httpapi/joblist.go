package httpapi

import (
	"context"
	"fmt"

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

// retryJob is the document service's: it knows whether the file of a
// document's job is still there, and lets other jobs pass.
func (a *api) retryJob(ctx context.Context, in *jobInput) (*changedOutput, error) {
	j, err := a.Documents.Retry(ctx, in.JobID)
	if err != nil {
		return nil, noJob(err, in.JobID)
	}
	return changed(j), nil
}
