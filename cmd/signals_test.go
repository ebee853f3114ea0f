package cmd

import (
	"testing"
	"time"
)

// Two signals at once, as timeout(1) sends them, are one request to stop; a
// person's second Ctrl-C is a second one.
func TestSignalsTogetherAreOneRequest(t *testing.T) {
	start := time.Now()
	var r stopRequests
	for i, step := range []struct {
		after time.Duration
		times int
		again bool
	}{
		{0, 1, false},
		{time.Millisecond, 1, true},
		{150 * time.Millisecond, 1, true}, // three in a row
		{time.Second, 2, false},
		{1001 * time.Millisecond, 2, true},
	} {
		if times, again := r.count(start.Add(step.after)); times != step.times || again != step.again {
			t.Errorf("signal %d: %d, %t; want %d, %t", i, times, again, step.times, step.again)
		}
	}
}
