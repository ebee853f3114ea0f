package rq

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// A stray is a job that nothing holds: its hash says queued, started or
// scheduled, and it stands in no list, registry or rq:wip. RQ's workers on
// several queues make them (one that dies between its BLPOP and its next
// command), and whoever deletes keys by hand. No lease tells of them, so that
// they are looked for: SeekStrays walks through all jobs with a cursor that
// stands in Redis, a few at each call, in one process at a time; another one
// goes on where it ended. A job counts as a stray when it was seen twice, a
// minute apart, with nothing about it changed; the script that puts it back
// looks again.
//
// It is the part of Fsck that runs by itself: it judges as fsck_jobs.go does.

// ReasonStray is the reason in the events of strays that were put back.
const ReasonStray = "stray"

const (
	// strayCycle is the time in which a walk through all jobs is to end. With
	// the age of a stray, and a death of the walking process, that leaves a
	// walk of ten minutes.
	strayCycle = 8 * time.Minute
	// strayRest is the least time between the beginnings of two walks.
	strayRest = time.Minute
	// strayRate bounds the walk, in commands a second: see pacer.
	strayRate = 10000
	// strayOwner is how long a process that walks is waited for.
	strayOwner = 30 * time.Second
	// strayStep bounds one call.
	strayStep = time.Minute
	// strayTwice is for how long one call looks at what was seen before.
	strayTwice = 5 * time.Second
)

// strays is what the walking process remembers of a walk.
type strays struct {
	mu    sync.Mutex
	look  *fsck
	began string // of the walk that look's sieve was made for
	kept  time.Time
}

// Strays says what one call of SeekStrays did.
type Strays struct {
	Looked    int64       // jobs looked at
	Suspected int         // seen for the first time
	Mended    []Recovered // put back into their queue, or failed by RQ's rules
	Ended     bool        // it came to the end of a walk
}

// SeekStrays goes on with the walk for jobs that nothing holds, in those queues
// and all that live workers of docsvc listen to. Call it every 5 s in each
// worker; it does nothing while another process does it.
func (c *Client) SeekStrays(ctx context.Context, queues []string) (Strays, error) {
	c.strays.mu.Lock()
	defer c.strays.mu.Unlock()
	var s Strays
	mine, err := c.keepStrays(ctx)
	if err != nil || !mine {
		return s, strayError(err)
	}
	limited, cancel := context.WithTimeout(ctx, strayStep)
	defer cancel()
	queues, err = c.strayQueues(limited, queues)
	if err == nil {
		err = c.mendStrays(limited, queues, &s)
	}
	if err == nil {
		err = c.walkStrays(limited, queues, &s)
	}
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		err = nil // its time is over: the next call goes on
	}
	return s, strayError(err)
}

func strayError(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("looking for jobs that nothing holds: %w", err)
}

// keepStrays takes or keeps the walk for this process. Two that walk at once
// do no harm: repairs look again.
func (c *Client) keepStrays(ctx context.Context) (bool, error) {
	won, err := c.rdb.SetNX(ctx, c.keyStrayOwner(), c.token, strayOwner).Result()
	if err != nil || won {
		c.strays.kept = time.Now()
		return won, err
	}
	owner, err := c.rdb.Get(ctx, c.keyStrayOwner()).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	if owner != c.token {
		c.strays.look = nil // what it remembers is of another's walk
		return false, nil
	}
	c.strays.kept = time.Now()
	return true, c.rdb.PExpire(ctx, c.keyStrayOwner(), strayOwner).Err()
}

// strayKeep does so during a long walk.
func (c *Client) strayKeep(ctx context.Context, _ []unit) error {
	if time.Since(c.strays.kept) < strayOwner/3 {
		return nil
	}
	_, err := c.keepStrays(ctx)
	return err
}

