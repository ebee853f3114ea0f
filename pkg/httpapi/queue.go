package httpapi

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/docsvc/docsvc/pkg/cleanup"
	"github.com/docsvc/docsvc/pkg/rq"
)

// QueueInfo is one queue of GET /queue/info.
type QueueInfo struct {
	Name          string  `json:"name" doc:"The queue's name"`
	Length        int     `json:"length" doc:"Jobs that wait to be taken"`
	FailedCount   int     `json:"failed_count" doc:"Jobs that failed and are kept"`
	StartedCount  int     `json:"started_count" doc:"Jobs that run now"`
	FinishedCount int     `json:"finished_count" doc:"Jobs that finished and whose result is kept"`
	DeferredCount int     `json:"deferred_count" doc:"Jobs that wait for another job"`
	Scheduled     int     `json:"scheduled_count" doc:"Jobs that wait for their time, retries among them"`
	Canceled      int     `json:"canceled_count" doc:"Jobs that were canceled"`
	Workers       int     `json:"workers" doc:"Live workers that listen to it"`
	OldestSeconds float64 `json:"oldest_job_age_seconds" doc:"How long the next job has been waiting; 0 when none is"`
}

func queueInfo(q rq.QueueInfo) QueueInfo {
	return QueueInfo{
		Name: q.Name, Length: q.Length, FailedCount: q.Failed, StartedCount: q.Started, FinishedCount: q.Finished,
		DeferredCount: q.Deferred, Scheduled: q.Scheduled, Canceled: q.Canceled, Workers: q.Workers,
		OldestSeconds: math.Round(q.OldestAge.Seconds()*1000) / 1000,
	}
}

type queuesOutput struct {
	Body []QueueInfo `nullable:"false"`
}

type queueInput struct {
	Name string `path:"queue_name" minLength:"1" maxLength:"200" doc:"Name of the queue" example:"document_processing"`
}

type queueOutput struct{ Body QueueInfo }

type cleanupRequest struct {
	TaskType       string `json:"task_type" enum:"s3_cleanup,orphaned_files,expired_uploads,daily" doc:"What to clean up"`
	OlderThanHours *int   `json:"older_than_hours,omitempty" minimum:"0" maximum:"87600" default:"24" doc:"How old an object has to be"`
	DryRun         bool   `json:"dry_run,omitempty" doc:"Only count what would be deleted"`
}

type cleanupInput struct{ Body cleanupRequest }

// CleanupAccepted is what POST /queue/cleanup answers.
type CleanupAccepted struct {
	JobID    string `json:"job_id" doc:"The job; its result tells what was found and deleted"`
	TaskType string `json:"task_type" doc:"As asked for"`
	Status   string `json:"status" doc:"The job's status: queued, or that of the one of the kind that was there already"`
}

type cleanupOutput struct{ Body CleanupAccepted }

const (
	queueExample = `{"name":"document_processing","length":3,"failed_count":0,"started_count":1,"finished_count":15,"deferred_count":0,` +
		`"scheduled_count":0,"canceled_count":0,"workers":2,"oldest_job_age_seconds":4.2}`
	cleanupQueueExample = `{"name":"cleanup_tasks","length":0,"failed_count":0,"started_count":0,"finished_count":5,"deferred_count":0,` +
		`"scheduled_count":0,"canceled_count":0,"workers":1,"oldest_job_age_seconds":0}`
)

