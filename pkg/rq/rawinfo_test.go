package rq

import (
	"context"
	"strings"
	"testing"

	"github.com/docsvc/docsvc/pkg/redistest"
)

func TestRawInfo(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			SADD rq:workers rq:worker:w1 rq:worker:w2
			HSET rq:worker:w1 queues a,b hostname h ip_address 1.2.3.4:5 pid 7 state busy successful_job_count 3 failed_job_count 1
			HSET rq:worker:w2 birth 2026-11-23T11:59:00.000000Z`)
		want := func(want string, queues ...string) {
			t.Helper()
			var lines []string
			wantChange(t, f.change(func() {
				var err error
				if lines, err = f.RawInfo(context.Background(), queues); err != nil {
					t.Fatal(err)
				}
			}), "")
			if got := strings.Join(lines, "\n"); got != want {
				t.Errorf("%v:\n%s\nwant\n%s", queues, got, want)
			}
		}
		const w1 = "worker w1 (h 1.2.3.4:5 7) busy a, b. jobs: 3 finished, 1 failed"
		want(w1 + "\nworker w2 (None None None) ? . jobs: 0 finished, 0 failed")
		f.seed(`
			SADD rq:queues rq:queue:b rq:queue:c
			RPUSH rq:queue:b x y
			ZADD rq:wip:b 1795435300 x:e
			ZADD rq:finished:b 5 expired 1795435300 x
			ZADD rq:failed:b -1 z`)
		want("queue b 2, 1 executing, 1 finished, 1 failed\nqueue c 0, 0 executing, 0 finished, 0 failed\n" + w1)
		want("queue c 0, 0 executing, 0 finished, 0 failed", "c")
		want("queue a 0, 0 executing, 0 finished, 0 failed\n"+w1, "a")
	})
}
