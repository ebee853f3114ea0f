package rq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// listening is a docsvc worker on q that is alive at noon.
const listening = `
	SADD rq:workers rq:worker:w1
	HSET rq:worker:w1 queues q,low state idle birth 2026-11-23T11:00:00.000000Z
	HSET docsvc:worker:w1 token t lease 1795435210000`

// Each case: what stands in Redis, and the sentence that j1 gets.
var explainCases = []struct {
	name, seed string
	cause      ExplainCause
	text       string
}{
	{"created", `HSET rq:job:j1 status created origin q data {call} created_at 2026-11-23T11:59:00.000000Z`, CauseCreated,
		"It was created at 2026-11-23T11:59:00Z (1m 0s ago) and never put on a queue."},
	{"no worker", queuedJob, CauseNoWorker,
		"It waits in queue q since 2026-11-23T11:59:00Z (1m 0s ago), as the next one; no live worker listens to that queue: docsvc worker --queues q."},
	{"a dead worker", queuedJob + listening + "\nHSET docsvc:worker:w1 lease 1795435199000", CauseNoWorker, "no live worker listens"},
	{"next", queuedJob + listening, CauseWaiting,
		"as the next one; worker w1 listens to it, and too few jobs were started lately to say when."},
	{"behind others", queuedJob + listening + `
		LPUSH rq:queue:q a b c d e
		HSET rq:worker:w1 state busy
		XADD docsvc:events 1795434600000-0 job x queue q reason claimed
		XADD docsvc:events 1795434700000-0 job y queue q reason claimed
		XADD docsvc:events 1795434750000-0 job y queue other reason claimed
		XADD docsvc:events 1795434900000-0 job z queue q reason claimed
		XADD docsvc:events 1795435140000-0 job j1 queue q to queued reason enqueued`, CauseWaiting,
		"with 5 jobs before it; worker w1 listens to it and is busy; they started 3 jobs in the last 10m 0s (0.3 a minute), so that its turn should be in 9m 17s to 2h 0m."},
	{"suspended", queuedJob + listening + "\nSET rq:suspended 1", CauseSuspended, "as the next one; all workers are suspended until docsvc queue resume."},
	{"suspended for a time", queuedJob + listening + "\nSET rq:suspended 1 EX 100", CauseSuspended, "all workers are suspended until 2026-11-23T12:01:"},
	{"given back", queuedJob + listening + "\nHSET docsvc:recovered j1 2\nXADD docsvc:events 1795435190000-0 job j1 queue q worker w2 from started to queued reason drained", CauseWaiting,
		"worker w2 gave it back at 2026-11-23T11:59:50Z (11s ago); its worker died 2 times while it ran; worker w1 listens"},
	{"lost or with its producer", `HSET rq:job:j1 status queued origin q data {call} timeout 200 enqueued_at 2026-11-22T12:00:20.000000Z`, CauseLost,
		"its producer runs it itself (RQ's is_async=False), or nobody will take it. If it still says so at 2026-11-23T12:00:20Z (in 20s), see: docsvc queue fsck --fix (before then, with --no-own-runs when no producer does so)."},
	{"lost, and nobody else's", `HSET rq:job:j1 status queued origin q data ["again",null,[],{}] timeout 100 enqueued_at 2026-11-23T11:59:00.000000Z`, CauseLost, "it is not in queue q: nobody will take it. See: docsvc queue fsck --fix."},
	{"lost", `HSET rq:job:j1 status queued origin q data {call} timeout 100 enqueued_at 2026-11-22T11:56:00.000000Z`, CauseLost, "it is not in queue q: nobody will take it. See: docsvc queue fsck --fix."},
	{"taken", `
		HSET rq:job:j1 status queued origin q data {call}
		RPUSH rq:queue:q:intermediate j1`, CauseTaken, "A worker of RQ has taken it from queue q"},
	{"scheduled", listening + `
		HSET rq:job:j1 status scheduled origin q data {call}
		ZADD rq:scheduled:q 1795435500 j1
		SET rq:scheduler-lock:q s1
		HSET rq:scheduler:s1 hostname h pid 7`, CauseScheduled,
		"It is scheduled for 2026-11-23T12:05:00Z (in 4m 59s); scheduler s1 (host h, pid 7) looks after queue q."},
	{"scheduled, no scheduler", `
		HSET rq:job:j1 status scheduled origin q data {call}
		ZADD rq:scheduled:q 1795435100 j1`, CauseOverdue,
		"It was due at 2026-11-23T11:58:20Z (1m 40s ago); no scheduler holds the lock of queue q"},
	{"scheduled again", listening + `
		HSET rq:job:j1 status scheduled origin q data {call}
		ZADD rq:scheduled:q 1795435500 j1
		SET rq:scheduler-lock:q s1
		XADD docsvc:events 1795435190000-0 job j1 queue q from started to scheduled reason retry`, CauseScheduled, "(in 4m 59s), to be tried again; scheduler s1"},
	{"scheduled nowhere", `HSET rq:job:j1 status scheduled origin q data {call}`, CauseLost, "it is in no registry of queue q"},
	{"deferred", `
		HSET rq:job:p status started origin q data {call}
		HSET rq:job:j1 status deferred origin q data {call} dependency_ids ["p","done"]
		SADD rq:job::j1:dependencies p`, CauseDeferred, "It waits for job p, which is started."},
	{"blocked", `
		HSET rq:job:p status failed origin q data {call}
		HSET rq:job:j1 status deferred origin q data {call}
		SADD rq:job::j1:dependencies p`, CauseBlocked,
		"It waits for job p, which is failed: it never runs unless that is run again (docsvc queue retry p)."},
	{"forgotten", `
		HSET rq:job:p status failed origin q data {call}
		HSET rq:job:j1 status deferred origin q data {call} allow_dependency_failures 1
		SADD rq:job::j1:dependencies p`, CauseLost, "It is deferred, though all that it waits for (1) is done or gone"},
	{"running", startedJob, CauseRunning,
		"It is running on worker w1 since 2026-11-23T11:59:50Z (10s ago); last sign of life 2026-11-23T11:59:50Z (10s ago), lease until 2026-11-23T12:00:02Z (in 2s); its time limit ends at 2026-11-23T12:02:50Z"},
	{"worker gone", startedJob + "\nZADD docsvc:lease:q 1795435190000 j1:e1\nHSET docsvc:recovered j1 1", CauseWorkerGone,
		"whose lease on it ended at 2026-11-23T11:59:50Z (11s ago); last sign of life 2026-11-23T11:59:50Z (10s ago); its worker died once while it ran; another docsvc worker"},
	{"worker of RQ gone", startedJob + "\nDEL docsvc:lease:q\nZADD rq:wip:q 1795435100 j1:e1", CauseWorkerGone, "which should have renewed it by 2026-11-23T11:58:20Z"},
	{"started by nobody", `HSET rq:job:j1 status started origin q data {call} worker_name w1`, CauseLost, "no execution holds it: nobody works on it"},
	{"finished", `
		HSET rq:job:j1 status finished origin q data {call} worker_name w1 started_at 2026-11-23T11:58:00.000000Z ended_at 2026-11-23T11:59:00.000000Z
		EXPIRE rq:job:j1 3600`, CauseFinished,
		"It finished at 2026-11-23T11:59:00Z (1m 0s ago) after 1m 0s on worker w1; it is kept until 2026-11-23T1"},
	{"failed", `
		HSET rq:job:j1 status failed origin q data {call} worker_name w1 retries_left 0 ended_at 2026-11-23T11:59:00.000000Z
		XADD rq:results:j1 1795435140000-0 type 2 worker_name w1 exc_string eJzzSy1XSMvPSVFIKlJIy8wtyEktSk3hAgBYNQd2`, CauseFailed,
		"It failed at 2026-11-23T11:59:00Z (1m 0s ago) on worker w1: "},
	{"unknown function", `
		HSET rq:job:j1 status failed origin q data {call} worker_name w1 ended_at 2026-11-23T11:59:00.000000Z
		XADD docsvc:events 1795435140000-0 job j1 queue q worker w1 from started to failed reason failed error_code unknown_function document d1`, CauseUnknownFunction,
		`Worker w1 refused it at 2026-11-23T11:59:00Z (1m 0s ago): it knows no function "app.work"; once a worker that does listens to queue q: docsvc queue retry j1.`},
	{"unknown callback", `
		HSET rq:job:j1 status failed origin q data {call} worker_name w1 ended_at 2026-11-23T11:59:00.000000Z
		XADD rq:results:j1 1795435140000-0 type 2 worker_name w1 exc_string eJw1zNENgCAMhOFVLgzgAm7hBgWbgJA2UAjri1FfL99/oghUiqeQ4TpZtq1rOR1U0GMyTG2Z247UkUWnQVR4w8F18OBlGJd6zMgC+vRa6eera0Ps+XuLegNQ1ClN`, CauseUnknownFunction,
		`Worker w1 refused it at 2026-11-23T11:59:00Z (1m 0s ago): it knows no callback "tasks.told"; once a worker that does listens to queue q: docsvc queue retry j1.`},
	{"stopped", `HSET rq:job:j1 status stopped origin q data {call} worker_name w1 ended_at 2026-11-23T11:59:00.000000Z`, CauseStopped,
		"It was stopped at 2026-11-23T11:59:00Z (1m 0s ago) on worker w1"},
	{"canceled", `
		HSET rq:job:j1 status canceled origin q data {call}
		XADD docsvc:events 1795435140000-0 job j1 queue q from queued to canceled reason canceled`, CauseCanceled,
		"It was canceled at 2026-11-23T11:59:00Z (1m 0s ago), while it was queued"},
	{"of RQ 3", `HSET rq:job:j1 status rate_limited origin q data {call}`, CauseUnreadable, `Its status "rate_limited" is none that RQ 2 knows`},
	{"expired", `XADD docsvc:events 1795435140000-0 job j1 queue q worker w1 from started to finished reason finished`, CauseGone,
		"It became finished at 2026-11-23T11:59:00Z (1m 0s ago) on worker w1; its time to be kept is over, or it was deleted."},
	{"deleted", `XADD docsvc:events 1795435140000-0 job j1 queue q from queued to canceled reason deleted`, CauseGone, "It was deleted at 2026-11-23T11:59:00Z"},
	{"only results", `XADD rq:results:j1 1795435140000-0 type 1 worker_name w1`, CauseGone, "the last run ended at 2026-11-23T11:59:00Z (1m 0s ago) on worker w1."},
	{"never was", ``, "", ""},
}

