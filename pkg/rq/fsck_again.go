package rq

import (
	"context"
	"slices"
)

// again waits and answers what is still found, unchanged.
func (f *fsck) again(ctx context.Context) ([]*fsckFinding, error) {
	if len(f.found) == 0 {
		return nil, nil
	}
	before, order := f.found, f.order
	defer func(jobs int64) { f.report.Jobs = jobs }(f.report.Jobs) // not counted twice
	pause(ctx, f.o.Age)
	if err := f.begin(ctx); err != nil {
		return nil, err
	}
	var units []unit
	seen := map[unit]bool{}
	entries := false
	for _, id := range order {
		u := before[id].unit
		entries = entries || slices.Contains([]unitKind{unitJob, unitEntry, unitIntermediate, unitExecution}, u.kind)
		if !seen[u] {
			seen[u] = true
			units = append(units, u)
		}
	}
	if entries { // what stands in the queues, anew
		if err := f.hold(ctx, nil); err != nil {
			return nil, err
		}
	}
	if err := f.own(ctx, before); err != nil {
		return nil, err
	}
	if err := f.inspect(ctx, units); err != nil {
		return nil, err
	}
	var still []*fsckFinding
	for _, id := range order {
		if x := f.found[id]; x != nil && x.state == before[id].state {
			still = append(still, x)
		}
	}
	return f.inNoQueue(ctx, still)
}

// own notes which of the jobs that seem to be in no queue their producer does
// not run itself: those of functions that are docsvc's own.
func (f *fsck) own(ctx context.Context, found map[string]*fsckFinding) error {
	var ids []string
	for _, x := range found {
		if x.Kind == FsckQueuedLost {
			ids = append(ids, x.JobID)
		}
	}
	f.ours = map[string]bool{}
	for batch := range slices.Chunk(ids, fsckBatch) {
		jobs, err := f.c.jobsUpTo(ctx, batch, loadLimit)
		if err != nil {
			return err
		}
		for i, j := range jobs {
			f.ours[batch[i]] = j != nil && j.Func != "" && f.c.o.Idempotent(j.Func)
		}
	}
	return nil
}

// inNoQueue asks Redis itself whether a job that the sieve knows in no queue is
// in none: an entry can be missed while the list changes. Each question costs
// a walk through the list, so beyond the first thousand it is left to the
// repair, which asks anyway.
func (f *fsck) inNoQueue(ctx context.Context, found []*fsckFinding) ([]*fsckFinding, error) {
	asked := 0
	return filtered(found, func(x *fsckFinding) (bool, error) {
		if x.Kind != FsckQueuedLost || x.repair == nil || asked == 1000 {
			return true, nil
		}
		asked++
		answered, err := f.pace.spend(ctx, 10)
		if err != nil {
			return false, err
		}
		defer answered()
		r, err := f.c.run(ctx, f.c.editCall("", x.repair.probes, nil, nil, nil, nil))
		return r.at(0).text() == "ok", err
	})
}

func filtered[T any](list []T, keep func(T) (bool, error)) ([]T, error) {
	var out []T
	for _, x := range list {
		ok, err := keep(x)
		if err != nil {
			return out, err
		}
		if ok {
			out = append(out, x)
		}
	}
	return out, nil
}
