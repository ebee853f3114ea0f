package rq

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// ended is what every end of startedJob's execution changes.
const ended = `
	- docsvc:lease:q j1:e1 1795435202250
	- docsvc:worker:w1 execution = j1:e1
	- docsvc:worker:w1 queue = q
	- rq:execution:j1:e1 created_at = 1795435190.25
	- rq:execution:j1:e1 id = e1
	- rq:execution:j1:e1 last_heartbeat = 1795435190.25
	- rq:execution:j1:e1 worker_name = w1
	- rq:executions:j1 e1 1795435340
	- rq:job:j1 status = started
	- rq:wip:q j1:e1 1795435280
	- rq:worker:w1 current_job = j1
	- rq:worker:w1 current_job_working_time = 8
	- rq:worker:w1 state = busy
	- rq:worker:w1 ttl 90
	+ docsvc:worker:w1 finished = j1:e1
	+ rq:job:j1 ended_at = 2026-11-23T12:00:00.250000Z
	+ rq:job:j1 last_heartbeat = 2026-11-23T12:00:00.250000Z
	+ rq:worker:w1 current_job_working_time = 0
	+ rq:worker:w1 last_heartbeat = 2026-11-23T12:00:00.250000Z
	+ rq:worker:w1 state = idle
	+ rq:worker:w1 ttl 480
`

const (
	nextNever  = "+ docsvc:worker:w1 finished_next = 0\n"
	workedTime = "+ rq:worker:w1 total_working_time = 10\n"
	failedOnce = "+ rq:worker:w1 failed_job_count = 1\n"
	deletedJob = `
		- rq:job:j1 data = pickle app.work(1)
		- rq:job:j1 origin = q
		- rq:job:j1 started_at = 2026-11-23T11:59:50.250000Z
		- rq:job:j1 timeout = 180
		- rq:job:j1 worker_name = w1
	`
)

func event(rest string) string {
	return "+ docsvc:events #0 execution=e1 from=started job=j1 " + rest + "\n"
}

type finishCase struct {
	name    string
	seed    string
	outcome Outcome
	gone    string // lines of ended that do not appear, because the hash is deleted
	want    string
	status  Status
	next    time.Time
}

