package rq

import (
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Repeat has a job run again after each time it finished, Times times more
// (rq/repeat.py). A failure that is not retried ends the series. As in RQ the
// intervals are used from the end backwards: the last repeat follows the
// first of them, and where there are more repeats than intervals the last one
// is used; none means at once.
type Repeat struct {
	Times     int             // at least 1
	Intervals []time.Duration // whole seconds
}

func (r *Repeat) check() error {
	if r == nil {
		return nil
	}
	if r.Times < 1 {
		return errors.New("repeat: must be at least once")
	}
	return checkIntervals("repeat", r.Intervals)
}

// checkIntervals refuses what RQ's readers refuse.
func checkIntervals(what string, intervals []time.Duration) error {
	for _, d := range intervals {
		if d < 0 {
			return fmt.Errorf("%s interval %s: must not be negative", what, d)
		}
	}
	return nil
}

// fields are those of the job hash.
func (r *Repeat) fields() []string {
	if r == nil {
		return nil
	}
	return []string{"repeats_left", strconv.Itoa(r.Times), "repeat_intervals", intervalsText(r.Intervals)}
}

// intervalsText writes intervals as RQ does, none as one of 0.
func intervalsText(intervals []time.Duration) string {
	if len(intervals) == 0 {
		intervals = []time.Duration{0}
	}
	return pythonIntList(intervals)
}
