package rq

import (
	"errors"
	"fmt"
)

// ErrNoJob says that no job hash of that id exists.
var ErrNoJob = errors.New("no such job")

// ErrLateFinish says that an execution no longer holds its job: it was
// canceled, recovered from a lost lease, or finished before. Nothing was
// written except the count in the late hash.
var ErrLateFinish = errors.New("execution no longer holds its job")

// ErrActive says that a job of that id is already queued, scheduled, deferred
// or started (UniqueActive), or exists at all (UniqueAny). The job is returned
// beside it.
var ErrActive = errors.New("job is already active")

// StateError says that a job's status does not allow the operation.
type StateError struct {
	ID     string
	Status Status
	Op     string // "cancel", "requeue", "stop"
}

func (e *StateError) Error() string {
	return fmt.Sprintf("cannot %s job %s: it is %s", e.Op, e.ID, e.Status)
}

// ConditionError says which condition of a transition did not hold. Nothing
// was written.
type ConditionError struct {
	Index  int    // in the list of conditions given
	Key    string // the key that was looked at
	Actual string // what stood there, "" when nothing did
}

func (e *ConditionError) Error() string {
	return fmt.Sprintf("condition %d on %s does not hold: found %q", e.Index, e.Key, e.Actual)
}

// NameTakenError says that a live worker has the name that was to be
// registered.
type NameTakenError struct {
	Name string
	Host string
	PID  int
}

func (e *NameTakenError) Error() string {
	return fmt.Sprintf("worker name %q is taken by a live worker on host %s, pid %d", e.Name, e.Host, e.PID)
}

// KeyError says that a key that must be written has a type that is not RQ's.
type KeyError struct{ Key string }

// named makes a refusal of Redis that comes of the type of key a *KeyError.
func named(err error, key string) error {
	if isWrongType(err) {
		return &KeyError{key}
	}
	return err
}

func (e *KeyError) Error() string {
	return fmt.Sprintf("key %s in Redis is of another type than RQ's: rename or delete it", e.Key)
}
