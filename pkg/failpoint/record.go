package failpoint

// Record is one line of the history file, as JSON: the asking or the answer of
// a transition that moves a job between claimable, held and ended.
type Record struct {
	Call string `json:"call"` // unique; the same for both lines of a call
	At   int64  `json:"at"`   // unix nanoseconds
	Kind string `json:"kind"` // claim, finish or recover
	// Answer is "" in the line of the asking. Else: claimed (one line for each
	// job), ok, late, condition, alive, gone; "error" when none came.
	Answer    string `json:"answer,omitempty"`
	Job       string `json:"job,omitempty"`
	Execution string `json:"execution,omitempty"`
	Action    string `json:"action,omitempty"` // of a finish or recovery: finished, failed, stopped, head, tail, schedule
}
