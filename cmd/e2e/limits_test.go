package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
	"github.com/docsvc/docsvc/pkg/rq"
)

// claims are the jobs that workers took, in order.
func (s *site) claims() []string {
	s.t.Helper()
	events, err := s.redis.Client(s.t).XRange(context.Background(), "docsvc:events", "-", "+").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var ids []string
	for _, e := range events {
		if e.Values["reason"] == rq.ReasonClaimed {
			ids = append(ids, e.Values["job"].(string))
		}
	}
	return ids
}

// The limits and strategies of "docsvc worker", which ends by itself.
func TestWorkerLimits(t *testing.T) {
	t.Parallel()
	s := newSite(t, redistest.RedisServer)
	q := rq.New(s.redis.Client(t), rq.Options{})
	for _, id := range []string{"a1", "a2", "b1", "b2"} {
		queue := map[byte]string{'a': "document_processing", 'b': "cleanup_tasks"}[id[0]]
		spec := rq.Spec{ID: id, Queue: queue, Func: "docsvc.cleanup", Args: []any{"daily"}, Kwargs: map[string]any{"dry_run": true}}
		if _, err := q.Enqueue(context.Background(), spec); err != nil {
			t.Fatal(err)
		}
	}
	work := func(args ...string) {
		t.Helper()
		args = append([]string{"worker", "--queues", "document_processing,cleanup_tasks", "--concurrency", "1"}, args...)
		if out, err := s.run(args...); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	work("--max-jobs", "3", "--dequeue-strategy", "round_robin")
	if got := s.claims(); !slices.Equal(got, []string{"a1", "b1", "a2"}) {
		t.Errorf("three jobs in turns: %q", got)
	}
	work("--max-idle-time", "1s")
	if got := s.claims(); !slices.Equal(got, []string{"a1", "b1", "a2", "b2"}) {
		t.Errorf("the rest, until there was nothing to do: %q", got)
	}
	for _, id := range []string{"a1", "a2", "b1", "b2"} {
		if j, err := q.Job(context.Background(), id); err != nil || j.Status != rq.StatusFinished {
			t.Errorf("%s: %+v, %v", id, j, err)
		}
	}
	if _, err := s.run("worker", "--dequeue-strategy", "sometimes"); err == nil || !strings.Contains(err.Error(), "default, round_robin or random") {
		t.Errorf("an unknown strategy: %v", err)
	}
}