// strayQueues adds the queues that live workers of docsvc listen to, so that
// whichever process walks looks after the same ones.
func (c *Client) strayQueues(ctx context.Context, queues []string) ([]string, error) {
	workers, err := c.Workers(ctx)
	if passType(err) != nil {
		return nil, err
	}
	queues = slices.Clone(queues)
	for _, w := range workers {
		if w.Docsvc && w.Alive {
			queues = append(queues, w.Queues...)
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues), nil
}

// strayLook begins a look that knows of no entries yet.
func (c *Client) strayLook(ctx context.Context, queues []string) (*fsck, error) {
	f := &fsck{
		c: c, o: FsckOptions{Age: pythonWindow, Limit: 1 << 20, Queues: queues, Rate: strayRate},
		pace: pacer{rate: strayRate}, held: newSieve(0), ours: map[string]bool{},
		queues: map[string]bool{}, lists: map[string]string{}, listed: map[string]bool{}, wips: map[string]bool{},
	}
	return f, f.begin(ctx)
}

// walkStrays looks at as many jobs as are due, and notes those that nothing
// seems to hold.
func (c *Client) walkStrays(ctx context.Context, queues []string, s *Strays) error {
	state, err := c.rdb.HGetAll(ctx, c.keyStrayWalk()).Result()
	if err != nil {
		return err
	}
	now, err := c.serverTime(ctx)
	if err != nil {
		return err
	}
	millis := func(field string) time.Time {
		n, _ := strconv.ParseInt(state[field], 10, 64)
		return time.UnixMilli(n)
	}
	if state["cursor"] == "" {
		if now.Sub(millis("began")) < strayRest && !now.Before(millis("began")) {
			return nil
		}
		state["began"], state["cursor"] = strconv.FormatInt(now.UnixMilli(), 10), "0"
		if err := c.rdb.HSet(ctx, c.keyStrayWalk(), "began", state["began"], "cursor", "0").Err(); err != nil {
			return err
		}
	}
	if c.strays.look == nil || c.strays.began != state["began"] {
		if err := c.holdStrays(ctx, queues); err != nil {
			return err
		}
		c.strays.began = state["began"]
	}
	size, err := c.rdb.DBSize(ctx).Result()
	if err != nil {
		return err
	}
	share := min(max(now.Sub(millis("at")), 5*time.Second), time.Minute)
	if err := c.rdb.HSet(ctx, c.keyStrayWalk(), "at", now.UnixMilli()).Err(); err != nil {
		return err
	}
	return c.pageStrays(ctx, state["cursor"], fsckPage+int64(float64(size)*share.Seconds()/strayCycle.Seconds()), s)
}

// holdStrays notes what stands in all lists. What is enqueued later counts as
// young, see judgeQueued.
func (c *Client) holdStrays(ctx context.Context, queues []string) error {
	c.strays.look = nil
	f, err := c.strayLook(ctx, queues)
	if err != nil {
		return err
	}
	names, err := c.QueueNames(ctx)
	if err != nil && !isWrongType(err) {
		return err
	}
	for _, q := range append(names, queues...) {
		f.listed[keyQueue(q)] = true
		f.lists[keyQueue(q)], f.lists[keyIntermediate(q)], f.wips[keyWIP(q)] = q, q, true
	}
	if err := f.hold(ctx, c.strayKeep); err != nil {
		return err
	}
	c.strays.look = f
	return nil
}

// pageStrays walks on by about so many keys.
func (c *Client) pageStrays(ctx context.Context, from string, keys int64, s *Strays) error {
	f := c.strays.look
	cursor, _ := strconv.ParseUint(from, 10, 64)
	for ; keys > 0; keys -= fsckPage {
		if err := c.strayKeep(ctx, nil); err != nil {
			return err
		}
		answered, err := f.pace.spend(ctx, fsckPage/10)
		if err != nil {
			return err
		}
		found, next, err := c.rdb.Scan(ctx, cursor, keyJob("*"), fsckPage).Result()
		answered()
		if err != nil {
			return err
		}
		var units []unit
		for _, key := range found {
			if id := strings.TrimPrefix(key, prefixJob); jobID.MatchString(id) {
				units = append(units, unit{kind: unitJob, key: key, member: id})
			}
		}
		f.found, f.order, f.report = map[string]*fsckFinding{}, nil, FsckReport{}
		if err := f.inspect(ctx, units); err != nil {
			return err
		}
		s.Looked += f.report.Jobs
		if err := c.suspectStrays(ctx, f, s); err != nil {
			return err
		}
		if next == 0 {
			s.Ended, c.strays.look = true, nil
			return c.rdb.HDel(ctx, c.keyStrayWalk(), "cursor").Err()
		}
		if err := c.rdb.HSet(ctx, c.keyStrayWalk(), "cursor", strconv.FormatUint(next, 10)).Err(); err != nil {
			return err
		}
		cursor = next
	}
	return nil
}

// stray answers the job of a finding of which nothing holds it.
func (x *fsckFinding) stray() bool {
	return x.Kind == FsckQueuedLost || x.Kind == FsckStartedLost || x.Kind == FsckScheduledLost
}

// strayMember names a job together with how it was seen.
func (x *fsckFinding) strayMember() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(x.state))
	return x.JobID + " " + strconv.FormatUint(h.Sum64(), 36)
}

