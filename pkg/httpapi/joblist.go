package httpapi

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/docsvc/docsvc/pkg/rq"
)

// JobPage turns a page of rq.Client.List into what GET /queue/jobs answers.
// It reads the errors of jobs that failed.
func JobPage(ctx context.Context, q *rq.Client, jobs []*rq.Job, next string) (*JobList, error) {
	page := &JobList{Jobs: make([]JobSummary, len(jobs)), NextCursor: optional(next)}
	var g errgroup.Group
	g.SetLimit(8)
	for i, j := range jobs {
		page.Jobs[i] = JobSummary{
			ID: j.ID, FuncName: cut(j.Func), Status: string(j.Status), Origin: j.Queue,
			CreatedAt: moment(j.CreatedAt), EnqueuedAt: moment(j.EnqueuedAt),
			StartedAt: moment(j.StartedAt), EndedAt: moment(j.EndedAt),
		}
		if j.EndedAt.IsZero() || j.Status == rq.StatusFinished {
			continue
		}
		g.Go(func() error {
			r, err := q.LatestResult(ctx, j.ID)
			if err == nil && r != nil {
				page.Jobs[i].Error = oneLine(r.Error)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("reading the errors of jobs: %w", err)
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
	return changed(j, rq.StatusQueued), nil
}
