package rq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// ReasonFsck is the reason in the events of what Fsck moved.
const ReasonFsck = "fsck"

// move is a job's transition that repairs it: to its queue, or, of a job that
// was started and may not run again, to failed.
type move struct {
	job     string
	queue   string
	tail    bool // else the head, as after a worker's death
	started bool
}

// undoLine is a line of the undo file: first what is to be done to undo a
// repair, written before it is made; then, under the same number, whether it
// was made.
type undoLine struct {
	N       int       `json:"n"`
	At      time.Time `json:"at,omitzero"`
	Kind    FsckKind  `json:"kind,omitempty"`
	Key     string    `json:"key,omitempty"`
	JobID   string    `json:"job_id,omitempty"`
	Problem string    `json:"problem,omitempty"`
	If      []probe   `json:"if,omitempty"` // it is still as the repair left it
	Do      []command `json:"do,omitempty"` // brings back what was there
	Result  string    `json:"result,omitempty"`
}

const (
	undoFixed   = "fixed"
	undoChanged = "changed" // not made: it had changed
)

// planned is a repair with everything that it needs.
type planned struct {
	probes     []probe
	commands   []command
	line       undoLine
	fields     []string
	labels     map[string]string
	effects    []Effect
	transition *Transition
}

// fix repairs findings one after the other: it reads what is there, writes how
// to undo the repair, and has the script look again and make it.
func (f *fsck) fix(ctx context.Context, findings []*fsckFinding) error {
	for _, x := range findings {
		if x.repair == nil {
			continue
		}
		for range f.o.Limit { // an entry may be in a list several times
			f.repairs++
			state, err := f.fixOne(ctx, x, f.repairs)
			if err != nil {
				return err
			}
			if x.State == "" || state == FsckFixed {
				x.State = state
			}
			if state != FsckFixed || x.unit.kind != unitEntry {
				break
			}
		}
		f.tell()
	}
	return nil
}

func (f *fsck) fixOne(ctx context.Context, x *fsckFinding, n int) (FsckState, error) {
	p, err := f.plan(ctx, x)
	switch {
	case errors.Is(err, errChanged):
		return FsckOther, nil
	case errors.Is(err, errTooLarge):
		x.Left, x.Fix = err.Error()+": delete it by hand", ""
		return FsckLeft, nil
	case err != nil:
		return "", err
	}
	p.line.N, p.line.At = n, f.now.UTC().Truncate(time.Second)
	if err := f.write(p.line, true); err != nil {
		return "", err
	}
	answered, err := f.pace.spend(ctx, 20)
	if err != nil {
		return "", err
	}
	r, err := f.c.run(ctx, f.c.editCall(newHexID(), p.probes, p.commands, p.fields, p.labels, p.effects))
	answered()
	if err != nil {
		return "", err
	}
	if r.at(0).text() != "ok" {
		return FsckOther, f.write(undoLine{N: n, Result: undoChanged}, false)
	}
	if p.transition != nil {
		f.c.o.Observer.Transition(*p.transition)
	}
	return FsckFixed, f.write(undoLine{N: n, Result: undoFixed}, false)
}

func (f *fsck) write(l undoLine, sync bool) error {
	e := json.NewEncoder(f.o.Undo)
	e.SetEscapeHTML(false)
	err := e.Encode(l)
	if s, ok := f.o.Undo.(interface{ Sync() error }); ok && sync && err == nil {
		err = s.Sync()
	}
	if err != nil {
		return fmt.Errorf("writing how to undo the repairs: %w", err)
	}
	return nil
}

