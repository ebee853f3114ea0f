package rq

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ExplainCause is why a job is not done, or that it is.
type ExplainCause string

// The causes that Explain tells apart.
const (
	CauseCreated         ExplainCause = "created"          // never put on a queue
	CauseWaiting         ExplainCause = "waiting"          // in its queue, behind others or about to start
	CauseSuspended       ExplainCause = "suspended"        // in its queue, and workers are suspended
	CauseNoWorker        ExplainCause = "no_worker"        // in its queue, which no live worker listens to
	CauseTaken           ExplainCause = "taken"            // in the intermediate list of a worker of RQ
	CauseLost            ExplainCause = "lost"             // nothing holds it: see Fsck
	CauseScheduled       ExplainCause = "scheduled"        // for a time that is ahead
	CauseOverdue         ExplainCause = "overdue"          // its time has passed; see Scheduler
	CauseDeferred        ExplainCause = "deferred"         // waits for other jobs
	CauseBlocked         ExplainCause = "blocked"          // waits for a job that failed or was canceled
	CauseRunning         ExplainCause = "running"          //
	CauseWorkerGone      ExplainCause = "worker_gone"      // says started, but its worker gives no sign of life
	CauseFailed          ExplainCause = "failed"           //
	CauseUnknownFunction ExplainCause = "unknown_function" // failed: no function of that name on the worker that took it
	CauseStopped         ExplainCause = "stopped"          //
	CauseCanceled        ExplainCause = "canceled"         //
	CauseFinished        ExplainCause = "finished"         //
	CauseGone            ExplainCause = "gone"             // its hash is gone, but something still tells of it
	CauseUnreadable      ExplainCause = "unreadable"       // of a status that RQ 2 doesn't have
)

// ExplainParent is a job that another one waits for.
type ExplainParent struct {
	ID     string `json:"id"`
	Status Status `json:"status"` // "" when it is gone, which counts as finished
}

// ExplainRate is how fast a queue's jobs were started lately.
type ExplainRate struct {
	Started   int     `json:"started"` // jobs
	Seconds   float64 `json:"seconds"` // in so many
	PerMinute float64 `json:"per_minute"`
}

// ExplainSpan is an estimate, in seconds from now.
type ExplainSpan struct {
	Earliest float64 `json:"earliest"`
	Latest   float64 `json:"latest"`
}

