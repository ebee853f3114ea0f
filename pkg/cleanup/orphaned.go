package cleanup

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// maxGroup is how many objects of one document are held at a time. docsvc
// writes five for an execution; of a document with more nothing is judged.
const maxGroup = 5000

// artifacts goes through all objects below documents/, document by document,
// beside the records of completed documents: both are in the order of the ids.
func (r *sweep) artifacts(ctx context.Context) error {
	records := &completed{documents: r.c.c.Documents}
	var g group
	for o, err := range r.c.c.Store.List(ctx, document.DocumentsPrefix, "") {
		if err != nil {
			return err
		}
		r.Seen++
		r.found.count(o, 1)
		r.tick()
		docID, executionID, name, ok := document.ParseArtifactKey(o.Key)
		if !ok {
			r.Kept++ // not docsvc's
			continue
		}
		if docID != g.id {
			if err := r.group(ctx, &g, records); err != nil {
				return err
			}
			g = group{id: docID}
		}
		g.add(executionID, name, o)
	}
	if err := r.group(ctx, &g, records); err != nil {
		return err
	}
	return r.missingUntil(ctx, records, "")
}

// group is the objects of one document, by execution.
type group struct {
	id         string
	executions []*execution // in the order of the listing
	n          int
}

type execution struct {
	id       string
	objects  []objstore.Object
	manifest int // index of document.json in objects, -1 when it isn't there
	newest   time.Time
}

func (g *group) add(executionID, name string, o objstore.Object) {
	g.n++
	if g.n > maxGroup {
		return
	}
	if len(g.executions) == 0 || g.executions[len(g.executions)-1].id != executionID {
		g.executions = append(g.executions, &execution{id: executionID, manifest: -1})
	}
	e := g.executions[len(g.executions)-1]
	if name == document.ManifestName {
		e.manifest = len(e.objects)
	}
	e.objects = append(e.objects, o)
	if o.LastModified.After(e.newest) {
		e.newest = o.LastModified
	}
}

// archived reports whether the document's record was moved into the bucket.
func (g *group) archived() bool {
	return slices.ContainsFunc(g.executions, func(e *execution) bool { return e.id == document.ArchivedExecution && e.manifest >= 0 })
}

// complete reports whether the document's record can be made from its objects.
func (g *group) complete() bool {
	return slices.ContainsFunc(g.executions, func(e *execution) bool { return e.manifest >= 0 })
}

// group judges one document's objects.
func (r *sweep) group(ctx context.Context, g *group, records *completed) error {
	if g.id == "" {
		return nil
	}
	if err := r.missingUntil(ctx, records, g.id); err != nil {
		return err
	}
	if g.n > maxGroup {
		r.log.Warn().Str("document", g.id).Int("objects", g.n).Msg("too many objects below one document: left alone")
		r.Kept += int64(g.n)
		return nil
	}
	archived, complete := g.archived(), g.complete()
	rebuildable := false
	for _, e := range g.executions {
		verdict, err := r.c.c.Documents.ArtifactVerdict(ctx, g.id, e.id)
		if r.unreadable(ctx, g.id, err) {
			r.Failed += int64(g.n)
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case verdict != document.NoRecord:
		case archived:
			verdict = document.Keep // its record stands among these objects
		case complete && r.movedMeanwhile(ctx, g.id):
			archived, verdict = true, document.Keep
		case complete:
			// All of it: the record names an original by the execution that kept it.
			rebuildable = true
			if !r.task.IncludeDocuments {
				verdict = document.Keep
			}
		}
		if err := r.execution(ctx, e, verdict); err != nil {
			return err
		}
	}
	if rebuildable {
		r.rebuildable(g.id)
	}
	return r.committed(ctx, g)
}

// movedMeanwhile reports whether the record was archived after the listing had
// passed: its copy is stored before Redis loses it. What can't be told is kept.
func (r *sweep) movedMeanwhile(ctx context.Context, id string) bool {
	_, err := r.c.c.Store.Stat(ctx, document.ArtifactPrefix(id, document.ArchivedExecution)+document.ManifestName)
	return !errors.Is(err, objstore.ErrNotFound)
}

// execution keeps or removes what one execution wrote, as a whole: it is as
// old as its newest object.
func (r *sweep) execution(ctx context.Context, e *execution, verdict document.Verdict) error {
	if verdict == document.Keep || !e.newest.Before(r.before) {
		r.Kept += int64(len(e.objects))
		return nil
	}
	if e.manifest > 0 {
		// document.json goes first: what is left if the run ends in between is
		// then not taken for a complete document.
		e.objects[0], e.objects[e.manifest] = e.objects[e.manifest], e.objects[0]
	}
	for _, o := range e.objects {
		if err := r.remove(ctx, o, ""); err != nil {
			return err
		}
	}
	return nil
}

// committed reports a completed document whose committed objects are not
// among those listed.
func (r *sweep) committed(ctx context.Context, g *group) error {
	d, err := r.c.c.Documents.Record(ctx, g.id)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if d.Status != document.Completed {
		return nil
	}
	for _, e := range g.executions {
		if e.id == d.ExecutionID && e.manifest >= 0 {
			return nil
		}
	}
	return r.verifyMissing(ctx, g.id)
}

// verifyMissing looks again before a record is reported: it may have been
// committed after the listing passed its place.
func (r *sweep) verifyMissing(ctx context.Context, id string) error {
	d, err := r.c.c.Documents.Record(ctx, id)
	if isNotFound(err) || r.unreadable(ctx, id, err) || (err == nil && d.Status != document.Completed) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = r.c.c.Store.Stat(ctx, document.ArtifactPrefix(id, d.ExecutionID)+document.ManifestName)
	if errors.Is(err, objstore.ErrNotFound) {
		r.missing(id)
		r.log.Warn().Str("document", id).Str("execution", d.ExecutionID).Msg("a completed document's objects are missing from storage")
		return nil
	}
	return err
}

// missingUntil looks at the completed documents before id (all that are left
// with ""), of which the listing had no objects, and goes past id itself.
func (r *sweep) missingUntil(ctx context.Context, records *completed, id string) error {
	for {
		next, err := records.peek(ctx)
		if err != nil || next == "" || (id != "" && next > id) {
			return err
		}
		records.pop()
		r.tick()
		if next != id {
			if err := r.verifyMissing(ctx, next); err != nil {
				return err
			}
		}
	}
}

// completed reads the ids of completed documents page by page, in order.
type completed struct {
	documents *document.Service
	ids       []string
	last      string
	done      bool
}

// peek returns the next id, "" at the end.
func (c *completed) peek(ctx context.Context) (string, error) {
	if len(c.ids) == 0 && !c.done {
		ids, err := c.documents.CompletedIDs(ctx, c.last, page)
		if err != nil {
			return "", err
		}
		c.ids, c.done = ids, len(ids) == 0
	}
	if len(c.ids) == 0 {
		return "", nil
	}
	return c.ids[0], nil
}

func (c *completed) pop() {
	c.last, c.ids = c.ids[0], c.ids[1:]
}
