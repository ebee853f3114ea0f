package rq

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
	"github.com/docsvc/docsvc/pkg/rq/pyjson"
)

// CronJob is a call that a CronScheduler enqueues again and again.
type CronJob struct {
	// Cron is when, in UTC: minute, hour, day of month, month, day of week,
	// each with * , - and /, months and days also by their English names; or
	// @hourly, @daily, @weekly, @monthly, @yearly.
	Cron string
	// Every is how long after the last time, in whole seconds; the first time
	// is at once. Either it or Cron is set.
	Every time.Duration
	Name  string // of history and registry; several jobs may share one. Empty: Spec.Func
	// Spec is the call. It has no ID, At or DependsOn.
	Spec Spec
}

func (j CronJob) name() string { return cmp.Or(j.Name, j.Spec.Func) }

// cronEntry is a job of a running scheduler.
type cronEntry struct {
	job          CronJob
	name         string
	id           string // the same for the same job in another scheduler
	slot         string // whose times are each enqueued once
	latest, next time.Time
}

func (c *Client) newCronEntry(j CronJob, now time.Time) (*cronEntry, error) {
	switch {
	case (j.Cron == "") == (j.Every == 0):
		return nil, errors.New("needs either Cron or Every")
	case j.Cron == "" && (j.Every < time.Second || j.Every%time.Second != 0):
		return nil, fmt.Errorf("every %s: must be whole seconds, at least one", j.Every)
	case j.Spec.ID != "" || !j.Spec.At.IsZero() || len(j.Spec.DependsOn) > 0:
		return nil, errors.New("an ID, a time and jobs to wait for are of one job, not of all to come")
	}
	j.Spec = c.withDefaults(j.Spec)
	if _, _, err := newJob(j.Spec, now); err != nil {
		return nil, err
	}
	j.Spec.ID = "" // withDefaults gives one
	e := &cronEntry{job: j, name: j.name(), next: now}
	text, err := pyjson.Encode(e.dict())
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(text)
	e.id = hex.EncodeToString(sum[:8])
	if j.Cron != "" {
		if e.next, err = cronNext(j.Cron, now); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// cronClaim is how much longer than until its next time a time stays claimed.
const cronClaim = time.Hour

// due returns the time that is to be enqueued now, the last that has passed,
// and for how long nobody else is to enqueue it: until all others that still
// have it to come have a later one.
func (e *cronEntry) due(now time.Time) (time.Time, time.Duration) {
	if e.job.Cron == "" {
		return e.next, cronClaim
	}
	due := e.next
	if last, err := gronx.PrevTickBefore(e.job.Cron, now.UTC(), true); err == nil && last.After(due) {
		due = last
	}
	next, err := cronNext(e.job.Cron, now)
	if err != nil {
		next = now
	}
	return due, next.Sub(due) + cronClaim
}

// setBack follows a clock that was set back, by however much: what was due in
// an hour is not to wait for a day. Times that were enqueued already are still
// claimed.
func (e *cronEntry) setBack(now time.Time) {
	if e.job.Cron == "" {
		if latest := now.Add(e.job.Every); e.next.After(latest) {
			e.next = latest
		}
		return
	}
	if next, err := cronNext(e.job.Cron, now); err == nil {
		e.next = next
	}
}

// enqueued notes that the job was enqueued in the round of that time.
func (e *cronEntry) enqueued(at time.Time) {
	e.latest = at
	if e.job.Cron == "" {
		e.next = at.Add(e.job.Every)
		return
	}
	next, err := cronNext(e.job.Cron, at)
	if err != nil {
		next = at.Add(100 * 365 * 24 * time.Hour) // it has no further time
	}
	e.next = next
}

// cronField is one part of an expression. What else some crons know (L, W, #,
// ?) means different things in each.
var (
	cronValue = `(?:\d+|[A-Za-z]{3})`
	cronField = regexp.MustCompile(`^(?:\*(?:/\d+)?|` + cronValue + `(?:-` + cronValue + `(?:/\d+)?)?)(?:,(?:\*(?:/\d+)?|` + cronValue + `(?:-` + cronValue + `(?:/\d+)?)?))*$`)
	cronAlias = regexp.MustCompile(`^@(?:hourly|daily|midnight|weekly|monthly|yearly|annually)$`)
)

// cronNext returns the first time of the expression after a moment.
func cronNext(expr string, after time.Time) (time.Time, error) {
	fields := strings.Fields(expr)
	ok := len(fields) == 5 || len(fields) == 1 && cronAlias.MatchString(expr)
	for _, f := range fields {
		ok = ok && (len(fields) == 1 || cronField.MatchString(f))
	}
	if !ok || !gronx.IsValid(expr) {
		return time.Time{}, fmt.Errorf("cron %q: must be minute, hour, day of month, month and day of week, such as 30 2 * * 1-5", expr)
	}
	next, err := gronx.NextTickAfter(expr, after.UTC(), false)
	if err != nil {
		return time.Time{}, fmt.Errorf("cron %q: %w", expr, err)
	}
	return next, nil
}

// cronJSON is the field cron_jobs of a scheduler's hash.
func cronJSON(entries []*cronEntry) (string, error) {
	list := make([]any, len(entries))
	for i, e := range entries {
		d := e.dict()
		for j := range d {
			switch d[j].Key {
			case "latest_enqueue_time":
				d[j].Value = cronStamp(e.latest)
			case "next_enqueue_time":
				if e.job.Cron != "" || !e.latest.IsZero() {
					d[j].Value = cronStamp(e.next)
				}
			}
		}
		list[i] = d
	}
	text, err := pyjson.Encode(list)
	return string(text), err
}

func cronStamp(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return stamp(t)
}

// dict is the job as RQ's schedulers show theirs (rq/cron.py, to_dict), without
// its times. Arguments and meta are JSON in a text.
func (e *cronEntry) dict() pickle.Dict {
	s := e.job.Spec
	orNil := func(set bool, v any) any {
		if !set {
			return nil
		}
		return v
	}
	d := pickle.Dict{
		{Key: "func_name", Value: s.Func}, {Key: "name", Value: e.name}, {Key: "queue_name", Value: s.Queue},
		{Key: "args", Value: orNil(len(s.Args) > 0, jsonText(s.Args))}, {Key: "kwargs", Value: orNil(len(s.Kwargs) > 0, jsonText(s.Kwargs))},
		{Key: "interval", Value: orNil(e.job.Cron == "", int64(e.job.Every/time.Second))}, {Key: "cron", Value: orNil(e.job.Cron != "", e.job.Cron)},
		{Key: "latest_enqueue_time", Value: nil}, {Key: "next_enqueue_time", Value: nil},
		{Key: "job_timeout", Value: cronSeconds(s.Timeout)},
	}
	for _, o := range []struct {
		name string
		ttl  *time.Duration
	}{{"result_ttl", s.ResultTTL}, {"ttl", s.TTL}, {"failure_ttl", s.FailureTTL}} {
		if o.ttl != nil {
			d = append(d, pickle.Pair{Key: o.name, Value: cronSeconds(*o.ttl)})
		}
	}
	if len(s.Meta) > 0 {
		d = append(d, pickle.Pair{Key: "meta", Value: jsonText(s.Meta)})
	}
	if len(s.Webhooks) > 0 {
		if fields, err := s.webhookFields(); err == nil { // newJob has checked them
			d = append(d, pickle.Pair{Key: fields[0], Value: fields[1]})
		}
	}
	return d
}

// cronSeconds writes a length of time as RQ does: -1 is for ever.
func cronSeconds(d time.Duration) int64 {
	if d < 0 {
		return -1
	}
	return int64(d / time.Second)
}

// jsonText is a value as JSON, or what RQ writes where it has none.
func jsonText(v any) string {
	text, err := pyjson.Encode(v)
	if err != nil {
		return "<not JSON serializable>"
	}
	return string(text)
}
