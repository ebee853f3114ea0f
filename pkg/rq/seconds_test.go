package rq

import (
	"testing"
	"time"
)

func TestParseSeconds(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90": 90 * time.Second, " 90 ": 90 * time.Second, "-1": -time.Second, "5m": 5 * time.Minute, "2D": 48 * time.Hour,
		"10S": 10 * time.Second, "1h": time.Hour, "1h30m": 90 * time.Minute, "-5s": -5 * time.Second, "500ms": 500 * time.Millisecond,
	} {
		if got, err := ParseSeconds(text); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "m", "5w", "1.5", "five", "99999999999d", "99999999d"} {
		if got, err := ParseSeconds(text); err == nil {
			t.Errorf("%q was taken for %s", text, got)
		}
	}
}
