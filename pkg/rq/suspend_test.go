package rq

import (
	"context"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestSuspendAndResume(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		state := func(want bool, least, most time.Duration) {
			t.Helper()
			got, left, err := f.Suspension(ctx)
			if err != nil || got != want || left < least || left > most {
				t.Errorf("suspended %v for %s, %v", got, left, err)
			}
		}
		state(false, 0, 0)
		suspend := func(d time.Duration, want string) {
			t.Helper()
			wantChange(t, f.change(func() {
				if err := f.Suspend(ctx, d); err != nil {
					t.Fatal(err)
				}
			}), want)
		}
		suspend(99*time.Second+time.Millisecond, "+ rq:suspended = 1\n+ rq:suspended ttl 100")
		state(true, 90*time.Second, 100*time.Second)
		suspend(0, "- rq:suspended ttl 100")
		state(true, 0, 0)
		for _, want := range []bool{true, false} {
			if stood, err := f.Resume(ctx); err != nil || stood != want {
				t.Errorf("resumed: %v, %v", stood, err)
			}
		}
		state(false, 0, 0)
	})
}
