package document

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func (f *fixture) stats() *Stats {
	f.t.Helper()
	st, err := f.Stats(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return st
}

func TestStatsOfNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		st := f.stats()
		if st.Documents != 0 || st.ByFormat == nil || st.Finished != (Finished{}) {
			t.Errorf("%+v", st)
		}
		for _, s := range States() {
			if n, ok := st.ByStatus[s]; !ok || n != 0 {
				t.Errorf("%s: %d, %v", s, n, ok)
			}
		}
		u, err := f.Usage(t.Context())
		if err != nil || *u != (Usage{}) {
			t.Errorf("%+v, %v", u, err)
		}
		_, err = f.withoutRedis().Stats(t.Context())
		wantError(t, err, Unavailable, CodeQueueUnavailable)
		_, err = f.withoutRedis().Usage(t.Context())
		wantError(t, err, Unavailable, CodeQueueUnavailable)
	})
}

func TestStatsCounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.documents(3, 1, nil)
		f.clock.forward(2 * time.Hour)
		f.documents(2, 1, nil)
		f.clock.forward(23 * time.Hour)
		for i := range 2 {
			f.queued()
			f.complete(fmt.Sprintf("%064x", 10+i), fmt.Sprintf("%064x", 20+i))
		}
		st := f.stats()
		if st.Documents != 7 || st.ByStatus[AwaitingUpload] != 5 || st.ByStatus[Completed] != 2 || st.CreatedLastHour != 2 || st.CreatedLastDay != 4 {
			t.Errorf("%+v", st)
		}
		if len(st.ByFormat) != 1 || st.ByFormat["pdf"] != 2 {
			t.Errorf("formats %v", st.ByFormat)
		}
		if st.Finished.Jobs != 2 || *st.Finished.PerMinute != 0.2 || st.Finished.MaxSeconds == nil {
			t.Errorf("%+v", st.Finished)
		}
	})
}

func TestCountersAreTold(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		e := f.outcome(f.get(f.presign(5, nil).DocumentID))
		e.count(counted{format: "pdf", storedBytes: 5, textBytes: 4, pages: 3, words: 2, chunks: 1}, 1)
		e.count(counted{format: "html", storedBytes: 10}, 1)
		e.count(counted{format: "text"}, 1)
		e.count(counted{format: "text"}, -1)
		if err := f.queue.Apply(t.Context(), nil, e.list, nil); err != nil {
			t.Fatal(err)
		}
		if got := f.stats().ByFormat; len(got) != 2 || got["pdf"] != 1 || got["html"] != 1 {
			t.Errorf("%v", got)
		}
		u, err := f.Usage(t.Context())
		if err != nil || *u != (Usage{StoredBytes: 15, TextBytes: 4, Pages: 3, Words: 2, Chunks: 1}) {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestUsageTellsWhatWasMeasured(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		at := f.clock.now()
		m := Measured{MeasuredAt: &at, Uploads: Objects{1, 2}, Artifacts: Objects{3, 4}, Other: Objects{5, 6}}
		if err := f.SaveMeasured(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		u, err := f.Usage(t.Context())
		if err != nil || !u.MeasuredAt.Equal(at) || u.Uploads != m.Uploads || u.Artifacts != m.Artifacts || u.Originals != m.Originals || u.Other != m.Other {
			t.Errorf("%+v, %v", u, err)
		}
		f.rdb.Set(t.Context(), f.k.usage(), "{", 0)
		f.rdb.HSet(t.Context(), f.k.counts(), countPages, -3, countWords, "many")
		if u, err = f.Usage(t.Context()); err != nil || *u != (Usage{}) {
			t.Errorf("%+v, %v", u, err)
		}
	})
}

func TestFinishedFigures(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	entries := func(n int, apart time.Duration) (list []redis.XMessage) {
		for i := range n {
			at := now.Add(-time.Duration(i) * apart).UnixMilli()
			list = append(list, redis.XMessage{ID: fmt.Sprintf("%d-0", at), Values: map[string]any{"ms": fmt.Sprint((i + 1) * 100)}})
		}
		return list
	}
	for name, c := range map[string]struct {
		entries             []redis.XMessage
		rate, p50, p95, max float64
	}{
		"one":                       {entries(1, 0), 0.1, 0.1, 0.1, 0.1},
		"twenty, all of late":       {entries(20, time.Second), 2, 1, 1.9, 2},
		"hundred, ten of late":      {entries(100, time.Minute), 1, 5, 9.5, 10},
		"as many as are kept":       {entries(timingsKept, time.Second), 60.3, 10, 19, 20},
		"all at once":               {entries(timingsKept, 0), 12000, 10, 19, 20},
		"what is damaged is no job": {append(entries(1, 0), redis.XMessage{ID: "x"}, redis.XMessage{ID: "1-0", Values: map[string]any{"ms": "-1"}}), 0.1, 0.1, 0.1, 0.1},
	} {
		f := finished(c.entries, now)
		got := fmt.Sprint(*f.PerMinute, *f.P50Seconds, *f.P95Seconds, *f.MaxSeconds)
		if want := fmt.Sprint(c.rate, c.p50, c.p95, c.max); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if strings.Contains(fmt.Sprintf("%+v", finished(nil, now)), "0x") {
		t.Error("figures of no job")
	}
}
