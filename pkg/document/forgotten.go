package document

import (
	"context"
	"errors"

	"github.com/docsvc/docsvc/pkg/objstore"
	"github.com/docsvc/docsvc/pkg/rq"
)

// processed looks whether a document whose upload is not there was processed:
// Redis lost its last moments (a failover, a power failure), and with them that
// the upload was accepted, processed and removed. Its text, chunks and
// document.json are in the bucket then, or the copy of its record as a
// duplicate, and its job finds them: see package pipeline. nil: it was not.
func (s *Service) processed(ctx context.Context, d *Document) (*Manifest, error) {
	for o, err := range s.store.List(ctx, DocumentPrefix(d.ID), "") {
		if err != nil {
			return nil, storageError("looking for what was stored of document "+d.ID, err)
		}
		_, execution, name, ok := ParseArtifactKey(o.Key)
		if !ok || name != ManifestName {
			continue
		}
		m, err := s.readManifest(ctx, d.ID, o.Key)
		var e *Error
		switch {
		case isGone(err), errors.As(err, &e) && e.Kind == Internal:
			continue
		case err != nil:
			return nil, err
		}
		// That of a run is written last: where it is, the others are.
		if m.ExecutionID != execution && !m.savedDuplicate(execution) || m.UploadID != d.UploadID || m.JobID != d.JobID || m.FileSize != d.FileSize || m.Record["etag"] == "" {
			continue
		}
		return m, nil
	}
	return nil, nil
}

// savedDuplicate says whether the file is the copy of a duplicate's record.
func (m *Manifest) savedDuplicate(execution string) bool {
	return execution == RecordExecution && m.Status == Duplicate
}

// upload is the file that the run read, as it was pinned.
func (m *Manifest) upload(d *Document) objstore.Object {
	return objstore.Object{Key: d.UploadKey, Size: m.FileSize, ETag: m.Record["etag"], VersionID: m.Record["version_id"]}
}

// resume enqueues a document again whose acceptance Redis has forgotten, and
// reports whether that was so: nobody may ask for it any more, since its client
// had its answer, and once it has failed cleanup takes its text for remains.
func (s *Service) resume(ctx context.Context, d *Document) (bool, error) {
	m, err := s.processed(ctx, d)
	if m == nil || err != nil {
		return false, err
	}
	job, err := s.queue.Job(ctx, d.JobID)
	if errors.Is(err, rq.ErrNoJob) {
		job, err = nil, nil
	}
	if err == nil {
		_, err = s.run(ctx, d, job, s.pin(d, m.upload(d), ProcessRequest{AllowDuplicate: m.AllowDuplicate}), false)
	}
	if err == nil {
		s.c.Log.Warn().Str("document", d.ID).Msg("redis has forgotten that this document was processed, the bucket has not: its job is enqueued again")
	}
	return err == nil, err
}
