package rq

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// ExplainCause is why a job is not done, or that it is.
type ExplainCause string

// The causes that Explain tells apart.
const (
	CauseCreated         ExplainCause = "created"          // never put on a queue
	CauseWaiting         ExplainCause = "waiting"          // in its queue, behind others or about to start
	CauseSuspended       ExplainCause = "suspended"        // in its queue, and workers are suspended
	CauseNoWorker        ExplainCause = "no_worker"        // in its queue, which no live worker listens to
	CauseTaken           ExplainCause = "taken"            // in the intermediate list of a worker of RQ
	CauseLost            ExplainCause = "lost"             // nothing holds it: see Fsck
	CauseScheduled       ExplainCause = "scheduled"        // for a time that is ahead
	CauseOverdue         ExplainCause = "overdue"          // its time has passed; see Scheduler
	CauseDeferred        ExplainCause = "deferred"         // waits for other jobs
	CauseBlocked         ExplainCause = "blocked"          // waits for a job that failed or was canceled
	CauseRunning         ExplainCause = "running"          //
	CauseWorkerGone      ExplainCause = "worker_gone"      // says started, but its worker gives no sign of life
	CauseFailed          ExplainCause = "failed"           //
	CauseUnknownFunction ExplainCause = "unknown_function" // failed: no function of that name on the worker that took it
	CauseStopped         ExplainCause = "stopped"          //
	CauseCanceled        ExplainCause = "canceled"         //
	CauseFinished        ExplainCause = "finished"         //
	CauseGone            ExplainCause = "gone"             // its hash is gone, but something still tells of it
	CauseUnreadable      ExplainCause = "unreadable"       // of a status that RQ 2 doesn't have
)

// ExplainParent is a job that another one waits for.
type ExplainParent struct {
	ID     string `json:"id"`
	Status Status `json:"status"` // "" when it is gone, which counts as finished
}

// ExplainRate is how fast a queue's jobs were started lately.
type ExplainRate struct {
	Started   int     `json:"started"` // jobs
	Seconds   float64 `json:"seconds"` // in so many
	PerMinute float64 `json:"per_minute"`
}

// ExplainSpan is an estimate, in seconds from now.
type ExplainSpan struct {
	Earliest float64 `json:"earliest"`
	Latest   float64 `json:"latest"`
}

// ExplainEvent is the last thing that the events stream knows about a job.
type ExplainEvent struct {
	At        time.Time `json:"at"`
	From      Status    `json:"from,omitempty"`
	To        Status    `json:"to,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Worker    string    `json:"worker,omitempty"`
	ErrorCode string    `json:"error_code,omitempty"`
	Document  string    `json:"document,omitempty"` // of the label of that name
}

// Explanation is why a job is where it is. Fields that say nothing about its
// cause are empty. Times are by the server's clock.
type Explanation struct {
	JobID string       `json:"job_id"`
	Cause ExplainCause `json:"cause"`
	Text  string       `json:"text"` // one sentence with the evidence

	Queue  string `json:"queue,omitempty"`
	Func   string `json:"func_name,omitempty"`
	Status Status `json:"status,omitempty"`

	EnqueuedAt   *time.Time `json:"enqueued_at,omitempty"`
	ScheduledFor *time.Time `json:"scheduled_for,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`

	Position       *int         `json:"position,omitempty"` // 0 is next
	Length         *int         `json:"queue_length,omitempty"`
	Workers        []string     `json:"workers,omitempty"` // alive, listening to its queue
	Busy           int          `json:"workers_busy,omitempty"`
	Rate           *ExplainRate `json:"rate,omitempty"`
	StartsIn       *ExplainSpan `json:"starts_in,omitempty"`
	SuspendedUntil *time.Time   `json:"suspended_until,omitempty"`

	Scheduler string          `json:"scheduler,omitempty"` // who holds the scheduler lock of its queue
	WaitsFor  []ExplainParent `json:"waits_for,omitempty"`

	Worker        string     `json:"worker,omitempty"`
	Execution     string     `json:"execution,omitempty"`
	LastHeartbeat *time.Time `json:"last_heartbeat,omitempty"`
	LeaseUntil    *time.Time `json:"lease_until,omitempty"` // docsvc's workers only
	HeldUntil     *time.Time `json:"held_until,omitempty"`  // by its score in rq:wip
	Timeout       *float64   `json:"timeout,omitempty"`     // seconds
	Recovered     int        `json:"recovered,omitempty"`   // deaths of its worker
	RetriesLeft   *int       `json:"retries_left,omitempty"`
	Error         string     `json:"error,omitempty"` // its last line
	ErrorCode     string     `json:"error_code,omitempty"`
	ExpiresAt     *time.Time `json:"expires_at,omitempty"` // when its hash is forgotten

	LastEvent *ExplainEvent `json:"last_event,omitempty"`

	now    time.Time
	job    *Job
	others bool // workers that are not docsvc's listen, too
}

// Explain says why a job is not done, or when it was, with the evidence. It
// only reads. ErrNoJob when nothing tells of such a job.
func (c *Client) Explain(ctx context.Context, id string) (*Explanation, error) {
	x, err := c.explain(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("explaining job %s: %w", id, err)
	}
	return x, nil
}

func (c *Client) explain(ctx context.Context, id string) (*Explanation, error) {
	now, err := c.serverTime(ctx)
	if err != nil {
		return nil, err
	}
	x := &Explanation{JobID: id, now: now.UTC()}
	j, err := c.Job(ctx, id)
	if errors.Is(err, ErrNoJob) {
		return c.explainGone(ctx, x)
	}
	if err != nil {
		return nil, err
	}
	x.job, x.Queue, x.Func, x.Status = j, j.Queue, j.Func, j.Status
	x.EnqueuedAt, x.EndedAt = momentOf(j.EnqueuedAt), momentOf(j.EndedAt)
	x.RetriesLeft = j.RetriesLeft
	deaths, err := c.rdb.HGet(ctx, c.keyRecovered(), id).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return nil, err
	}
	x.Recovered, _ = strconv.Atoi(deaths)
	history, err := c.history(ctx, id, j.Queue, now)
	if err != nil {
		return nil, err
	}
	x.LastEvent = history.last
	switch j.Status {
	case StatusCreated:
		x.say(CauseCreated, "It was created at %s and never put on a queue", x.at(j.CreatedAt))
	case StatusQueued:
		err = c.explainQueued(ctx, x, history)
	case StatusScheduled:
		err = c.explainScheduled(ctx, x)
	case StatusDeferred:
		err = c.explainDeferred(ctx, x)
	case StatusStarted:
		err = c.explainStarted(ctx, x)
	case StatusFailed, StatusStopped, StatusCanceled, StatusFinished:
		err = c.explainEnded(ctx, x)
	default:
		x.say(CauseUnreadable, "Its status %.40q is none that RQ 2 knows: nobody takes it. See: docsvc queue fsck", string(j.Status))
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

func momentOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (x *Explanation) say(cause ExplainCause, format string, a ...any) {
	x.Cause, x.Text = cause, fmt.Sprintf(format, a...)
	x.Text += "."
}

// at writes a time and how far it is away.
func (x *Explanation) at(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	text := t.UTC().Format(time.RFC3339)
	switch d := x.now.Sub(t); {
	case d >= time.Second:
		return fmt.Sprintf("%s (%s ago)", text, span(d))
	case d <= -time.Second:
		return fmt.Sprintf("%s (in %s)", text, span(-d))
	}
	return text + " (now)"
}

// span writes a duration in its two largest units.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(math.Ceil(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
}
