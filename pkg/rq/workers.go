package rq

import (
	"context"
	"time"
)

// WorkerState is the state field of a worker hash.
type WorkerState string

// The states (rq/worker/base.py, WorkerStatus).
const (
	WorkerStarted   WorkerState = "started"
	WorkerIdle      WorkerState = "idle"
	WorkerBusy      WorkerState = "busy"
	WorkerSuspended WorkerState = "suspended"
)

// WorkerInfo is a worker hash as read, docsvc's or Python's.
type WorkerInfo struct {
	Name              string
	State             WorkerState
	Queues            []string
	Hostname          string
	PID               int
	IPAddress         string
	Version           string
	Python            string // python_version, as written
	CurrentJob        string
	CurrentWorking    time.Duration
	Birth             time.Time
	LastHeartbeat     time.Time
	ShutdownRequested time.Time
	Successful        int
	Failed            int
	TotalWorking      time.Duration
	Docsvc            bool    // registered by this package
	Alive             bool    // docsvc: its lease holds; others: its key exists
	RSS               int64   // bytes; docsvc only
	CPU               float64 // cores; docsvc only
}

// WorkerBirth registers one worker name.
type WorkerBirth struct {
	Name    string
	Queues  []string // in listening order
	Host    string
	BootID  string // of the running kernel, "" when unknown
	PID     int
	Version string
}

// Workers reads all workers in rq:workers whose key exists, sorted by name.
func (c *Client) Workers(ctx context.Context) ([]WorkerInfo, error) { return nil, errNotBuilt }

// RegisterWorkers registers all names or none. A name is taken over when its
// lease has run out or its process is dead on this same host and boot, else
// *NameTakenError.
func (c *Client) RegisterWorkers(ctx context.Context, births []WorkerBirth) error { return errNotBuilt }

// SetWorkerState writes the state that RQ's tools show for the names.
func (c *Client) SetWorkerState(ctx context.Context, state WorkerState, names []string) error {
	return errNotBuilt
}

// WorkerShutdownRequested writes shutdown_requested_date for the names.
func (c *Client) WorkerShutdownRequested(ctx context.Context, names []string) error {
	return errNotBuilt
}

// UnregisterWorkers writes the workers' death as RQ does.
func (c *Client) UnregisterWorkers(ctx context.Context, names []string) error { return errNotBuilt }