// ExplainEvent is the last thing that the events stream knows about a job.
type ExplainEvent struct {
	At        time.Time `json:"at"`
	From      Status    `json:"from,omitempty"`
	To        Status    `json:"to,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Worker    string    `json:"worker,omitempty"`
	ErrorCode string    `json:"error_code,omitempty"`
	Document  string    `json:"document,omitempty"` // of the label of that name
}

// Explanation is why a job is where it is. Fields that say nothing about its
// cause are empty. Times are by the server's clock.
type Explanation struct {
	JobID string       `json:"job_id"`
	Cause ExplainCause `json:"cause"`
	Text  string       `json:"text"` // one sentence with the evidence

	Queue  string `json:"queue,omitempty"`
	Func   string `json:"func_name,omitempty"`
	Status Status `json:"status,omitempty"`

	EnqueuedAt   *time.Time `json:"enqueued_at,omitempty"`
	ScheduledFor *time.Time `json:"scheduled_for,omitempty"`
	StartedAt    *time.Time `json:"started_at,omitempty"`
	EndedAt      *time.Time `json:"ended_at,omitempty"`

	Position       *int         `json:"position,omitempty"` // 0 is next
	Length         *int         `json:"queue_length,omitempty"`
	Workers        []string     `json:"workers,omitempty"` // alive, listening to its queue
	Busy           int          `json:"workers_busy,omitempty"`
	Rate           *ExplainRate `json:"rate,omitempty"`
	StartsIn       *ExplainSpan `json:"starts_in,omitempty"`
	SuspendedUntil *time.Time   `json:"suspended_until,omitempty"`

	Scheduler string          `json:"scheduler,omitempty"` // who holds the scheduler lock of its queue
	WaitsFor  []ExplainParent `json:"waits_for,omitempty"`

	Worker        string     `json:"worker,omitempty"`
	Execution     string     `json:"execution,omitempty"`
	LastHeartbeat *time.Time `json:"last_heartbeat,omitempty"`
	LeaseUntil    *time.Time `json:"lease_until,omitempty"` // docsvc's workers only
	HeldUntil     *time.Time `json:"held_until,omitempty"`  // by its score in rq:wip
	Timeout       *float64   `json:"timeout,omitempty"`     // seconds
	Recovered     int        `json:"recovered,omitempty"`   // deaths of its worker
	RetriesLeft   *int       `json:"retries_left,omitempty"`
	Error         string     `json:"error,omitempty"` // its last line
	ErrorCode     string     `json:"error_code,omitempty"`
	ExpiresAt     *time.Time `json:"expires_at,omitempty"` // when its hash is forgotten

	LastEvent *ExplainEvent `json:"last_event,omitempty"`

	now    time.Time
	job    *Job
	others bool // workers that are not docsvc's listen, too
}

// Explain says why a job is not done, or when it was, with the evidence. It
// only reads. ErrNoJob when nothing tells of such a job.
func (c *Client) Explain(ctx context.Context, id string) (*Explanation, error) {
	x, err := c.explain(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("explaining job %s: %w", id, err)
	}
	return x, nil
}

func (c *Client) explain(ctx context.Context, id string) (*Explanation, error) {
	now, err := c.serverTime(ctx)
	if err != nil {
		return nil, err
	}
	x := &Explanation{JobID: id, now: now.UTC()}
	j, err := c.Job(ctx, id)
	if errors.Is(err, ErrNoJob) {
		return c.explainGone(ctx, x)
	}
	if err != nil {
		return nil, err
	}
	x.job, x.Queue, x.Func, x.Status = j, j.Queue, j.Func, j.Status
	x.EnqueuedAt, x.EndedAt = momentOf(j.EnqueuedAt), momentOf(j.EndedAt)
	x.RetriesLeft = j.RetriesLeft
	deaths, err := c.rdb.HGet(ctx, c.keyRecovered(), id).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return nil, err
	}
	x.Recovered, _ = strconv.Atoi(deaths)
	history, err := c.history(ctx, id, j.Queue, now)
	if err != nil {
		return nil, err
	}
	x.LastEvent = history.last
	switch j.Status {
	case StatusCreated:
		x.say(CauseCreated, "It was created at %s and never put on a queue", x.at(j.CreatedAt))
	case StatusQueued:
		err = c.explainQueued(ctx, x, history)
	case StatusScheduled:
		err = c.explainScheduled(ctx, x)
	case StatusDeferred:
		err = c.explainDeferred(ctx, x)
	case StatusStarted:
		err = c.explainStarted(ctx, x)
	case StatusFailed, StatusStopped, StatusCanceled, StatusFinished:
		err = c.explainEnded(ctx, x)
	default:
		x.say(CauseUnreadable, "Its status %.40q is none that RQ 2 knows: nobody takes it. See: docsvc queue fsck", string(j.Status))
	}
	if err != nil {
		return nil, err
	}
	return x, nil
}

func momentOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func (x *Explanation) say(cause ExplainCause, format string, a ...any) {
	x.Cause, x.Text = cause, fmt.Sprintf(format, a...)
	x.Text += "."
}

// at writes a time and how far it is away.
func (x *Explanation) at(t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	text := t.UTC().Format(time.RFC3339)
	switch d := x.now.Sub(t); {
	case d >= time.Second:
		return fmt.Sprintf("%s (%s ago)", text, span(d))
	case d <= -time.Second:
		return fmt.Sprintf("%s (in %s)", text, span(-d))
	}
	return text + " (now)"
}

// span writes a duration in its two largest units.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(math.Ceil(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd %dh", int(d.Hours())/24, int(d.Hours())%24)
}

// listeners are the live workers on the queue.
func (c *Client) listeners(ctx context.Context, x *Explanation) error {
	workers, err := c.Workers(ctx)
	if passType(err) != nil {
		return err
	}
	for _, k := range workers {
		if k.Alive && slices.Contains(k.Queues, x.Queue) {
			x.Workers = append(x.Workers, k.Name)
			x.others = x.others || !k.Docsvc
			if k.State == WorkerBusy {
				x.Busy++
			}
		}
	}
	return nil
}

func (c *Client) explainQueued(ctx context.Context, x *Explanation, h history) error {
	if x.Queue == "" {
		x.say(CauseLost, "Its hash says queued, but names no queue: nobody takes it. See: docsvc queue fsck")
		return nil
	}
	length, err := c.rdb.LLen(ctx, keyQueue(x.Queue)).Result()
	if passType(err) != nil {
		return err
	}
	n := int(length)
	x.Length = &n
	position, found := c.Position(ctx, x.job)
	if !found && n > 2*positionDepth {
		// Somewhere in the middle, or nowhere: a walk through it all tells.
		at, err := c.rdb.LPos(ctx, keyQueue(x.Queue), x.JobID, redis.LPosArgs{}).Result()
		if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
			return err
		}
		position, found = int(at), err == nil
	}
	if !found {
		return c.explainUnqueued(ctx, x)
	}
	x.Position = &position
	if err := c.listeners(ctx, x); err != nil {
		return err
	}
	where := fmt.Sprintf("It waits in queue %s since %s, %s", x.Queue, x.at(x.job.EnqueuedAt), before(position))
	if x.LastEvent != nil && x.LastEvent.Reason == ReasonDrained && x.LastEvent.Worker != "" {
		where += fmt.Sprintf("; worker %s gave it back at %s", x.LastEvent.Worker, x.at(x.LastEvent.At))
	}
	if x.Recovered > 0 {
		where += "; " + x.deaths()
	}
	ttl, err := c.rdb.PTTL(ctx, keySuspended).Result()
	if err != nil {
		return err
	}
	switch {
	case ttl != -2 && ttl != -2*time.Millisecond:
		until := "until docsvc queue resume"
		if ttl > 0 {
			x.SuspendedUntil = momentOf(x.now.Add(ttl))
			until = "until " + x.at(*x.SuspendedUntil)
		}
		x.say(CauseSuspended, "%s; all workers are suspended %s", where, until)
	case len(x.Workers) == 0:
		x.say(CauseNoWorker, "%s; no live worker listens to that queue: docsvc worker --queues %s", where, x.Queue)
	default:
		x.say(CauseWaiting, "%s; %s", where, x.turn(position, h))
	}
	return nil
}

func before(position int) string {
	switch position {
	case 0:
		return "as the next one"
	case 1:
		return "with 1 job before it"
	}
	return fmt.Sprintf("with %d jobs before it", position)
}

// turn says when the queue's workers will come to it, by how many jobs they
// started lately: n starts in a time are n give or take twice its root, so the
// estimate is as wide as what was seen is little.
func (x *Explanation) turn(position int, h history) string {
	on := fmt.Sprintf("%d live workers listen to it, %d of them busy", len(x.Workers), x.Busy)
	if len(x.Workers) == 1 {
		on = "worker " + x.Workers[0] + " listens to it"
		if x.Busy == 1 {
			on += " and is busy"
		}
	}
	if x.others {
		on += " (what workers of RQ start is not measured)"
	}
	if len(h.starts) < 2 {
		return on + ", and too few jobs were started lately to say when"
	}
	took := x.now.Sub(h.starts[len(h.starts)-1]).Seconds()
	n := float64(len(h.starts))
	x.Rate = &ExplainRate{Started: len(h.starts), Seconds: took, PerMinute: n / max(took, 0.001) * 60}
	ahead := float64(position + 1)
	wide := 2 * math.Sqrt(n)
	x.StartsIn = &ExplainSpan{Earliest: ahead * took / (n + wide), Latest: ahead * took / max(n-wide, 0.5)}
	return fmt.Sprintf("%s; they started %d jobs in the last %s (%.1f a minute), so that its turn should be in %s to %s", on, len(h.starts),
		span(time.Duration(took*1e9)), x.Rate.PerMinute, span(seconds(x.StartsIn.Earliest)), span(seconds(x.StartsIn.Latest)))
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

func (c *Client) explainUnqueued(ctx context.Context, x *Explanation) error {
	err := c.rdb.LPos(ctx, keyIntermediate(x.Queue), x.JobID, redis.LPosArgs{}).Err()
	switch {
	case err == nil:
		x.say(CauseTaken, "A worker of RQ has taken it from queue %s and not started it yet; if it never does, cleaning puts it back after a minute", x.Queue)
		return nil
	case !errors.Is(err, redis.Nil) && !isWrongType(err):
		return err
	}
	x.say(CauseLost, "Its hash says queued since %s, but it is not in queue %s: nobody will take it. See: docsvc queue fsck --fix", x.at(x.job.EnqueuedAt), x.Queue)
	return nil
}

func (c *Client) explainScheduled(ctx context.Context, x *Explanation) error {
	score, err := c.rdb.ZScore(ctx, keyScheduled(x.Queue), x.JobID).Result()
	if errors.Is(err, redis.Nil) || isWrongType(err) {
		x.say(CauseLost, "Its hash says scheduled, but it is in no registry of queue %s: nobody will enqueue it. See: docsvc queue fsck --fix", x.Queue)
		return nil
	}
	if err != nil {
		return err
	}
	if score < 0 || score > latest {
		x.say(CauseLost, "It is scheduled for no time that will ever come (score %s in the registry of queue %s). See: docsvc queue fsck", plain(score), x.Queue)
		return nil
	}
	due := time.Unix(int64(score), 0).UTC()
	x.ScheduledFor = &due
	owner, err := c.rdb.Get(ctx, keySchedulerLock(x.Queue)).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !isWrongType(err) {
		return err
	}
	if err := c.listeners(ctx, x); err != nil {
		return err
	}
	who := "no scheduler holds the lock of queue " + x.Queue + ", so that nobody will enqueue it: start a docsvc worker on it, or rq worker --with-scheduler"
	if x.Scheduler = owner; owner != "" {
		f, err := c.rdb.HMGet(ctx, keyScheduler(owner), "hostname", "pid").Result()
		if passType(err) != nil {
			return err
		}
		who = "scheduler " + owner
		if len(f) == 2 && f[0] != nil && f[1] != nil {
			who += fmt.Sprintf(" (host %v, pid %v)", f[0], f[1])
		}
		who += " looks after queue " + x.Queue
	}
	if len(x.Workers) == 0 && owner != "" {
		who += ", but no live worker listens to it"
	}
	again := ""
	if e := x.LastEvent; e != nil && (e.Reason == ReasonRetry || e.Reason == ReasonRetryFree || e.Reason == ReasonAbandoned) {
		if again, err = c.lastError(ctx, x); err != nil {
			return err
		}
		again = ", to be tried again" + again
	}
	cause, verb := CauseScheduled, "is scheduled for"
	if due.Before(x.now.Add(-5 * time.Second)) {
		cause, verb = CauseOverdue, "was due at"
	}
	x.say(cause, "It %s %s%s; %s", verb, x.at(due), again, who)
	return nil
}

func (c *Client) explainDeferred(ctx context.Context, x *Explanation) error {
	ids, err := c.rdb.SMembers(ctx, keyDependencies(x.JobID)).Result()
	if passType(err) != nil {
		return err
	}
	var named []string
	if json.Unmarshal([]byte(x.job.Extra["dependency_ids"]), &named) == nil {
		ids = append(ids, named...)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	parents, err := c.jobsUpTo(ctx, ids[:min(len(ids), 1000)], 0)
	if err != nil {
		return err
	}
	tolerant := x.job.Extra["allow_dependency_failures"] == "1"
	var open, blocking []string
	for i, p := range parents {
		one := ExplainParent{ID: ids[i]}
		if p != nil {
			one.Status = p.Status
		}
		x.WaitsFor = append(x.WaitsFor, one)
		switch {
		case p == nil || p.Status == StatusFinished || tolerant && p.Status == StatusFailed:
		case p.Status.Final():
			blocking = append(blocking, fmt.Sprintf("%s, which is %s", ids[i], p.Status))
		default:
			open = append(open, fmt.Sprintf("%s, which is %s", ids[i], p.Status))
		}
	}
	switch {
	case len(blocking) > 0:
		x.say(CauseBlocked, "It waits for job %s: it never runs unless that is run again (docsvc queue retry %s)", few(blocking), strings.SplitN(blocking[0], ",", 2)[0])
	case len(open) > 0:
		x.say(CauseDeferred, "It waits for job %s", few(open))
	default:
		x.say(CauseLost, "It is deferred, though all that it waits for (%d) is done or gone; maintenance releases it within ten minutes where a docsvc worker serves queue %s, docsvc queue fsck --fix at once",
			len(ids), x.Queue)
	}
	return nil
}

// few writes the first of a list and how many more there are.
func few(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s, and for %d more", list[0], len(list)-1)
}

func (c *Client) explainStarted(ctx context.Context, x *Explanation) error {
	x.StartedAt = momentOf(x.job.StartedAt)
	x.Worker, x.EndedAt = x.job.WorkerName, nil
	x.LastHeartbeat = momentOf(x.job.LastHeartbeat)
	if x.job.Timeout > 0 {
		x.Timeout = new(float64)
		*x.Timeout = x.job.Timeout.Seconds()
	}
	held := time.Time{}
	list, err := c.rdb.ZRevRange(ctx, keyExecutions(x.JobID), 0, 99).Result()
	if passType(err) != nil {
		return err
	}
	for _, e := range list {
		member := x.JobID + ":" + e
		score, err := c.rdb.ZScore(ctx, keyWIP(x.Queue), member).Result()
		if errors.Is(err, redis.Nil) || isWrongType(err) {
			continue
		}
		if err != nil {
			return err
		}
		held = time.Unix(int64(score), 0).UTC()
		x.Execution, x.HeldUntil = e, &held
		if err := c.execution(ctx, x, e, member); err != nil {
			return err
		}
		break
	}
	since := fmt.Sprintf("on %s since %s", workerText(x.Worker), x.at(x.job.StartedAt))
	if x.Execution == "" {
		x.say(CauseLost, "Its hash says started %s, but no execution holds it: nobody works on it. See: docsvc queue fsck --fix", since)
		return nil
	}
	last := "never gave a sign of life"
	if x.LastHeartbeat != nil {
		last = "last sign of life " + x.at(*x.LastHeartbeat)
	}
	if x.Recovered > 0 {
		last += "; " + x.deaths()
	}
	switch {
	case x.LeaseUntil != nil && x.LeaseUntil.Before(x.now):
		x.say(CauseWorkerGone, "It was started %s, whose lease on it ended at %s; %s; another docsvc worker on queue %s takes it over within seconds, when there is one", since, x.at(*x.LeaseUntil), last, x.Queue)
	case x.LeaseUntil == nil && held.Before(x.now):
		x.say(CauseWorkerGone, "It was started %s, which should have renewed it by %s; %s; cleaning takes it over within minutes where a worker serves queue %s", since, x.at(held), last, x.Queue)
	default:
		limit := ""
		if x.Timeout != nil && x.StartedAt != nil {
			limit = "; its time limit ends at " + x.at(x.StartedAt.Add(x.job.Timeout))
		}
		lease := ""
		if x.LeaseUntil != nil {
			lease = ", lease until " + x.at(*x.LeaseUntil)
		}
		x.say(CauseRunning, "It is running %s; %s%s%s", since, last, lease, limit)
	}
	return nil
}

// execution reads what is known of the execution that holds the job.
func (c *Client) execution(ctx context.Context, x *Explanation, e, member string) error {
	f, err := c.rdb.HMGet(ctx, keyExecution(x.JobID, e), "last_heartbeat", "worker_name").Result()
	if passType(err) != nil {
		return err
	}
	if len(f) == 2 {
		if s, ok := f[0].(string); ok {
			if t := parseFloatStamp(s); !t.IsZero() {
				x.LastHeartbeat = &t
			}
		}
		if s, ok := f[1].(string); ok {
			x.Worker = cmp.Or(s, x.Worker)
		}
	}
	lease, err := c.rdb.ZScore(ctx, c.keyLease(x.Queue), member).Result()
	if err == nil {
		x.LeaseUntil = momentOf(time.UnixMilli(int64(lease)))
		return nil
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	return passType(err)
}

func workerText(name string) string {
	if name == "" {
		return "an unknown worker"
	}
	return "worker " + name
}

func (x *Explanation) deaths() string {
	if x.Recovered == 1 {
		return "its worker died once while it ran"
	}
	return fmt.Sprintf("its worker died %d times while it ran", x.Recovered)
}

func (c *Client) explainEnded(ctx context.Context, x *Explanation) error {
	x.StartedAt, x.Worker = momentOf(x.job.StartedAt), x.job.WorkerName
	ttl, err := c.rdb.PTTL(ctx, keyJob(x.JobID)).Result()
	if err != nil {
		return err
	}
	kept := "; it is kept until it is deleted"
	if ttl > 0 {
		x.ExpiresAt = momentOf(x.now.Add(ttl))
		kept = "; it is kept until " + x.at(*x.ExpiresAt)
	}
	ended := x.job.EndedAt
	if x.LastEvent != nil && x.LastEvent.To == x.Status {
		ended = x.LastEvent.At
		x.ErrorCode = x.LastEvent.ErrorCode
	}
	took := ""
	if x.Status == StatusFinished && !x.job.StartedAt.IsZero() && x.job.EndedAt.After(x.job.StartedAt) {
		took = " after " + span(x.job.EndedAt.Sub(x.job.StartedAt))
	}
	switch x.Status {
	case StatusFinished:
		x.say(CauseFinished, "It finished at %s%s on %s%s", x.at(ended), took, workerText(x.Worker), kept)
	case StatusCanceled:
		x.EndedAt = momentOf(ended)
		by := ""
		if x.LastEvent != nil && x.LastEvent.To == StatusCanceled && x.LastEvent.From != "" {
			by = fmt.Sprintf(", while it was %s", x.LastEvent.From)
		}
		if ended.IsZero() {
			x.say(CauseCanceled, "It was canceled%s; to run it after all: docsvc queue retry %s", by, x.JobID)
			return nil
		}
		x.say(CauseCanceled, "It was canceled at %s%s; to run it after all: docsvc queue retry %s", x.at(ended), by, x.JobID)
	case StatusStopped:
		x.say(CauseStopped, "It was stopped at %s on %s; to run it again: docsvc queue retry %s", x.at(ended), workerText(x.Worker), x.JobID)
	default:
		return c.explainFailed(ctx, x, ended, kept)
	}
	return nil
}

func (c *Client) explainFailed(ctx context.Context, x *Explanation, ended time.Time, kept string) error {
	why, err := c.lastError(ctx, x)
	if err != nil {
		return err
	}
	if x.ErrorCode == "unknown_function" || strings.HasPrefix(x.Error, "no function ") {
		x.say(CauseUnknownFunction, "%s refused it at %s: it knows no function %q; once a worker that does listens to queue %s: docsvc queue retry %s",
			upper(workerText(x.Worker)), x.at(ended), x.Func, x.Queue, x.JobID)
		return nil
	}
	left := ""
	if x.RetriesLeft != nil {
		left = fmt.Sprintf("; retries left: %d", *x.RetriesLeft)
		if *x.RetriesLeft == 0 {
			left = "; all its retries are spent"
		}
	}
	x.say(CauseFailed, "It failed at %s on %s%s%s%s; to run it again: docsvc queue retry %s", x.at(ended), workerText(x.Worker), why, left, kept, x.JobID)
	return nil
}

// otherType reports that a key is of another type, in either way it is said.
func otherType(err error) bool { return isWrongType(err) || errors.As(err, new(*KeyError)) }

func upper(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// lastError reads the last line of the latest error.
func (c *Client) lastError(ctx context.Context, x *Explanation) (string, error) {
	r, err := c.LatestResult(ctx, x.JobID)
	if err != nil && !otherType(err) {
		return "", err
	}
	if r == nil || r.Error == "" {
		return "", nil
	}
	lines := strings.Split(strings.TrimSpace(r.Error), "\n")
	x.Error = lines[len(lines)-1]
	if len(x.Error) > 500 {
		x.Error = strings.ToValidUTF8(x.Error[:500], "") + "..."
	}
	x.Worker = cmp.Or(r.WorkerName, x.Worker)
	return ": " + strings.TrimRight(x.Error, "."), nil
}

// explainGone says what is still known of a job without a hash.
func (c *Client) explainGone(ctx context.Context, x *Explanation) (*Explanation, error) {
	h, err := c.history(ctx, x.JobID, "", x.now)
	if err != nil {
		return nil, err
	}
	r, err := c.LatestResult(ctx, x.JobID)
	if err != nil && !otherType(err) {
		return nil, err
	}
	switch {
	case h.last != nil && (h.last.To == "" || h.last.Reason == "deleted"):
		x.LastEvent, x.Queue = h.last, h.queue
		x.say(CauseGone, "It was deleted at %s", x.at(h.last.At))
	case h.last != nil:
		x.LastEvent, x.Queue, x.Worker, x.ErrorCode = h.last, h.queue, h.last.Worker, h.last.ErrorCode
		how := fmt.Sprintf("It became %s at %s", h.last.To, x.at(h.last.At))
		if h.last.Worker != "" {
			how += " on worker " + h.last.Worker
		}
		if h.last.To.Final() {
			x.say(CauseGone, "%s; its time to be kept is over, or it was deleted", how)
		} else {
			x.say(CauseGone, "%s, and was deleted since, or its time to wait ran out", how)
		}
	case r != nil:
		x.Worker = r.WorkerName
		x.say(CauseGone, "The job is gone, its results are still there: the last run ended at %s on %s", x.at(r.CreatedAt), workerText(r.WorkerName))
	default:
		return nil, ErrNoJob
	}
	return x, nil
}

// history is what the events stream tells of a job and its queue.
type history struct {
	last   *ExplainEvent
	queue  string      // of last
	starts []time.Time // of jobs of the queue, newest first
}

const (
	historyPages = 10 // of 1000 entries: all of a stream of the usual length
	paceStarts   = 100
	paceWindow   = 15 * time.Minute
)

// history reads the events stream backwards until it knows all that it can.
func (c *Client) history(ctx context.Context, id, queue string, now time.Time) (history, error) {
	var h history
	end := "+"
	for range historyPages {
		entries, err := c.rdb.XRevRangeN(ctx, c.keyEvents(), end, "-", 1000).Result()
		if err != nil {
			return h, passType(err)
		}
		paced := queue == ""
		for _, e := range entries {
			at := eventTime(e.ID)
			text := func(name string) string {
				s, _ := e.Values[name].(string)
				return s
			}
			if h.last == nil && text("job") == id && text("reason") != ReasonProgress {
				h.last = &ExplainEvent{At: at, From: Status(text("from")), To: Status(text("to")), Reason: text("reason"),
					Worker: text("worker"), ErrorCode: text("error_code"), Document: text("document")}
				h.queue = text("queue")
			}
			if len(h.starts) >= paceStarts || now.Sub(at) > paceWindow {
				paced = true
			} else if queue != "" && text("queue") == queue && text("reason") == ReasonClaimed {
				h.starts = append(h.starts, at)
			}
		}
		if len(entries) < 1000 || h.last != nil && paced {
			break
		}
		end = "(" + entries[len(entries)-1].ID
	}
	return h, nil
}

func eventTime(id string) time.Time {
	ms, _, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(ms, 10, 64)
	return time.UnixMilli(n).UTC()
}