func (a *api) queueRoutes() {
	register(a, operation{
		ID: "list-queues", Method: "GET", Path: "/api/v1/queue/info", Tag: tagQueue,
		Summary:     "All queues",
		Description: "The configured queues first, always, then any other that RQ knows in this Redis.",
		Curl:        `curl http://localhost:8000/api/v1/queue/info`,
		Example:     "[" + queueExample + "," + cleanupQueueExample + "]",
		Codes:       []string{"queue_unavailable"},
	}, a.listQueues)
	register(a, operation{
		ID: "get-queue", Method: "GET", Path: "/api/v1/queue/info/{queue_name}", Tag: tagQueue,
		Summary: "One queue",
		Curl:    `curl http://localhost:8000/api/v1/queue/info/document_processing`,
		Example: queueExample,
		Codes:   []string{"invalid_request", "queue_not_found", "queue_unavailable"},
	}, a.getQueue)
	register(a, operation{
		ID: "clean-up", Method: "POST", Path: "/api/v1/queue/cleanup", Tag: tagQueue, Status: 202,
		Summary: "Ask for a cleanup",
		Description: "Enqueues one of: s3_cleanup (uploads older than older_than_hours that nothing needs any more), orphaned_files (objects without a record), " +
			"expired_uploads (documents whose upload URL ran out unused), daily (all three). " +
			"At most one of a kind is queued or running, dry runs apart: asking again answers the job that is there.",
		Curl: `curl -X POST http://localhost:8000/api/v1/queue/cleanup \
  -H "Content-Type: application/json" \
  -d '{"task_type": "s3_cleanup", "older_than_hours": 24, "dry_run": true}'`,
		Example: `{"job_id":"cleanup-s3_cleanup","task_type":"s3_cleanup","status":"queued"}`,
		Codes:   []string{"invalid_request", "queue_unavailable"},
	}, a.cleanUp)
}

func (a *api) listQueues(ctx context.Context, _ *struct{}) (*queuesOutput, error) {
	names, err := a.queueNames(ctx)
	if err != nil {
		return nil, err
	}
	infos, err := a.Queue.QueueInfo(ctx, names)
	if err != nil {
		return nil, fmt.Errorf("counting queues: %w", err)
	}
	out := &queuesOutput{Body: []QueueInfo{}}
	for _, q := range infos {
		out.Body = append(out.Body, queueInfo(q))
	}
	return out, nil
}

func (a *api) getQueue(ctx context.Context, in *queueInput) (*queueOutput, error) {
	if err := a.knownQueue(ctx, in.Name); err != nil {
		return nil, err
	}
	infos, err := a.Queue.QueueInfo(ctx, []string{in.Name})
	if err != nil || len(infos) != 1 {
		return nil, fmt.Errorf("counting queue %s: %w", in.Name, err)
	}
	return &queueOutput{Body: queueInfo(infos[0])}, nil
}

// queueNames lists the configured queues in their order, then the others that
// were ever used.
func (a *api) queueNames(ctx context.Context) ([]string, error) {
	used, err := a.Queue.QueueNames(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing queues: %w", err)
	}
	names := slices.Clone(a.Queues)
	for _, n := range used {
		if !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names, nil
}

func (a *api) knownQueue(ctx context.Context, name string) error {
	if slices.Contains(a.Queues, name) {
		return nil
	}
	names, err := a.queueNames(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(names, name) {
		return newProblem("queue_not_found", fmt.Sprintf(
			"There is no queue %s. GET /api/v1/queue/info lists them all.", shorten(name, 200)))
	}
	return nil
}

func (a *api) listJobs(ctx context.Context, in *jobsInput) (*jobsOutput, error) {
	if err := a.knownQueue(ctx, in.Queue); err != nil {
		return nil, err
	}
	jobs, next, err := a.Queue.List(ctx, in.Queue, rq.Registry(in.Registry), in.Cursor, in.Limit)
	if err != nil {
		return nil, fmt.Errorf("listing %s of queue %s: %w", in.Registry, in.Queue, err)
	}
	page, err := JobPage(ctx, a.Queue, jobs, next)
	if err != nil {
		return nil, err
	}
	return &jobsOutput{Body: page}, nil
}

func (a *api) cleanUp(ctx context.Context, in *cleanupInput) (*cleanupOutput, error) {
	task := cleanup.Task{Type: cleanup.Type(in.Body.TaskType), DryRun: in.Body.DryRun, OlderThan: cleanup.DefaultOlderThan}
	if in.Body.OlderThanHours != nil {
		task.OlderThan = time.Duration(*in.Body.OlderThanHours) * time.Hour
	}
	queued, err := a.Cleanup.Enqueue(ctx, task)
	if err != nil {
		return nil, fmt.Errorf("enqueueing cleanup %s: %w", in.Body.TaskType, err)
	}
	return &cleanupOutput{Body: CleanupAccepted{JobID: queued.JobID, TaskType: string(queued.TaskType), Status: string(queued.Status)}}, nil
}
