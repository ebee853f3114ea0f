package rq_test

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docsvc/docsvc/pkg/rq"
)

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// rqOptions is a command line as rq enqueue takes it.
func rqOptions(l rq.CommandLine) []string {
	out := []string{"enqueue", "--queue", interopQueue, "--job-id", l.JobID}
	set := func(name, value string) {
		if value != "" {
			out = append(out, name, value)
		}
	}
	set("--timeout", l.Timeout)
	set("--result-ttl", l.ResultTTL)
	set("--ttl", l.TTL)
	set("--failure-ttl", l.FailureTTL)
	set("--description", l.Description)
	set("--schedule-in", l.ScheduleIn)
	set("--schedule-at", l.ScheduleAt)
	set("--serializer", l.Serializer)
	for _, id := range l.DependsOn {
		set("--depends-on", id)
	}
	if l.RetryMax != nil {
		set("--retry-max", strconv.Itoa(*l.RetryMax))
	}
	for _, n := range l.RetryIntervals {
		set("--retry-interval", strconv.Itoa(n))
	}
	if l.AtFront {
		out = append(out, "--at-front")
	}
	return append(append(out, "--", l.Func), l.Args...)
}

// enqueueLine enqueues as rq enqueue does and compares what it says.
func (r *interop) enqueueLine(l rq.CommandLine) {
	r.t.Helper()
	l.Queue = interopQueue
	s, call, err := l.Spec(time.Now())
	r.must(err)
	if r.producer == docsvc {
		_, err = r.client.Enqueue(r.t.Context(), s)
		r.must(err)
		return
	}
	printed := colours.ReplaceAllString(r.rqCLI(rqOptions(l)...), "")
	if want := fmt.Sprintf("Enqueued %s with job-id '%s'.\n", call, l.JobID); printed != want {
		r.t.Errorf("rq enqueue says %q, want %q", printed, want)
	}
}

// commandLines are calls whose keyspace must be rq enqueue's.
var commandLines = []rq.CommandLine{
	{Func: "tasks.add"},
	{Func: "tasks.add", Args: []string{"text", "", "é😀", "it's", "a:b"}},
	{Func: "tasks.add", Args: []string{":1", ":-1.5e3", ":true", ":null", `:{"b": [1, 2], "a": {"c": "\u00e9"}}`, ":123456789012345678901234567890", `:[]`, ":{}"}},
	{Func: "tasks.add", Args: []string{"%1", "%-2.5", "%(1, 'x')", "%()", "%[None, True]", "%{1: (2, 3), 'k': b'\\xff'}", "%{7}", "%set()", "%0xff", "%'a' 'b'"}},
	{Func: "tasks.add", Args: []string{"zulu=1", "alpha:=[1]", "mike%=(1,)", "positional", "b=c=d"}},
	{Func: "tasks.add", Args: []string{strings.Repeat("long ", 40), "k=" + strings.Repeat("x", 100)}},
	{Func: "tasks.add", Args: []string{"@testdata/argument.json", ":@testdata/argument.json", "k%=@testdata/argument.json"}},
	{Func: "tasks.add", Args: []string{"1", "k=v"}, Serializer: "json"},
	{Func: "tasks.add", Args: []string{`:{"z": [1, null], "a": 2.5}`, "m:=\"é\""}, Serializer: "json"},
	{Func: "tasks.add", Timeout: "1h", ResultTTL: "10m", TTL: "2d", FailureTTL: "90", Description: "what it is"},
	{Func: "tasks.add", Timeout: "-1", ResultTTL: "-1", FailureTTL: "-1"},
	{Func: "tasks.add", ResultTTL: "0", FailureTTL: "0"},
	{Func: "tasks.add", AtFront: true},
	{Func: "tasks.add", RetryMax: of(3)},
	{Func: "tasks.add", RetryMax: of(3), RetryIntervals: []int{10, 20}},
	{Func: "tasks.add", RetryMax: of(0), RetryIntervals: []int{10}},
	{Func: "tasks.add", ScheduleIn: "1h", TTL: "1d"},
	{Func: "tasks.add", ScheduleIn: "90", DependsOn: []string{"line0"}},
	{Func: "tasks.add", DependsOn: []string{"line0", "line1"}, TTL: "5m", AtFront: true, RetryMax: of(1)},
	{Func: "tasks.add", DependsOn: []string{"missing"}},
}

