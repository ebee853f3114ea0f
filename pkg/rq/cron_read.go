package rq

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// CronSchedulerInfo is a running cron scheduler, Go's or Python's, as it shows
// itself.
type CronSchedulerInfo struct {
	Name          string
	Host          string
	PID           int
	ConfigFile    string
	CreatedAt     time.Time
	LastHeartbeat time.Time
	Jobs          []CronJobInfo
}

// CronJobInfo is a job of a cron scheduler.
type CronJobInfo struct {
	Name, Func, Queue string
	Args, Kwargs      string // JSON, empty: none
	Every             time.Duration
	Cron              string
	Latest, Next      time.Time // zero: not yet
}

// CronSchedulers reads the schedulers that gave a sign of life within two
// minutes, the one longest ago first. It only reads.
func (c *Client) CronSchedulers(ctx context.Context) ([]CronSchedulerInfo, error) {
	from := c.o.Clock().Add(-cronSchedulerTTL)
	list, err := c.rdb.ZRangeByScoreWithScores(ctx, keyCronSchedulers, &redis.ZRangeBy{Min: "(" + strconv.FormatInt(from.Unix(), 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, fmt.Errorf("listing cron schedulers: %w", named(err, keyCronSchedulers))
	}
	hashes := make([]*redis.MapStringStringCmd, len(list))
	_, err = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, z := range list {
			hashes[i] = p.HGetAll(ctx, keyCronScheduler(fmt.Sprint(z.Member)))
		}
		return nil
	})
	if err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, fmt.Errorf("reading cron schedulers: %w", err)
	}
	var out []CronSchedulerInfo
	for i, z := range list {
		if h := hashes[i].Val(); len(h) > 0 {
			s := decodeCronScheduler(h)
			s.Name, s.LastHeartbeat = fmt.Sprint(z.Member), time.UnixMicro(int64(z.Score*1e6)).UTC()
			out = append(out, s)
		}
	}
	return out, nil
}

// decodeCronScheduler reads what it can; jobs that are no JSON are left out.
func decodeCronScheduler(h map[string]string) CronSchedulerInfo {
	s := CronSchedulerInfo{Host: h["hostname"], ConfigFile: h["config_file"]}
	s.PID, _ = strconv.Atoi(h["pid"])
	s.CreatedAt, _ = parseStamp(h["created_at"])
	var jobs []struct {
		Name   string  `json:"name"`
		Func   string  `json:"func_name"`
		Queue  string  `json:"queue_name"`
		Args   *string `json:"args"`
		Kwargs *string `json:"kwargs"`
		Every  *int64  `json:"interval"`
		Cron   *string `json:"cron"`
		Latest *string `json:"latest_enqueue_time"`
		Next   *string `json:"next_enqueue_time"`
	}
	_ = json.Unmarshal([]byte(h["cron_jobs"]), &jobs)
	text := func(p *string) string {
		if p == nil {
			return ""
		}
		return *p
	}
	for _, j := range jobs {
		info := CronJobInfo{Name: j.Name, Func: j.Func, Queue: j.Queue, Args: text(j.Args), Kwargs: text(j.Kwargs), Cron: text(j.Cron)}
		if info.Name == "" {
			info.Name = j.Func // before 2.11
		}
		if j.Every != nil {
			info.Every = time.Duration(*j.Every) * time.Second
		}
		info.Latest, _ = parseStamp(text(j.Latest))
		info.Next, _ = parseStamp(text(j.Next))
		s.Jobs = append(s.Jobs, info)
	}
	return s
}

// CronNames returns the names of cron jobs that were enqueued within a year,
// the one longest ago first, whether or not a scheduler runs.
func (c *Client) CronNames(ctx context.Context) ([]string, error) {
	from := c.o.Clock().Add(-cronHistoryTTL).Unix()
	names, err := c.rdb.ZRangeByScore(ctx, keyCronJobs, &redis.ZRangeBy{Min: "(" + strconv.FormatInt(from, 10), Max: "+inf"}).Result()
	if err != nil {
		return nil, fmt.Errorf("listing cron jobs: %w", named(err, keyCronJobs))
	}
	return names, nil
}

// CronHistory returns the ids of the last jobs enqueued under a name, newest
// first, at most limit; RQ keeps a thousand. The jobs themselves may be gone.
func (c *Client) CronHistory(ctx context.Context, name string, limit int) ([]string, error) {
	if limit < 1 {
		return nil, nil
	}
	ids, err := c.rdb.ZRevRange(ctx, keyCronHistory(name), 0, int64(limit-1)).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the history of cron job %s: %w", name, named(err, keyCronHistory(name)))
	}
	return ids, nil
}
