package rq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ReasonFsck is the reason in the events of what Fsck moved.
const ReasonFsck = "fsck"

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
	done, err := f.make(ctx, p)
	switch {
	case err != nil:
		return "", err
	case !done:
		return FsckOther, f.write(undoLine{N: n, Result: undoChanged}, false)
	}
	return FsckFixed, f.write(undoLine{N: n, Result: undoFixed}, false)
}

// make makes a repair; done is false when what it rests on has changed.
func (f *fsck) make(ctx context.Context, p *planned) (done bool, err error) {
	answered, err := f.pace.spend(ctx, 20)
	if err != nil {
		return false, err
	}
	r, err := f.c.run(ctx, f.c.editCall(newHexID(), p.probes, p.commands, p.fields, p.labels, p.effects))
	answered()
	if err != nil || r.at(0).text() != "ok" {
		return false, err
	}
	if p.transition != nil {
		f.c.o.Observer.Transition(*p.transition)
	}
	return true, nil
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
	if err := f.undoable(ctx, edits); err != nil {
		return nil, err
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
				found = append(found, new(v.text()))
			}
			p.probes = append(p.probes, exactly(b, found[len(found)-1]))
		}
		if err := f.planEdit(ctx, p, e, found); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// undoable answers errTooLarge before a script takes in the whole of such a
// key: Redis answers nobody meanwhile.
func (f *fsck) undoable(ctx context.Context, edits []edit) error {
	for _, e := range edits {
		if e.whole == "" {
			continue
		}
		kind, err := f.c.rdb.Type(ctx, e.whole).Result()
		if err != nil {
			return err
		}
		n, err := f.c.size(ctx, kind, e.whole)
		switch {
		case isWrongType(err):
			return errChanged
		case err != nil:
			return err
		case n > maxUndo:
			return fmt.Errorf("%s: %w", e.whole, errTooLarge)
		}
	}
	return nil
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
			return []probe{{cmd("EXISTS", e.whole), "=", "0"}}, commands
		}
	}
	ifs, do := undo(found)
	p.line.If = append(p.line.If, ifs...)
	p.line.Do = append(do, p.line.Do...) // in reverse order
	p.commands = append(p.commands, e.do)
	if count := counting[string(e.do[0])]; count != "" {
		p.probes = append(p.probes, probe{cmd(count, string(e.do[1])), "some", ""})
	}
	return nil
}
