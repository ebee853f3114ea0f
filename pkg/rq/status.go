package rq

import "time"

// Status is the text in a job hash's status field. RQ 2.x knows the nine
// constants below; any other text is kept as it is and never written by us.
type Status string

// The statuses of RQ 2.12 (rq/job.py, JobStatus).
const (
	StatusCreated   Status = "created"
	StatusQueued    Status = "queued"
	StatusStarted   Status = "started"
	StatusFinished  Status = "finished"
	StatusFailed    Status = "failed"
	StatusDeferred  Status = "deferred"
	StatusScheduled Status = "scheduled"
	StatusStopped   Status = "stopped"
	StatusCanceled  Status = "canceled"
)

// Final reports whether nothing happens to a job of this status by itself.
func (s Status) Final() bool {
	switch s {
	case StatusFinished, StatusFailed, StatusStopped, StatusCanceled:
		return true
	}
	return false
}

// Serializer is how a job's payload, meta and result are encoded.
type Serializer int

// The serializers that RQ ships and both sides can read.
const (
	Pickle Serializer = iota // pickle protocol 5, RQ's default
	JSON
)

// String returns "pickle" or "json".
func (s Serializer) String() string {
	if s == JSON {
		return "json"
	}
	return "pickle"
}

// Registry names one of the sets of jobs that a queue has.
type Registry string

// The registries; RegistryQueued is the queue's own list.
const (
	RegistryQueued    Registry = "queued"
	RegistryStarted   Registry = "started"
	RegistryFinished  Registry = "finished"
	RegistryFailed    Registry = "failed"
	RegistryDeferred  Registry = "deferred"
	RegistryScheduled Registry = "scheduled"
	RegistryCanceled  Registry = "canceled"
)

// Registries lists all registries in the order people want to see them.
func Registries() []Registry {
	return []Registry{RegistryQueued, RegistryStarted, RegistryFinished, RegistryFailed,
		RegistryDeferred, RegistryScheduled, RegistryCanceled}
}

// DefaultTimeout is RQ's where neither job nor queue has one (rq/queue.py,
// Queue.DEFAULT_TIMEOUT). Its other defaults stand in lua/job.lua.
const DefaultTimeout = 180 * time.Second
