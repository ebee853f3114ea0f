package rq

import (
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/docsvc/docsvc/pkg/rq/pickle"
)

// OutcomeKind says how an execution ended.
type OutcomeKind int

// The ways an execution ends.
const (
	OutcomeFinish     OutcomeKind = iota // to finished, with a result
	OutcomeFail                          // to failed, whatever retries are left
	OutcomeRetry                         // spends one of retries_left, or fails when there are none
	OutcomeRetryFree                     // back to the queue (after Delay) without spending a retry
	OutcomeReturnHead                    // drain: back to the head of the queue
	OutcomeStop                          // to stopped, as after RQ's stop-job
	OutcomeReturned                      // the function returned a Retry: runs again, or fails after Max times
)

// stoppedText is what RQ 2.12 writes as exc_string of a stopped job
// (rq/worker/worker_classes.py, monitor_work_horse).
const stoppedText = "Job stopped by user, work-horse terminated."

// unserializable is what RQ writes for a result it cannot serialise.
const unserializable = "Unserializable return value"

// Outcome is what an execution reports at its end.
type Outcome struct {
	Execution  Execution
	Job        *Job // as Claim gave it
	Kind       OutcomeKind
	Result     any    // for OutcomeFinish, in the job's serializer
	Error      string // the text that RQ shows as exc_string
	ErrorCode  string
	Delay      *time.Duration // overrides the job's retry interval, whole seconds
	Retry      *Retry         // for OutcomeReturned; AtFront changes nothing, as in RQ
	Effects    []Effect
	Conditions []Condition
}

// Finished is what became of an Outcome.
type Finished struct {
	Err         error // nil, ErrLateFinish or a *ConditionError
	Status      Status
	NextAttempt time.Time // zero unless the job is scheduled to run again
	EndedAt     time.Time // as the job's hash says; zero where there is none any more
}

// Finish ends executions. The slice answers outcomes one by one; error is only
// for transport and for outcomes that are wrong in themselves, and after a
// transport error the whole call is safe to repeat.
func (c *Client) Finish(ctx context.Context, outs []Outcome) ([]Finished, error) {
	calls, endings := make([]call, len(outs)), make([]ending, len(outs))
	for i, o := range outs {
		if o.Job == nil {
			return nil, fmt.Errorf("finishing execution %s: no job given", o.Execution.Member())
		}
		if o.Kind == OutcomeReturned && (o.Retry == nil || o.Retry.Max < 1) {
			return nil, fmt.Errorf("finishing job %s: a Retry with Max of at least 1 is needed", o.Execution.JobID)
		}
		e := decideEnding(o)
		t, err := c.finishTape(o, &e)
		if err != nil {
			return nil, fmt.Errorf("finishing job %s: %w", o.Execution.JobID, err)
		}
		q, w := o.Execution.Queue, o.Execution.Worker
		keys := []string{keyJob(o.Execution.JobID), keyWIP(q), c.keyLease(q), keyWorker(w), c.keySlot(w)}
		calls[i], endings[i] = call{scriptFinish, keys, t}, e
	}
	replies, err := c.runAll(ctx, calls)
	if err != nil {
		return nil, fmt.Errorf("finishing: %w", err)
	}
	done := make([]Finished, len(outs))
	for i, r := range replies {
		switch r.at(0).text() {
		case "ok":
			ended, _ := parseStamp(r.at(3).text())
			done[i] = Finished{Status: Status(r.at(1).text()), NextAttempt: r.at(2).second(), EndedAt: ended}
			tr := endings[i].transition
			tr.NextAttempt = done[i].NextAttempt
			c.o.Observer.Transition(tr)
		case "late":
			done[i].Err = ErrLateFinish
		case "condition":
			done[i].Err = r.condition()
		default:
			return nil, errReply("finishing", r)
		}
	}
	return done, nil
}

// ending is how a job leaves an execution, decided before the script runs. The
// script only checks that the execution still holds the job, which makes what
// was read at claim still true.
type ending struct {
	action     string        // see settle in lua/job.lua
	delay      time.Duration // for action "schedule"
	fields     []string      // of the job hash
	counter    string        // of the worker hash
	timed      bool          // add to the worker's working time
	result     ResultType    // of the entry for a returned Retry, else 0
	transition Transition
}