// suspectStrays notes what a page found.
func (c *Client) suspectStrays(ctx context.Context, f *fsck, s *Strays) error {
	now, err := c.serverTime(ctx)
	if err != nil {
		return err
	}
	var seen []redis.Z
	for _, id := range f.order {
		if x := f.found[id]; x.stray() {
			seen = append(seen, redis.Z{Score: float64(now.UnixMilli()), Member: x.strayMember()})
		}
	}
	if len(seen) == 0 {
		return nil
	}
	added, err := c.rdb.ZAddNX(ctx, c.keyStraysSeen(), seen...).Result()
	s.Suspected += int(added)
	return err
}

// mendStrays looks again at what was seen a minute ago or earlier, and puts
// back what is still as it was then.
func (c *Client) mendStrays(ctx context.Context, queues []string, s *Strays) error {
	for until := time.Now().Add(strayTwice); time.Now().Before(until); {
		now, err := c.serverTime(ctx)
		if err != nil {
			return err
		}
		due := strconv.FormatInt(now.Add(-pythonWindow).UnixMilli(), 10)
		members, err := c.rdb.ZRangeByScore(ctx, c.keyStraysSeen(), &redis.ZRangeBy{Min: "-inf", Max: due, Count: fsckBatch}).Result()
		if err != nil || len(members) == 0 {
			return err
		}
		if err := c.strayKeep(ctx, nil); err != nil {
			return err
		}
		if err := c.mendStrayBatch(ctx, queues, members, s); err != nil {
			return err
		}
		gone := make([]any, len(members))
		for i, m := range members {
			gone[i] = m
		}
		if err := c.rdb.ZRem(ctx, c.keyStraysSeen(), gone...).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) mendStrayBatch(ctx context.Context, queues, members []string, s *Strays) error {
	f, err := c.strayLook(ctx, queues)
	if err != nil {
		return err
	}
	ids, units := make([]string, len(members)), make([]unit, len(members))
	for i, m := range members {
		ids[i], _, _ = strings.Cut(m, " ")
		units[i] = unit{kind: unitJob, key: keyJob(ids[i]), member: ids[i]}
	}
	jobs, err := c.jobsUpTo(ctx, ids, loadLimit)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		f.ours[ids[i]] = j != nil && j.Func != "" && c.o.Idempotent(j.Func)
	}
	if err := f.inspect(ctx, units); err != nil {
		return err
	}
	for _, id := range f.order {
		x := f.found[id]
		if !x.stray() || x.repair == nil || !slices.Contains(members, x.strayMember()) {
			continue
		}
		if err := c.mendStray(ctx, f, x, s); err != nil {
			return err
		}
	}
	return nil
}

// mendStray puts one job back, or fails it as RQ does one whose worker is gone.
func (c *Client) mendStray(ctx context.Context, f *fsck, x *fsckFinding, s *Strays) error {
	x.repair.move.reason = ReasonStray
	p, err := f.plan(ctx, x)
	switch {
	case errors.Is(err, errChanged), errors.Is(err, errTooLarge):
		return nil // something holds it after all
	case err != nil:
		return err
	}
	p.effects = append(p.effects, HIncrBy(c.keyStrays(), x.repair.move.queue, 1))
	done, err := f.make(ctx, p)
	if err != nil || !done {
		return err
	}
	tr := *p.transition
	mended := Recovered{
		JobID: x.JobID, Func: tr.Job.Func, Queue: x.repair.move.queue, Worker: tr.Worker, Status: tr.To, Reason: ReasonStray,
	}
	if tr.Reason == ReasonAbandoned { // an attempt was spent
		mended.Job, mended.Error, mended.At = tr.Job, tr.Error, tr.At
	}
	s.Mended = append(s.Mended, mended)
	return nil
}
