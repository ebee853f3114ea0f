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
// forgotten, and the upload was removed after it. nil: there is none.
func (e *execution) stored(ctx context.Context) *worker.Result {
	var found *document.Manifest
	for o, err := range e.p.c.Store.List(ctx, document.DocumentPrefix(e.doc.ID), "") {
		if err != nil {
			e.task.Log.Warn().Err(err).Msg("looking for what an earlier run stored")
			return nil
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
		if m.Status != "" && m.Status != document.Completed {
			continue // a copy of the record from before
		}
		mine := m.Schema == e.manifest.Schema && m.DocumentID == id && m.ExecutionID == execution && m.UploadID == e.doc.UploadID
		if mine && (found == nil || m.ProcessedAt.After(found.ProcessedAt)) {
			found = m
		}
	}
	if found == nil {
		return nil
	}
	e.task.Log.Warn().Str("stored_by", found.ExecutionID).Msg("the upload is gone, but an earlier run stored its result: committing that")
	e.manifest = found
	res := e.complete()
	return &res
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