func decideEnding(o Outcome) ending {
	e := ending{timed: true}
	e.transition = Transition{
		Job: o.Job, Execution: o.Execution.ID, Worker: o.Execution.Worker, From: StatusStarted,
		Error: o.Error, ErrorCode: o.ErrorCode,
	}
	switch o.Kind {
	case OutcomeFinish:
		e.end("finished", StatusFinished, ReasonFinished)
		e.counter = "successful"
	case OutcomeStop:
		e.end("stopped", StatusStopped, ReasonStopped)
		e.counter, e.timed = "failed", false
	case OutcomeReturnHead:
		e.end("head", StatusQueued, ReasonDrained)
	case OutcomeRetryFree:
		e.again(0, o.Delay, "tail", ReasonRetryFree)
	case OutcomeRetry:
		e.counter = "failed"
		e.spend(o)
	case OutcomeReturned:
		e.counter = "failed"
		e.returned(o)
	default:
		e.end("failed", StatusFailed, ReasonFailed)
		e.counter = "failed"
	}
	return e
}

func (e *ending) end(action string, to Status, reason string) {
	e.action, e.transition.To, e.transition.Reason = action, to, reason
}

// again puts the job back, now by action or after a pause.
func (e *ending) again(interval time.Duration, override *time.Duration, action, reason string) {
	if override != nil {
		interval = *override
	}
	if interval <= 0 {
		e.end(action, StatusQueued, reason)
		return
	}
	e.end("schedule", StatusScheduled, reason)
	e.delay = time.Duration(wholeSeconds(interval)) * time.Second
}

// spend uses one of the retries up (rq/job.py, retry), or fails the job.
func (e *ending) spend(o Outcome) {
	left := o.Job.RetriesLeft
	if left == nil || *left <= 0 {
		e.end("failed", StatusFailed, ReasonFailed)
		return
	}
	e.fields = []string{"retries_left", strconv.Itoa(*left - 1)}
	action := "tail"
	if o.Job.Extra["enqueue_at_front_on_retry"] == "1" {
		action = "head"
	}
	e.again(o.Job.retryInterval(), o.Delay, action, ReasonRetry)
}

// returned runs a job again whose function returned a Retry, or fails it when
// that was asked for Max times before (rq/worker/base.py, handle_job_retry).
// Unlike the retries of a job, the last interval is the one repeated.
func (e *ending) returned(o Outcome) {
	before := 0
	if o.Job.NumberOfRetries != nil {
		before = *o.Job.NumberOfRetries
	}
	if before > 0 && before >= o.Retry.Max {
		e.result = ResultMaxRetries
		e.end("failed", StatusFailed, ReasonFailed)
		return
	}
	var interval time.Duration
	if n := len(o.Retry.Intervals); n > 0 {
		interval = o.Retry.Intervals[min(before, n-1)]
	}
	e.result = ResultRetried
	e.fields = []string{"number_of_retries", strconv.Itoa(before + 1)}
	e.again(interval, nil, "tail", ReasonRetry)
}

func (c *Client) finishTape(o Outcome, e *ending) (*tape, error) {
	now := c.o.Clock()
	e.transition.At = now
	if !o.Execution.StartedAt.IsZero() {
		e.transition.Duration = max(now.Sub(o.Execution.StartedAt), 0)
	}
	if e.delay > 0 {
		e.transition.NextAttempt = now.Add(e.delay)
	}
	entry, raw, err := resultEntry(o, *e)
	if err != nil {
		return nil, err
	}
	if e.result == ResultRetried {
		saved := string(raw) // RQ saves the Retry with the job, in its place that text where it cannot
		if o.Job.Serializer == JSON {
			saved = unserializable
		}
		e.fields = append(e.fields, "result", saved)
	}
	if left := o.Job.RepeatsLeft; left != nil && *left > 0 && raw != nil {
		e.fields = append(e.fields, "result", string(raw)) // RQ saves it when it repeats a job
	}
	extra := c.o.Effects(e.transition)
	effects := slices.Concat(extra.Effects, o.Effects)
	if err := checkWrites(effects, o.Conditions); err != nil {
		return nil, err
	}
	x := o.Execution
	t := c.tape().str(x.JobID, x.ID, x.Queue, x.Worker, e.action).num(int64(e.delay / time.Second))
	t.list(e.fields).list(entry).str(e.counter).flag(e.timed).str(e.transition.Reason)
	return t.labels(withCode(extra.Labels, o.ErrorCode)).conditions(o.Conditions).effects(effects), nil
}

