package document

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/docsvc/docsvc/pkg/rq"
)

// present completes the indexes of a record that is there, and has a copy of
// it written where the bucket has none. A record that knows less than the
// bucket is brought up to it.
func (b *rebuild) present(ctx context.Context, g *remains, hash map[string]string) (*int64, error) {
	d, err := parse(g.id, hash)
	if err != nil {
		return nil, err
	}
	e, conditions := b.s.outcome(d), b.s.asRead(d)
	counter, reason := &b.report.Present, ""
	later, err := b.behind(ctx, g, d)
	switch {
	case err != nil:
		return nil, err
	case later != nil:
		counter, reason = &b.report.Rebuilt, "rebuilt"
		b.catchUp(e, d, later)
	default:
		b.complete(e, g, d)
		if d.Status.Succeeded() && !d.wasCounted { // once, whoever runs beside
			conditions = append(conditions, rq.Condition{Guard: rq.Guard{Key: b.s.k.document(d.ID), Field: "stored_bytes"}})
		}
	}
	if b.o.DryRun {
		return counter, nil
	}
	var labels map[string]string
	if reason != "" {
		labels = event(d.ID, d.Status, later.Status, reason)
	}
	err = b.s.queue.Apply(ctx, conditions, e.list, labels)
	var raced *rq.ConditionError
	if errors.As(err, &raced) {
		return &b.report.Present, nil // it changes: it lives
	}
	return counter, redisError("completing the record of document "+g.id, err)
}

// complete adds what a record that is there may lack around it.
func (b *rebuild) complete(e *effects, g *remains, d *Document) {
	b.s.index(e, d)
	if d.Status.Succeeded() && !d.wasCounted { // finished by a docsvc that kept no counters
		e.add(rq.HSet(b.s.k.document(d.ID), "stored_bytes", "0"))
		counted := *d
		counted.wasCounted = true
		e.count(counted.counted(), 1)
	}
	if d.Status.Final() && !g.has(RecordExecution) && !g.has(d.ExecutionID) {
		e.unsaved()
	}
}

// behind returns what the bucket knows of a document whose record is of
// before its last run: Redis was put back from a backup. There the document
// still awaits its upload or has failed, and in the bucket it is completed by
// an attempt that the record has not heard of. Cleanup would take its text for
// what a failed run left.
func (b *rebuild) behind(ctx context.Context, g *remains, d *Document) (*Document, error) {
	if d.Status.Succeeded() || d.Status.Active() || len(g.manifests) == 0 || g.tooMany {
		return nil, nil // a job that is on its way finds what was stored by itself
	}
	m, place, err := b.latest(ctx, g)
	if err != nil || m.Attempts <= d.Attempts || m.UploadID != d.UploadID || m.JobID != d.JobID {
		return nil, err
	}
	later, err := m.document()
	if err != nil || later.Status != Completed || !g.has(later.ExecutionID) {
		return nil, err
	}
	if later, err = later.said(d); err != nil {
		return nil, err
	}
	if place == ArchivedExecution { // it stays for a retention of its own
		later.hash["restored_at"] = stamp(b.s.c.Clock())
	}
	return later, nil
}

// said is the later record with what people said of the document in the
// present one after that: Redis lost the run, and then took another title. What
// the present one is silent about was perhaps said before the run.
func (later *Document) said(d *Document) (*Document, error) {
	if !d.UpdatedAt.After(later.UpdatedAt) || d.UpdatedAt.Equal(d.FinishedAt) { // its end changed it last, not people
		return later, nil
	}
	hash := maps.Clone(later.hash)
	for _, field := range []string{"title", "description", "tags"} {
		if text := d.hash[field]; text != "" && text != "[]" {
			hash[field] = text
		}
	}
	both, err := parse(later.ID, hash)
	if err == nil {
		both.ArchivedAt = later.ArchivedAt
	}
	return both, err
}

// catchUp makes d's record the later one.
func (b *rebuild) catchUp(e *effects, d, later *Document) {
	s := b.s
	e.become(later.Status)
	fields := maps.Clone(d.hash)
	for field := range fields {
		fields[field] = ""
	}
	maps.Copy(fields, later.hash)
	var list []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		list = append(list, field, fields[field])
	}
	for part := range slices.Chunk(list, 2*fieldsAtATime) {
		e.add(rq.HSet(s.k.document(d.ID), part...))
	}
	e.add(rq.ZRem(s.k.openUploads(), d.ID))
	e.add(rq.ZRem(s.k.expiredUploads(), d.ID))
	for _, tag := range d.Tags {
		if !slices.Contains(later.Tags, tag) {
			e.add(rq.ZRem(s.k.byTag(tag), d.ID))
		}
	}
	s.index(e, later)
	e.count(later.counted(), 1)
	e.unsaved()
}