// commandLineScenarios compare with rq's command line.
var commandLineScenarios = []scenario{
	{"enqueued from a command line", either, func(r *interop) {
		for i, l := range commandLines {
			l.JobID = fmt.Sprintf("line%d", i)
			r.enqueueLine(l)
			r.dump(fmt.Sprintf("line %d", i))
		}
		// An id that exists is overwritten.
		r.enqueueLine(rq.CommandLine{JobID: "line1", Func: "tasks.echo"})
		r.dump("again")
	}},
	{"scheduled from a command line", either, func(r *interop) {
		at := time.Now().Add(2 * time.Hour).Truncate(time.Second)
		l := rq.CommandLine{JobID: "j1", Func: "tasks.add", ScheduleAt: at.In(time.Local).Format("2006-01-02T15:04:05")}
		if r.producer == python {
			l.ScheduleAt = at.UTC().Format("2006-01-02T15:04:05") // Python runs in UTC
		}
		r.enqueueLine(l)
		r.dump("scheduled")
	}},
	{"dependents from a command line", either, func(r *interop) {
		r.enqueueLine(rq.CommandLine{JobID: "p1", Func: "tasks.gate"})
		r.enqueueLine(rq.CommandLine{JobID: "p2", Func: "tasks.gate"})
		r.enqueueLine(rq.CommandLine{JobID: "both", Func: "tasks.gate", DependsOn: []string{"p1", "p2"}})
		r.enqueueLine(rq.CommandLine{JobID: "one", Func: "tasks.gate", DependsOn: []string{"p1"}})
		r.enqueueLine(rq.CommandLine{JobID: "then", Func: "tasks.gate", DependsOn: []string{"one"}})
		r.dump("deferred")
		r.begin(false)
		r.end(1, "")
		r.dump("the first parent finished")
		r.begin(false)
		r.end(nil, "broken")
		r.dump("the second one failed")
		r.enqueueLine(rq.CommandLine{JobID: "late", Func: "tasks.gate", DependsOn: []string{"p1"}})
		r.enqueueLine(rq.CommandLine{JobID: "waits", Func: "tasks.gate", DependsOn: []string{"p2"}})
		r.dump("more dependents")
		r.delete("one", true)
		r.dump("deleted with what waits for it")
	}},
}

// exchangeRawInfo compares the lines of rq info --raw, which come in no order.
func exchangeRawInfo(t *testing.T, r *interop) {
	same := func(queues ...string) {
		t.Helper()
		got, err := r.client.RawInfo(t.Context(), queues)
		r.must(err)
		want := strings.Split(strings.TrimSuffix(r.rqCLI(append([]string{"info", "--raw"}, queues...)...), "\n"), "\n")
		if len(want) == 1 && want[0] == "" {
			want = nil
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%v: docsvc says\n%s\nrq info\n%s", queues, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	same()
	for i := range 5 {
		r.enqueue(enqueueing{ID: fmt.Sprintf("j%d", i), Func: "tasks.gate"})
	}
	r.register("w.1", "w.2")
	same()
	claimed := r.claim("w.1", "w.2")
	same(interopQueue, "nothing")
	r.finish(rq.Outcome{Execution: claimed[0].Execution, Job: claimed[0].Job, Kind: rq.OutcomeFinish},
		rq.Outcome{Execution: claimed[1].Execution, Job: claimed[1].Job, Kind: rq.OutcomeFail, Error: "broken"})
	same()
	same("other")
	same("nothing")
	r.worker = python
	r.begin(false)
	got, err := r.client.RawInfo(t.Context(), nil)
	r.must(err)
	busy := regexp.MustCompile(`^worker worker-1 \(\S+ (\S+) \d+\) busy default\. jobs: 0 finished, 0 failed$`)
	if !slices.ContainsFunc(got, busy.MatchString) {
		t.Errorf("no busy Python worker in\n%s", strings.Join(got, "\n"))
	}
	var out string
	r.second().ask(request{"op": "cli", "args": []string{"info", "--raw"}}, &out)
	want := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("docsvc says\n%s\nrq info\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.end("x", "")
	same()
}
