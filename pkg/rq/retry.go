package rq

import (
	"strconv"
	"time"
)

// Retry is how often and after which delays a failed job runs again. With
// fewer intervals than retries the first is repeated (rq/job.py,
// get_retry_interval); none means at once.
type Retry struct {
	Max       int
	Intervals []time.Duration // whole seconds
	AtFront   bool
}

// fields are those of the job hash.
func (r *Retry) fields() []string {
	if r == nil || r.Max <= 0 {
		return nil
	}
	f := []string{"retries_left", strconv.Itoa(r.Max), "retry_intervals", intervalsText(r.Intervals)}
	if r.AtFront {
		f = append(f, "enqueue_at_front_on_retry", "1")
	}
	return f
}
