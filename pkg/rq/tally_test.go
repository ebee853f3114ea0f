package rq

import (
	"context"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestTallySumsOverQueues(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("HSET docsvc:late q 2 p 3\nHSET docsvc:strays q 4 odd x\nHSET docsvc:dropped p 1")
		if got, err := f.Tally(context.Background()); err != nil || got != (Tally{LateFinishes: 5, Strays: 4, Dropped: 1}) {
			t.Errorf("%+v, %v", got, err)
		}
		f.seed("DEL docsvc:late\nSET docsvc:late x")
		if got, err := f.Tally(context.Background()); err != nil || got.Strays != 4 {
			t.Errorf("beside a key of another type: %+v, %v", got, err)
		}
	})
}
