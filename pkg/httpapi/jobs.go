package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// Job is what GET /queue/job/{id} answers, for a job of any RQ producer.
type Job struct {
	ID          string         `json:"id" doc:"The job's id"`
	Status      string         `json:"status" doc:"created, queued, started, finished, failed, deferred, scheduled, stopped or canceled"`
	Origin      string         `json:"origin" doc:"The queue it belongs to"`
	FuncName    string         `json:"func_name" doc:"The function it calls; empty when the payload can't be read"`
	Args        []any          `json:"args" nullable:"false" doc:"Positional arguments. Objects of unknown Python classes are shown as text, large values are cut"`
	Kwargs      map[string]any `json:"kwargs" doc:"Keyword arguments, shown as args are"`
	Description string         `json:"description" doc:"The call in words"`
	CreatedAt   *time.Time     `json:"created_at" doc:"When it was made"`
	EnqueuedAt  *time.Time     `json:"enqueued_at" doc:"When it last came onto its queue"`
	StartedAt   *time.Time     `json:"started_at" doc:"When its latest run began"`
	EndedAt     *time.Time     `json:"ended_at" doc:"When its latest run ended"`
	Timeout     *int           `json:"timeout" doc:"Seconds a run may take; -1 is no limit"`
	WorkerName  *string        `json:"worker_name" doc:"The worker that ran it last"`
	RetriesLeft *int           `json:"retries_left" doc:"How often it is still tried again after a failure"`
	Result      any            `json:"result" doc:"What it returned, shown as args are; null if nothing"`
	ExcInfo     *string        `json:"exc_info" doc:"The error of its latest run, or why its payload can't be read"`
	Meta        map[string]any `json:"meta" doc:"What producers and workers noted on it"`
	Position    *int           `json:"position" doc:"Its place in the queue, 0 being next; null when it isn't waiting there"`
}

// JobSummary is one line of GET /queue/jobs.
type JobSummary struct {
	ID         string     `json:"id" doc:"The job's id"`
	FuncName   string     `json:"func_name" doc:"The function it calls; empty when the payload is too large to look into or can't be read"`
	Status     string     `json:"status" doc:"Its status; empty when the job itself is gone and only its entry is left"`
	Origin     string     `json:"origin" doc:"The queue it belongs to"`
	CreatedAt  *time.Time `json:"created_at" doc:"When it was made"`
	EnqueuedAt *time.Time `json:"enqueued_at" doc:"When it last came onto its queue"`
	StartedAt  *time.Time `json:"started_at" doc:"When its latest run began"`
	EndedAt    *time.Time `json:"ended_at" doc:"When its latest run ended"`
	Error      *string    `json:"error" doc:"One line of the latest run's error"`
}

// JobList is what GET /queue/jobs answers.
type JobList struct {
	Jobs       []JobSummary `json:"jobs" nullable:"false" doc:"Waiting jobs in queue order, others newest first"`
	NextCursor *string      `json:"next_cursor" doc:"Give it as cursor for the next page; null on the last"`
}

// JobView reads a job as GET /queue/job/{id} shows it: rq.ErrNoJob when there
// is none.
func JobView(ctx context.Context, q *rq.Client, id string) (*Job, error) {
	j, err := q.Job(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading job %s: %w", id, err)
	}
	result, err := q.LatestResult(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("reading the result of job %s: %w", id, err)
	}
	v := &Job{
		ID: j.ID, Status: string(j.Status), Origin: j.Queue, FuncName: cut(j.Func),
		Args: plainArgs(j.Args), Kwargs: plainMap(j.Kwargs), Description: cut(j.Description),
		CreatedAt: moment(j.CreatedAt), EnqueuedAt: moment(j.EnqueuedAt),
		StartedAt: moment(j.StartedAt), EndedAt: moment(j.EndedAt),
		Timeout: timeoutSeconds(j.Timeout), WorkerName: optional(j.WorkerName), RetriesLeft: j.RetriesLeft,
		Meta: plainMap(j.Meta),
	}
	if j.PayloadErr != nil {
		v.ExcInfo = optional("the payload can't be read: " + j.PayloadErr.Error())
	}
	if result != nil {
		v.Result, v.ExcInfo = outcome(result, v.ExcInfo)
	}
	if j.Status == rq.StatusQueued {
		if at, ok := q.Position(ctx, j); ok {
			v.Position = &at
		}
	}
	return v, nil
}