func finishCases() []finishCase {
	seconds := func(n time.Duration) *time.Duration { return ptr(n * time.Second) }
	const result = " execution_ended_at=1795435200.25 execution_id=e1 execution_started_at=1795435190.25 "
	success := nextNever + workedTime + "+ rq:worker:w1 successful_job_count = 1\n+ docsvc:worker:w1 finished_status = finished\n" +
		event("ms=10000 queue=q reason=finished to=finished worker=w1")
	failure := nextNever + workedTime + failedOnce + "+ docsvc:worker:w1 finished_status = failed\n" +
		event("ms=10000 queue=q reason=failed to=failed worker=w1")
	return []finishCase{{
		name: "finished", outcome: Outcome{Result: map[string]any{"pages": 3}}, status: StatusFinished,
		want: success + `
			+ rq:finished:q j1 1795435700
			+ rq:job:j1 status = finished
			+ rq:job:j1 ttl 500
			+ rq:results:j1 #0` + result + `return_value=pickle {'pages': 3} type=1 worker_name=w1
			+ rq:results:j1 ttl 500`,
	}, {
		name: "finished without a value", seed: "HSET rq:job:j1 result_ttl 60", status: StatusFinished,
		want: success + `
			+ rq:finished:q j1 1795435260
			+ rq:job:j1 status = finished
			+ rq:job:j1 ttl 60
			+ rq:results:j1 #0` + result + `type=1 worker_name=w1
			+ rq:results:j1 ttl 60`,
	}, {
		name: "finished, result_ttl -1", seed: "HSET rq:job:j1 result_ttl -1", outcome: Outcome{Result: 3}, status: StatusFinished,
		want: success + `
			+ rq:finished:q j1 +Inf
			+ rq:job:j1 status = finished
			+ rq:results:j1 #0` + result + `return_value=pickle 3 type=1 worker_name=w1`,
	}, {
		name: "finished, result_ttl 0", seed: "HSET rq:job:j1 result_ttl 0 group_id g\nSADD rq:group:g j1 j2", outcome: Outcome{Result: 3},
		status: StatusFinished, gone: "+ rq:job:j1 ",
		want: success + deletedJob + "- rq:job:j1 group_id = g\n- rq:job:j1 result_ttl = 0\n- rq:group:g j1",
	}, {
		name: "finished with what cannot be serialised", outcome: Outcome{Result: make(chan int)}, status: StatusFinished,
		want: success + `
			+ rq:finished:q j1 1795435700
			+ rq:job:j1 status = finished
			+ rq:job:j1 ttl 500
			+ rq:results:j1 #0` + result + `return_value=pickle 'Unserializable return value' type=1 worker_name=w1
			+ rq:results:j1 ttl 500`,
	}, {
		name: "failed", outcome: Outcome{Kind: OutcomeFail, Error: "boom", ErrorCode: "bad"}, status: StatusFailed,
		want: nextNever + workedTime + failedOnce + `
			+ docsvc:worker:w1 finished_status = failed
			+ docsvc:events #0 error_code=bad execution=e1 from=started job=j1 ms=10000 queue=q reason=failed to=failed worker=w1
			+ rq:failed:q j1 1826971200
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 31536000
			+ rq:results:j1 #0 exc_string="boom"` + result + `type=2 worker_name=w1`,
	}, {
		name: "failed, failure_ttl 900", seed: "HSET rq:job:j1 failure_ttl 900", outcome: Outcome{Kind: OutcomeFail, Error: "boom"},
		status: StatusFailed,
		want: failure + `
			+ rq:failed:q j1 1795436100
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 900
			+ rq:results:j1 #0 exc_string="boom"` + result + `type=2 worker_name=w1
			+ rq:results:j1 ttl 900`,
	}, {
		name: "failed, failure_ttl -1", seed: "HSET rq:job:j1 failure_ttl -1", outcome: Outcome{Kind: OutcomeFail, Error: "boom"},
		status: StatusFailed,
		want: failure + `
			+ rq:failed:q j1 -1
			+ rq:job:j1 status = failed
			+ rq:results:j1 #0 exc_string="boom"` + result + `type=2 worker_name=w1`,
	}, {
		name: "failed, failure_ttl 0", seed: "HSET rq:job:j1 failure_ttl 0", outcome: Outcome{Kind: OutcomeFail, Error: "boom"},
		status: StatusFailed, gone: "+ rq:job:j1 ",
		want: failure + deletedJob + "- rq:job:j1 failure_ttl = 0\n+ rq:failed:q j1 1795435200",
	}, {
		name: "stopped", outcome: Outcome{Kind: OutcomeStop}, seed: "HSET rq:job:j1 retries_left 3", status: StatusStopped,
		want: nextNever + failedOnce + event("ms=10000 queue=q reason=stopped to=stopped worker=w1") + `
			+ docsvc:worker:w1 finished_status = stopped
			+ rq:failed:q j1 1826971200
			+ rq:job:j1 status = stopped
			+ rq:job:j1 ttl 31536000
			+ rq:results:j1 #0 exc_string="Job stopped by user, work-horse terminated."` + result + `type=2 worker_name=w1`,
	}, {
		name: "retry at once", seed: "HSET rq:job:j1 retries_left 2 retry_intervals [0]\nRPUSH rq:queue:q j2",
		outcome: Outcome{Kind: OutcomeRetry, Error: "boom"}, status: StatusQueued,
		want: nextNever + workedTime + failedOnce + event("ms=10000 queue=q reason=retry to=queued worker=w1") + `
			- rq:job:j1 retries_left = 2
			- rq:queue:q [j2]
			+ docsvc:worker:w1 finished_status = queued
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 retries_left = 1
			+ rq:job:j1 status = queued
			+ rq:queue:q [j2 j1]`,
	}, {
		name: "retry at the front", seed: "HSET rq:job:j1 retries_left 1 ttl 70 enqueue_at_front_on_retry 1\nRPUSH rq:queue:q j2",
		outcome: Outcome{Kind: OutcomeRetry}, status: StatusQueued,
		want: nextNever + workedTime + failedOnce + event("ms=10000 queue=q reason=retry to=queued worker=w1") + `
			- rq:job:j1 retries_left = 1
			- rq:queue:q [j2]
			+ docsvc:worker:w1 finished_status = queued
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 retries_left = 0
			+ rq:job:j1 status = queued
			+ rq:job:j1 ttl 70
			+ rq:queue:q [j1 j2]`,
	}, {
		name: "retry after an interval", seed: "HSET rq:job:j1 retries_left 2 retry_intervals [10,60,300] ttl 70",
		outcome: Outcome{Kind: OutcomeRetry}, status: StatusScheduled, next: noon.Truncate(time.Second).Add(time.Minute),
		want: workedTime + failedOnce + event("ms=10000 queue=q reason=retry to=scheduled worker=w1") + `
			- rq:job:j1 retries_left = 2
			+ docsvc:worker:w1 finished_next = 1795435260
			+ docsvc:worker:w1 finished_status = scheduled
			+ rq:job:j1 retries_left = 1
			+ rq:job:j1 status = scheduled
			+ rq:job:j1 ttl 70
			+ rq:queues rq:queue:q
			+ rq:scheduled:q j1 1795435260`,
	}, {
		name: "retry after the handler's own delay", seed: "HSET rq:job:j1 retries_left 2 retry_intervals [10]",
		outcome: Outcome{Kind: OutcomeRetry, Delay: seconds(7)}, status: StatusScheduled, next: noon.Truncate(time.Second).Add(7 * time.Second),
		want: workedTime + failedOnce + event("ms=10000 queue=q reason=retry to=scheduled worker=w1") + `
			- rq:job:j1 retries_left = 2
			+ docsvc:worker:w1 finished_next = 1795435207
			+ docsvc:worker:w1 finished_status = scheduled
			+ rq:job:j1 retries_left = 1
			+ rq:job:j1 status = scheduled
			+ rq:queues rq:queue:q
			+ rq:scheduled:q j1 1795435207`,
	}, {
		name: "retry with none left fails", seed: "HSET rq:job:j1 retries_left 0 retry_intervals [10]\nHSET docsvc:recovered j1 2 j2 1",
		outcome: Outcome{Kind: OutcomeRetry, Error: "boom"}, status: StatusFailed,
		want: failure + `
			- docsvc:recovered j1 = 2
			+ rq:failed:q j1 1826971200
			+ rq:job:j1 status = failed
			+ rq:job:j1 ttl 31536000
			+ rq:results:j1 #0 exc_string="boom"` + result + `type=2 worker_name=w1`,
	}, {
		name: "free retry after a delay", seed: "HSET rq:job:j1 retries_left 2 retry_intervals [10]",
		outcome: Outcome{Kind: OutcomeRetryFree, Delay: seconds(5)}, status: StatusScheduled, next: noon.Truncate(time.Second).Add(5 * time.Second),
		want: workedTime + event("ms=10000 queue=q reason=retry_free to=scheduled worker=w1") + `
			+ docsvc:worker:w1 finished_next = 1795435205
			+ docsvc:worker:w1 finished_status = scheduled
			+ rq:job:j1 status = scheduled
			+ rq:queues rq:queue:q
			+ rq:scheduled:q j1 1795435205`,
	}, {
		name: "returned to the head", seed: "HSET rq:job:j1 retries_left 2 retry_intervals [10]\nRPUSH rq:queue:q j2\nHSET docsvc:recovered j1 2",
		outcome: Outcome{Kind: OutcomeReturnHead}, status: StatusQueued,
		want: nextNever + workedTime + event("ms=10000 queue=q reason=drained to=queued worker=w1") + `
			- rq:queue:q [j2]
			+ docsvc:worker:w1 finished_status = queued
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = queued
			+ rq:queue:q [j1 j2]`,
	}, {
		name: "back to a queue whose key is no list", seed: "SET rq:queue:q x", outcome: Outcome{Kind: OutcomeReturnHead},
		status: StatusScheduled, next: noon.Truncate(time.Second).Add(time.Minute),
		want: workedTime + event("ms=10000 queue=q reason=drained to=queued worker=w1") + `
			+ docsvc:refused LPUSH = 1
			+ docsvc:worker:w1 finished_next = 1795435260
			+ docsvc:worker:w1 finished_status = scheduled
			+ rq:job:j1 enqueued_at = 2026-11-23T12:00:00.250000Z
			+ rq:job:j1 status = scheduled
			+ rq:queues rq:queue:q
			+ rq:scheduled:q j1 1795435260`,
	}, {
		name: "repeated", seed: "HSET rq:job:j1 repeats_left 2 repeat_intervals [50,100]", outcome: Outcome{Result: 3},
		status: StatusScheduled, next: noon.Truncate(time.Second).Add(100 * time.Second),
		want: workedTime + event("ms=10000 queue=q reason=finished to=finished worker=w1") + `
			- rq:job:j1 repeats_left = 2
			+ docsvc:events #1 from=finished job=j1 queue=q reason=repeat to=scheduled
			+ docsvc:worker:w1 finished_next = 1795435300
			+ docsvc:worker:w1 finished_status = scheduled
			+ rq:finished:q j1 1795435700
			+ rq:job:j1 repeats_left = 1
			+ rq:job:j1 result = ` + "\x80\x05K\x03." + `
			+ rq:job:j1 status = scheduled
			+ rq:queues rq:queue:q
			+ rq:results:j1 #0` + result + `return_value=pickle 3 type=1 worker_name=w1
			+ rq:results:j1 ttl 500
			+ rq:scheduled:q j1 1795435300
			+ rq:worker:w1 successful_job_count = 1`,
	}}
}

