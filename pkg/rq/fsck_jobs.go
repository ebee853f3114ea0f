package rq

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The fields that are read of every job. Python's readers take times only with
// a Z and up to six digits, and whole numbers only.
var (
	fsckTimes   = []string{"created_at", "enqueued_at", "started_at", "ended_at", "last_heartbeat"}
	fsckNumbers = []string{"timeout", "result_ttl", "failure_ttl", "ttl", "retries_left", "number_of_retries", "repeats_left"}
	fsckFlags   = []string{"allow_dependency_failures", "enqueue_at_front"}
	fsckFields  = slices.Concat([]string{"status", "origin", "worker_name"}, fsckTimes, fsckNumbers, fsckFlags)

	pythonStamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$`)
	pythonInt   = regexp.MustCompile(`^\s*[+-]?\d+\s*$`)
)

var knownStatus = map[Status]bool{
	StatusCreated: true, StatusQueued: true, StatusStarted: true, StatusFinished: true, StatusFailed: true,
	StatusDeferred: true, StatusScheduled: true, StatusStopped: true, StatusCanceled: true,
}

// jobLook is what fsck_look.lua answers about one job.
type jobLook struct {
	unit      unit
	fields    map[string]string
	data      int // bytes, -1 without
	scheduled bool
	deferred  bool
	held      bool        // an execution of it is in rq:wip
	parents   [][2]string // ids and statuses of the jobs it waits for
}

// jobs looks at job hashes.
func (f *fsck) jobs(ctx context.Context, units []unit) error {
	ids, keys := make([]string, len(units)), make([]string, len(units))
	for i, u := range units {
		ids[i], keys[i] = u.member, u.key
	}
	answered, err := f.pace.spend(ctx, 3*len(units))
	if err != nil {
		return err
	}
	r, err := f.c.run(ctx, call{scriptFsckLook, keys, f.c.tape().list(fsckFields).list(ids)})
	answered()
	if err != nil {
		return err
	}
	f.report.Jobs += int64(len(units))
	for i, u := range units {
		x := r.at(i)
		switch {
		case len(x.list()) == 0:
		case len(x.list()) == 1:
			f.judgeTypeOf(u, fact{text: x.at(0).text(), is: true}, "hash")
		default:
			f.judgeJob(readLook(u, x))
		}
	}
	return nil
}

func readLook(u unit, x reply) jobLook {
	l := jobLook{unit: u, fields: map[string]string{}, data: x.at(2).int()}
	for i, v := range x.at(1).list() {
		if v.v != nil {
			l.fields[fsckFields[i]] = v.text()
		}
	}
	l.scheduled, l.deferred = x.at(3).v != nil, x.at(4).v != nil
	for _, e := range x.at(5).list() {
		l.held = l.held || e.at(1).v != nil
	}
	for _, p := range x.at(6).list() {
		l.parents = append(l.parents, [2]string{p.at(0).text(), p.at(1).text()})
	}
	return l
}

// state is all that was read of it.
func (l jobLook) state() []fact {
	var list []fact
	for _, name := range fsckFields {
		v, ok := l.fields[name]
		list = append(list, fact{text: v, is: ok})
	}
	for _, p := range l.parents {
		list = append(list, fact{text: p[0] + " " + p[1], is: true})
	}
	return append(list, fact{text: fmt.Sprint(l.data, l.scheduled, l.deferred), is: true})
}

// unreadable lists what Python's readers cannot take.
func (l jobLook) unreadable() []string {
	var bad []string
	if s, ok := l.fields["status"]; ok && !knownStatus[Status(s)] {
		bad = append(bad, fmt.Sprintf("status %.40q", s))
	}
	for _, name := range fsckTimes {
		if v := l.fields[name]; v != "" && !pythonStamp.MatchString(v) {
			bad = append(bad, fmt.Sprintf("%s %.40q", name, v))
		}
	}
	for _, name := range slices.Concat(fsckNumbers, fsckFlags) {
		if v := l.fields[name]; v != "" && !pythonInt.MatchString(v) {
			bad = append(bad, fmt.Sprintf("%s %.40q", name, v))
		}
	}
	if l.data < 0 {
		bad = append(bad, "no data")
	}
	return bad
}

// judgeJob: what the hash says must be found.
func (f *fsck) judgeJob(l jobLook) {
	u, id := l.unit, l.unit.member
	status, q := Status(l.fields["status"]), l.fields["origin"]
	if !f.wants(q) {
		return
	}
	if bad := l.unreadable(); len(bad) > 0 {
		f.note(u, FsckCorrupt, u.key, id, "RQ can't read this job: "+strings.Join(bad, ", "), l.state(), nil,
			"what was meant is not known: correct the fields by hand, or delete the job")
		return
	}
	if status == StatusCreated || status == "" || status.Final() {
		return
	}
	if checkQueue(q) != nil {
		f.note(u, FsckCorrupt, u.key, id, fmt.Sprintf("%s, but its origin %.40q names no queue", status, q), l.state(), nil,
			"set origin by hand, or delete the job")
		return
	}
	switch status {
	case StatusQueued:
		f.judgeQueued(l, q)
	case StatusStarted:
		if !l.held && !f.held.has(holdExecution(id)) && !f.young(l.fields["started_at"]) {
			f.lost(l, FsckStartedLost, q, "started on "+cmp.Or(l.fields["worker_name"], "an unknown worker")+", but no execution holds it",
				"as after its worker's death: to the head of queue "+q+" if it may run again, else failed")
		}
	case StatusScheduled:
		if !l.scheduled && !f.held.has(holdExecution(id)) {
			f.lost(l, FsckScheduledLost, q, "scheduled, but in no registry: when it was to run is not known", "put it to the head of queue "+q+", to run now")
		}
	case StatusDeferred:
		f.judgeDeferred(l, q)
	}
}

// young reports that something came about while this look was under way: the
// lists were walked before.
func (f *fsck) young(stamp string) bool {
	t, ok := parseStamp(stamp)
	return ok && t.After(f.now.Add(-time.Second))
}

// ownRun is for how long a job that says queued and stands in no queue may be
// one that its producer runs itself: RQ's is_async=False leaves no other trace
// of it, and does not end it after its timeout.
const ownRun = 24 * time.Hour

// ownRunUntil is when that time is over.
func ownRunUntil(enqueued time.Time, timeout time.Duration) time.Time {
	if enqueued.IsZero() {
		return enqueued
	}
	return enqueued.Add(max(timeout, ownRun))
}

func (f *fsck) judgeQueued(l jobLook, q string) {
	id := l.unit.member
	if l.held || f.held.has(holdJob(id)) || f.held.has(holdExecution(id)) || f.young(l.fields["enqueued_at"]) {
		return
	}
	if l.fields["worker_name"] == "sync" {
		return // RQ's is_async=False runs it inside its producer
	}
	problem := "queued, but in no queue: nobody will take it"
	enqueued, _ := parseStamp(l.fields["enqueued_at"])
	timeout, _ := parseInt(strings.TrimSpace(l.fields["timeout"]))
	if until := ownRunUntil(enqueued, time.Duration(min(timeout, 1e9))*time.Second); f.now.Before(until) && !f.ours[id] && !f.o.NoOwnRuns {
		f.note(l.unit, FsckQueuedLost, l.unit.key, id, "queued, but in no queue", l.state(), nil,
			"its producer may be running it itself (RQ's is_async=False), then a worker must not: it is repaired from "+
				until.UTC().Format(time.RFC3339)+" on, or with --no-own-runs when no producer does so")
		return
	}
	if f.window(&repair{}) == nil {
		f.note(l.unit, FsckQueuedLost, l.unit.key, id, problem, l.state(), nil, f.windowText(""))
		return
	}
	f.lost(l, FsckQueuedLost, q, problem, "put it to the head of queue "+q)
}

// lost notes a job that nothing holds, to go back to the head of its queue.
func (f *fsck) lost(l jobLook, kind FsckKind, q, problem, fix string) {
	r := (&repair{move: &move{job: l.unit.member, queue: q, started: kind == FsckStartedLost}}).when(l.unchanged()...)
	r.when(
		probe{cmd("LPOS", keyQueue(q), l.unit.member), "none", ""}, probe{cmd("LPOS", keyIntermediate(q), l.unit.member), "none", ""},
		probe{cmd("HOLDS", keyWIP(q), l.unit.member), "none", ""}, probe{cmd("ZSCORE", keyScheduled(q), l.unit.member), "none", ""},
	)
	f.note(l.unit, kind, l.unit.key, l.unit.member, problem, l.state(), r, fix)
}

// unchanged are probes that hold while the hash is as it was read.
func (l jobLook) unchanged() []probe {
	var list []probe
	for _, name := range []string{"status", "origin", "enqueued_at", "started_at", "worker_name"} {
		v, ok := l.fields[name]
		list = append(list, hashIs(l.unit.key, name, fact{text: v, is: ok}))
	}
	return list
}

func (f *fsck) judgeDeferred(l jobLook, q string) {
	id, tolerant := l.unit.member, l.fields["allow_dependency_failures"] == "1"
	var waits []string
	for _, p := range l.parents {
		if s := Status(p[1]); s != "" && s != StatusFinished && !(tolerant && s == StatusFailed) {
			waits = append(waits, p[0])
		}
	}
	in := probe{cmd("ZSCORE", keyDeferred(q), id), "none", ""}
	if l.deferred {
		in.Is = "some"
	}
	switch {
	case len(waits) == 0:
		r := (&repair{move: &move{job: id, queue: q, tail: l.fields["enqueue_at_front"] != "1"}}).when(l.unchanged()...)
		r.when(in, probe{cmd("LPOS", keyQueue(q), id), "none", ""})
		for _, p := range l.parents {
			exists := fact{text: p[1], is: p[1] != ""}
			if p[1] == string(StatusCreated) {
				r.when(probe{cmd("HGET", keyJob(p[0]), "status"), "any", ""})
				continue
			}
			r.when(hashIs(keyJob(p[0]), "status", exists))
			r.edits = append(r.edits, setMember(keyDependents(p[0]), id, false))
		}
		if l.deferred {
			r.edits = append(r.edits, setScore(keyDeferred(q), id, nil))
		}
		f.note(l.unit, FsckDeferredReady, l.unit.key, id, fmt.Sprintf("deferred, though the %d jobs it waits for are done or gone", len(l.parents)), l.state(), r, "put it on queue "+q)
	case !l.deferred:
		r := (&repair{edits: []edit{setScore(keyDeferred(q), id, new(strconv.FormatInt(f.now.Unix(), 10)))}}).when(l.unchanged()...)
		f.note(l.unit, FsckDeferredLost, l.unit.key, id, "deferred (waits for "+waits[0]+"), but in no registry", l.state(), r.when(in), "put it into the registry")
	}
}