// plan reads what a repair will change, as it is now.
func (f *fsck) plan(ctx context.Context, x *fsckFinding) (*planned, error) {
	p := &planned{line: undoLine{Kind: x.Kind, Key: x.Key, JobID: x.JobID, Problem: x.Problem}}
	probes, edits := x.repair.probes, x.repair.edits
	if x.repair.move != nil {
		more, err := f.moveEdits(ctx, x.repair.move, p)
		if err != nil {
			return nil, err
		}
		edits = append(edits[:len(edits):len(edits)], more...)
		probes = append(probes[:len(probes):len(probes)], p.probes...)
	}
	rests := len(probes)
	for _, e := range edits {
		probes = append(probes, e.before...)
	}
	answered, err := f.pace.spend(ctx, len(probes))
	if err != nil {
		return nil, err
	}
	r, err := f.c.run(ctx, f.c.editCall("", probes, nil, nil, nil, nil))
	answered()
	if err != nil {
		return nil, err
	}
	if r.at(0).text() != "ok" {
		return nil, errChanged
	}
	values := r.at(1).list()
	p.probes = append([]probe{}, probes[:rests]...)
	at := rests
	for _, e := range edits {
		var found []*string
		for _, b := range e.before {
			v := values[at]
			at++
			if v.v == nil {
				found = append(found, nil)
			} else {
				found = append(found, ptrTo(v.text()))
			}
			p.probes = append(p.probes, exactly(b, found[len(found)-1]))
		}
		if err := f.planEdit(ctx, p, e, found); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// exactly asks for what was found. Where an entry stands in a list, and a
// score that a heartbeat moves, may change; b says then that it must be there.
func exactly(b probe, found *string) probe {
	switch {
	case b.Read[0] == "LPOS" || b.Read[0] == "AFTER":
		return b
	case b.Read[0] == "TTL" && b.Is == "any":
		return b
	case found == nil:
		return probe{b.Read, "none", ""}
	}
	return probe{b.Read, "=", word(*found)}
}

// counting are commands that find nothing only where the key is of another
// type than the writing one needs: a script passes by a write that is refused.
var counting = map[string]string{
	"HSET": "HLEN", "LPUSH": "LLEN", "RPUSH": "LLEN", "SADD": "SCARD", "XADD": "XLEN", "ZADD": "ZCARD",
}

func (f *fsck) planEdit(ctx context.Context, p *planned, e edit, found []*string) error {
	if a := e.after; a != nil && (a.Is == "none" && found[0] == nil || a.Is == "=" && found[0] != nil && *found[0] == string(a.Text)) {
		return nil // it is so already
	}
	if e.do[0] == "EXPIRE" && found[0] != nil && *found[0] != "-1" {
		return nil // it expires already
	}
	undo := e.undo
	if e.whole != "" {
		if found[0] == nil {
			return nil // it isn't there
		}
		commands, err := f.c.content(ctx, e.whole)
		if err != nil {
			return err
		}
		undo = func([]*string) ([]probe, []command) {
			return []probe{{w("EXISTS", e.whole), "=", "0"}}, commands
		}
	}
	ifs, do := undo(found)
	p.line.If = append(p.line.If, ifs...)
	p.line.Do = append(do, p.line.Do...) // in reverse order
	p.commands = append(p.commands, e.do)
	if count := counting[string(e.do[0])]; count != "" {
		p.probes = append(p.probes, probe{w(count, string(e.do[1])), "some", ""})
	}
	return nil
}

// moveEdits are a transition's changes, with those of its effects.
func (f *fsck) moveEdits(ctx context.Context, m *move, p *planned) ([]edit, error) {
	c := f.c
	j, err := c.Job(ctx, m.job)
	if errors.Is(err, ErrNoJob) {
		return nil, errChanged
	}
	if err != nil {
		return nil, err
	}
	now, err := c.serverTime(ctx)
	if err != nil {
		return nil, err
	}
	tr := Transition{Job: j, From: j.Status, To: StatusQueued, Reason: ReasonFsck, At: now}
	spend := false
	if m.started {
		tr.Worker, tr.Reason = j.WorkerName, ReasonRecovered
		switch {
		case j.Func != "" && c.o.Idempotent(j.Func):
		case j.RetriesLeft != nil && *j.RetriesLeft > 0:
			spend = true
			tr.Reason = ReasonAbandoned
		default:
			tr.To, tr.Reason, tr.ErrorCode = StatusFailed, ReasonAbandoned, "worker_died"
			tr.Error = "The job was started, and nothing was left of its execution: its worker is gone, and the job may not simply run again."
		}
	}
	key := keyJob(m.job)
	var edits []edit
	set := func(field, value string) { edits = append(edits, setField(key, field, value, false)) }
	set("status", string(tr.To))
	if tr.To == StatusFailed {
		if edits, err = failEdits(edits, j, m.queue, tr); err != nil {
			return nil, err
		}
	} else {
		set("enqueued_at", stamp(now))
		if spend {
			set("retries_left", strconv.Itoa(*j.RetriesLeft-1))
		}
		edits = append(edits, setMember(keyQueues, keyQueue(m.queue), true), push(keyQueue(m.queue), m.job, m.tail))
	}
	extra := c.o.Effects(tr)
	if err := checkWrites(extra.Effects, nil); err != nil {
		return nil, fmt.Errorf("repairing job %s: %w", m.job, err)
	}
	more, err := c.effectEdits(ctx, extra.Effects, p)
	if err != nil {
		return nil, err
	}
	p.transition, p.labels = &tr, withCode(extra.Labels, tr.ErrorCode)
	p.fields = []string{"job", m.job, "queue", m.queue, "worker", tr.Worker, "from", string(tr.From), "to", string(tr.To), "reason", ReasonFsck}
	return append(edits, more...), nil
}

// failEdits make a job failed as RQ's cleaning does an abandoned one. Jobs
// that wait for it are released by the next sweep or look.
func failEdits(edits []edit, j *Job, q string, tr Transition) ([]edit, error) {
	entry, err := failedEntry(tr.Error)
	if err != nil {
		return nil, err
	}
	ttl, score := int64(31536000), ""
	if j.FailureTTL != nil {
		ttl = int64(*j.FailureTTL / time.Second)
	}
	if ttl < 0 {
		score = "-1"
	} else {
		score = strconv.FormatInt(tr.At.Unix()+ttl, 10)
	}
	id := strconv.FormatInt(tr.At.UnixMilli(), 10) + "-0"
	edits = append(edits, setField(keyJob(j.ID), "ended_at", stamp(tr.At), false),
		setScore(keyFailed(q), j.ID, &score), addEntry(keyResults(j.ID), id, append(entry, "worker_name", "")))
	if ttl > 0 {
		edits = append(edits, expireIfForever(keyJob(j.ID), int(ttl)))
	}
	return edits, nil
}

// expireIfForever is expireKey for a key that may already expire.
func expireIfForever(key string, seconds int) edit {
	e := expireKey(key, seconds)
	e.before[0].Is = "any"
	return e
}

// effectEdits turns effects into edits, which can be undone. What is not about
// one field or member (events, timings, secrets that are deleted) stays an
// effect, and stays done.
func (c *Client) effectEdits(ctx context.Context, effects []Effect, p *planned) ([]edit, error) {
	var edits []edit
	on := map[Guard]bool{}
	for _, x := range effects {
		if x.If != nil {
			if x.If.Field == "" {
				p.effects = append(p.effects, x)
				continue
			}
			if _, known := on[*x.If]; !known {
				holds, err := c.guardHolds(ctx, *x.If, p)
				if err != nil {
					return nil, err
				}
				on[*x.If] = holds
			}
			if !on[*x.If] {
				continue
			}
		}
		switch {
		case x.Op == OpHSet:
			for i := 0; i+1 < len(x.Args); i += 2 {
				edits = append(edits, setField(x.Key, x.Args[i], x.Args[i+1], false))
			}
		case x.Op == OpHDel:
			for _, name := range x.Args {
				edits = append(edits, setField(x.Key, name, "", true))
			}
		case x.Op == OpZAdd && len(x.Args) == 2:
			edits = append(edits, setScore(x.Key, x.Args[1], &x.Args[0]))
		case x.Op == OpZRem:
			for _, m := range x.Args {
				edits = append(edits, setScore(x.Key, m, nil))
			}
		case x.Op == OpSAdd || x.Op == OpSRem:
			for _, m := range x.Args {
				edits = append(edits, setMember(x.Key, m, x.Op == OpSAdd))
			}
		default:
			p.effects = append(p.effects, x)
		}
	}
	return edits, nil
}

// guardHolds reads a guard on a field; that it stays so becomes a probe.
func (c *Client) guardHolds(ctx context.Context, g Guard, p *planned) (bool, error) {
	r, err := c.run(ctx, c.editCall("", []probe{{w("HGET", g.Key, g.Field), "any", ""}}, nil, nil, nil, nil))
	if err != nil {
		return false, err
	}
	v := r.at(1).at(0)
	p.probes = append(p.probes, hashIs(g.Key, g.Field, fact{text: v.text(), is: v.v != nil}))
	return (v.text() == g.Is) != g.Not, nil
}

// FsckRestored is what FsckRestore did.
type FsckRestored struct {
	Restored int      `json:"restored"`
	Skipped  []string `json:"skipped"` // and why
}

// FsckRestore undoes the repairs of an undo file, the last one first. One
// whose keys are no longer as the repair left them is skipped and named.
func (c *Client) FsckRestore(ctx context.Context, undo io.Reader) (FsckRestored, error) {
	done := FsckRestored{Skipped: []string{}}
	var lines []undoLine
	results := map[int]string{}
	for d := json.NewDecoder(undo); ; {
		var l undoLine
		err := d.Decode(&l)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break // a last line that was not written whole was not acted on
		}
		if err != nil {
			return done, fmt.Errorf("reading how to undo the repairs: %w", err)
		}
		if l.Result != "" {
			results[l.N] = l.Result
		} else {
			lines = append(lines, l)
		}
	}
	waiting := lines[:0:0]
	for i := len(lines) - 1; i >= 0; i-- {
		if results[lines[i].N] != undoChanged {
			waiting = append(waiting, lines[i])
		}
	}
	// An entry is put back before the one that followed it, which may have to
	// be put back first; what then still has none goes to the head.
	for force := false; len(waiting) > 0; {
		var later []undoLine
		for _, l := range waiting {
			if force {
				for _, x := range l.Do {
					if x[0] == "PUTBACK" {
						x[5] = "1"
					}
				}
			}
			r, err := c.run(ctx, c.editCall(newHexID(), l.If, l.Do, nil, nil, nil))
			if err != nil {
				return done, fmt.Errorf("undoing repair %d: %w", l.N, err)
			}
			switch r.at(0).text() {
			case "ok":
				done.Restored++
			case "later":
				later = append(later, l)
			default:
				done.Skipped = append(done.Skipped, fmt.Sprintf("%s %s: it has changed since: %v is %.60q",
					l.Kind, l.Key, l.If[min(r.at(1).int(), len(l.If)-1)].Read.texts(), r.at(2).text()))
			}
		}
		force = len(later) == len(waiting)
		waiting = later
	}
	return done, nil
}
