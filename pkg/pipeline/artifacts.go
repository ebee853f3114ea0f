package pipeline

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/docsvc/docsvc/pkg/chunk"
	"github.com/docsvc/docsvc/pkg/document"
	"github.com/docsvc/docsvc/pkg/extract"
	"github.com/docsvc/docsvc/pkg/objstore"
)

// prefix is where this execution's artifacts go.
func (e *execution) prefix() string {
	return document.ArtifactPrefix(e.doc.ID, e.task.Execution.ID)
}

// store writes the artifacts, document.json last: its presence means complete.
func (e *execution) store(ctx context.Context, r extract.Rendered, chunks []chunk.Chunk, thumbnail []byte) error {
	e.wrote = true
	lines, err := jsonLines(chunks)
	if err != nil {
		return err
	}
	e.chunksDone(75, "storing the text", 0)
	if err := e.put(ctx, document.TextName, "text/markdown; charset=utf-8", []byte(r.Text)); err != nil {
		return err
	}
	e.chunksDone(85, "storing the chunks", len(chunks))
	if err := e.put(ctx, document.ChunksName, "application/x-ndjson", lines); err != nil {
		return err
	}
	if len(thumbnail) > 0 {
		if err := e.put(ctx, document.ThumbnailName, "image/png", thumbnail); err != nil {
			return err
		}
	}
	if e.p.c.Documents.KeepOriginal() && e.doc.SourceKey == "" { // an object is kept where it is
		if err := e.keepOriginal(ctx); err != nil {
			return err
		}
	}
	e.chunksDone(95, "finishing", len(chunks))
	e.manifest.Seconds, e.manifest.StoredBytes = e.seconds(), int64(len(r.Text)+len(lines)+len(thumbnail))
	if e.manifest.OriginalKey != "" {
		e.manifest.StoredBytes += e.manifest.FileSize
	}
	e.p.c.Documents.Seal(e.doc, e.manifest)
	body, err := json.MarshalIndent(e.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding %s: %w", document.ManifestName, err)
	}
	return e.put(ctx, document.ManifestName, "application/json", append(body, '\n'))
}

// keepOriginal copies the upload beside the artifacts.
func (e *execution) keepOriginal(ctx context.Context) error {
	e.wrote = true
	e.manifest.OriginalKey = document.OriginalKey(e.doc.ID, e.task.Execution.ID)
	// The file that was read, not one that was uploaded over it meanwhile.
	pinned := objstore.GetOptions{ETag: e.doc.ETag, VersionID: e.doc.VersionID}
	if err := e.p.c.Store.Copy(ctx, e.doc.UploadKey, e.manifest.OriginalKey, pinned); err != nil {
		return fmt.Errorf("keeping the original: %w", err)
	}
	return nil
}

func (e *execution) chunksDone(percent int, step string, n int) {
	e.progress.set(document.Progress{Status: document.Chunking, Percent: percent, Step: step,
		ChunksProcessed: n, TotalChunks: e.manifest.Chunks})
}

func (e *execution) put(ctx context.Context, name, contentType string, body []byte) error {
	_, err := e.p.c.Store.Put(ctx, e.prefix()+name, bytes.NewReader(body), int64(len(body)), objstore.PutOptions{ContentType: contentType})
	if err != nil {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	return nil
}

// jsonLines writes one chunk per line.
func jsonLines(chunks []chunk.Chunk) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for i := range chunks {
		if err := enc.Encode(&chunks[i]); err != nil {
			return nil, fmt.Errorf("encoding chunk %d: %w", i, err)
		}
	}
	return out.Bytes(), nil
}

// settled removes what isn't needed once Redis has answered: after a commit or
// duplicate the upload, else this execution's own artifacts. The record says
// which it was, not the answer: that of a repeated finish whose first answer was
// lost may be a refusal. What doesn't get done here, cleanup does.
//
// What other executions wrote is left to cleanup, too, which takes what is a day
// old: were Redis to forget this commit (a failover, a power failure), one that
// was stopped or cut off might hold the job again, and commit what it wrote.
func (e *execution) settled(ctx context.Context, _ bool) {
	log := e.task.Log
	doc, err := e.p.c.Documents.Record(ctx, e.doc.ID)
	switch {
	case isMissing(err):
		doc = &document.Document{ID: e.doc.ID} // deleted meanwhile: nothing of it is wanted
	case err != nil:
		log.Warn().Err(err).Msg("the record cannot be read: cleanup removes what isn't needed")
		return
	}
	switch {
	case doc.Status == document.Completed && e.manifest != nil && doc.ExecutionID == e.manifest.ExecutionID:
		e.removeUpload(ctx, doc)
	case doc.Status == document.Duplicate:
		if e.wrote {
			e.removeBelow(ctx, e.prefix(), doc.OriginalKey)
		}
		e.removeDuplicate(ctx, doc)
	case e.wrote:
		e.removeBelow(ctx, e.prefix())
	}
}

// removeBelow deletes the objects below prefix but for those below one of keep.
func (e *execution) removeBelow(ctx context.Context, prefix string, keep ...string) {
	var keys []string
	for o, err := range e.p.c.Store.List(ctx, prefix, "") {
		if err != nil {
			e.task.Log.Warn().Err(err).Msg("listing artifacts: cleanup removes what isn't needed")
			return
		}
		if !slices.ContainsFunc(keep, func(k string) bool { return k != "" && strings.HasPrefix(o.Key, k) }) {
			keys = append(keys, o.Key)
		}
	}
	if len(keys) == 0 {
		return
	}
	for key, err := range e.p.c.Store.Delete(ctx, keys...) {
		e.task.Log.Warn().Err(err).Str("key", key).Msg("removing an artifact: cleanup does it")
	}
}

// removeDuplicate removes the upload of a duplicate once the bucket has its
// record: else nothing would tell what it was, were Redis to forget it.
func (e *execution) removeDuplicate(ctx context.Context, doc *document.Document) {
	if e.doc.SourceKey != "" {
		return // the object is not ours to remove
	}
	if err := e.p.c.Documents.Save(ctx, doc.ID); err != nil {
		e.task.Log.Warn().Err(err).Msg("saving the record of a duplicate: cleanup removes its upload")
		return
	}
	e.removeUpload(ctx, doc)
}

func (e *execution) removeUpload(ctx context.Context, doc *document.Document) {
	if e.doc.SourceKey != "" {
		return // the object is not ours to remove
	}
	for key, err := range e.p.c.Store.Delete(ctx, e.doc.UploadKey) {
		e.task.Log.Warn().Err(err).Str("key", key).Msg("removing the upload: cleanup does it")
		return
	}
	if err := e.p.c.Documents.UploadRemoved(ctx, doc); err != nil {
		e.task.Log.Warn().Err(err).Msg("noting that the upload was removed")
	}
}
