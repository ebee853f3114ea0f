package rq

import (
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// The server's clock is set back by an hour right after an outage: recovery
// keeps still for a lease, not for an hour.
func TestRecoveryAfterTheClockWasSetBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		rdb, now := s.Client(t), time.Now()
		c := New(rdb, Options{})
		c.fixedTime = func() time.Time { return now }
		look := func() {
			t.Helper()
			if _, err := c.RecoverExpired(t.Context(), []string{"q"}); err != nil {
				t.Fatal(err)
			}
		}
		look() // the first sign of life counts as the end of an outage
		now = now.Add(-time.Hour)
		look()
		until, err := rdb.Get(t.Context(), c.keyQuietUntil()).Int64()
		if want := now.Add(c.Lease()).UnixMilli(); err != nil || until != want {
			t.Errorf("recovery keeps still until %d, want %d (%v)", until, want, err)
		}
	})
}
