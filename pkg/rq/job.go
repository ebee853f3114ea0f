package rq

import "time"

// Job is a job hash as read. Fields that this package does not know stay in
// Extra; a payload that cannot be decoded leaves PayloadErr set and Func "".
type Job struct {
	ID     string
	Queue  string // the origin field
	Status Status // "created" when the hash has none, as RQ reads it

	Func       string
	Args       []any
	Kwargs     map[string]any
	PayloadErr error
	Serializer Serializer

	Description string
	WorkerName  string
	GroupID     string

	CreatedAt     time.Time
	EnqueuedAt    time.Time
	StartedAt     time.Time
	EndedAt       time.Time
	LastHeartbeat time.Time

	Timeout    time.Duration  // < 0: none
	ResultTTL  *time.Duration // nil: RQ's default; < 0: for ever; 0: not kept
	FailureTTL *time.Duration
	TTL        *time.Duration

	RetriesLeft     *int
	RetryIntervals  []time.Duration
	NumberOfRetries *int
	RepeatsLeft     *int
	RepeatIntervals []time.Duration
	Meta            map[string]any

	OnSuccess, OnFailure, OnStopped *Callback
	Webhooks                        []Webhook

	// Extra has every field not represented above, with its text as stored.
	Extra map[string]string

	noStatus bool // the hash has no status field
}

// Execution is one run of a job by one worker. J:E in rq:wip:Queue is the
// fencing token: whoever does not find it there has lost the job.
type Execution struct {
	ID        string // 32 hex digits
	JobID     string
	Queue     string
	Worker    string
	StartedAt time.Time

	LastHeartbeat time.Time // where Executions read it
}

// Member returns JobID:ID, the member that stands for this execution in
// rq:wip:Queue.
func (e Execution) Member() string { return e.JobID + ":" + e.ID }
