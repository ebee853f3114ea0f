package rq_test

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyspace is every value below rq: at one moment, by a path such as
// "rq:job:j1/status", with what differs from run to run made comparable.
type keyspace struct {
	values  map[string]cell
	elapsed float64 // seconds from the start of the run to the dump
}

// cell is a text, or a moment in seconds since the start of the run. Moments
// are compared as "some time during the run, plus what was asked for".
type cell struct {
	text   string
	moment float64
	isTime bool
}

func (c cell) String() string {
	if c.isTime {
		return fmt.Sprintf("<start%+.1fs>", c.moment)
	}
	return strconv.Quote(c.text)
}

var (
	randomID   = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	isoField   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$`)
	isoInside  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)
	pythonTime = regexp.MustCompile(`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00`) // str() of a datetime
	seconds    = regexp.MustCompile(`^1\d{9}(\.\d{1,7})?$`)
)

// dumper reads a Redis into a keyspace.
type dumper struct {
	t     *testing.T
	rdb   *redis.Client
	start time.Time
	names map[string]string // execution and scheduler ids -> X1, X2...
	out   keyspace
}

func dumpKeyspace(t *testing.T, rdb *redis.Client, start time.Time) keyspace {
	t.Helper()
	ctx := context.Background()
	d := &dumper{t: t, rdb: rdb, start: start, names: map[string]string{}, out: keyspace{values: map[string]cell{}}}
	var keys []string
	for it := rdb.Scan(ctx, 0, "rq:*", 1000).Iterator(); it.Next(ctx); {
		keys = append(keys, it.Val())
	}
	// Results first: their order gives the executions their numbers.
	slices.SortFunc(keys, func(a, b string) int {
		ra, rb := strings.HasPrefix(a, "rq:results:"), strings.HasPrefix(b, "rq:results:")
		if ra != rb {
			return map[bool]int{true: -1, false: 1}[ra]
		}
		return strings.Compare(randomID.ReplaceAllString(a, "X"), randomID.ReplaceAllString(b, "X"))
	})
	for _, k := range keys {
		d.key(ctx, k)
	}
	d.out.elapsed = time.Since(start).Seconds()
	return d.out
}

func (d *dumper) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// name replaces ids that are random in every run.
func (d *dumper) name(s string) string {
	return randomID.ReplaceAllStringFunc(s, func(id string) string {
		if _, ok := d.names[id]; !ok {
			d.names[id] = fmt.Sprintf("X%d", len(d.names)+1)
		}
		return d.names[id]
	})
}

func (d *dumper) set(path, value string) {
	c := cell{text: d.name(value)}
	switch {
	case isoField.MatchString(value):
		at, err := time.Parse("2006-01-02T15:04:05.000000Z", value)
		d.must(err)
		c = cell{moment: at.Sub(d.start).Seconds(), isTime: true}
	case seconds.MatchString(value):
		at, err := strconv.ParseFloat(value, 64)
		d.must(err)
		c = cell{moment: at - float64(d.start.UnixMicro())/1e6, isTime: true}
	}
	d.out.values[path] = c
}

func (d *dumper) key(ctx context.Context, key string) {
	kind, err := d.rdb.Type(ctx, key).Result()
	d.must(err)
	if kind == "none" {
		return // expired since it was listed
	}
	path := d.name(key)
	d.set(path+" type", kind)
	ttl, err := d.rdb.PTTL(ctx, key).Result()
	d.must(err)
	if ttl > 0 {
		d.out.values[path+" expires"] = cell{moment: time.Since(d.start).Seconds() + ttl.Seconds(), isTime: true}
	} else {
		d.set(path+" expires", "never")
	}
	switch kind {
	case "string":
		v, err := d.rdb.Get(ctx, key).Result()
		d.must(err)
		d.set(path, v)
	case "list":
		items, err := d.rdb.LRange(ctx, key, 0, -1).Result()
		d.must(err)
		for i, v := range items {
			d.set(fmt.Sprintf("%s/%d", path, i), v)
		}
	case "set":
		members, err := d.rdb.SMembers(ctx, key).Result()
		d.must(err)
		for _, m := range members {
			d.set(path+"/"+d.name(m), "member")
		}
	case "zset":
		members, err := d.rdb.ZRangeWithScores(ctx, key, 0, -1).Result()
		d.must(err)
		for _, m := range members {
			d.set(path+"/"+d.name(m.Member.(string)), scoreText(m.Score))
		}
	case "hash":
		fields, err := d.rdb.HGetAll(ctx, key).Result()
		d.must(err)
		for f, v := range fields {
			d.set(path+"/"+f, plainField(f, v))
		}
	case "stream":
		entries, err := d.rdb.XRange(ctx, key, "-", "+").Result()
		d.must(err)
		for i, e := range entries {
			for f, v := range e.Values {
				d.set(fmt.Sprintf("%s/%d/%s", path, i, f), plainField(f, v.(string)))
			}
		}
	}
}

func scoreText(score float64) string {
	if math.IsInf(score, 0) {
		return fmt.Sprint(score)
	}
	return strconv.FormatFloat(score, 'f', -1, 64)
}

// plainField undoes what hides a field's content: compression and base64.
func plainField(field, v string) string {
	switch field {
	case "data", "exc_info":
		return inflated(v)
	case "cron_jobs":
		return isoInside.ReplaceAllString(v, "<time>")
	case "return_value":
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return "not base64: " + v
		}
		return string(b)
	case "exc_string":
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return "not base64: " + v
		}
		return pythonTime.ReplaceAllString(lastLine(inflated(string(b))), "<time>")
	}
	return v
}

func inflated(v string) string {
	z, err := zlib.NewReader(bytes.NewReader([]byte(v)))
	if err != nil {
		return "not zlib: " + v
	}
	b, err := io.ReadAll(z)
	if err != nil {
		return "broken zlib: " + v
	}
	return string(b)
}

// diff lists where two keyspaces differ. Moments agree when both could have
// been written during their runs with the same distance, give or take the
// second that whole numbers lose.
func diff(want, got keyspace) []string {
	var out []string
	for path, w := range want.values {
		g, ok := got.values[path]
		switch {
		case !ok:
			out = append(out, fmt.Sprintf("%s: want %s, is missing", path, w))
		case w.isTime && g.isTime:
			early := max(w.moment-want.elapsed, g.moment-got.elapsed) - 1
			late := min(w.moment, g.moment) + 1
			if early > late {
				out = append(out, fmt.Sprintf("%s: want %s, got %s", path, w, g))
			}
		case w != g:
			out = append(out, fmt.Sprintf("%s: want %s, got %s", path, w, g))
		}
	}
	for path, g := range got.values {
		if _, ok := want.values[path]; !ok {
			out = append(out, fmt.Sprintf("%s: got %s, is not there in RQ", path, g))
		}
	}
	slices.Sort(out)
	return out
}
