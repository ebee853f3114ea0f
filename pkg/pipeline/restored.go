package pipeline

import (
	"context"
	"encoding/json"
	"io"

	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/worker"
)

// maxManifest bounds a manifest that is read, in bytes.
const maxManifest = 16 << 20

// stored gives the result that an earlier execution stored in whole, for a run
// that finds the upload gone. That happens when Redis lost its last moments (a
// failover, a power failure, the in-process engine killed): the commit is
// forgotten, and the upload was removed after it. Of a duplicate the copy of its
// record is there. known is false where there is neither.
func (e *execution) stored(ctx context.Context) (res worker.Result, known bool, err error) {
	var found, duplicate *document.Manifest
	for o, err := range e.p.c.Store.List(ctx, document.DocumentPrefix(e.doc.ID), "") {
		if err != nil {
			e.task.Log.Warn().Err(err).Msg("looking for what an earlier run stored")
			return res, false, nil
		}
		id, execution, name, ok := document.ParseArtifactKey(o.Key)
		if !ok || name != document.ManifestName {
			continue
		}
		m, err := e.readManifest(ctx, o.Key)
		if err != nil {
			e.task.Log.Warn().Err(err).Str("key", o.Key).Msg("reading what an earlier run stored")
			continue
		}
		mine := m.Schema == e.manifest.Schema && m.DocumentID == id && m.UploadID == e.doc.UploadID
		if mine && m.Status == document.Duplicate && execution == document.RecordExecution {
			duplicate = m
			continue
		}
		if m.Status != "" && m.Status != document.Completed || m.ExecutionID != execution {
			continue // a copy of the record from before
		}
		if mine && (found == nil || m.ProcessedAt.After(found.ProcessedAt)) {
			found = m
		}
	}
	switch {
	case found == nil && duplicate == nil:
		return res, false, nil
	case found == nil:
		return e.duplicateAgain(ctx, duplicate)
	}
	e.task.Log.Warn().Str("stored_by", found.ExecutionID).Msg("the upload is gone, but an earlier run stored its result: committing that")
	e.manifest = found
	return e.complete(), true, nil
}

// duplicateAgain gives the result of a document that was a duplicate before
// Redis forgot it. The document it is the same as was completed before it, and
// may have been forgotten, too. known is false when that is gone.
func (e *execution) duplicateAgain(ctx context.Context, m *document.Manifest) (res worker.Result, known bool, err error) {
	var of *document.Document
	err = waitForRedis(ctx, func() (err error) {
		of, err = e.p.c.Documents.Record(ctx, m.DuplicateOf)
		return err
	})
	switch {
	case isMissing(err), err == nil && of.Status.Final() && of.Status != document.Completed:
		return res, false, nil
	case err != nil:
		return res, false, err
	case of.Status != document.Completed:
		return res, false, transient(worker.CodeConflict, "It was the same as document %s, which is being processed again.", of.ID)
	}
	e.task.Log.Warn().Str("duplicate_of", of.ID).Msg("the upload is gone, but the document was a duplicate: it is one again")
	e.manifest = m
	effects, conditions := e.p.c.Documents.Duplicate(e.doc, of.ID, m)
	return worker.Result{
		Value:   value(e.doc.ID, document.Duplicate, of.ID, m.Pages, m.Chunks, m.Words, m.Seconds),
		Effects: effects, Conditions: conditions, OnConflict: e.again, Settled: e.settled,
	}, true, nil
}

func (e *execution) readManifest(ctx context.Context, key string) (*document.Manifest, error) {
	body, _, err := e.p.c.Store.Get(ctx, key, objstore.GetOptions{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	m := new(document.Manifest)
	return m, json.NewDecoder(io.LimitReader(body, maxManifest)).Decode(m)
}