func TestFinish(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		for _, c := range finishCases() {
			t.Run(c.name, func(t *testing.T) {
				f := newFixture(t, s, Options{})
				f.seed(startedJob + "\n" + c.seed)
				var got Finished
				wantChange(t, f.change(func() { got = f.finish(c.outcome) }), without(ended, c.gone)+c.want)
				if got.Err != nil || got.Status != c.status || !got.NextAttempt.Equal(c.next) {
					t.Errorf("finished as %+v, want %s at %s", got, c.status, c.next)
				}
			})
		}
	})
}

// A finish whose reply was lost is asked again, and answered as before.
func TestFinishRepeated(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob + "\nHSET rq:job:j1 retries_left 2 retry_intervals [60]")
		o := Outcome{Kind: OutcomeRetry, Job: f.running(), Error: "boom", Effects: []Effect{HIncrBy("docsvc:n", "n", 1)}}
		first := f.finish(o)
		f.now = f.now.Add(time.Second)
		wantChange(t, f.change(func() {
			if again := f.finish(o); again != first || again.Err != nil {
				t.Errorf("first %+v, then %+v", first, again)
			}
		}), "")
	})
}

func TestLateFinishIsRefused(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob)
		j := f.running()
		f.seed("ZREM rq:wip:q j1:e1\nZADD rq:wip:q 1795435290 j1:e2") // another worker has it now
		for _, k := range []OutcomeKind{OutcomeFinish, OutcomeFail, OutcomeRetry, OutcomeRetryFree, OutcomeReturnHead, OutcomeStop} {
			f.rdb.Del(context.Background(), "docsvc:late")
			wantChange(t, f.change(func() {
				got := f.finish(Outcome{Kind: k, Job: j, Result: 1, Effects: []Effect{SetNX("docsvc:x", "y")}})
				if !errors.Is(got.Err, ErrLateFinish) {
					t.Errorf("outcome %d answered %+v", k, got)
				}
			}), "+ docsvc:late q = 1")
		}
	})
}

// A job that was deleted while it ran is not brought to life again.
func TestFinishOfADeletedJob(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		f.seed(startedJob)
		j := f.running()
		f.seed("DEL rq:job:j1")
		wantChange(t, f.change(func() {
			if got := f.finish(Outcome{Job: j, Result: 1}); !errors.Is(got.Err, ErrLateFinish) {
				t.Errorf("answered %+v", got)
			}
		}), `+ docsvc:late q = 1`+without(without(ended, " rq:job:j1 "), "docsvc:worker:w1 finished"))
	})
}
