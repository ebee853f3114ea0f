package rq

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

const schedulerHash = `
	+ docsvc:schedulers <id> 1795435212250
	+ rq:scheduler-lock:q = <id>
	+ rq:scheduler-lock:q ttl 60
	+ rq:scheduler:<id> created_at = 2026-11-23T12:00:00.250000Z
	+ rq:scheduler:<id> last_heartbeat = 2026-11-23T12:00:00.250000Z
	+ rq:scheduler:<id> name = <id>
	+ rq:scheduler:<id> queues = q
	+ rq:scheduler:<id> ttl 60
`

// ownScheduler drops the lines that name this host and process.
func ownScheduler(s string) string { return without(without(s, "> hostname ="), "> pid =") }

func (f *fixture) moveDue() (int, time.Time) {
	f.t.Helper()
	n, next, err := f.MoveDue(context.Background(), []string{"q"}, time.Time{})
	if err != nil {
		f.t.Fatal(err)
	}
	return n, next
}

func TestMoveDue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:plain status scheduled origin q data {call}
			HSET rq:job:front status scheduled origin q enqueue_at_front 1 timeout 60 ttl 70
			HSET rq:job:again status scheduled origin q enqueue_at_front_on_retry 1 ended_at then timeout 60
			HSET rq:job:never status scheduled origin q enqueue_at_front_on_retry 1 ended_at '' timeout 60
			HSET rq:job:nostatus origin q timeout 60
			HSET rq:job:started status started origin q
			HSET rq:job:future status scheduled origin q
			SET rq:job:text x
			RPUSH rq:queue:q first
			ZADD rq:scheduled:q 1795435100 plain 1795435101 front 1795435102 again 1795435103 never 1795435104 nostatus
			ZADD rq:scheduled:q 1795435105 started 1795435201 future 1795435150 young 1795435139 gone 1795435000 text`)
		var n int
		var next time.Time
		got := f.change(func() { n, next = f.moveDue() })
		want := schedulerHash + `
			- rq:job:again status = scheduled
			- rq:job:front status = scheduled
			- rq:job:never status = scheduled
			- rq:job:plain status = scheduled
			- rq:queue:q [first]
			- rq:scheduled:q again 1795435102
			- rq:scheduled:q front 1795435101
			- rq:scheduled:q gone 1795435139
			- rq:scheduled:q never 1795435103
			- rq:scheduled:q nostatus 1795435104
			- rq:scheduled:q plain 1795435100
			- rq:scheduled:q started 1795435105
			- rq:scheduled:q text 1795435000
			+ docsvc:events #0 from=scheduled job=plain queue=q reason=due to=queued
			+ docsvc:events #1 from=scheduled job=front queue=q reason=due to=queued
			+ docsvc:events #2 from=scheduled job=again queue=q reason=due to=queued
			+ docsvc:events #3 from=scheduled job=never queue=q reason=due to=queued
			+ docsvc:events #4 from=scheduled job=nostatus queue=q reason=due to=queued
			+ rq:job:again enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:again status = queued
			+ rq:job:front enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:front status = queued
			+ rq:job:front ttl 70
			+ rq:job:never enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:never status = queued
			+ rq:job:nostatus enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:nostatus status = queued
			+ rq:job:plain enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:plain status = queued
			+ rq:job:plain timeout = 180
			+ rq:queue:q [again front first plain never nostatus]`
		wantChange(t, ownScheduler(got), want)
		if n != 5 || next.Unix() != 1795435201 {
			t.Errorf("moved %d, next %s", n, next)
		}
	})
}

func TestMoveDueGoesByTheTimeGiven(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("HSET rq:job:j1 status scheduled origin q\nZADD rq:scheduled:q 1795435300 j1")
		ctx := context.Background()
		if n, next, err := f.MoveDue(ctx, []string{"q"}, noon.Add(99*time.Second)); n != 0 || next.Unix() != 1795435300 || err != nil {
			t.Errorf("before its time: %d %s %v", n, next, err)
		}
		if n, next, err := f.MoveDue(ctx, []string{"q"}, noon.Add(100*time.Second)); n != 1 || !next.IsZero() || err != nil {
			t.Errorf("at its time: %d %s %v", n, next, err)
		}
	})
}

func TestMoveDueLeavesAnotherSchedulersQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed("HSET rq:job:j1 status scheduled origin q\nZADD rq:scheduled:q 5 j1\nSET rq:scheduler-lock:q other EX 61")
		wantChange(t, f.change(func() {
			if n, _ := f.moveDue(); n != 0 {
				t.Errorf("moved %d", n)
			}
		}), "")
		f.seed("DEL rq:scheduler-lock:q")
		if n, _ := f.moveDue(); n != 1 {
			t.Errorf("with the lock free: moved %d", n)
		}
		f.seed("EXPIRE rq:scheduler-lock:q 5\nHSET rq:job:j2 status scheduled origin q\nZADD rq:scheduled:q 5 j2")
		if n, _ := f.moveDue(); n != 1 {
			t.Errorf("with the lock ours: moved %d", n)
		}
		if ttl := f.rdb.TTL(context.Background(), "rq:scheduler-lock:q").Val(); ttl < 50*time.Second {
			t.Errorf("the lock was not refreshed: %s", ttl)
		}
	})
}

// A scheduler of docsvc that was killed holds its lock for 61 s more. Others of
// docsvc see that its lease has run out; one of Python has none to go by.
func TestMoveDueTakesOverFromADeadScheduler(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.moveDue()
		f.seed("HSET rq:job:j1 status scheduled origin q\nZADD rq:scheduled:q 5 j1")
		now := noon
		other := New(s.Client(t), Options{})
		other.fixedTime = func() time.Time { return now }
		move := func() int {
			n, _, err := other.MoveDue(context.Background(), []string{"q"}, time.Time{})
			if err != nil {
				t.Error(err)
			}
			return n
		}
		if n := move(); n != 0 {
			t.Errorf("moved %d while the other scheduler lives", n)
		}
		now = noon.Add(f.Lease() + time.Second)
		if n := move(); n != 1 {
			t.Errorf("moved %d with the other scheduler dead", n)
		}
		f.seed("HSET rq:job:j2 status scheduled origin q\nZADD rq:scheduled:q 5 j2")
		if n, _ := f.moveDue(); n != 0 {
			t.Errorf("the one that was taken for dead moved %d", n)
		}
		if err := other.ReleaseScheduler(context.Background(), []string{"q"}); err != nil {
			t.Error(err)
		}
		if n, _ := f.moveDue(); n != 1 {
			t.Errorf("moved %d after the other scheduler left", n)
		}
	})
}

func TestReleaseSchedulerOnlyGivesUpItsOwn(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.moveDue()
		f.seed("SET rq:scheduler-lock:p other")
		got := f.change(func() {
			if err := f.ReleaseScheduler(context.Background(), []string{"q", "p"}); err != nil {
				t.Error(err)
			}
		})
		if left := f.keyspace(); fmt.Sprint(left) != "[rq:scheduler-lock:p = other]" {
			t.Errorf("left %v after\n%s", left, got)
		}
	})
}

func TestMoveDueManyByManySchedulers(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		const jobs = 3*dueBatch + 7
		f := newFixture(t, s, Options{})
		ctx := context.Background()
		for i := range jobs {
			id := fmt.Sprintf("j%03d", i)
			f.rdb.HSet(ctx, "rq:job:"+id, "status", "scheduled", "origin", "q")
			f.seed(fmt.Sprintf("ZADD rq:scheduled:q %d %s", 1000+i, id))
		}
		var wg sync.WaitGroup
		for range 3 {
			c := New(s.Client(t), Options{})
			wg.Go(func() {
				if _, _, err := c.MoveDue(ctx, []string{"q"}, time.Time{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		list := f.rdb.LRange(ctx, "rq:queue:q", 0, -1).Val()
		if len(list) != jobs || list[0] != "j000" || list[jobs-1] != fmt.Sprintf("j%03d", jobs-1) {
			t.Errorf("%d of %d on the queue", len(list), jobs)
		}
		if n := f.rdb.ZCard(ctx, "rq:scheduled:q").Val(); n != 0 {
			t.Errorf("%d left", n)
		}
	})
}