// outcome shows a result the way RQ does: a value only for a success.
func outcome(r *rq.Result, payloadErr *string) (value any, exc *string) {
	exc = payloadErr
	switch {
	case r.Error != "":
		exc = optional(errorText(r.Error))
	case r.ValueErr != nil:
		exc = optional("the result can't be read: " + r.ValueErr.Error())
	}
	if r.Type == rq.ResultSuccessful && r.ValueErr == nil {
		value = plain(r.Value)
	}
	return value, exc
}

// oneLine finds the line of an error that says most: the last of a Python
// traceback, else the first.
func oneLine(text string) *string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	line, _, more := strings.Cut(text, "\n")
	if more && strings.HasPrefix(line, "Traceback ") {
		line = text[strings.LastIndexByte(text, '\n')+1:]
	}
	const longest = 300
	return optional(shorten(strings.ToValidUTF8(strings.TrimSpace(line), "\uFFFD"), longest))
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func timeoutSeconds(d time.Duration) *int {
	s := int(d / time.Second)
	switch {
	case d == 0:
		return nil
	case d < 0:
		s = -1
	}
	return &s
}

type jobInput struct {
	JobID string `path:"job_id" pattern:"^[A-Za-z0-9_-]{1,200}$" patternDescription:"a job id: letters, digits, _ and - only" doc:"The job's id" example:"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10"`
}

type jobOutput struct{ Body *Job }

// Changed is what cancel and retry answer.
type Changed struct {
	JobID  string `json:"job_id" doc:"The job's id"`
	Status string `json:"status" doc:"Its status now"`
	Origin string `json:"origin" doc:"The queue it belongs to"`
}

type changedOutput struct{ Body Changed }

type jobsInput struct {
	Queue    string `query:"queue" required:"true" minLength:"1" maxLength:"200" doc:"Name of the queue" example:"document_processing"`
	Registry string `query:"registry" default:"queued" enum:"queued,started,finished,failed,deferred,scheduled,canceled" doc:"Which of the queue's jobs"`
	Limit    int    `query:"limit" default:"50" minimum:"1" maximum:"100" doc:"Jobs per page"`
	Cursor   string `query:"cursor" pattern:"^[0-9]{1,9}$" patternDescription:"the next_cursor of another answer, as it came" doc:"next_cursor of the page before"`
}

type jobsOutput struct{ Body *JobList }

