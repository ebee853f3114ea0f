package rq

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// ResultType is the type field of an entry in a results stream.
type ResultType int

// The types (rq/results.py, Result.Type).
const (
	ResultSuccessful ResultType = 1
	ResultFailed     ResultType = 2
	ResultStopped    ResultType = 3
	ResultRetried    ResultType = 4
	ResultMaxRetries ResultType = 5
)

// Result is an entry of a job's results stream.
type Result struct {
	ID          string // stream entry id
	Type        ResultType
	Value       any   // the return value, nil for None
	ValueErr    error // why Value could not be decoded
	Error       string
	WorkerName  string
	ExecutionID string
	CreatedAt   time.Time
	StartedAt   time.Time // of the execution, zero when unknown
	EndedAt     time.Time
}

// LatestResult returns the newest entry of the job's results, nil when there
// is none.
func (c *Client) LatestResult(ctx context.Context, id string) (*Result, error) {
	entries, err := c.rdb.XRevRangeN(ctx, keyResults(id), "+", "-", 1).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the result of job %s: %w", id, named(err, keyResults(id)))
	}
	if len(entries) == 0 {
		return nil, nil
	}
	return decodeResult(entries[0]), nil
}

// Results returns all entries of the job's results that are kept, about ten,
// newest first; none when there are none.
func (c *Client) Results(ctx context.Context, id string) ([]*Result, error) {
	entries, err := c.rdb.XRevRange(ctx, keyResults(id), "+", "-").Result()
	if err != nil {
		return nil, fmt.Errorf("reading the results of job %s: %w", id, named(err, keyResults(id)))
	}
	results := make([]*Result, len(entries))
	for i, e := range entries {
		results[i] = decodeResult(e)
	}
	return results, nil
}

// resultPoll is the longest that WaitResult goes on after ctx has ended.
const resultPoll = time.Second

// WaitResult is LatestResult, which waits up to timeout while there is none at
// all (rq/results.py, fetch_latest): one of an earlier run is returned at
// once. nil when there is none in time.
func (c *Client) WaitResult(ctx context.Context, id string, timeout time.Duration) (*Result, error) {
	for deadline := time.Now().Add(timeout); ; {
		res, err := c.LatestResult(ctx, id)
		left := time.Until(deadline)
		if res != nil || err != nil || left <= 0 {
			return res, err
		}
		// At least a millisecond: 0 would block for ever.
		block := max(min(left, resultPoll), time.Millisecond)
		err = c.rdb.XRead(ctx, &redis.XReadArgs{Streams: []string{keyResults(id), "0-0"}, Count: 1, Block: block}).Err()
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("waiting for the result of job %s: %w", id, named(err, keyResults(id)))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func decodeResult(m redis.XMessage) *Result {
	text := func(f string) string {
		s, _ := m.Values[f].(string)
		return s
	}
	kind, _ := strconv.Atoi(text("type"))
	res := &Result{
		ID: m.ID, Type: ResultType(kind), WorkerName: text("worker_name"), ExecutionID: text("execution_id"),
		StartedAt: parseFloatStamp(text("execution_started_at")), EndedAt: parseFloatStamp(text("execution_ended_at")),
	}
	if ms, _, ok := strings.Cut(m.ID, "-"); ok {
		if n, err := strconv.ParseInt(ms, 10, 64); err == nil {
			res.CreatedAt = time.UnixMilli(n).UTC()
		}
	}
	if v := text("return_value"); v != "" {
		b, err := base64.StdEncoding.DecodeString(v)
		if err == nil {
			res.Value, _, err = decodeValue(b)
		}
		res.ValueErr = err
	}
	if v := text("exc_string"); v != "" {
		b, err := base64.StdEncoding.DecodeString(v)
		if err == nil {
			b, err = inflate(b, maxPayload)
		}
		if err != nil {
			b = []byte("the error text cannot be decoded: " + err.Error())
		}
		res.Error = string(b)
	}
	return res
}
