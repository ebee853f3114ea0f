package rq_test

import (
	"cmp"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

// enqueueing is what a producer asks for, in either language.
type enqueueing struct {
	ID          string
	Func        string
	Args        []any
	Kwargs      map[string]any
	Description string
	Meta        map[string]any
	ResultTTL   *int
	FailureTTL  *int
	TTL         *int
	Timeout     int
	Retry       []int // intervals
	Retries     int   // how many, if not one per interval
	AtFront     bool
	In          int // seconds
	JSON        bool
	Unique      bool

	RetryAtFront bool
	DependsOn    []string
	AllowFailure bool
	ReleaseFront bool  // to the front, once what it depends on has ended
	Repeat       []int // intervals
	Repeats      int   // how often, if not once per interval
	Callbacks    bool  // tasks.called on every end
	Webhook      string
}

func (e enqueueing) request() request {
	q := request{"op": "enqueue", "queue": interopQueue, "id": e.ID, "func": e.Func}
	set := func(name string, v any, given bool) {
		if given {
			q[name] = v
		}
	}
	set("depends_on", e.DependsOn, e.DependsOn != nil)
	set("allow_failure", true, e.AllowFailure)
	set("release_front", true, e.ReleaseFront)
	set("repeat", map[string]any{"times": cmp.Or(e.Repeats, len(e.Repeat)), "intervals": e.Repeat}, e.Repeat != nil)
	set("callbacks", []string{"success", "failure", "stopped"}, e.Callbacks)
	set("webhook", e.Webhook, e.Webhook != "")
	set("unique", true, e.Unique)
	set("args", e.Args, e.Args != nil)
	set("kwargs", e.Kwargs, e.Kwargs != nil)
	set("description", e.Description, e.Description != "")
	set("meta", e.Meta, e.Meta != nil)
	set("result_ttl", e.ResultTTL, e.ResultTTL != nil)
	set("failure_ttl", e.FailureTTL, e.FailureTTL != nil)
	set("ttl", e.TTL, e.TTL != nil)
	set("timeout", e.Timeout, e.Timeout != 0)
	set("retry", map[string]any{"max": cmp.Or(e.Retries, len(e.Retry)), "intervals": e.Retry, "at_front": e.RetryAtFront}, e.Retry != nil)
	set("at_front", true, e.AtFront)
	set("in", e.In, e.In != 0)
	set("serializer", "json", e.JSON)
	return q
}

func (e enqueueing) spec() rq.Spec {
	s := rq.Spec{
		ID: e.ID, Queue: interopQueue, Func: e.Func, Args: e.Args, Kwargs: e.Kwargs, Description: e.Description, Meta: e.Meta,
		ResultTTL: ttl(e.ResultTTL), FailureTTL: ttl(e.FailureTTL), TTL: ttl(e.TTL),
		Timeout: time.Duration(e.Timeout) * time.Second, AtFront: e.AtFront, DependsOn: e.DependsOn,
		AllowFailure: e.AllowFailure, DependentAtFront: e.ReleaseFront,
	}
	if e.Retry != nil {
		s.Retry = &rq.Retry{Max: cmp.Or(e.Retries, len(e.Retry)), AtFront: e.RetryAtFront, Intervals: intervals(e.Retry)}
	}
	if e.Repeat != nil {
		s.Repeat = &rq.Repeat{Times: cmp.Or(e.Repeats, len(e.Repeat)), Intervals: intervals(e.Repeat)}
	}
	if e.Callbacks {
		s.OnSuccess, s.OnFailure = &rq.Callback{Func: "tasks.called"}, &rq.Callback{Func: "tasks.called", Timeout: time.Minute}
		s.OnStopped = &rq.Callback{Func: "tasks.called", Timeout: 7 * time.Second}
	}
	if e.Webhook != "" {
		s.Webhooks = []rq.Webhook{{URL: e.Webhook, Status: rq.StatusFinished},
			{URL: e.Webhook, Status: rq.StatusFailed, Method: "POST", Headers: map[string]string{"X-A": "é"}, Timeout: 3 * time.Second}}
	}
	if e.In != 0 {
		s.At = time.Now().Add(time.Duration(e.In) * time.Second)
	}
	if e.Unique {
		s.Unique = rq.UniqueAny
	}
	if e.JSON {
		s.Serializer = rq.JSON
	}
	return s
}

func intervals(seconds []int) []time.Duration {
	out := make([]time.Duration, len(seconds))
	for i, n := range seconds {
		out[i] = time.Duration(n) * time.Second
	}
	return out
}

func ttl(n *int) *time.Duration {
	if n == nil {
		return nil
	}
	d := time.Duration(*n) * time.Second
	return &d
}