func TestExplain(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range explainCases {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{Idempotent: func(fn string) bool { return fn == "again" }})
				f.seed(c.seed)
				var x *Explanation
				var err error
				if change := f.change(func() { x, err = f.Explain(context.Background(), "j1") }); change != "" {
					t.Errorf("explaining changed\n%s", change)
				}
				if c.cause == "" {
					if !errors.Is(err, ErrNoJob) {
						t.Errorf("got %+v, %v, want ErrNoJob", x, err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if x.Cause != c.cause || !strings.Contains(x.Text, c.text) || !strings.HasSuffix(x.Text, ".") {
					t.Errorf("got %s: %s\nwant %s: %s", x.Cause, x.Text, c.cause, c.text)
				}
			})
		}
	})
}

// What is in the way does not stop it: keys of other types.
func TestExplainPassesWrongTypes(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, status := range []Status{StatusQueued, StatusScheduled, StatusDeferred, StatusStarted, StatusFailed} {
			f := newFixture(t, s, Options{})
			f.seed(`HSET rq:job:j1 data {call} origin q status ` + string(status))
			for _, key := range []string{"rq:queue:q", "rq:queue:q:intermediate", "rq:wip:q", "rq:scheduled:q", "rq:workers", "docsvc:events",
				"docsvc:recovered", "docsvc:lease:q", "rq:executions:j1", "rq:results:j1", "rq:job::j1:dependencies"} {
				f.seed("SET " + key + " x")
			}
			if x, err := f.Explain(context.Background(), "j1"); err != nil || x.Text == "" {
				t.Errorf("%s: %+v, %v", status, x, err)
			}
		}
	})
}

// A job deep in a long queue has its place, and the last event is found far
// back in the stream.
func TestExplainInALongQueue(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(`
			HSET rq:job:j1 status queued origin q data {call} enqueued_at 2026-11-23T11:59:00.000000Z
			XADD docsvc:events 1-0 job j1 queue q to queued reason enqueued document d1`)
		ctx := context.Background()
		p := f.rdb.Pipeline()
		for i := range 30000 {
			id := fmt.Sprint("x", i)
			if i == 15000 {
				id = "j1"
			}
			p.RPush(ctx, "rq:queue:q", id)
		}
		for i := range 2500 {
			p.Do(ctx, "XADD", "docsvc:events", fmt.Sprintf("%d-0", noon.Add(-time.Hour).UnixMilli()+int64(i)), "job", "x", "queue", "q")
		}
		if _, err := p.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		x, err := f.Explain(ctx, "j1")
		if err != nil {
			t.Fatal(err)
		}
		if x.Position == nil || *x.Position != 15000 || x.LastEvent == nil || x.LastEvent.Document != "d1" {
			t.Errorf("got %+v", x)
		}
	})
}
