package document

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// unmeasured is how long a document is taken to need before any was finished.
const unmeasured = 150 * time.Second

// measured is how many of the last finished jobs an estimate goes by.
const measured = 50

// pace is what estimates are made of.
type pace struct {
	typical time.Duration // of one document
	queued  int           // jobs in the queue
	running int
	slots   int // workers on it, at least 1
}

// pace reads how long documents took lately and how many wait.
func (s *Service) pace(ctx context.Context) (pace, error) {
	p := pace{typical: unmeasured, slots: 1}
	entries, err := s.rdb.XRevRangeN(ctx, s.k.timings(), "+", "-", measured).Result()
	if err != nil {
		return p, redisError("reading timings", err)
	}
	var took []time.Duration
	for _, entry := range entries {
		text, _ := entry.Values["ms"].(string)
		if ms, err := strconv.ParseInt(text, 10, 64); err == nil && ms >= 0 {
			took = append(took, time.Duration(ms)*time.Millisecond)
		}
	}
	if len(took) > 0 {
		slices.Sort(took)
		p.typical = took[len(took)/2]
	}
	info, err := s.queue.QueueInfo(ctx, []string{s.c.QueueName})
	if err != nil {
		return p, redisError("counting the queue", err)
	}
	if len(info) == 1 {
		p.queued, p.running, p.slots = info[0].Length, info[0].Started, max(info[0].Workers, 1)
	}
	return p, nil
}

// total estimates the time until a job is done that has so many before it in
// the queue; of those that run, half is done.
func (p pace) total(ahead int) time.Duration {
	waiting := (float64(ahead) + float64(p.running)/2) / float64(p.slots)
	return time.Duration(float64(p.typical) * (1 + waiting))
}

// words says an estimate as the guide does.
func words(d time.Duration) string {
	for _, span := range []struct {
		below time.Duration
		text  string
	}{
		{time.Minute, "0-1 minutes"},
		{2 * time.Minute, "1-2 minutes"},
		{5 * time.Minute, "2-5 minutes"},
		{10 * time.Minute, "5-10 minutes"},
		{30 * time.Minute, "10-30 minutes"},
		{time.Hour, "30-60 minutes"},
		{2 * time.Hour, "1-2 hours"},
		{6 * time.Hour, "2-6 hours"},
		{24 * time.Hour, "6-24 hours"},
	} {
		if d < span.below {
			return span.text
		}
	}
	return "more than 24 hours"
}

// seconds rounds up, to at least 1.
func seconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
