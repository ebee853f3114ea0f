package rq

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/redistest"
)

// What is asked for is read again as it was asked for.
func TestSpecComesBack(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, s *redistest.Server) {
		f := newFixture(t, s, Options{})
		hooks := []Webhook{
			{URL: "https://here.example/é?a=1", Status: StatusFinished, Method: "GET", Timeout: 10 * time.Second},
			{URL: "http://here.example", Status: StatusFailed, Method: "POST", Headers: map[string]string{"A": "b"}, Timeout: 3 * time.Second},
		}
		spec := Spec{
			ID: "j1", Queue: "q", Func: "app.work", Group: "g",
			Repeat:    &Repeat{Times: 3, Intervals: []time.Duration{time.Second, time.Minute}},
			OnSuccess: &Callback{Func: "app.done"}, OnStopped: &Callback{Func: "app.stopped", Timeout: 7 * time.Second},
			Webhooks: hooks,
		}
		if _, err := f.Enqueue(context.Background(), spec); err != nil {
			t.Fatal(err)
		}
		j, err := f.Job(context.Background(), "j1")
		if err != nil {
			t.Fatal(err)
		}
		if j.RepeatsLeft == nil || *j.RepeatsLeft != 3 || !reflect.DeepEqual(j.RepeatIntervals, spec.Repeat.Intervals) {
			t.Errorf("repeats: %v, %v", j.RepeatsLeft, j.RepeatIntervals)
		}
		if !reflect.DeepEqual(j.OnSuccess, &Callback{"app.done", time.Minute}) || j.OnFailure != nil || !reflect.DeepEqual(j.OnStopped, spec.OnStopped) {
			t.Errorf("callbacks: %+v, %+v, %+v", j.OnSuccess, j.OnFailure, j.OnStopped)
		}
		if !reflect.DeepEqual(j.Webhooks, hooks) {
			t.Errorf("webhooks: %+v", j.Webhooks)
		}
		if j.GroupID != "g" || len(j.Extra) != 0 {
			t.Errorf("group %q, left over %v", j.GroupID, j.Extra)
		}
	})
}

func TestSpecsThatRQRefusesToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t, redistest.Start(t, redistest.Miniredis), Options{})
	for want, s := range map[string]Spec{
		"at least once":               {Repeat: &Repeat{}},
		"repeat interval -1s":         {Repeat: &Repeat{Times: 1, Intervals: []time.Duration{-time.Second}}},
		"retry interval -1s":          {Retry: &Retry{Max: 1, Intervals: []time.Duration{-time.Second}}},
		"ttl 0s: must be positive":    {TTL: ptr(time.Duration(0))},
		"ttl -1s: must be positive":   {TTL: ptr(-time.Second)},
		"on failure: no function":     {OnFailure: &Callback{}},
		"http:// or https:// URL":     {Webhooks: []Webhook{{URL: "ftp://x", Status: StatusFailed}}},
		`jobs that are "stopped"`:     {Webhooks: []Webhook{{URL: "http://x", Status: StatusStopped}}},
		`method "PUT"`:                {Webhooks: []Webhook{{URL: "http://x", Status: StatusFailed, Method: "PUT"}}},
		"names none":                  {AllowFailure: true},
		"can't depend on others":      {DependsOn: []string{"p"}, Unique: UniqueAny},
		`group name " g": must be`:    {Group: " g"},
		"timeout -1s: must not be ne": {OnSuccess: &Callback{Func: "f", Timeout: -time.Second}},
	} {
		s.ID, s.Queue, s.Func = "j1", "q", "app.work"
		if _, err := f.Enqueue(context.Background(), s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if keys := f.keyspace(); len(keys) != 0 {
		t.Errorf("left behind: %q", keys)
	}
}

// What cannot be read as a webhook or callback stays as it was.
func TestUnreadableHooksStay(t *testing.T) {
	t.Parallel()
	for field, value := range map[string]string{
		"webhooks":                 `[{"url": "http://x", "job_status": "finished"}, {"url": "x"}]`,
		"success_callback_timeout": "60",
	} {
		j := decodeJob("j1", []string{field, value}, nil)
		if j.Extra[field] != value || j.Webhooks != nil || j.OnSuccess != nil {
			t.Errorf("%s: %+v", field, j)
		}
	}
}