// withCode adds the error code to an event's labels.
func withCode(labels map[string]string, code string) map[string]string {
	if code == "" {
		return labels
	}
	m := maps.Clone(labels)
	if m == nil {
		m = map[string]string{}
	}
	m["error_code"] = code
	return m
}

// resultEntry gives the first fields of an entry in the results stream, and
// the serialised return value; the script adds worker and execution.
func resultEntry(o Outcome, e ending) (fields []string, raw []byte, err error) {
	if e.result != 0 {
		if raw, err = o.Retry.pickled(o.Job.Serializer); err != nil {
			return nil, nil, err
		}
		return []string{"type", strconv.Itoa(int(e.result)), "return_value", base64.StdEncoding.EncodeToString(raw)}, raw, nil
	}
	switch e.action {
	case "finished":
		fields = []string{"type", strconv.Itoa(int(ResultSuccessful))}
		if o.Result == nil {
			return fields, nil, nil
		}
		raw, err = encodeValue(o.Job.Serializer, o.Result)
		if err != nil {
			raw, err = encodeValue(o.Job.Serializer, unserializable)
		}
		return append(fields, "return_value", base64.StdEncoding.EncodeToString(raw)), raw, err
	case "failed":
		fields, err = failedEntry(o.Error)
	case "stopped":
		fields, err = failedEntry(cmp.Or(o.Error, stoppedText))
	}
	return fields, nil, err
}

// pickled is what Python writes of a returned Retry.
func (r *Retry) pickled(s Serializer) ([]byte, error) {
	if s == JSON {
		return encodeValue(s, unserializable)
	}
	intervals := make([]any, 0, len(r.Intervals))
	for _, d := range r.Intervals {
		intervals = append(intervals, wholeSeconds(d))
	}
	if len(intervals) == 0 {
		intervals = append(intervals, 0)
	}
	return encodeValue(s, pickle.Object{Module: "rq.job", Class: "Retry", State: pickle.Dict{
		{Key: "max", Value: r.Max}, {Key: "intervals", Value: intervals}, {Key: "enqueue_at_front", Value: r.AtFront}}})
}

func failedEntry(text string) ([]string, error) {
	packed, err := deflate(text)
	if err != nil {
		return nil, err
	}
	return []string{"type", strconv.Itoa(int(ResultFailed)), "exc_string", base64.StdEncoding.EncodeToString(packed)}, nil
}

func deflate(text string) ([]byte, error) {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	_, err := z.Write([]byte(text))
	if err = errors.Join(err, z.Close()); err != nil {
		return nil, fmt.Errorf("compressing: %w", err)
	}
	return b.Bytes(), nil
}

// Progress applies effects while the execution holds its job, else
// ErrLateFinish. An entry with the labels goes into the events stream when
// labels is not nil.
func (c *Client) Progress(ctx context.Context, e Execution, effects []Effect, labels map[string]string) error {
	if err := checkWrites(effects, nil); err != nil {
		return fmt.Errorf("progress of job %s: %w", e.JobID, err)
	}
	t := c.tape().str(e.JobID, e.ID, e.Queue, e.Worker).flag(labels != nil).labels(labels).effects(effects)
	r, err := c.run(ctx, call{scriptProgress, []string{keyWIP(e.Queue)}, t})
	if err != nil {
		return fmt.Errorf("progress of job %s: %w", e.JobID, err)
	}
	if r.at(0).text() == "late" {
		return ErrLateFinish
	}
	return nil
}
