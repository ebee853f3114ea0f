package rq

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// Limits in bytes above which a field of a job hash is not loaded.
const (
	loadLimit = 16 << 20
	headLimit = 64 << 10
)

// ErrDataTooLarge is a Job's PayloadErr when its data was left in Redis.
var ErrDataTooLarge = errors.New("payload is too large to load")

var errNoData = errors.New("job has no data")

// stampLayout is how RQ writes times in hashes; it requires the Z.
const stampLayout = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampLayout) }

// parseStamp reads what stamp writes, and anything else close to it.
func parseStamp(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, false
	}
	return t.UTC(), true
}

// parseFloatStamp reads unix seconds with a fraction, as executions and
// results hold them.
func parseFloatStamp(s string) time.Time {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0 && f <= 1e11) { // which NaN isn't, either
		return time.Time{}
	}
	return time.UnixMicro(int64(f*1e6 + 0.5)).UTC()
}

func floatStamp(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMicro())/1e6, 'f', -1, 64)
}

// wholeSeconds rounds up, so that half a second does not become none.
func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

// ttlSeconds encodes result_ttl and failure_ttl: negative is -1, for ever.
func ttlSeconds(d time.Duration) string {
	if d < 0 {
		return "-1"
	}
	return strconv.FormatInt(wholeSeconds(d), 10)
}

// decodeJob reads a job hash given as a flat list. It never fails: what cannot
// be read stays in Extra, and left names the fields that were not loaded.
func decodeJob(id string, flat, left []string) *Job {
	j := &Job{ID: id, Status: StatusCreated, Timeout: DefaultTimeout, Extra: map[string]string{}, noStatus: true}
	j.PayloadErr = errNoData
	for i := 0; i+1 < len(flat); i += 2 {
		field, value := flat[i], flat[i+1]
		if !j.setText(field, value) && !j.setTime(field, value) && !j.setNumber(field, value) && !j.setEncoded(field, value) {
			j.Extra[field] = value
		}
	}
	j.takeCallbacks()
	if slices.Contains(left, "data") {
		j.PayloadErr = ErrDataTooLarge
	}
	return j
}

func (j *Job) setText(field, value string) bool {
	switch field {
	case "origin":
		j.Queue = value
	case "status":
		if value != "" {
			j.Status, j.noStatus = Status(value), false
		}
	case "description":
		j.Description = value
	case "worker_name":
		j.WorkerName = value
	case "group_id":
		j.GroupID = value
	default:
		return false
	}
	return true
}

func (j *Job) setTime(field, value string) bool {
	var t *time.Time
	switch field {
	case "created_at":
		t = &j.CreatedAt
	case "enqueued_at":
		t = &j.EnqueuedAt
	case "started_at":
		t = &j.StartedAt
	case "ended_at":
		t = &j.EndedAt
	case "last_heartbeat":
		t = &j.LastHeartbeat
	default:
		return false
	}
	if value == "" {
		return true
	}
	v, ok := parseStamp(value)
	*t = v
	return ok
}

func (j *Job) setNumber(field, value string) bool {
	n, ok := parseInt(value)
	d := time.Duration(n) * time.Second
	switch field {
	case "timeout":
		if ok {
			j.Timeout = d
		}
	case "result_ttl":
		if ok {
			j.ResultTTL = &d
		}
	case "failure_ttl":
		if ok {
			j.FailureTTL = &d
		}
	case "ttl":
		if ok {
			j.TTL = &d
		}
	case "retries_left":
		if ok {
			j.RetriesLeft = &n
		}
	case "number_of_retries":
		if ok {
			j.NumberOfRetries = &n
		}
	case "repeats_left":
		if ok {
			j.RepeatsLeft = &n
		}
	default:
		return false
	}
	return ok
}

func (j *Job) setEncoded(field, value string) bool {
	switch field {
	case "data":
		j.Func, j.Args, j.Kwargs, j.Serializer, j.PayloadErr = decodePayload([]byte(value))
		return true
	case "retry_intervals":
		return setIntervals(&j.RetryIntervals, value)
	case "repeat_intervals":
		return setIntervals(&j.RepeatIntervals, value)
	case "webhooks":
		return j.setWebhooks(value)
	case "meta":
		v, _, err := decodeValue([]byte(value))
		dict, ok := v.(pickle.Dict)
		if err != nil || !ok {
			return false
		}
		m, ok := dict.StringMap()
		j.Meta = m
		return ok
	}
	return false
}

func setIntervals(to *[]time.Duration, value string) bool {
	var seconds []float64
	if json.Unmarshal([]byte(value), &seconds) != nil {
		return false
	}
	intervals := make([]time.Duration, len(seconds))
	for i, s := range seconds {
		if s < 0 || s > 1e9 {
			return false
		}
		intervals[i] = time.Duration(s * float64(time.Second))
	}
	*to = intervals
	return true
}

// parseInt reads an integer field; "180.0" is read too, though RQ raises.
func parseInt(s string) (int, bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, n > -1e9 && n < 1e10
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f < -1e9 || f > 1e10 {
		return 0, false
	}
	return int(f), true
}

// retryInterval is the pause before the next attempt, by retries_left before
// it is spent (rq/job.py, get_retry_interval): with fewer intervals than
// retries the first is repeated, with more the last ones are used.
func (j *Job) retryInterval() time.Duration {
	if len(j.RetryIntervals) == 0 || j.RetriesLeft == nil {
		return 0
	}
	i := max(len(j.RetryIntervals)-*j.RetriesLeft, 0)
	return j.RetryIntervals[min(i, len(j.RetryIntervals)-1)].Truncate(time.Second)
}

// pythonIntList writes a list as Python's json.dumps does.
func pythonIntList(ds []time.Duration) string {
	parts := make([]string, len(ds))
	for i, d := range ds {
		parts[i] = strconv.FormatInt(wholeSeconds(d), 10)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
