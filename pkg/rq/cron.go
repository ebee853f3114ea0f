package rq

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// What RQ 2.12 keeps of cron jobs, and for how long (rq/defaults.py).
const (
	cronSchedulerTTL = 120 * time.Second
	cronHistoryTTL   = 365 * 24 * time.Hour
	cronHistory      = 1000 // jobs of each name
	cronLongestSleep = time.Minute
)

// CronOptions make a CronScheduler.
type CronOptions struct {
	ConfigFile string // where the jobs are from, for people; may be empty
	Jobs       []CronJob
	Name       string // empty: host:pid:six hex digits, as RQ names its own
}

// CronScheduler enqueues jobs again and again, and shows itself and them where
// RQ's own do. It is for one Run.
//
// Of several schedulers in Go that have the same job, one enqueues it for each
// time of its Cron expression; RQ's own know nothing of one another. Jobs with
// Every are each scheduler's own. Times that passed while none ran are not made
// up for; of those that passed while this one could not go on (asleep, without
// Redis) the last is, unless another scheduler has. The clock is this process's;
// set back, it is followed.
type CronScheduler struct {
	c       *Client
	o       CronOptions
	host    string
	pid     int
	created time.Time
	seen    time.Time // of the round before
	entries []*cronEntry
}

// NewCronScheduler checks the jobs. It does not touch the network.
func (c *Client) NewCronScheduler(o CronOptions) (*CronScheduler, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("making a cron scheduler: %w", err)
	}
	s := &CronScheduler{c: c, o: o, host: host, pid: os.Getpid(), created: c.o.Clock()}
	if s.o.Name == "" {
		s.o.Name = host + ":" + strconv.Itoa(s.pid) + ":" + newHexID()[:6]
	}
	for _, j := range o.Jobs {
		e, err := c.newCronEntry(j, s.created)
		if err != nil {
			return nil, fmt.Errorf("cron job %s: %w", j.name(), err)
		}
		alike := 0
		for _, other := range s.entries {
			if other.id == e.id {
				alike++
			}
		}
		e.slot = e.id + "-" + strconv.Itoa(alike)
		if j.Cron == "" {
			e.slot += ":" + s.o.Name
		}
		s.entries = append(s.entries, e)
	}
	return s, nil
}

// Name returns the scheduler's name.
func (s *CronScheduler) Name() string { return s.o.Name }

// Run enqueues what is due until ctx ends, then takes the scheduler off the
// list; the error is nil then. What cannot be enqueued while Redis is away is
// tried again every second. Any other error ends it.
func (s *CronScheduler) Run(ctx context.Context) error {
	born := false
	defer func() {
		if born {
			s.unregister(ctx)
		}
	}()
	for ctx.Err() == nil {
		wait, err := s.round(ctx, &born)
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return nil
		case IsUnavailable(err):
			s.c.o.Log.Warn().Err(err).Str("scheduler", s.o.Name).Msg("cron: Redis does not answer, trying again")
			wait = time.Second
		default:
			return fmt.Errorf("cron scheduler %s: %w", s.o.Name, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	return nil
}

// round registers the scheduler where it isn't, enqueues what is due and gives
// a sign of life. It returns how long nothing is to do.
func (s *CronScheduler) round(ctx context.Context, born *bool) (time.Duration, error) {
	if !*born {
		if err := s.save(ctx, true); err != nil {
			return 0, err
		}
		*born = true
	}
	now := s.c.o.Clock()
	if now.Before(s.seen) {
		for _, e := range s.entries {
			e.setBack(now)
		}
	}
	s.seen = now
	changed := false
	var problem error
	for _, e := range s.entries {
		if e.next.After(now) {
			continue
		}
		if problem = s.enqueue(ctx, e, now); problem != nil {
			break // the others stay due
		}
		changed = true
	}
	if changed {
		if err := s.save(ctx, false); err != nil {
			return 0, errors.Join(problem, err)
		}
	}
	if problem != nil {
		return 0, problem
	}
	if err := s.heartbeat(ctx); err != nil {
		return 0, err
	}
	wait := cronLongestSleep
	for _, e := range s.entries {
		wait = min(wait, max(0, e.next.Sub(s.c.o.Clock())))
	}
	return wait, nil
}

// enqueue makes one job of an entry, its history and the registry of names in
// one script. The claim, which no second try has the value of, keeps the same
// time from being enqueued twice, also when an answer was lost.
func (s *CronScheduler) enqueue(ctx context.Context, e *cronEntry, now time.Time) error {
	spec, history := e.job.Spec, keyCronHistory(e.name)
	spec.ID = newJobID()
	at := float64(now.UnixMicro()) / 1e6
	spec.Effects = append(slices.Clone(spec.Effects),
		ZAdd(history, at, spec.ID), Expire(history, cronHistoryTTL), ZAdd(keyCronJobs, at, e.name))
	due, ttl := e.due(now)
	spec.Conditions = append(slices.Clone(spec.Conditions), Condition{ClaimKey: s.c.keyCronSlot(e.slot, due), ClaimValue: spec.ID, TTL: ttl})
	_, err := s.c.Enqueue(ctx, spec)
	var refused *ConditionError
	switch {
	case errors.As(err, &refused), errors.Is(err, ErrActive):
		s.c.o.Log.Debug().Err(err).Str("job", e.name).Msg("cron: not enqueued this time")
	case err != nil && (IsUnavailable(err) || ctx.Err() != nil):
		return err
	case err != nil:
		s.c.o.Log.Error().Err(err).Str("job", e.name).Msg("cron: this time is left out")
	default:
		if err := s.c.rdb.ZRemRangeByRank(ctx, history, 0, -cronHistory-1).Err(); err != nil {
			s.c.o.Log.Warn().Err(err).Str("job", e.name).Msg("cron: shortening the history")
		}
	}
	e.enqueued(now)
	return nil
}

// save writes the scheduler's hash, at birth also its entry in the list.
func (s *CronScheduler) save(ctx context.Context, birth bool) error {
	jobs, err := cronJSON(s.entries)
	if err != nil {
		return err
	}
	key := keyCronScheduler(s.o.Name)
	_, err = s.c.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		if birth {
			p.ZAddNX(ctx, keyCronSchedulers, redis.Z{Score: s.seconds(), Member: s.o.Name})
		}
		p.HSet(ctx, key, "hostname", s.host, "pid", strconv.Itoa(s.pid), "name", s.o.Name,
			"created_at", stamp(s.created), "config_file", s.o.ConfigFile, "cron_jobs", jobs)
		p.Expire(ctx, key, cronSchedulerTTL)
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	return nil
}

// heartbeat renews list and hash; one that had expired is written anew.
func (s *CronScheduler) heartbeat(ctx context.Context) error {
	var alive *redis.BoolCmd
	_, err := s.c.rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.ZAdd(ctx, keyCronSchedulers, redis.Z{Score: s.seconds(), Member: s.o.Name})
		alive = p.Expire(ctx, keyCronScheduler(s.o.Name), cronSchedulerTTL)
		return nil
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w", keyCronSchedulers, err)
	}
	if alive.Val() {
		return nil
	}
	return s.save(ctx, false)
}

// unregister takes the scheduler off the list; its hash expires.
func (s *CronScheduler) unregister(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.c.rdb.ZRem(ctx, keyCronSchedulers, s.o.Name).Err(); err != nil {
		s.c.o.Log.Warn().Err(err).Str("scheduler", s.o.Name).Msg("cron: taking this scheduler off the list; it goes by itself after two minutes")
	}
}

func (s *CronScheduler) seconds() float64 { return float64(s.c.o.Clock().UnixMicro()) / 1e6 }
