package rq

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// move is a job's transition that repairs it: to its queue, or, of a job that
// was started and may not run again, to failed.
type move struct {
	job     string
	queue   string
	tail    bool // else the head, as after a worker's death
	started bool
	reason  string // of the event; "" is ReasonFsck
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
	p.fields = []string{"job", m.job, "queue", m.queue, "worker", tr.Worker, "from", string(tr.From), "to", string(tr.To), "reason", cmp.Or(m.reason, ReasonFsck)}
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
	r, err := c.run(ctx, c.editCall("", []probe{{cmd("HGET", g.Key, g.Field), "any", ""}}, nil, nil, nil, nil))
	if err != nil {
		return false, err
	}
	v := r.at(1).at(0)
	p.probes = append(p.probes, hashIs(g.Key, g.Field, fact{text: v.text(), is: v.v != nil}))
	return (v.text() == g.Is) != g.Not, nil
}
