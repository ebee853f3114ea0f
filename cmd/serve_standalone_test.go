package cmd

import (
	"testing"
	"time"
)

func TestNextClock(t *testing.T) {
	t.Parallel()
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, time.Local) }
	for _, c := range []struct {
		now, want time.Time
		clock     string
	}{
		{at(1, 1, 0), at(1, 2, 0), "02:00"},
		{at(1, 2, 0), at(2, 2, 0), "02:00"}, // the very minute is past: not twice
		{at(31, 23, 0), time.Date(2026, 4, 1, 0, 5, 0, 0, time.Local), "00:05"},
	} {
		if got := nextClock(c.now, c.clock); !got.Equal(c.want) {
			t.Errorf("after %v the next %s is %v, want %v", c.now, c.clock, got, c.want)
		}
	}
}
