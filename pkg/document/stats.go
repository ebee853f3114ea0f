package document

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Stats counts the documents that Redis knows; archived ones are not among them.
type Stats struct {
	Documents int64            `json:"documents"`
	ByStatus  map[State]int64  `json:"by_status"` // every state
	ByFormat  map[string]int64 `json:"by_format"` // completed documents and duplicates
	// CreatedLastHour and CreatedLastDay count what was begun: upload URLs that
	// were asked for, objects that were taken in.
	CreatedLastHour int64    `json:"created_last_hour"`
	CreatedLastDay  int64    `json:"created_last_day"`
	Finished        Finished `json:"finished"`
}

// Finished is how long the last jobs took that completed a document or found it
// a duplicate. Without any all but Jobs is nil.
type Finished struct {
	Jobs int `json:"jobs"` // how many the figures are made of: about the last 200
	// PerMinute is the rate of the last ten minutes, or of the time since the
	// first of Jobs where that is shorter.
	PerMinute  *float64 `json:"per_minute"`
	P50Seconds *float64 `json:"p50_seconds"`
	P95Seconds *float64 `json:"p95_seconds"`
	MaxSeconds *float64 `json:"max_seconds"`
}

// rateOver is the time that Finished.PerMinute is about.
const rateOver = 10 * time.Minute

// Stats counts. It reads sizes and counters, no records: its cost does not grow
// with the documents. Errors: Unavailable.
func (s *Service) Stats(ctx context.Context) (*Stats, error) {
	now := s.c.Clock()
	since := func(d time.Duration) string { return strconv.FormatInt(now.Add(-d).UnixMilli(), 10) }
	pipe := s.rdb.Pipeline()
	all := pipe.ZCard(ctx, s.k.all())
	hour := pipe.ZCount(ctx, s.k.all(), since(time.Hour), "+inf")
	day := pipe.ZCount(ctx, s.k.all(), since(24*time.Hour), "+inf")
	states := map[State]*redis.IntCmd{}
	for _, state := range States() {
		states[state] = pipe.ZCard(ctx, s.k.byState(state))
	}
	counts := pipe.HGetAll(ctx, s.k.counts())
	timings := pipe.XRevRangeN(ctx, s.k.timings(), "+", "-", timingsKept)
	clock := pipe.Time(ctx)
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, redisError("counting documents", err)
	}
	st := &Stats{Documents: all.Val(), CreatedLastHour: hour.Val(), CreatedLastDay: day.Val(),
		ByStatus: map[State]int64{}, ByFormat: map[string]int64{}, Finished: finished(timings.Val(), clock.Val())}
	for state, size := range states {
		st.ByStatus[state] = size.Val()
	}
	for field := range counts.Val() {
		if format, ok := strings.CutPrefix(field, countFormat); ok {
			if n := counter(counts.Val(), field); n > 0 {
				st.ByFormat[format] = n
			}
		}
	}
	return st, nil
}

// counter reads one of keys.counts.
func counter(counts map[string]string, field string) int64 {
	n, _ := strconv.ParseInt(counts[field], 10, 64)
	return max(0, n)
}

// finished makes figures of the timings stream, the newest entry first. now is
// Redis's time, by which the entries' ids are.
func finished(entries []redis.XMessage, now time.Time) Finished {
	var took []time.Duration
	var oldest time.Time
	recent := 0
	for _, entry := range entries {
		text, _ := entry.Values["ms"].(string)
		ms, err := strconv.ParseInt(text, 10, 64)
		stamped, _, _ := strings.Cut(entry.ID, "-")
		at, wrong := strconv.ParseInt(stamped, 10, 64)
		if err != nil || ms < 0 || wrong != nil {
			continue
		}
		took = append(took, time.Duration(ms)*time.Millisecond)
		if oldest = time.UnixMilli(at); now.Sub(oldest) < rateOver {
			recent++
		}
	}
	f := Finished{Jobs: len(took)}
	if f.Jobs == 0 {
		return f
	}
	span := rateOver
	if recent == timingsKept {
		// Those before were trimmed away.
		span = max(now.Sub(oldest), time.Second)
	}
	rate := math.Round(float64(recent)/span.Minutes()*100) / 100
	slices.Sort(took)
	f.PerMinute, f.P50Seconds, f.P95Seconds, f.MaxSeconds = &rate, percentile(took, 50), percentile(took, 95), percentile(took, 100)
	return f
}

// percentile returns the smallest of sorted times that p percent are not above,
// in seconds.
func percentile(sorted []time.Duration, p int) *float64 {
	return inSeconds(sorted[(len(sorted)*p+99)/100-1])
}

// Usage is what documents take up.
type Usage struct {
	StoredBytes int64 `json:"stored_bytes"` // artifacts and kept originals of the documents that Redis knows
	TextBytes   int64 `json:"text_bytes"`   // their texts
	Pages       int64 `json:"pages"`
	Words       int64 `json:"words"`
	Chunks      int64 `json:"chunks"`
	Measured
}

// Measured is what a listing of the bucket found.
type Measured struct {
	MeasuredAt *time.Time `json:"measured_at"` // nil before the first
	Uploads    Objects    `json:"uploads"`
	Artifacts  Objects    `json:"artifacts"` // texts, chunks and records
	Originals  Objects    `json:"originals"` // kept with storage.keep_original
	Other      Objects    `json:"other"`     // below temp/ and documents/, but with names that docsvc does not give
}

// Objects is a number of objects with their size.
type Objects struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

// Usage reads the counters that records keep up, and what the last cleanup
// measured that listed the whole bucket. Errors: Unavailable.
func (s *Service) Usage(ctx context.Context) (*Usage, error) {
	pipe := s.rdb.Pipeline()
	counts := pipe.HGetAll(ctx, s.k.counts())
	measured := pipe.Get(ctx, s.k.usage())
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, redisError("reading the usage", err)
	}
	u := &Usage{StoredBytes: counter(counts.Val(), countStoredBytes), TextBytes: counter(counts.Val(), countTextBytes),
		Pages: counter(counts.Val(), countPages), Words: counter(counts.Val(), countWords), Chunks: counter(counts.Val(), countChunks)}
	if text := measured.Val(); text != "" {
		var m Measured
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			s.c.Log.Warn().Err(err).Msg("the measured usage can't be read; the next daily cleanup measures again")
		} else {
			u.Measured = m
		}
	}
	return u, nil
}

// SaveMeasured stores what a listing of the whole bucket found, for Usage.
func (s *Service) SaveMeasured(ctx context.Context, m Measured) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return redisError("writing the usage", s.rdb.Set(ctx, s.k.usage(), text, 0).Err())
}
