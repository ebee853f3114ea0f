package document

import (
	"context"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// pollEvery is how often a waiting request looks by itself, in case an event
// was trimmed away before it was read.
const pollEvery = 5 * time.Second

// Status is how far a document is: the body of GET /documents/{id}/status.
type Status struct {
	DocumentID      string  `json:"document_id"`
	JobID           *string `json:"job_id"` // null until process was asked for
	Status          State   `json:"status"`
	Progress        int     `json:"progress"` // 0 to 100
	CurrentStep     string  `json:"current_step"`
	ChunksProcessed int     `json:"chunks_processed"`
	TotalChunks     int     `json:"total_chunks"`
	// ProcessingTime is seconds of the last run, or of the present one so far.
	ProcessingTime *float64 `json:"processing_time"`
	S3FileDeleted  bool     `json:"s3_file_deleted"`
	DuplicateOf    *string  `json:"duplicate_of"`
	// Error and ErrorCode are why it failed or, while it waits to be tried
	// again, why the last attempt did.
	Error     *string `json:"error"`
	ErrorCode *string `json:"error_code"`
	// EstimatedTimeRemaining is in seconds, null when nothing is under way.
	EstimatedTimeRemaining *int       `json:"estimated_time_remaining"`
	Attempts               int        `json:"attempts"`
	NextAttemptAt          *time.Time `json:"next_attempt_at"`
	Partial                bool       `json:"partial"` // some pages are missing: FailedPages
	FailedPages            []int      `json:"failed_pages"`
	Warnings               []string   `json:"warnings"`
	CreatedAt              time.Time  `json:"created_at"`
	UpdatedAt              time.Time  `json:"updated_at"`
	// Explanation is what Explain says, where that was asked for.
	Explanation string `json:"explanation,omitempty"`
}

// Status reads record and job in one round trip; what is still under way gets
// an estimate in another. NotFound when there is no record.
func (s *Service) Status(ctx context.Context, id string) (*Status, error) {
	v, err := s.view(ctx, id)
	if isNotFound(err) {
		v.Document, err = s.archived(ctx, id)
	}
	if err != nil {
		return nil, err
	}
	st := v.status(s.c.Clock())
	if v.Status.Active() {
		p, err := s.pace(ctx)
		if err != nil {
			return nil, err
		}
		n := seconds(v.remaining(p, s.c.Clock()))
		st.EstimatedTimeRemaining = &n
	}
	return st, nil
}

func (v view) status(now time.Time) *Status {
	d := v.Document
	st := &Status{
		DocumentID: d.ID, Status: d.Status, Progress: d.Progress, CurrentStep: v.step(now),
		ChunksProcessed: d.ChunksProcessed, TotalChunks: d.TotalChunks, S3FileDeleted: d.UploadRemoved,
		DuplicateOf: present(d.DuplicateOf), Error: present(d.Error), ErrorCode: present(d.ErrorCode),
		Attempts: d.Attempts, Partial: d.Partial, FailedPages: d.FailedPages, Warnings: d.Warnings,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
	}
	if !d.QueuedAt.IsZero() {
		st.JobID = &d.JobID
	}
	if d.Status == Uploaded && d.NextAttemptAt.After(now) {
		st.NextAttemptAt = &d.NextAttemptAt
	}
	if st.FailedPages == nil {
		st.FailedPages = []int{}
	}
	if st.Warnings == nil {
		st.Warnings = []string{}
	}
	switch {
	case d.Status.Working() && !d.StartedAt.IsZero():
		st.ProcessingTime = inSeconds(now.Sub(d.StartedAt))
	case !d.FinishedAt.IsZero() && !d.StartedAt.IsZero():
		st.ProcessingTime = inSeconds(d.ProcessingTime)
	}
	return st
}

func present(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// inSeconds has milliseconds at most. Divided, not summed up as
// Duration.Seconds does, so that 7.278 is written so.
func inSeconds(d time.Duration) *float64 {
	f := float64(max(0, d).Milliseconds()) / 1000
	return &f
}

// step says in words what is happening. The claim of a job and its coming due
// don't touch the record; the job's status tells of them.
func (v view) step(now time.Time) string {
	switch {
	case v.Status == AwaitingUpload && now.Before(v.UploadExpiresAt):
		return "waiting for the upload"
	case v.Status == AwaitingUpload:
		return "the upload URL has run out"
	case v.Status != Uploaded:
		return v.CurrentStep
	case v.job == rq.StatusStarted:
		return "starting"
	case v.job == rq.StatusQueued && !v.NextAttemptAt.IsZero():
		return "waiting in the queue to be tried again"
	case v.job == "":
		return "its job is missing from the queue; it will be enqueued again or failed within a minute"
	}
	return v.CurrentStep
}

// remaining estimates the time until an active document is final.
func (v view) remaining(p pace, now time.Time) time.Duration {
	if !v.Status.Working() {
		rest := p.total(max(0, p.queued-1))
		if wait := v.NextAttemptAt.Sub(now); wait > 0 {
			rest = max(rest, wait+p.typical)
		}
		return rest
	}
	elapsed := now.Sub(v.StartedAt)
	if v.StartedAt.IsZero() || elapsed < 0 {
		elapsed = 0
	}
	const enough = 5 // percent: before that a projection says nothing
	if v.Progress >= enough {
		return elapsed * time.Duration(100-min(v.Progress, 100)) / time.Duration(v.Progress)
	}
	return p.typical - elapsed
}

// WaitStatus waits until the document's state is final, at most wait, and
// returns how it stands then. When ctx ends first, the error is its. Any number
// of waiters share one connection.
func (s *Service) WaitStatus(ctx context.Context, id string, wait time.Duration) (*Status, error) {
	changed, stop := s.watch.subscribe(id)
	defer stop()
	over := time.NewTimer(wait)
	defer over.Stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		st, err := s.Status(ctx, id)
		if err != nil || st.Status.Final() {
			return st, err
		}
		select {
		case <-changed:
		case <-poll.C:
		case <-over.C:
			return s.Status(ctx, id)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// accepted answers a ProcessRequest whose job is job.
func (s *Service) accepted(ctx context.Context, d *Document, job *rq.Job, r ProcessRequest) (*Accepted, error) {
	a := &Accepted{JobID: job.ID, DocumentID: d.ID, Status: Uploaded}
	if d.Status.Active() || d.Status.Succeeded() {
		a.Status = d.Status
	}
	if d.Status.Succeeded() {
		a.EstimatedTime = words(0)
		return a, nil
	}
	p, err := s.pace(ctx)
	if err != nil {
		// The job is enqueued: that an estimate failed must not look otherwise.
		s.c.Log.Warn().Err(err).Str("document", d.ID).Msg("estimating how long a document will take")
	}
	ahead := max(0, p.queued-1)
	if r.Priority == PriorityHigh {
		ahead = 0
	}
	left := p.total(ahead)
	a.EstimatedTime, a.EstimatedSeconds = words(left), seconds(left)
	return a, nil
}
