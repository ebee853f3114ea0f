package rq

import "time"

// The reasons a Transition may have. In the events stream there are four more,
// of what scripts do by themselves: due, dependency_met, repeat and
// intermediate (pushed back from a dead worker's intermediate list).
const (
	ReasonEnqueued  = "enqueued"
	ReasonScheduled = "scheduled" // enqueued for later
	ReasonClaimed   = "claimed"
	ReasonProgress  = "progress"
	ReasonFinished  = "finished"
	ReasonFailed    = "failed"
	ReasonRetry     = "retry"      // spent one of retries_left
	ReasonRetryFree = "retry_free" // back to the queue, nothing spent
	ReasonDrained   = "drained"    // the worker shut down: back to the head
	ReasonStopped   = "stopped"
	ReasonCanceled  = "canceled"
	ReasonDeleted   = "deleted" // its hash is gone
	ReasonEmptied   = "emptied" // deleted with all that waited in its queue
	ReasonRequeued  = "requeued"
	ReasonRecovered = "recovered" // its worker died; back to the head
	ReasonAbandoned = "abandoned" // its worker died; RQ's rule: retry or fail
	ReasonLimit     = "recovery_limit"
)

// Transition is what an EffectsFunc and the Observer get.
type Transition struct {
	Job         *Job   // as known before the transition; payload may be absent
	Execution   string // execution id, "" outside a run
	Worker      string
	From, To    Status
	Reason      string
	Error       string // the job's error text, whole
	ErrorCode   string
	NextAttempt time.Time // when the job runs again, zero if at once or never
	At          time.Time
	Duration    time.Duration // of the execution that ended
}

// EffectsFunc gives what else changes together with a transition of a job of
// the functions it knows (document records, indexes). It is pure and does no
// I/O. It is called for every transition made by a Client except claim and
// due, whose payload is not loaded; for a finish its effects come before the
// Outcome's own. It may be called several times for one transition that is
// repeated or refused.
type EffectsFunc func(Transition) Extra

// Extra is what an EffectsFunc answers: writes, and labels that go into the
// events entry, e.g. {"document": id}.
type Extra struct {
	Effects []Effect
	Labels  map[string]string
}

// Observer is told of every transition after Redis acknowledged it. It must
// not block.
type Observer interface{ Transition(Transition) }

type noObserver struct{}

func (noObserver) Transition(Transition) {}
