package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/docsvc/docsvc/pkg/failpoint"
)

// op is one step of one job's history: what was asked, and what was answered
// or what the events stream says became of it.
type op struct {
	job, kind, execution string // kind: claim, finish, recover, cancel, delete, queue
	action               string
	answer               string // claimed, ok, late, condition, alive, gone
}

// state is what the model knows of a job.
type state struct {
	phase string // waiting, held, ended
	by    string // the execution that holds it
	last  string // the execution whose finish was accepted last
}

// step is the queue as it is meant to be: a job is waiting, held by one
// execution, or ended; only its holder ends it, and everybody else is refused.
func step(s state, o op) (bool, state) {
	held := s.phase == "held" && s.by == o.execution
	switch o.kind + " " + o.answer {
	case "claim claimed": // the same execution may ask again after a lost answer
		return s.phase == "waiting" || held, state{"held", o.execution, s.last}
	case "finish ok":
		if s.last == o.execution && !held {
			return true, s // the same finish again, after a lost answer
		}
		return held, state{phase(o.action), "", o.execution}
	case "finish late":
		return !held, s
	case "finish condition":
		return held, s
	case "recover ok":
		return held, state{phase(o.action), "", s.last}
	case "recover gone":
		return !held, s
	case "recover alive":
		return true, s
	case "cancel ok", "delete ok":
		return true, state{"ended", "", s.last}
	case "queue ok": // enqueued, requeued, due: never under somebody who holds it
		return s.phase != "held", state{"waiting", "", s.last}
	}
	return false, s
}

func phase(action string) string {
	switch action {
	case "finished", "failed", "stopped":
		return "ended"
	}
	return "waiting"
}

// model is the one that porcupine checks, job by job.
var model = porcupine.Model{
	Init:              func() any { return state{phase: "waiting"} },
	Step:              func(s, in, _ any) (bool, any) { return step(s.(state), in.(op)) },
	DescribeOperation: func(in, _ any) string { return fmt.Sprintf("%+v", in) },
}

// slack is how far the clock of an event may be from that of this program, and
// how coarse it is. A wider interval only makes the check milder.
const slack = 5 * time.Millisecond

// fromEvent is the step that an event tells of; false for those of no interest.
func fromEvent(e event) (op, bool) {
	o := op{job: e.job, execution: e.execution, action: e.to, answer: "ok"}
	switch e.reason {
	case "claimed":
		o.kind, o.answer = "claim", "claimed"
	case "recovered", "abandoned", "recovery_limit":
		o.kind = "recover"
	case "finished", "failed", "retry", "retry_free", "drained", "stopped":
		o.kind = "finish"
	case "canceled":
		o.kind = "cancel"
	case "deleted", "emptied":
		o.kind = "delete"
	case "enqueued", "scheduled", "requeued", "due", "intermediate", "repeat", "dependency_met":
		o.kind = "queue"
	default:
		return o, false
	}
	return o, true
}

// histories joins what processes recorded with what the events say: a call
// that was answered lasts from its asking to its answer; one whose process was
// killed, or whose answer was lost, has the time of its event, if it has one.
func histories(file string, jobs map[string][]event) (map[string][]porcupine.Operation, error) {
	out := map[string][]porcupine.Operation{}
	answered := map[op]bool{}
	err := records(file, func(asked, r failpoint.Record) {
		if r.Answer == "error" || r.Job == "" {
			return
		}
		o := op{r.Job, r.Kind, r.Execution, r.Action, r.Answer}
		out[r.Job] = append(out[r.Job], porcupine.Operation{Input: o, Call: asked.At, Return: r.At})
		answered[happened(o)] = true
	})
	if err != nil {
		return nil, err
	}
	for job, list := range jobs {
		for _, e := range list {
			o, ok := fromEvent(e)
			if key := happened(o); !ok || key.job != "" && answered[key] {
				continue
			}
			at := e.at.UnixNano()
			out[job] = append(out[job], porcupine.Operation{Input: o, Call: at - int64(slack), Return: at + int64(time.Millisecond+slack)})
		}
	}
	return out, nil
}

// happened is what an answered call and its event have in common. An execution
// is claimed once and ends once.
func happened(o op) op {
	if o.answer != "ok" && o.answer != "claimed" || o.execution == "" {
		return op{}
	}
	return op{job: o.job, kind: o.kind, execution: o.execution}
}

// records reads the history file and gives each answer with its asking.
func records(file string, each func(asked, answer failpoint.Record)) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("reading the history: %w", err)
	}
	defer func() { _ = f.Close() }()
	asked := map[string]failpoint.Record{}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var r failpoint.Record
		if err := json.Unmarshal(in.Bytes(), &r); err != nil {
			return fmt.Errorf("reading the history: %w", err)
		}
		if r.Answer == "" {
			asked[r.Call] = r
			continue
		}
		each(asked[r.Call], r)
	}
	return in.Err()
}

// verdict is what porcupine says of all jobs.
type verdict struct {
	jobs, steps, unknown int
	illegal              []string
}

// perJob bounds the check of one job.
const perJob = 10 * time.Second

func check(all map[string][]porcupine.Operation) verdict {
	var v verdict
	for job, history := range all {
		v.jobs++
		v.steps += len(history)
		switch porcupine.CheckOperationsTimeout(model, history, perJob) {
		case porcupine.Illegal:
			v.illegal = append(v.illegal, describe(job, history))
		case porcupine.Unknown:
			v.unknown++
		}
	}
	return v
}

// describe writes a history that the model refuses, in the order of its calls.
func describe(job string, history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	var b strings.Builder
	fmt.Fprintf(&b, "job %s:", job)
	for _, h := range history {
		o := h.Input.(op)
		fmt.Fprintf(&b, "\n    %s..%s %s %s %s: %s", clock(h.Call), clock(h.Return), o.kind, o.execution, o.action, o.answer)
	}
	return b.String()
}

func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("15:04:05.000000") }
