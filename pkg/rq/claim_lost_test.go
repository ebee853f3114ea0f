package rq

import (
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// The reply to a claim is lost and workers are suspended before it is asked
// for again: the job that was claimed is given all the same.
func TestClaimLostBeforeSuspension(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		rdb := s.Client(t)
		c := New(rdb, Options{})
		if _, err := c.Enqueue(t.Context(), Spec{ID: "j1", Queue: "q", Func: "f"}); err != nil {
			t.Fatal(err)
		}
		ask := ClaimRequest{Worker: []string{"w"}, Queues: []string{"q"}}
		first, err := c.Claim(t.Context(), ask)
		if err != nil || len(first) != 1 {
			t.Fatal(first, err)
		}
		c.slots.asked["w"] = first[0].Execution.ID // as if no reply had come
		if err := rdb.Set(t.Context(), keySuspended, "1", 0).Err(); err != nil {
			t.Fatal(err)
		}
		again, err := c.Claim(t.Context(), ask)
		if err != nil || len(again) != 1 || again[0].Execution.ID != first[0].Execution.ID {
			t.Errorf("claimed %v, %v; want the job that is held already", again, err)
		}
		if none, err := c.Claim(t.Context(), ask); err != nil || len(none) != 0 {
			t.Errorf("claimed %v, %v while suspended", none, err)
		}
	})
}
