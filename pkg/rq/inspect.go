package rq

import (
	"context"
	"time"
)

// ResultType is the type field of an entry in a results stream.
type ResultType int

// The types (rq/results.py, Result.Type).
const (
	ResultSuccessful ResultType = 1
	ResultFailed     ResultType = 2
	ResultStopped    ResultType = 3
	ResultRetried    ResultType = 4
	ResultMaxRetries ResultType = 5
)

// Result is an entry of a job's results stream.
type Result struct {
	ID          string // stream entry id
	Type        ResultType
	Value       any   // the return value, nil for None
	ValueErr    error // why Value could not be decoded
	Error       string
	WorkerName  string
	ExecutionID string
	CreatedAt   time.Time
	StartedAt   time.Time // of the execution, zero when unknown
	EndedAt     time.Time
}

// QueueInfo counts a queue. Canceled counts rq:canceled.
type QueueInfo struct {
	Name      string
	Length    int
	Failed    int
	Started   int
	Finished  int
	Deferred  int
	Scheduled int
	Canceled  int
	Workers   int           // live workers that listen to it
	OldestAge time.Duration // of the job at the head, 0 when empty
}

// Job reads one job; ErrNoJob when there is none.
func (c *Client) Job(ctx context.Context, id string) (*Job, error) { return nil, errNotBuilt }

// Jobs reads several jobs in one round trip; the entry of a missing one is nil.
func (c *Client) Jobs(ctx context.Context, ids []string) ([]*Job, error) { return nil, errNotBuilt }

// Position returns a queued job's place in its queue, 0 being next. It looks
// at the first and last 10,000 entries.
func (c *Client) Position(ctx context.Context, j *Job) (int, bool) { return 0, false }

// LatestResult returns the newest entry of the job's results, nil when there
// is none.
func (c *Client) LatestResult(ctx context.Context, id string) (*Result, error) {
	return nil, errNotBuilt
}

// QueueInfo counts queues in one round trip. It only reads.
func (c *Client) QueueInfo(ctx context.Context, names []string) ([]QueueInfo, error) {
	return nil, errNotBuilt
}

// QueueNames returns the names in rq:queues, sorted.
func (c *Client) QueueNames(ctx context.Context) ([]string, error) { return nil, errNotBuilt }