func (a *api) jobRoutes() {
	register(a, operation{
		ID: "list-jobs", Method: "GET", Path: "/api/v1/queue/jobs", Tag: tagQueue,
		Summary:     "Page through the jobs of a queue",
		Description: "Lists one of the queue's registries. Looking changes nothing, unlike in RQ.",
		Curl:        `curl "http://localhost:8000/api/v1/queue/jobs?queue=document_processing&registry=failed&limit=20"`,
		Example: `{"jobs":[{"id":"b0d1c7d2-6b0c-4f0e-8f43-0c8f7a3a9f11","func_name":"docsvc.process_document","status":"failed",` +
			`"origin":"document_processing","created_at":"2026-11-23T16:00:00Z","enqueued_at":"2026-11-23T16:00:00Z",` +
			`"started_at":"2026-11-23T16:00:01Z","ended_at":"2026-11-23T16:00:02Z","error":"The PDF is encrypted and wants a password."}],"next_cursor":null}`,
		Codes: []string{"invalid_request", "queue_not_found", "queue_unavailable"},
	}, a.listJobs)
	register(a, operation{
		ID: "get-job", Method: "GET", Path: "/api/v1/queue/job/{job_id}", Tag: tagQueue,
		Summary:     "Look at a job",
		Description: "Any RQ job, whoever enqueued it. Pickled values are never executed: what isn't plain data is shown as text.",
		Curl:        `curl http://localhost:8000/api/v1/queue/job/JOB_ID`,
		Example: `{"id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","status":"finished","origin":"document_processing",` +
			`"func_name":"docsvc.process_document","args":["0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d"],"kwargs":{},` +
			`"description":"docsvc.process_document('0d6b5c1e-58a5-4f0e-9d4c-6f0a8a1c2b3d')","created_at":"2026-11-23T16:00:00Z",` +
			`"enqueued_at":"2026-11-23T16:00:00Z","started_at":"2026-11-23T16:00:01Z","ended_at":"2026-11-23T16:00:04Z","timeout":1800,` +
			`"worker_name":"worker-1","retries_left":3,"result":{"status":"completed","chunks":42},"exc_info":null,"meta":{},"position":null}`,
		Codes: []string{"invalid_request", "job_not_found", "queue_unavailable"},
	}, a.getJob)
	register(a, operation{
		ID: "cancel-job", Method: "POST", Path: "/api/v1/queue/job/{job_id}/cancel", Tag: tagQueue,
		Summary: "Cancel a job",
		Description: "Takes a waiting job off its queue and ends a running one. A worker that is at it loses the job at once; " +
			"what it still writes is refused. The document, if there is one, becomes canceled and can be retried.",
		Curl:    `curl -X POST http://localhost:8000/api/v1/queue/job/JOB_ID/cancel`,
		Example: `{"job_id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","status":"canceled","origin":"document_processing"}`,
		Codes:   []string{"invalid_request", "job_not_found", "job_state", "queue_unavailable"},
	}, a.cancelJob)
	register(a, operation{
		ID: "retry-job", Method: "POST", Path: "/api/v1/queue/job/{job_id}/retry", Tag: tagQueue,
		Summary:     "Run a failed, stopped or canceled job again",
		Description: "Puts the same job back on its queue, with its retries as at first. That of a document only while its uploaded file is still there.",
		Curl:        `curl -X POST http://localhost:8000/api/v1/queue/job/JOB_ID/retry`,
		Example:     `{"job_id":"3f0f7a9e-0b8f-4c1e-9d0e-2a8d1c5b7f10","status":"queued","origin":"document_processing"}`,
		Codes: []string{"invalid_request", "job_not_found", "document_not_found", "job_state", "upload_missing", "size_mismatch", "upload_expired",
			"upload_gone", "object_missing", "too_large", "archived", "busy", "queue_unavailable", "storage_unavailable", "newer_schema", "corrupt_record"},
	}, a.retryJob)
}

func (a *api) getJob(ctx context.Context, in *jobInput) (*jobOutput, error) {
	j, err := JobView(ctx, a.Queue, in.JobID)
	if err != nil {
		return nil, noJob(err, in.JobID)
	}
	return &jobOutput{Body: j}, nil
}

func (a *api) cancelJob(ctx context.Context, in *jobInput) (*changedOutput, error) {
	j, err := a.Queue.Cancel(ctx, in.JobID)
	if err != nil {
		return nil, noJob(err, in.JobID)
	}
	return changed(j, rq.StatusCanceled), nil
}

// changed answers a transition to a status; rq gives the job as it was before.
func changed(j *rq.Job, to rq.Status) *changedOutput {
	return &changedOutput{Body: Changed{JobID: j.ID, Status: string(to), Origin: j.Queue}}
}

// noJob names the job that isn't there.
func noJob(err error, id string) error {
	if !errors.Is(err, rq.ErrNoJob) {
		return err
	}
	return newProblem("job_not_found", fmt.Sprintf(
		"There is no job %s. It may have been removed: finished jobs are kept for a day, failed ones for 30 days, unless configured otherwise.", id))
}
